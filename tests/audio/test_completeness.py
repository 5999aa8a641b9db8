"""Files that are cut, joined or lie about their length: read whole, or refused."""

import io
import re
import struct

import numpy as np
import pytest
import soundfile

from sklearn_ser.audio.blocks import iter_blocks
from sklearn_ser.audio.decoding import AudioSettings, load_audio
from sklearn_ser.exceptions import AudioError
from tests.conftest import SR, voice

READ = [
    *(("WAV", "PCM_16"), ("WAV", "IMA_ADPCM"), ("WAVEX", "PCM_24"), ("AIFF", "PCM_16")),
    *(("AU", "PCM_16"), ("AU", "ULAW"), ("CAF", "PCM_16"), ("CAF", "ALAC_16")),
    *(("RF64", "PCM_16"), ("W64", "PCM_16"), ("NIST", "PCM_16"), ("HTK", "PCM_16")),
    *(("FLAC", "PCM_16"), ("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", "MPEG_LAYER_III")),
]
NOT_READ = [
    *(("AVR", "PCM_16"), ("SVX", "PCM_16"), ("MAT4", "PCM_16"), ("MAT5", "PCM_16")),
    *(("MPC2K", "PCM_16"), ("PAF", "PCM_16"), ("PVF", "PCM_16"), ("SDS", "PCM_16")),
    *(("IRCAM", "PCM_16"), ("VOC", "PCM_16"), ("WVE", "ALAW"), ("XI", "DPCM_16")),
    ("AU", "G721_32"),
]


def encode(form, subtype, seconds=2.0):
    sr = 24000 if subtype == "OPUS" else SR
    file = io.BytesIO()
    soundfile.write(file, voice(seconds, sr=sr), sr, format=form, subtype=subtype)
    return file.getvalue()


def read_both_ways(data):
    """Decode at once and in blocks, and return the length; both have to agree."""
    whole = load_audio(data)
    assert abs(sum(map(len, iter_blocks(data, AudioSettings()))) - len(whole)) <= 1
    return len(whole)


def refused(data):
    with pytest.raises(AudioError) as caught:
        load_audio(data)
    with pytest.raises(AudioError):
        list(iter_blocks(data, AudioSettings()))
    return str(caught.value)


def test_every_format_that_libsndfile_writes_is_here():
    known = {form for form, _ in READ + NOT_READ}
    assert known == set(soundfile.available_formats()) - {"RAW", "SD2"}  # these it cannot tell


@pytest.mark.parametrize(("form", "subtype"), READ)
def test_cut_or_joined(form, subtype):
    data, other = encode(form, subtype), encode(form, subtype, 1.0)
    assert abs(read_both_ways(data) / SR - 2) < 0.04
    for share in (0.3, 0.5, 0.9):
        refused(data[: int(share * len(data))])
    refused(data + other)
    refused(other + data)


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_an_ogg_that_is_cut_where_a_page_ends(subtype):
    data = encode("OGG", subtype, 4.0)
    pages = [match.start() for match in re.finditer(b"OggS", data)]
    assert len(pages) > 3
    for place in pages[3:]:
        refused(data[:place])


@pytest.mark.parametrize("tag", [b"", b"ID3\4\0\0\0\0\1\0" + bytes(128)])
def test_an_mp3_that_lacks_its_last_frame(tag):
    data = tag + encode("MP3", "MPEG_LAYER_III")
    read_both_ways(data)
    for n_bytes in (1, 100, 400):
        assert "is cut short" in refused(data[:-n_bytes])


@pytest.mark.parametrize(("form", "subtype"), NOT_READ)
def test_formats_that_do_not_say_how_long_they_are(form, subtype):
    assert f"is of the format {form}, and nobody can tell" in refused(encode(form, subtype))


def lying(data, place, value):
    data = bytearray(data)
    data[place : place + len(value)] = value
    return bytes(data)


@pytest.mark.parametrize("y", [voice(2.0), np.zeros(2 * SR), voice(60.0)])
def test_a_flac_that_holds_more_than_its_header_says(y):
    file = io.BytesIO()
    soundfile.write(file, y, SR, format="FLAC")
    data = file.getvalue()
    assert data[22:26] == struct.pack(">I", len(y))
    assert "goes on after the end" in refused(lying(data, 22, struct.pack(">I", SR)))
    assert "goes on after the end" in refused(lying(data, 22, struct.pack(">I", len(y) - 2)))


def test_a_wav_that_holds_more_than_its_header_says():
    data = encode("WAV", "PCM_16")
    assert "goes on after the end" in refused(lying(data, 40, struct.pack("<I", SR)))
    both = lying(lying(data, 40, struct.pack("<I", SR)), 4, struct.pack("<I", SR + 36))
    assert "goes on after the end" in refused(both)


@pytest.mark.parametrize("mode", ["CONSTANT", "VARIABLE"])
def test_an_mp3_without_its_length(mode):
    """All of several such files in a row is read, where the length can be told at all."""
    file = io.BytesIO()
    how = {"bitrate_mode": mode, "compression_level": 0.5}
    soundfile.write(file, voice(2.0), SR, format="MP3", **how)
    data = file.getvalue()
    start = data.index(data[:2], 4)  # the first frame of sound, after that of the length
    if mode == "VARIABLE":
        assert "goes on after the end" in refused(data[start:])
    else:
        n_times = read_both_ways(data[start:] * 2)
        assert abs(n_times - 4 * SR) <= 8 * 1152


TAG = b"TAG" + b"t" * 125
APE = b"APETAGEX" + struct.pack("<IIII", 2000, 5000 + 32, 1, 0xA0000000) + bytes(8)
APE += bytes(5000) + b"APETAGEX" + struct.pack("<IIII", 2000, 5000 + 32, 1, 0x80000000) + bytes(8)


@pytest.mark.parametrize(
    ("form", "subtype", "rest"),
    [
        ("WAV", "PCM_16", bytes(12)),  # as in TESS
        ("WAV", "PCM_16", b"LIST" + struct.pack("<I", 5000) + b"x" * 5000),
        ("WAV", "PCM_16", b"id3 " + struct.pack("<I", 4999) + b"x" * 4999),
        ("AIFF", "PCM_16", b"ANNO" + struct.pack(">I", 5000) + b"x" * 5000),
        ("CAF", "PCM_16", b"info" + struct.pack(">Q", 5000) + b"x" * 5000),
        ("FLAC", "PCM_16", TAG),
        ("MP3", "MPEG_LAYER_III", TAG),
        ("MP3", "MPEG_LAYER_III", APE),
        ("MP3", "MPEG_LAYER_III", APE + TAG),
    ],
)
def test_what_may_follow_the_samples(form, subtype, rest):
    data = encode(form, subtype)
    if form in ("WAV", "AIFF"):
        order = "<I" if form == "WAV" else ">I"
        if len(rest) > 12:
            data = lying(data, 4, struct.pack(order, len(data) + len(rest) - 8))
    np.testing.assert_array_equal(load_audio(data + rest), load_audio(data))


def test_a_part_may_be_read_of_a_file_that_goes_on():
    data = encode("FLAC", "PCM_16") + encode("FLAC", "PCM_16")
    assert len(load_audio(data, duration=0.5)) == SR // 2


def test_companions_of_macos(tmp_path):
    path = tmp_path / "._clip.mp3"
    path.write_bytes(b"\0\x05\x16\x07\0\x02\0\0Mac OS X        " + bytes(100))
    with pytest.raises(AudioError, match=r"\._clip\.mp3 is no audio but what macOS keeps"):
        load_audio(path)
