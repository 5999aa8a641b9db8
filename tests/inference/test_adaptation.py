"""Running adaptation: against numpy's mean and variance, and the same whichever way clips come."""

import json

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from sklearn_ser import EmotionStream, load_pipeline, make_pipeline
from sklearn_ser.exceptions import OptionError
from sklearn_ser.inference import Predictor
from sklearn_ser.inference.adaptation import RunningScaler
from tests.conftest import SR, run, voice

pytestmark = pytest.mark.usefixtures("mine")
RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def pipe():
    clips = [voice(0.5, pitch) for pitch in (100, 110, 300, 320)]
    return make_pipeline("logreg", "mfcc").fit(clips, ["sad", "sad", "happy", "happy"])


@pytest.fixture(scope="module")
def recording():
    parts = [voice(1.0, pitch) for pitch in (150, 260, 330)]
    return np.concatenate([parts[0], np.zeros(2 * SR, np.float32), *parts[1:]])


def test_mean_and_variance_of_what_was_heard_take_over(pipe):
    scaler, rows = RunningScaler(pipe, prior=5), RNG.normal(3, 2, size=(40, 40))
    for i, row in enumerate(rows):
        heard = rows[:i]
        n, m0, v0 = len(heard), pipe["scale"].mean_, pipe["scale"].var_
        mean = (5 * m0 + heard.sum(axis=0)) / (5 + n)
        variance = (5 * v0 + (n * heard.var(axis=0) if n else 0)) / (5 + n)
        np.testing.assert_allclose(scaler.scale(row), (row - mean) / np.sqrt(variance), rtol=1e-6)
        scaler.add(row)


def test_windows_that_overlap_count_less(pipe):
    rows = RNG.normal(size=(8, 40))
    once, split = RunningScaler(pipe), RunningScaler(pipe)
    for row in rows:
        once.add(row)
        for _ in range(4):
            split.add(row, 0.25)
    assert split.n == once.n == 8
    np.testing.assert_allclose(split.scale(rows[0]), once.scale(rows[0]), rtol=1e-9)


def test_a_clip_does_not_depend_on_itself_or_on_later_ones(pipe):
    clips = [voice(0.5, pitch) for pitch in (120, 200, 310)]
    predictor = Predictor(pipe)
    together = list(predictor.iter_predictions(clips, RunningScaler(pipe)))
    first = next(iter(predictor.iter_predictions(clips[:1])))
    np.testing.assert_allclose(together[0].probabilities, first.probabilities, atol=1e-6)
    scaler = RunningScaler(pipe)
    for clip, expected in zip(clips, together, strict=True):  # file by file, or in one call
        alone = next(iter(predictor.iter_predictions([clip], scaler)))
        np.testing.assert_array_equal(alone.probabilities, expected.probabilities)
    assert not np.allclose(together[2].probabilities, pipe.predict_proba(clips[2:])[0], atol=1e-3)


def test_pieces_of_any_size_make_no_difference(pipe, recording):
    def events(size):
        stream = EmotionStream(pipe, 1.0, 0.25, adapt=True)
        found = []
        for start in range(0, len(recording), size):
            found += stream.push(recording[start : start + size])
        return [event.probabilities for event in found + stream.finish()]

    assert events(1000) == events(12345) == events(len(recording))


def test_silence_does_not_count(pipe, recording):
    scaler = RunningScaler(pipe)
    stream = EmotionStream(pipe, 1.0, 1.0, adapt=scaler)
    events = stream.push(recording) + stream.finish()
    assert sum(event.speech for event in events) == 3
    assert scaler.n == 3


def test_another_recording_begins_anew_unless_the_scaler_is_shared(pipe, recording):
    stream = EmotionStream(pipe, 1.0, 0.5, adapt=True)
    first = stream.push(recording)
    stream.reset()
    assert [e.probabilities for e in stream.push(recording)] == [e.probabilities for e in first]
    scaler = RunningScaler(pipe)
    shared = EmotionStream(pipe, 1.0, 0.5, adapt=scaler)
    shared.push(recording)
    heard = scaler.n
    shared.reset()
    shared.push(recording)
    assert scaler.n == 2 * heard


def test_models_without_mean_and_variance_are_refused():
    X, y = [voice(0.5, 100), voice(0.5, 300)], ["sad", "happy"]
    pipe = make_pipeline(LogisticRegression(), "mfcc").set_params(scale="passthrough").fit(X, y)
    with pytest.raises(OptionError, match="scales a row of features"):
        RunningScaler(pipe)


def test_predict_over_files(model, little_corpus):
    files = [little_corpus / "sad" / f"{i}.wav" for i in range(3)]
    lines = run("predict", model, *files, "--adapt", "corpus", "--jsonl")[0].splitlines()
    pipe = load_pipeline(model)
    expected = list(Predictor(pipe).iter_predictions(files, RunningScaler(pipe)))
    for line, one in zip(lines, expected, strict=True):
        assert json.loads(line)["confidence"] == pytest.approx(one.confidence, abs=1e-9)
    plain = run("predict", model, *files, "--jsonl")[0].splitlines()
    assert json.loads(plain[2])["confidence"] != json.loads(lines[2])["confidence"]


def test_predict_over_windows(model, little_corpus):
    clip = little_corpus / "sad" / "0.wav"
    how = ("--window", "0.2", "--hop", "0.1", "--jsonl")
    adapted = [
        run("predict", model, clip, *how, "--adapt", by)[0] for by in ("recording", "corpus")
    ]
    assert adapted[0] == adapted[1] != run("predict", model, clip, *how)[0]
    twice = run("predict", model, clip, clip, *how, "--adapt", "recording")[0].splitlines()
    assert twice[len(twice) // 2 :] == adapted[0].splitlines()


def test_options_that_do_not_fit_together(model, little_corpus, tmp_path):
    clip = little_corpus / "sad" / "0.wav"
    assert "needs --window" in run("predict", model, clip, "--adapt", "recording", code=2)[1]
    out = ("-o", tmp_path / "rows.csv", "--resume")
    assert "cannot --resume" in run("predict", model, clip, "--adapt", "corpus", *out, code=2)[1]
    assert "--adapt" in run("predict", model, clip, "--adapt", "speaker", code=2)[1]
    printed, _ = run("listen", model, "--source", clip, "--window", "0.2", "--adapt", "--jsonl")
    assert len(printed.splitlines()) > 0
