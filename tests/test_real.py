"""The promises on real speech. They run where SKLEARN_SER_DATA holds TESS and EMO-DB."""

import json
import subprocess
import sys
from pathlib import Path

import joblib
import pytest
from sklearn.metrics import recall_score
from sklearn.model_selection import LeaveOneGroupOut, cross_val_predict
from sklearn.pipeline import make_pipeline as plain_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from sklearn_ser import load_corpus, make_pipeline
from sklearn_ser.persistence import read_card
from sklearn_ser.pipelines import extract_features
from tests.conftest import real_corpus, run

pytestmark = pytest.mark.real


@pytest.mark.parametrize(
    ("clf", "least"), [("ann", 0.99), ("mlp", 0.98), ("svm", 0.98), ("rf", 0.98)]
)
def test_tess_on_a_random_split(clf, least, tmp_path):
    out, _ = run(
        "fit", "--clf", clf, "--data", real_corpus("tess"), "--split", "random", "--json",
        "--out", tmp_path / clf,
    )  # fmt: skip
    metrics = json.loads(out)
    assert metrics["n_train"] + metrics["n_validation"] + metrics["n_test"] == 2800
    assert metrics["accuracy"] >= least
    aiff_inside = str(real_corpus("tess") / "YAF_germ_angry.wav")
    assert joblib.load(tmp_path / clf / "pipeline.joblib").predict([aiff_inside]) == ["angry"]


def test_tess_on_an_unseen_speaker_is_another_matter(tmp_path):
    out, _ = run(
        "fit", "--clf", "svm", "--data", real_corpus("tess"), "--split", "speaker", "--json",
        "--out", tmp_path / "svm",
    )  # fmt: skip
    metrics = json.loads(out)
    assert metrics["n_test"] == 1400
    assert metrics["validation_by"] == "text"
    assert metrics["accuracy"] < 0.6
    assert metrics["train"]["accuracy"] > 0.98


def test_emodb_leave_one_speaker_out_is_the_published_figure(tmp_path):
    """0.564 with plain scikit-learn and librosa on these 505 files."""
    out, _ = run(
        "fit", "--clf", "svm", "--param", "clf__calibrate=False", "--data", real_corpus("emodb"),
        "--split", "speaker", "--folds", "all", "--json", "--out", tmp_path / "svm",
    )  # fmt: skip
    metrics = json.loads(out)
    assert metrics["n_test"] == 505
    assert metrics["uar"] == pytest.approx(0.564, abs=0.02)
    assert metrics["interval"]["resampled"] == "speakers"
    corpus = load_corpus("emodb", real_corpus("emodb"))
    X, _, failures = extract_features(make_pipeline("svm", n_jobs=2), corpus["path"].tolist())
    assert not failures
    # Ties in votes by confidence, as in whatever predicts by its probabilities.
    svc = plain_pipeline(StandardScaler(), SVC(C=10, break_ties=True))
    y, speakers = corpus["emotion"].to_numpy(), corpus["speaker"].to_numpy()
    predicted = cross_val_predict(svc, X, y, cv=LeaveOneGroupOut(), groups=speakers)
    assert metrics["uar"] == pytest.approx(recall_score(y, predicted, average="macro"))
    assert metrics["accuracy"] == pytest.approx((y == predicted).mean())


def test_tess_compared(tmp_path):
    """Random split and unseen speaker side by side, and what they share by name."""
    out, _ = run(
        "compare", "--clf", "svm,mlp,rf,ann", "--data", real_corpus("tess"), "--json",
        "--out", tmp_path / "c",
    )  # fmt: skip
    comparison = json.loads(out)
    scores = {(row["clf"], row["split"]): row["accuracy"] for row in comparison["rows"]}
    for clf in ("svm", "mlp", "rf", "ann"):
        assert scores[clf, "random"] >= 0.98
        assert scores[clf, "speaker"] < 0.6
    assert comparison["audit"]["random"]["speaker"]["shared"] == ["OAF", "YAF"]
    assert comparison["audit"]["speaker"]["text"]["n_shared"] == 200
    assert comparison["audit"]["speaker"]["speaker"]["n_shared"] == 0


@pytest.mark.parametrize("name", ["tess", "nemo"])
def test_the_card_of_demo_says_what_evaluate_measures(name):
    words = ("evaluate", "demo", "--data", real_corpus(name), "--no-cache", "--json")
    metrics = json.loads(run(*words, "--emotions", "angry,happy,neutral,sad")[0])
    tests = [one for one in read_card("demo")["tests"] if one["corpus"] == name]
    as_they_are = next(one for one in tests if one["adapt"] == "none")
    assert metrics["n_test"] == as_they_are["n_clips"]
    assert metrics["split"] == "cross-corpus"
    assert metrics["uar"] == pytest.approx(as_they_are["uar"], abs=0.005)


def test_the_script_makes_the_demo_of_the_package(tmp_path):
    script = Path(__file__).parents[1] / "tools" / "build_demo.py"
    words = ["--data", real_corpus("emodb"), "--test", real_corpus("nemo"), "--out", tmp_path]
    done = subprocess.run([sys.executable, script, *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    there, here = read_card("demo"), read_card(tmp_path)
    assert here["data"]["fingerprint"] == there["data"]["fingerprint"]
    scores = {one["corpus"]: one["uar"] for one in here["tests"] if one["adapt"] == "none"}
    known = {one["corpus"]: one["uar"] for one in there["tests"] if one["adapt"] == "none"}
    assert scores["emodb"] == pytest.approx(known["emodb"], abs=0.005)


@pytest.mark.parametrize(("sound", "most"), [([], 3_000_000), (["--no-audio"], 700_000)])
def test_the_report_of_all_emodb_is_small_and_may_be_heard(sound, most, tmp_path):
    run(
        "fit", "--clf", "logreg", "--features", "mfcc", "--data", real_corpus("emodb"),
        "--split", "speaker", "--folds", "5", "--out", tmp_path / "run", *sound,
    )  # fmt: skip
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert len(page.encode()) <= most
    assert ("<audio" in page) == (not sound)


def test_a_report_of_tess_is_silent_and_says_why(tmp_path):
    run(
        "fit", "--clf", "logreg", "--features", "mfcc", "--data", real_corpus("tess"),
        "--out", tmp_path / "run",
    )  # fmt: skip
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "<audio" not in page
    assert "has the licence CC BY-NC-ND 4.0" in page
