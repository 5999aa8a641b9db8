"""Degradations against what they claim to be, and the scores of degraded clips."""

import io
import json

import numpy as np
import pytest
import soundfile
from scipy.signal import welch
from typer.testing import CliRunner

from sklearn_ser import make_pipeline
from sklearn_ser.audio.degradations import (
    DEGRADATIONS,
    MP3_LEVEL,
    add_noise,
    add_reverberation,
    change_gain,
    clip_peaks,
    code_mp3,
    limit_band,
    reduce_rate,
)
from sklearn_ser.cli import app
from sklearn_ser.metrics import score, score_robustness
from tests.conftest import SR, voice


def hiss(seconds=4, sr=SR):
    return (np.random.default_rng(0).normal(size=int(seconds * sr)) / 10).astype(np.float32)


def level(y, low, high, sr=SR):
    """Power between two frequencies, in dB."""
    frequency, density = welch(y, sr, nperseg=2048)
    return 10 * np.log10(density[(frequency >= low) & (frequency <= high)].mean())


@pytest.mark.parametrize("name", DEGRADATIONS)
@pytest.mark.parametrize("sr", [8000, 16000, SR, 44100])
def test_each_keeps_length_and_kind_and_differs(name, sr):
    y = voice(0.4, sr=sr)
    worse, again, other = (DEGRADATIONS[name](y, sr, np.random.default_rng(i)) for i in (0, 0, 1))
    assert (worse.shape, worse.dtype) == (y.shape, np.float32)
    assert np.isfinite(worse).all()
    np.testing.assert_array_equal(worse, again)
    if not (name == "8 kHz" and sr == 8000):
        assert np.abs(worse - y).max() > 0.01
    assert (np.abs(worse - other).max() > 0) == (name[:5] in ("noise", "rever"))


@pytest.mark.parametrize("name", DEGRADATIONS)
def test_silence_and_a_handful_of_samples(name):
    for y in (np.zeros(4000, dtype=np.float32), voice(0.4)[:30]):
        worse = DEGRADATIONS[name](y, SR, np.random.default_rng(0))
        assert worse.shape == y.shape
        assert np.isfinite(worse).all()


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


@pytest.mark.parametrize("rate", [16000, 22050, 24000])
def test_the_mp3_has_32_kbit_a_second(rate):
    file = io.BytesIO()
    soundfile.write(
        file, hiss(10, rate), rate, format="MP3", subtype="MPEG_LAYER_III",
        bitrate_mode="CONSTANT", compression_level=MP3_LEVEL,
    )  # fmt: skip
    assert len(file.getvalue()) * 8 / 10 == pytest.approx(32000, rel=0.02)


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


def test_the_room_rings_as_long_as_it_says():
    click = np.zeros(SR, dtype=np.float32)
    click[0] = 1
    room = add_reverberation(click, SR, np.random.default_rng(0), seconds=0.5)[1:]
    assert np.sum(room**2) == pytest.approx(1, rel=1e-3)  # as much energy as the direct sound
    # Schroeder's backward integration: the time from -5 to -25 dB, three times over, is RT60.
    decay = 10 * np.log10(np.cumsum(room[::-1] ** 2)[::-1][: SR // 2 - 10])
    t = np.arange(len(decay)) / SR
    first, last = (t[np.argmax(decay <= decay[0] - drop)] for drop in (5, 25))
    assert 3 * (last - first) == pytest.approx(0.5, abs=0.05)


def test_stress_is_a_loop_over_predict():
    rng = np.random.default_rng(0)
    clips = [voice(0.4, pitch, seed=i) for i, pitch in enumerate(rng.normal(150, 40, size=70))]
    y = ["low" if i % 2 else "high" for i in range(70)]
    clips = [clip * (0.3 if label == "low" else 1) for clip, label in zip(clips, y, strict=True)]
    pipe = make_pipeline("logreg", "mfcc").fit(clips[:40], y[:40])
    seen = []
    found = score_robustness(
        pipe, clips, y, seed=3, on_batch=lambda done, total: seen.append((done, total))
    )
    assert seen == [(64, 70), (70, 70)]
    rows = {row["name"]: row for row in found["conditions"]}
    assert list(rows) == ["as recorded", *DEGRADATIONS]
    clean = pipe.predict(clips)
    assert rows["as recorded"] == {
        "name": "as recorded",
        "accuracy": score(y, clean)["accuracy"],
        "uar": score(y, clean)["uar"],
        "changed": 0.0,
    }
    for name in ("gain +12 dB", "MP3 at 32 kbit/s"):
        predictions = pipe[1:].predict([DEGRADATIONS[name](clip, SR, rng) for clip in clips])
        assert rows[name]["accuracy"] == score(y, predictions)["accuracy"]
        assert rows[name]["changed"] == np.mean(predictions != clean)
    assert rows["gain +12 dB"]["changed"] > 0.2  # loudness was all there was to learn
    assert score_robustness(pipe, clips, y, seed=3) == found


def test_a_clips_noise_does_not_depend_on_its_company():
    clips = [voice(0.4, seed=i) for i in range(6)]
    degraded = []

    class Listener:
        def __init__(self, pipe):
            self.named_steps = pipe.named_steps

        def __getitem__(self, key):
            return self

        def predict(self, X):
            degraded.append(np.asarray(X))
            return np.array(["sad"] * len(X))

    pipe = Listener(make_pipeline("logreg", "mfcc"))
    for n in (6, 3):
        score_robustness(pipe, clips[:n], ["sad"] * n)
    half = len(degraded) // 2
    for whole, part in zip(degraded[:half], degraded[half:], strict=True):
        np.testing.assert_array_equal(whole[:3], part)


def test_evaluate_stress(little_corpus, tmp_path):
    def run(*words):
        result = CliRunner().invoke(app, [str(word) for word in words])
        assert result.exit_code == 0, result.output
        return result.stdout

    run("fit", "--data", little_corpus, "--features", "mfcc", "--clf", "logreg",
        "--out", tmp_path / "r")  # fmt: skip
    how = ("evaluate", tmp_path / "r", "--data", little_corpus)
    metrics = json.loads(run(*how, "--stress", "--json"))
    run_itself = json.loads((tmp_path / "r" / "metrics.json").read_text())
    # The clips of the run's own test part are the ones not seen in training.
    assert metrics["stress"]["n_clips"] == run_itself["n_test"]
    assert metrics["stress"]["seen_in_training"] is False
    assert metrics["stress"]["conditions"][0]["uar"] == run_itself["uar"]
    assert len(metrics["stress"]["conditions"]) == 11
    assert metrics["by_speaker"] is None
    assert sum(map(sum, metrics["confusion_matrix"]["counts"])) == 24
    assert "MP3 at 32 kbit/s" in run(*how, "--stress")
    assert json.loads(run(*how, "--json"))["stress"] is None
