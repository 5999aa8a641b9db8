"""`sklearn-ser corpora`: what a person reads, what a program reads, and the exit codes."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
import soundfile
from typer.testing import CliRunner

import sklearn_ser.cli._corpora  # noqa: F401  registers the commands
from sklearn_ser.cli._app import app
from sklearn_ser.corpora import download


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
    assert "TESS, Toronto emotional speech set" in result.stdout
    assert "3 of 2800" in result.stdout
    assert "ravdess: Run 'sklearn-ser corpora get ravdess'." in result.stdout
    assert "tess: Run" not in result.stdout
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
    assert result.stderr.startswith("Note: 1 file")
    result = run("show", tmp_path / "rec")
    assert "[b]sad" in result.stdout  # a name, not rich's markup
    assert "speakers: not known" in result.stdout
    assert "unreadable: 2 (1.wav, 2.wav)" in result.stdout
    assert "left out: 1 (loose.wav)" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
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
