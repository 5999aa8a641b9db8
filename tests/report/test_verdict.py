"""The sentences about scores: chance level, one prediction for every clip, calibration."""

import json
import re
import shutil

import pandas as pd
import pytest

from sklearn_ser.cli import _app, _show
from sklearn_ser.cli._compare import _tabulate
from sklearn_ser.metrics import bootstrap_scores, describe_predictions, score
from sklearn_ser.report.run_page import write_report
from sklearn_ser.report.verdict import (
    describe_audit,
    describe_calibration,
    describe_guessing,
    describe_run,
    headline,
    order_splits,
    verdict,
)
from tests.conftest import run

EMOTIONS = ["angry", "calm", "happy", "sad"]


def metrics_of(truth, predicted, **more):
    """What metrics.json says of such predictions."""
    probabilities = pd.get_dummies(pd.Categorical(predicted, EMOTIONS)).to_numpy(float)
    table = pd.DataFrame({"emotion": truth})
    return {
        **score(truth, predicted),
        **bootstrap_scores(truth, predicted),
        **describe_predictions(table, predicted, probabilities, EMOTIONS),
        **dict.fromkeys(("n_train", "n_validation", "n_test"), len(truth)),
        **dict.fromkeys(("train", "validation"), None),
        "split": "speaker", "transductive": False, "seconds": 1.0, "run": "runs/x",
        "audit": {"sentences": ["No speaker is on both sides."]},
    } | more  # fmt: skip


TRUTH = EMOTIONS * 20
GOOD = metrics_of(TRUTH, TRUTH[:-3] + ["sad"] * 3)
RANDOM = metrics_of(TRUTH, [EMOTIONS[i % 7 % 4] for i in range(80)])
CONSTANT = metrics_of(TRUTH, ["calm"] * 80)


def test_verdict_names_chance_level_and_split():
    assert "UAR 0.975 where guessing gets 0.250, on a speaker split" in verdict(GOOD)
    assert describe_guessing(GOOD) is None
    assert verdict(GOOD).startswith("97.5% (95% interval ")


def test_verdict_at_chance():
    low, high = RANDOM["uar_interval"]
    assert low < 0.25 < high
    assert verdict(RANDOM).startswith("No better than guessing. ")
    assert verdict(CONSTANT).startswith("It predicts calm for every clip: no better than guessing.")
    nearly = metrics_of(TRUTH * 2, ["calm"] * 159 + ["sad"])
    assert describe_guessing(nearly) == "It predicts calm for 159 clips: no better than guessing."


def test_few_clips_say_little():
    few = metrics_of(EMOTIONS, EMOTIONS)
    assert few["uar_interval"][0] > 0.25  # even four clips without a mistake
    few = metrics_of(EMOTIONS[:2], EMOTIONS[:2])
    assert few["uar_interval"][0] < 0.5
    assert verdict(few).startswith(
        "Too few clips to say whether it is better than guessing. 100.0%"
    )


def test_one_emotion_says_little():
    assert describe_guessing(metrics_of(["sad"] * 9, ["sad"] * 8 + ["calm"])).startswith("With one")


def test_all_right_is_not_certain():
    perfect = metrics_of(TRUTH, TRUTH)
    assert "100.0% (95% interval 95.5% to 100.0%)" in verdict(perfect)


def test_end_of_a_run():
    assert describe_run(GOOD)[-1].endswith("Run: runs/x")
    assert describe_audit(GOOD["audit"]) == [(True, "No speaker is on both sides.")]
    assert describe_audit(None) == []
    folded = describe_run(GOOD | {"folds": [{}, {}], "transductive": True})
    assert folded[0].startswith("speaker split: 2 folds, whose predictions are pooled")
    assert folded[1].startswith("Transductive")


@pytest.mark.parametrize(
    ("after", "words"), [(0.02, "Calibrated: "), (0.09, "made the confidence worse: ")]
)
def test_calibration_is_judged_by_its_error(after, words):
    calibration = {"ece": after, "ece_before": 0.08}
    sentence = describe_calibration(calibration)
    assert words in sentence
    assert f"error {after:.4f}, 0.0800 before" in sentence
    calibration |= GOOD["calibration"] | calibration
    assert sentence in describe_run(GOOD | {"calibration": calibration})
    assert describe_calibration(GOOD["calibration"]) is None


def test_unseen_speakers_come_first():
    splits = ["random", "speaker", "text", "speaker+text", "random"]
    assert order_splits(splits) == ["speaker", "speaker+text", "random", "text"]


def row(clf, split, uar, width=0.05, **more):
    interval = [uar - width, uar + width]
    return {"clf": clf, "split": split, "uar": uar, "uar_interval": interval} | {
        "chance": {"uar": 0.25}, "transductive": False, **more
    }  # fmt: skip


def pair(better, worse, within_noise):
    return {"better": better, "worse": worse, "within_noise": within_noise}


def test_headline_leads_with_unseen_speakers():
    rows = [row("svm", "random", 0.9), row("rf", "random", 0.8)]
    rows += [row("svm", "speaker", 0.4), row("rf", "speaker", 0.6)]
    tests = {"random": [pair("svm", "rf", False)], "speaker": [pair("rf", "svm", False)]}
    assert headline(rows, tests) == (
        "On unseen speakers rf is best, with a UAR of 0.600 (chance 0.250). On a random split svm "
        "is best, with a UAR of 0.900 (chance 0.250)."
    )


def test_headline_names_no_best_within_noise():
    rows = [row("svm", "random", 0.9), row("rf", "random", 0.89), row("mlp", "random", 0.5)]
    pairs = [pair("svm", "rf", True), pair("svm", "mlp", False), pair("rf", "mlp", False)]
    assert headline(rows, {"random": pairs}) == (
        "On a random split no clear best: svm 0.900 and rf 0.890 UAR are within noise (chance "
        "0.250)."
    )


def test_headline_at_chance():
    rows = [row("svm", "speaker", 0.28), row("rf", "speaker", 0.22)]
    tests = {"speaker": [pair("svm", "rf", False)]}
    assert "no classifier is better than guessing: the best UAR is 0.280" in headline(rows, tests)
    assert "svm is no better than guessing: UAR 0.280" in headline(rows[:1], {})
    transductive = headline([row("svm", "speaker", 0.8, transductive=True)], {})
    assert transductive.startswith("On unseen speakers (transductive) svm has a UAR of 0.800")


@pytest.mark.parametrize(("metrics", "shown"), [(GOOD, True), (RANDOM, False), (CONSTANT, False)])
def test_report_shows_importance_above_chance_only(metrics, shown, tmp_path, model):
    groups = [{"name": "mfcc", "n_features": 40, "mean": 0.1234, "sd": 0.01}]
    importance = {"n_clips": 80, "n_repeats": 5, "n_folds": 1, "uar": 0.3, "groups": groups}
    card = json.loads((model / "card.json").read_text())
    write_report(tmp_path / "r.html", "x", metrics | {"importance": importance}, card, [])
    page = (tmp_path / "r.html").read_text()
    assert ("0.123" in page) is shown
    assert ("there is nothing that the features are important for" in page) is not shown
    assert "guessing gets 0.250" in page


def test_stress_of_one_prediction_for_every_clip(monkeypatch, capsys):
    Terminal(monkeypatch, 120)
    row = {"accuracy": 0.25, "uar": 0.25, "uar_interval": [0.2, 0.3], "changed": 0.0}
    row |= {"most_predicted": "calm", "most_predicted_share": 0.8, "strength": None, "unit": None}
    rows = [{"name": name, "degradation": name} | row for name in ("a", "b")]
    stress = {"n_clips": 80, "seen_in_training": False, "conditions": rows}
    _show.print_stress(stress, CONSTANT)
    said = capsys.readouterr().out
    assert "it predicts calm for them too" in said
    assert "0.250" not in said
    _show.print_stress(stress, GOOD)
    assert capsys.readouterr().out.count("0.250") == 4


class Terminal:
    """Standard output of a terminal of so many columns."""

    def __init__(self, monkeypatch, columns):
        monkeypatch.setenv("COLUMNS", str(columns))
        monkeypatch.setattr(_app, "terminal_width", lambda _: columns)
        assert shutil.get_terminal_size().columns == columns


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_numbers_are_whole_at_every_width(columns, monkeypatch, capsys):
    Terminal(monkeypatch, columns)
    metrics = RANDOM | {"by_sex": None}
    _show.print_scores(metrics)
    for sentence in describe_run(metrics):
        _app.say(sentence)
    said = capsys.readouterr().out
    assert max(map(len, said.splitlines())) <= columns
    for key in ("accuracy", "uar", "macro_f1"):
        low, high = metrics[f"{key}_interval"]
        assert f"{metrics[key]:.4f} [{low:.3f}, {high:.3f}]" in said
    for row in metrics["per_emotion"].values():
        assert f"{row['recall']:.3f}" in said


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_comparisons_are_whole_at_every_width(columns, monkeypatch):
    Terminal(monkeypatch, columns)
    more = {"accuracy": 0.1234, "uar": 0.2345, "macro_f1": 0.3456, "transductive": True}
    more |= {"fit_seconds": 1234.5, "predict_seconds": 12.34}
    more |= {f"{key}_interval": [0.1111, 0.9999] for key in ("accuracy", "uar", "macro_f1")}
    rows = [{"clf": clf, "split": split} | more for clf in ("cnn-lstm", "logreg")
            for split in ("speaker+text", "random")]  # fmt: skip
    console = _app.terminal()
    with console.capture() as captured:
        console.print(_tabulate(rows, ["speaker+text", "random"]))
    lines = captured.get().splitlines()
    assert max(map(len, lines)) <= columns
    words = re.split(r"\s+", captured.get())
    assert words.count("0.123") == words.count("0.234") == words.count("0.346") == 4
    assert words.count(".111–1.000") == 12
    assert words.count("speaker+text*") == 2
    assert ("1234.50 s" in captured.get()) is (columns > 60)


def test_fit_ends_with_verdict_and_report(little_corpus, tmp_path):
    out, _ = run("fit", "--clf", "logreg", "--features", "mfcc", "--data", little_corpus,
                 "--out", tmp_path / "r")  # fmt: skip
    assert out.splitlines()[-1] == f"Report: {tmp_path / 'r' / 'report.html'}"
    metrics = json.loads((tmp_path / "r" / "metrics.json").read_text())
    assert verdict(metrics) in out.splitlines()
    assert ", chance 0.333" in out
