"""Cards of any content: what is no card is refused in a sentence, by every command."""

import json
import os
import socket

import pytest

from sklearn_ser import make_pipeline, save_pipeline
from sklearn_ser.exceptions import ModelError
from sklearn_ser.persistence import card as cards
from sklearn_ser.persistence.card import card_path, read_card
from tests.conftest import run, voice

COMMANDS = {
    "card": (),
    "predict": ("x.wav",),
    "listen": ("--source", "x.wav"),
    "serve": ("--port", "0"),
    "evaluate": ("--data", "synthetic"),
    "export": (),
}


@pytest.fixture(scope="module")
def fitted():
    clips = [voice(0.2, pitch, seed=i) for i, pitch in enumerate([100, 300] * 3)]
    return make_pipeline("logreg", "mfcc").fit(clips, ["sad", "angry"] * 3)


@pytest.fixture
def path(fitted, tmp_path):
    return save_pipeline(fitted, tmp_path / "pipeline.joblib")


def refused(path, words):
    with pytest.raises(ModelError, match=words) as caught:
        read_card(path)
    assert "\n" not in str(caught.value)
    for command, more in COMMANDS.items():
        _, err = run(command, path, *more, code=2)
        assert err.startswith(f"Error: {card_path(path)} ")


def change(path, entry, value):
    """Set an entry of a card, deep in it where its name has dots."""
    document = card = json.loads(card_path(path).read_text())
    *outer, last = entry.split(".")
    for name in outer:
        card = card.setdefault(name, {})
    card[last] = value
    card_path(path).write_text(json.dumps(document))


WHOLE = {
    "data": {"name": "x", "n_clips": 1, "skipped": []},
    "scores": {"accuracy": 1, "uar": 1.0, "macro_f1": 1.0},
    "split": {
        "kind": "random",
        "seed": 0,
        "n_test": 1,
        "n_train": 1,
        "n_validation": 1,
        "validation_by": None,
    },
    "audit": {"sentences": []},
}


@pytest.mark.parametrize(
    ("entry", "value"),
    [
        ("classifier", None),
        ("classes", "all"),
        ("classes", ["sad", 3]),
        ("versions", []),
        ("versions", {"numpy": 2}),
        ("n_features", "40"),
        ("n_features", True),
        ("n_frames", "many"),
        ("sampling_rate", 1.5),
        ("data", []),
        ("data", {"name": "x", "n_clips": 1}),
        ("data.skipped", 3),
        ("data.n_clips", None),
        ("scores.accuracy", "all"),
        ("scores.uar", True),
        ("split.kind", ["random"]),
        ("split.validation_by", 1),
        ("split.n_folds", "5"),
        ("audit", ["sentence"]),
        ("audit.sentences", [["a"]]),
        ("training", {"seconds": "long"}),
        ("training", "yes"),
        ("checkpoints", ["x"]),
    ],
)
def test_entries_of_a_wrong_type(path, entry, value):
    for name, whole in WHOLE.items():
        change(path, name, whole)
    read_card(path)
    change(path, entry, value)
    words = rf"is not a whole card: its {entry.split('.')[0]}[\w.]* is missing or of a wrong type"
    with pytest.raises(ModelError, match=words):
        read_card(path)
    assert "is not a whole card" in run("card", path, code=2)[1]


@pytest.mark.parametrize("missing", ["classes", "sha256", "versions", "file"])
def test_missing_entries(path, missing):
    card = json.loads(card_path(path).read_text())
    del card[missing]
    card_path(path).write_text(json.dumps(card))
    refused(path, f"its {missing} is missing")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe{}", "not JSON"),
        (b'{"card_format": 1, "classifier": "\xe9"}', "not JSON in UTF-8"),
        (b"[" * 100_000, "not JSON"),
        (b'{"card_format": ' + b"1" * 5000 + b"}", "not JSON"),
        (b"[]", "not a card"),
        (b"null", "not a card"),
        (b'{"card_format": 99}', "not a card that this version"),
        (b'{"card_format": 1}', "not a whole card"),
    ],
    ids=["empty", "utf-16", "latin-1", "deep", "long number", "list", "null", "newer", "bare"],
)
def test_files_that_are_no_cards(path, content, words):
    card_path(path).write_bytes(content)
    refused(path, words)


def test_what_else_a_card_says_is_kept(path):
    change(path, "note", {"by": "me"})
    assert read_card(path)["note"] == {"by": "me"}


def test_a_card_has_a_bound(path, monkeypatch):
    monkeypatch.setattr(cards, "MAX_CARD_BYTES", 1000)
    change(path, "note", "x" * 1000)
    refused(path, r"larger than 0\.001 MB")


def make_special(place, kind):
    """Put something that is no file at a place."""
    place.unlink()
    if kind == "pipe":
        os.mkfifo(place)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(os.path.relpath(place))  # an address has 107 bytes at most
    elif kind == "folder":
        place.mkdir()
    else:
        place.symlink_to("/dev/zero")


SPECIAL = ["pipe", "socket", "folder", "device"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
@pytest.mark.parametrize("kind", SPECIAL)
def test_cards_that_are_no_files(path, kind):
    make_special(card_path(path), kind)
    refused(path, "cannot be read as a card: it is a")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
@pytest.mark.parametrize("kind", SPECIAL)
@pytest.mark.parametrize("suffix", ["joblib", "skops", "onnx"])
def test_models_that_are_no_files(fitted, tmp_path, kind, suffix):
    path = tmp_path / f"model.{suffix}"
    save_pipeline(fitted, path.with_suffix(".joblib"))
    path.touch()
    card_path(path.with_suffix(".joblib")).rename(card_path(path))
    make_special(path, kind)
    words = "is a folder without" if kind == "folder" else f"{path} cannot be read: it is a pipe"
    for command in ("predict", "listen", "serve", "evaluate", "export"):
        how = (*COMMANDS[command], "--to", "skops") if suffix == "onnx" else COMMANDS[command]
        how = how if command == "export" else COMMANDS[command]
        assert words in run(command, path, *how, code=2)[1]


def test_card_of_sequences(tmp_path):
    clips = [voice(0.2, pitch, seed=i) for i, pitch in enumerate([100, 300] * 3)]
    params = {"clf__filters": (2,), "clf__dense_units": (), "clf__epochs": 1}
    pipe = make_pipeline("cnn", features__logmel__n_frames=20, random_state=0, **params)
    path = save_pipeline(pipe.fit(clips, ["sad", "angry"] * 3), tmp_path / "pipeline.joblib")
    assert "(20 frames of 128 features)" in run("card", path)[0]
