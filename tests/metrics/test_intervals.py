import numpy as np
import pytest
from scipy.stats import bootstrap
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score

from sklearn_ser.metrics import bootstrap_scores, score
from sklearn_ser.metrics.intervals import ENOUGH_SPEAKERS


def answers(n=300, n_speakers=12, seed=0):
    """Truth, and predictions of which speakers get very unequal shares right."""
    rng = np.random.default_rng(seed)
    truth = rng.choice(["angry", "happy", "sad"], size=n, p=[0.5, 0.3, 0.2])
    speakers = rng.integers(n_speakers, size=n)
    right = rng.random(n) < np.linspace(0.3, 1, n_speakers)[speakers]
    guesses = rng.choice(["angry", "happy", "sad"], size=n)
    return truth, np.where(right, truth, guesses), np.array([f"s{s:02}" for s in speakers])


@pytest.mark.parametrize(
    ("name", "metric"),
    [
        ("accuracy", accuracy_score),
        ("uar", balanced_accuracy_score),
        ("macro_f1", lambda y, p: f1_score(y, p, average="macro")),
    ],
)
def test_clips_drawn_anew_are_scipys_bootstrap(name, metric):
    truth, predicted, _ = answers()
    found = bootstrap_scores(truth, predicted)
    theirs = bootstrap(
        (np.arange(len(truth)),),
        lambda rows: metric(truth[rows], predicted[rows]),
        vectorized=False, method="percentile", n_resamples=600, rng=np.random.default_rng(1),
    ).confidence_interval  # fmt: skip
    assert found[f"{name}_interval"] == pytest.approx(tuple(theirs), abs=0.015)
    assert found["interval"]["resampled"] == "clips"


def test_speakers_drawn_anew_are_scipys_bootstrap():
    truth, predicted, speakers = answers()
    rows_of = [np.flatnonzero(speakers == s) for s in np.unique(speakers)]

    def uar(drawn):
        rows = np.concatenate([rows_of[s] for s in drawn])
        return balanced_accuracy_score(truth[rows], predicted[rows])

    found = bootstrap_scores(truth, predicted, speakers)
    theirs = bootstrap(
        (np.arange(len(rows_of)),), uar, vectorized=False, method="percentile", n_resamples=600,
        rng=np.random.default_rng(1),
    ).confidence_interval  # fmt: skip
    assert found["uar_interval"] == pytest.approx(tuple(theirs), abs=0.02)
    assert found["interval"]["resampled"] == "speakers"
    assert found["interval"]["n"] == 12
    low, high = bootstrap_scores(truth, predicted)["uar_interval"]
    assert found["uar_interval"][1] - found["uar_interval"][0] > 1.3 * (high - low)


def test_few_or_unknown_speakers_mean_clips():
    truth, predicted, speakers = answers(n_speakers=ENOUGH_SPEAKERS - 1)
    few = bootstrap_scores(truth, predicted, speakers)
    assert (few["interval"]["resampled"], few["interval"]["n"]) == ("clips", 300)
    assert "nothing of how new speakers differ" in few["interval"]["about"]
    truth, predicted, speakers = answers()
    some = speakers.astype(object)
    some[3] = None
    assert bootstrap_scores(truth, predicted, some)["interval"]["resampled"] == "clips"


def test_same_seed_same_intervals_around_the_score():
    truth, predicted, speakers = answers()
    first, again, other = (bootstrap_scores(truth, predicted, speakers, seed=s) for s in (1, 1, 2))
    assert first == again
    assert first != other
    low, high = first["uar_interval"]
    assert low < score(truth, predicted)["uar"] < high


def test_emotions_that_a_resample_lacks_and_that_are_only_predicted():
    found = bootstrap_scores(["sad"] * 20 + ["happy"], ["sad"] * 19 + ["calm", "happy"])
    assert 0.8 < found["uar_interval"][0] <= found["uar_interval"][1] == 1
