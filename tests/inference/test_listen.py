"""`listen`: a file at its own speed, a pipe, a microphone; and whether it keeps up."""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
import types

import numpy as np
import pytest
import soundfile
from rich.console import Console

from sklearn_ser import EmotionStream, load_pipeline
from sklearn_ser.cli._listen import draw_bars
from sklearn_ser.exceptions import AudioError
from sklearn_ser.inference import live
from sklearn_ser.inference.predictor import percent
from tests.conftest import SR, run, voice

pytestmark = pytest.mark.usefixtures("mine")


def start(model, *how, **streams):
    return subprocess.Popen(
        [sys.executable, "-m", "sklearn_ser", "listen", str(model), *map(str, how)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **streams,
    )


def test_a_file_is_played_at_its_own_speed(model, tmp_path):
    path = tmp_path / "talk.wav"
    y = voice(1.5, 100)
    soundfile.write(path, y, SR, subtype="FLOAT")
    how = ("listen", model, "--source", path, "--window", 0.5, "--hop", 0.25)
    started = time.monotonic()
    out, err = run(*how, "--jsonl")
    assert time.monotonic() - started > 1.5
    rows = [json.loads(line) for line in out.splitlines()]
    events = EmotionStream(load_pipeline(model), 0.5, 0.25).push(y)
    assert [row["probabilities"] for row in rows] == [e.probabilities for e in events]
    assert "5 windows in 1.5 s of audio" in err
    assert "From the last sample to the prediction" in err
    predicted = json.loads(run("predict", model, path, *how[4:], "--json")[0])["rows"]
    for name in ("start", "end", "emotion", "confidence", "speech", "smoothed", "warning"):
        assert [row[name] for row in rows] == [row[name] for row in predicted]
    figures = json.loads(run(*how, "--json")[0])
    assert figures["windows"] == 5
    assert 0 < figures["latency_ms"]["p50"] <= figures["latency_ms"]["max"]
    line = run(*how)[0].splitlines()[0]
    sure = percent(events[0].confidence)
    assert line == f"    0.00     0.50  {events[0].emotion} {sure}"


def test_a_pipe(model):
    pcm = (voice(3, 300, sr=16000) * 20000).astype("<i2")
    process = start(model, "--source", "-", "--rate", 16000, "--jsonl", stdin=subprocess.PIPE)
    out, err = process.communicate(pcm.tobytes() + b"\0", 60)  # half a sample at the end
    assert process.returncode == 0
    stream = EmotionStream(load_pipeline(model), rate=16000)
    events = stream.push(pcm.astype(np.float32) / 32768) + stream.finish()
    rows = [json.loads(line) for line in out.splitlines()]
    assert [row["probabilities"] for row in rows] == [e.probabilities for e in events]
    assert b"3 windows" in err


def test_ctrl_c_ends_it_politely(model):
    process = start(model, "--source", "-", "--rate", SR, "--jsonl", stdin=subprocess.PIPE)
    process.stdin.write((voice(2.5) * 20000).astype("<i2").tobytes())
    process.stdin.flush()
    assert process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 0
    assert b"From the last sample to the prediction" in err
    assert b"Traceback" not in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--source", "-"), "needs --rate"),
        (("--source", "no.wav"), "does not exist"),
        (("--source", "-", "--rate", 8000, "--encoding", "mp3"), "there are s16le and f32le"),
        (("--source", "no.wav", "--json", "--jsonl"), "choose one"),
        (("--source", "no.wav", "--window", -1), "--window -1: give between"),
    ],
)
def test_option_errors(model, words, message):
    assert message in run("listen", model, *words, code=2)[1]


def fake_sounddevice(monkeypatch, y=None):
    """Put a microphone in place that hears `y`, or is not there."""

    class PortAudioError(Exception):
        pass

    class InputStream:
        def __init__(self, rate, size, device, *, callback, **how):
            if y is None:
                raise PortAudioError("Error querying device -1")
            self.rate, self.size, self.callback = rate, size, callback

        def __enter__(self):
            def play():
                for start in range(0, len(y), self.size):
                    part = y[start : start + self.size]
                    self.callback(part[:, np.newaxis], len(part), None, None)

            threading.Thread(target=play).start()

        def __exit__(self, *_):
            pass

    module = types.SimpleNamespace(InputStream=InputStream, PortAudioError=PortAudioError)
    monkeypatch.setitem(sys.modules, "sounddevice", module)


def test_a_microphone(model, monkeypatch):
    y = voice(2.5, 180)
    fake_sounddevice(monkeypatch, y)
    monkeypatch.setattr(live, "QUIET_SECONDS", 0.5)
    stream = EmotionStream(load_pipeline(model))
    events, report = [], live.LiveReport()
    with pytest.raises(AudioError, match="Nothing came from the microphone"):
        live.follow(stream, live.microphone_blocks(None, SR), events.append, report)
    assert events == EmotionStream(load_pipeline(model)).push(y)
    assert report.seconds == pytest.approx(2.5)


def test_no_microphone(model, monkeypatch):
    fake_sounddevice(monkeypatch)
    assert "cannot be opened" in run("listen", model, code=2)[1]
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    assert "pip install 'sklearn-ser[live]'" in run("listen", model, code=2)[1]


def test_a_pipe_without_a_writer(model):
    reader, writer = os.pipe()
    code = (
        "import sys, sklearn_ser.inference.live as live; live.QUIET_SECONDS = 0.3;"
        "from sklearn_ser.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "listen", model, "--source", "-", "--rate", "8000"],
        stdin=reader,
        capture_output=True,
        text=True,
    )
    os.close(reader)
    os.close(writer)
    assert done.returncode == 2
    assert done.stderr == (
        "Error: Nothing came from standard input for 0 s: is something writing to it?\n"
    )


def test_it_says_so_when_nothing_was_speech(model):
    stream, report = EmotionStream(load_pipeline(model)), live.LiveReport()
    live.follow(stream, iter([(time.monotonic(), np.zeros(3 * SR))]), lambda event: None, report)
    assert (report.n_windows, report.n_speech) == (3, 0)
    assert "is the microphone muted" in " ".join(report.sentences())
    live.follow(stream, iter([(time.monotonic(), voice(3))]), lambda event: None, report)
    assert report.n_speech > 0
    assert "microphone" not in " ".join(report.sentences())


def test_it_says_so_when_it_cannot_keep_up():
    report = live.LiveReport(seconds=10, busy=20, n_windows=3, n_speech=3)
    report.latencies.extend([0.1, 0.2, 0.3])
    assert not report.figures()["keeps_up"]
    assert "It cannot keep up" in report.sentences()[-1]
    report.busy = 1
    assert "less than the 20 times" in report.sentences()[-1]
    report.busy = 0.1
    assert report.sentences()[-1] == "100 times faster than the clock, on one core."
    assert report.figures()["latency_ms"]["p50"] == 200


def test_bars_show_the_smoothed_probabilities(model):
    y = np.concatenate([voice(2, 100), np.zeros(4 * SR, np.float32)])
    events = EmotionStream(load_pipeline(model)).push(y)
    emotions = ["angry", "neutral", "sad"]
    console = Console(width=80)
    with console.capture() as shown:
        console.print(draw_bars(emotions, events[0]))
        console.print(draw_bars(emotions, events[-1]))
    text = shown.get()
    assert "2.0 s   sad" in text
    assert "6.0 s   no speech" in text
    assert "silent" in text
    assert text.count("%") == 3


def test_an_error_of_the_reader_is_passed_on():
    def read(put):
        put(1)
        raise queue.Full

    blocks = live._from_thread(read, "x")
    assert next(blocks)[1] == 1
    with pytest.raises(queue.Full):
        next(blocks)
