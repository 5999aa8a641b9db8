import json
from dataclasses import replace
from fnmatch import fnmatch
from typing import ClassVar

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from typer.testing import CliRunner

from sklearn_ser import SVMClassifier
from sklearn_ser.cli import app
from sklearn_ser.exceptions import OptionError, OutputError, SearchStopped, UnfinishedError
from sklearn_ser.pipelines import RECIPES, Recipe
from sklearn_ser.runs import RunOptions, SearchOptions, fit_run, read_options, search_run
from sklearn_ser.runs.run_folder import new_folder, write_options

ALIKE = {"seconds", "seconds_fit", "run"}  # what two runs of the same fit may differ in


def stop_at(n, what="epochs"):
    def tell(stage, done, total, detail):
        if (stage, done) == (what, n):
            raise KeyboardInterrupt

    return tell


@pytest.fixture
def options(little_corpus, tmp_path):
    return RunOptions(
        str(little_corpus),
        clf="ann",
        params={"clf__epochs": 5, "clf__hidden_layer_sizes": (8, 8)},
        out=tmp_path / "broken",
    )


def test_resumed_fit_equals_the_undisturbed_one(options, tmp_path):
    whole = fit_run(RunOptions(**{**vars(options), "out": tmp_path / "whole"}))
    with pytest.raises(UnfinishedError, match=r"fit with `resume=.*broken`"):
        fit_run(options, stop_at(3))
    assert not options.out.exists()
    told = read_options(options.out)
    assert told.params == options.params
    epochs = []
    resumed = fit_run(told, lambda *told: epochs.append(told[1]), resume=True)
    assert [n for n in epochs if n in (4, 5)] == [4, 5]
    assert {k: v for k, v in resumed.items() if k not in ALIKE} == {
        k: v for k, v in whole.items() if k not in ALIKE
    }
    histories = [
        pd.read_csv(tmp_path / run / "history.csv").drop(columns="seconds")
        for run in ("whole", "broken")
    ]
    pd.testing.assert_frame_equal(*histories)
    assert {file.name for file in options.out.iterdir()} == {
        file.name for file in (tmp_path / "whole").iterdir()
    }


def test_keras_file_holds_the_weights_of_the_pipeline(options):
    fit_run(options)
    import keras

    model = keras.models.load_model(options.out / "best_model.keras")
    clf = joblib.load(options.out / "pipeline.joblib").named_steps["clf"]
    for theirs, ours in zip(model.get_weights(), clf.weights_, strict=True):
        np.testing.assert_array_equal(theirs, ours)


def test_unfinished_run_is_not_overwritten(options, tmp_path):
    with pytest.raises(UnfinishedError):
        fit_run(options, stop_at(1))
    with pytest.raises(OptionError, match="was left unfinished"):
        fit_run(options)
    with pytest.raises(OptionError, match=r"unfinished there: .*broken"):
        read_options(tmp_path / "other")


@pytest.mark.parametrize(
    "text",
    ["", "[1]", "null", "{}", "[" * 10_000, '{"data": 1}', b"\xff\xfe", "SIZE", "PARAMS"],
)
def test_damaged_options_of_an_unfinished_run(options, tmp_path, text):
    hidden = tmp_path / ".broken.partial"
    hidden.mkdir()
    write_options(hidden, options)
    assert read_options(options.out) == options
    file = hidden / "options.json"
    whole = json.loads(file.read_text())
    if text == "SIZE":
        text = json.dumps(whole | {"test_size": "a fifth"})
    if text == "PARAMS":
        text = json.dumps(whole | {"params": {"clf__epochs": 5}})
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(OptionError, match=r"options\.json cannot be read .*: start the fit anew"):
        read_options(options.out)


@pytest.mark.parametrize("name", [".broken.lock", ".broken.partial"])
def test_planted_symbolic_links_are_refused(options, tmp_path, name):
    victim = tmp_path / "victim"
    if name == ".broken.lock":
        victim.write_text("precious")
    else:
        victim.mkdir()
    (tmp_path / name).symlink_to(victim)
    with pytest.raises((OptionError, OutputError), match="link"):
        fit_run(options)
    assert (
        victim.read_text() == "precious" if name == ".broken.lock" else not list(victim.iterdir())
    )
    assert not options.out.exists()


class Checkpointed(LogisticRegression):
    """A classifier that writes down what its checkpoints are called."""

    names: ClassVar[list[str]] = []

    def fit(self, X, y, checkpoint=None):
        self.names.append(checkpoint.name)
        return super().fit(X, y)


def test_checkpoints_are_named_by_what_they_belong_to(options, tmp_path, monkeypatch):
    """A run that goes on finds the state of each fit by its clips and settings, not by its turn."""
    monkeypatch.setitem(RECIPES, "ann", Recipe("", Checkpointed, ("mfcc",), {}))
    monkeypatch.setattr(Checkpointed, "names", names := [])
    options = replace(options, folds=2, params={})
    fit_run(options)
    assert len(set(names)) == 3  # two folds, and the pipeline of all clips
    assert all(fnmatch(name, "checkpoint-*.npz") for name in names)
    fit_run(replace(options, out=tmp_path / "again", n_jobs=2))
    assert names[3:] == names[:3]
    for change in ({"seed": 1}, {"params": {"clf__C": 2}}, {"features": "chroma"}):
        fit_run(replace(options, out=tmp_path / str(change)[:9], **change))
    assert len(names) == 15
    assert len(set(names)) == 12


def test_remains_without_a_checkpoint_are_removed(options, tmp_path):
    hidden = tmp_path / ".broken.partial"
    hidden.mkdir()
    (hidden / "half-written").touch()
    fit_run(options)
    assert json.loads((options.out / "metrics.json").read_text())["run"] == str(options.out)
    assert not hidden.exists()
    assert not (options.out / "half-written").exists()
    with pytest.raises(OptionError, match="is finished"):
        read_options(options.out)


def test_folder_locked_by_another_process(options, tmp_path):
    fcntl = pytest.importorskip("fcntl")
    hidden = tmp_path / ".broken.partial"
    hidden.mkdir()
    with open(tmp_path / ".broken.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(OptionError, match="Another process is writing"):
            fit_run(options)
    assert hidden.exists()


def test_resume_refuses_other_options(tmp_path):
    words = ["fit", "--resume", str(tmp_path / "run"), "--clf", "ann", "--seed", "1"]
    told = CliRunner().invoke(app, words)
    assert (told.exit_code, "leave out --clf, --seed" in told.stderr) == (2, True)


@pytest.mark.parametrize("nested", [False, True])
def test_search_stopped_in_its_last_fit_is_resumed(little_corpus, tmp_path, monkeypatch, nested):
    fits = []
    fit = SVMClassifier.fit
    monkeypatch.setattr(SVMClassifier, "fit", lambda *a, **k: fits.append(1) or fit(*a, **k))
    options = RunOptions(
        str(little_corpus), features="mfcc", cache=tmp_path / "cache", out=tmp_path / "broken"
    )
    how = SearchOptions({"clf__C": [0.1, 1]}, n_folds=2, nested=nested)
    whole = search_run(replace(options, out=tmp_path / "whole"), how)
    in_all = len(fits)
    with pytest.raises(SearchStopped, match="the same search again"):
        search_run(options, how, stop_at(0, "fit"))
    fits.clear()
    again = search_run(options, how)
    # The search that was finished is not made again.
    assert len(fits) == in_all - 4
    assert {k: v for k, v in again.items() if k not in ALIKE} == {
        k: v for k, v in whole.items() if k not in ALIKE
    }
    fits.clear()
    search_run(replace(options, out=tmp_path / "anew"), how)
    assert len(fits) == in_all


def test_stopped_search_leaves_no_unfinished_fit(options):
    """A fit with what it chose would not say what the search had looked at to choose it."""
    how = SearchOptions({"clf__dropout": [0.1]}, n_folds=2)
    with pytest.raises(SearchStopped, match="Of the search nothing is kept"):
        search_run(options, how, stop_at(1))
    with pytest.raises(OptionError, match="no fit of that name was left unfinished"):
        read_options(options.out)


@pytest.mark.parametrize("there", [False, True])
@pytest.mark.usefixtures("like_windows")
def test_folder_takes_its_name_on_windows(tmp_path, there):
    out = tmp_path / "run"
    (tmp_path / ".run.partial").mkdir()
    (tmp_path / ".run.partial" / "remains").touch()
    if there:
        out.mkdir()
    with new_folder(out, "fit") as (folder, _):
        (folder / "checkpoint-1.npz").touch()
        (folder / "metrics.json").touch()
        with pytest.raises(OptionError, match="Another process"), new_folder(out, "fit"):
            pass
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    assert [path.name for path in out.iterdir()] == ["metrics.json"]
