"""Statistics over time, against numpy, scipy and librosa."""

import librosa
import numpy as np
import pytest
import scipy.stats

from sklearn_ser import MFCC, AudioFeatureUnion, Chroma, MelSpectrogram, SpectralContrast
from sklearn_ser.exceptions import OptionError
from sklearn_ser.features._statistics import STATISTICS, deltas, summarize
from tests.conftest import SR, voice


def line(x, degree):
    return np.polyfit(np.linspace(-1, 1, len(x)), x, degree)[0]


ORACLES = {
    "mean": lambda x: np.mean(x, axis=0),
    "std": lambda x: np.std(x, axis=0),
    "min": lambda x: np.min(x, axis=0),
    "max": lambda x: np.max(x, axis=0),
    "range": lambda x: np.ptp(x, axis=0),
    "median": lambda x: np.median(x, axis=0),
    "iqr": lambda x: scipy.stats.iqr(x, axis=0),
    "skewness": lambda x: scipy.stats.skew(x, axis=0),
    "kurtosis": lambda x: scipy.stats.kurtosis(x, axis=0),
    "slope": lambda x: line(x, 1),
    "curvature": lambda x: line(x, 2),
    "change": lambda x: np.abs(np.diff(x, axis=0)).mean(axis=0),
    "p5": lambda x: np.percentile(x, 5, axis=0),
    "p33": lambda x: np.percentile(x, 33, axis=0),
    "p100": lambda x: np.percentile(x, 100, axis=0),
}


def test_every_statistic_has_an_oracle():
    assert set(STATISTICS) <= set(ORACLES)


@pytest.mark.parametrize("name", ORACLES)
@pytest.mark.parametrize("n_frames", [4, 5, 173])
def test_equal_to_numpy_and_scipy(name, n_frames):
    x = np.random.default_rng(0).gamma(2, size=(n_frames, 6)).astype(np.float32) - 3
    np.testing.assert_allclose(
        summarize(x, (name,)), ORACLES[name](x.astype(float)), rtol=2e-4, atol=2e-5
    )


@pytest.mark.parametrize("name", ORACLES)
def test_what_cannot_be_said_is_zero(name):
    assert not summarize(np.empty((0, 3), np.float32), (name,)).any()  # no voiced frame
    single = summarize(np.full((1, 3), 7, np.float32), (name,))
    constant = summarize(np.full((9, 3), 7, np.float32), (name,))
    np.testing.assert_allclose(single, constant, atol=1e-5)
    assert np.isfinite(constant).all()


@pytest.mark.parametrize("n_frames", [1, 3, 40])
def test_deltas_are_librosas(n_frames):
    x = np.random.default_rng(1).normal(size=(n_frames, 5)).astype(np.float32)
    expected = librosa.feature.delta(np.pad(x, ((8, 8), (0, 0)), mode="edge").T, width=5)
    np.testing.assert_allclose(deltas(x), expected[:, 8:-8].T, atol=1e-5)


def test_a_transformer_gives_the_statistics_of_librosas_contour():
    y = voice(1.0)
    contour = librosa.feature.mfcc(y=y, sr=SR, n_mfcc=13)
    slopes = librosa.feature.delta(np.pad(contour, ((0, 0), (8, 8)), mode="edge"), width=5)
    transformer = MFCC(n_mfcc=13, statistics=("mean", "std", "p95"), deltas=1)
    found = transformer.transform([y])[0]
    expected = [
        f(x)
        for x in (contour.T, slopes[:, 8:-8].T)
        for f in (ORACLES["mean"], ORACLES["std"], lambda x: np.percentile(x, 95, axis=0))
    ]
    np.testing.assert_allclose(found, np.concatenate(expected), rtol=1e-3, atol=2e-3)
    names = transformer.get_feature_names_out()
    assert len(names) == len(found)
    assert (names[0], names[13], names[-1]) == ("mfcc_0_mean", "mfcc_0_std", "mfcc_12_delta_p95")


@pytest.mark.parametrize("kind", [MFCC, Chroma, MelSpectrogram, SpectralContrast])
def test_no_clip_depends_on_its_neighbours(kind):
    clips = [voice(0.5, 120), voice(0.9, 220), 0.3 * voice(0.4, 90)]
    for over in ("all", "speech", "voiced"):
        transformer = kind(statistics=("mean", "p20", "slope"), deltas=2, over=over)
        together = transformer.transform(clips)
        alone = np.concatenate([transformer.transform([y]) for y in clips])
        np.testing.assert_array_equal(together, alone)


def test_speech_leaves_silence_out():
    y = voice(0.5)
    silence = np.zeros(SR, np.float32)
    padded = np.concatenate([silence, y, silence])
    middle = MFCC(over="speech").transform([padded])
    np.testing.assert_allclose(middle, MFCC(over="speech").transform([y]), rtol=0.2, atol=12)
    assert np.abs(MFCC().transform([padded]) - MFCC().transform([y])).max() > 100


def test_voiced_frames_alone():
    y = np.concatenate([voice(0.6), 0.1 * np.random.default_rng(0).normal(size=SR)])
    y = y.astype(np.float32)
    voiced = MelSpectrogram(over="voiced").transform([y])
    np.testing.assert_allclose(
        voiced, MelSpectrogram().transform([voice(0.6)]), rtol=0.5, atol=voiced.max() / 4
    )
    nothing = MelSpectrogram(over="voiced", statistics=("mean", "p5")).transform([np.zeros(SR)])
    assert not nothing.any()


@pytest.mark.parametrize(
    ("statistics", "message"),
    [
        (("mean", "mode"), "unknown statistic 'mode'"),
        ("mean", "an instance of .tuple."),
        ((), "must be a tuple of names"),
        (("p101",), "unknown statistic 'p101'"),
        (("mean", "mean"), "once"),
    ],
)
def test_wrong_statistics(statistics, message):
    with pytest.raises((OptionError, ValueError), match=message):
        MFCC(statistics=statistics).transform([voice()])


def test_voiced_needs_centred_frames():
    with pytest.raises(OptionError, match="center=True"):
        MFCC(over="voiced", center=False).transform([voice()])


def test_two_views_of_a_feature_have_names_of_their_own():
    union = AudioFeatureUnion([("all", MFCC()), ("voiced", MFCC(over="voiced"))])
    assert len(set(union.get_feature_names_out())) == 80
