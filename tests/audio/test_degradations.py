"""Degradations against what they claim to be."""

import numpy as np
import pytest
import soundfile
from scipy.signal import welch

from sklearn_ser.audio.degradations import (
    DEGRADATIONS,
    add_noise,
    add_reverberation,
    change_gain,
    clip_peaks,
    code_mp3,
    code_opus,
    code_telephone,
    limit_band,
    reduce_rate,
)
from tests.conftest import SR, voice


def hiss(seconds=4, sr=SR):
    return (np.random.default_rng(0).normal(size=int(seconds * sr)) / 10).astype(np.float32)


def level(y, low, high, sr=SR):
    """Power between two frequencies, in dB."""
    frequency, density = welch(y, sr, nperseg=2048)
    return 10 * np.log10(density[(frequency >= low) & (frequency <= high)].mean())


TESTED = [(name, strength) for name, one in DEGRADATIONS.items() for strength in one.strengths[-1:]]
RANDOM = ("noise", "pink", "brown", "room")


def background(n_times):
    """Material of the degradations that need some: a hum."""
    return np.sin(np.arange(n_times) / 50)


@pytest.mark.parametrize(("name", "strength"), TESTED)
@pytest.mark.parametrize("sr", [8000, 16000, SR, 44100])
def test_each_keeps_length_and_kind_and_differs(name, strength, sr):
    y = voice(0.4, sr=sr)
    worse, again, other = (
        DEGRADATIONS[name].apply(y, sr, strength, np.random.default_rng(i), background)
        for i in (0, 0, 1)
    )
    assert (worse.shape, worse.dtype) == (y.shape, np.float32)
    assert np.isfinite(worse).all()
    np.testing.assert_array_equal(worse, again)
    if not (name == "rate" and sr == 8000):
        assert np.abs(worse - y).max() > 0.01
    assert (np.abs(worse - other).max() > 0) == (name in RANDOM)


@pytest.mark.parametrize(("name", "strength"), TESTED)
def test_silence_and_a_handful_of_samples(name, strength):
    for y in (np.zeros(4000, dtype=np.float32), voice(0.4)[:30], voice(0.4)[:1]):
        rng = np.random.default_rng(0)
        for material in (np.zeros, background):
            worse = DEGRADATIONS[name].apply(y, SR, strength, rng, material)
            assert worse.shape == y.shape
            assert np.isfinite(worse).all()


@pytest.mark.parametrize("snr", [20, 0])
@pytest.mark.parametrize("name", ["noise", "pink", "brown", "babble", "real"])
def test_each_noise_is_as_loud_as_it_says(name, snr):
    y = voice(0.5)
    worse = DEGRADATIONS[name].apply(y, SR, snr, np.random.default_rng(0), background)
    noise = worse.astype(np.float64) - y
    assert 10 * np.log10(np.mean(y**2) / np.mean(noise**2)) == pytest.approx(snr, abs=0.1)


@pytest.mark.parametrize(("name", "slope"), [("noise", 0), ("pink", -3), ("brown", -6)])
def test_the_power_falls_with_each_octave_by_what_the_color_says(name, slope):
    y = hiss(8)
    noise = DEGRADATIONS[name].apply(y, SR, 0, np.random.default_rng(1)) - y
    levels = [level(noise, 200 * 2**octave, 200 * 2 ** (octave + 1)) for octave in range(5)]
    assert np.diff(levels) == pytest.approx(np.full(4, slope), abs=0.6)


@pytest.mark.parametrize("law", ["ULAW", "ALAW"])
def test_telephone_samples_are_those_of_the_law(law):
    """The formulas of G.711's characteristics, which its 256 steps approximate."""
    y = hiss(1, 8000) / 4
    sent = limit_band(y, 8000).astype(np.float64)
    if law == "ULAW":
        squeeze = lambda x: np.sign(x) * np.log1p(255 * np.abs(x)) / np.log(256)  # noqa: E731
    else:
        a = 87.6
        squeeze = lambda x: (  # noqa: E731
            np.sign(x)
            * np.where(np.abs(x) < 1 / a, a * np.abs(x), 1 + np.log(np.maximum(a * np.abs(x), 1)))
            / (1 + np.log(a))
        )
    got = code_telephone(y, 8000, law)
    assert len(np.unique(got)) <= 256
    # Half a step of 128 to each side, where the law is; its segments bend it by half as much again.
    assert np.abs(squeeze(got) - squeeze(sent)).max() < 0.75 / 128 + 0.003


def test_labels_say_strength_and_unit():
    labels = {one.label(strength) for one in DEGRADATIONS.values() for strength in one.strengths}
    assert {"white noise, 10 dB", "gain, +12 dB", "gain, -12 dB", "mu-law telephone"} <= labels
    assert len(labels) == sum(len(one.strengths) for one in DEGRADATIONS.values())


@pytest.mark.parametrize("snr", [20, 10, 0])
def test_noise_is_as_loud_as_it_says(snr):
    y = voice(3)
    noise = add_noise(y, snr, np.random.default_rng(0)) - y
    assert 10 * np.log10(np.mean(y**2) / np.mean(noise**2)) == pytest.approx(snr, abs=0.2)
    assert level(noise, 500, 1500) == pytest.approx(level(noise, 8000, 9000), abs=1)


def test_gain():
    np.testing.assert_allclose(change_gain(voice(), 20), voice() * 10, rtol=1e-6)


def test_the_telephone_lets_through_its_band():
    y = hiss()
    degraded = limit_band(y, SR)
    assert level(degraded, 600, 2800) == pytest.approx(level(y, 600, 2800), abs=0.5)
    assert level(degraded, 40, 120) < level(y, 40, 120) - 30
    assert level(degraded, 6000, 9000) < level(y, 6000, 9000) - 30


def test_8_khz_loses_all_above_4():
    y = hiss()
    degraded = reduce_rate(y, SR)
    assert level(degraded, 100, 3500) == pytest.approx(level(y, 100, 3500), abs=0.5)
    assert level(degraded, 4500, 9000) < level(y, 4500, 9000) - 60
    np.testing.assert_array_equal(reduce_rate(y, 8000), y)


@pytest.mark.parametrize("kilobits", [64, 32, 16])
@pytest.mark.parametrize("rate", [16000, 22050, 24000])
def test_the_mp3_has_as_many_bits_as_it_says(rate, kilobits, monkeypatch):
    sizes = []
    write = soundfile.write

    def record(file, *args, **how):
        write(file, *args, **how)
        sizes.append(len(file.getvalue()))

    monkeypatch.setattr(soundfile, "write", record)
    code_mp3(hiss(10, rate), rate, kilobits)
    assert sizes[0] * 8 / 10 == pytest.approx(1000 * kilobits, rel=0.03)


@pytest.mark.parametrize("rate", [16000, SR])
def test_opus_sounds_like_the_clip_at_its_place(rate, monkeypatch):
    y = voice(1, sr=rate)
    for kilobits in (16, 8):
        coded = code_opus(y, rate, kilobits)
        assert np.correlate(coded, y, "same").argmax() == pytest.approx(len(y) // 2, abs=3)
        assert 0.8 < np.corrcoef(y, coded)[0, 1] < 0.9999


def test_mp3_still_sounds_like_the_clip():
    y = voice(1)
    degraded = code_mp3(y, SR)
    assert np.corrcoef(y, degraded)[0, 1] > 0.95
    assert not np.allclose(y, degraded, atol=1e-3)


def test_a_tenth_of_the_samples_is_cut():
    y = hiss()
    cut = clip_peaks(y)
    most = np.abs(cut).max()
    assert np.mean(np.abs(cut) >= most - 1e-7) == pytest.approx(0.1, abs=0.005)
    inside = np.abs(y) < most
    np.testing.assert_array_equal(cut[inside], y[inside])


@pytest.mark.parametrize("seconds", [0.25, 0.5, 1.0])
def test_the_room_rings_as_long_as_it_says(seconds):
    click = np.zeros(round(1.5 * SR), dtype=np.float32)
    click[0] = 1
    room = add_reverberation(click, SR, np.random.default_rng(0), seconds)[1:]
    assert np.sum(room**2) == pytest.approx(1, rel=1e-3)  # as much energy as the direct sound
    # Schroeder's backward integration: the time from -5 to -25 dB, three times over, is RT60.
    decay = 10 * np.log10(np.cumsum(room[::-1] ** 2)[::-1][: int(seconds * SR) - 10])
    t = np.arange(len(decay)) / SR
    first, last = (t[np.argmax(decay <= decay[0] - drop)] for drop in (5, 25))
    assert 3 * (last - first) == pytest.approx(seconds, rel=0.1)
