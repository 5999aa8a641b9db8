"""Models from strangers, with cards that match them: no command runs what they carry."""

import pickle

import pytest
import skops.io

from sklearn_ser import load_pipeline
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
def test_a_strangers_model(model, little_corpus, tmp_path, command, suffix):
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
