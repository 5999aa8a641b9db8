"""`predict`: its sources, tables and warnings, interruptions and pipes."""

import io
import json
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import soundfile
import soxr
from sklearn.base import BaseEstimator, ClassifierMixin

from sklearn_ser import load_pipeline, make_pipeline, save_pipeline
from sklearn_ser.exceptions import CorpusError, CorpusWarning, OptionError, UnfinishedError
from sklearn_ser.features.quality import TrainingRange, describe_training
from sklearn_ser.inference import Predictor, find_sources, load_predictor, predict_table
from sklearn_ser.inference.predictor import percent
from sklearn_ser.runs.predict import PredictOptions, predict_sources
from tests.conftest import SR, run, voice

COLUMNS = ["path", "emotion", "confidence", "error", "p_angry", "p_neutral", "p_sad", "warning"]

pytestmark = pytest.mark.usefixtures("mine")


@pytest.fixture
def clips(little_corpus):
    return sorted(map(str, little_corpus.rglob("*.wav")))


# Sources


def test_sources(little_corpus, clips, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_sources([str(little_corpus)]) == clips
    assert find_sources([f"{little_corpus}/*/*.wav"]) == clips
    assert find_sources([f"{little_corpus}/**"]) == clips
    assert find_sources([f"{little_corpus}/sa*"]) == [c for c in clips if "/sad/" in c]
    assert find_sources(["no.wav", "https://host/x.wav"]) == ["no.wav", "https://host/x.wav"]
    lines = f"a.wav\n\n{little_corpus}/sad\r\n".encode()
    assert find_sources(["-"], lines)[::8] == ["a.wav", clips[-1]]
    (tmp_path / "a[1].wav").touch()
    assert find_sources(["a[1].wav"]) == ["a[1].wav"]
    for names, words in [(["*.ogg"], "matches no file"), (["-"], "is empty")]:
        with pytest.raises(CorpusError, match=words):
            find_sources(names, b"")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_named_pipes_are_sources_by_name_alone(tmp_path, wav):
    clip = str(wav("clip.wav"))
    os.mkfifo(tmp_path / "pipe.wav")
    assert find_sources([f"{tmp_path}/*.wav"]) == [clip]
    with pytest.warns(CorpusWarning, match="1 file in .* not being readable: pipe.wav"):
        assert find_sources([str(tmp_path)]) == [clip]
    assert find_sources([f"{tmp_path}/pipe.wav"]) == [f"{tmp_path}/pipe.wav"]


def test_lists_of_exact_names(tmp_path):
    """What `find -print0` writes: a name may hold anything, and is no pattern."""
    names = ["a\nb.wav", " *.wav", "[1].wav", "caf\udce9.wav"]
    data = b"".join(os.fsencode(name) + b"\0" for name in names * 3000)
    assert find_sources(["-"], data) == names * 3000
    assert find_sources(["-"], os.fsencode(names[-1]) + b"\n") == names[-1:]
    with pytest.raises(CorpusError, match="no pattern"):
        find_sources(["*/" * 5000])


def test_folders_through_links_and_what_is_left_out(tmp_path, wav, monkeypatch):
    (tmp_path / "real").mkdir()
    wav("real/clip.wav")
    (tmp_path / "real" / "._clip.wav").write_bytes(b"macOS")
    (tmp_path / "calls").mkdir()
    (tmp_path / "calls" / "linked").symlink_to(tmp_path / "real")
    (tmp_path / "calls" / "circle").symlink_to(tmp_path / "calls")
    (tmp_path / "calls" / "gone.wav").symlink_to(tmp_path / "nowhere.wav")
    for name in ("a.amr", "b.mka", "c.txt"):
        (tmp_path / "calls" / name).touch()
    monkeypatch.setattr("shutil.which", lambda program: None)  # no ffmpeg
    with pytest.warns(CorpusWarning, match=r"^2 files in .*: a\.amr, b\.mka\. ffmpeg -i a\.amr"):
        found = find_sources([str(tmp_path / "calls")])
    expected = [f"{tmp_path}/calls/gone.wav", f"{tmp_path}/calls/linked/clip.wav"]
    assert found == expected
    monkeypatch.setattr("shutil.which", lambda program: f"/usr/bin/{program}")
    found = find_sources([str(tmp_path / "calls")])
    assert found == [f"{tmp_path}/calls/a.amr", f"{tmp_path}/calls/b.mka", *expected]


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


# Rows


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


@pytest.mark.parametrize("clf", ["svm", "logreg", "mlp", "rf"])
def test_predictions_alone_equal_those_of_a_batch(clf, little_corpus, clips):
    pipe = make_pipeline(clf, random_state=0)
    pipe.fit(clips, [path.split("/")[-2] for path in clips])
    together = predict_table(pipe, clips)
    alone = pd.concat([predict_table(pipe, [path]) for path in clips], ignore_index=True)
    pd.testing.assert_frame_equal(together, alone, check_exact=True)
    each = np.concatenate([pipe.predict_proba([path]) for path in clips])
    np.testing.assert_array_equal(together.filter(regex="^p_").to_numpy(), each)


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


# Warnings


def warnings_of(model, *waveforms):
    found = load_predictor(model).iter_predictions(list(waveforms))
    return [prediction.warning for prediction in found]


def test_warnings_of_unusual_clips(model):
    y = voice(0.4, 180, seed=3)
    telephone = soxr.resample(soxr.resample(y, SR, 8000), 8000, SR)
    rng = np.random.default_rng(0)
    same, silent, still, clipped, short, narrow, noise = warnings_of(
        model,
        y,
        np.zeros(SR, np.float32),
        y * 1e-4,
        np.clip(y * 10, -1, 1),
        y[:2000],
        telephone,
        rng.normal(size=SR).astype(np.float32) / 5,
    )
    assert same is None
    assert (silent, still) == ("silent", "silent")
    assert "clipped" in clipped
    assert "shorter than the training clips (0.09 s, theirs from 0.40 s on)" in short
    assert "lower bandwidth than the training clips (3.9 kHz" in narrow
    assert "unlike the training clips" in noise


def test_a_silent_clip_has_no_emotion(model, clips, tmp_path):
    silent = tmp_path / "silent.wav"
    soundfile.write(silent, np.zeros(SR), SR)
    how = ("predict", model, silent, clips[0])
    row, other = json.loads(run(*how, "--json")[0])["rows"]
    assert (row["emotion"], row["confidence"], row["error"]) == ("silence", None, None)
    assert row["warning"] == "silent"
    assert other["emotion"] == "angry"
    run(*how, "--csv", tmp_path / "rows.csv")
    assert f"{silent},silence,,," in (tmp_path / "rows.csv").read_text()
    line = next(line for line in run(*how)[0].splitlines() if "silent.wav" in line)
    assert line.split(maxsplit=1)[1].startswith("no speech")
    assert not any(word in line for word in ("%", "angry", "neutral", "sad"))
    # The pipeline itself predicts whatever it is given, as in scikit-learn.
    assert load_pipeline(model).predict([silent])[0] in ("angry", "neutral", "sad")
    # Silence has no confidence to compare: abstaining changes nothing.
    assert json.loads(run(*how, "--json", "--abstain-below", 1)[0])["rows"][0] == row


@pytest.mark.parametrize(
    ("probability", "text"),
    [(0.004, "0%"), (0.984, "98%"), (0.9949, "99%"), (0.9996, ">99%"), (1.0, "100%")],
)
def test_percent_says_100_of_certainty_alone(probability, text):
    assert percent(probability) == text


def test_no_warnings_of_training_clips(model, clips):
    assert predict_table(load_pipeline(model), clips)["warning"].isna().all()
    rows = json.loads(run("predict", model, *clips, "--json")[0])["rows"]
    assert [row["warning"] for row in rows] == [None] * len(clips)


class Even(ClassifierMixin, BaseEstimator):
    """A classifier of sequences that finds all emotions as probable."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        assert X.ndim == 3
        return np.full((len(X), len(self.classes_)), 1 / len(self.classes_))


def test_the_training_range_of_sequences(clips):
    labels = [path.split("/")[-2] for path in clips]
    pipe = make_pipeline(Even(), "logmel").fit(clips, labels)
    from sklearn_ser.pipelines import extract_features

    matrix, inspections, _ = extract_features(pipe, clips)
    training = TrainingRange(**describe_training(pipe, inspections, matrix))
    assert training.seconds == pytest.approx(0.4, abs=0.01)
    sources = [*clips[:2], np.zeros(SR, np.float32)]
    found = list(Predictor(pipe, training).iter_predictions(sources))
    assert [prediction.warning for prediction in found] == [None, None, "silent"]


def test_a_card_without_a_training_range():
    everything = TrainingRange.from_card({})
    assert TrainingRange.from_card({"training": {"seconds": "a", "x": 1}}) == everything
    assert TrainingRange.from_card({"training": 3}) == everything


# Interruptions and pipes


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


@pytest.mark.parametrize("how", [("--csv", "-"), ("--jsonl",), ()])
def test_broken_pipe(model, clips, how):
    """As `| head` does: the pipe is closed after the first line."""
    words = [sys.executable, "-m", "sklearn_ser", "predict", model, *clips * 20, *how]
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


# Odd files


def test_damaged_header_among_good_files(model, clips, tmp_path):
    """What is made up of lies is refused in a sentence, and its neighbours are answered right."""
    good = io.BytesIO()
    soundfile.write(good, voice(0.4, 100), SR, format="WAV")
    lie = bytearray(good.getvalue())
    lie[24:28] = (2**31 - 1).to_bytes(4, "little")  # the sampling rate
    (tmp_path / "lie.wav").write_bytes(lie)
    table = predict_table(load_pipeline(model), [clips[0], tmp_path / "lie.wav", clips[1]])
    assert table["error"].notna().tolist() == [False, True, False]
    assert "sampling rate" in table["error"][1]


def test_save_pipeline_alone_has_no_training_range(clips, tmp_path):
    pipe = make_pipeline("rf", "mfcc").fit(clips, [path.split("/")[-2] for path in clips])
    path = save_pipeline(pipe, tmp_path / "m.joblib")
    rows = json.loads(run("predict", path, clips[0], "--trust", "--json")[0])["rows"]
    assert rows[0]["warning"] is None


class Odd(ClassifierMixin, BaseEstimator):
    """A classifier that gives loud clips what it is told to, and others probabilities."""

    def __init__(self, row=(0.5, 0.5)):
        self.row = row

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        self.level_ = np.median(X[:, 0])
        return self

    def predict_proba(self, X):
        return np.array([self.row if x[0] > self.level_ else (0.2, 0.8) for x in X])


@pytest.mark.parametrize("row", [(np.nan, 0.5), (-0.2, 1.2), (0.9, 0.9), (0.0, 0.0), (np.inf, 0.0)])
def test_invalid_probabilities_are_errors(row):
    rng = np.random.default_rng(0)
    noise = [rng.normal(size=SR).astype(np.float32) * gain for gain in (0.2, 0.01, 0.2, 0.01)]
    pipe = make_pipeline(Odd(row), "mfcc").fit(noise, ["happy", "sad"] * 2)
    found = list(Predictor(pipe).iter_predictions(noise))
    assert [prediction.emotion for prediction in found] == [None, "sad", None, "sad"]
    assert all("gives no probabilities" in prediction.error for prediction in found[::2])
    assert np.isnan([prediction.confidence for prediction in found[::2]]).all()
    assert predict_table(pipe, noise)["error"].isna().tolist() == [False, True, False, True]


FORK = """
import os, signal, sys
import numpy as np
from sklearn_ser.exceptions import ModelError
from sklearn_ser.inference import load_predictor

model, used_before = sys.argv[1], sys.argv[2] == "used"
predictor = load_predictor(model, trust=True)
clips = list(np.random.default_rng(0).normal(size=(3, 22050)).astype(np.float32) / 10)


def predict():
    return np.array([found.probabilities for found in predictor.iter_predictions(clips)])


before = predict() if used_before else None
child = os.fork()
if child == 0:
    signal.alarm(60)  # rather than wait for ever
    try:
        found = predict()
    except ModelError as error:
        print(error)
        os._exit(3)
    os._exit(0 if before is None or np.array_equal(found, before) else 4)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.filterwarnings("ignore")  # the converters' own warnings
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize(
    ("kind", "used", "printed"),
    [
        ("svm", "used", "0"),
        ("onnx", "used", "0"),
        ("ann", "unused", "0"),
        ("ann", "used", "Networks cannot be used in this process: it was forked"),
    ],
)
def test_a_predictor_in_a_forked_process(kind, used, printed, clips, tmp_path):
    """As under gunicorn with preloading: it predicts the same there, or says what to do."""
    if kind != "svm":
        pytest.importorskip("tensorflow")
    if kind == "onnx":
        pytest.importorskip("tf2onnx")
    clf = {"onnx": "ann"}.get(kind, kind)
    settings = {"clf__epochs": 1} if clf == "ann" else {}
    pipe = make_pipeline(clf, "mfcc", random_state=0).set_params(**settings)
    pipe.fit(clips, [path.split("/")[-2] for path in clips])
    path = save_pipeline(pipe, tmp_path / f"m.{'onnx' if kind == 'onnx' else 'joblib'}")
    done = subprocess.run(
        [sys.executable, "-c", FORK, path, used], capture_output=True, text=True, timeout=120
    )
    assert done.stdout.startswith(printed), done.stderr
