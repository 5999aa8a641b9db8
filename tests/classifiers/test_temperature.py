"""Temperature scaling against scikit-learn's, and what `fit --calibrate` makes of it."""

import json

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
import soundfile
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import make_classification
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.utils.fixes import parse_version

from sklearn_ser import load_pipeline, save_pipeline
from sklearn_ser.classifiers.temperature import TemperatureScaledClassifier, unwrap_classifier
from sklearn_ser.exceptions import OptionError
from sklearn_ser.metrics import score_calibration
from sklearn_ser.runs import RunOptions, fit_run
from tests.conftest import SR, voice


@pytest.fixture(scope="module")
def data():
    """Features that repeat each other, which make naive Bayes far too sure."""
    X, y = make_classification(
        900, 12, n_informative=4, n_redundant=8, n_classes=3, class_sep=0.7, random_state=0
    )
    y = np.array(["angry", "calm", "sad"])[y]
    return (X[:300], y[:300]), (X[300:600], y[300:600]), (X[600:], y[600:])


@pytest.mark.skipif(
    parse_version(sklearn.__version__) < parse_version("1.8"),
    reason="scikit-learn scales temperatures from 1.8 on",
)
def test_temperature_equals_scikit_learns(data):
    train, held_out, test = data
    clf = GaussianNB().fit(*train)
    theirs = CalibratedClassifierCV(FrozenEstimator(clf), method="temperature").fit(*held_out)
    ours = TemperatureScaledClassifier(clf, prior_sd=np.inf).calibrate(clf, *held_out)
    np.testing.assert_allclose(
        ours.predict_proba(test[0]), theirs.predict_proba(test[0]), atol=1e-3
    )
    # On 300 clips the prior hardly speaks.
    drawn = TemperatureScaledClassifier(clf).calibrate(clf, *held_out)
    assert drawn.temperature_ == pytest.approx(ours.temperature_, rel=0.02)


def test_overconfidence_is_mended_and_predictions_stay(data):
    train, held_out, test = data
    clf = GaussianNB().fit(*train)
    scaled = TemperatureScaledClassifier(clf).calibrate(clf, *held_out)
    assert scaled.temperature_ > 1.5
    np.testing.assert_array_equal(scaled.predict(test[0]), clf.predict(test[0]))
    before, after = (
        score_calibration(test[1], which.predict_proba(test[0]), clf.classes_)["ece"]
        for which in (clf, scaled)
    )
    assert after < before / 2


def test_the_prior_on_few_clips(data):
    (X, y), _, _ = data
    clf = LogisticRegression().fit(X, y)
    easy = np.flatnonzero(clf.predict_proba(X).max(axis=1) > 0.8)
    easy = easy[clf.predict(X[easy]) == y[easy]][:3]
    bold, modest = (
        TemperatureScaledClassifier(clf, prior_sd=sd).calibrate(clf, X[easy], y[easy])
        for sd in (np.inf, 1.0)
    )
    assert bold.temperature_ < 0.01
    assert 0.3 < modest.temperature_ < 1


def test_emotions_missing_among_held_out_clips(data):
    (X, y), (X_aside, y_aside), _ = data
    clf = LogisticRegression().fit(X, y)
    two = y_aside != "sad"
    scaled = TemperatureScaledClassifier(clf).calibrate(clf, X_aside[two], y_aside[two])
    assert scaled.predict_proba(X).shape == (300, 3)
    strange = np.where(two, y_aside, "boredom")  # not known to the classifier
    again = TemperatureScaledClassifier(clf).calibrate(clf, X_aside, strange)
    assert again.temperature_ == scaled.temperature_
    nothing = TemperatureScaledClassifier(clf).calibrate(clf, X_aside[:0], y_aside[:0])
    assert nothing.temperature_ == 1


def test_groups_stay_together(data):
    (X, y), _, _ = data
    seen = []

    class Watcher(LogisticRegression):
        def fit(self, X, y):
            seen.append(X)
            return super().fit(X, y)

    speakers = np.arange(len(y)) % 5
    TemperatureScaledClassifier(Watcher(), random_state=0).fit(X, y, groups=speakers)
    rows = [np.flatnonzero((row == X).all(axis=1))[0] for row in seen[0]]
    assert len(set(speakers[rows])) == 4


# fit --calibrate


@pytest.fixture(scope="module")
def noisy_corpus(tmp_path_factory):
    """Clips of five speakers that are hard to tell apart."""
    folder = tmp_path_factory.mktemp("noisy")
    rng = np.random.default_rng(3)
    rows = []
    for speaker in range(5):
        for emotion, pitch in [("angry", 200), ("neutral", 185), ("sad", 130)]:
            for i in range(6):
                y = voice(0.25, pitch * rng.normal(1 + 0.04 * speaker, 0.12), seed=len(rows))
                soundfile.write(folder / f"{len(rows)}.wav", y, SR)
                rows.append([f"{len(rows)}.wav", emotion, f"s{speaker}", f"t{i}"])
    table = pd.DataFrame(rows, columns=["path", "emotion", "speaker", "text"])
    table.to_csv(folder / "corpus.csv", index=False)
    return str(folder / "corpus.csv")


@pytest.mark.parametrize("clf", ["svm", "mlp"])
def test_fit_calibrated(noisy_corpus, tmp_path, clf):
    how = {"clf": clf, "features": "mfcc", "split": "speaker", "validation_size": 0.3}
    plain = fit_run(RunOptions(noisy_corpus, out=tmp_path / "plain", **how))
    metrics = fit_run(RunOptions(noisy_corpus, out=tmp_path / "r", calibrate=True, **how))
    about = metrics["calibration"]
    assert about["by"] == "speaker"
    assert about["n_clips"] == metrics["n_validation"]
    assert about["ece_before"] == plain["calibration"]["ece"]
    assert about["ece"] != about["ece_before"]
    assert metrics["accuracy"] == plain["accuracy"]  # no prediction changes
    page = (tmp_path / "r" / "report.html").read_text()
    assert f"{about['ece']:.4f}, {about['ece_before']:.4f} before" in page
    pipe = load_pipeline(tmp_path / "r")
    table = pd.read_csv(tmp_path / "r" / "predictions.csv")
    np.testing.assert_allclose(
        pipe.predict_proba(table["path"]), table.filter(regex="^p_"), atol=1e-6
    )
    clf = pipe.named_steps["clf"]
    assert about["temperature"] == clf.temperature_
    assert type(unwrap_classifier(clf)) is type(load_pipeline(tmp_path / "plain")["clf"])
    save_pipeline(pipe, tmp_path / "m.skops")
    again = load_pipeline(tmp_path / "m.skops", trust=False)
    np.testing.assert_allclose(
        again.predict_proba(table["path"]), pipe.predict_proba(table["path"])
    )


def test_calibrated_and_refit(noisy_corpus, tmp_path):
    how = {"clf": "logreg", "features": "mfcc", "split": "speaker", "out": tmp_path / "r"}
    fit_run(RunOptions(noisy_corpus, calibrate=True, refit=True, **how))
    card = json.loads((tmp_path / "r" / "card.json").read_text())
    assert (card["calibrated"], card["refit"]) == (True, True)
    clf = joblib.load(tmp_path / "r" / "pipeline.joblib")["clf"]
    assert clf.estimator_.classes_.tolist() == ["angry", "neutral", "sad"]


def test_nothing_to_calibrate_on(noisy_corpus):
    with pytest.raises(OptionError, match="raise `validation_size`"):
        fit_run(RunOptions(noisy_corpus, calibrate=True, validation_size=0))
