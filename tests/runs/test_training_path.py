"""The one training path: what the commands share, and how a run's options travel through it."""

import sys
from collections import Counter
from itertools import groupby

import numpy as np
import pandas as pd
import pytest

from sklearn_ser.corpora import load_data
from sklearn_ser.exceptions import AudioError, CorpusError
from sklearn_ser.pipelines import make_pipeline
from sklearn_ser.runs import RunOptions, SearchOptions, compare_run, fit, fit_run, search_run
from sklearn_ser.runs import compare as runs_compare
from sklearn_ser.runs.store import FeatureStore

SEARCH = SearchOptions({"clf__C": [0.1, 1]}, n_folds=2)


@pytest.fixture
def options(little_corpus, tmp_path):
    return RunOptions(str(little_corpus), "logreg", "mfcc", out=tmp_path / "r", n_jobs=1)


class Visits:
    """The modules that a module calls, and those that are handed the options, one visit after
    the other."""

    def __init__(self, driver):
        self.driver, self.modules = driver, []

    def __enter__(self):
        sys.setprofile(self._look)
        return self

    def __exit__(self, *error):
        sys.setprofile(None)

    def _look(self, frame, event, _):
        caller = frame.f_back and frame.f_back.f_globals.get("__name__", "")
        module = frame.f_globals.get("__name__", "")
        if event != "call" or module == caller or not module.startswith("sklearn_ser"):
            return
        given = frame.f_code.co_varnames[: frame.f_code.co_argcount]
        has_options = any(isinstance(frame.f_locals.get(name), RunOptions) for name in given)
        if caller == self.driver or has_options:
            self.modules.append(module)

    def count(self):
        return Counter(module for module, _ in groupby(self.modules))


@pytest.mark.parametrize("command", ["fit", "grid-search"])
def test_run_enters_each_module_at_most_twice(options, command):
    with Visits("sklearn_ser.runs.fit") as visits:
        fit_run(options) if command == "fit" else search_run(options, SEARCH)
    entered = visits.count()
    assert max(entered.values()) <= 2, entered
    assert sum(entered.values()) <= 15, entered
    assert set(entered) >= {
        f"sklearn_ser.runs.{name}" for name in ("trainers", "training", "store", "write")
    }


def test_commands_differ_in_the_trainer_alone(options, tmp_path, monkeypatch):
    trained = []

    def spy(module):
        train = module.train_folds

        def train_folds(trainer, store, folds, progress):
            trained.append((type(trainer).__name__, type(store).__name__, len(folds)))
            return train(trainer, store, folds, progress)

        monkeypatch.setattr(module, "train_folds", train_folds)

    spy(fit)
    spy(runs_compare)
    fit_run(options)
    fields = {**vars(options)}
    search_run(RunOptions(**fields | {"out": tmp_path / "s"}), SEARCH)
    nested = SearchOptions(SEARCH.grid, n_folds=2, nested=True)
    search_run(RunOptions(**fields | {"out": tmp_path / "n"}), nested)
    compare_run(RunOptions(**fields | {"out": tmp_path / "c"}), ["svm", "logreg"], ["random"])
    assert trained == [
        ("RecipeTrainer", "FeatureStore", 1),
        ("SearchTrainer", "FeatureStore", 1),
        ("SearchTrainer", "FeatureStore", 2),
        *[("RecipeTrainer", "FeatureStore", 1)] * 2,
    ]


# The store of features


@pytest.fixture
def corpus(little_corpus, wav):
    """A corpus, a clip that nothing can read, and one too short for some features."""
    bad = wav("text.wav")
    bad.write_text("no audio")
    short = wav("short.wav", np.zeros(30, dtype=np.float32))
    more = pd.DataFrame({"path": [str(bad), str(short)], "emotion": "sad"})
    return pd.concat([load_data(str(little_corpus)), more], ignore_index=True)


def test_unreadable_clips_are_dropped_once_for_all_settings(corpus):
    pipelines = [make_pipeline("svm", "mfcc"), make_pipeline("svm", "mfcc,contrast")]
    with pytest.raises(AudioError, match="clips cannot be used"):
        FeatureStore(corpus, pipelines, RunOptions(""))
    store = FeatureStore(corpus, pipelines, RunOptions("", on_error="skip"))
    n = len(store)
    assert len(store.skipped) == len(corpus) - n >= 1
    assert "text.wav" in " ".join(store.skipped)
    assert len(store.inspections) == len(store.emotions) == len(store.checksums) == n
    for pipeline in pipelines:
        assert len(store.features(pipeline)) == n
    rows = np.array([0, 5])
    subset = store.subset(rows)
    np.testing.assert_array_equal(
        subset.X(pipelines[1]), pipelines[1][:2].transform(subset.path).astype(np.float32)
    )


def test_a_setting_is_extracted_once_and_few_are_kept(little_corpus, monkeypatch):
    from sklearn_ser.runs import store as runs_store

    calls = []
    extract = runs_store.extract_features
    monkeypatch.setattr(runs_store, "extract_features", lambda *a: calls.append(1) or extract(*a))
    pipelines = [make_pipeline("svm", "mfcc", features__mfcc__n_mfcc=n) for n in (2, 3, 4, 5)]
    store = FeatureStore(load_data(str(little_corpus)), pipelines[:1], RunOptions(""))
    for pipeline in [*pipelines[:3], *pipelines[:3]]:
        assert store.features(pipeline).shape[1] == pipeline["features"]["mfcc"].n_mfcc
    assert len(calls) == 3
    store.features(pipelines[3])
    assert len(store._features) == 3


def test_a_clip_that_only_some_candidates_can_use_is_an_error(little_corpus, monkeypatch):
    from sklearn_ser.runs import store as runs_store

    first, second = (make_pipeline("svm", "mfcc", features__mfcc__n_mfcc=n) for n in (2, 3))
    store = FeatureStore(load_data(str(little_corpus)), [first], RunOptions(""))
    extract = runs_store.extract_features
    monkeypatch.setattr(
        runs_store,
        "extract_features",
        lambda *a: extract(*a)._replace(failures={3: "3.wav is too short"}),
    )
    with pytest.raises(CorpusError, match=r"1 clips cannot be used .* 3.wav is too short"):
        store.features(second)
