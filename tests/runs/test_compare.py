"""Comparisons: the paired test against scikit-learn and scipy, and the command."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest, false_discovery_control
from sklearn.metrics import accuracy_score, balanced_accuracy_score

from sklearn_ser.metrics.paired import compare_pairs, holm, paired_test
from sklearn_ser.report.verdict import headline
from sklearn_ser.runs import store
from tests.conftest import run


def two_classifiers(n=300, shares=(0.8, 0.6), seed=0):
    rng = np.random.default_rng(seed)
    truth = rng.choice(["angry", "happy", "sad"], size=n)
    guesses = rng.choice(["angry", "happy", "sad"], size=(2, n))
    right = rng.random((2, n)) < np.array(shares)[:, None]
    return truth, *np.where(right, truth, guesses)


def test_the_difference_is_that_of_balanced_accuracy():
    truth, first, second = two_classifiers()
    expected = balanced_accuracy_score(truth, first) - balanced_accuracy_score(truth, second)
    assert paired_test(truth, first, second)["difference"] == pytest.approx(expected)


def test_with_equal_classes_it_is_mcnemars_test():
    """Exchanging answers to clips of equal weight is a coin per clip that only one got right."""
    truth = np.array(["sad", "happy"] * 60)
    first, second = truth.copy(), truth.copy()
    first[:10] = "angry"
    second[20:46] = "angry"
    exact = binomtest(10, 36).pvalue
    assert paired_test(truth, first, second)["p"] == pytest.approx(exact, abs=0.005)


def test_speakers_exchange_as_a_whole():
    """Eight speakers of whom all prefer one classifier: 2 of the 256 exchanges are as extreme."""
    truth = np.array(["sad", "happy"] * 80)
    speakers = np.repeat([f"s{i}" for i in range(8)], 20)
    second = truth.copy()
    second[::10] = "angry"
    result = paired_test(truth, truth, second, speakers)
    assert (result["resampled"], result["n"]) == ("speakers", 8)
    assert result["p"] == pytest.approx(2 / 256)
    assert paired_test(truth, truth, second)["p"] < 0.001


def test_equal_classifiers_are_rarely_told_apart():
    p = [paired_test(*two_classifiers(100, (0.7, 0.7), seed=s))["p"] for s in range(40)]
    assert sum(value < 0.05 for value in p) <= 6
    assert paired_test(["a", "b"], ["a", "b"], ["a", "b"])["p"] == 1
    assert paired_test(["a", "b"], ["a", "b"], ["a", "a"])["p"] == 1


def test_pairs_are_named_the_better_first_and_adjusted():
    truth, good, bad = two_classifiers(400, (0.9, 0.5))
    pairs = compare_pairs(truth, {"bad": bad, "good": good, "same": good})
    found = {(pair["better"], pair["worse"]): pair for pair in pairs}
    assert found["good", "bad"]["difference"] > 0.2
    assert not found["good", "bad"]["within_noise"]
    assert "good beats bad" in found["good", "bad"]["sentence"]
    assert found["good", "same"]["within_noise"]
    assert "within noise (p 1.00)" in found["good", "same"]["sentence"]


def test_holm_lies_between_nothing_and_bonferroni():
    p = [0.001, 0.2, 0.012, 0.04]
    adjusted = holm(p)
    assert adjusted == pytest.approx([0.004, 0.2, 0.036, 0.08])
    assert all(false_discovery_control(p) <= np.array(adjusted) + 1e-12)
    assert holm([]) == []


def row(clf, split, uar, width=0.05, **more):
    interval = [uar - width, uar + width]
    return {"clf": clf, "split": split, "uar": uar, "uar_interval": interval} | {
        "chance": {"uar": 0.25}, "transductive": False, **more
    }  # fmt: skip


def pair(better, worse, within_noise):
    return {"better": better, "worse": worse, "within_noise": within_noise}


def test_headline_leads_with_unseen_speakers():
    rows = [row("svm", "random", 0.9), row("rf", "random", 0.8)]
    rows += [row("svm", "speaker", 0.4), row("rf", "speaker", 0.6)]
    tests = {"random": [pair("svm", "rf", False)], "speaker": [pair("rf", "svm", False)]}
    assert headline(rows, tests) == (
        "On unseen speakers rf is best, with a UAR of 0.600 (chance 0.250). On a random split svm "
        "is best, with a UAR of 0.900 (chance 0.250)."
    )


def test_headline_names_no_best_within_noise():
    rows = [row("svm", "random", 0.9), row("rf", "random", 0.89), row("mlp", "random", 0.5)]
    pairs = [pair("svm", "rf", True), pair("svm", "mlp", False), pair("rf", "mlp", False)]
    assert headline(rows, {"random": pairs}) == (
        "On a random split no clear best: svm 0.900 and rf 0.890 UAR are within noise (chance "
        "0.250)."
    )


def test_headline_at_chance():
    rows = [row("svm", "speaker", 0.28), row("rf", "speaker", 0.22)]
    tests = {"speaker": [pair("svm", "rf", False)]}
    assert "no classifier is better than guessing: the best UAR is 0.280" in headline(rows, tests)
    assert "svm is no better than guessing: UAR 0.280" in headline(rows[:1], {})
    transductive = headline([row("svm", "speaker", 0.8, transductive=True)], {})
    assert transductive.startswith("On unseen speakers (transductive) svm has a UAR of 0.800")


@pytest.fixture(scope="module")
def compared(spoken, tmp_path_factory):
    folder = tmp_path_factory.mktemp("compared") / "c"
    out, err = run(
        "compare", "--clf", "svm,logreg", "--data", spoken, "--features", "mfcc", "--json",
        "--out", folder,
    )  # fmt: skip
    return folder, json.loads(out), err


def test_json_csv_and_predictions_agree(compared):
    folder, comparison, err = compared
    assert comparison == json.loads((folder / "comparison.json").read_text())
    table = pd.read_csv(folder / "comparison.csv")
    answers = pd.read_csv(folder / "predictions.csv")
    pairs = [(row["clf"], row["split"]) for row in comparison["rows"]]
    assert pairs == [(c, s) for s in ("random", "speaker") for c in ("svm", "logreg")]
    for row, line in zip(comparison["rows"], table.to_dict("records"), strict=True):
        here = answers[answers["split"] == row["split"]]
        assert (
            row["accuracy"] == line["accuracy"] == accuracy_score(here["truth"], here[row["clf"]])
        )
        assert row["uar"] == pytest.approx(balanced_accuracy_score(here["truth"], here[row["clf"]]))
        assert row["uar_interval"] == [line["uar_low"], line["uar_high"]]
        assert row["n_test"] == len(here)
        assert row["fit_seconds"] > 0
    assert set(comparison["tests"]) == set(comparison["audit"]) == {"random", "speaker"}
    assert comparison["audit"]["random"]["speaker"]["n_shared"] == 3
    assert comparison["audit"]["speaker"]["speaker"]["n_shared"] == 0
    assert comparison["headline"] == headline(comparison["rows"], comparison["tests"])
    assert "On unseen speakers" in comparison["headline"].partition(". ")[0]
    assert (folder / "comparison.png").stat().st_size > 5000
    assert "comparing" in err


def test_the_same_numbers_as_fit(compared, spoken, tmp_path):
    _, comparison, _ = compared
    for row in comparison["rows"][1::2]:
        how = ("fit", "--clf", row["clf"], "--data", spoken, "--features", "mfcc", "--json")
        out, _ = run(*how, "--split", row["split"], "--out", tmp_path / row["split"])
        metrics = json.loads(out)
        for name in ("accuracy", "uar", "macro_f1", "uar_interval", "n_train", "n_test"):
            assert row[name] == metrics[name]


def test_again_the_same(compared, spoken, tmp_path):
    folder, _, _ = compared
    out, _ = run(
        "compare", "--clf", "svm,logreg", "--data", spoken, "--features", "mfcc",
        "--out", tmp_path / "again",
    )  # fmt: skip
    seconds = ["fit_seconds", "predict_seconds"]
    first, again = (
        pd.read_csv(f / "comparison.csv").drop(columns=seconds)
        for f in (folder, tmp_path / "again")
    )
    pd.testing.assert_frame_equal(first, again)
    for words in ("On a random split no clear best", "svm", "within noise",
                  "Guessing among 3 emotions", "3 of 3 speakers",
                  "No speaker is on both sides"):  # fmt: skip
        assert words in out


def test_features_of_each_classifier_are_extracted_once(spoken, tmp_path, monkeypatch):
    calls = []
    extract = store.extract_features
    monkeypatch.setattr(
        store, "extract_features", lambda *a, **k: calls.append(1) or extract(*a, **k)
    )
    how = ("--clf", "svm,rf,logreg", "--data", spoken, "--features", "mfcc", "--folds", 2)
    out, _ = run("compare", *how, "--out", tmp_path / "c", "--json")
    assert len(calls) == 1
    assert {row["n_folds"] for row in json.loads(out)["rows"]} == {2}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--clf", "svm,svm"), "each once"),
        (("--clf", ""), "at least one"),
        (("--clf", "svm,smv"), "did you mean svm?"),
        (("--split", "random,spaeker"), "Unknown split 'spaeker'"),
    ],
)
def test_mistakes(spoken, tmp_path, words, message):
    err = run("compare", "--data", spoken, "--out", tmp_path / "c", *words, code=2)[1]
    assert message in err
    assert not (tmp_path / "c").exists()


def test_a_split_that_the_corpus_does_not_allow(little_corpus, tmp_path):
    err = run("compare", "--data", little_corpus, "--out", tmp_path / "c", code=2)[1]
    assert "has no speakers" in err


def test_unreadable_clips_are_left_out_for_all(little_corpus, tmp_path):
    import shutil

    shutil.copytree(little_corpus, tmp_path / "data")
    (tmp_path / "data" / "sad" / "text.wav").write_text("no audio")
    how = ("compare", "--clf", "logreg", "--split", "random", "--features", "mfcc", "--json")
    how = (*how, "--data", tmp_path / "data", "--out", tmp_path / "c")
    assert "text.wav is not audio" in run(*how, code=2)[1]
    comparison = json.loads(run(*how, "--on-error", "skip")[0])
    assert (comparison["n_clips"], len(comparison["skipped"])) == (24, 1)
