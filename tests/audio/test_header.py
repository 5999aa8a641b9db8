"""The length and the rate of a recording by its header."""

import os
import shutil
import subprocess

import pytest

from sklearn_ser.audio.header import read_header
from tests.conftest import voice


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "caf\udce9.wav"])
def test_length_and_rate(wav, tmp_path, name):
    clip = wav("clip." + name.rpartition(".")[2], voice(0.5, sr=16000), sr=16000)
    os.rename(clip, tmp_path / name)
    assert read_header(str(tmp_path / name)) == (0.5, 16000)


def test_what_has_no_header(tmp_path):
    (tmp_path / "a.wav").write_text("no audio")
    for path in (tmp_path, tmp_path / "a.wav", tmp_path / "gone.wav", "https://host/a.wav"):
        assert read_header(str(path)) is None


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not here")
def test_what_ffmpeg_decodes(wav, tmp_path):
    clip = wav("clip.wav", voice(1.0, sr=16000), sr=16000)
    subprocess.run(["ffmpeg", "-loglevel", "error", "-i", clip, tmp_path / "a.m4a"], check=True)
    seconds, rate = read_header(str(tmp_path / "a.m4a"))
    assert (seconds, rate) == (pytest.approx(1.0, abs=0.1), 16000)
    assert read_header(str(tmp_path / "a.m4a"), decode=False) is None
