"""Leaks of every kind, planted: each must be caught."""

import json
import shutil
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
import soundfile
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.preprocessing import StandardScaler

from sklearn_ser.corpora import load_data
from sklearn_ser.exceptions import LeakageError
from sklearn_ser.model_selection import Fold, Subset, audit_split, split_corpus
from sklearn_ser.pipelines import RECIPES, Recipe, extract_features, make_pipeline
from sklearn_ser.runs import RunOptions, training
from sklearn_ser.runs.options import silent
from sklearn_ser.runs.store import FeatureStore
from sklearn_ser.runs.trainers import RecipeTrainer
from sklearn_ser.runs.training import split_run, train_folds
from tests.conftest import run, voice
from tests.model_selection.test_splits import table

NONE = np.array([], dtype=int)


def one_of_each(corpus, split="random"):
    checksums = np.array([f"{i}" for i in range(len(corpus))])
    return audit_split(corpus, [split_corpus(corpus, split)], checksums, checksums)


@pytest.fixture
def same_audio(wav, tmp_path):
    """One recording as 16-bit wav, its copy, flac, aiff, stereo and float wav; and others."""
    y = (voice() * 32767).astype(np.int16)
    paths = [wav("a.wav", y), tmp_path / "copy.wav", wav("b.flac", y), wav("c.aiff", y)]
    shutil.copy(paths[0], paths[1])
    paths.append(wav("stereo.wav", np.stack([y, y], axis=1)))
    paths.append(wav("float.wav", (y / 32768).astype(np.float32), subtype="FLOAT"))
    with open(wav("tail.wav", y), "ab") as file:
        file.write(b"LIST\x04\x00\x00\x00more")
    paths.append(tmp_path / "tail.wav")
    other = y.copy()
    other[5000] += 1
    paths.append(wav("other.wav", other))
    paths.append(wav("slower.wav", y, sr=16000))
    paths.append(wav("longer.wav", np.append(y, y[:1])))
    return [str(path) for path in paths]


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_the_same_samples_in_any_container(same_audio, n_jobs):
    found = extract_features(make_pipeline("svm", "mfcc", n_jobs=n_jobs), same_audio).inspections
    assert found["sha256"].nunique() == len(same_audio) - 1
    audio = found["samples_sha256"].tolist()
    assert len(set(audio[:7])) == 1
    assert len(set(audio[6:])) == 4


def test_counts_of_identical_clips():
    corpus = pd.DataFrame({"path": list("abcdef"), "emotion": ["sad"] * 4 + ["happy"] * 2})
    parts = Fold(np.array([0, 1]), np.array([2]), np.array([3, 4, 5]), "random", "random")
    found = audit_split(corpus, [parts], np.array(list("112134")), np.array(list("112132")))
    assert found["bytes"] == {
        "n_groups": 1, "n_clips": 3, "n_test": 1, "n_contradictions": 0,
        "groups": [["a", "b", "d"]],
    }  # fmt: skip
    assert found["audio"]["n_test"] == 2
    assert found["audio"]["n_contradictions"] == 1
    assert not found["clean"]
    assert "2 of 3 test clips" in found["sentences"][0]
    assert "(1 of them the same bytes)" in found["sentences"][0]
    assert "different emotions" in found["sentences"][1]


def test_duplicates_within_the_test_set_are_clean():
    corpus = pd.DataFrame({"path": list("abcd"), "emotion": ["sad"] * 4})
    parts = Fold(np.array([0, 1]), NONE, np.array([2, 3]), "random", None)
    found = audit_split(corpus, [parts], np.array(list("1123")), np.array(list("1123")))
    assert found["clean"]
    assert "leak nothing" in found["sentences"][0]


def test_audit_of_a_random_split():
    found = one_of_each(table())
    assert found["speaker"]["shared"] == [f"s{i}" for i in range(6)]
    assert found["text"]["n_shared"] == 5
    assert found["speaker"]["n_test_clips"] == found["text"]["n_test_clips"] == 18
    assert "(s0, s1, s2, s3, s4 and 1 more) are in the training set" in " ".join(found["sentences"])


def test_audit_of_a_split_by_speaker():
    found = one_of_each(table(), "speaker")
    assert (found["speaker"]["n_shared"], found["text"]["n_shared"]) == (0, 5)
    sentences = " ".join(found["sentences"])
    assert "No speaker is on both sides" in sentences
    assert "though from other speakers" in sentences


def test_audit_without_speakers_and_texts():
    found = one_of_each(table().drop(columns=["speaker", "text"]))
    assert found["speaker"] is found["text"] is None
    assert "does not name its speakers" in " ".join(found["sentences"])


def test_clip_in_training_and_test_set_raises():
    corpus = table()
    parts = Fold(np.arange(60), np.array([61]), np.arange(59, 90), "random", None)
    keys = np.arange(90).astype(str)
    with pytest.raises(LeakageError, match="2 clips are in the training and in the test set"):
        audit_split(corpus, [parts], keys, keys)


def test_shared_speaker_of_a_speaker_split_raises():
    parts = Fold(np.arange(60), NONE, np.arange(60, 90), "speaker", None)
    corpus = table().assign(speaker=["a", "b", "c"] * 30)
    keys = np.arange(90).astype(str)
    with pytest.raises(LeakageError, match="a, b, c are on both"):
        audit_split(corpus, [parts], keys, keys)


# Planted in a run


def test_planted_duplicate_is_reported(little_corpus, tmp_path):
    """The same recording as flac beside the wav, told apart by nothing but its container."""
    folder = tmp_path / "planted"
    shutil.copytree(little_corpus, folder)
    for i in range(8):
        y, sr = soundfile.read(folder / "sad" / f"{i}.wav", dtype="int16")
        soundfile.write(folder / "sad" / f"again {i}.flac", y, sr)
    how = ("fit", "--data", folder, "--clf", "logreg", "--features", "mfcc", "--json")
    out, err = run(*how, "--out", tmp_path / "r")
    metrics = json.loads(out)
    audit = metrics["audit"]
    assert audit["audio"]["n_groups"] == 8
    assert audit["bytes"]["n_groups"] == 0
    twins = audit["audio"]["n_test"]
    assert 0 < twins <= metrics["n_test"]
    assert f"Note: {twins} of {metrics['n_test']} test clips hold the same audio" in err
    card = json.loads((tmp_path / "r" / "card.json").read_text())
    assert card["audit"]["audio"]["n_test"] == twins
    assert f"{twins} of {metrics['n_test']} test clips" in run("card", tmp_path / "r")[0]


class Memory(ClassifierMixin, BaseEstimator):
    """A classifier that knows by heart what it was fitted on, and says angry otherwise."""

    def fit(self, X, y):
        self.X_, self.y_, self.classes_ = X, y, np.unique(y)
        return self

    def predict_proba(self, X):
        found = np.abs(X[:, None] - self.X_[None]).max(axis=2) < 1e-6
        known = np.array([[(self.y_[row] == c).any() for c in self.classes_] for row in found])
        known[~known.any(axis=1), 0] = True
        return known / known.sum(axis=1, keepdims=True)

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


@pytest.mark.parametrize(
    "command", ["fit", "fit --folds 2", "compare", "grid-search", "grid-search --nested"]
)
def test_memorizing_classifier_recognizes_no_test_clip(
    little_corpus, tmp_path, monkeypatch, command
):
    recipe = Recipe("memory", Memory, ("mfcc",), {"scale__with_mean": [True, False]})
    monkeypatch.setitem(RECIPES, "svm", recipe)
    how = ["--clf", "svm", "--data", little_corpus, "--out", tmp_path / "r", "--n-jobs", 1]
    if command == "compare":
        how += ["--split", "random"]
    metrics = json.loads(run(*command.split(), *how, "--json")[0])
    for row in metrics.get("rows", [metrics]):
        assert row["uar"] == pytest.approx(1 / 3)
    if command != "compare":
        assert metrics["train"]["uar"] == 1


class CuriousScaler(StandardScaler):
    """A scaler that remembers every clip it was ever fitted on."""

    seen: ClassVar[set] = set()

    def fit(self, X, y=None, sample_weight=None):
        self.seen.update(row.tobytes() for row in np.asarray(X, dtype=np.float32))
        return super().fit(X, y, sample_weight)


@pytest.mark.parametrize("command", ["fit", "compare", "grid-search"])
def test_scaler_is_never_fitted_on_a_test_clip(little_corpus, tmp_path, monkeypatch, command):
    monkeypatch.setattr("sklearn_ser.pipelines.StandardScaler", CuriousScaler)
    monkeypatch.setattr(CuriousScaler, "seen", set())
    how = ["--clf", "logreg", "--data", little_corpus, "--features", "mfcc", "--n-jobs", 1]
    if command == "compare":
        how += ["--split", "random"]
    run(command, *how, "--out", tmp_path / "r")
    tested = pd.read_csv(tmp_path / "r" / "predictions.csv")["path"]
    X = extract_features(make_pipeline("logreg", "mfcc"), tested.tolist()).X
    assert len(X) == 5
    assert len(CuriousScaler.seen) in (16, 19)  # with or without the validation set
    assert not CuriousScaler.seen & {row.tobytes() for row in X}


class Greedy:
    """A trainer that fits on all it can find in what it is given."""

    def __init__(self, recipe):
        self.recipe, self.pipeline, self.validates = recipe, recipe.pipeline, True
        self.found = []

    def fit(self, train, validation):
        everything = train | validation
        for clips in (train, validation, everything):
            assert len(clips.X(self.pipeline)) == len(clips.y) == len(clips.path) == len(clips)
            assert len(clips.table) == len(clips)
        self.found.append(set(everything.path))
        return self.recipe.fit(everything, validation)


def test_greedy_trainer_finds_no_test_clip(spoken):
    options = RunOptions(str(spoken), "logreg", "mfcc", split="speaker", folds="all")
    trainer = Greedy(RecipeTrainer.from_options(options))
    store = FeatureStore(load_data(options.data), [trainer.pipeline], options)
    folds = split_run(store.table, options, trainer)
    outcome = train_folds(trainer, store, folds, silent)
    assert len(outcome.trained) == len(trainer.found) == 4
    for fold, found in zip(folds, trainer.found, strict=True):
        assert len(found) == 18
        assert not found & set(store.table["path"].iloc[fold.test])


def test_planted_overlap_of_the_split_raises(little_corpus, tmp_path, monkeypatch):
    def overlap(table, *how, **more):
        fold = split_corpus(table, *how, **more)
        return Fold(np.arange(len(table)), NONE, fold.test, fold.split, None)

    monkeypatch.setattr(training, "split_corpus", overlap)
    how = ("--data", little_corpus, "--features", "mfcc", "--out", tmp_path / "r")
    for command in ("fit", "grid-search"):
        assert "in the training and in the test set" in run(command, *how, code=1)[1]


def test_subsets_join_in_the_order_of_the_corpus():
    def clips(*rows):
        frame = pd.DataFrame({"path": [f"{n}.wav" for n in rows], "emotion": "sad"})
        return Subset(np.array(rows), frame, lambda pipeline: np.array(rows)[:, np.newaxis])

    both = clips(0, 3) | clips(1, 2)
    assert both.path == ["0.wav", "1.wav", "2.wav", "3.wav"]
    assert both.X(None).ravel().tolist() == both.rows.tolist() == [0, 1, 2, 3]
    assert len(clips(0, 3) | clips()) == 2
