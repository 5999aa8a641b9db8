"""Folders of recorded noise: what is found, what is refused, and what is drawn."""

import shutil

import numpy as np
import pytest
import soundfile

from sklearn_ser.audio.noise import draw_section, read_noise
from sklearn_ser.exceptions import AudioError
from tests.conftest import voice


def files(folder):
    return [str(path) for path in folder.rglob("*.*") if path.suffix in (".wav", ".flac")]


@pytest.fixture
def folder(tmp_path):
    """Five recordings of other levels, rates and channels, one of them twice."""
    for i, sr in enumerate((8000, 16000, 44100)):
        soundfile.write(tmp_path / f"{i}.wav", np.full(sr // 2, 0.1 * (i + 1)), sr)
    stereo = np.column_stack([np.full(16000, 0.2), np.full(16000, 0.6)])
    (tmp_path / "deeper").mkdir()
    soundfile.write(tmp_path / "deeper" / "stereo.flac", stereo, 16000)
    shutil.copy(tmp_path / "0.wav", tmp_path / "copy.wav")
    return tmp_path


def test_equal_files_count_once(folder):
    noise = read_noise(files(folder))
    assert len(noise.paths) == 4
    assert len(set(noise.checksums)) == 4
    assert list(noise.checksums) == sorted(noise.checksums)
    assert any(path.endswith("stereo.flac") for path in noise.paths)


def test_sections_have_the_length_and_rate_of_the_clip(folder):
    levels = set()
    noise, rng = read_noise(files(folder)), np.random.default_rng(0)
    for _ in range(40):
        y = noise.draw(40000, 16000, rng)  # longer than any: looped
        assert y.shape == (40000,)
        levels.add(round(float(np.median(y)), 2))
    assert levels == {0.1, 0.2, 0.3, 0.4}  # stereo is mixed down


def test_a_section_is_part_of_its_recording(tmp_path):
    y = np.arange(16000) / 20000
    soundfile.write(tmp_path / "ramp.wav", y, 16000, subtype="FLOAT")
    path = str(tmp_path / "ramp.wav")
    starts = set()
    for seed in range(5):
        section = draw_section(path, 1000, 16000, np.random.default_rng(seed))
        start = round(float(section[0]) * 20000)
        np.testing.assert_allclose(section, y[start : start + 1000], atol=1e-6)
        starts.add(start)
    assert len(starts) > 3
    looped = draw_section(path, 20000, 16000, np.random.default_rng(1))
    np.testing.assert_array_equal(looped[:4000], looped[16000:])


def test_broken_and_silent_files_are_reported_together(folder):
    (folder / "broken.wav").write_bytes(b"RIFF and no more")
    (folder / "empty.wav").write_bytes(b"")
    soundfile.write(folder / "silent.wav", np.zeros(8000), 8000)
    with pytest.raises(AudioError, match="3 of 8 files") as caught:
        read_noise(files(folder))
    for name in ("broken.wav", "empty.wav", "silent.wav is silent", "`on_error=skip`"):
        assert name in str(caught.value)
    noise = read_noise(files(folder), "skip")
    assert (len(noise.paths), len(noise.skipped)) == (4, 3)


def test_nothing_is_left_to_skip_to(tmp_path):
    soundfile.write(tmp_path / "silent.wav", np.zeros(8000), 8000)
    with pytest.raises(AudioError, match="1 of 1 files"):
        read_noise(files(tmp_path), "skip")


def test_training_and_tests_share_no_recording(tmp_path):
    for i in range(7):
        soundfile.write(tmp_path / f"{i}.wav", voice(0.1, seed=i), 16000)
    noise = read_noise(files(tmp_path))
    training, tests = noise.share()
    assert (len(training.paths), len(tests.paths)) == (5, 2)
    assert set(training.paths) | set(tests.paths) == set(noise.paths)
    for i in range(7):  # what they are called decides nothing
        (tmp_path / f"{i}.wav").rename(tmp_path / f"z{9 - i}.wav")
    assert read_noise(files(tmp_path)).share()[1].checksums == tests.checksums
    assert noise.without(set(training.checksums)).checksums == tests.checksums
    one = noise.without(set(noise.checksums[1:]))
    assert [len(part.paths) for part in one.share()] == [1, 0]
