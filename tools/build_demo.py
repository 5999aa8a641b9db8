"""Fit `demo`, the model that comes with the package, and measure what its card says.

    sklearn-ser corpora get emodb
    python tools/build_demo.py --data emodb --test tess,nemo --noise DIR

It is fitted on the angry, happy, neutral and sad clips of EMO-DB alone, whose licence allows it
with attribution, with degraded copies of them. Corpora named by --test are for measuring: nothing
is chosen by them, and nothing of them is in the file. Its probabilities are calibrated by one
temperature, found on the predictions of the speakers left out. The same data give the same scores.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.preprocessing import StandardScaler

from sklearn_ser.classifiers.temperature import TemperatureScaledClassifier
from sklearn_ser.corpora import load_data
from sklearn_ser.inference.adaptation import RunningScaler
from sklearn_ser.inference.predictor import SILENCE, Predictor
from sklearn_ser.metrics import score, score_calibration
from sklearn_ser.persistence import load_pipeline, read_card, save_pipeline
from sklearn_ser.persistence.demo import DEMO_FOLDER
from sklearn_ser.pipelines import extract_features
from sklearn_ser.runs import RunOptions, fit_run
from sklearn_ser.runs.write import SEEN_CLIPS

EMOTIONS = "angry,happy,neutral,sad"
LANGUAGES = {"emodb": "German", "tess": "English", "nemo": "Polish"}
ATTRIBUTION = (
    "Fitted on EMO-DB: Burkhardt, F., Paeschke, A., Rolfes, M., Sendlmeier, W. F. and Weiss, B. "
    "(2005). A database of German emotional speech. Interspeech 2005, 1517-1520. "
    "doi:10.21437/Interspeech.2005-446. CC0 1.0 as audEERING publishes it (audb, emodb 1.1.0 and "
    "later), CC BY 4.0 as its author does (EmoDB 2.0). No audio of it is in this package."
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", default="emodb", help="EMO-DB: its name, or its folder")
    parser.add_argument("--test", default="tess,nemo", help="corpora to measure on")
    parser.add_argument("--noise", type=Path, help="a folder of noise, to see it say nothing of it")
    parser.add_argument("--out", type=Path, default=DEMO_FOLDER, help="the model's folder")
    parser.add_argument("--cache", type=Path, help="a folder that keeps features")
    arguments = parser.parse_args()
    options = RunOptions(
        arguments.data,
        clf="logreg",
        features="functionals",
        split="speaker",
        folds="all",
        emotions=EMOTIONS,
        augment="everyday",
        cache=arguments.cache,
    )
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "demo"
        metrics = fit_run(RunOptions(**{**vars(options), "out": run}))
        pipeline, card = load_pipeline(run), dict(read_card(run))
        left_out = pd.read_csv(run / "predictions.csv")
        seen = (run / SEEN_CLIPS).read_text(encoding="ascii")
    pipeline.set_params(clf=calibrate(pipeline.named_steps["clf"], left_out))
    tests = [of_the_run(metrics, card, left_out, pipeline)]
    for name in filter(None, arguments.test.split(",")):
        tests += measure(pipeline, name)
    if arguments.noise:
        paths = sorted(map(str, arguments.noise.glob("*.wav")))
        card["noise"] = {"n_clips": len(paths), "abstained": abstained(pipeline, paths)}
        print("noise", card["noise"])
    for test in tests:
        print({k: round(v, 3) if isinstance(v, float) else v for k, v in test.items()})
    card |= {
        "data": {**card["data"], "name": "emodb"},
        "calibrated": True,
        "voice": True,
        "tests": tests,
        "about": describe(pipeline, tests),
        "attribution": ATTRIBUTION,
    }
    print(card["about"])
    path = save_pipeline(pipeline, arguments.out / "pipeline.skops", card)
    (arguments.out / SEEN_CLIPS).write_text(seen, encoding="ascii")
    print(f"{path}: {sum(f.stat().st_size for f in arguments.out.iterdir()) / 1000:.0f} kB in all")


class LeftOut:
    """Predictions made before, in place of a classifier that makes them."""

    def __init__(self, classes: np.ndarray):
        self.classes_ = classes

    def predict_proba(self, probabilities: np.ndarray) -> np.ndarray:
        return probabilities


def probabilities_of(table: pd.DataFrame, classes: np.ndarray) -> np.ndarray:
    return table[[f"p_{emotion}" for emotion in classes]].to_numpy()


def calibrate(clf, left_out: pd.DataFrame) -> TemperatureScaledClassifier:
    """Find the temperature on the clips of speakers that were left out, each once."""
    probabilities = probabilities_of(left_out, clf.classes_)
    scaled = TemperatureScaledClassifier(clone(clf))
    scaled.calibrate(LeftOut(clf.classes_), probabilities, left_out["truth"].to_numpy(str))
    scaled.estimator_, scaled.n_features_in_ = clf, clf.n_features_in_
    return scaled


def of_the_run(metrics, card, left_out: pd.DataFrame, pipeline) -> dict:
    """Return what the run has measured with each speaker left out once."""
    clf = pipeline.named_steps["clf"]
    before = TemperatureScaledClassifier(clone(clf.estimator_))
    before.estimator_, before.classes_ = LeftOut(clf.classes_), clf.classes_
    before.temperature_ = clf.temperature_
    before.n_features_in_ = len(clf.classes_)
    probabilities = before.predict_proba(probabilities_of(left_out, clf.classes_))
    return {
        "corpus": "emodb",
        "language": LANGUAGES["emodb"],
        "n_clips": card["data"]["n_clips"],
        "n_speakers": len(metrics["folds"]),
        "adapt": "none",
        "accuracy": metrics["accuracy"],
        "uar": metrics["uar"],
        "ece": score_calibration(left_out["truth"], probabilities, clf.classes_)["ece"],
    }


def measure(pipeline, name: str) -> list[dict]:
    """Score a corpus that the pipeline has heard nothing of, as it is and adapted by speaker.

    Adapted by all clips of a speaker, or running: by those that came before, in random order.
    """
    table = load_data(name, emotions=EMOTIONS)
    name = str(table["corpus"].iloc[0])
    X = extract_features(pipeline, table["path"].tolist()).X
    truth, speakers = table["emotion"].to_numpy(str), table["speaker"].to_numpy(str)
    scaler, clf = pipeline.named_steps["scale"], pipeline.named_steps["clf"]
    adapted = np.empty(X.shape)
    for speaker in sorted(set(speakers)):
        own = speakers == speaker
        adapted[own] = StandardScaler().fit_transform(X[own].astype(float))
    silent = abstained(pipeline, table["path"].tolist())
    heard = np.empty(X.shape)
    for speaker in sorted(set(speakers)):
        running = RunningScaler(pipeline)
        for i in np.random.default_rng(0).permutation(np.flatnonzero(speakers == speaker)):
            heard[i] = running.scale(X[i])
            running.add(X[i])
    ways = {"none": scaler.transform(X), "running": heard, "speaker": adapted}
    tests = []
    for adapt, Z in ways.items():
        scores = score(truth, clf.predict(Z))
        tests.append(
            {
                "corpus": name,
                "language": LANGUAGES.get(name, "unknown"),
                "n_clips": len(table),
                "n_speakers": len(set(speakers)),
                "adapt": adapt,
                "accuracy": scores["accuracy"],
                "uar": scores["uar"],
                "ece": score_calibration(truth, clf.predict_proba(Z), clf.classes_)["ece"],
                "abstained": silent,
            }
        )
    return tests


def abstained(pipeline, paths: list[str]) -> float:
    """Return the share of clips that are silent or unlike speech to the model."""
    found = Predictor(pipeline, voice=True).iter_predictions(paths)
    return float(np.mean([one.emotion == SILENCE for one in found]))


def describe(pipeline, tests: list[dict]) -> str:
    """Return what the model says of itself wherever it predicts."""
    own, *others = [test for test in tests if test["adapt"] == "none"]
    emotions = ", ".join(pipeline.classes_[:-1]) + f" and {pipeline.classes_[-1]}"
    about = (
        f"demo is a small model of {own['n_speakers']} {own['language']} actors, for {emotions} "
        f"alone. It is right on {own['accuracy']:.0%} of the clips of {own['language']} voices "
        "that it never heard"
    )
    if others:
        each = ", ".join(f"{test['language']} {test['accuracy']:.0%}" for test in others)
        mean = np.mean([test["accuracy"] for test in others])
        about += f", and on {mean:.0%} in other languages ({each})"
    return (
        f"{about}; guessing gets {1 / len(pipeline.classes_):.0%}. Actors play emotions: it cannot "
        "know what a person feels."
    )


if __name__ == "__main__":
    main()
