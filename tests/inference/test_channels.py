"""Call recordings: each channel of a file by itself."""

import json
import os
import threading

import numpy as np
import pandas as pd
import pytest
import soundfile

from sklearn_ser.audio.decoding import AudioSettings, Channel, load_audio
from sklearn_ser.audio.header import count_channels
from sklearn_ser.audio.opening import rereadable
from sklearn_ser.exceptions import AudioError
from tests.conftest import SR, run, voice

pytestmark = pytest.mark.usefixtures("mine")


@pytest.fixture
def call(wav):
    """Two people: an angry voice on the left, a sad one on the right."""
    return wav("call.wav", np.stack([voice(3, 300), voice(3, 100)], axis=1))


@pytest.fixture
def alone(call, wav):
    """Each channel of the call as a mono file."""
    y, _ = soundfile.read(call, dtype="int16")
    return [wav(f"{i}.wav", y[:, i]) for i in (0, 1)]


def predict(*words, code=0):
    return json.loads(run("predict", *words, "--json", code=code)[0])["rows"]


def without(rows, *names):
    return [{k: v for k, v in row.items() if k not in names} for row in rows]


def test_a_channel_is_what_a_mono_file_of_it_is(call, alone):
    for i, path in enumerate(alone):
        np.testing.assert_array_equal(load_audio(Channel(str(call), i, "call")), load_audio(path))
    mix = np.mean([load_audio(path) for path in alone], axis=0)
    np.testing.assert_allclose(load_audio(call), mix, atol=1e-6)


def test_a_row_for_each_channel(model, call, alone):
    rows = predict(model, call, "--channels", "split")
    assert list(rows[0])[:3] == ["path", "channel", "emotion"]
    assert [(row["channel"], row["emotion"]) for row in rows] == [(0, "angry"), (1, "sad")]
    assert without(rows, "path", "channel") == without(predict(model, *alone), "path")
    assert "channel" not in predict(model, call)[0]


@pytest.mark.parametrize("how", [(), ("--segments",)])
def test_windows_and_segments_of_each_channel(model, call, alone, tmp_path, how):
    how = ("--window", 1, "--hop", 0.5, *how)
    figure = tmp_path / "call.svg"
    rows = predict(model, call, *how, "--channels", "split", "--figure", figure)
    assert list(rows[0])[:4] == ["path", "channel", "start", "end"]
    expected = [predict(model, path, *how) for path in alone]
    for i in (0, 1):
        mine = [row for row in rows if row["channel"] == i]
        assert without(mine, "path", "channel") == without(expected[i], "path")
    assert [row["channel"] for row in rows] == sorted(row["channel"] for row in rows)
    text = figure.read_text()
    assert "call.wav, channel 0" in text
    assert "call.wav, channel 1" in text


def test_each_channel_adapts_by_itself(model, call, alone):
    how = ("--window", 0.5, "--adapt", "recording")
    rows = predict(model, call, *how, "--channels", "split")
    expected = [row for path in alone for row in predict(model, path, *how)]
    assert without(rows, "path", "channel") == without(expected, "path")
    assert without(rows, "path", "channel") != without(
        predict(model, call, "--window", 0.5, "--channels", "split"), "path", "channel"
    )


def test_tables_of_every_kind_agree(model, call, wav, tmp_path):
    bad = tmp_path / "bad.wav"
    bad.write_text("no audio")
    how = ("predict", model, call, bad, "--channels", "split", "--window", 1)
    rows = predict(*how[1:], code=1)
    assert [rows[-1][name] for name in ("channel", "start")] == [None, None]
    assert "bad.wav is not audio" in rows[-1]["error"]
    for name in ("a.csv", "a.jsonl", "a.parquet"):
        run(*how, "-o", tmp_path / name, code=1)
    tables = [
        pd.read_csv(tmp_path / "a.csv"),
        pd.read_json(tmp_path / "a.jsonl", lines=True),
        pd.read_parquet(tmp_path / "a.parquet"),
    ]
    for table in tables:
        assert list(table.columns)[:4] == ["path", "channel", "start", "end"]
        assert table["channel"].fillna(-1).tolist() == [
            -1 if row["channel"] is None else row["channel"] for row in rows
        ]


@pytest.mark.parametrize("window", [(), ("--window", 1)])
def test_resume_of_split_channels(model, call, tmp_path, window):
    bad = tmp_path / "bad.wav"
    soundfile.write(bad, np.zeros((4000, 2)), SR)
    bad.write_bytes(bad.read_bytes()[:9000])  # cut, so that each channel has an error
    how = ("predict", model, call, bad, *window, "-o", tmp_path / "t.csv")
    run(*how, "--channels", "split", code=1)
    table = pd.read_csv(tmp_path / "t.csv")
    assert table[table["error"].notna()]["path"].unique().tolist() == [str(bad)]
    _, err = run(*how, "--channels", "split", "--resume", code=1)
    assert "whole already" in err
    assert "1 of 2 sources could not be read" in err
    assert "of other sources, or another model" in run(*how, "--resume", code=2)[1]


def test_mono_files_are_named(model, call, alone, tmp_path):
    out, err = run("predict", model, call, *alone, "--channels", "split")
    assert "2 of 3 sources are mono" in err
    assert out.splitlines()[0].split()[:3] == ["file", "channel", "emotion"]
    assert len(out.splitlines()) == 5
    assert "mono" not in run("predict", model, *alone)[1]


def test_eight_channels(model, wav):
    y = np.stack([voice(1, 100 + 30 * i) for i in range(8)], axis=1)
    rows = predict(model, wav("many.wav", y), "--channels", "split", "--window", 1)
    assert [row["channel"] for row in rows] == list(range(8))
    assert [rows[i]["emotion"] for i in (0, 7)] == ["sad", "angry"]


def test_memory_does_not_grow_with_channels(tmp_path, monkeypatch):
    """No more than a block of all channels is read at once."""
    import tracemalloc

    from sklearn_ser.audio import blocks

    path = tmp_path / "long.wav"
    with soundfile.SoundFile(path, "w", 8000, 8) as file:
        for _ in range(20):
            file.write(np.zeros((80_000, 8), dtype=np.int16))
    settings = AudioSettings(sr=8000, max_duration=None)

    def peak(source):
        tracemalloc.start()
        n = sum(len(y) for y in blocks.iter_blocks(source, settings))
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return n, most

    n, one = peak(Channel(str(path), 7, "long"))
    assert (n, one < 1.5 * peak(path)[1]) == (1_600_000, True)


def test_a_pipe_is_read_once(call, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    threading.Thread(target=lambda: pipe.write_bytes(call.read_bytes()), daemon=True).start()
    with rereadable(str(pipe)) as file:
        assert count_channels(file, AudioSettings(), "pipe") == 2
        left, right = (load_audio(Channel(file, i, "pipe")) for i in (0, 1))
    np.testing.assert_array_equal(left, load_audio(Channel(str(call), 0, "call")))
    assert not np.array_equal(left, right)


def test_wrong_words(model, call, tmp_path):
    words = ("predict", model, call, "--channels", "left")
    assert "Unknown --channels left: there are mix and split" in run(*words, code=2)[1]
    missing = predict(model, tmp_path / "none.wav", "--channels", "split", code=1)
    assert "none.wav does not exist" in missing[0]["error"]
    with pytest.raises(AudioError, match="does not exist"):
        count_channels(str(tmp_path / "none.wav"), AudioSettings(), "none.wav")
