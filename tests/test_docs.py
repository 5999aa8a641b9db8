"""The examples of the documentation, run as they stand."""

import re
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.conftest import SR, voice

DOCS = Path(__file__).parents[1] / "docs"
pytestmark = pytest.mark.usefixtures("mine")


def examples(path):
    """Yield each section's title and its Python examples as one program."""
    for section in re.split(r"^## ", path.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        blocks = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
        if blocks:
            yield section.splitlines()[0], "\n".join(blocks)


@pytest.fixture
def desk(model, little_corpus, tmp_path, monkeypatch):
    """What the examples find where they run."""
    shutil.copytree(model, tmp_path / "svm-tess")
    shutil.copytree(little_corpus / "sad", tmp_path / "calls")
    (tmp_path / "calls" / "bad.wav").write_text("no audio")
    soundfile.write(tmp_path / "call.wav", voice(0.4, 100), SR)
    soundfile.write(tmp_path / "meeting.flac", voice(5, 300), SR)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "Agg")
    return tmp_path


@pytest.mark.parametrize(("title", "program"), list(examples(DOCS / "embedding.md")))
def test_embedding(title, program, desk, capsys):
    names: dict = {"__name__": "example"}
    exec(compile(program, f"embedding.md, {title}", "exec"), names)
    out = capsys.readouterr().out
    if title == "A script":
        assert out.startswith("sad ")
        assert "unsure" in out or "silent" in out
        assert "missing.wav does not exist" in out
    elif title == "A FastAPI app":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the client's own deprecations
            from starlette.testclient import TestClient

            client = TestClient(names["app"])
        answer = client.post("/emotion", files={"file": (desk / "call.wav").read_bytes()}).json()
        assert max(answer, key=answer.get) == "sad"
        assert client.post("/emotion", files={"file": b"no audio"}).status_code == 422
    elif title == "A batch job":
        assert re.search(r"sad +8\n", out)
        assert "1 could not be read" in out
        assert len((desk / "emotions.csv").read_text().splitlines()) == 10
    else:
        assert len(names["course"]) == 7
        assert "0.0 to 2.0 s" in out
        assert np.isfinite(names["course"]["sad"]).all()


def test_every_section_has_run():
    titles = [title for title, _ in examples(DOCS / "embedding.md")]
    assert titles == ["A script", "A FastAPI app", "A batch job", "A notebook"]
