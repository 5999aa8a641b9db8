"""Scores on corpora that were not fitted on: a corpus split, from data to run."""

import json
import shutil

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import recall_score
from sklearn.preprocessing import StandardScaler
from sklearn.utils.class_weight import compute_sample_weight

from sklearn_ser import make_pipeline
from sklearn_ser.corpora import load_data
from sklearn_ser.pipelines import extract_features
from tests.conftest import run


@pytest.fixture(scope="module")
def three_corpora(little_corpus, tmp_path_factory):
    """Three folders of the same emotions, of different sizes: what load_data takes."""
    folder = tmp_path_factory.mktemp("corpora")
    for corpus, clips in [("one", (0, 1, 2, 3)), ("two", (4, 5)), ("three", (6, 7, 1))]:
        for emotion in ("angry", "neutral", "sad"):
            (folder / corpus / emotion).mkdir(parents=True)
            for i in clips:
                shutil.copy(little_corpus / emotion / f"{i}.wav", folder / corpus / emotion)
    (folder / "two" / "sad" / "5.wav").unlink()
    return ",".join(str(folder / name) for name in ("one", "two", "three"))


@pytest.mark.filterwarnings("ignore::sklearn_ser.exceptions.LeakageWarning")
def test_fit_equals_a_plain_script(three_corpora, tmp_path):
    out, _ = run(
        "fit", "--clf", "logreg", "--features", "mfcc", "--data", three_corpora, "--split",
        "corpus", "--json", "--out", tmp_path / "r",
    )  # fmt: skip
    metrics = json.loads(out)
    table = load_data(three_corpora)
    X = extract_features(make_pipeline("logreg", "mfcc"), table["path"].tolist()).X
    y, corpus = table["emotion"].to_numpy().astype(str), table["corpus"].to_numpy().astype(str)
    uars = {}
    for left_out in dict.fromkeys(corpus):
        train, test = corpus != left_out, corpus == left_out
        weights = compute_sample_weight("balanced", np.char.add(corpus[train], y[train]))
        scaler = StandardScaler().fit(X[train])
        clf = LogisticRegression(C=0.05, max_iter=3000, random_state=0)
        clf.fit(scaler.transform(X[train]), y[train], sample_weight=weights)
        predicted = clf.predict(scaler.transform(X[test]))
        uars[left_out] = recall_score(y[test], predicted, average="macro")
    found = {fold["test_corpora"][0]: fold["uar"] for fold in metrics["folds"]}
    assert found == pytest.approx(uars)
    assert metrics["uar_mean_over_corpora"] == pytest.approx(np.mean(list(uars.values())))
    assert metrics["n_test"] == len(table)


def test_weights_matter_and_are_those_of_corpus_and_emotion(three_corpora, tmp_path):
    """The same clips split by text have no weights, and another model."""
    from sklearn_ser.runs import RunOptions
    from sklearn_ser.runs.trainers import RecipeTrainer

    balance = {
        split: RecipeTrainer.from_options(RunOptions(three_corpora, split=split)).balance
        for split in ("corpus", "speaker")
    }
    assert balance == {"corpus": True, "speaker": False}


@pytest.mark.filterwarnings("ignore::sklearn_ser.exceptions.LeakageWarning")
def test_compare_has_the_mean_over_corpora(three_corpora, tmp_path):
    out, _ = run(
        "compare", "--clf", "logreg,rf", "--features", "mfcc", "--data", three_corpora, "--split",
        "corpus", "--json", "--out", tmp_path / "c",
    )  # fmt: skip
    comparison = json.loads(out)
    assert [row["split"] for row in comparison["rows"]] == ["corpus", "corpus"]
    assert all(0 <= row["uar_mean_over_corpora"] <= 1 for row in comparison["rows"])
    assert "On unseen corpora" in comparison["headline"]


def test_one_corpus_is_refused_before_any_work(little_corpus, tmp_path):
    _, err = run(
        "fit", "--data", little_corpus, "--split", "corpus", "--out", tmp_path / "r", code=2
    )
    assert "two or more, joined by commas" in err
    assert not (tmp_path / "r").exists()
