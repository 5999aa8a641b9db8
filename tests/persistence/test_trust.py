"""Untrusted models, with cards that match them: no command runs what they carry.

And the list of those that are trusted.
"""

import os
import pickle
import warnings

import pytest
import skops.io

from sklearn_ser import load_pipeline, save_pipeline
from sklearn_ser._files import umask
from sklearn_ser.persistence.trust import remember, remembered
from tests.conftest import run
from tests.persistence.test_persistence import Malicious, plant

COMMANDS = {
    "predict": lambda model, data: ("predict", model, data),
    "windows": lambda model, data: ("predict", model, data, "--window", 1),
    "listen": lambda model, data: ("listen", model, "--source", data / "sad" / "0.wav"),
    "serve": lambda model, data: ("serve", model, "--port", 0),
    "evaluate": lambda model, data: ("evaluate", model, "--data", data),
    "export": lambda model, data: ("export", model, "--to", "onnx"),
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("suffix", ["joblib", "skops"])
def test_an_untrusted_model(model, little_corpus, tmp_path, command, suffix):
    mark, path = tmp_path / "mark", tmp_path / f"pipeline.{suffix}"
    dumps = pickle.dumps if suffix == "joblib" else skops.io.dumps
    plant(path, dumps(Malicious(mark)), load_pipeline(model))
    _, err = run(*COMMANDS[command](path, little_corpus), code=2)
    assert ("add --trust" if suffix == "joblib" else "this package never writes") in err
    assert not mark.exists()


def test_a_card_is_looked_at_without_its_model(model, tmp_path):
    path = tmp_path / "pipeline.joblib"
    plant(path, pickle.dumps(Malicious(tmp_path / "mark")), load_pipeline(model))
    assert "Emotions" in run("card", path)[0]
    assert not (tmp_path / "mark").exists()


# The list of trusted checksums

ONE = "a" * 64


@pytest.fixture
def listed(tmp_path, monkeypatch):
    """The path of the list, in a folder that is not there yet."""
    monkeypatch.setenv("SKLEARN_SER_CONFIG", str(tmp_path / "home" / "config"))
    return tmp_path / "home" / "config" / "written-here.txt"


def test_the_list_is_private_whatever_the_umask(listed):
    before = umask()
    os.umask(0)
    try:
        remember(ONE)
        remember("b" * 64)
    finally:
        os.umask(before)
    assert listed.stat().st_mode & 0o777 == 0o600
    for folder in (listed.parent, listed.parent.parent):
        assert folder.stat().st_mode & 0o777 == 0o700
    assert remembered() == {ONE, "b" * 64}


@pytest.mark.parametrize("which", ["the file", "its folder"])
@pytest.mark.parametrize("mode", [0o666, 0o620])
def test_a_list_that_others_can_write_is_not_believed(listed, which, mode):
    remember(ONE)
    place = listed if which == "the file" else listed.parent
    place.chmod(mode | (0o700 if which == "its folder" else 0))
    with pytest.warns(UserWarning, match=rf"{place}: others can write to it \(chmod go-w\)"):
        assert remembered() == set()
    with pytest.warns(UserWarning, match="cannot be noted in .*others can write"):
        remember("b" * 64)
    place.chmod(0o700)
    assert remembered() == {ONE}


def test_a_list_of_another_user_is_not_believed(listed, monkeypatch):
    remember(ONE)
    monkeypatch.setattr(os, "geteuid", lambda: listed.stat().st_uid + 1)
    with pytest.warns(UserWarning, match="belongs to another user"):
        assert remembered() == set()
    with pytest.warns(UserWarning, match="belongs to another user"):
        remember("b" * 64)
    assert listed.read_text() == ONE + "\n"


def test_a_list_behind_a_link_is_not_believed(listed, tmp_path):
    (tmp_path / "list").write_text(ONE)
    (tmp_path / "list").chmod(0o600)
    listed.parent.mkdir(parents=True)
    listed.symlink_to(tmp_path / "list")
    with pytest.warns(UserWarning, match="is not used"):
        assert remembered() == set()
    with pytest.warns(UserWarning, match="cannot be noted"):
        remember("b" * 64)
    assert (tmp_path / "list").read_text() == ONE


def test_a_damaged_list_is_not_believed(listed):
    remember(ONE)
    listed.write_bytes(b"\xff")
    with pytest.warns(UserWarning, match="no list of checksums"):
        assert remembered() == set()


def test_no_list_yet(listed):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert remembered() == set()


def test_fit_says_that_its_model_will_not_be_trusted(little_corpus, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("SKLEARN_SER_CONFIG", str(tmp_path / "file" / "config"))
    how = ("--data", little_corpus, "--features", "mfcc", "--clf", "logreg")
    _, err = run("fit", *how, "--out", tmp_path / "run")
    assert "Commands will not load it until they are told to trust it." in err
    assert "SKLEARN_SER_CONFIG" in err
    clip = little_corpus / "sad" / "0.wav"
    assert "--trust" in run("predict", tmp_path / "run", clip, code=2)[1]
    run("predict", tmp_path / "run", clip, "--trust")


def test_a_model_of_a_list_not_believed_is_refused_with_the_reason(listed, model, little_corpus):
    path = save_pipeline(load_pipeline(model), listed.parent.parent / "mine.joblib")
    clip = little_corpus / "sad" / "0.wav"
    run("predict", path, clip)
    listed.chmod(0o666)
    _, err = run("predict", path, clip, code=2)
    assert "others can write to it (chmod go-w)" in err
    assert "was not written here by you" in err
