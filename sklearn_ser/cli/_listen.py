"""`sklearn-ser listen`: the emotion of what is being said."""

import contextlib
import sys
from typing import Annotated, Any

import typer

from sklearn_ser._files import printable
from sklearn_ser.cli import _options as shared
from sklearn_ser.cli._app import JsonOption, command, notice, print_json, terminal
from sklearn_ser.cli._model import check_source, introduce


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
    trust: shared.TrustOption = False,
) -> None:
    """Predict the emotion of live audio, window by window.

    Without a MODEL it is demo that answers, a small model which comes with the package.

    Such as `ffmpeg -i IN -f s16le -ac 1 -ar 16000 - | sklearn-ser listen MODEL --source - --rate
    16000`. Ctrl+C ends it and says how far the predictions were behind the sound.
    """
    from threadpoolctl import threadpool_limits

    from sklearn_ser.audio.waveforms import PCM_TYPES
    from sklearn_ser.exceptions import OptionError
    from sklearn_ser.inference import EmotionStream, live, load_predictor
    from sklearn_ser.persistence import DEMO, names_model

    if not names_model(model):
        check_source(model)
        if source != "mic":
            raise OptionError(f"{model} is no model, and `source={source}` is given: choose one.")
        model, source = DEMO, model
    if source == "-" and rate is None:
        raise OptionError("--source - needs --rate HZ: raw samples do not tell it.")
    if encoding not in PCM_TYPES:
        raise OptionError(f"--encoding {encoding}: there are {' and '.join(PCM_TYPES)}.")
    if jsonl and json:
        raise OptionError("--jsonl and --json both fill standard output: choose one.")
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
    blocks: Any
    if source == "mic":
        chosen = int(device) if device is not None and device.isdigit() else device
        blocks = live.microphone_blocks(chosen, stream.rate)
    elif source == "-":
        blocks = live.pipe_blocks(stream.rate, encoding)
    else:
        blocks = live.file_blocks(source, stream.sr, predictor.settings.res_type)
    report = live.LiveReport()
    with threadpool_limits(1), _view(predictor.emotions, jsonl=jsonl, quiet=json) as show:
        predictor.warm_up(window)
        with contextlib.suppress(KeyboardInterrupt):  # this is how a person ends it
            live.follow(stream, blocks, show, report)
    if json:
        print_json(report.figures())
    for sentence in report.sentences():
        notice(sentence)


def _view(emotions: list[str], *, jsonl: bool, quiet: bool):
    """Return what shows events: bars in a terminal, lines elsewhere."""
    if jsonl:
        return _Lines(_json_line)
    if quiet:
        return _Lines(lambda event: "")
    if sys.stdout.isatty():
        return _Bars(emotions)
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


class _Bars:
    """A bar for each emotion, that moves."""

    def __init__(self, emotions: list[str]):
        self.emotions = emotions

    def __enter__(self):
        from rich.live import Live
        from rich.text import Text

        self.live = Live(
            Text("Listening. Ctrl+C ends it."), console=terminal(), refresh_per_second=10
        )
        self.live.__enter__()
        return self.show

    def __exit__(self, *reason):
        return self.live.__exit__(*reason)

    def show(self, event) -> None:
        """Show an event."""
        self.live.update(draw_bars(self.emotions, event))


def draw_bars(emotions: list[str], event):
    """Return the smoothed probabilities of an event as bars, with their emotion above."""
    from rich.progress_bar import ProgressBar
    from rich.table import Table

    from sklearn_ser.inference.predictor import percent

    shown = event.speech and event.error is None
    title = event.smoothed if shown else event.error or "no speech"
    grid = Table(title=f"{event.end:.1f} s   {title}", show_header=False, box=None)
    grid.title_justify = "left"
    grid.add_column(min_width=max(map(len, emotions)))
    grid.add_column(width=40)
    grid.add_column(justify="right")
    for emotion in emotions:
        value = event.smoothed_probabilities[emotion] if shown else 0.0
        style = "bold" if emotion == event.smoothed else ""
        bar = ProgressBar(total=1, completed=value, complete_style="cyan", finished_style="cyan")
        grid.add_row(emotion, bar, percent(value) if shown else "-", style=style)
    if event.warning:
        grid.caption = event.warning
    return grid
