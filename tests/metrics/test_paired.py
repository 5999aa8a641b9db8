"""The paired test against scipy and McNemar's test; Holm's correction."""

import numpy as np
import pytest
from scipy.stats import binomtest, false_discovery_control
from sklearn.metrics import balanced_accuracy_score

from sklearn_ser.metrics.paired import compare_pairs, holm, paired_test


def two_classifiers(n=300, shares=(0.8, 0.6), seed=0):
    rng = np.random.default_rng(seed)
    truth = rng.choice(["angry", "happy", "sad"], size=n)
    guesses = rng.choice(["angry", "happy", "sad"], size=(2, n))
    right = rng.random((2, n)) < np.array(shares)[:, None]
    return truth, *np.where(right, truth, guesses)


def test_difference_is_that_of_balanced_accuracy():
    truth, first, second = two_classifiers()
    expected = balanced_accuracy_score(truth, first) - balanced_accuracy_score(truth, second)
    assert paired_test(truth, first, second)["difference"] == pytest.approx(expected)


def test_equal_class_sizes_give_mcnemars_test():
    """Exchanging predictions of clips of equal weight tosses a coin for each that differs."""
    truth = np.array(["sad", "happy"] * 60)
    first, second = truth.copy(), truth.copy()
    first[:10] = "angry"
    second[20:46] = "angry"
    exact = binomtest(10, 36).pvalue
    assert paired_test(truth, first, second)["p"] == pytest.approx(exact, abs=0.005)


def test_speakers_are_exchanged_as_a_whole():
    """Eight speakers of whom all prefer one classifier: 2 of the 256 exchanges are as extreme."""
    truth = np.array(["sad", "happy"] * 80)
    speakers = np.repeat([f"s{i}" for i in range(8)], 20)
    second = truth.copy()
    second[::10] = "angry"
    result = paired_test(truth, truth, second, speakers)
    assert (result["resampled"], result["n"]) == ("speakers", 8)
    assert result["p"] == pytest.approx(2 / 256)
    assert paired_test(truth, truth, second)["p"] < 0.001


def test_equal_classifiers_are_rarely_called_different():
    p = [paired_test(*two_classifiers(100, (0.7, 0.7), seed=s))["p"] for s in range(40)]
    assert sum(value < 0.05 for value in p) <= 6
    assert paired_test(["a", "b"], ["a", "b"], ["a", "b"])["p"] == 1
    assert paired_test(["a", "b"], ["a", "b"], ["a", "a"])["p"] == 1


def test_pairs_are_ordered_and_adjusted():
    truth, good, bad = two_classifiers(400, (0.9, 0.5))
    pairs = compare_pairs(truth, {"bad": bad, "good": good, "same": good})
    found = {(pair["better"], pair["worse"]): pair for pair in pairs}
    assert found["good", "bad"]["difference"] > 0.2
    assert not found["good", "bad"]["within_noise"]
    assert "good beats bad" in found["good", "bad"]["sentence"]
    assert found["good", "same"]["within_noise"]
    assert "within noise (p 1.00)" in found["good", "same"]["sentence"]


def test_holm_lies_between_uncorrected_and_bonferroni():
    p = [0.001, 0.2, 0.012, 0.04]
    adjusted = holm(p)
    assert adjusted == pytest.approx([0.004, 0.2, 0.036, 0.08])
    assert all(false_discovery_control(p) <= np.array(adjusted) + 1e-12)
    assert holm([]) == []
