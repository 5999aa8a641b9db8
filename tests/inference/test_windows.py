"""Emotion over time: the same samples, the same predictions, whatever brings them."""

import itertools
import json
import tracemalloc
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import soundfile
import soxr
from scipy.signal import butter, sosfilt
from sklearn.base import BaseEstimator, ClassifierMixin

from sklearn_ser import EmotionStream, load_pipeline, make_pipeline
from sklearn_ser.audio.blocks import iter_blocks
from sklearn_ser.audio.decoding import AudioSettings
from sklearn_ser.audio.loader import load_audio
from sklearn_ser.exceptions import AudioError, OptionError
from sklearn_ser.inference import Predictor
from sklearn_ser.inference.segments import merge, summarize
from sklearn_ser.inference.stream import EmotionEvent
from sklearn_ser.inference.timeline import MOST_BUCKETS, Envelope
from tests.conftest import SR, melody, run, voice

SILENT = np.zeros(2 * SR, dtype=np.float32)

pytestmark = pytest.mark.usefixtures("mine")


def talk():
    """Three voices with a pause in between, 9 seconds."""
    parts = [voice(3, 100, seed=1), SILENT, voice(2, 300, seed=2), voice(2, 180, seed=3)]
    return np.concatenate(parts)


@pytest.fixture
def pipe(model):
    return load_pipeline(model)


@pytest.fixture
def recording(tmp_path):
    path = tmp_path / "talk.wav"
    soundfile.write(path, soxr.resample(talk(), SR, 16000), 16000)
    return path


def assert_same_events(events, expected):
    assert [event.as_json() for event in events] == [event.as_json() for event in expected]


# Samples


@pytest.mark.parametrize("rate", [8000, 16000, SR, 24414, 48000])
def test_blocks_equal_the_whole_file(tmp_path, rate):
    path = tmp_path / "long.flac"
    rng = np.random.default_rng(0)
    soundfile.write(path, rng.normal(size=(40 * rate, 2)) / 10, rate)
    blocks = list(iter_blocks(path, AudioSettings()))
    assert len(blocks) > 2
    np.testing.assert_array_equal(np.concatenate(blocks), load_audio(path))


def test_blocks_of_files_that_cannot_be_read(tmp_path):
    whole = tmp_path / "whole.flac"
    soundfile.write(whole, np.random.default_rng(0).normal(size=60 * SR) / 10, SR)
    cut = tmp_path / "cut.flac"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    seen = []
    with pytest.raises(AudioError, match=r"cut\.flac"):
        seen.extend(iter_blocks(cut, AudioSettings()))
    assert sum(map(len, seen)) > 20 * SR
    for name, words in [("empty.wav", "is empty"), ("none.wav", "holds no samples")]:
        path = tmp_path / name
        if name == "empty.wav":
            path.touch()
        else:
            soundfile.write(path, np.empty(0), SR)
        with pytest.raises(AudioError, match=words):
            list(iter_blocks(path, AudioSettings()))
    with pytest.raises(AudioError, match="than the 5 s that count"):
        list(iter_blocks(whole, AudioSettings(max_duration=5)))
    with pytest.raises(AudioError, match="whole clips only"):
        list(iter_blocks(whole, AudioSettings(sr=16000, res_type="kaiser_fast")))


# The stream


@pytest.mark.parametrize("clf", ["svm", "logreg"])
@pytest.mark.parametrize(("window", "hop"), [(2, 0.5), (1, 1), (0.7, 0.33), (0.5, 0.8)])
def test_windows_are_predicted_as_predict_predicts_their_samples(clf, window, hop, clips):
    pipe = make_pipeline(clf, "mfcc,chroma")
    pipe.fit(clips, [path.split("/")[-2] for path in clips])
    y = talk()
    stream = EmotionStream(pipe, window, hop)
    events = stream.push(y) + stream.finish()
    assert len(events) == 1 + int((9 - window) / hop + 1e-9)
    assert {event.speech for event in events} == {True, False}
    for event in events:
        samples = y[round(event.start * SR) : round(event.end * SR)]
        assert len(samples) == round(window * SR)
        expected = pipe.predict_proba([samples])[0]
        assert list(event.probabilities.values()) == expected.tolist()
        if event.speech:
            assert event.emotion == pipe.predict([samples])[0]
            assert event.confidence == expected.max()
        else:
            assert event.emotion == "silence"
            assert np.isnan(event.confidence)


@pytest.mark.parametrize("rate", [8000, SR, 48000])
def test_pieces_of_any_size_give_the_same_events(pipe, rate):
    y = soxr.resample(talk(), SR, rate)
    whole = EmotionStream(pipe, rate=rate)
    expected = whole.push(y) + whole.finish()
    rng = np.random.default_rng(0)
    pieces = EmotionStream(pipe, rate=rate)
    events, start = [], 0
    while start < len(y):
        n = int(rng.choice([1, 160, 4000, 60_000]))
        events += pieces.push(y[start : start + n])
        start += n
    assert_same_events(events + pieces.finish(), expected)
    assert len(expected) == 15


def test_a_file_a_stream_and_the_command_agree(pipe, model, recording, tmp_path):
    stream = EmotionStream(pipe)
    events = [event for some in stream.listen_to(recording) for event in some]
    live = EmotionStream(pipe, rate=16000)
    samples, _ = soundfile.read(recording, dtype="float32")
    assert_same_events(live.push(samples) + live.finish(), events)
    run(
        "predict", model, recording, "--window", 2, "--hop", 0.5, "-o", tmp_path / "rows.parquet"
    )  # fmt: skip
    table = pd.read_parquet(tmp_path / "rows.parquet")
    assert table.columns.tolist() == [
        *("path", "start", "end", "emotion", "confidence", "error"),
        *("p_angry", "p_neutral", "p_sad", "speech", "smoothed", "warning"),
    ]
    for name in ("start", "end", "emotion", "confidence", "speech", "smoothed"):
        expected = [getattr(event, name) for event in events]
        np.testing.assert_array_equal(table[name].tolist(), expected)
    assert table["p_sad"].tolist() == [event.probabilities["sad"] for event in events]


def test_short_recordings_are_one_window(pipe):
    stream = EmotionStream(pipe)
    y = voice(0.4, 100)
    assert stream.push(y) == []
    (event,) = stream.finish()
    assert (event.start, event.end) == (0, 0.4)
    assert list(event.probabilities.values()) == pipe.predict_proba([y])[0].tolist()
    stream.reset()
    assert stream.finish() == []


def test_silence_and_smoothing(pipe):
    events = EmotionStream(pipe, 1, 0.5, smooth=3).push(talk())
    silent = [event.start for event in events if not event.speech]
    assert silent == [3.0, 3.5, 4.0]
    assert {e.smoothed for e in events if not e.speech} == {"silence"}
    recent = []
    for event in events:
        recent = [*recent, list(event.probabilities.values())][-3:] if event.speech else []
        if event.speech:
            best = int(np.mean(recent, axis=0).argmax())
            assert event.smoothed == list(event.probabilities)[best]


@pytest.mark.parametrize(("silence_db", "speech"), [(-50, [True, True, False]), (-80, [True] * 3)])
def test_silence_is_the_same_for_clips_and_windows(pipe, silence_db, speech):
    loud, rest = voice(0.2, 100), np.zeros(round(1.5 * SR), np.float32)
    heard = [
        np.concatenate([rest, loud * 0.05, loud]),  # a tenth of it and more is speech
        voice(2, 100) * 0.05,
        voice(2, 100) * 0.001,  # some -70 dB below full scale
    ]
    predictor = Predictor(pipe, silence_db=silence_db)
    found = list(predictor.iter_predictions(heard))
    assert [prediction.emotion != "silence" for prediction in found] == speech
    assert [prediction.warning != "silent" for prediction in found] == speech
    for clip, prediction in zip(heard, found, strict=True):
        stream = EmotionStream(predictor, 2)
        (event,) = stream.push(clip) + stream.finish()
        assert (event.emotion, event.warning) == (prediction.emotion, prediction.warning)
        np.testing.assert_equal(event.confidence, prediction.confidence)


def test_a_moving_pitch_tells_speech_from_noise_clicks_and_tones(pipe):
    rng = np.random.default_rng(0)
    noise = rng.normal(size=SR).astype(np.float32) / 10
    clicks = np.zeros(SR, dtype=np.float32)
    clicks[rng.integers(SR, size=5)] = 0.5
    sounds = (melody(1), noise, clicks + noise / 1000, voice(1), SILENT)
    for stream in (
        EmotionStream(pipe, 1, 1, vad="pitch"),
        EmotionStream(Predictor(pipe, voice=True), 1, 1, vad="pitch"),
    ):
        speech = []
        for y in sounds:
            stream.reset()
            speech.append(stream.push(y)[0].speech)
        assert speech == [True, False, False, False, False]


def test_webrtc_tells_speech_from_noise(pipe):
    pytest.importorskip("webrtcvad")
    band = butter(6, 6000, "high", fs=SR, output="sos")
    hiss = sosfilt(band, np.random.default_rng(0).normal(size=SR)).astype(np.float32) / 10
    speech = [
        [EmotionStream(pipe, 1, 1, vad=vad).push(y)[0].speech for y in (voice(1), hiss, SILENT)]
        for vad in ("webrtc", "energy")
    ]
    assert speech == [[True, False, False], [True, True, False]]


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"window": 0}, "`window=0`"),
        ({"window": float("nan")}, "`window=nan`"),
        ({"window": 1e9}, "between 0.05 and 600"),
        ({"hop": 0}, "`hop=0`"),
        ({"smooth": 0}, "`smooth=0`"),
        ({"vad": "ears"}, "Unknown detector `vad=ears`"),
    ],
)
def test_option_errors(pipe, how, words):
    with pytest.raises(OptionError, match=words):
        EmotionStream(pipe, **how)


@pytest.mark.parametrize(
    ("samples", "words"),
    [
        (np.zeros((100, 2)), "average the channels"),
        (np.zeros(100, dtype=np.int64), "full scale is not known"),
        ([float("nan")], "NaN"),
        (np.full(100, 20_000.0), "1 is full scale"),
        (["a"], "floats"),
    ],
)
def test_samples_that_are_no_waveform(pipe, samples, words):
    stream = EmotionStream(pipe)
    with pytest.raises(AudioError, match=words):
        stream.push(samples)
    assert stream.push(np.empty(0)) == []


def test_memory_stays_flat(pipe):
    stream = EmotionStream(pipe, 0.5, 5)
    piece = np.resize(talk(), 10 * SR)
    stream.push(piece)
    tracemalloc.start()
    for _ in range(60):
        stream.push(piece)
    grown, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert grown < 1e6
    assert peak < 20e6
    assert stream.seconds == 610


# Segments and figure


def event(start, emotion):
    probabilities = {"sad": 0.1, "happy": 0.1} | {emotion: 0.9}
    return EmotionEvent(start, start + 2, emotion, 0.9, probabilities, True, emotion, probabilities)


def test_neighbours_of_one_emotion_are_merged():
    events = [event(0.5 * i, name) for i, name in enumerate(["sad"] * 3 + ["happy"] + ["sad"] * 2)]
    segments = merge(events)
    assert [(s.start, s.end, s.emotion, s.n_windows) for s in segments] == [
        (0, 2.25, "sad", 3),
        (2.25, 2.75, "happy", 1),
        (2.75, 4.5, "sad", 2),
    ]
    assert segments[0].confidence == pytest.approx(0.9)
    assert merge([]) == []


class Erratic(ClassifierMixin, BaseEstimator):
    """A classifier whose probabilities leap from window to window."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        each = [np.random.default_rng(x.tobytes()[-2]).dirichlet([0.3] * 3) for x in X]
        return np.array(each)


@pytest.mark.parametrize("abstain_below", [0.0, 0.6])
def test_every_row_names_its_most_probable_emotion(abstain_below):
    noise = np.random.default_rng(0).normal(size=(3, SR)).astype(np.float32) / 10
    pipe = make_pipeline(Erratic(), "mfcc").fit(noise, ["angry", "happy", "sad"])
    y = np.random.default_rng(1).normal(size=20 * SR).astype(np.float32) / 10
    y[8 * SR : 10 * SR] = 0
    stream = EmotionStream(Predictor(pipe, abstain_below=abstain_below), 0.5, 0.1)
    events = stream.push(y) + stream.finish()
    segments = merge(events)
    assert {"angry", "happy", "sad", "silence"} <= {segment.emotion for segment in segments}
    for row in [*events, *segments]:
        best = max(row.probabilities, key=row.probabilities.get)
        if row.emotion == "silence":
            assert np.isnan(row.confidence)
        elif row.emotion == "unsure":
            assert row.confidence == row.probabilities[best] < abstain_below
        else:
            assert row.emotion == best
            assert row.confidence == row.probabilities[best] >= abstain_below
    for event in events:
        if event.smoothed not in ("silence", "unsure"):
            assert event.smoothed_probabilities[event.smoothed] == event.smoothed_confidence


def test_a_class_of_the_pipeline_may_be_called_silence(clips, tmp_path):
    names = {"sad": "silence", "angry": "unsure", "neutral": "neutral"}
    pipe = make_pipeline("svm", "mfcc").fit(clips, [names[path.split("/")[-2]] for path in clips])
    stream = EmotionStream(pipe, 1, 0.5)
    events = stream.push(talk()) + stream.finish()
    assert {(e.smoothed, e.speech) for e in events} >= {("silence", True), ("silence", False)}
    for row in [*events, *merge(events)]:
        assert row.speech == np.isfinite(row.confidence)
        if row.speech:
            assert row.emotion == max(row.probabilities, key=row.probabilities.get)


def test_a_segment_that_could_not_be_predicted_says_why(pipe):
    stream = EmotionStream(pipe)
    events = [*stream.push(voice(2, 100)), event(0.5, None)]
    events[1] = replace(events[1], smoothed=None, error="too short for it")
    segments = merge(events)
    assert [segment.emotion for segment in segments] == ["sad", None]
    assert segments[1].as_json()["error"] == "too short for it"


def test_segments_and_figure(model, recording, tmp_path):
    how = ("predict", model, recording, "--window", 1, "--hop", 0.25)
    out, _ = run(*how, "--segments", "--json", "--figure", tmp_path / "timeline.png")
    rows = json.loads(out)["rows"]
    assert [(row["start"], row["end"]) for row in rows[1:]] == [
        (before["end"], row["end"]) for before, row in itertools.pairwise(rows)
    ]
    silence = next(row for row in rows if row["emotion"] == "silence")
    assert silence["start"] == pytest.approx(3.4, abs=0.3)
    assert silence["end"] == pytest.approx(4.6, abs=0.3)
    assert silence["confidence"] is None
    assert (tmp_path / "timeline.png").read_bytes()[:4] == b"\x89PNG"
    table, _ = run(*how, "--segments")
    line = next(line for line in table.splitlines() if "no speech" in line)
    assert not any(emotion in line for emotion in ("angry", "neutral", "sad", "%"))
    for words, message in [
        (("--figure", tmp_path / "x.bmp"), "give a .png"),
        ((recording, "--figure", tmp_path / "x.png"), "draws one recording"),
    ]:
        assert message in run(*how, *words, code=2)[1]
    assert "need --window" in run("predict", model, recording, "--segments", code=2)[1]


def test_a_bad_recording_among_others(model, recording, tmp_path):
    (tmp_path / "bad.wav").write_text("no audio")
    out, err = run(
        "predict", model, tmp_path / "bad.wav", recording, "--window", 2, "--jsonl", code=1
    )  # fmt: skip
    rows = [json.loads(line) for line in out.splitlines()]
    assert len(rows) == 16
    assert (rows[0]["start"], rows[0]["emotion"]) == (None, None)
    assert "is not audio" in rows[0]["error"]
    assert "1 of 2 sources" in err


def test_windows_resume_at_a_recording(model, recording, tmp_path):
    how = ("predict", model, recording, recording, "--window", 2)
    run(*how, "-o", tmp_path / "whole.csv")
    whole = (tmp_path / "whole.csv").read_bytes()
    from sklearn_ser.inference.rows import RowFile

    columns = pd.read_csv(tmp_path / "whole.csv").columns
    about = {"model": json.loads((model / "card.json").read_text())["sha256"]}
    about |= {"abstain_below": 0.0, "window": 2.0, "hop": 0.5, "segments": False}
    about |= {"smooth": 3, "silence_db": -50.0, "vad": "energy"}
    file = RowFile(tmp_path / "cut.csv", columns, [str(recording)] * 2, about)
    file.add(pd.read_csv(tmp_path / "whole.csv", dtype=object).iloc[:15].to_dict("records"))
    file.done()
    file.commit()
    file.add([dict.fromkeys(columns, "half")])
    file._write()
    file.close()
    assert "Going on after 1 of 2" in run(*how, "-o", tmp_path / "cut.csv", "--resume")[1]
    assert (tmp_path / "cut.csv").read_bytes() == whole


@pytest.mark.parametrize("n", [1, 100, 64 * MOST_BUCKETS * 5 + 77])
def test_an_envelope_in_flat_memory(n):
    y = np.sin(np.arange(n) / 1000)
    envelope = Envelope(SR)
    for start in range(0, n, 30_011):
        envelope.push(y[start : start + 30_011])
    time, low, high = envelope.curves()
    assert len(time) < 2 * MOST_BUCKETS
    if n > 7000:
        assert (round(float(low.min()), 3), round(float(high.max()), 3)) == (-1, 1)
        assert time[-1] == pytest.approx(n / SR, rel=0.01)


def test_a_recording_is_summarized_by_its_speech(pipe):
    predictor = Predictor(pipe)
    stream = EmotionStream(predictor, 1, 0.5)
    events = stream.push(talk())
    found = summarize(events, predictor)
    rows = [list(e.probabilities.values()) for e in events if e.speech]
    assert found.probabilities.tolist() == np.mean(rows, axis=0).tolist()
    assert found.emotion == predictor.emotions[found.probabilities.argmax()]
    assert found.confidence == found.probabilities.max()
    careful = Predictor(pipe, abstain_below=min(1.0, found.confidence + 0.01))
    assert summarize(events, careful).emotion == "unsure"
    stream.reset()
    silent = summarize(stream.push(SILENT), predictor)
    assert (silent.emotion, silent.warning) == ("silence", "silent")
    assert np.isnan(silent.confidence)
    failed = replace(events[0], speech=False, error="too short for it")
    assert summarize([failed], predictor).error == "too short for it"
