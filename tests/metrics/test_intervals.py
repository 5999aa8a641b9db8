import numpy as np
import pytest
from scipy.stats import binomtest, bootstrap
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score

from sklearn_ser.metrics import bootstrap_scores, score
from sklearn_ser.metrics.intervals import ENOUGH_SPEAKERS, _exact_bounds


def some_predictions(n=300, n_speakers=12, seed=0):
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
def test_clip_bootstrap_agrees_with_scipy(name, metric):
    truth, predicted, _ = some_predictions()
    found = bootstrap_scores(truth, predicted)
    theirs = bootstrap(
        (np.arange(len(truth)),),
        lambda rows: metric(truth[rows], predicted[rows]),
        vectorized=False, method="percentile", n_resamples=600, rng=np.random.default_rng(1),
    ).confidence_interval  # fmt: skip
    assert found[f"{name}_interval"] == pytest.approx(tuple(theirs), abs=0.015)
    assert found["interval"]["resampled"] == "clips"


def test_speaker_bootstrap_agrees_with_scipy():
    truth, predicted, speakers = some_predictions()
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


def test_clips_are_resampled_for_few_or_unknown_speakers():
    truth, predicted, speakers = some_predictions(n_speakers=ENOUGH_SPEAKERS - 1)
    few = bootstrap_scores(truth, predicted, speakers)
    assert (few["interval"]["resampled"], few["interval"]["n"]) == ("clips", 300)
    assert "nothing about unseen speakers" in few["interval"]["about"]
    truth, predicted, speakers = some_predictions()
    some = speakers.astype(object)
    some[3] = None
    assert bootstrap_scores(truth, predicted, some)["interval"]["resampled"] == "clips"


def test_same_seed_same_intervals_around_the_score():
    truth, predicted, speakers = some_predictions()
    first, again, other = (bootstrap_scores(truth, predicted, speakers, seed=s) for s in (1, 1, 2))
    assert first == again
    assert first != other
    low, high = first["uar_interval"]
    assert low < score(truth, predicted)["uar"] < high


def test_emotions_that_a_resample_lacks_and_that_are_only_predicted():
    found = bootstrap_scores(["sad"] * 20 + ["happy"], ["sad"] * 19 + ["calm", "happy"])
    assert 0.8 < found["uar_interval"][0] <= found["uar_interval"][1] == 1


@pytest.mark.parametrize("n", [3, 20, 560])
def test_all_or_none_right_is_clopper_and_pearson(n):
    truth = ["sad", "happy"] * n
    exact = binomtest(2 * n, 2 * n).proportion_ci(0.95)
    found = bootstrap_scores(truth, truth)
    for name in ("accuracy", "uar", "macro_f1"):
        assert found[f"{name}_interval"] == pytest.approx(tuple(exact))
    assert found["interval"]["exact"] == ["accuracy", "macro_f1", "uar"]
    assert "Clopper" in found["interval"]["about"]
    none = bootstrap_scores(truth, ["happy", "sad"] * n)
    assert none["accuracy_interval"] == pytest.approx(tuple(binomtest(0, 2 * n).proportion_ci()))
    assert none["uar_interval"][0] == 0 < none["uar_interval"][1] < 1


def test_speakers_without_a_mistake_count_once_each():
    truth, _, speakers = some_predictions()
    found = bootstrap_scores(truth, truth, speakers)
    assert found["accuracy_interval"] == pytest.approx(tuple(binomtest(12, 12).proportion_ci()))
    assert found["uar_interval"] == found["accuracy_interval"]


def test_the_rarest_emotion_sets_the_interval_of_the_uar():
    truth = ["sad"] * 100 + ["happy"] * 3
    found = bootstrap_scores(truth, truth)
    assert found["uar_interval"][0] == pytest.approx(0.025 ** (1 / 6))
    # What the bound promises: recalls of which all right is as likely as 2.5 % have no lower mean.
    happy = np.linspace(0.01, 1, 500)
    sad = np.minimum(1, (0.025 / happy**3) ** (1 / 100))
    possible = sad**100 * happy**3 > 0.0249
    assert ((sad + happy) / 2)[possible].min() > found["uar_interval"][0]


def test_one_emotion_for_every_clip_has_no_certain_uar():
    found = bootstrap_scores(["a", "b", "c"] * 20, ["a"] * 60)
    low, high = found["uar_interval"]
    assert low < 1 / 3 < high
    assert found["interval"]["exact"] == ["uar"]


def test_speakers_who_score_alike_keep_their_interval():
    found = bootstrap_scores(["a", "b"] * 10, ["a", "a"] * 10, [f"s{i // 2}" for i in range(20)])
    assert found["accuracy_interval"] == [0.5, 0.5]


def test_macro_f1_keeps_the_lower_bound_of_the_uar():
    """Of 2000 classifiers that are all right as often as 2.5 %, none has a lower macro F1."""
    rng = np.random.default_rng(0)
    for _ in range(2000):
        n_emotions = rng.integers(2, 6)
        n = rng.integers(1, 60, size=n_emotions)
        shares = rng.dirichlet(np.full(n_emotions, rng.choice([0.2, 1, 50])))
        recall = 0.025 ** (shares / n)  # the product of recall ** n is 0.025
        confusion = np.diag(n * recall)
        for i in range(n_emotions):
            others = [j for j in range(n_emotions) if j != i]
            spread = rng.dirichlet(np.full(n_emotions - 1, rng.choice([0.05, 1, 50])))
            confusion[i, others] = n[i] * (1 - recall[i]) * spread
        f1 = 2 * np.diag(confusion) / (confusion.sum(axis=0) + confusion.sum(axis=1))
        truth = np.repeat(np.arange(n_emotions), n)
        bounds = _exact_bounds(truth, truth, np.arange(len(truth)), 0.025)
        assert f1.mean() >= bounds["macro_f1"][0] - 1e-9
        assert recall.mean() >= bounds["uar"][0] - 1e-9
