"""`sklearn-ser corpora`: what a person reads, what a program reads, and the exit codes."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import soundfile
from typer.testing import CliRunner

from sklearn_ser.cli import app
from sklearn_ser.corpora import download
from tests.conftest import SR, voice


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("SKLEARN_SER_DATA", str(folder))
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.chdir(tmp_path)
    return folder


@pytest.fixture
def tess(home):
    (home / "tess").mkdir()
    for name in ("OAF_back_angry.wav", "OAF_germ_ps.wav", "YAF_back_angry.wav"):
        soundfile.write(home / "tess" / name, [0.0] * 12000, 24000)
    return home / "tess"


def run(*arguments):
    return CliRunner().invoke(app, ["corpora", *map(str, arguments)])


@pytest.mark.parametrize("arguments", [(), ("list",)])
def test_list(tess, home, arguments):
    result = run(*arguments)
    assert result.exit_code == 0
    lines = {line.split()[1]: line for line in result.stdout.splitlines() if "│" in line}
    columns = [cell.strip() for cell in lines["tess"].split("│")[1:-1]]
    assert columns == ["tess", "English", "3 of 2800", "2", "7", "0.0 of 1.6", "CC BY-NC-ND 4.0"]
    columns = [cell.strip() for cell in lines["banglaser"].split("│")[1:-1]]
    assert columns == ["banglaser", "Bangla", "-", "34", "5", "?", "CC BY 4.0"]
    assert "song (ravdess): Run 'sklearn-ser corpora get ravdess'." in result.stdout
    assert "(tess): Run" not in result.stdout
    assert f"Data folder: {home}" in result.stdout


@pytest.mark.parametrize("arguments", [("--json",), ("list", "--json")])
def test_list_as_json(tess, home, arguments):
    result = run(*arguments)
    assert result.exit_code == 0
    document = json.loads(result.stdout)
    assert document["data_folder"] == str(home)
    by_name = {row["name"]: row for row in document["corpora"]}
    assert by_name["tess"]["here"] is True
    assert by_name["tess"]["clips"] == 3
    assert by_name["tess"]["clips_in_full"] == 2800
    assert by_name["tess"]["hours"] == pytest.approx(1.5 / 3600)
    assert (by_name["tess"]["speakers"], by_name["savee"]["speakers"]) == (2, None)
    assert by_name["savee"]["language"] == "English"
    assert "surprise" in by_name["savee"]["emotions"]
    assert by_name["savee"]["here"] is False
    assert by_name["savee"]["folder"] is None


def test_json_belongs_after_the_subcommand(tess):
    result = run("--json", "show", "tess")
    assert result.exit_code == 2
    assert "write --json after 'show'" in result.stderr


def test_show(tess):
    result = run("show", "tess")
    assert result.exit_code == 0
    for words in ("3 clips", "CC BY-NC-ND 4.0", "doi:10.5683", "angry", "66.7%", "OAF", "texts: 2"):
        assert words in result.stdout
    assert "from 0.50 to 0.50 s, median 0.50 s" in result.stdout
    assert "sampling rates: 24000 Hz (3)" in result.stdout


def test_show_as_json(tess):
    result = run("show", "tess", "--json")
    document = json.loads(result.stdout)
    assert document["data"] == "tess"
    assert document["clips"] == 3
    assert document["emotions"] == {"angry": 2, "surprise": 1}
    assert document["speakers"] == {"OAF": 2, "YAF": 1}
    assert document["seconds"]["total"] == 1.5
    assert document["sampling_rates"] == {"24000": 3}
    assert document["left_out"] == []


def test_show_own_recordings(tmp_path):
    for name in ("[b]sad/1.wav", "[b]sad/2.wav", "loose.wav"):
        path = tmp_path / "rec" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    result = run("show", tmp_path / "rec", "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["seconds"] is None
    assert len(json.loads(result.stdout)["left_out"]) == 1
    assert "Note: All recordings in" in result.stderr
    assert "Note: 1 file" in result.stderr
    result = run("show", tmp_path / "rec")
    assert "[b]sad" in result.stdout  # a name, not rich's markup
    assert "speakers: not known" in result.stdout
    assert "unreadable: 2 (1.wav, 2.wav)" in result.stdout
    assert "left out: 1 (loose.wav)" in result.stdout


def test_show_some_emotions(tess):
    document = json.loads(run("show", "tess", "--emotions", "Surprised", "--json").stdout)
    assert document["emotions"] == {"surprise": 1}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ("show", "tess", "--emotions", "angry,joy"),
            "--emotions: no clip is 'happy'",
        ),
        (("show", "tes"), "Did you mean tess?"),
        (("show", "gone/"), "There is no folder"),
        (("show", "tess,gone.csv"), "There is no file"),
        (("get", "savee"), "registration form"),
        (("get", "nope"), "There is no corpus named 'nope'"),
        (("get",), "Missing argument"),
        (("show",), "Missing argument"),
    ],
)
def test_errors(tess, arguments, words):
    result = run(*arguments)
    assert result.exit_code == 2
    assert words in result.stderr
    assert result.stdout == ""
    assert "Traceback" not in result.stderr


def test_get_what_is_here(tess):
    result = run("get", "tess")
    assert result.exit_code == 0
    assert "holds 3 of the 2800 clips" in result.stderr
    assert f"tess is in {tess}" in result.stderr
    assert result.stdout == ""


def test_get_as_json(home, monkeypatch):
    monkeypatch.setattr(download, "make_synthetic", Path.mkdir)
    result = run("get", "synthetic", "--json")
    assert json.loads(result.stdout) == {"name": "synthetic", "folder": str(home / "synthetic")}


@pytest.mark.parametrize("command", ["list", "get", "show"])
def test_help(command):
    result = run(command, "--help")
    assert result.exit_code == 0
    assert "--json" in result.stdout


def test_help_loads_nothing_heavy():
    code = (
        "import sys; import sklearn_ser.cli._corpora; "
        "from sklearn_ser.cli._app import app; "
        "app(['corpora', '--help'], standalone_mode=False); "
        "print([n for n in ('numpy', 'pandas', 'sklearn', 'librosa', 'pooch', 'soundfile') "
        "if n in sys.modules], file=sys.stderr)"
    )
    start = time.perf_counter()
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stderr.strip() == "[]"
    assert time.perf_counter() - start < 10  # the load of the machine, not ours, may take its time


ODD = (b"caf\xe9", b"new\nline", b'quo"te', b"-dash", "😀".encode(), b"semi;colon,comma", b"a\\b")


@pytest.fixture
def odd_names(tmp_path, home):
    """Folders and files with names that file systems allow and few expect."""
    for emotion in (b"angry", b"l\xe4rm"):
        folder = os.path.join(os.fsencode(tmp_path), b"od\xe9", emotion)
        os.makedirs(folder)
        for i, name in enumerate(ODD):
            seed = i + 10 * len(emotion)
            soundfile.write(os.path.join(folder, name + b".wav"), voice(0.4, 100 + seed), SR)
    return tmp_path / "od\udce9"


def texts(folder):
    """What a reader of UTF-8 finds in all tables and documents of a folder."""
    for path in sorted(folder.rglob("*")):
        if path.suffix in (".csv", ".json", ".html", ".svg", ".txt"):
            yield path.read_text(encoding="utf-8")


def test_odd_names_go_through_every_command(odd_names, tmp_path):
    shown = ok("corpora", "show", odd_names, "--plots", tmp_path / "plots", "--json")
    document = json.loads(shown.stdout)
    assert document["emotions"] == {"angry": 7, r"l\xe4rm": 7}
    ok("corpora", "show", odd_names)
    how = ("--features", "mfcc", "--no-cache")
    expected = {os.fsdecode(name).replace("\udce9", r"\xe9") + ".wav" for name in ODD}
    for name, read in (("t.csv", pd.read_csv), ("t.parquet", pd.read_parquet)):
        ok("features", odd_names, *how, "-o", tmp_path / name)
        table = read(tmp_path / name)
        assert {path.rpartition("/")[2] for path in table["path"]} == expected
        assert set(table["emotion"]) == {"angry", r"l\xe4rm"}
    ok("fit", "--data", odd_names, *how, "--out", tmp_path / "run", "--test-size", "0.5")
    assert any(r"l\xe4rm" in text for text in texts(tmp_path / "run"))
    compare = ("--split", "random", "--out", tmp_path / "compare")
    ok("compare", "--data", odd_names, *how, "--clf", "logreg", *compare)
    assert any(r"l\xe4rm" in text for text in texts(tmp_path / "compare"))
    ok("evaluate", tmp_path / "run", "--data", odd_names, "--json")
    for name in ("p.csv", "p.jsonl", "p.parquet"):
        ok("predict", tmp_path / "run", odd_names, "-o", tmp_path / name)
        ok("predict", tmp_path / "run", odd_names, "-o", tmp_path / name, "--resume")
    table = pd.read_parquet(tmp_path / "p.parquet")
    assert {path.rpartition("/")[2] for path in table["path"]} == expected
    clip = os.path.join(os.fsencode(odd_names), b"angry", ODD[0] + b".wav")
    figure = ("--window", "0.2", "--figure", tmp_path / "a.png", "--csv", tmp_path / "w.csv")
    ok("predict", tmp_path / "run", os.fsdecode(clip), *figure)
    # What was written may be read again.
    ok("features", tmp_path / "t.csv", *how, "-o", tmp_path / "again.csv")
    assert (tmp_path / "again.csv").read_bytes() == (tmp_path / "t.csv").read_bytes()


def ok(*words):
    result = CliRunner().invoke(app, list(map(str, words)))
    assert result.exit_code == 0, (words, result.output, result.exception)
    return result


@pytest.mark.parametrize(
    "words",
    [
        ("features", "{odd}", "-o", "/proc/features.csv"),
        ("corpora", "show", "{odd}", "--plots", "/proc/plots"),
        ("predict", "{model}", "{odd}", "-o", "/proc/rows.csv"),
        ("predict", "{model}", "{odd}/angry/-dash.wav", "--window", "1", "--figure", "/proc/a.png"),
    ],
)
def test_outputs_are_checked_before_the_work(words, odd_names, model, mine, monkeypatch):
    def work(*_, **__):
        raise AssertionError("the work was begun")

    for name in ("extract_features", "summarise", "load_predictor"):
        for module in ("runs.feature_table", "corpora", "runs.predict"):
            monkeypatch.setattr(f"sklearn_ser.{module}.{name}", work, raising=False)
    words = [word.format(odd=odd_names, model=model) for word in words]
    result = CliRunner().invoke(app, words)
    assert result.exit_code in (1, 2), result.output
    assert "cannot be written" in result.stderr
    assert words[-1] in result.stderr


def test_some_emotions_in_every_command(little_corpus, model, mine, tmp_path):
    def classes(*words):
        return json.loads(ok(*words, "--emotions", "Sadness, ANGRY", "--no-cache", "--json").stdout)

    data = ("--data", little_corpus, "--features", "mfcc", "--n-jobs", "1")
    some = {"angry", "sad"}
    assert set(classes("fit", *data, "--out", tmp_path / "run")["per_emotion"]) == some
    how = ("--clf", "logreg", "--split", "random", "--out", tmp_path / "compare")
    assert classes("compare", *data, *how)["n_clips"] == 16
    grid = ("--clf", "logreg", "--param", "clf__C=1", "--folds", "2", "--out", tmp_path / "grid")
    assert set(classes("grid-search", *data, *grid)["per_emotion"]) == some
    assert classes("evaluate", model, "--data", little_corpus)["n_test"] == 16
    assert classes("features", little_corpus, "-o", tmp_path / "t.csv")["n_clips"] == 16


def test_missing_files_of_a_csv_are_skipped(little_corpus, tmp_path):
    csv = tmp_path / "own.csv"
    clips = [(path, path.parent.name) for path in sorted(little_corpus.rglob("*.wav"))]
    rows = pd.DataFrame([("gone.wav", "sad"), *clips], columns=["path", "emotion"])
    rows.to_csv(csv, index=False)
    how = ("fit", "--data", csv, "--features", "mfcc", "--json", "--out", tmp_path / "run")
    refused = CliRunner().invoke(app, list(map(str, how)))
    assert refused.exit_code == 2
    assert "--on-error skip goes on without them" in refused.stderr
    metrics = json.loads(ok(*how, "--on-error", "skip").stdout)
    assert len(metrics["skipped"]) == 1
    assert "gone.wav" in metrics["skipped"][0]


def test_help_of_features_knows_no_classifier():
    text = " ".join(ok("features", "--help").stdout.split())
    assert "recipe" not in text
    assert "Without it: mfcc, chroma, mel and contrast." in text
