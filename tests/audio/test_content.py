import os

import numpy as np
import pytest

from sklearn_ser.audio import content as contents
from sklearn_ser.audio.content import read_content
from sklearn_ser.audio.decoding import AudioSettings
from sklearn_ser.exceptions import AudioError
from tests.conftest import SR, voice

SETTINGS = AudioSettings(sr=SR)


def test_what_is_hashed_is_what_is_decoded(wav):
    path = wav("a.wav", voice(seed=0))
    content = read_content(path)
    path.write_bytes(wav("b.wav", voice(seed=1)).read_bytes())
    y, rate = content.decode(SETTINGS, "a.wav")
    np.testing.assert_allclose(y, voice(seed=0), atol=1e-4)
    assert rate == SR
    assert content.sha256 != read_content(path).sha256


@pytest.mark.parametrize("limit", [10, contents.HELD_BYTES])
def test_a_file_that_changes_is_refused_where_its_bytes_are_not_held(wav, monkeypatch, limit):
    monkeypatch.setattr(contents, "HELD_BYTES", limit)
    path = wav("a.wav", voice(seed=0))
    other = wav("b.wav", voice(seed=1)).read_bytes()
    content = read_content(path)
    content.release()
    assert content.data is None
    np.testing.assert_allclose(content.decode(SETTINGS, "a.wav")[0], voice(seed=0), atol=1e-4)
    content.release()
    path.write_bytes(other)
    with pytest.raises(AudioError, match=r"a\.wav was changed while it was read"):
        content.decode(SETTINGS, "a.wav")


def test_a_large_file_is_hashed_in_blocks(wav, monkeypatch):
    path = wav("a.wav", voice())
    whole = read_content(path)
    monkeypatch.setattr(contents, "HELD_BYTES", 10)
    monkeypatch.setattr(contents, "BLOCK", 1000)
    content = read_content(path)
    assert (content.sha256, content.data) == (whole.sha256, None)


def test_what_has_no_content(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for source in (tmp_path, tmp_path / "pipe", "missing.wav", "nul\0.wav", 5, np.array([1])):
        assert read_content(source) is None


def test_waveforms_by_their_kind_and_samples():
    y = voice().astype(np.float32)
    checksums = {read_content(one).sha256 for one in (y, y.copy(), y[:-1], y.astype(np.float64))}
    assert len(checksums) == 3
