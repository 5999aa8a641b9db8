"""The command compare."""

import json

import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score

from sklearn_ser.report.verdict import headline
from sklearn_ser.runs import store
from tests.conftest import run


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


def test_compare_scores_equal_those_of_fit(compared, spoken, tmp_path):
    _, comparison, _ = compared
    for row in comparison["rows"][1::2]:
        how = ("fit", "--clf", row["clf"], "--data", spoken, "--features", "mfcc", "--json")
        out, _ = run(*how, "--split", row["split"], "--out", tmp_path / row["split"])
        metrics = json.loads(out)
        for name in ("accuracy", "uar", "macro_f1", "uar_interval", "n_train", "n_test"):
            assert row[name] == metrics[name]


def test_compare_is_reproducible(compared, spoken, tmp_path):
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
def test_option_errors(spoken, tmp_path, words, message):
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
