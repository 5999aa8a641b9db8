"""`predict`: its tables, its options, interruptions and pipes."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from sklearn_ser import load_pipeline
from sklearn_ser.exceptions import OptionError, UnfinishedError
from sklearn_ser.inference import Predictor
from sklearn_ser.runs.predict import PredictOptions, predict_sources
from tests.conftest import run, voice

COLUMNS = ["path", "emotion", "confidence", "error", "p_angry", "p_neutral", "p_sad", "warning"]

pytestmark = pytest.mark.usefixtures("mine")


def test_a_list_on_standard_input(model, clips):
    done = subprocess.run(
        [sys.executable, "-m", "sklearn_ser", "predict", model, "-", "--jsonl"],
        input="\n".join([*clips[:3], "missing.wav"]),
        capture_output=True,
        text=True,
    )
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 1
    assert [row["path"] for row in rows] == [*clips[:3], "missing.wav"]
    assert [row["error"] for row in rows] == [*[None] * 3, rows[3]["error"]]
    assert "missing.wav does not exist" in rows[3]["error"]
    assert "1 of 4 sources could not be read" in done.stderr


def read_lines(path):
    return pd.DataFrame([json.loads(line) for line in path.read_text().splitlines()])


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_tables_hold_the_probabilities_of_the_pipeline(model, clips, tmp_path, n_jobs):
    (tmp_path / "bad, file.wav").write_text("no audio")
    sources = [*clips, tmp_path / "bad, file.wav"]
    how = ("predict", model, *sources, "--n-jobs", n_jobs)
    expected = load_pipeline(model).predict_proba(clips)
    for name, read in [
        ("rows.csv", pd.read_csv),
        ("rows.jsonl", read_lines),
        ("rows.parquet", pd.read_parquet),
    ]:
        run(*how, "-o", tmp_path / name, code=1)
        table = read(tmp_path / name)
        assert table.columns.tolist() == COLUMNS
        assert table["path"].tolist() == [str(source) for source in sources]
        np.testing.assert_array_equal(table.filter(regex="^p_").to_numpy()[:-1], expected)
        np.testing.assert_array_equal(table["confidence"][:-1], expected.max(axis=1))
        assert table["emotion"].notna().tolist() == [True] * len(clips) + [False]
        assert "is not audio" in table["error"].iloc[-1]
    assert sorted(file.name for file in tmp_path.glob("rows*")) == [
        "rows.csv",
        "rows.jsonl",
        "rows.parquet",
    ]
    rows = json.loads(run(*how, "--json", code=1)[0])["rows"]
    assert list(rows[0]) == COLUMNS
    np.testing.assert_array_equal(rows[0]["p_sad"], expected[0, 2])


def test_abstain_below(model, clips, tmp_path):
    how = ("predict", model, *clips, "--json")
    rows = json.loads(run(*how)[0])["rows"]
    limit = float(np.median([row["confidence"] for row in rows]))
    for before, after in zip(
        rows, json.loads(run(*how, "--abstain-below", limit)[0])["rows"], strict=True
    ):
        unsure = before["confidence"] < limit
        assert after == {**before, "emotion": "unsure" if unsure else before["emotion"]}
    run(*how, "--abstain-below", 2, code=2)
    with pytest.raises(OptionError, match="from 0 to 1"):
        Predictor(load_pipeline(model), abstain_below=-1)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--resume",), "name it with --csv or --out"),
        (("-o", "x.txt"), ".csv, .jsonl or .parquet"),
        (("--csv", "x.jsonl"), "ends in .csv"),
        (("--csv", "nowhere/x.csv"), "folder that exists"),
        (("--csv", "x.csv", "-o", "y.csv"), "choose one"),
        (("--json", "--jsonl"), "choose one"),
    ],
)
def test_option_errors(model, clips, words, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert message in run("predict", model, clips[0], *words, code=2)[1]
    assert not list(tmp_path.iterdir())


def test_many_unreadable_files(model, tmp_path):
    names = [tmp_path / f"{i}.wav" for i in range(30)]
    _, err = run("predict", model, *names, "--csv", tmp_path / "rows.csv", code=1)
    assert err.count("does not exist") == 20
    assert "and 10 more" in err
    assert "30 of 30 sources could not be read" in err
    assert len(pd.read_csv(tmp_path / "rows.csv")) == 30


class Recorder:
    """Takes rows and progress, and may break off."""

    def __init__(self, stop_after=None):
        self.rows, self.details, self.stop_after = [], [], stop_after

    def begin(self, columns, sources, n_done):
        self.n_done = n_done

    def add(self, rows):
        self.rows += rows
        if len(self.rows) == self.stop_after:
            raise KeyboardInterrupt

    def progress(self, stage, done, total, detail):
        self.details.append((done, total, detail))


def test_keyboard_interrupt_names_resume(model, clips, tmp_path, monkeypatch):
    monkeypatch.setattr("sklearn_ser.inference.rows.COMMIT_SECONDS", 0)
    options = PredictOptions(out=tmp_path / "rows.csv", n_jobs=1)
    first = Recorder(stop_after=5)
    with pytest.raises(UnfinishedError, match=r"4 of 24 sources are kept.*with `resume`"):
        predict_sources(model, clips, options, first, first.progress)
    rest = Recorder()
    options = replace(options, resume=True)
    summary = predict_sources(model, clips, options, rest, rest.progress)
    assert (rest.n_done, len(rest.rows), summary.n_rows) == (4, 20, 24)
    assert pd.read_csv(tmp_path / "rows.csv")["path"].tolist() == clips


def test_resume_of_a_finished_table(model, clips, tmp_path):
    (tmp_path / "bad.wav").write_text("no audio")
    how = ("predict", model, *clips[:3], tmp_path / "bad.wav", "-o", tmp_path / "rows.csv")
    run(*how, code=1)
    before = (tmp_path / "rows.csv").stat()
    _, err = run(*how, "--resume", code=1)  # as the first time
    assert "whole already" in err
    assert "Without --resume" in err
    assert "1 of 4 sources could not be read" in err
    after = (tmp_path / "rows.csv").stat()
    assert (before.st_mtime_ns, before.st_ino) == (after.st_mtime_ns, after.st_ino)
    _, err = run("predict", model, *clips, "-o", tmp_path / "rows.csv", "--resume", code=2)
    assert "of other sources" in err


def test_progress_within_a_recording(model, wav):
    recorder = Recorder()
    long = wav("long.wav", voice(60))
    options = PredictOptions(window=1.0, hop=1.0, n_jobs=1)
    predict_sources(model, [str(long)], options, recorder, recorder.progress)
    within = [detail for done, _, detail in recorder.details if done == 0]
    assert len(set(within)) > 3
    assert all(detail.endswith(" of 0:01:00") for detail in within)


def test_too_long_a_clip_points_to_windows(model, wav):
    long = wav("long.wav", np.zeros(601 * 8000, np.int16), sr=8000)
    _, err = run("predict", model, long, "--csv", "-", code=1)
    assert "--window SECONDS" in err


def test_csv_on_standard_output(model, clips, tmp_path):
    out, _ = run("predict", model, *clips[:3], "--csv", "-")
    run("predict", model, *clips[:3], "--csv", tmp_path / "rows.csv")
    assert out == (tmp_path / "rows.csv").read_text()
    assert "choose one" in run("predict", model, clips[0], "--csv", "-", "--jsonl", code=2)[1]


def test_broken_pipe(model, clips):
    """As `| head` does: the pipe is closed after the first line."""
    words = [sys.executable, "-m", "sklearn_ser", "predict", model, *clips * 20, "--csv", "-"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.readline()
        process.stdout.close()
        err = process.stderr.read().decode()
        assert process.wait() == 0
    assert "rror" not in err
    assert "roken" not in err


def test_broken_pipe_beside_a_file(model, clips, tmp_path):
    words = [sys.executable, "-m", "sklearn_ser", "predict", model, *clips * 20, "--jsonl"]
    words += ["-o", tmp_path / "rows.csv"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        process.stderr.read()
        assert process.wait() == 0
    assert len(pd.read_csv(tmp_path / "rows.csv")) == len(clips) * 20
