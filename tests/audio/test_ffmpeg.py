"""What phones and browsers record, through the program ffmpeg where it is."""

import io
import shutil
import subprocess

import numpy as np
import pytest

from sklearn_ser.audio import ffmpeg, opening
from sklearn_ser.audio.blocks import iter_blocks
from sklearn_ser.audio.decoding import SERVED_FORMATS, AudioSettings, load_audio, read_source
from sklearn_ser.exceptions import AudioError
from tests.conftest import SR, voice

pytestmark = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not here")

KINDS = [
    ("clip.m4a", "-c:a aac"),
    ("clip.mp4", "-c:a aac -movflags +faststart"),
    ("clip.3gp", "-c:a aac -f 3gp"),
    ("clip.webm", "-c:a libopus -ar 48000"),
    ("clip.mka", "-c:a libvorbis -f matroska"),
    ("clip.aac", "-c:a aac -f adts"),
    ("clip.wma", "-c:a wmav2 -f asf"),
]


@pytest.fixture
def convert(wav, tmp_path):
    """Make a file of ffmpeg's from a voice, or skip where it cannot."""

    def make(name, how, y=None, sr=SR):
        source, path = wav("source.wav", voice(2.0) if y is None else y, sr), tmp_path / name
        command = ["ffmpeg", "-y", "-v", "error", "-i", source, *how.split(), path]
        if subprocess.run(command, capture_output=True).returncode:
            pytest.skip(f"this ffmpeg cannot write {name}")
        return path

    return make


def refused(source, words, **how):
    with pytest.raises(AudioError, match=words):
        load_audio(source, **how)


@pytest.mark.parametrize(("name", "how"), KINDS)
def test_what_phones_and_browsers_record(convert, name, how):
    path = convert(name, how)
    expected = voice(2.0)
    y = load_audio(path)
    assert abs(len(y) - len(expected)) < 0.15 * SR
    assert np.sqrt(np.mean(y**2)) == pytest.approx(np.sqrt(np.mean(expected**2)), rel=0.15)
    np.testing.assert_array_equal(load_audio(path.read_bytes()), y)
    np.testing.assert_array_equal(np.concatenate(list(iter_blocks(path, AudioSettings()))), y)
    misnamed = path.rename(path.with_name("clip.wav"))
    np.testing.assert_array_equal(load_audio(misnamed), y)


def test_amr(convert):
    path = convert("clip.amr", "-c:a libopencore_amrnb -ar 8000 -ac 1")
    assert abs(len(load_audio(path)) - 2 * SR) < 0.1 * SR


def test_an_amr_file_by_hand():
    """Frames of 20 ms at 12.2 kbit/s, so that no encoder is needed."""
    data = b"#!AMR\n" + (b"\x3c" + bytes(31)) * 50
    assert len(load_audio(data, sr=8000)) == 8000


@pytest.mark.parametrize("n_channels", [2, 6])
def test_channels_are_averaged(convert, n_channels):
    y = np.stack([voice(2.0) * (i == 0) for i in range(n_channels)], axis=1)
    mono = load_audio(convert("many.mka", "-c:a pcm_s16le -f matroska", y))
    np.testing.assert_allclose(mono, voice(2.0) / n_channels, atol=1e-4)


@pytest.mark.parametrize(("name", "how"), KINDS[:5])
def test_cut_short(convert, name, how):
    data = convert(name, how, voice(20.0)).read_bytes()
    refused(data[: len(data) // 2], "is damaged, cut short, or holds no audio")


@pytest.mark.parametrize("name", ["clip.m4a", "clip.mp4", "clip.webm", "clip.mka", "clip.wma"])
def test_joined(convert, name):
    data = convert(name, dict(KINDS)[name]).read_bytes()
    refused(data + data, "goes on after the end")


def test_no_audio_in_it(tmp_path):
    silent = tmp_path / "clip.mp4"
    how = ["-f", "lavfi", "-i", "color=black:d=1", "-c:v", "mpeg4"]
    subprocess.run(["ffmpeg", "-v", "error", *how, silent], check=True)
    refused(silent, "holds no audio")


def test_length_is_bounded_while_it_decodes(convert, monkeypatch):
    path = convert("clip.m4a", "-c:a aac", voice(20.0))
    refused(path, r"is at least 6\.0 s long, more than the 5 s", max_duration=5)
    assert len(load_audio(path, offset=3, duration=2)) == 2 * SR
    monkeypatch.setattr(opening, "MAX_BYTES", 500_000)
    refused(path, "sends more than 0 MB|sends more than 1 MB")
    monkeypatch.setattr(opening, "MAX_SECONDS", 0.0)
    refused(path, "takes ffmpeg more than 0 s")


def test_a_file_cannot_make_it_read_others(tmp_path, wav):
    """Playlists and such are of no demuxer that it is told to use."""
    secret = wav("secret.wav")
    for text in (f"ffconcat version 1.0\nfile {secret}\n", f"#EXTM3U\n#EXTINF:1,\n{secret}\n"):
        refused(text.encode() * 10, "not audio that can be decoded")
        refused(b"\0\0\0\x20ftypM4A " + text.encode(), "is damaged")


def test_a_server_does_not_use_it(convert):
    data = convert("clip.m4a", "-c:a aac").read_bytes()
    served = AudioSettings(formats=SERVED_FORMATS)
    with pytest.raises(AudioError, match="a container that ffmpeg decodes; allowed are WAV"):
        read_source(data, served, "clip.m4a")
    allowed = AudioSettings(formats=(*SERVED_FORMATS, ffmpeg.FFMPEG))
    assert len(read_source(io.BytesIO(data), allowed, "clip.m4a"))


def test_without_ffmpeg_it_says_how_to_convert(convert, monkeypatch, tmp_path):
    data = convert("clip.m4a", "-c:a aac").read_bytes()
    monkeypatch.setenv("PATH", str(tmp_path))
    refused(data, "only the program ffmpeg decodes .* install it, or convert the file elsewhere")


def test_where_nothing_can_wait_for_ffmpeg(convert, monkeypatch):
    path = convert(*KINDS[0])
    monkeypatch.delattr(ffmpeg.select, "poll")
    refused(path, r"not used on Windows: convert the file first \(ffmpeg -i IN OUT.flac\)")
