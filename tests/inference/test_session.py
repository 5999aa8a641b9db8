"""A live session: what was heard of it, what a terminal shows, and its page."""

import json
import re

import numpy as np
import pytest
import soundfile
from rich.console import Console

from sklearn_ser import EmotionStream, load_pipeline
from sklearn_ser.cli._live_view import LiveView, draw_session, draw_summary
from sklearn_ser.inference import live
from sklearn_ser.inference.segments import merge
from sklearn_ser.inference.session import Session
from sklearn_ser.report.style import color_emotions
from tests.conftest import SR, run, voice

EMOTIONS = ["angry", "neutral", "sad"]
TALK = np.concatenate([voice(3, 100), np.zeros(2 * SR, np.float32), voice(3, 310)])


@pytest.fixture(scope="module")
def heard(model):
    """A session of sad speech, a pause and angry speech, and its events."""
    stream = EmotionStream(load_pipeline(model), 1, 0.5)
    session, events = Session(SR), []

    def take(event):
        events.append(event)
        session.take(event)

    blocks = ((0.0, TALK[i : i + 2205]) for i in range(0, len(TALK), 2205))
    live.follow(stream, blocks, take, live.LiveReport(), session.hear)
    return session, events


def test_segments_and_seconds_are_those_of_a_file(heard):
    session, events = heard
    segments = merge(events)
    assert [s.as_json() for s in session.segments] == [s.as_json() for s in segments]
    seconds = session.seconds()
    assert list(seconds)[-1] == "no speech"
    assert sum(seconds.values()) == pytest.approx(segments[-1].end)
    sad = sum(s.end - s.start for s in segments if s.emotion == "sad")
    assert seconds["sad"] == pytest.approx(sad) != 0


def test_the_last_minute(heard):
    session, _ = heard
    cells = session.ribbon(60)
    assert cells[:52] == [None] * 52  # eight seconds were heard
    assert (cells[52], cells[-1]) == ("sad", "angry")
    assert "no speech" in cells
    assert Session(SR).ribbon(5) == [None] * 5


@pytest.mark.parametrize(
    ("samples", "level", "clipped"),
    [(np.zeros(10), -np.inf, False), (np.full(10, 0.1), -20, False), (np.ones(10), 0, True)],
)
def test_level(samples, level, clipped):
    session = Session(SR)
    session.hear(samples)
    assert (session.level, session.clipped) == (pytest.approx(level), clipped)


def shown(renderable, **how):
    console = Console(width=70, force_terminal=True, **how)
    with console.capture() as captured:
        console.print(renderable(console))
    return captured.get()


def test_a_terminal_shows_emotions_in_the_colours_of_the_figures(heard):
    session, events = heard

    def draw(console):
        return draw_session(EMOTIONS, session, console)

    text = shown(draw, color_system="truecolor")
    colors = color_emotions(EMOTIONS)
    for emotion in ("sad", "angry"):
        red, green, blue = bytes.fromhex(colors[emotion][1:])
        assert f"48;2;{red};{green};{blue}m " in text  # a cell of the ribbon
    assert f"{events[-1].end:.1f} s   angry" in re.sub("\x1b.*?m", "", text)
    assert " dB" in text
    # Without colours the ribbon has letters.
    text = shown(draw, color_system=None)
    ribbon = text.splitlines()[-2].strip()
    assert re.fullmatch(r"s+[sna]*\.+[sna]*a+", ribbon)
    assert max(map(len, text.splitlines())) <= 70
    text = shown(lambda console: draw_summary(session), color_system=None)
    assert [line.split()[0] for line in text.splitlines()[1:]] == [
        name.split()[0] for name in session.seconds()
    ]


def test_the_summary_stays_when_the_view_ends(heard, capsys):
    with LiveView(EMOTIONS, heard[0]) as show:
        show(None)
    assert "Heard" in capsys.readouterr().out


def test_the_page_of_a_session(model, tmp_path, mine):
    talk, page = tmp_path / "<b>talk.wav", tmp_path / "session.html"
    soundfile.write(talk, TALK[: 2 * SR], SR, subtype="FLOAT")
    how = ("listen", model, "--source", talk, "--window", 0.5, "--hop", 0.5, "--save", page)
    out, err = run(*how, "--json")
    document = json.loads(out)
    assert document["seconds_by_emotion"] == {"sad": pytest.approx(2.0)}
    assert f"Session: {page}" in err
    html = page.read_text(encoding="utf-8")
    assert "<b>talk" not in html
    assert "default-src 'none'" in html
    assert f'fill="{color_emotions(["sad"])["sad"]}"' in html
    assert re.search(r"<td>0\.00</td><td>2\.00</td><td>sad</td><td>\d+\W%</td><td>\w+\W", html)
    assert 'd="M0,' in html  # the waveform


@pytest.mark.parametrize("name", ["session.txt", "missing/session.html"])
def test_a_page_that_cannot_be_written_is_refused_before_the_work(model, tmp_path, name):
    err = run("listen", model, "--save", tmp_path / name, code=2)[1]
    assert "--save" in err


def test_one_window_is_one_window():
    report = live.LiveReport(seconds=1.9, n_windows=1, n_speech=1)
    assert report.sentences()[0] == "1 window in 1.9 s of audio."
