"""Folds against scikit-learn's own, in divisions and in runs."""

import json

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import recall_score
from sklearn.model_selection import LeaveOneGroupOut, StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline as plain_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from sklearn_ser import make_pipeline
from sklearn_ser.exceptions import CorpusError, OptionError
from sklearn_ser.model_selection import split_folds
from sklearn_ser.pipelines import extract_features
from tests.conftest import run
from tests.model_selection.test_splits import table


@pytest.mark.parametrize("split", ["random", "speaker", "text", "speaker+text"])
@pytest.mark.parametrize("n_folds", [3, "all"])
def test_folds_test_every_clip_once(split, n_folds):
    if (split, n_folds) == ("random", "all"):
        with pytest.raises(OptionError, match="give a number of folds"):
            split_folds(table(), split, n_folds)
        return
    corpus = table()
    folds = split_folds(corpus, split, n_folds, seed=1)
    n_speakers, n_texts = (3, 3) if n_folds == 3 else (6, 5)
    wanted = {"random": 3, "speaker": n_speakers, "text": n_texts}
    assert len(folds) == wanted.get(split, n_speakers * n_texts)
    assert sorted(np.concatenate([parts.test for parts in folds])) == list(range(len(corpus)))
    for parts in folds:
        seen = corpus.iloc[np.concatenate([parts.train, parts.validation])]
        assert len(parts.validation)
        for column in set(split.split("+")) - {"random"}:
            assert not set(seen[column]) & set(corpus[column].iloc[parts.test])


def test_folds_equal_scikit_learn():
    corpus = table()
    y = corpus["emotion"].to_numpy()
    ours = split_folds(corpus, "random", 4, validation_size=0, seed=3)
    theirs = StratifiedKFold(4, shuffle=True, random_state=3).split(y, y)
    for parts, (train, test) in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(parts.train, train)
        np.testing.assert_array_equal(parts.test, test)
    ours = split_folds(corpus, "speaker", "all", validation_size=0)
    theirs = LeaveOneGroupOut().split(y, y, corpus["speaker"])
    for parts, (train, test) in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(parts.train, train)
        np.testing.assert_array_equal(parts.test, test)


def test_fewer_folds_where_there_are_fewer_speakers():
    assert len(split_folds(table(n_speakers=2), "speaker", 5)) == 2


def test_pairs_of_speaker_and_text_that_nobody_recorded():
    corpus = table(n_speakers=3, n_texts=2)
    corpus = corpus[(corpus["speaker"] != "s0") | (corpus["text"] != "t1")].reset_index(drop=True)
    assert len(split_folds(corpus, "speaker+text", "all")) == 5


@pytest.mark.parametrize(
    ("corpus", "how", "error"),
    [
        (table(), {"split": "fold"}, OptionError),
        (table(), {"n_folds": 1}, OptionError),
        (table(n_speakers=1), {"split": "speaker"}, CorpusError),
        (table().drop(columns="text"), {"split": "speaker+text"}, CorpusError),
    ],
)
def test_invalid_folds(corpus, how, error):
    with pytest.raises(error):
        split_folds(corpus, **how)


@pytest.fixture(scope="module")
def left_out(spoken, tmp_path_factory):
    """Leave one speaker out with the svm, as one of the commands' users would."""
    folder = tmp_path_factory.mktemp("runs") / "r"
    out, err = run(
        "fit", "--data", spoken, "--split", "speaker", "--folds", "all", "--features", "mfcc",
        "--param", "clf__calibrate=false", "--json", "--out", folder,
    )  # fmt: skip
    return folder, json.loads(out), err


def test_leave_one_speaker_out_equals_scikit_learn(left_out, spoken):
    folder, metrics, _ = left_out
    corpus = pd.read_csv(spoken)
    X = extract_features(make_pipeline("svm", "mfcc"), corpus["path"].tolist()).X
    # Ties in votes by confidence, as in whatever predicts by its probabilities.
    svc = plain_pipeline(StandardScaler(), SVC(C=10, break_ties=True))
    predicted = cross_val_predict(
        svc, X, corpus["emotion"], cv=LeaveOneGroupOut(), groups=corpus["speaker"]
    )
    assert 0.3 < metrics["uar"] < 1  # there is something to get wrong
    assert metrics["uar"] == pytest.approx(
        recall_score(corpus["emotion"], predicted, average="macro")
    )
    answers = pd.read_csv(folder / "predictions.csv").set_index("path")
    assert answers["prediction"][corpus["path"]].tolist() == predicted.tolist()


def test_metrics_and_predictions_of_folds(left_out):
    folder, metrics, err = left_out
    assert (metrics["n_test"], metrics["n_train"], metrics["n_validation"]) == (24, 18, 0)
    assert metrics["validation"] is None
    assert [row["test_speakers"] for row in metrics["folds"]] == [[f"s{i}"] for i in range(4)]
    answers = pd.read_csv(folder / "predictions.csv")
    for row in metrics["folds"]:
        here = answers[answers["fold"] == row["fold"]]
        assert row["n_test"] == len(here) == 6
        assert row["accuracy"] == pytest.approx((here["truth"] == here["prediction"]).mean())
    assert metrics["audit"]["speaker"]["n_shared"] == 0
    assert metrics["audit"]["text"]["n_shared"] == 0
    assert "folds" in err


def test_saved_pipeline_of_folds_is_fitted_on_every_clip(left_out, spoken):
    folder, _, _ = left_out
    card = json.loads((folder / "card.json").read_text())
    assert card["refit"] is True
    assert card["split"]["n_folds"] == 4
    assert "pipelines of the folds" in (folder / "report.html").read_text()
    shown = run("card", folder)[0]
    assert "in 4 folds" in shown
    assert "fitted again on every clip" in shown
    assert len((folder / "seen_clips.txt").read_text().split()) == 24
    corpus = pd.read_csv(spoken)
    plain = make_pipeline("svm", "mfcc", clf__calibrate=False)
    plain.fit(corpus["path"], corpus["emotion"])
    saved = joblib.load(folder / "pipeline.joblib")
    np.testing.assert_allclose(
        saved.predict_proba(corpus["path"]), plain.predict_proba(corpus["path"]), atol=1e-6
    )


def test_printed_summary_of_folds(spoken, tmp_path):
    out, _ = run(
        "fit", "--data", spoken, "--split", "speaker+text", "--folds", 2, "--features", "mfcc",
        "--clf", "logreg", "--out", tmp_path / "r",
    )  # fmt: skip
    for words in ("4 folds, whose predictions are pooled", "24 in the test set", "bootstrap"):
        assert words in out


@pytest.mark.parametrize("folds", ["1", "x", "-3"])
def test_invalid_number_of_folds(spoken, folds):
    assert "--folds" in run("fit", "--data", spoken, "--folds", folds, code=2)[1]
