"""Scores on corpora that were not fitted on: a corpus split, from data to run."""

import json
import shutil

import numpy as np
import pandas as pd
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
    pooled, left_out = comparison["rows"][:2], comparison["rows"][2:]
    assert {row["split"] for row in comparison["rows"]} == {"corpus"}
    assert [(row["clf"], row["test"]) for row in pooled] == [("logreg", None), ("rf", None)]
    assert [(row["clf"], row["test"]) for row in left_out] == [
        (clf, name) for clf in ("logreg", "rf") for name in ("one", "three", "two")
    ]
    for row in pooled:
        uars = [one["uar"] for one in left_out if one["clf"] == row["clf"]]
        assert row["uar_mean_over_corpora"] == pytest.approx(np.mean(uars))
    assert "On unseen corpora" in comparison["headline"]


@pytest.mark.filterwarnings("ignore::sklearn_ser.exceptions.LeakageWarning")
def test_matrix_equals_plain_scripts(three_corpora, tmp_path, monkeypatch):
    from sklearn_ser.runs import store

    calls = []
    extract = store.extract_features
    monkeypatch.setattr(
        store, "extract_features", lambda *a, **k: calls.append(1) or extract(*a, **k)
    )
    how = ("--features", "mfcc", "--data", three_corpora, "--split", "random,corpus")
    comparison = json.loads(
        run("compare", "--clf", "logreg", *how, "--json", "--out", tmp_path / "c")[0]
    )
    assert len(calls) == 1
    table = load_data(three_corpora)
    X = extract_features(make_pipeline("logreg", "mfcc"), table["path"].tolist()).X
    y, corpus = table["emotion"].to_numpy().astype(str), table["corpus"].to_numpy().astype(str)
    expected = {}
    for one in dict.fromkeys(corpus):
        train = corpus == one
        scaler = StandardScaler().fit(X[train])
        clf = LogisticRegression(C=0.05, max_iter=3000, random_state=0)
        weights = compute_sample_weight("balanced", y[train])
        clf.fit(scaler.transform(X[train]), y[train], sample_weight=weights)
        for other in set(corpus) - {one}:
            test = corpus == other
            predicted = clf.predict(scaler.transform(X[test]))
            expected[one, other] = recall_score(y[test], predicted, average="macro")
    found = {(row["train"], row["test"]): row["uar"] for row in comparison["matrix"]}
    assert found == pytest.approx(expected)
    assert len(found) == 6
    assert {row["clf"] for row in comparison["matrix"]} == {"logreg"}
    assert len((tmp_path / "c" / "matrix.csv").read_text().splitlines()) == 7
    out, _ = run("compare", "--clf", "logreg", *how, "--out", tmp_path / "d")
    assert "logreg fitted on" in out
    assert "all others" in out
    assert f"{expected['one', 'two']:.3f}" in out


def test_of_two_corpora_the_matrix_is_leave_one_out(little_corpus, tmp_path):
    """An emotion that only one of them has is left out of the matrix, as in evaluate."""
    for name, emotions in [("one", "angry,sad"), ("two", "neutral,sad,angry")]:
        for emotion in emotions.split(","):
            (tmp_path / name / emotion).mkdir(parents=True)
            for i in range(0 if name == "one" else 4, 4 if name == "one" else 8):
                shutil.copy(little_corpus / emotion / f"{i}.wav", tmp_path / name / emotion)
    data = f"{tmp_path / 'one'},{tmp_path / 'two'}"
    how = ("compare", "--clf", "logreg", "--features", "mfcc", "--split", "corpus", "--json")
    comparison = json.loads(run(*how, "--data", data, "--out", tmp_path / "all")[0])
    n_test = {row["test"]: row["n_test"] for row in comparison["matrix"]}
    assert n_test == {"one": 8, "two": 8}
    same = (*how, "--data", data, "--emotions", "angry,sad", "--out", tmp_path / "same")
    comparison = json.loads(run(*same)[0])
    left_out = {row["test"]: row["uar"] for row in comparison["rows"] if row["test"]}
    assert {row["test"]: row["uar"] for row in comparison["matrix"]} == left_out


def test_no_emotion_in_common_is_refused(little_corpus, tmp_path):
    for name, emotions in [("one", ("angry", "neutral")), ("two", ("sad", "calm"))]:
        for emotion in emotions:
            source = little_corpus / ("angry" if emotion == "calm" else emotion)
            shutil.copytree(source, tmp_path / name / emotion)
    data = f"{tmp_path / 'one'},{tmp_path / 'two'}"
    for command in ("fit", "compare", "grid-search"):
        how = (command, "--data", data, "--split", "corpus", "--out", tmp_path / "r")
        if command == "grid-search":
            how = (*how, "--nested")
        _, err = run(*how, code=2)
        assert "no emotion in training and test set both" in err
        assert not (tmp_path / "r").exists()


def test_a_speaker_with_one_clip_is_tested_too(spoken, tmp_path):
    table = pd.read_csv(spoken).query("speaker != 's3' or text == 't3' and emotion == 'sad'")
    table.to_csv(tmp_path / "lone.csv", index=False)
    how = ("--data", tmp_path / "lone.csv", "--clf", "logreg", "--features", "mfcc", "--json")
    split = ("--split", "speaker", "--folds", "all")
    for more in ((), ("--adapt", "speaker")):
        out, _ = run("fit", *how, *split, *more, "--out", tmp_path / f"run{len(more)}")
        folds = json.loads(out)["folds"]
        assert [fold["n_test"] for fold in folds] == [6, 6, 6, 1]
        assert folds[-1]["test_speakers"] == ["s3"]


def test_one_corpus_is_refused_before_any_work(little_corpus, tmp_path):
    _, err = run(
        "fit", "--data", little_corpus, "--split", "corpus", "--out", tmp_path / "r", code=2
    )
    assert "two or more, joined by commas" in err
    assert not (tmp_path / "r").exists()
