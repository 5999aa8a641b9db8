"""Clips under each condition: the same whatever their order and number."""

import pickle

import numpy as np
import pytest
import soundfile

from sklearn_ser import AudioLoader
from sklearn_ser.audio.conditions import (
    AS_RECORDED,
    Condition,
    DegradedClips,
    list_conditions,
    mix_voices,
)
from sklearn_ser.audio.degradations import DEGRADATIONS
from sklearn_ser.audio.loader import Clips
from sklearn_ser.audio.noise import read_noise
from tests.conftest import SR, voice


@pytest.fixture
def noise(tmp_path):
    (tmp_path / "noise").mkdir()
    for i in range(3):
        y = np.random.default_rng(i).normal(size=3000) / 10
        soundfile.write(tmp_path / "noise" / f"{i}.wav", y, SR)
    return read_noise(map(str, (tmp_path / "noise").iterdir()))


def paths(wav, n=4):
    return [str(wav(f"{i}.wav", voice(0.3, 100 + 30 * i, seed=i))) for i in range(n)]


def test_every_degradation_has_its_rows(noise):
    plain, whole = list_conditions(), list_conditions(noise)
    assert plain[0] == AS_RECORDED
    assert {one.key for one in whole} - {one.key for one in plain} == {"real"}
    assert [one.strength for one in whole if one.key == "real"] == [30, 20, 10, 0]
    assert len({one.label for one in whole}) == len(whole)
    assert {"speed", "pitch"}.isdisjoint(one.key for one in whole)


def test_neither_order_nor_slices_change_a_clip(wav, noise):
    files = paths(wav)
    conditions = [AS_RECORDED, *(Condition(key, 10.0) for key in ("pink", "babble", "real"))]
    speakers = np.array(["a", "a", "b", "c"])
    loader = AudioLoader(sr=SR)
    clips = DegradedClips(loader.transform(files), conditions, 3, speakers, noise)
    assert len(clips) == 16
    back = DegradedClips(loader.transform(files[::-1]), conditions, 3, speakers[::-1], noise)
    for i in range(4):
        for j in range(4):
            y = clips[4 * i + j]
            np.testing.assert_array_equal(y, back[4 * (3 - i) + j])
            np.testing.assert_array_equal(y, clips[4 * i + j : 4 * i + j + 1][0])
    other = DegradedClips(loader.transform(files), conditions, 4, speakers, noise)
    for j in (1, 2, 3):
        assert np.abs(clips[j] - other[j]).max() > 0.01
    np.testing.assert_array_equal(clips[0], loader.transform(files)[0])


def test_a_worker_elsewhere_degrades_alike(wav, noise):
    clips = AudioLoader(sr=SR).transform(paths(wav, 3))
    conditions = list_conditions(noise)
    degraded = DegradedClips(clips, conditions, 0, np.array(list("abc"), dtype=object), noise)
    sent = pickle.loads(pickle.dumps(degraded[: len(conditions)]))
    for j in range(len(conditions)):
        np.testing.assert_array_equal(sent[j], degraded[j])


def test_strengths_of_a_clip_share_their_noise(wav, noise):
    clips = AudioLoader(sr=SR).transform(paths(wav, 3))
    for key in ("noise", "brown", "babble", "real"):
        conditions = [Condition(key, 20.0), Condition(key, 0.0)]
        mild, strong = (
            clip - clips[0] for clip in DegradedClips(clips, conditions, 0, None, noise)[:2]
        )
        np.testing.assert_allclose(10 * mild, strong, atol=1e-4)


def test_a_clip_is_decoded_once_for_all_its_conditions(wav, monkeypatch):
    decoded = []
    decode = Clips.decode
    monkeypatch.setattr(
        Clips, "decode", lambda self, i, *how: decoded.append(i) or decode(self, i, *how)
    )
    clips = AudioLoader(sr=SR).transform(paths(wav, 2))
    conditions = [one for one in list_conditions() if one.key != "babble"]
    list(DegradedClips(clips, conditions, 0))
    assert decoded == [0, 1]


def test_babble_is_made_of_other_speakers(wav):
    """Each voice is a tone of its own, so that what is in the babble can be seen."""
    t = np.arange(8000) / SR
    tones = [500, 1000, 2000, 4000]
    files = [str(wav(f"{tone}.wav", np.sin(2 * np.pi * tone * t) / 2)) for tone in tones]
    clips = AudioLoader(sr=SR).transform(files)
    heard = set()
    for seed in range(10):
        babble = [Condition("babble", 0.0)]
        y = DegradedClips(clips, babble, seed, np.array(list("aabb")))[0]
        spectrum = np.abs(np.fft.rfft((y - clips[0]) * np.hanning(len(y))))
        heard |= {tone for tone in tones if spectrum[round(tone * len(y) / SR)] > 20}
    assert heard == {2000, 4000}


def test_voices_sound_equally_loud():
    sounds = [np.full(100, 0.5), np.full(70, 0.01)]
    for seed in range(5):
        y = mix_voices(lambda i: sounds[i], [0, 1], 150, np.random.default_rng(seed))
        assert y.shape == (150,)
        assert 3 - 1e-3 <= y[0] <= 7 + 1e-3
    assert not mix_voices(lambda i: sounds[i], [], 10, np.random.default_rng(0)).any()


def test_waveforms_have_no_paths():
    sounds = [voice(0.2, seed=i) for i in range(3)]
    clips = AudioLoader(sr=SR).transform(sounds)
    conditions = list_conditions()
    rows = [DegradedClips(clips, conditions, 0)[j] for j in range(len(conditions))]
    assert all(np.isfinite(row).all() and len(row) == len(sounds[0]) for row in rows)
    assert set(DEGRADATIONS) > {"babble"}
