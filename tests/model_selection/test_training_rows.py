"""What a search fits on: copies and weights, in each of its folds."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from sklearn_ser import make_pipeline
from sklearn_ser.classifiers import fit_arguments
from sklearn_ser.model_selection import Subset
from sklearn_ser.model_selection.search import SearchOptions, grid_search
from sklearn_ser.model_selection.training_rows import RowOptions, make_rows
from sklearn_ser.pipelines import RECIPES
from tests.conftest import run, voice

GRID = {"clf__C": [0.1, 1]}


@pytest.fixture
def clips(wav):
    """Four speakers, who say each of two emotions twice."""
    paths = [wav(f"{i}.wav", voice(0.3, 100 + 15 * i, seed=i)) for i in range(16)]
    table = pd.DataFrame(
        {
            "path": [str(path) for path in paths],
            "emotion": ["sad", "happy"] * 8,
            "speaker": np.repeat(list("abcd"), 4),
            "corpus": "one",
        }
    )
    X = make_pipeline("logreg", "mfcc")[:2].transform(table["path"])
    return Subset(np.arange(16), table, lambda pipeline: X)


@pytest.fixture
def fits(monkeypatch):
    """Rows, emotions and weights of each fit."""
    seen = []
    fit = LogisticRegression.fit

    def record(self, X, y, sample_weight=None):
        seen.append((X, y, sample_weight))
        return fit(self, X, y, sample_weight)

    monkeypatch.setattr(LogisticRegression, "fit", record)
    return seen


@pytest.mark.parametrize("strategy", ["grid", "halving"])
def test_each_fold_of_a_search_fits_on_copies_of_its_own_clips(clips, fits, strategy, monkeypatch):
    scored = []
    predict = LogisticRegression.predict
    monkeypatch.setattr(
        LogisticRegression, "predict", lambda self, X: scored.append(len(X)) or predict(self, X)
    )
    grid_search(
        make_pipeline("logreg", "mfcc"),
        clips,
        SearchOptions(GRID, 4, strategy, split="speaker"),
        rows=RowOptions(("everyday",)),
    )
    if strategy == "grid":
        assert [len(X) for X, _, _ in fits] == 8 * [12 * 5]
        assert scored == 8 * [4]
    for _, _, weights in fits:
        np.testing.assert_allclose(weights, 0.2)


def test_a_search_fits_what_a_plain_fit_of_the_same_clips_does(clips, fits):
    """The copies of a fold are those of a fit on its training clips, and come with weights."""
    from sklearn_ser.runs.trainers import RecipeTrainer

    pipeline = make_pipeline("logreg", "mfcc", clf__C=0.1)
    options = RowOptions(("everyday", "noise"), seed=5)
    grid_search(pipeline, clips, SearchOptions({}, 4, split="speaker"), rows=options)
    train = clips.take(np.flatnonzero(clips.speaker != "d"))
    RecipeTrainer(pipeline, ("everyday", "noise"), seed=5).fit(train, clips.take(np.arange(0)))
    alone = fits[-1]
    same = [fit for fit in fits[:-1] if np.array_equal(fit[0], alone[0])]
    assert len(same) == 1
    np.testing.assert_array_equal(same[0][1], alone[1])
    np.testing.assert_allclose(same[0][2], alone[2])
    np.testing.assert_allclose(alone[2], 1 / 6)


def test_corpora_and_emotions_count_alike_in_a_search(clips, fits):
    table = clips.table.assign(corpus=["one"] * 4 + ["two"] * 12)
    clips = replace(clips, table=table)
    options = RowOptions(("everyday",), balance=True)
    grid_search(make_pipeline("logreg", "mfcc"), clips, SearchOptions({}, 2), rows=options)
    _, y, weights = fits[0]
    assert weights.max() / weights.min() == pytest.approx(3)
    assert len(y) == 8 * 5


def test_grid_search_with_everyday_copies(little_corpus, tmp_path, fits):
    found = json.loads(
        run(
            "grid-search", "--data", little_corpus, "--clf", "logreg", "--features", "mfcc",
            "--augment", "everyday", "--param", "clf__C=0.1,1", "--folds", "2", "--json",
            "--n-jobs", "1", "--out", tmp_path / "run",
        )[0]
    )  # fmt: skip
    assert len(fits) == 5
    assert all(np.allclose(weights, 0.2) for _, _, weights in fits)
    assert found["n_test"] > 0


@pytest.mark.parametrize("clf", RECIPES)
def test_every_classifier_takes_the_weights_of_copies(clf):
    given = fit_arguments(make_pipeline(clf).named_steps["clf"], sample_weight=[0.2])
    assert given == {"sample_weight": [0.2]}


def test_sequences_have_copies_too(clips):
    pipeline = make_pipeline("cnn", features__logmel__n_frames=20)
    X = pipeline[:2].transform(clips.path)
    clips = replace(clips, extract=lambda pipeline: X)
    rows = make_rows(pipeline, clips, [np.arange(16)], RowOptions(("everyday",)))
    assert rows.X.shape == (80, *X.shape[1:])
    assert rows.X.shape[1] == 20
    np.testing.assert_array_equal(rows.X[:16], X)
