"""Searches that are stopped, and go on."""

import importlib.metadata
import itertools
import json

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import HalvingGridSearchCV, ParameterSampler, StratifiedKFold
from sklearn.neural_network import MLPClassifier

from sklearn_ser import SVMClassifier, make_pipeline
from sklearn_ser.classifiers._keras import tensorflow_version
from sklearn_ser.exceptions import OptionError, SearchStopped
from sklearn_ser.model_selection._journal import Journal
from sklearn_ser.model_selection.search import SearchOptions, grid_search
from tests.conftest import run
from tests.model_selection.test_search import clips_of

X, Y = load_iris(return_X_y=True)
Y = np.array(["angry", "happy", "sad"])[Y]
GRID = {"clf__C": [0.01, 0.1, 1, 10, 100]}


def search(grid=GRID, pipeline=None, **how):
    pipeline = pipeline or make_pipeline("svm", "mfcc")
    options = {name: how.pop(name) for name in ("n_folds", "strategy", "n_candidates") & how.keys()}
    return grid_search(pipeline, clips_of(X, Y), SearchOptions(grid, **options), **how)


@pytest.fixture
def stop_at(monkeypatch):
    """Press Ctrl-C in the n-th fit of an svm."""

    def set_up(n):
        fits, numbers = [], itertools.count(1)
        fit = SVMClassifier.fit

        def fit_or_stop(self, *how, **more):
            fits.append(self.C)
            if next(numbers) == n:
                raise KeyboardInterrupt
            return fit(self, *how, **more)

        monkeypatch.setattr(SVMClassifier, "fit", fit_or_stop)
        return fits

    return set_up


def test_stopped_search_is_resumed(stop_at, tmp_path):
    whole = search()
    fits = stop_at(8)
    with pytest.raises(SearchStopped, match=r"Stopped after 1 of 5 .*clf__C=0.01 \(UAR 0.*again"):
        search(keep_in=tmp_path)
    assert len(list(tmp_path.iterdir())) == 1
    result = search(keep_in=tmp_path)
    assert len(fits) == 8 + 20
    assert result.best_params == whole.best_params
    scores = [name for name in whole.cv_results if str(name).endswith("_score")]
    np.testing.assert_array_equal(result.cv_results[scores], whole.cv_results[scores])
    result.forget()
    assert not list(tmp_path.iterdir())  # a search that is through is made anew


def test_journal_belongs_to_one_search(stop_at, tmp_path):
    fits = stop_at(8)
    with pytest.raises(SearchStopped):
        search(keep_in=tmp_path)
    fits.clear()
    search(keep_in=tmp_path, seed=1)
    search(keep_in=tmp_path, n_folds=3)
    search(keep_in=tmp_path, pipeline=make_pipeline("svm", "mfcc", clf__gamma=0.1))
    assert len(fits) == 25 + 15 + 25


@pytest.mark.parametrize("installed", [(), ("tensorflow-cpu",)])
def test_search_without_the_distribution_tensorflow(monkeypatch, tmp_path, installed):
    version = importlib.metadata.distribution

    def hide(name):
        if name.startswith("tensorflow") and name not in installed:
            raise importlib.metadata.PackageNotFoundError(name)
        return version("tensorflow" if name in installed else name)

    monkeypatch.setattr(importlib.metadata, "distribution", hide)
    assert search({"clf__C": [1]}, keep_in=tmp_path).best_score > 0.9
    expected = importlib.metadata.version("tensorflow-cpu") if installed else None
    assert tensorflow_version() == expected


def test_no_journal_without_a_cache(stop_at):
    stop_at(8)
    with pytest.raises(SearchStopped, match=r"`cache=None`: leave that out"):
        search()
    stop_at(1)
    with pytest.raises(SearchStopped, match="before the first"):
        search()


def test_interrupted_mlp_stops_the_search(monkeypatch):
    """MLPClassifier takes the interrupt for the end of its training and returns what it has."""
    loops = []
    learn = MLPClassifier._update_no_improvement_count

    def interrupt(self, *how):
        loops.append(1)
        if len(loops) == 10:
            raise KeyboardInterrupt
        return learn(self, *how)

    monkeypatch.setattr(MLPClassifier, "_update_no_improvement_count", interrupt)
    with pytest.raises(SearchStopped):
        search({"clf__alpha": [1, 2]}, make_pipeline("mlp", "mfcc", clf__max_iter=5000))


def test_truncated_journal_and_unwritable_folder(tmp_path):
    journal = Journal(tmp_path, "key")
    journal.add({"clf__C": 1}, {"mean_test_score": 0.5})
    with open(journal.file, "a") as file:
        file.write('["clf__C=2", {"mean_te')
    again = Journal(tmp_path, "key")
    assert again.get({"clf__C": 1}) == {"mean_test_score": 0.5}
    assert again.get({"clf__C": 2}) is None
    (tmp_path / "file").touch()
    Journal(tmp_path / "file" / "below", "key").add({}, {})


def test_planted_link_in_place_of_a_journal(tmp_path):
    (tmp_path / "victim").write_text("precious")
    (tmp_path / "key.jsonl").symlink_to(tmp_path / "victim")
    journal = Journal(tmp_path, "key")
    journal.add({"clf__C": 2}, {"mean_test_score": 0.5})
    assert (tmp_path / "victim").read_text() == "precious"
    assert journal.get({"clf__C": 2}) == {"mean_test_score": 0.5}


@pytest.mark.parametrize(
    "line",
    [
        b"\xff\xfe", b"{}", b"null", b"[1, 2]", b'{"a": 1, "b": 2}', b'["clf__C=1", {}]',
        b'["clf__C=1", [1]]', b'[{}, {"mean_test_score": 1}]', b"[" * 10_000,
        b'["clf__C=1", {"mean_test_score": "high"}]',
    ],
)  # fmt: skip
def test_journal_with_foreign_lines(tmp_path, line):
    journal = Journal(tmp_path, "key")
    journal.add({"clf__C": 2}, {"mean_test_score": 0.5})
    whole = journal.file.read_bytes()
    journal.file.write_bytes(line + b"\n" + whole)
    with pytest.warns(UserWarning, match=r"key\.jsonl holds 1 lines .* tried again"):
        assert Journal(tmp_path, "key").rows == {"clf__C=2": {"mean_test_score": 0.5}}


def test_halving_equals_scikit_learn():
    result = search(GRID, strategy="halving", seed=2)
    tail = make_pipeline("svm", clf__calibrate=False)[2:]
    folds = StratifiedKFold(5, shuffle=True, random_state=2)
    plain = HalvingGridSearchCV(
        tail, GRID, scoring="balanced_accuracy", cv=folds, random_state=2
    ).fit(X, Y)
    assert result.best_params == plain.best_params_
    assert result.best_score == pytest.approx(plain.best_score_)
    assert len(result.cv_results) == len(plain.cv_results_["params"]) > 5
    assert result.cv_results["n_resources"].is_monotonic_decreasing


def test_random_candidates_equal_scikit_learn():
    result = search(GRID, strategy="random", n_candidates=3, seed=4)
    drawn = ParameterSampler(GRID, 3, random_state=4)
    assert sorted(p["clf__C"] for p in result.cv_results["params"]) == sorted(
        p["clf__C"] for p in drawn
    )
    assert len(search(GRID, strategy="random", n_candidates=99).cv_results) == 5


def test_unknown_strategy():
    with pytest.raises(OptionError, match="grid, halving, random"):
        search(strategy="best")


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_progress_of_a_search(n_jobs):
    steps = []
    search(n_jobs=n_jobs, on_progress=lambda *step: steps.append(step))
    assert steps[0] == (5, 25)  # the folds of the first candidate
    assert steps[-1] == (25, 25)
    assert [done for done, _ in steps] == sorted(done for done, _ in steps)


# The command


def test_nested_search(spoken, tmp_path):
    out, err = run(
        "grid-search", "--data", spoken, "--cv", "speaker", "--nested", "--folds", 2, "--features",
        "mfcc", "--param", "clf__C=0.001,10", "--param", "features__mfcc__n_mfcc=13,40", "--json",
        "--out", tmp_path / "r", "--n-jobs", 1,
    )  # fmt: skip
    metrics = json.loads(out)
    assert (metrics["n_test"], len(metrics["folds"])) == (24, 2)
    assert len(metrics["search"]["nested"]) == 2
    for found in metrics["search"]["nested"]:
        assert set(found["best_params"]) == {"clf__C", "features__mfcc__n_mfcc"}
    assert metrics["audit"]["speaker"]["n_shared"] == 0
    card = json.loads((tmp_path / "r" / "card.json").read_text())
    assert card["refit"] is True
    assert (tmp_path / "r" / "search.png").stat().st_size > 5000
    assert "searching" in err


@pytest.mark.parametrize("strategy", ["halving", "random"])
def test_strategies_on_the_command_line(little_corpus, tmp_path, strategy):
    out, _ = run(
        "grid-search", "--data", little_corpus, "--features", "mfcc", "--strategy", strategy,
        "--candidates", 2, "--param", "clf__C=1,10,100", "--out", tmp_path / "r", "--folds", 2,
        "--n-jobs", 1,
    )  # fmt: skip
    assert f"Best of {3 if strategy == 'halving' else 2} candidates" in out


def test_ctrl_c_leaves_no_run_and_can_be_resumed(little_corpus, tmp_path, stop_at):
    stop_at(8)
    how = ("grid-search", "--data", little_corpus, "--features", "mfcc", "--n-jobs", 1)
    how = (*how, "--param", "clf__C=1,10,100", "--out", tmp_path / "r")
    assert "the same search again goes on" in run(*how, code=1)[1]
    assert not (tmp_path / "r").exists()
    out, _ = run(*how)
    assert "Best of 3 candidates" in out
