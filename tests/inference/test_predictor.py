"""Predictions of single clips, their warnings, and what a predictor refuses."""

import io
import json
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import soundfile
import soxr
from sklearn.base import BaseEstimator, ClassifierMixin

from sklearn_ser import load_pipeline, make_pipeline, save_pipeline
from sklearn_ser.features.quality import TrainingRange, describe_training
from sklearn_ser.inference import Predictor, load_predictor, predict_table
from sklearn_ser.inference.predictor import percent
from tests.conftest import SR, run, voice

pytestmark = pytest.mark.usefixtures("mine")


@pytest.mark.parametrize("clf", ["svm", "logreg", "mlp", "rf"])
def test_predictions_alone_equal_those_of_a_batch(clf, little_corpus, clips):
    pipe = make_pipeline(clf, random_state=0)
    pipe.fit(clips, [path.split("/")[-2] for path in clips])
    together = predict_table(pipe, clips)
    alone = pd.concat([predict_table(pipe, [path]) for path in clips], ignore_index=True)
    pd.testing.assert_frame_equal(together, alone, check_exact=True)
    each = np.concatenate([pipe.predict_proba([path]) for path in clips])
    np.testing.assert_array_equal(together.filter(regex="^p_").to_numpy(), each)


def warnings_of(model, *waveforms):
    found = load_predictor(model).iter_predictions(list(waveforms))
    return [prediction.warning for prediction in found]


def test_warnings_of_unusual_clips(model):
    y = voice(0.4, 180, seed=3)
    telephone = soxr.resample(soxr.resample(y, SR, 8000), 8000, SR)
    rng = np.random.default_rng(0)
    same, silent, still, clipped, short, narrow, noise = warnings_of(
        model,
        y,
        np.zeros(SR, np.float32),
        y * 1e-4,
        np.clip(y * 10, -1, 1),
        y[:2000],
        telephone,
        rng.normal(size=SR).astype(np.float32) / 5,
    )
    assert same is None
    assert (silent, still) == ("silent", "silent")
    assert "clipped" in clipped
    assert "shorter than the training clips (0.09 s, theirs from 0.40 s on)" in short
    assert "lower bandwidth than the training clips (3.9 kHz" in narrow
    assert "unlike the training clips" in noise


def test_a_silent_clip_has_no_emotion(model, clips, tmp_path):
    silent = tmp_path / "silent.wav"
    soundfile.write(silent, np.zeros(SR), SR)
    how = ("predict", model, silent, clips[0])
    row, other = json.loads(run(*how, "--json")[0])["rows"]
    assert (row["emotion"], row["confidence"], row["error"]) == ("silence", None, None)
    assert row["warning"] == "silent"
    assert other["emotion"] == "angry"
    run(*how, "--csv", tmp_path / "rows.csv")
    assert f"{silent},silence,,," in (tmp_path / "rows.csv").read_text()
    line = next(line for line in run(*how)[0].splitlines() if "silent.wav" in line)
    assert line.split(maxsplit=1)[1].startswith("no speech")
    assert not any(word in line for word in ("%", "angry", "neutral", "sad"))
    # The pipeline itself predicts whatever it is given, as in scikit-learn.
    assert load_pipeline(model).predict([silent])[0] in ("angry", "neutral", "sad")
    # Silence has no confidence to compare: abstaining changes nothing.
    assert json.loads(run(*how, "--json", "--abstain-below", 1)[0])["rows"][0] == row


@pytest.mark.parametrize(
    ("probability", "text"),
    [(0.004, "0%"), (0.984, "98%"), (0.9949, "99%"), (0.9996, ">99%"), (1.0, "100%")],
)
def test_percent_says_100_of_certainty_alone(probability, text):
    assert percent(probability) == text


def test_no_warnings_of_training_clips(model, clips):
    assert predict_table(load_pipeline(model), clips)["warning"].isna().all()
    rows = json.loads(run("predict", model, *clips, "--json")[0])["rows"]
    assert [row["warning"] for row in rows] == [None] * len(clips)


class Even(ClassifierMixin, BaseEstimator):
    """A classifier of sequences that finds all emotions as probable."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        assert X.ndim == 3
        return np.full((len(X), len(self.classes_)), 1 / len(self.classes_))


def test_the_training_range_of_sequences(clips):
    labels = [path.split("/")[-2] for path in clips]
    pipe = make_pipeline(Even(), "logmel").fit(clips, labels)
    from sklearn_ser.pipelines import extract_features

    matrix, inspections, _ = extract_features(pipe, clips)
    training = TrainingRange(**describe_training(pipe, inspections, matrix))
    assert training.seconds == pytest.approx(0.4, abs=0.01)
    sources = [*clips[:2], np.zeros(SR, np.float32)]
    found = list(Predictor(pipe, training).iter_predictions(sources))
    assert [prediction.warning for prediction in found] == [None, None, "silent"]


def test_a_card_without_a_training_range():
    everything = TrainingRange.from_card({})
    assert TrainingRange.from_card({"training": {"seconds": "a", "x": 1}}) == everything
    assert TrainingRange.from_card({"training": 3}) == everything


def test_damaged_header_among_good_files(model, clips, tmp_path):
    """What is made up of lies is refused in a sentence, and its neighbours are answered right."""
    good = io.BytesIO()
    soundfile.write(good, voice(0.4, 100), SR, format="WAV")
    lie = bytearray(good.getvalue())
    lie[24:28] = (2**31 - 1).to_bytes(4, "little")  # the sampling rate
    (tmp_path / "lie.wav").write_bytes(lie)
    table = predict_table(load_pipeline(model), [clips[0], tmp_path / "lie.wav", clips[1]])
    assert table["error"].notna().tolist() == [False, True, False]
    assert "sampling rate" in table["error"][1]


def test_save_pipeline_alone_has_no_training_range(clips, tmp_path):
    pipe = make_pipeline("rf", "mfcc").fit(clips, [path.split("/")[-2] for path in clips])
    path = save_pipeline(pipe, tmp_path / "m.joblib")
    rows = json.loads(run("predict", path, clips[0], "--trust", "--json")[0])["rows"]
    assert rows[0]["warning"] is None


class Odd(ClassifierMixin, BaseEstimator):
    """A classifier that gives loud clips what it is told to, and others probabilities."""

    def __init__(self, row=(0.5, 0.5)):
        self.row = row

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        self.level_ = np.median(X[:, 0])
        return self

    def predict_proba(self, X):
        return np.array([self.row if x[0] > self.level_ else (0.2, 0.8) for x in X])


@pytest.mark.parametrize("row", [(np.nan, 0.5), (-0.2, 1.2), (0.9, 0.9), (0.0, 0.0), (np.inf, 0.0)])
def test_invalid_probabilities_are_errors(row):
    rng = np.random.default_rng(0)
    noise = [rng.normal(size=SR).astype(np.float32) * gain for gain in (0.2, 0.01, 0.2, 0.01)]
    pipe = make_pipeline(Odd(row), "mfcc").fit(noise, ["happy", "sad"] * 2)
    found = list(Predictor(pipe).iter_predictions(noise))
    assert [prediction.emotion for prediction in found] == [None, "sad", None, "sad"]
    assert all("gives no probabilities" in prediction.error for prediction in found[::2])
    assert np.isnan([prediction.confidence for prediction in found[::2]]).all()
    assert predict_table(pipe, noise)["error"].isna().tolist() == [False, True, False, True]


FORK = """
import os, signal, sys
import numpy as np
from sklearn_ser.exceptions import ModelError
from sklearn_ser.inference import load_predictor

model, used_before = sys.argv[1], sys.argv[2] == "used"
predictor = load_predictor(model, trust=True)
clips = list(np.random.default_rng(0).normal(size=(3, 22050)).astype(np.float32) / 10)


def predict():
    return np.array([found.probabilities for found in predictor.iter_predictions(clips)])


before = predict() if used_before else None
child = os.fork()
if child == 0:
    signal.alarm(60)  # rather than wait for ever
    try:
        found = predict()
    except ModelError as error:
        print(error, flush=True)
        os._exit(3)
    os._exit(0 if before is None or np.array_equal(found, before) else 4)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.filterwarnings("ignore")  # the converters' own warnings
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize(
    ("kind", "used", "printed"),
    [
        ("svm", "used", "0"),
        ("onnx", "used", "0"),
        ("ann", "unused", "0"),
        ("ann", "used", "Networks cannot be used in this process: it was forked"),
    ],
)
def test_a_predictor_in_a_forked_process(kind, used, printed, clips, tmp_path):
    """As under gunicorn with preloading: it predicts the same there, or says what to do."""
    if kind != "svm":
        pytest.importorskip("tensorflow")
    if kind == "onnx":
        pytest.importorskip("tf2onnx")
    clf = {"onnx": "ann"}.get(kind, kind)
    settings = {"clf__epochs": 1} if clf == "ann" else {}
    pipe = make_pipeline(clf, "mfcc", random_state=0).set_params(**settings)
    pipe.fit(clips, [path.split("/")[-2] for path in clips])
    path = save_pipeline(pipe, tmp_path / f"m.{'onnx' if kind == 'onnx' else 'joblib'}")
    done = subprocess.run(
        [sys.executable, "-c", FORK, path, used], capture_output=True, text=True, timeout=120
    )
    assert done.stdout.startswith(printed), done.stderr
