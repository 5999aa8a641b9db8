"""Scores of degraded clips against plain predictions."""

import numpy as np

from sklearn_ser import make_pipeline
from sklearn_ser.audio.conditions import AS_RECORDED, Condition
from sklearn_ser.audio.degradations import DEGRADATIONS
from sklearn_ser.metrics import bootstrap_scores, predict_degraded, score, score_robustness
from sklearn_ser.metrics.robustness import score_degraded
from tests.conftest import SR, voice


def test_stress_is_a_loop_over_predict():
    rng = np.random.default_rng(0)
    clips = [voice(0.3, pitch, seed=i) for i, pitch in enumerate(rng.normal(150, 40, size=30))]
    y = ["low" if i % 2 else "high" for i in range(30)]
    clips = [clip * (0.3 if label == "low" else 1) for clip, label in zip(clips, y, strict=True)]
    pipe = make_pipeline("logreg", "mfcc").fit(clips[:20], y[:20])
    seen = []
    found = score_robustness(
        pipe, clips, y, seed=3, on_batch=lambda done, total: seen.append((done, total))
    )
    n = 30 * len(found["conditions"])
    assert seen[-1] == (n, n)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    rows = {row["name"]: row for row in found["conditions"]}
    clean = pipe.predict(clips)
    assert rows["as recorded"]["uar"] == score(y, clean)["uar"]
    assert rows["as recorded"]["changed"] == 0
    for key, strength in (("gain", 12.0), ("mp3", 32.0)):
        one = DEGRADATIONS[key]
        predictions = pipe[1:].predict([one.apply(clip, SR, strength, rng) for clip in clips])
        row = rows[one.label(strength)]
        assert row["accuracy"] == score(y, predictions)["accuracy"]
        assert row["macro_f1"] == score(y, predictions)["macro_f1"]
        assert row["uar_interval"] == bootstrap_scores(y, predictions, seed=3)["uar_interval"]
        assert row["changed"] == np.mean(predictions != clean)
        names, counts = np.unique(predictions, return_counts=True)
        assert row["most_predicted"] == names[counts.argmax()]
        assert row["most_predicted_share"] == counts.max() / 30
        assert (row["degradation"], row["strength"], row["unit"]) == (one.name, strength, one.unit)
    assert rows["gain, +12 dB"]["changed"] > 0.2  # loudness was all there was to learn
    assert rows["telephone band"]["strength"] is rows["telephone band"]["unit"] is None


def test_predictions_depend_neither_on_order_nor_on_workers(clips):
    pipe = make_pipeline("logreg", "mfcc").fit(clips, [clip[-5] for clip in clips])
    few = clips[::4]
    found = predict_degraded(pipe, few, seed=1)
    pipe.named_steps["features"].set_params(n_jobs=2)
    turned = predict_degraded(pipe, few[::-1], seed=1)
    for condition, predicted in found.items():
        np.testing.assert_array_equal(predicted, turned[condition][::-1])


def test_scores_of_given_predictions():
    truth = ["sad", "sad", "happy", "happy"]
    noisy = Condition("noise", 10.0)
    predicted = {AS_RECORDED: np.array(truth), noisy: np.array(["sad"] * 4)}
    found = score_degraded(truth, predicted)
    assert found["chance"]["uar"] == 0.5
    clean, row = found["conditions"]
    assert (clean["uar"], row["uar"], row["changed"]) == (1, 0.5, 0.5)
    assert (row["most_predicted"], row["most_predicted_share"], row["n"]) == ("sad", 1, 4)
