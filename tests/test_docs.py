"""The documentation: its examples run, and its commands, options, links and names exist."""

import importlib
import re
import shlex
import shutil
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import typer

from sklearn_ser.cli import app
from sklearn_ser.corpora import _registry as registry
from sklearn_ser.corpora import list_corpora, load_data
from sklearn_ser.report.cell_clips import MOST_CLIPS
from sklearn_ser.report.example_clips import MOST_EXAMPLES, MOST_MISTAKES
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
        assert len(names["timeline"]) == 7
        assert "0.0 to 2.0 s" in out
        assert np.isfinite(names["timeline"]["sad"]).all()


def test_every_section_has_run():
    titles = [title for title, _ in examples(DOCS / "embedding.md")]
    assert titles == ["A script", "A FastAPI app", "A batch job", "A notebook"]


def test_corpora(tmp_path, monkeypatch):
    """What the page says of any other corpus is what happens: a CSV, and a reader of its own."""
    programs = dict(examples(DOCS / "corpora.md"))
    assert list(programs) == ["A CSV", "A reader"]
    monkeypatch.chdir(tmp_path)
    names = [f"{e}-{s}-b1.wav" for e in ("dis", "gio", "neu") for s in ("f1", "m2")]
    (tmp_path / "EMOVO").mkdir()
    for name in names:
        soundfile.write(tmp_path / "EMOVO" / name, voice(0.2), SR)
    exec(compile(programs["A CSV"], "corpora.md, A CSV", "exec"), {})
    by_csv = load_data("emovo.csv")
    assert by_csv["emotion"].tolist() == ["disgust"] * 2 + ["happy"] * 2 + ["neutral"] * 2
    space: dict = {"__name__": "example"}
    exec(compile(programs["A reader"], "corpora.md, A reader", "exec"), space)
    entry = SimpleNamespace(name="emovo", value="x", load=lambda: space["READER"])
    monkeypatch.setattr(registry, "entry_points", lambda group: [entry])
    monkeypatch.setenv("SKLEARN_SER_DATA", str(tmp_path))
    by_reader = load_data("emovo")
    for column in ("path", "emotion", "speaker", "text"):
        assert by_reader[column].tolist() == by_csv[column].tolist()
    assert by_reader["sex"].tolist() == ["female", "male"] * 3
    (row,) = list_corpora().query("name == 'emovo'").to_dict("records")
    assert (row["clips"], row["speakers"], row["language"]) == (6, 2, "Italian")


PAGES = [DOCS.parent / name for name in ("README.md", "CONTRIBUTING.md")] + sorted(
    DOCS.glob("*.md")
)


@pytest.fixture(params=PAGES, ids=lambda page: page.name)
def page(request):
    return request.param.read_text(encoding="utf-8")


def shell_lines(text):
    """Yield the commands in code blocks and in backticks, without comments."""
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    lines += [
        " ".join(code.split())
        for code in re.findall(r"`([^`]+)`", re.sub("```.*?```", "", text, flags=re.DOTALL))
    ]
    for line in lines:
        for part in re.split(r" \| | && ", line.partition(" #")[0]):
            if part.startswith("sklearn-ser "):
                yield part.removeprefix("sklearn-ser ")


def test_commands_and_options_exist(page):
    group = typer.main.get_command(app)
    for line in shell_lines(page):
        words = shlex.split(line.replace("[list, get, show]", "list"))
        command = group
        while words and words[0] in getattr(command, "commands", {}):
            command = command.commands[words.pop(0)]
        assert command is not group or words[0].isupper(), line
        known = {
            option
            for parameter in command.params
            for option in (*parameter.opts, *parameter.secondary_opts)
        } | {"--help"}
        assert {word for word in words if re.match("--?[a-z]", word)} <= known, line


def test_options_named_in_the_text_exist(page):
    known = {"--version", "--help"}
    pending = [typer.main.get_command(app)]
    while pending:
        command = pending.pop()
        pending += getattr(command, "commands", {}).values()
        known |= {
            option
            for parameter in command.params
            for option in (*parameter.opts, *parameter.secondary_opts)
        }
    named = re.findall(r"`(--[a-z][a-z-]*)[^`]*`", page)
    assert set(named) <= known


def test_links_and_files_exist(page):
    for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page):
        if "://" not in target:
            assert (DOCS / target).exists() or (DOCS.parent / target).exists(), target
    for target in re.findall(r"\b(?:benchmarks|tests|docs)/[\w./]+\.(?:py|md)", page):
        assert (DOCS.parent / target).exists(), target


def test_dotted_names_exist(page):
    for name in re.findall(r"\bsklearn_ser(?:\.\w+)+", page):
        module, _, attribute = name.rpartition(".")
        try:
            importlib.import_module(name)
        except ImportError:
            assert hasattr(importlib.import_module(module), attribute), name


DIALECT = r"\b(strangers?|(?:test|training|validation) part|never heard|doors?|heard before)\b"


def test_pages_use_the_words_of_the_field(page):
    assert re.findall(DIALECT, page) == []


def test_report_guide_names_the_number_of_clips():
    text = " ".join((DOCS / "report.md").read_text(encoding="utf-8").split())
    assert f"at most {MOST_EXAMPLES} examples and {MOST_MISTAKES} mistakes" in text
    assert f"at most {MOST_CLIPS} of a cell" in text


def test_pictures_are_small_and_shown():
    pictures = sorted((DOCS / "images").glob("*.png"))
    assert len(pictures) == 12
    pages = [*DOCS.glob("*.md"), DOCS.parent / "README.md"]
    shown = "\n".join(page.read_text(encoding="utf-8") for page in pages)
    script = (DOCS / "make_screenshots.py").read_text(encoding="utf-8")
    for picture in pictures:
        assert picture.stat().st_size <= 150_000, picture.name
        if not picture.stem.endswith("-dark"):  # those are for README in a dark browser
            assert f"images/{picture.name}" in shown
        base = picture.stem.removesuffix("-light").removesuffix("-dark").removesuffix("-phone")
        assert base in script
    for name in re.findall(r"\(images/([\w-]+\.png)\)", shown):
        assert (DOCS / "images" / name).exists(), name
