"""Waveforms as soundfile, librosa, scipy and Hugging Face's datasets hand them out."""

import numpy as np
import pytest
import soundfile

from sklearn_ser import AudioLoader, make_pipeline
from sklearn_ser.audio.loader import check_clips, load_audio
from sklearn_ser.exceptions import AudioError
from tests.conftest import SR, voice


@pytest.fixture
def low_rate(wav):
    """A file at another rate than the loader's."""
    return wav("low.wav", voice(0.4, sr=8000), 8000)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int16", "int32"])
def test_pairs_of_samples_and_rate(low_rate, dtype):
    expected = load_audio(low_rate)
    y, rate = soundfile.read(low_rate, dtype=dtype)
    row = {"path": "clip.wav", "array": y, "sampling_rate": rate}
    for source in ((y, rate), (rate, y), (y.tolist(), rate) if y.dtype.kind == "f" else row, row):
        np.testing.assert_allclose(load_audio(source), expected, atol=1e-6)
    clips = AudioLoader().fit_transform([(y, rate), row])
    np.testing.assert_allclose(clips[0], clips[1])
    assert abs(len(clips[0]) - 0.4 * SR) <= 1


def test_undecoded_rows_of_datasets(low_rate):
    expected = load_audio(low_rate)
    data = low_rate.read_bytes()
    for row in ({"bytes": data, "path": None}, {"bytes": None, "path": str(low_rate)}):
        np.testing.assert_array_equal(load_audio(row), expected)


def test_offset_and_duration_of_a_pair_are_in_seconds():
    y = voice(0.4, sr=8000)
    part = load_audio((y, 8000), sr=8000, offset=0.1, duration=0.2)
    np.testing.assert_array_equal(part, y[800:2400])


@pytest.mark.parametrize(
    ("dtype", "zero", "full"),
    [("int8", 0, 128), ("int16", 0, 32768), ("int32", 0, 2**31), ("uint8", 128, 128)],
)
def test_integers_are_divided_by_their_full_scale(dtype, zero, full):
    y = np.array([zero, full // 2 + zero, zero - full // 2], dtype=dtype)
    np.testing.assert_array_equal(load_audio(y), [0, 0.5, -0.5])


@pytest.mark.parametrize("dtype", ["int64", "uint16", "bool"])
def test_integers_of_no_known_scale(dtype):
    with pytest.raises(AudioError, match=f"{dtype} values, whose full scale is not known"):
        load_audio(np.ones(100, dtype=dtype))


@pytest.mark.parametrize("scale", [32767, 2])
def test_floats_beyond_full_scale(scale):
    y = voice() / np.abs(voice()).max() * scale
    with pytest.raises(AudioError, match="1 is full scale: divide numbers of 16 bit by 32768"):
        AudioLoader().fit_transform([y])[0]


def test_features_see_the_same_in_integers_and_floats():
    y = np.round(voice() * 20000).astype(np.int16)
    pipeline = make_pipeline("logreg", "mfcc")
    by_float = pipeline[:2].fit_transform([y / np.float32(32768)])
    np.testing.assert_array_equal(pipeline[:2].fit_transform([y]), by_float)
    np.testing.assert_array_equal(check_clips(np.stack([y, y]))[1], y / np.float32(32768))


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ((voice(), 0), "sampling rate of 0: give a whole number"),
        ((voice(), 22050.5), "sampling rate of 22050.5: give a whole number"),
        ((voice(), float("nan")), "sampling rate of nan"),
        ((voice(), 10), "has a sampling rate of 10 Hz, and no recording has that"),
        ((voice(), "22050"), r"nor such an array and its rate in Hz, \(samples, rate\)"),
        ({"array": voice()}, "no 'sampling_rate' beside its 'array'"),
        ({"array": voice(), "sampling_rate": None}, "sampling rate of None"),
        ({"audio": voice()}, "is a dict: give a path"),
        ((np.zeros((100, 2)), SR), "average the channels"),
    ],
)
def test_what_is_no_pair(source, words):
    with pytest.raises(AudioError, match=words):
        load_audio(source)


@pytest.mark.parametrize("one", [(voice(), SR), {"array": voice(), "sampling_rate": SR}])
def test_one_pair_where_a_list_is_expected(one):
    with pytest.raises(AudioError, match=r"write \[source\]"):
        AudioLoader().transform(one)


def test_rates_are_for_the_loader():
    with pytest.raises(AudioError, match="begin the pipeline with AudioLoader"):
        check_clips([voice(), (voice(), SR)])[1]
