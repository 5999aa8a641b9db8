import copy
import json
import os
import pickle
import subprocess
import sys
import zipfile

import joblib
import numpy as np
import pytest
import sklearn
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression

from sklearn_ser import load_pipeline, make_pipeline, save_pipeline
from sklearn_ser._files import write_atomically
from sklearn_ser.classifiers.temperature import TemperatureScaledClassifier
from sklearn_ser.corpora import load_data
from sklearn_ser.exceptions import ModelError
from sklearn_ser.persistence import formats, read_model
from sklearn_ser.persistence.card import card_path, read_card
from sklearn_ser.persistence.formats import SKOPS_TRUSTED
from tests.conftest import run, voice


@pytest.fixture(scope="module")
def corpus(little_corpus):
    return load_data(str(little_corpus))


@pytest.fixture(scope="module")
def fitted(corpus):
    pipe = make_pipeline("svm", "mfcc,contrast", n_jobs=2)
    return pipe.fit(corpus["path"], corpus["emotion"])


@pytest.mark.parametrize("suffix", ["joblib", "skops"])
def test_round_trip(fitted, corpus, tmp_path, suffix):
    path = save_pipeline(fitted, tmp_path / f"mine.{suffix}")
    again = load_pipeline(path)
    np.testing.assert_array_equal(
        again.predict_proba(corpus["path"]), fitted.predict_proba(corpus["path"])
    )
    assert sorted(file.name for file in tmp_path.iterdir() if file.is_file()) == sorted(
        [f"mine.{suffix}.card.json", f"mine.{suffix}"]
    )


def test_a_model_that_was_read_outlives_its_file(fitted, corpus, tmp_path):
    path = save_pipeline(fitted, tmp_path / "mine.joblib")
    held = read_model(path)
    path.unlink()
    card_path(path).unlink()
    expected = fitted.predict_proba(corpus["path"][:2])
    for model in (held, read_model(held)):
        pipe = load_pipeline(model, trust=False)
        np.testing.assert_array_equal(pipe.predict_proba(corpus["path"][:2]), expected)


@pytest.mark.parametrize("clf", ["mlp", "rf", "logreg", "ann"])
def test_skops_knows_every_recipe(clf, corpus, tmp_path):
    quick = {"ann": {"clf__epochs": 1}, "rf": {"clf__n_estimators": 5}}.get(clf, {})
    pipe = make_pipeline(clf, random_state=0, **quick).fit(corpus["path"], corpus["emotion"])
    again = load_pipeline(save_pipeline(pipe, tmp_path / "x.skops"), trust=False)
    np.testing.assert_array_equal(
        again.predict_proba(corpus["path"]), pipe.predict_proba(corpus["path"])
    )


def test_no_trace_of_this_machine(corpus, tmp_path):
    pipe = make_pipeline("rf", "mfcc", n_jobs=2, clf__n_jobs=2, clf__verbose=0)
    pipe.fit(corpus["path"], corpus["emotion"])
    path = save_pipeline(pipe, tmp_path / "pipeline.joblib")
    parameters = joblib.load(path).get_params()
    assert all(v is None for k, v in parameters.items() if k.endswith("n_jobs"))
    assert pipe.get_params()["clf__n_jobs"] == 2  # the one in hand is left alone
    machine = [str(tmp_path), os.path.dirname(corpus["path"][0]), os.path.expanduser("~")]
    for file in (path, card_path(path)):
        assert not any(place.encode() in file.read_bytes() for place in machine)


def test_a_plain_joblib_load_in_a_new_process(fitted, corpus, tmp_path):
    save_pipeline(fitted, tmp_path / "pipeline.joblib")
    program = (
        "import sys, joblib\n"
        "pipe = joblib.load('pipeline.joblib')\n"
        f"print(pipe.predict([{corpus['path'][0]!r}])[0])\n"
        "print('tensorflow' in sys.modules, 'librosa.core' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.stdout.split() == ["angry", "False", "False"], done.stderr


def test_the_card(fitted, tmp_path):
    path = save_pipeline(fitted, tmp_path / "pipeline.joblib", {"note": "hello"})
    card = read_card(tmp_path)
    assert card_path(path).name == "card.json"
    assert card["classes"] == ["angry", "neutral", "sad"]
    assert card["sampling_rate"] == 22050
    assert card["resampler"] == "soxr_hq"
    assert card["n_features"] == 47
    assert card["note"] == "hello"
    assert len(card["sha256"]) == 64


def refused(words, path, **how):
    with pytest.raises(ModelError, match=words):
        load_pipeline(path, **how)


def test_two_files_of_one_name_have_a_card_each(fitted, tmp_path):
    for suffix in ("joblib", "skops", "joblib"):
        save_pipeline(fitted, tmp_path / f"model.{suffix}")
    for suffix in ("joblib", "skops"):
        load_pipeline(tmp_path / f"model.{suffix}")


def test_a_disk_that_fills_up_leaves_the_old_model(fitted, tmp_path, monkeypatch):
    path = save_pipeline(fitted, tmp_path / "m.joblib")

    def full(self, *_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(type(tmp_path), "write_text", full)
    with pytest.raises(OSError, match=r"m\.joblib\S* cannot be written: No space left"):
        save_pipeline(fitted, path, {"note": "new"})
    monkeypatch.undo()
    assert "note" not in read_card(path)
    load_pipeline(path)


def test_damaged(fitted, tmp_path):
    path = save_pipeline(fitted, tmp_path / "pipeline.joblib")
    path.write_bytes(path.read_bytes()[:-10])
    refused("SHA-256 differs", path)


def edit_card(path, **changes):
    card = json.loads(card_path(path).read_text())
    for key, value in changes.items():
        if isinstance(value, dict):
            card[key] = card[key] | value
        else:
            card[key] = value
    card_path(path).write_text(json.dumps(card))


@pytest.mark.parametrize(
    ("package", "version", "fits"),
    [
        ("scikit-learn", "1.6.2", False),
        ("scikit-learn", ".".join(sklearn.__version__.split(".")[:2]) + ".99", True),
        ("numpy", "1.26.4", False),
        ("numpy", "2.0.0", True),
        ("keras", "2.15.0", True),  # this one has no network
    ],
)
def test_versions(fitted, tmp_path, package, version, fits):
    path = save_pipeline(fitted, tmp_path / "pipeline.joblib")
    edit_card(path, versions={package: version})
    if fits:
        load_pipeline(path)
    else:
        refused(f"made with {package} {version}.*pip install '{package}=={version}'", path)


def test_other_things_than_models(tmp_path):
    refused("does not exist", tmp_path / "no.joblib")
    refused("without a pipeline.joblib", tmp_path)
    (tmp_path / "x.txt").write_text("x")
    refused("is not a model", tmp_path / "x.txt")
    (tmp_path / "x.joblib").write_text("x")
    refused("has no card", tmp_path / "x.joblib")
    (tmp_path / "x.joblib.card.json").write_text("{")
    refused("is not a card: it is not JSON", tmp_path / "x.joblib")
    (tmp_path / "x.joblib.card.json").write_text("[]")
    refused("not a card", tmp_path / "x.joblib")


# Trust


class Malicious:
    """Leaves a folder behind when unpickled."""

    def __init__(self, mark):
        self.mark = str(mark)

    def __reduce__(self):
        return os.mkdir, (self.mark,)


def plant(path, payload, fitted):
    """Write an untrusted model, with a card that matches it."""
    import hashlib

    save_pipeline(fitted, path)
    path.write_bytes(payload)
    edit_card(path, sha256=hashlib.sha256(payload).hexdigest())


def test_an_untrusted_joblib_file_is_not_unpickled(fitted, tmp_path):
    path, mark = tmp_path / "pipeline.joblib", tmp_path / "mark"
    plant(path, pickle.dumps(Malicious(mark)), fitted)
    refused("was not written here by you.*`trust=True`", path, trust=False)
    assert not mark.exists()
    refused("holds no pipeline", path)  # asked to trust, it is loaded, and does its harm
    assert mark.exists()


def test_what_was_written_here_is_trusted(fitted, tmp_path, monkeypatch):
    path = save_pipeline(fitted, tmp_path / "pipeline.joblib")
    load_pipeline(path, trust=False)
    monkeypatch.setenv("SKLEARN_SER_CONFIG", str(tmp_path / "of somebody else"))
    refused("was not written here by you", path, trust=False)


def test_an_untrusted_skops_file_builds_no_unknown_class(fitted, tmp_path):
    import skops.io

    mark = tmp_path / "mark"
    payload = skops.io.dumps(Malicious(mark))
    path = tmp_path / "x.skops"
    plant(path, payload, fitted)
    refused("classes that this package never writes", path)
    assert not mark.exists()
    plant(path, b"PK\x03\x04 broken", fitted)
    refused("not a whole skops file", path)


def test_skops_cannot_smuggle_a_function(fitted, tmp_path):
    """A schema that names os.system instead of a class of ours."""
    path = save_pipeline(fitted, tmp_path / "x.skops")
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    schema = parts["schema.json"].decode().replace('"SVMClassifier"', '"system"')
    schema = schema.replace('"sklearn_ser.classifiers.svm"', '"os"')
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in parts.items():
            archive.writestr(name, schema if name == "schema.json" else data)
    payload = path.read_bytes()
    plant(path, payload, fitted)
    refused("classes that this package never writes|not a whole skops file", path)


@pytest.mark.parametrize("suffix", ["joblib", "skops"])
@pytest.mark.parametrize("temperature", [-1.0, 0.0, float("nan"), float("inf"), "hot"])
def test_a_temperature_is_a_positive_number(fitted, corpus, tmp_path, suffix, temperature):
    pipe = copy.deepcopy(fitted)
    clf = pipe.named_steps["clf"]
    pipe.steps[-1] = ("clf", TemperatureScaledClassifier(clf).calibrate(clf, np.empty((0, 47)), []))
    load_pipeline(save_pipeline(pipe, tmp_path / f"good.{suffix}")).predict(corpus["path"][:1])
    pipe.named_steps["clf"].temperature_ = temperature
    refused(
        "temperature is .*must be a positive number",
        save_pipeline(pipe, tmp_path / f"x.{suffix}"),
    )
    with pytest.raises(ModelError, match="must be a positive number"):
        pipe.predict(corpus["path"][:1])


def test_numbers_that_are_no_probabilities_name_no_emotion(fitted, corpus, tmp_path):
    pipe = copy.deepcopy(fitted)
    for sigmoid in pipe.named_steps["clf"].estimator_.calibrated_classifiers_[0].calibrators:
        sigmoid.a_ = np.nan
    path = save_pipeline(pipe, tmp_path / "pipeline.skops")
    with pytest.raises(ModelError, match="numbers that are no probabilities"):
        load_pipeline(path).predict(corpus["path"][:1])
    out, _ = run("predict", path, corpus["path"][0], "--json", code=1)
    assert json.loads(out)["rows"][0]["emotion"] is None


def test_other_classes_than_those_of_the_card(fitted, tmp_path):
    path = save_pipeline(fitted, tmp_path / "pipeline.skops")
    edit_card(path, classes=["angry", "neutral", "happy"])
    refused("angry, neutral, sad apart, and its card speaks of angry, neutral, happy", path)


@pytest.mark.parametrize("what", [{"a": 1}, np.zeros(3), LogisticRegression()], ids=str)
def test_skops_files_without_a_pipeline(fitted, tmp_path, what):
    import skops.io

    path = tmp_path / "x.skops"
    plant(path, skops.io.dumps(what), fitted)
    refused("holds no pipeline of make_pipeline|is not a whole skops file", path)


def test_skops_files_name_no_folder_to_write_to(fitted, tmp_path):
    import skops.io

    evil = copy.deepcopy(fitted).set_params(features__cache_dir=str(tmp_path / "cache"), memory="m")
    path = tmp_path / "x.skops"
    plant(path, skops.io.dumps(evil), fitted)
    parameters = load_pipeline(path).get_params()
    assert parameters["features__cache_dir"] is parameters["memory"] is None


EVIL_LAYER = {
    "module": "builtins",
    "class_name": "function",
    "config": "system",
    "registered_name": "function",
}


@pytest.mark.parametrize(
    "params", [{"activation": EVIL_LAYER}, {"hidden_layer_sizes": (5,)}, {"dropout": EVIL_LAYER}]
)
def test_skops_networks_are_built_from_their_parameters_alone(corpus, tmp_path, params):
    """No configuration of a file reaches Keras: it may name any function, or a file to download."""
    pipe = make_pipeline("ann", "mfcc", random_state=0, clf__epochs=1)
    pipe.fit(corpus["path"], corpus["emotion"])
    path = save_pipeline(pipe, tmp_path / "good.skops")
    assert b"class_name" not in zipfile.ZipFile(path).read("schema.json")
    load_pipeline(path).predict(corpus["path"][:1])
    pipe.named_steps["clf"].set_params(**params)
    evil = load_pipeline(save_pipeline(pipe, tmp_path / "evil.skops"))
    with pytest.raises(ModelError, match="its parameters and its weights do not fit"):
        evil.predict(corpus["path"][:1])


@pytest.mark.parametrize("suffix", ["joblib", "skops"])
def test_model_files_have_a_bound(fitted, tmp_path, monkeypatch, suffix):
    path = save_pipeline(fitted, tmp_path / f"model.{suffix}")
    n_bytes = path.stat().st_size
    monkeypatch.setattr(formats, "MAX_MODEL_BYTES", n_bytes)
    if suffix == "joblib":
        load_pipeline(path)
    else:  # unpacked it is larger
        refused("it unpacks to more than", path)
    monkeypatch.setattr(formats, "MAX_MODEL_BYTES", n_bytes - 1)
    refused("cannot be read: it is larger than", path)


CLASS_PATHS = """
    audio.loader.AudioLoader classifiers.ann.ANNClassifier classifiers.cnn.CNNClassifier
    classifiers.cnn_lstm.CNNLSTMClassifier classifiers.lstm.LSTMClassifier
    classifiers.svm.SVMClassifier classifiers.temperature.TemperatureScaledClassifier
    features.articulation.Formants features.auditory.BarkSpectrum features.auditory.Loudness
    features.auditory.SpectralShape features.rhythm.ModulationSpectrum features.rhythm.Rhythm
    features.scalers.SequenceScaler features.scalers.GroupNormalizer
    features.sequences.FrameFeatures features.sequences.LogMelSpectrogram
    features.spectral.Chroma features.spectral.MelSpectrogram features.spectral.MFCC
    features.spectral.SpectralContrast features.union.AudioFeatureUnion features.voice.Pitch
    features.voice.VoiceCorrelations features.voice.VoiceQuality
"""


def test_class_paths_of_saved_pipelines_stay():
    """Files of all versions name these paths: a class may move, but not without an alias there."""
    trusted = {name for name in SKOPS_TRUSTED if name.startswith("sklearn_ser.")}
    assert {f"sklearn_ser.{path}" for path in CLASS_PATHS.split()} <= trusted
    assert not any(name.rpartition(".")[2] == "PretrainedEmbedding" for name in trusted)


def test_what_cannot_be_saved(fitted, tmp_path):
    with pytest.raises(ModelError, match=r"ends in \.joblib, \.skops or \.onnx"):
        save_pipeline(fitted, tmp_path / "x.pkl")
    with pytest.raises(ModelError, match="call fit first"):
        save_pipeline(make_pipeline(), tmp_path / "x.joblib")
    with pytest.raises(ModelError, match="Only a pipeline of make_pipeline"):
        save_pipeline(LogisticRegression(), tmp_path / "x.joblib")
    own = make_pipeline(Own(), "mfcc").fit([voice(), voice()], ["a", "b"])
    with pytest.raises(ModelError, match=r"save as \.joblib"):
        save_pipeline(own, tmp_path / "x.skops")
    assert not list(tmp_path.glob("x*"))


class NearestMean(ClassifierMixin, BaseEstimator):
    """A classifier of another package, which neither skops nor ONNX knows."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        self.means_ = np.stack([X[np.asarray(y) == one].mean(axis=0) for one in self.classes_])
        return self

    def predict_proba(self, X):
        distances = ((X[:, None] - self.means_) ** 2).sum(axis=2)
        closeness = np.exp(distances.min(axis=1, keepdims=True) - distances)
        return closeness / closeness.sum(axis=1, keepdims=True)

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


def test_a_classifier_of_another_package(corpus, tmp_path):
    pipe = make_pipeline(NearestMean(), "mfcc").fit(corpus["path"], corpus["emotion"])
    path = save_pipeline(pipe, tmp_path / "pipeline.joblib")
    assert "Classifier  NearestMean()" in run("card", path)[0]
    clip = corpus["path"][0]
    assert pipe.predict([clip])[0] in run("predict", path, clip)[0]
    assert "NearestMean: save as .joblib" in run("export", path, "--to", "skops", code=2)[1]
    pytest.importorskip("skl2onnx")
    _, err = run("export", path, code=2)
    assert err == "Error: NearestMean has no counterpart in ONNX: save as .joblib or .skops.\n"
    assert sorted(file.name for file in tmp_path.iterdir() if file.is_file()) == [
        "card.json",
        "pipeline.joblib",
    ]


class Own:
    def predict_proba(self, X):
        return np.ones((len(X), 2)) / 2

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def get_params(self, deep=True):
        return {}

    def set_params(self):
        return self


def test_nothing_half_written(tmp_path):
    target = tmp_path / "file"
    target.write_text("old")

    def fail(path):
        path.write_text("half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_atomically(target, fail)
    assert target.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir() if file.is_file()] == ["file"]
