"""`sklearn-ser listen`: the emotion of what is being said."""

import contextlib
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from sklearn_ser._files import printable
from sklearn_ser.cli import _options as shared
from sklearn_ser.cli._app import JsonOption, command, name_options, notice, print_json
from sklearn_ser.cli._ending import print_path
from sklearn_ser.cli._live_view import LiveView, draw_bars
from sklearn_ser.cli._model import check_source, introduce

__all__ = ["draw_bars", "listen"]


@command(name="listen")
def listen(
    model: Annotated[
        str,
        typer.Argument(
            help="A run's folder, a .joblib, .skops or .onnx file, or demo; an audio file is "
            "played to demo.",
            metavar="[MODEL]",
        ),
    ] = "demo",
    source: Annotated[
        str,
        typer.Option(
            help="mic, - for raw samples on standard input, or a file, played at its own speed."
        ),
    ] = "mic",
    rate: Annotated[
        int | None,
        typer.Option(
            help="Sampling rate in Hz of the microphone or of standard input.",
            min=1000,
            max=1_000_000,
            show_default=False,
        ),
    ] = None,
    encoding: Annotated[
        str, typer.Option(help="Samples on standard input: s16le or f32le, mono.")
    ] = "s16le",
    device: Annotated[
        str | None,
        typer.Option(help="The microphone, by its name or number.", show_default=False),
    ] = None,
    window: Annotated[float, typer.Option(help="Length of a window, in seconds.")] = 2.0,
    hop: Annotated[float, typer.Option(help="Time between windows, in seconds.")] = 0.5,
    smooth: shared.SmoothOption = 3,
    silence_db: shared.SilenceOption = -50.0,
    vad: shared.VadOption = "energy",
    abstain_below: shared.AbstainOption = 0.0,
    jsonl: Annotated[
        bool, typer.Option("--jsonl", help="Print one JSON object per window and line.")
    ] = False,
    json: JsonOption = False,
    adapt: Annotated[
        bool | None,
        typer.Option(
            "--adapt/--no-adapt",
            help="Scale features by what was heard before, so that predictions follow the voice "
            "and its room. Without either: where demo answers.",
            show_default=False,
        ),
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option(
            help="A page to write at the end, such as session.html: the timeline, the seconds of "
            "each emotion and every segment, without the sound.",
            metavar="FILE",
            show_default=False,
        ),
    ] = None,
    trust: shared.TrustOption = False,
) -> None:
    """Predict the emotion of live audio, window by window.

    Without a MODEL it is demo that answers, a small model which comes with the package.

    Such as `ffmpeg -i IN -f s16le -ac 1 -ar 16000 - | sklearn-ser listen MODEL --source - --rate
    16000`. A terminal shows bars, the level of the sound and the last minute. Ctrl+C ends it and
    says how long each emotion was heard, and how far the predictions were behind the sound.
    """
    from threadpoolctl import threadpool_limits

    from sklearn_ser.exceptions import OptionError
    from sklearn_ser.inference import EmotionStream, live, load_predictor
    from sklearn_ser.inference.session import Session
    from sklearn_ser.persistence import DEMO, names_model
    from sklearn_ser.report.session_page import check_page, write_session

    if not names_model(model):
        check_source(model)
        if source != "mic":
            raise OptionError(f"{model} is no model, and `source={source}` is given: choose one.")
        model, source = DEMO, model
    _check_options(source, rate, encoding, jsonl=jsonl, json=json)
    check_page(save)
    if source == "mic":
        live.import_sounddevice()  # what is missing is said before the model is loaded
    introduce(model)
    predictor = load_predictor(
        model,
        trust=trust,
        abstain_below=abstain_below,
        silence_db=silence_db,
        voice=vad == "pitch",
    )
    own_rate = rate if source in ("mic", "-") else None
    if adapt is None:
        adapt = model == DEMO
    stream = EmotionStream(
        predictor, window, hop, rate=own_rate, smooth=smooth, vad=vad, adapt=adapt
    )
    blocks = _blocks(source, stream, device, encoding)
    report, session = live.LiveReport(), Session(stream.rate)
    view = _view(predictor.emotions, session, jsonl=jsonl, quiet=json)
    try:
        with threadpool_limits(1), view as show:
            predictor.warm_up(window)

            def take(event: Any) -> None:
                session.take(event)
                show(event)

            with contextlib.suppress(KeyboardInterrupt):  # this is how a person ends it
                live.follow(stream, blocks, take, report, session.hear)
    finally:
        if save is not None and report.seconds:
            write_session(save, _page(session, report, predictor.card, source))
            if json or jsonl:
                notice(f"Session: {save}")
            else:
                print_path("Session", save)
    if json:
        print_json({**report.figures(), "seconds_by_emotion": session.seconds()})
    elif jsonl or not sys.stdout.isatty():
        notice(_summary(session))
    for sentence in report.sentences():
        notice(sentence)


def _check_options(
    source: str, rate: int | None, encoding: str, *, jsonl: bool, json: bool
) -> None:
    from sklearn_ser.audio.waveforms import PCM_TYPES
    from sklearn_ser.exceptions import OptionError

    if source == "-" and rate is None:
        raise OptionError("--source - needs --rate HZ: raw samples do not tell it.")
    if encoding not in PCM_TYPES:
        raise OptionError(f"--encoding {encoding}: there are {' and '.join(PCM_TYPES)}.")
    if jsonl and json:
        raise OptionError("--jsonl and --json both fill standard output: choose one.")


def _blocks(source: str, stream: Any, device: str | None, encoding: str) -> Iterator[Any]:
    """Return the blocks of samples of a source as they come."""
    from sklearn_ser.inference import live

    if source == "mic":
        chosen = int(device) if device is not None and device.isdigit() else device
        return live.microphone_blocks(chosen, stream.rate)
    if source == "-":
        return live.pipe_blocks(stream.rate, encoding)
    return live.file_blocks(source, stream.sr, stream.predictor.settings.res_type)


def _view(emotions: list[str], session: Any, *, jsonl: bool, quiet: bool):
    """Return what shows a session: colours that move in a terminal, lines elsewhere."""
    if jsonl:
        return _Lines(_json_line)
    if quiet:
        return _Lines(lambda event: "")
    if sys.stdout.isatty():
        return LiveView(emotions, session)
    return _Lines(_plain_line)


def _json_line(event) -> str:
    from sklearn_ser.inference.rows import as_json_line

    return as_json_line(event.as_json())


def _plain_line(event) -> str:
    from sklearn_ser.inference.predictor import percent

    warning = f"  [{event.warning}]" if event.warning else ""
    if event.error is not None:
        text = event.error
    elif not event.speech:
        text = f"no speech{warning}"
    else:
        text = f"{event.emotion} {percent(event.confidence)}{warning}"
    return printable(f"{event.start:8.2f} {event.end:8.2f}  {text}") + "\n"


class _Lines:
    """A line for each event."""

    def __init__(self, line):
        self.line = line

    def __enter__(self):
        return lambda event: typer.echo(self.line(event), nl=False)

    def __exit__(self, *_):
        return None


def _summary(session: Any) -> str:
    """Return how long each emotion was heard, as a sentence."""
    heard = [f"{name} {seconds:.1f} s" for name, seconds in session.seconds().items()]
    return printable(f"Heard: {', '.join(heard) or 'nothing'}.")


def _page(session: Any, report: Any, card: Mapping[str, Any], source: str) -> dict[str, Any]:
    """Return what the page of a session shows."""
    from sklearn_ser.inference.session import name_of

    segments = [
        {**segment.as_json(), "name": name}
        for segment, name in zip(session.segments, map(name_of, session.segments), strict=True)
    ]
    return {
        "source": {"mic": "the microphone", "-": "standard input"}.get(source, Path(source).name),
        "seconds": report.seconds,
        "sentences": [name_options(sentence) for sentence in report.sentences()],
        "classifier": card["classifier"].split("(")[0],
        "about": card.get("about"),
        "emotions": session.seconds(),
        "segments": segments,
        "curves": session.envelope.curves(),
    }
