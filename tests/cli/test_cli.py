"""The command line as its users meet it; what it prints, what it writes, how it ends."""

import json
import os
import re
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from sklearn.metrics import accuracy_score
from typer.testing import CliRunner

from sklearn_ser.cli import app
from tests.conftest import SR, run, voice

KEYS = {
    *("accuracy", "uar", "macro_f1", "per_emotion", "split", "n_train", "n_validation", "n_test"),
    *("seconds", "run", "train", "validation"),
}


@pytest.fixture(scope="module")
def fitted_run(little_corpus, tmp_path_factory):
    """A run of the svm, and what its command printed."""
    folder = tmp_path_factory.mktemp("runs")
    os.environ["SKLEARN_SER_CONFIG"] = str(folder / "config")
    out, err = run("fit", "--data", little_corpus, "--out", folder / "svm", "--json")
    return folder / "svm", json.loads(out), err


@pytest.fixture
def trusted(fitted_run, monkeypatch):
    """The run, for a user who made it."""
    monkeypatch.setenv("SKLEARN_SER_CONFIG", str(fitted_run[0].parent / "config"))
    return fitted_run[0]


# fit


def test_json_of_fit_equals_metrics_json(fitted_run):
    folder, metrics, err = fitted_run
    assert metrics.keys() >= KEYS
    assert metrics == json.loads((folder / "metrics.json").read_text())
    assert metrics["n_train"] + metrics["n_validation"] + metrics["n_test"] == 24
    assert metrics["split"] == "random"
    assert metrics["run"] == str(folder)
    assert metrics["train"].keys() == metrics["validation"].keys()
    assert "extracting features" in err


def test_run_folder_contents(fitted_run):
    folder, metrics, _ = fitted_run
    assert sorted(file.name for file in folder.iterdir()) == [
        "card.json",
        "figures",
        "metrics.json",
        "pipeline.joblib",
        "predictions.csv",
        "report.html",
        "seen_clips.txt",
    ]
    table = pd.read_csv(folder / "predictions.csv")
    assert table.columns.tolist() == [
        *("path", "truth", "prediction", "p_angry", "p_neutral", "p_sad")
    ]
    assert accuracy_score(table["truth"], table["prediction"]) == metrics["accuracy"]
    card = json.loads((folder / "card.json").read_text())
    assert card["scores"]["accuracy"] == metrics["accuracy"]
    assert card["data"]["n_clips"] == 24
    assert str(folder.parent) not in (folder / "card.json").read_text()
    page = (folder / "report.html").read_text()
    assert f"{metrics['accuracy']:.1%}" in page
    assert "http" not in page.replace("http-equiv", "")
    assert not [file for file in folder.parent.iterdir() if file.name.startswith(".")]


def test_saved_pipeline_reproduces_predictions(fitted_run):
    import joblib

    folder, _, _ = fitted_run
    table = pd.read_csv(folder / "predictions.csv")
    found = joblib.load(folder / "pipeline.joblib").predict_proba(table["path"])
    np.testing.assert_allclose(found, table.filter(regex="^p_"), atol=1e-6)


def test_printed_summary_of_fit(little_corpus, tmp_path):
    out, _ = run("fit", "--data", little_corpus, "--out", tmp_path / "r", "--clf", "logreg")
    for word in ("precision", "recall", "F1", "angry", "accuracy", "UAR", "random split", "Run:"):
        assert word in out


def test_fit_a_network(little_corpus, tmp_path):
    out, err = run(
        "fit", "--clf", "ann", "--param", "clf__epochs=8", "--data", little_corpus, "--json",
        "--out", tmp_path / "ann",
    )  # fmt: skip
    assert json.loads(out)["validation_by"] == "random"
    assert len(pd.read_csv(tmp_path / "ann" / "history.csv")) == 8
    assert (tmp_path / "ann" / "figures" / "training_curves.png").stat().st_size > 1000
    assert "training" in err


def test_same_seed_same_scores(little_corpus, tmp_path):
    how = ("fit", "--data", little_corpus, "--clf", "rf", "--json", "--seed", 5)
    first, again = (json.loads(run(*how, "--out", tmp_path / str(i))[0]) for i in range(2))
    for metrics in (first, again):
        for key in ("run", "seconds", "seconds_fit"):
            del metrics[key]
    assert first == again
    a, b = (pd.read_csv(tmp_path / str(i) / "predictions.csv") for i in range(2))
    pd.testing.assert_frame_equal(a, b)


def test_json_is_all_there_is_on_standard_output(little_corpus, tmp_path):
    how = ("--data", little_corpus, "--features", "mfcc", "--json")
    out, _ = run(
        "fit", "--clf", "mlp", "--param", "clf__verbose=True", *how, "--out", tmp_path / "m"
    )
    assert json.loads(out)["classifier"] == "mlp"


def test_two_runs_of_the_same_second(little_corpus, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(time, "strftime", lambda *_: "20260101-000000")
    how = ("fit", "--data", little_corpus, "--clf", "logreg", "--features", "mfcc", "--json")
    first, second = (json.loads(run(*how)[0])["run"] for _ in range(2))
    assert second == first + "-2"


def test_diverging_network_fails(little_corpus, tmp_path):
    err = run(
        "fit", "--clf", "ann", "--param", "clf__learning_rate=1e30", "--param", "clf__epochs=3",
        "--data", little_corpus, "--out", tmp_path / "r", code=2,
    )[1]  # fmt: skip
    assert "Training diverged" in err
    assert not (tmp_path / "r").exists()


def test_refit_is_on_card_and_report(little_corpus, tmp_path):
    how = ("--data", little_corpus, "--clf", "logreg", "--out", tmp_path / "r", "--refit")
    run("fit", *how)
    card = json.loads((tmp_path / "r" / "card.json").read_text())
    assert card["refit"] is True
    assert "fitted again" in (tmp_path / "r" / "report.html").read_text()
    assert "fitted again" in run("card", tmp_path / "r")[0]


def test_fit_from_a_csv_by_speaker(little_corpus, tmp_path):
    rows = [
        {"path": file, "emotion": file.parent.name, "speaker": f"s{int(file.stem) % 4}"}
        for file in little_corpus.rglob("*.wav")
    ]
    pd.DataFrame(rows).to_csv(tmp_path / "mine.csv", index=False)
    how = ("--data", tmp_path / "mine.csv", "--clf", "logreg", "--json")
    metrics = json.loads(run("fit", *how, "--split", "speaker", "--out", tmp_path / "r")[0])
    assert (metrics["split"], metrics["validation_by"]) == ("speaker", "speaker")
    card = json.loads((tmp_path / "r" / "card.json").read_text())
    assert len(card["split"]["test_speakers"]) == 1
    _, err = run("fit", *how, "--split", "text", "--out", tmp_path / "t", code=2)
    assert "no texts" in err


def test_the_default_is_the_synthetic_corpus(tmp_path, monkeypatch):
    monkeypatch.setenv("SKLEARN_SER_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    out, err = run("fit", "--features", "mfcc", "--json")
    metrics = json.loads(out)
    assert "built-in synthetic corpus" in err
    assert "sklearn-ser corpora get tess" in err
    assert metrics["accuracy"] > 0.85
    assert re.fullmatch(r"artifacts/svm-synthetic-\d{8}-\d{6}", metrics["run"])
    assert Path(metrics["run"], "pipeline.joblib").exists()


# Bad input


@pytest.fixture
def damaged(little_corpus, tmp_path):
    """The little corpus and four clips that cannot be read."""
    folder = tmp_path / "damaged"
    shutil.copytree(little_corpus, folder)
    whole = (folder / "sad" / "0.wav").read_bytes()
    (folder / "sad" / "empty.wav").touch()
    (folder / "sad" / "text.wav").write_text("no audio " * 100)
    (folder / "angry" / "cut.wav").write_bytes(whole[: len(whole) // 2])
    y = voice()
    y[5] = np.nan
    soundfile.write(folder / "angry" / "nan.wav", y, SR, subtype="FLOAT")
    return folder


def test_bad_files_are_reported_together(damaged, tmp_path):
    _, err = run("fit", "--data", damaged, "--out", tmp_path / "r", code=2)
    for words in (
        "4 of 28 clips cannot be used; --on-error skip",
        "empty.wav is empty",
        "text.wav is not audio",
        "cut.wav is cut short",
        "nan.wav holds NaN",
    ):
        assert words in err
    assert not (tmp_path / "r").exists()
    assert not list(tmp_path.glob(".r*"))


@pytest.mark.parametrize("command", ["fit", "grid-search"])
def test_unreadable_clips_are_skipped(damaged, tmp_path, command):
    how = ("--data", damaged, "--clf", "logreg", "--on-error", "skip", "--json")
    metrics = json.loads(run(command, *how, "--out", tmp_path / "r")[0])
    assert len(metrics["skipped"]) == 4
    card = json.loads((tmp_path / "r" / "card.json").read_text())
    assert card["data"]["n_clips"] == 24
    assert any("cut.wav" in message for message in card["data"]["skipped"])
    assert metrics["n_train"] + metrics["n_validation"] + metrics["n_test"] == 24


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--clf", "smv"), "Unknown classifier 'smv': did you mean svm?"),
        (("--features", "mfc"), "Unknown feature 'mfc': did you mean mfcc?"),
        (("--split", "spaeker"), "Unknown split 'spaeker': did you mean speaker?"),
        (("--clf", "SMV"), "Unknown classifier 'smv': did you mean svm?"),
        (("--features", "MFC"), "Unknown feature 'mfc': did you mean mfcc?"),
        (("--test-size", "2"), "between 0 and 1"),
        (("--param", "clf__C"), "write STEP__NAME=VALUE"),
        (("--param", "clf__Z=1"), "no parameter 'clf__Z'"),
        (("--param", "clf__C=-1"), "'C' parameter"),
        (("--param", "clf__C=many"), "'C' parameter"),
        (("--on-error", "ignore"), "there are stop and skip"),
        (("--split", "speaker"), "has no speakers"),
        (("--seed", "-1"), "--seed"),
        (("--n-jobs", "0"), "0 workers"),
        (("--param", "audio__sr=8000"), "features__contrast__n_bands=4"),
        (("--param", "features__mfcc__window=foo"), "window='foo'"),
        (("--param", "features__mfcc=3"), "cannot be set"),
        (("--param", "clf__class_weight={'nonesuch': 2}"), "class_weight"),
        (("--param", "clf__C=1", "--param", "clf__C=2"), "given 2 times"),
        (("--out", "."), "exists already"),
        (("--data", "nowhere"), "nowhere"),
        (("--data", "./nowhere"), "nowhere"),
        (("--no-such-option",), "No such option"),
    ],
)
def test_invalid_options_exit_2(little_corpus, tmp_path, words, message):
    data = () if "--data" in words else ("--data", little_corpus)
    out = () if "--out" in words else ("--out", tmp_path / "r")
    _, err = run("fit", *data, *words, *out, code=2)
    assert message in err
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"angry": 3}, "one emotion only, 'angry'"),
        ({"angry": 3, "sad": 1}, "Only one clip is there of 'sad'"),
        ({"angry": 2, "sad": 2}, None),
    ],
)
def test_small_corpora(tmp_path, files, message):
    for emotion, n in files.items():
        (tmp_path / "data" / emotion).mkdir(parents=True)
        for i in range(n):
            path = tmp_path / "data" / emotion / f"{i}.wav"
            soundfile.write(path, voice(0.3, 100 + 100 * len(emotion)), SR)
    how = ("fit", "--data", tmp_path / "data", "--out", tmp_path / "r", "--json")
    if message:
        assert message in run(*how, code=2)[1]
    else:
        assert json.loads(run(*how)[0])["n_train"] == 2


def test_invalid_csv(little_corpus, tmp_path):
    mine = tmp_path / "mine.csv"
    mine.write_text("file,emotion\na.wav,sad\n")
    assert "path" in run("fit", "--data", mine, code=2)[1]
    mine.write_text("path,emotion\na.wav,sad\nb.wav,angry\n")
    err = run("fit", "--data", mine, code=2)[1]
    assert "a.wav" in err
    assert "b.wav" in err


def test_existing_folder_is_not_overwritten(trusted):
    before = (trusted / "card.json").read_bytes()
    err = run("fit", "--data", "synthetic", "--out", trusted, code=2)[1]
    assert "exists already: choose another --out" in err
    assert (trusted / "card.json").read_bytes() == before


def test_unwritable_folder(little_corpus, tmp_path):
    (tmp_path / "file").touch()
    err = run("fit", "--data", little_corpus, "--out", tmp_path / "file" / "r", code=2)[1]
    assert "cannot be written" in err
    assert "choose another --out" in err


def test_full_disk(little_corpus, tmp_path):
    """The operating system refuses files beyond a size, as it does when the disk is full."""

    def fill():
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    done = subprocess.run(
        [sys.executable, "-m", "sklearn_ser", "fit", "--data", little_corpus, "--out", "r"],
        capture_output=True, text=True, cwd=tmp_path, preexec_fn=fill,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert "r cannot be written (File too large): free some space" in done.stderr
    assert "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.iterdir() if path.name not in ("config", "cache")] == []


def test_debug_shows_the_traceback(little_corpus):
    result = CliRunner().invoke(app, ["fit", "--data", str(little_corpus), "--clf", "x", "--debug"])
    assert type(result.exception).__name__ == "OptionError"


# predict, evaluate, card, grid-search


def test_predict(trusted, little_corpus, tmp_path):
    bad = tmp_path / "bad.wav"
    bad.write_text("no audio")
    good = little_corpus / "angry" / "0.wav"
    how = ("predict", trusted, good, bad, tmp_path / "missing.wav")
    _, err = run(*how, "--csv", tmp_path / "t.csv", code=1)
    table = pd.read_csv(tmp_path / "t.csv")
    assert table.columns.tolist() == [
        *("path", "emotion", "confidence", "error", "p_angry", "p_neutral", "p_sad", "warning")
    ]
    assert table["emotion"][0] == "angry"
    assert table["confidence"][0] == pytest.approx(table["p_angry"][0])
    assert table["error"].isna().tolist() == [True, False, False]
    assert table["emotion"].isna().tolist() == [False, True, True]
    assert "2 of 3 sources could not be read" in err
    rows = json.loads(run(*how, "--json", code=1)[0])["rows"]
    assert [row["emotion"] for row in rows] == ["angry", None, None]
    lines = run(*how, "--jsonl", code=1)[0].splitlines()
    assert [json.loads(line)["emotion"] for line in lines] == ["angry", None, None]
    assert "not read" in run(*how, code=1)[0]


def test_predict_a_folder(trusted, little_corpus):
    rows = json.loads(run("predict", trusted / "pipeline.joblib", little_corpus, "--json")[0])
    assert len(rows["rows"]) == 24


def test_predict_nothing(trusted, tmp_path):
    assert "no audio file in" in run("predict", trusted, tmp_path, code=2)[1]


def test_untrusted_model_is_refused(trusted, little_corpus, tmp_path, monkeypatch):
    monkeypatch.setenv("SKLEARN_SER_CONFIG", str(tmp_path / "somebody"))
    clip = little_corpus / "sad" / "0.wav"
    for command in (("predict", trusted, clip), ("evaluate", trusted, "--data", little_corpus)):
        assert "add --trust" in run(*command, code=2)[1]
        run(*command, "--trust")
    assert "Emotions" in run("card", trusted)[0]  # looks at the card alone


def test_evaluate(trusted, little_corpus, tmp_path):
    out, err = run("evaluate", trusted, "--data", little_corpus, "--json")
    metrics = json.loads(out)
    assert metrics.keys() >= KEYS
    assert metrics["split"] == "seen in training"
    assert "seen in training" in err
    other = tmp_path / "other"
    for emotion, pitch in [("sad", 101), ("angry", 310), ("calm", 200)]:
        (other / emotion).mkdir(parents=True)
        soundfile.write(other / emotion / "x.wav", voice(0.4, pitch, seed=9), SR)
    out, err = run("evaluate", trusted, "--data", other, "--json")
    metrics = json.loads(out)
    assert (metrics["split"], metrics["n_test"]) == ("cross-corpus", 2)
    assert metrics["left_out"] == {"data": {"calm": 1}, "model": ["neutral"]}
    assert metrics["corpora"] == {"model": [little_corpus.name], "data": ["other"]}
    for words in ("does not know calm", "No clip is neutral", "A cross-corpus score"):
        assert words in err
    assert metrics["uar_interval"][0] <= metrics["uar"] <= metrics["uar_interval"][1]
    assert "a cross-corpus score" in run("evaluate", trusted, "--data", other)[0]
    shutil.copy(little_corpus / "sad" / "0.wav", other / "sad" / "seen before.wav")
    shutil.copytree(little_corpus / "angry", other / "angry", dirs_exist_ok=True)
    out, err = run("evaluate", trusted, "--data", other, "--json")
    assert json.loads(out)["split"] == "seen in training"
    assert re.search(r"\d of these 11 clips were seen in training", err)
    assert "accuracy" in run("evaluate", trusted, "--data", other)[0]


def test_evaluate_checks_labels_before_extraction(trusted, tmp_path, monkeypatch):
    (tmp_path / "other" / "calm").mkdir(parents=True)
    (tmp_path / "other" / "surprise").mkdir(parents=True)
    for emotion in ("calm", "surprise"):
        soundfile.write(tmp_path / "other" / emotion / "x.wav", voice(0.4), SR)
    monkeypatch.setattr("sklearn_ser.runs.store.extract_features", pytest.fail)
    err = run("evaluate", trusted, "--data", tmp_path / "other", code=2)[1]
    assert "has an emotion that the model knows" in err
    assert "does not know calm, surprise" in err


def test_evaluate_beside_a_damaged_list_of_training_clips(
    trusted, little_corpus, tmp_path, monkeypatch
):
    shutil.copytree(trusted, tmp_path / "m")
    how = ("evaluate", tmp_path / "m", "--data", little_corpus, "--trust")
    (tmp_path / "m" / "seen_clips.txt").write_bytes(b"\xff\xfe")
    assert "seen_clips.txt is no list of checksums" in run(*how, code=2)[1]
    (tmp_path / "m" / "seen_clips.txt").unlink()
    os.mkfifo(tmp_path / "m" / "seen_clips.txt")
    assert "seen_clips.txt" in run(*how, code=1)[1]


def test_card(trusted):
    out, _ = run("card", trusted)
    for words in ("SVMClassifier", "angry, neutral, sad", "22050 Hz", "random split", "SHA-256",
                  "(chance 0.333)"):  # fmt: skip
        assert words in out
    assert json.loads(run("card", trusted, "--json")[0])["recipe"] == "svm"
    assert "does not exist" in run("card", trusted / "nothing", code=2)[1]


def test_grid_search(little_corpus, tmp_path):
    out, _ = run(
        "grid-search", "--data", little_corpus, "--param", "clf__C=1,10", "--features", "mfcc",
        "--param", "features__mfcc__n_mfcc=13,40", "--json", "--out", tmp_path / "r",
    )  # fmt: skip
    metrics = json.loads(out)
    assert metrics["search"]["n_candidates"] == 4
    table = pd.read_csv(tmp_path / "r" / "cv_results.csv")
    assert len(table) == 4
    card = json.loads((tmp_path / "r" / "card.json").read_text())
    assert card["search"] == metrics["search"]
    import joblib

    pipe = joblib.load(tmp_path / "r" / "pipeline.joblib")
    best = metrics["search"]["best_params"]
    assert repr(pipe["clf"].C) == best["clf__C"]
    assert repr(pipe["features"]["mfcc"].n_mfcc) == best["features__mfcc__n_mfcc"]
    assert pipe["clf"].calibrated_


def test_grid_search_decodes_each_clip_once(little_corpus, tmp_path, monkeypatch):
    from sklearn_ser.audio import decoding
    from sklearn_ser.report import run_page as report

    # The report decodes the few clips that it shows.
    monkeypatch.setattr(report, "clip_reader", lambda pipeline: lambda path: None)
    decoded = []
    decode = decoding._decode
    monkeypatch.setattr(decoding, "_decode", lambda *a: decoded.append(a[2]) or decode(*a))
    how = ("--data", little_corpus, "--features", "mfcc", "--n-jobs", 1)
    run("grid-search", *how, "--param", "clf__C=1,10,100", "--out", tmp_path / "a")
    assert (len(decoded), len(set(decoded))) == (24, 24)
    decoded.clear()
    run("grid-search", *how, "--param", "features__mfcc__n_mfcc=13,20", "--out", tmp_path / "b")
    # Clips of the test set only in the first setting and in the best.
    assert 24 < len(decoded) <= 48
    assert max(map(decoded.count, decoded)) == 2


def test_grid_search_defaults_to_the_grid_of_the_recipe(little_corpus, tmp_path):
    how = ("--data", little_corpus, "--features", "mfcc", "--out", tmp_path / "r")
    out, _ = run("grid-search", *how)
    assert "Best of 9 candidates" in out
    assert "random folds of the training set" in out


@pytest.mark.parametrize("option", ["--split", "--cv"])
def test_grid_search_split_and_cv_are_synonyms(spoken, tmp_path, option):
    how = ("--data", spoken, "--features", "MFCC", "--param", "clf__C=1", "--n-jobs", 1)
    out, _ = run("grid-search", *how, option, "Speaker", "--out", tmp_path / "r", "--json")
    metrics = json.loads(out)
    assert (metrics["split"], metrics["search"]["folds_by"]) == ("speaker", "speaker")


def test_names_in_upper_or_lower_case(little_corpus, tmp_path):
    how = ("--clf", "LogReg", "--features", "MFCC, Chroma", "--split", "Random", "--json")
    out, _ = run("fit", "--data", little_corpus, *how, "--out", tmp_path / "r")
    assert (json.loads(out)["classifier"], json.loads(out)["split"]) == ("logreg", "random")
    card = json.loads((tmp_path / "r" / "card.json").read_text())
    assert (card["recipe"], len(card["features"])) == ("logreg", 2)


@pytest.mark.parametrize("param", ["clf__C=", "clf__C=1,x", "clf=1", "clf__Q=1"])
def test_grid_search_mistakes(little_corpus, param):
    run("grid-search", "--data", little_corpus, "--param", param, code=2)


# Start and end


def test_help_is_quick_and_lists_every_command():
    started = time.perf_counter()
    done = subprocess.run([sys.executable, "-m", "sklearn_ser", "--help"], capture_output=True)
    assert done.returncode == 0
    for command in ("fit", "grid-search", "evaluate", "predict", "card", "corpora"):
        assert command in done.stdout.decode()
        assert "--help" in run(command, "--help")[0]
    # Not a measurement: a start that loads scikit-learn or TensorFlow takes longer than this.
    assert time.perf_counter() - started < 10


def test_process_ends_with_its_last_line(tmp_path):
    """Neither a worker still at work nor the interpreter's own clearing up is waited for."""
    (tmp_path / "linger.py").write_text(
        """
import atexit, sys, time
import joblib
from joblib.externals.loky import get_reusable_executor
from sklearn_ser.cli import _app, main

class Slow:
    def __del__(self):
        print("put away", flush=True)

@_app.command(name="linger")
def linger(code: int) -> None:
    sys.slow = Slow()
    atexit.register(print, "cleared away")
    get_reusable_executor(2).submit(time.sleep, 3600)
    print("the last line")
    sys.exit(code)

sys.argv = ["sklearn-ser", "linger", sys.argv[1]]
main()
"""
    )
    for code in (0, 3):
        done = subprocess.run(
            [sys.executable, tmp_path / "linger.py", str(code)],
            capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        assert (done.returncode, done.stdout) == (code, "the last line\ncleared away\n")


def test_version():
    import sklearn_ser

    assert run("--version")[0].strip() == f"sklearn-ser {sklearn_ser.__version__}"


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("1,10", [1, 10]),
        ("scale,0.1", ["scale", 0.1]),
        ("(100,),(300,100)", [(100,), (300, 100)]),
        ("true,None", [True, None]),
        ("[1,2]", [[1, 2]]),
    ],
)
def test_values_of_a_grid(text, values):
    from sklearn_ser.cli._options import parse_grid

    assert parse_grid([f"a__b={text}"]) == {"a__b": values}
