"""Displays show what the reports show, of any predictions, where a notebook wants them."""

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure

from sklearn_ser import (
    CoverageDisplay,
    ReliabilityDisplay,
    RobustnessDisplay,
    TimelineDisplay,
    make_pipeline,
)
from sklearn_ser.exceptions import OptionError
from sklearn_ser.inference import EmotionStream
from sklearn_ser.inference.segments import merge
from sklearn_ser.metrics import score_calibration
from sklearn_ser.metrics.robustness import predict_degraded
from sklearn_ser.report.style import PALETTE, color_emotions
from tests.conftest import SR, voice


@pytest.fixture(autouse=True)
def _no_window(monkeypatch):
    import matplotlib.pyplot as plt

    before = mpl.get_backend()
    plt.switch_backend("agg")
    yield
    plt.close("all")
    plt.switch_backend(before)


@pytest.fixture(scope="module")
def clips():
    y = ["sad", "happy"] * 5
    return [voice(0.3, 120 if one == "sad" else 240, seed=i) for i, one in enumerate(y)], y


@pytest.fixture(scope="module")
def pipe(clips):
    return make_pipeline("logreg", "mfcc").fit(*clips)


PROBABILITIES = np.array([[0.9, 0.1], [0.4, 0.6], [0.7, 0.3], [0.8, 0.2]])
TRUTH, CLASSES = ["happy", "sad", "sad", "happy"], ["happy", "sad"]


def test_reliability_of_predictions():
    display = ReliabilityDisplay.from_predictions(TRUTH, PROBABILITIES, classes=CLASSES, n_bins=5)
    expected = score_calibration(TRUTH, PROBABILITIES, CLASSES, n_bins=5)
    assert display.calibration == expected
    assert isinstance(display.figure_, Figure)
    bars = [patch.get_height() for patch in display.axes_[1].patches]
    assert bars == [row["n"] for row in expected["bins"]]


def test_coverage_of_predictions():
    display = CoverageDisplay.from_predictions(TRUTH, PROBABILITIES, classes=CLASSES)
    assert display.share.tolist() == [0.25, 0.5, 0.75, 1.0]
    assert display.accuracy.tolist() == pytest.approx([1.0, 1.0, 2 / 3, 0.75])
    assert display.ax_.lines[0].get_ydata().tolist() == display.accuracy.tolist()


@pytest.mark.parametrize("kind", [ReliabilityDisplay, CoverageDisplay])
def test_from_estimator_is_from_predictions(kind, pipe, clips):
    X, y = clips
    ours = kind.from_estimator(pipe, X, y)
    theirs = kind.from_predictions(y, pipe.predict_proba(X), classes=pipe.classes_)
    for a, b in zip(vars(ours).items(), vars(theirs).items(), strict=True):
        if not a[0].endswith("_"):
            np.testing.assert_equal(a[1], b[1])


def test_into_axes_of_a_figure():
    ax = Figure().subplots()
    display = ReliabilityDisplay.from_predictions(TRUTH, PROBABILITIES, classes=CLASSES, ax=ax)
    assert display.ax_ is ax
    assert display.figure_ is ax.figure
    ax = Figure().subplots()
    assert CoverageDisplay([1.0], [0.5]).plot(ax).ax_ is ax


def test_style_does_not_stay():
    before = mpl.rcParams.copy()
    CoverageDisplay([1.0], [0.5]).plot()
    assert mpl.rcParams == before


def test_robustness(pipe, clips):
    X, y = clips
    display = RobustnessDisplay.from_estimator(pipe, X, y)
    again = RobustnessDisplay.from_predictions(y, predict_degraded(pipe, X))
    assert display.stress == again.stress
    curve = display.axes_[0].lines[0].get_ydata()
    noises = [r for r in display.stress["conditions"] if r["degradation"] == "white noise"]
    assert list(curve)[1:] == [row["uar"] for row in noises]
    names = [label.get_text() for label in display.axes_[1].get_yticklabels()]
    assert names[0] == "as recorded"
    assert len(names) > 10
    with pytest.raises(OptionError, match="measure it anew"):
        RobustnessDisplay({"conditions": [{"name": "noise"}]})


def test_timeline(pipe, clips):
    X, _ = clips
    recording = np.concatenate([*X[0::2], *X[1::2]])
    display = TimelineDisplay.from_estimator(pipe, recording, window=0.5, hop=0.25)
    stream = EmotionStream(pipe, 0.5, 0.25)
    segments = merge([*stream.push(recording), *stream.finish()])
    assert display.segments == segments
    again = TimelineDisplay.from_predictions(segments, recording, SR)
    wave, lanes = again.axes_
    assert wave.get_xlim() == lanes.get_xlim()
    emotions = [label.get_text() for label in lanes.get_yticklabels()]
    assert emotions == sorted({s.emotion for s in segments if s.speech})
    for emotion, bars in zip(emotions, lanes.collections, strict=True):
        color = mpl.colors.to_hex(bars.get_facecolor()[0])
        assert color == color_emotions(emotions)[emotion]
        assert len(bars.get_paths()) == sum(s.emotion == emotion for s in segments)
    assert mpl.colors.to_hex(again.figure_.get_facecolor()) == PALETTE["paper"]
