import time
import warnings

import librosa
import numpy as np
import pandas as pd
import pytest
import scipy.signal
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.pipeline import FeatureUnion

from sklearn_ser import (
    MFCC,
    AudioFeatureUnion,
    AudioLoader,
    BarkSpectrum,
    Chroma,
    Formants,
    FrameFeatures,
    LogMelSpectrogram,
    MelSpectrogram,
    ModulationSpectrum,
    SpectralContrast,
    VoiceQuality,
)
from sklearn_ser.audio import decoding
from sklearn_ser.audio.loader import load_audio
from sklearn_ser.exceptions import AudioError
from sklearn_ser.features import _filters, _spectrum
from sklearn_ser.features._spectrum import STFT, Spectra
from sklearn_ser.features.transformers import ClipTransformer
from tests.conftest import SR, real_corpus, voice

DEFAULT = STFT(2048, 512, 2048, "hann", True, "constant")
FOUR = [
    ("mfcc", MFCC()),
    ("chroma", Chroma()),
    ("mel", MelSpectrogram()),
    ("contrast", SpectralContrast()),
]


def tuning(y, sr=SR):
    return Spectra([y], sr, ["y"]).tuning(DEFAULT, 12)[0]


def librosas(y, sr=SR):
    """librosa's four features, the mean of each over time, at our tuning."""
    feature = librosa.feature
    return {
        "mfcc": feature.mfcc(y=y, sr=sr, n_mfcc=40).mean(axis=1),
        "chroma": feature.chroma_stft(y=y, sr=sr, tuning=tuning(y, sr)).mean(axis=1),
        "mel": feature.melspectrogram(y=y, sr=sr).mean(axis=1),
        "contrast": feature.spectral_contrast(y=y, sr=sr).mean(axis=1),
    }


def assert_equal_to_librosa(y, sr=SR, what=""):
    """Equal as the design defines it."""
    expected = librosas(y, sr)
    for name, transformer in FOUR:
        found = transformer.transform([y])[0]
        message = f"{name} {what}"
        if name == "contrast":
            np.testing.assert_allclose(
                found[-1], expected[name][-1], rtol=1e-2, atol=1e-3, err_msg=message
            )
            found, expected[name] = found[:-1], expected[name][:-1]
        atol = {"mfcc": 1e-3, "contrast": 1e-4}.get(name, 1e-7)
        np.testing.assert_allclose(found, expected[name], rtol=1e-4, atol=atol, err_msg=message)


# Against librosa


@pytest.mark.real
@pytest.mark.parametrize(("corpus", "every"), [("tess", 47), ("emodb", 13)])
def test_equal_to_librosa_on_real_speech(corpus, every):
    paths = sorted(str(path) for path in real_corpus(corpus).rglob("*.wav"))[::every]
    for path in paths:
        y, _ = librosa.load(path, sr=SR)
        assert_equal_to_librosa(y, what=path)


@pytest.mark.real
@pytest.mark.parametrize("corpus", ["tess", "emodb"])
def test_tuning_is_librosas_on_99_percent_of_clips(corpus):
    paths = sorted(str(path) for path in real_corpus(corpus).rglob("*.wav"))[::5]
    same = 0
    for path in paths:
        y = load_audio(path)
        power = np.abs(librosa.stft(y)) ** 2
        same += librosa.estimate_tuning(S=power, sr=SR) == pytest.approx(tuning(y))
    assert same / len(paths) >= 0.99


@pytest.mark.filterwarnings("ignore:.*:UserWarning:librosa")
@pytest.mark.parametrize(
    "y",
    [
        voice(1.0),
        voice(0.02),
        np.full(SR, 0.5, dtype=np.float32),
        np.clip(5 * voice(), -1, 1),
        1e-4 * voice(),
        np.ones(1, dtype=np.float32),
    ],
    ids=["voice", "shorter than a frame", "constant", "clipped", "faint", "one sample"],
)
def test_equal_to_librosa_at_the_edges(y):
    assert_equal_to_librosa(y)


@pytest.mark.filterwarnings("ignore:.*:UserWarning:librosa")
@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(600, 30000), st.floats(1e-3, 1.0))
def test_equal_to_librosa_on_random_signals(seed, n_times, level):
    rng = np.random.default_rng(seed)
    y = (level * rng.normal(size=n_times) * np.linspace(0.1, 1, n_times)).astype(np.float32)
    assert_equal_to_librosa(y)


def test_silence():
    features = AudioFeatureUnion(FOUR).transform([np.zeros(SR)])[0]
    assert np.isfinite(features).all()
    expected = librosa.feature.mfcc(y=np.zeros(SR), sr=SR, n_mfcc=40).mean(axis=1)
    np.testing.assert_allclose(features[:40], expected, rtol=1e-4, atol=1e-3)
    assert not features[40:].any()  # no power, no pitch class, no contrast


@pytest.mark.filterwarnings("ignore:Empty filters:UserWarning")
@pytest.mark.parametrize("pad_mode", ["constant", "reflect", "edge", "symmetric"])
@pytest.mark.parametrize(
    "how",
    [
        {"n_fft": 1024, "hop_length": 256},
        {"n_fft": 1024, "hop_length": 100, "win_length": 800, "window": "hamming"},
        {"n_fft": 512, "hop_length": 512, "center": False},
        {"n_fft": 2048, "hop_length": 512, "window": ("kaiser", 8.0)},
    ],
)
def test_parameters_of_the_transform(how, pad_mode):
    y = voice(0.7)
    how = how | {"pad_mode": pad_mode}
    expected = librosa.feature.mfcc(y=y, sr=SR, n_mfcc=13, **how).mean(axis=1)
    found = MFCC(n_mfcc=13, **how).transform([y])[0]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(
    ("transformer", "function", "how"),
    [
        (MFCC(), librosa.feature.mfcc, {"n_mfcc": 20, "dct_type": 3}),
        (MFCC(), librosa.feature.mfcc, {"n_mfcc": 13, "lifter": 22}),
        (MFCC(), librosa.feature.mfcc, {"n_mfcc": 13, "norm": None}),
        (MFCC(), librosa.feature.mfcc, {"n_mfcc": 13, "n_mels": 40, "fmin": 60.0, "fmax": 7000.0}),
        (MFCC(), librosa.feature.mfcc, {"n_mfcc": 13, "n_mels": 40, "htk": True}),
        (MelSpectrogram(), librosa.feature.melspectrogram, {"n_mels": 64, "power": 1.0}),
        (MelSpectrogram(), librosa.feature.melspectrogram, {"n_mels": 64, "norm": None}),
        (MelSpectrogram(), librosa.feature.melspectrogram, {"n_mels": 26, "htk": True}),
        (Chroma(), librosa.feature.chroma_stft, {"tuning": 0.2}),
        (Chroma(), librosa.feature.chroma_stft, {"tuning": 0.0, "norm": 2}),
        (Chroma(), librosa.feature.chroma_stft, {"tuning": 0.0, "norm": None}),
        (Chroma(), librosa.feature.chroma_stft, {"tuning": -0.1, "n_chroma": 24}),
        (SpectralContrast(), librosa.feature.spectral_contrast, {"n_bands": 4, "fmin": 100.0}),
        (SpectralContrast(), librosa.feature.spectral_contrast, {"quantile": 0.2}),
        (SpectralContrast(), librosa.feature.spectral_contrast, {"linear": True}),
    ],
)
def test_parameters_of_the_features(transformer, function, how):
    y = voice(0.7)
    expected = function(y=y, sr=SR, **how).mean(axis=1)
    found = clone(transformer).set_params(**how).transform([y])[0]
    scale = np.abs(expected).max()
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5 * scale)


def test_another_rate():
    y = voice(0.7, sr=16000)
    expected = librosa.feature.mfcc(y=y, sr=16000, n_mfcc=40).mean(axis=1)
    np.testing.assert_allclose(MFCC(sr=16000).transform([y])[0], expected, rtol=1e-4, atol=1e-3)


# The union


def test_the_union_is_scikit_learns():
    clips = [voice(0.3 + 0.1 * i, 100 + 20 * i, seed=i) for i in range(40)]
    weights = {"mfcc": 0.5}
    ours = AudioFeatureUnion(FOUR, transformer_weights=weights)
    theirs = FeatureUnion(FOUR, transformer_weights=weights, verbose_feature_names_out=False)
    np.testing.assert_array_equal(ours.fit_transform(clips), theirs.fit_transform(clips))
    assert ours.get_feature_names_out().tolist() == theirs.get_feature_names_out().tolist()
    np.testing.assert_allclose(
        ours.set_params(n_jobs=2).transform(clips), theirs.transform(clips), rtol=1e-5, atol=1e-5
    )


def test_one_decoding_and_one_spectrum_per_clip(wav, monkeypatch):
    paths = [str(wav(f"{i}.wav")) for i in range(3)]
    decoded, transformed = [], []
    decode, power = decoding._decode, _spectrum._pad
    monkeypatch.setattr(decoding, "_decode", lambda *a: decoded.append(a[2]) or decode(*a))
    monkeypatch.setattr(_spectrum, "_pad", lambda *a: transformed.append(1) or power(*a))
    AudioFeatureUnion(FOUR).fit_transform(AudioLoader().transform(paths))
    assert decoded == paths
    assert len(transformed) == len(paths)


def test_pandas_output_keeps_the_index():
    clips = pd.Series([voice(seed=i) for i in range(3)], index=["x", "y", "z"])
    union = AudioFeatureUnion(FOUR).set_output(transform="pandas")
    for X in (clips, AudioLoader().transform(clips)):
        table = union.fit_transform(X)
        assert table.index.tolist() == ["x", "y", "z"]
        assert table.columns[[0, 40, 52, 180]].tolist() == [
            "mfcc_0_mean",
            "chroma_0_mean",
            "mel_0_mean",
            "contrast_0_mean",
        ]


@pytest.mark.parametrize("n_clips", [5, 70])
def test_every_bad_clip_is_reported_together(tmp_path, n_clips):
    good = tmp_path / "good.wav"
    soundfile.write(good, voice(), SR)
    paths = [str(good)] * n_clips
    paths[1], paths[-1] = str(tmp_path / "missing.wav"), str(tmp_path)
    with pytest.raises(AudioError) as caught:
        AudioFeatureUnion(FOUR, n_jobs=2).transform(AudioLoader().transform(paths))
    assert f"2 of {n_clips} clips cannot be used" in str(caught.value)
    assert list(caught.value.failures) == [1, n_clips - 1]
    assert "missing.wav does not exist" in caught.value.failures[1]
    assert "is a folder" in caught.value.failures[n_clips - 1]


def test_grid_parameters_and_dropping():
    union = AudioFeatureUnion(FOUR).set_params(mfcc__n_mfcc=13, mel="drop")
    assert union.transform([voice()]).shape == (1, 13 + 12 + 7)
    with pytest.raises(ValueError, match="no features"):
        AudioFeatureUnion([("mfcc", "drop")]).transform([voice()])


def test_what_the_union_refuses():
    from sklearn.preprocessing import FunctionTransformer

    with pytest.raises(ValueError, match="scikit-learn's FeatureUnion"):
        AudioFeatureUnion([("f", FunctionTransformer())]).fit([voice()])
    with pytest.raises(ValueError, match="different rates"):
        AudioFeatureUnion([("a", MFCC(sr=16000)), ("b", Chroma())]).fit([voice()])
    with pytest.raises(ValueError, match=r"16000 Hz, but MFCC has sr=22050.*make_pipeline"):
        MFCC().transform(AudioLoader(sr=16000).transform([voice()]))


@pytest.mark.parametrize(
    ("transformer", "words"),
    [
        (MFCC(n_mfcc=0), "'n_mfcc' parameter of MFCC"),
        (MFCC(window=3j), "'window' parameter of MFCC"),
        (MFCC(win_length=4096), "win_length=4096 is longer than n_fft=2048"),
        (MFCC(fmin=9000, fmax=8000), "fmin=9000 Hz and fmax=8000 Hz must ascend"),
        (MelSpectrogram(fmax=20000), "half the sampling rate"),
        (Chroma(tuning=3), "'tuning' parameter of Chroma"),
        (SpectralContrast(n_bands=8), "lower n_bands or fmin"),
        (SpectralContrast(n_fft=128, fmin=20, n_bands=2), "raise n_fft or fmin"),
        (MFCC(center=False), "fewer than one frame"),
    ],
)
def test_parameters_that_make_no_sense(transformer, words):
    with pytest.raises(ValueError, match=words):
        transformer.fit_transform([voice(0.05)])


def test_every_transformer_is_a_clip_transformer():
    assert all(isinstance(transformer, ClipTransformer) for _, transformer in FOUR)


def test_workers_stop_with_who_takes_their_results(monkeypatch):
    """A thread that still computes when the process ends would take it down with an abort."""
    from sklearn_ser.audio.decoding import AudioSettings
    from sklearn_ser.audio.loader import Clips
    from sklearn_ser.features import _extraction

    running = []
    compute = _extraction.compute_batch

    def slow(*call):
        running.append(1)
        time.sleep(0.2)
        result = compute(*call)
        running.pop()
        return result

    monkeypatch.setattr(_extraction, "compute_batch", slow)
    clips = Clips([voice(0.1)] * 400, AudioSettings(sr=SR))
    union = AudioFeatureUnion([("mfcc", MFCC())], n_jobs=4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # nor does joblib say that there were some
        batches = union.iter_batches(clips)
        next(batches)
        batches.close()
    assert not running


@pytest.mark.parametrize(
    ("transformer", "words"),
    [
        (MFCC(n_mfcc=500), "`n_mfcc=500` is more than the `n_mels=128` mel bands"),
        (MFCC(n_mfcc=21, n_mels=20), "`n_mfcc=21` is more than the `n_mels=20`"),
        (MFCC(n_mfcc=1, n_mels=1, dct_type=1), "`dct_type=1` needs `n_mels` of 2"),
        (FrameFeatures(n_mfcc=500), "`n_mfcc=500` is more than the `n_mels=128`"),
        (FrameFeatures(n_bands=50), "50 octaves above fmin=200 Hz"),
        (MelSpectrogram(n_fft=128), "`n_mels=128` is more than the 65 frequencies of a spectrum"),
        (LogMelSpectrogram(n_mels=1026), "`n_mels=1026` is more than the 1025 frequencies"),
        (LogMelSpectrogram(fmax=1.0), "no FFT bin lies between `fmin=0` and `fmax=1.0` Hz"),
        (Chroma(n_chroma=2000), "`n_chroma=2000` is more than the 1025 frequencies"),
        (BarkSpectrum(n_bands=300), "`n_bands=300` is more than the 257 frequencies"),
        (Formants(order=30, fmax=1000, n_fft=128), "`order=30` needs a longer spectrum"),
        (ModulationSpectrum(edges=(4,)), "two or more ascending frequencies"),
        (ModulationSpectrum(edges=(4, "8")), "two or more ascending frequencies"),
        (VoiceQuality(sr=5000), "'sr' parameter of VoiceQuality"),
    ],
)
def test_parameters_that_do_not_fit_together(transformer, words):
    with pytest.raises(ValueError, match=words):
        transformer.fit([voice()])
    name = type(transformer).__name__.lower()
    union = AudioFeatureUnion([(name, transformer)])
    with pytest.raises(ValueError, match=words):
        union.fit([voice()])


def test_the_most_coefficients_that_there_are():
    found = MFCC(n_mfcc=20, n_mels=20).transform([voice()])
    assert found.shape == (1, 20)


@pytest.mark.parametrize("length", [1, 2, 511, 512, 2048])
def test_windows_are_scipys_to_the_last_bit(length):
    for name in ("hann", "hamming", ("kaiser", 4.0)):
        expected = scipy.signal.get_window(name, length, fftbins=True).astype(np.float32)
        np.testing.assert_array_equal(
            _filters.window(name, length, 2048)[_middle(length)], expected
        )


def _middle(length):
    start = (2048 - length) // 2
    return slice(start, start + length)
