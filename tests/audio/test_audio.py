import io
import os
import pickle
import struct
import sys
import tempfile
from pathlib import Path

import librosa
import numpy as np
import pandas as pd
import pytest
import soundfile
from sklearn.base import clone

from sklearn_ser import AudioLoader
from sklearn_ser.audio.loader import Clips, check_clips, load_audio
from sklearn_ser.exceptions import AudioError
from tests.conftest import SR, voice


def refused(source, *words, **how):
    with pytest.raises(AudioError) as caught:
        load_audio(source, **how)
    message = str(caught.value)
    for word in words:
        assert word in message, message
    return message


# What can be read


@pytest.mark.parametrize("sr", [4000, 8000, 16000, 24414, 44100, 96000, 192000])
@pytest.mark.parametrize("res_type", ["soxr_hq", "kaiser_fast"])
def test_loads_what_librosa_loads(wav, sr, res_type):
    path = wav(y=voice(0.3, sr=sr), sr=sr)
    expected, _ = librosa.load(path, sr=SR, res_type=res_type)
    np.testing.assert_array_equal(load_audio(path, res_type=res_type), expected)


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("a.wav", {"subtype": "PCM_U8"}),
        ("a.wav", {"subtype": "PCM_16"}),
        ("a.wav", {"subtype": "PCM_24"}),
        ("a.wav", {"subtype": "PCM_32"}),
        ("a.wav", {"subtype": "FLOAT"}),
        ("a.wav", {"subtype": "DOUBLE"}),
        ("a.flac", {}),
        ("a.ogg", {}),
        ("a.mp3", {}),
        ("a.aiff", {}),
        ("aiff-inside.wav", {"format": "AIFF"}),
    ],
)
def test_formats(wav, name, how):
    y = voice()
    loaded = load_audio(wav(name, y, **how))
    assert loaded.dtype == np.float32
    assert abs(len(loaded) - len(y)) <= 2 * 1152  # MP3 pads to whole frames
    assert np.sqrt(np.mean(loaded**2)) == pytest.approx(np.sqrt(np.mean(y**2)), rel=0.05)


@pytest.mark.parametrize("n_channels", [2, 6])
def test_channels_are_averaged(wav, n_channels):
    channels = np.stack([voice(seed=i) for i in range(n_channels)], axis=1)
    path = wav(y=channels, subtype="FLOAT")
    np.testing.assert_allclose(load_audio(path), channels.mean(axis=1), atol=1e-6)
    np.testing.assert_allclose(load_audio(path), librosa.load(path, sr=SR)[0], atol=1e-6)


def test_all_kinds_of_sources_agree(wav):
    path = wav(subtype="FLOAT")
    expected = load_audio(str(path))
    data = path.read_bytes()
    with open(path, "rb") as file:
        file.read(10)  # a used file object starts over
        for source in (path, data, bytearray(data), io.BytesIO(data), file, expected):
            np.testing.assert_array_equal(load_audio(source), expected)


def test_offset_and_duration_are_librosas(wav):
    path = wav(y=voice(1.0, sr=16000), sr=16000)
    expected, _ = librosa.load(path, sr=SR, offset=0.2, duration=0.5)
    np.testing.assert_array_equal(load_audio(path, offset=0.2, duration=0.5), expected)
    whole = load_audio(path)
    np.testing.assert_array_equal(
        load_audio(whole, offset=0.2, duration=0.5), whole[4410 : 4410 + 11025]
    )


def test_trimming_is_librosas():
    y = np.concatenate([np.zeros(SR), voice(), np.zeros(SR)]).astype(np.float32)
    expected, _ = librosa.effects.trim(y, top_db=30)
    np.testing.assert_array_equal(load_audio(y, top_db=30), expected)
    assert len(expected) < len(y)
    assert len(load_audio(np.zeros(SR), top_db=30)) > 0


def test_trailing_bytes_and_endless_headers_do_no_harm(wav):
    path = wav()
    expected = load_audio(path)
    data = bytearray(path.read_bytes())
    np.testing.assert_array_equal(load_audio(bytes(data) + b"\0" * 12), expected)
    where = data.index(b"data") + 4
    data[where : where + 4] = struct.pack("<I", 0xFFFFFFFF)  # what ffmpeg writes to a pipe
    np.testing.assert_array_equal(load_audio(bytes(data)), expected)


# What cannot be read


def test_missing(tmp_path):
    refused(tmp_path / "no.wav", "no.wav does not exist", "check the path")


def test_folder(tmp_path):
    refused(tmp_path, str(tmp_path), "is a folder")


def test_empty(tmp_path):
    (tmp_path / "e.wav").touch()
    refused(tmp_path / "e.wav", "e.wav is empty (0 bytes)")


def test_zero_length(wav):
    refused(wav(y=np.zeros(0)), "clip.wav holds no samples")


def test_not_audio(tmp_path):
    (tmp_path / "t.wav").write_text("hello, this is no audio at all " * 50)
    refused(tmp_path / "t.wav", "t.wav is not audio that can be decoded", "convert it")


@pytest.mark.parametrize("name", ["c.wav", "c.flac", "c.mp3", "c.aiff", "c.ogg"])
def test_cut_short(wav, name):
    path = wav(name, voice(3.0))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    refused(path, name)


def test_cut_short_says_by_how_much(wav):
    path = wav(y=voice(2.0))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    refused(path, "is cut short: its header promises 2.00 s and it holds 1.00 s")


def test_no_permission(wav):
    load_audio(wav())  # whatever is imported on the way is imported as who we are
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        path = wav(Path(folder) / "secret.wav")
        path.chmod(0)
        if root := os.geteuid() == 0:
            os.seteuid(65534)  # root may read anything
        try:
            refused(path, "secret.wav may not be read: change its permissions")
        finally:
            if root:
                os.seteuid(0)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_not_finite(wav, value):
    y = voice()
    y[100] = value
    refused(wav(y=y, subtype="FLOAT"), "clip.wav holds NaN or infinite samples")
    refused(y, "the waveform holds NaN or infinite samples")


def test_ten_hours(tmp_path):
    path = tmp_path / "night.flac"
    with soundfile.SoundFile(path, "w", 8000, 1, format="FLAC") as file:
        minute = np.zeros(8000 * 60, dtype=np.float32)
        for _ in range(600):
            file.write(minute)
    refused(path, "night.flac is 10.0 h long", "duration", "max_duration")
    assert len(load_audio(path, duration=1)) == SR


@pytest.mark.parametrize(("rate", "word"), [(1, "1 Hz"), (50, "50 Hz"), (4_000_000_000, "decoded")])
def test_absurd_rates(wav, rate, word):
    path = wav()
    data = bytearray(path.read_bytes())
    data[24:28] = struct.pack("<I", rate)
    refused(bytes(data), word)


def test_stereo_array():
    refused(np.zeros((2, SR)), "shape (2, 22050)", "mono")


def test_nonsense():
    refused(42, "int", "give a path")
    refused([["a"]], "the waveform")


def test_missing_resampy(wav, monkeypatch):
    monkeypatch.setitem(sys.modules, "resampy", None)
    refused(wav(sr=16000), "pip install 'sklearn-ser[classic]'", res_type="kaiser_fast")


# The loader and its clips


def test_nothing_is_decoded_before_it_is_needed(tmp_path):
    clips = AudioLoader().fit_transform([str(tmp_path / "missing.wav")] * 3)
    assert len(clips) == 3
    with pytest.raises(AudioError, match=r"missing\.wav"):
        clips[1]


def test_clips_are_a_sequence(wav):
    paths = [str(wav(f"{i}.wav", voice(0.1 * (i + 1)))) for i in range(4)]
    clips = AudioLoader().transform(paths)
    lengths = [len(clip) for clip in clips]
    assert [len(clip) for clip in clips[1:3]] == lengths[1:3]
    assert [len(clip) for clip in clips[np.array([3, 0])]] == [lengths[3], lengths[0]]
    assert [len(clip) for clip in clips[np.array([True, False, False, True])]] == lengths[::3]
    assert [len(clip) for clip in pickle.loads(pickle.dumps(clips))] == lengths
    assert len(clips[-1]) == lengths[-1]
    assert "4 clips at 22050 Hz" in repr(clips)


@pytest.mark.parametrize("make", [list, tuple, np.array, pd.Series])
def test_kinds_of_lists(wav, make):
    paths = [str(wav(f"{i}.wav")) for i in range(2)]
    assert len(AudioLoader().transform(make(paths))) == 2


def test_an_iterator_is_used_once(wav):
    path = str(wav())
    clips = AudioLoader().fit_transform(name for name in [path, path])
    assert len(clips) == 2


def test_parts_of_a_sequence_keep_their_numbers():
    waves = [voice(0.1)] * 5
    waves[3] = np.full(100, np.nan)
    part = AudioLoader().transform(waves)[2:]
    with pytest.raises(AudioError, match="waveform 3 holds NaN"):
        part[1]


def test_a_flac_of_unknown_length(wav):
    data = bytearray(wav("pipe.flac").read_bytes())
    # STREAMINFO: the total number of samples is the last 36 bits before the checksum.
    data[21] &= 0xF0
    data[22:26] = bytes(4)
    refused(bytes(data), "does not say how long it is", "write it again")


def test_the_index_of_a_series_is_kept():
    waves = pd.Series([voice(), voice()], index=["x", "y"])
    assert AudioLoader().transform(waves)[1:].index.tolist() == ["y"]


@pytest.mark.parametrize(
    ("X", "words"),
    [
        ("clip.wav", r"write \[source\]"),
        (b"RIFF", r"write \[source\]"),
        (voice(), r"write \[waveform\]"),
        (voice().tolist(), r"write \[waveform\]"),
        (np.zeros((2, 2, 100)), "n_clips, n_times"),
        (np.zeros((22050, 2)), r"write \[y.mean\(axis=1\)\]"),
        ([], "0 clips"),
        (pd.DataFrame({"path": ["a"], "emotion": ["b"]}), r"corpus\['path'\]"),
    ],
)
def test_one_source_where_a_list_is_expected(X, words):
    with pytest.raises(ValueError, match=words):
        AudioLoader().transform(X)


def test_a_stereo_waveform_in_a_list_raises():
    with pytest.raises(AudioError, match="mono"):
        AudioLoader().transform([np.zeros((2, SR))])[0]


def test_loader_is_an_estimator(wav):
    loader = AudioLoader(sr=16000, offset=0.1, duration=0.2, top_db=40)
    again = pickle.loads(pickle.dumps(clone(loader)))
    assert again.get_params() == loader.get_params()
    path = str(wav())
    np.testing.assert_array_equal(again.transform([path])[0], loader.transform([path])[0])
    assert isinstance(loader.set_output(transform="pandas").fit_transform([path]), Clips)
    with pytest.raises(ValueError, match="res_type"):
        AudioLoader(res_type="soxr").transform([path])
    with pytest.raises(ValueError, match="'sr' parameter"):
        AudioLoader(sr=0).fit([path])


def test_check_clips_takes_batches():
    assert check_clips(np.zeros((3, 100))).sr is None
    assert len(check_clips([voice(0.1), voice(0.2)])) == 2
    with pytest.raises(ValueError, match="NaN"):
        check_clips(np.full((2, 10), np.nan))
    with pytest.raises(TypeError):
        check_clips(3)


@pytest.mark.parametrize("greatest", [1e20, 2**31, 20_000])
def test_samples_that_no_recording_has(wav, greatest):
    y = voice()
    y[7] = greatest
    refused(wav("huge.wav", y, subtype="FLOAT"), "huge.wav holds samples of", "1 is full scale")


def test_samples_a_little_beyond_full_scale(wav):
    y = voice()
    y[7] = 2.5
    assert load_audio(wav("loud.wav", y, subtype="FLOAT")).max() == 2.5
