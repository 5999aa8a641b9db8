import json
import os
import pickle
import subprocess
import sys

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV

from sklearn_ser import ANNClassifier
from sklearn_ser.classifiers import _keras
from sklearn_ser.exceptions import ModelError, OptionError

X, CODES = load_digits(return_X_y=True)
X = (X / 16).astype(np.float32)[:600]
Y = np.array(["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"])[
    CODES[:600]
]


@pytest.fixture(scope="module")
def fitted():
    return ANNClassifier(epochs=25, random_state=0).fit(X, Y)


def test_accuracy_on_the_validation_set(fitted):
    assert fitted.score(X[fitted.validation_indices_], Y[fitted.validation_indices_]) > 0.85
    assert fitted.classes_.tolist() == sorted(set(Y))
    np.testing.assert_allclose(fitted.predict_proba(X).sum(axis=1), 1)


def test_layers_of_the_network(fitted):
    layers = json.loads(fitted.model_.to_json())["config"]["layers"]
    found = [
        (layer["class_name"], layer["config"].get("units"), layer["config"].get("activation"))
        for layer in layers
    ]
    assert found == [
        ("InputLayer", None, None),
        ("Dense", 100, "relu"),
        ("Dense", 200, "relu"),
        ("Dropout", None, None),
        ("Dense", 100, "relu"),
        ("Dropout", None, None),
        ("Dense", 10, "softmax"),
    ]


def test_same_steps_as_plain_keras():
    """Full batches leave no order of clips, no dropout no chance: plain Keras must agree."""
    ours = ANNClassifier(
        (16,), dropout=0, batch_size=len(X), epochs=5, validation_fraction=0, random_state=1
    ).fit(X, Y)
    keras = pytest.importorskip("keras")
    start = ANNClassifier(
        (16,), dropout=0, batch_size=len(X), epochs=1, validation_fraction=0, random_state=1,
        learning_rate=1e-30,
    ).fit(X, Y)  # fmt: skip
    model = keras.models.clone_model(ours.model_)
    model.set_weights(start.model_.get_weights())
    model.compile("adam", "categorical_crossentropy")
    _, codes = np.unique(Y, return_inverse=True)
    model.fit(X, np.eye(10)[codes], batch_size=len(X), epochs=5, shuffle=False, verbose=0)
    np.testing.assert_allclose(
        ours.predict_proba(X), model.predict(X, verbose=0), rtol=0, atol=3e-4
    )
    further = model.fit(X, np.eye(10)[codes], batch_size=len(X), epochs=1, verbose=0)
    assert np.abs(ours.predict_proba(X) - further.model.predict(X, verbose=0)).max() > 3e-3


def test_the_average_of_the_weights_is_what_is_kept():
    """One layer, all clips in a step: the weights after each step, averaged by hand."""
    how = {
        "dropout": 0,
        "batch_size": len(X),
        "validation_fraction": 0,
        "learning_rate": 0.01,
        "random_state": 1,
    }

    def weights(**more):
        return ANNClassifier((), **how, **more).fit(X, Y).model_.get_weights()

    steps = [weights(epochs=n) for n in (1, 2, 3)]
    expected = steps[0]
    for step in steps[1:]:
        expected = [0.4 * old + 0.6 * new for old, new in zip(expected, step, strict=True)]
    for found, average in zip(weights(epochs=3, ema_momentum=0.4), expected, strict=True):
        np.testing.assert_allclose(found, average, atol=1e-6)


def test_an_average_reaches_back_two_epochs_at_most():
    """With one step in an epoch, an average of a hundred steps would be the first weights."""
    how = {"batch_size": len(X), "epochs": 3, "validation_fraction": 0, "random_state": 0}
    found = [
        ANNClassifier((), dropout=0, ema_momentum=momentum, **how).fit(X, Y).predict_proba(X)
        for momentum in (0.5, 0.99)
    ]
    np.testing.assert_array_equal(*found)


def test_the_average_is_what_is_scored():
    ann = ANNClassifier(epochs=4, ema_momentum=0.95, random_state=0)
    ann.fit(X[:500], Y[:500], X_val=X[500:], y_val=Y[500:])
    kept = log_loss(Y[500:], ann.predict_proba(X[500:]), labels=ann.classes_)
    assert kept == pytest.approx(ann.history_["val_loss"].min(), rel=1e-4)
    plain = ANNClassifier(epochs=4, random_state=0)
    plain.fit(X[:500], Y[:500], X_val=X[500:], y_val=Y[500:])
    # What is averaged changes nothing of the training itself.
    for name in ("loss", "accuracy"):
        np.testing.assert_allclose(ann.history_[name], plain.history_[name], rtol=1e-4)
    assert np.abs(ann.history_["val_loss"] - plain.history_["val_loss"]).max() > 1e-3


def test_random_state_and_the_global_random_state(fitted):
    before = np.random.get_state()[1].copy()  # noqa: NPY002  the state that must not change
    again = clone(fitted).fit(X, Y)
    np.testing.assert_array_equal(again.predict_proba(X), fitted.predict_proba(X))
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002
    other = clone(fitted).set_params(random_state=1).fit(X, Y)
    assert np.abs(other.predict_proba(X) - fitted.predict_proba(X)).max() > 1e-3


def test_the_kept_epoch_is_the_best_on_the_validation_set(fitted):
    history = fitted.history_
    assert list(history["epoch"]) == list(range(1, 26))
    assert fitted.best_epoch_ == history["epoch"][history["val_loss"].idxmin()]
    aside = fitted.validation_indices_
    assert len(aside) == 60
    loss = log_loss(Y[aside], fitted.predict_proba(X[aside]), labels=fitted.classes_)
    assert loss == pytest.approx(history["val_loss"].min(), rel=1e-4)


def test_patience_stops_early():
    ann = ANNClassifier(
        epochs=60, patience=2, monitor="val_accuracy", learning_rate=0.02, random_state=0
    ).fit(X, Y)
    assert ann.n_epochs_ == ann.best_epoch_ + 2 < 60


def test_without_validation_the_last_epoch_is_kept():
    ann = ANNClassifier(epochs=3, validation_fraction=0, random_state=0).fit(X, Y)
    assert ann.best_epoch_ == 3
    assert "val_loss" not in ann.history_
    assert not len(ann.validation_indices_)


def test_validation_set_by_group():
    speakers = np.arange(len(X)) % 6
    ann = ANNClassifier(epochs=1, random_state=0).fit(X, Y, groups=speakers)
    aside = set(speakers[ann.validation_indices_])
    assert len(aside) == 1
    assert (speakers == aside.pop()).sum() == len(ann.validation_indices_)


def test_validation_set_given():
    rows = []
    ann = ANNClassifier(epochs=3, random_state=0)
    ann.fit(X[:500], Y[:500], X_val=X[500:], y_val=Y[500:], on_epoch=rows.append)
    kept = log_loss(Y[500:], ann.predict_proba(X[500:]), labels=ann.classes_)
    assert kept == pytest.approx(ann.history_["val_loss"].min(), rel=1e-4)
    assert [row["epoch"] for row in rows] == [1, 2, 3]


def test_weights_of_clips_and_classes():
    without = Y != "nine"
    weights = without.astype(float)
    how = {"epochs": 8, "random_state": 0, "validation_fraction": 0}
    ann = ANNClassifier(**how).fit(X, Y, sample_weight=weights)
    assert (ann.predict(X) != "nine").all()
    heavy = ANNClassifier(**how, class_weight={"nine": 1000}).fit(X, Y)
    assert (heavy.predict(X) == "nine").mean() > 3 * (Y == "nine").mean()
    balanced = ANNClassifier(**how, class_weight="balanced").fit(X, Y)
    assert balanced.score(X, Y) > 0.5


def test_pickling(fitted, tmp_path):
    for again in (pickle.loads(pickle.dumps(fitted)), joblib.load(dump(fitted, tmp_path))):
        np.testing.assert_array_equal(again.predict_proba(X), fitted.predict_proba(X))
        twice = pickle.loads(pickle.dumps(again))
        np.testing.assert_array_equal(twice.predict_proba(X), fitted.predict_proba(X))


def dump(estimator, folder):
    path = folder / "ann.joblib"
    joblib.dump(estimator, path)
    return path


def test_unpickling_waits_with_tensorflow(fitted, tmp_path):
    program = (
        "import joblib, sys\n"
        f"ann = joblib.load({str(dump(fitted, tmp_path))!r})\n"
        "print('tensorflow' in sys.modules)\n"
        "print(ann.predict([[0.0] * 64]).shape, 'tensorflow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.split("\n")[:2] == ["False", "(1,) True"], done.stderr
    assert done.stderr == ""  # TensorFlow's start-up chatter is nobody's business


def test_grid_search_in_two_processes():
    grid = {"dropout": [0.0, 0.2], "hidden_layer_sizes": [(16,), (32, 16)]}
    searches = [
        GridSearchCV(
            ANNClassifier(epochs=8, learning_rate=0.01, random_state=0), grid, cv=2, n_jobs=n_jobs
        ).fit(X, Y)
        for n_jobs in (1, 2)
    ]
    here, there = (search.cv_results_["mean_test_score"] for search in searches)
    np.testing.assert_allclose(here, there)
    assert here.max() > 0.5


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"hidden_layer_sizes": (0,)}, "hidden_layer_sizes"),
        ({"hidden_layer_sizes": ("a",)}, "hidden_layer_sizes"),
        ({"dropout": 1.0}, "'dropout' parameter"),
        ({"epochs": 0}, "'epochs' parameter"),
        ({"monitor": "accuracy"}, "'monitor' parameter"),
    ],
)
def test_invalid_parameters(how, words):
    with pytest.raises(ValueError, match=words):
        ANNClassifier(**how).fit(X, Y)


@pytest.mark.parametrize("one", [{"X_val": X[:5]}, {"y_val": Y[:5]}])
def test_half_a_validation_set_is_refused(one):
    with pytest.raises(ValueError, match="X_val and y_val belong together"):
        ANNClassifier().fit(X[:50], Y[:50], **one)


def test_one_class_is_refused():
    with pytest.raises(ValueError, match="Only one class"):
        ANNClassifier().fit(X[:5], ["sad"] * 5)


class InterruptedFitError(Exception):
    pass


def test_an_interrupted_fit_ends_as_the_undisturbed_one(fitted, tmp_path):
    def interrupt(row):
        if row["epoch"] == 7:
            raise InterruptedFitError

    checkpoint = tmp_path / "checkpoint.npz"
    with pytest.raises(InterruptedFitError):
        clone(fitted).fit(X, Y, checkpoint=checkpoint, on_epoch=interrupt)
    rows = []
    again = clone(fitted).fit(X, Y, checkpoint=checkpoint, on_epoch=rows.append)
    assert [row["epoch"] for row in rows] == list(range(8, 26))
    np.testing.assert_array_equal(again.predict_proba(X), fitted.predict_proba(X))
    without = [history.drop(columns="seconds") for history in (again.history_, fitted.history_)]
    pd.testing.assert_frame_equal(*without)
    assert again.best_epoch_ == fitted.best_epoch_
    # What is finished is not trained again.
    done = clone(fitted).fit(X, Y, checkpoint=checkpoint, on_epoch=pytest.fail)
    np.testing.assert_array_equal(done.predict_proba(X), fitted.predict_proba(X))


def test_an_interrupted_average_of_weights(tmp_path):
    def interrupt(row):
        if row["epoch"] == 2:
            raise InterruptedFitError

    ann = ANNClassifier((8,), epochs=4, ema_momentum=0.9, random_state=0)
    checkpoint = tmp_path / "checkpoint.npz"
    with pytest.raises(InterruptedFitError):
        clone(ann).fit(X, Y, checkpoint=checkpoint, on_epoch=interrupt)
    again = clone(ann).fit(X, Y, checkpoint=checkpoint)
    np.testing.assert_array_equal(again.predict_proba(X), ann.fit(X, Y).predict_proba(X))


def test_a_checkpoint_of_another_fit_is_refused(tmp_path):
    checkpoint = tmp_path / "checkpoint.npz"
    ann = ANNClassifier((8,), epochs=1, random_state=0).fit(X, Y, checkpoint=checkpoint)
    for other in (clone(ann).set_params(learning_rate=0.1), clone(ann).set_params(random_state=1)):
        with pytest.raises(OptionError, match="other data or parameters"):
            other.fit(X, Y, checkpoint=checkpoint)
    with pytest.raises(OptionError, match="other data or parameters"):
        clone(ann).fit(X[::-1], Y, checkpoint=checkpoint)
    whole = checkpoint.read_bytes()
    for about in ("[]", "3", '{"identity": "x"}', '{"identity": "x", "rows": [1]}', "[" * 9999):
        np.savez(checkpoint, about=np.array(about))
        with pytest.raises(OptionError, match=r"checkpoint\.npz is not a checkpoint"):
            clone(ann).fit(X, Y, checkpoint=checkpoint)
    checkpoint.write_bytes(whole[:-100])
    with pytest.raises(OptionError, match=r"checkpoint\.npz is not a checkpoint"):
        clone(ann).fit(X, Y, checkpoint=checkpoint)


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="no links here")
def test_a_checkpoint_is_not_written_through_a_link(tmp_path):
    precious = tmp_path / "precious"
    precious.write_text("do not touch")
    for name in ("checkpoint.npz.ready", ".checkpoint.npz.ready", ".checkpoint.npz"):
        (tmp_path / name).symlink_to(precious)
    ANNClassifier((4,), epochs=1).fit(X[:50], Y[:50], checkpoint=tmp_path / "checkpoint.npz")
    assert precious.read_text() == "do not touch"


def test_a_pickle_weighs_no_more_than_kerass_own_file(fitted, tmp_path):
    own = tmp_path / "best_model.keras"
    fitted.save_keras(own)
    assert len(pickle.dumps(fitted)) < 1.2 * own.stat().st_size


def in_python(program, *options):
    """Run a program in a process of its own; return what it prints."""
    done = subprocess.run(
        [sys.executable, *options, "-c", program], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_fit_and_save_with_warnings_as_errors(tmp_path):
    own = tmp_path / "network.keras"
    in_python(
        "import numpy as np, pickle\n"
        "from sklearn_ser import CNNClassifier\n"
        "X, y = np.zeros((20, 8, 4), dtype='float32'), ['a', 'b'] * 10\n"
        "cnn = CNNClassifier((2,), dense_units=(2,), epochs=1).fit(X, y)\n"
        f"cnn.save_keras({str(own)!r})\n"
        "pickle.loads(pickle.dumps(cnn)).predict(X)",
        "-W",
        "error",
    )
    assert own.stat().st_size > 1000


def test_weights_that_do_not_fit_the_parameters(fitted):
    other = pickle.loads(pickle.dumps(fitted)).set_params(hidden_layer_sizes=(3,))
    with pytest.raises(ModelError, match="its parameters and its weights do not fit"):
        other.predict(X)


def test_without_tensorflow_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(OptionError, match=r"pip install tensorflow \(or tensorflow-cpu\)"):
        _keras._import_keras.__wrapped__()
