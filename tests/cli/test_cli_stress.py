"""`--stress` and `--noise` on the command line: rows, tables, and what is refused."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
import soundfile

from sklearn_ser.audio.content import read_content
from sklearn_ser.cli import _show
from sklearn_ser.report.verdict import describe_stress
from tests.conftest import SR, run

FIT = ("fit", "--features", "mfcc", "--clf", "logreg")


@pytest.fixture
def noise(tmp_path):
    """A folder of four recordings of noise."""
    folder = tmp_path / "noise"
    folder.mkdir()
    for i in range(4):
        y = np.random.default_rng(i).normal(size=4000) / 10
        soundfile.write(folder / f"{i}.wav", y, SR)
    return folder


def test_fit_and_evaluate_agree_on_the_test_set(little_corpus, noise, tmp_path):
    out = tmp_path / "r"
    how = ("--data", little_corpus, "--stress", "--noise", noise, "--json")
    fitted = json.loads(run(*FIT, *how, "--out", out)[0])
    assert json.loads((out / "metrics.json").read_text())["stress"] == fitted["stress"]
    stress = fitted["stress"]
    assert stress["n_clips"] == fitted["n_test"]
    assert stress["conditions"][0]["uar"] == fitted["uar"]
    assert stress["noise"] == {"n": 4, "n_clips": 0}
    kinds = {row["degradation"] for row in stress["conditions"]}
    assert {"real noise", "babble", "A-law telephone", "Opus"} <= kinds
    # The clips of the run's own test set are those not seen in training.
    assert json.loads(run("evaluate", out, *how)[0])["stress"] == stress
    assert json.loads(run("evaluate", out, *how[:2], "--json")[0])["stress"] is None


def test_each_fold_is_degraded_for_its_own_pipeline(spoken, tmp_path):
    how = ("--data", spoken, "--split", "speaker", "--folds", "all", "--stress", "--json")
    metrics = json.loads(run(*FIT, *how, "--out", tmp_path / "r")[0])
    assert metrics["stress"]["n_clips"] == metrics["n_test"] == 24
    assert metrics["stress"]["conditions"][0]["uar"] == metrics["uar"]
    assert {row["n"] for row in metrics["stress"]["conditions"]} == {24}
    names = [row["name"] for row in metrics["stress"]["conditions"]]
    assert len(set(names)) == len(names)


def test_without_stress_scores_stay_and_with_it_too(little_corpus, tmp_path):
    plain = json.loads(run(*FIT, "--data", little_corpus, "--json", "--out", tmp_path / "a")[0])
    more = json.loads(
        run(*FIT, "--data", little_corpus, "--json", "--stress", "--out", tmp_path / "b")[0]
    )
    assert "stress" not in plain
    for name in ("uar", "uar_interval", "confusion_matrix", "importance"):
        assert plain[name] == more[name]


@pytest.mark.parametrize("augment", ["real", "everyday"])
def test_training_takes_noise_from_the_folder(augment, little_corpus, noise, tmp_path):
    how = ("--data", little_corpus, "--augment", augment, "--noise", noise, "--json")
    first = json.loads(run(*FIT, *how, "--out", tmp_path / "a")[0])
    again = json.loads(run(*FIT, *how, "--out", tmp_path / "b", "--n-jobs", 2)[0])
    probabilities = [pd.read_csv(tmp_path / name / "predictions.csv") for name in "ab"]
    pd.testing.assert_frame_equal(*probabilities)
    assert first["audit"]["noise"] == again["audit"]["noise"]
    assert first["audit"]["noise"] == {"n": 4, "n_clips": 0, "n_test": 0, "paths": []}
    assert json.loads((tmp_path / "a" / "card.json").read_text())["noise_recordings"] == 4
    for file in noise.iterdir():  # other noise, other copies
        soundfile.write(file, np.sin(np.arange(4000) * (2 + int(file.stem))) / 10, SR)
    run(*FIT, *how, "--out", tmp_path / "c")
    other = pd.read_csv(tmp_path / "c" / "predictions.csv")
    assert not other.equals(probabilities[0])


def test_a_test_hears_noise_that_training_has_not(little_corpus, noise, tmp_path):
    out = tmp_path / "r"
    how = ("--data", little_corpus, "--stress", "--noise", noise, "--json")
    fitted = json.loads(run(*FIT, *how, "--augment", "everyday", "--out", out)[0])
    assert fitted["audit"]["noise"]["n"] == 3
    assert fitted["stress"]["noise"] == {"n": 1, "n_clips": 0}
    assert json.loads(run("evaluate", out, *how)[0])["stress"] == fitted["stress"]
    for i in range(1, 4):
        (noise / f"{i}.wav").unlink()
    alone = json.loads(run(*FIT, *how, "--augment", "real", "--out", tmp_path / "s")[0])
    assert alone["audit"]["noise"]["n"] == 1
    assert alone["stress"]["noise"] == {"n": 0, "n_clips": 0}
    assert "training has used all" in describe_stress(alone["stress"])[-1]
    assert not any(row["degradation"] == "real noise" for row in alone["stress"]["conditions"])


def test_speech_of_the_test_set_in_the_noise_is_a_leak(little_corpus, noise, tmp_path):
    predictions = ("--data", little_corpus, "--out", tmp_path / "a")
    run(*FIT, *predictions)
    tested = pd.read_csv(tmp_path / "a" / "predictions.csv")["path"]
    shutil.copy(tested[0], noise / "voice.wav")
    how = ("--data", little_corpus, "--augment", "everyday", "--noise", noise)
    document, said = run(*FIT, *how, "--out", tmp_path / "b", "--json")
    metrics = json.loads(document)
    assert f"1 of {metrics['n_test']} test clips are in the folder of noise" in said
    assert metrics["audit"]["clean"] is False
    assert metrics["audit"]["noise"]["n_test"] == 1
    assert metrics["audit"]["noise"]["paths"] == [tested[0]]
    assert "scores flatter. Remove" in metrics["audit"]["sentences"][0]


def test_clips_among_the_noise_of_a_test_are_said(little_corpus, noise, model, mine, clips):
    shutil.copy(clips[0], noise / "voice.wav")
    how = ("evaluate", model, "--data", little_corpus, "--stress", "--noise", noise)
    # Training has heard that clip, so it is left out; a clip of the test set is not.
    seen = (model / "seen_clips.txt").read_text().split()
    new = [clip for clip in clips if read_content(clip).sha256 not in seen]
    shutil.copy(new[0], noise / "new.wav")
    said = run(*how)[0]
    assert "1 of them are clips of the corpus: remove them" in said


def test_compare_trains_with_noise_too(little_corpus, noise, tmp_path):
    words = ("compare", "--clf", "logreg", "--data", little_corpus, "--split", "random")
    words += ("--features", "mfcc", "--augment", "real", "--noise", noise, "--json")
    found = json.loads(run(*words, "--out", tmp_path / "c")[0])
    assert found["audit"]["random"]["noise"]["n"] == 4


ROW = {
    "uar": 0.5, "uar_interval": [0.4, 0.6], "accuracy": 0.5, "changed": 0.2,
    "most_predicted": "angry", "most_predicted_share": 0.95,
}  # fmt: skip
STRESS = {
    "n_clips": 99,
    "chance": {"uar": 0.25},
    "seen_in_training": False,
    "noise": None,
    "conditions": [
        {"name": "as recorded", "degradation": "as recorded", "strength": None, "unit": None}
        | ROW | {"most_predicted_share": 0.3},
        *(
            {"degradation": "white noise", "strength": strength, "unit": "dB"} | ROW
            for strength in (10.0, 0.0)
        ),
        {"degradation": "mu-law telephone", "strength": None, "unit": None} | ROW,
    ],
}  # fmt: skip


def test_one_prediction_for_nearly_everything_is_said():
    assert describe_stress(STRESS) == [
        "99 clips, none of them seen in training. Guessing gets a UAR of 0.250.",
        "It gives one answer (angry) to nearly everything in: white noise of 10, 0 dB; mu-law "
        "telephone.",
        "Real noise was not tested: `noise=DIR` names a folder of recordings.",
    ]


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_the_table_fits_the_terminal(columns, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", str(columns))
    confusion = {"labels": ["angry", "sad"], "counts": [[2, 1], [1, 2]]}
    _show.print_stress(STRESS, {"confusion_matrix": confusion})
    table = [line for line in capsys.readouterr().out.splitlines() if line[:1] in "┃│"]
    assert len(table) == 5  # no row takes two lines
    assert max(map(len, table)) <= columns
    assert ("0.400 to 0.600" in table[1]) == (columns > 60)
    assert "angry 30%" in table[1]


def test_bad_noise_is_refused_before_the_work(little_corpus, noise, model, mine, tmp_path):
    def fails(*words):
        return run(*words, code=2)[1]

    out = tmp_path / "r"
    fit = (*FIT, "--data", little_corpus, "--out", out)
    assert "There is no folder" in fails(*fit, "--stress", "--noise", tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    assert "no audio file" in fails(*fit, "--stress", "--noise", tmp_path / "empty")
    assert "add --augment everyday" in fails(*fit, "--noise", noise)
    assert "add --noise FOLDER" in fails(*fit, "--augment", "real")
    evaluate = ("evaluate", model, "--data", little_corpus, "--noise", noise)
    assert "add --stress" in fails(*evaluate)
    for name in ("broken.wav", "worse.wav"):
        (noise / name).write_bytes(b"RIFF")
    message = fails(*fit, "--stress", "--noise", noise)
    assert "2 of 6 files" in message
    assert "broken.wav" in message
    assert "worse.wav" in message
    assert "--on-error skip" in message
    assert not out.exists()
    stress = json.loads(run(*fit, "--stress", "--noise", noise, "--on-error", "skip", "--json")[0])[
        "stress"
    ]
    assert stress["noise"]["n"] == 4
