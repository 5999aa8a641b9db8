"""Names, labels and cards are other people's text: no terminal obeys what stands in them."""

import json
import shutil

import pandas as pd
import pytest

from sklearn_ser._files import printable
from sklearn_ser.persistence.card import card_path
from tests.conftest import run

CLIPBOARD = "\x1b]52;c;bHM=\x07"  # OSC 52 fills the clipboard of many terminals
EVIL = f"{CLIPBOARD}\x9b31m\x7f\u202e[bold][link=example.org]x"


def shows_evil(text):
    """Say whether the text was shown, and check that it was shown as text alone."""
    assert not set(text) & set("\x1b\x07\x9b\x7f\u202e")
    return "[bold][link=example.org]x" in text.replace("\n", "")


@pytest.fixture(scope="module")
def evil_corpus(little_corpus, tmp_path_factory):
    """Two emotions of the little corpus; one label and one file name are an attack."""
    folder = tmp_path_factory.mktemp("evil")
    clip = folder / f"clip{EVIL}.wav"
    rows = []
    for emotion in ("angry", "sad"):
        for file in sorted((little_corpus / emotion).glob("*.wav")):
            rows.append([file, EVIL if emotion == "angry" else "sad", f"{EVIL}{file.stem[-1:]}"])
    shutil.copy(rows[0][0], clip)
    rows[0][0] = clip
    table = pd.DataFrame(rows, columns=["path", "emotion", "speaker"])
    table.to_csv(folder / "corpus.csv", index=False)
    return folder / "corpus.csv", clip


def test_labels_and_names_in_tables(evil_corpus, tmp_path):
    data, clip = evil_corpus
    how = ("--data", data, "--features", "mfcc")
    assert shows_evil(run("corpora", "show", data)[0])
    out, err = run("fit", *how, "--out", tmp_path / "run")
    assert shows_evil(out)
    assert not shows_evil(err)
    for command in (("card", tmp_path / "run"), ("predict", tmp_path / "run", clip)):
        assert shows_evil(run(*command)[0])
    bad = clip.with_name(f"{EVIL}.wav")
    bad.write_bytes(b"no audio")
    assert all(map(shows_evil, run("predict", tmp_path / "run", bad, code=1)))
    out, err = run("compare", *how, "--clf", "logreg", "--out", tmp_path / EVIL)
    assert shows_evil(out)
    for form in ("--json", "--jsonl"):
        out, _ = run("predict", tmp_path / "run", clip, form)
        assert shows_evil(out)
        document = json.loads(out)
        assert document.get("rows", [document])[0]["path"] == str(clip)  # nothing is lost


def test_a_card(model, tmp_path):
    shutil.copytree(model, tmp_path / "run")
    file = card_path(tmp_path / "run" / "pipeline.joblib")
    card = json.loads(file.read_text())
    card |= {"classifier": EVIL, "classes": [EVIL], "resampler": EVIL, "created": EVIL}
    card["versions"] = {EVIL: EVIL}
    card["data"]["name"] = EVIL
    card["audit"]["sentences"] = [EVIL]
    file.write_text(json.dumps(card))
    assert run("card", tmp_path / "run")[0].count("[bold][link=example.org]x") == 8
    assert shows_evil(run("card", tmp_path / "run")[0])
    assert shows_evil(run("card", tmp_path / "run", "--json")[0])


@pytest.mark.parametrize("command", ["card", "predict", "evaluate", "listen"])
def test_errors(command, tmp_path):
    more = {"predict": ["x.wav"], "evaluate": ["--data", "synthetic"]}.get(command, [])
    assert shows_evil(run(command, tmp_path / EVIL, *more, code=2)[1])


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("angry", "angry"),
        ("Wut 😠 怒り غضب", "Wut 😠 怒り غضب"),
        ("👩‍🚒", "👩‍🚒"),  # joined by a character without width
        ("\x1b]52;c;bHM=\x07", r"\x1b]52;c;bHM=\x07"),
        ("\x9b31m", r"\x9b31m"),
        ("a\nb\tc\r", r"a\nb\tc\r"),
        ("\x7f", r"\x7f"),
        ("exe.\u202egnp", r"exe.\u202egnp"),
        ("\u2066a\u2069\u200f\u061c", r"\u2066a\u2069\u200f\u061c"),
        ("a\u2028b", r"a\u2028b"),
        ("caf\udce9.wav", r"caf\xe9.wav"),
        ("\ud800", r"\ud800"),
        (7, "7"),
    ],
)
def test_control_characters_are_written_out(text, shown):
    assert printable(text) == shown
    printable(text).encode("utf-8")


def test_lines_may_stay():
    assert printable("a\n\tb\r\x1b", lines=True) == "a\n\tb" + r"\r\x1b"
