"""What a terminal shows while it listens: bars, the level of the sound, the last minute."""

from typing import Any

from sklearn_ser.cli._app import terminal

__all__ = ["LiveView", "draw_bars", "draw_session", "draw_summary"]

BAR = 40  # columns of a bar, fewer in a narrow terminal
CELLS = 60  # of the last minute, fewer in a narrow terminal
QUIETEST = -60.0  # dB, where the level's bar begins
LOUD = -6.0  # dB, from where on it may clip


class LiveView:
    """Shows a session while it goes on, and its summary when it ends.

    Parameters
    ----------
    emotions : list of str
    session : Session
    """

    def __init__(self, emotions: list[str], session: Any):
        self.emotions, self.session = emotions, session
        self.console = terminal()

    def __enter__(self):
        from rich.live import Live

        # Drawn at its own pace in another thread, so that no prediction waits for the terminal.
        self.live = Live(get_renderable=self.draw, console=self.console, refresh_per_second=10)
        self.live.__enter__()
        return lambda event: None

    def __exit__(self, *reason):
        self.live.__exit__(*reason)
        if self.session.segments:
            self.console.print(draw_summary(self.session))

    def draw(self):
        """Return what is shown now."""
        return draw_session(self.emotions, self.session, self.console)


def draw_session(emotions: list[str], session: Any, console: Any):
    """Return bars, level and last minute of a session."""
    from rich.console import Group
    from rich.text import Text

    if session.event is None:
        return Group(Text("Listening. Ctrl+C ends it."), _draw_level(session))
    longest = max(map(len, emotions))
    width = min(BAR, max(10, console.width - longest - 14))  # beside "too loud"
    bars = draw_bars(emotions, session.event, width)
    return Group(
        bars, _draw_level(session, width, longest), *_draw_minute(emotions, session, console)
    )


def draw_bars(emotions: list[str], event: Any, width: int = BAR):
    """Return the smoothed probabilities of an event as bars, with their emotion above."""
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    from sklearn_ser.inference.predictor import percent
    from sklearn_ser.report.style import color_emotions

    shown = event.speech and event.error is None
    colors = color_emotions(emotions)
    title = event.smoothed if shown else event.error or "no speech"
    heading = Text(f"{event.end:.1f} s   {title}", style="bold")
    grid = Table(title=heading, show_header=False, box=None)
    grid.title_justify = "left"
    grid.add_column(min_width=max(map(len, emotions)))
    grid.add_column(width=width)
    grid.add_column(justify="right")
    for emotion in emotions:
        value = event.smoothed_probabilities[emotion] if shown else 0.0
        style = "bold" if emotion == event.smoothed else ""
        bar = ProgressBar(
            total=1, completed=value, complete_style=colors[emotion], finished_style=colors[emotion]
        )
        grid.add_row(emotion, bar, percent(value) if shown else "-", style=style)
    if event.warning:
        grid.caption = event.warning
        grid.caption_justify = "left"
    return grid


def _draw_level(session: Any, width: int = BAR, longest: int = 0):
    """Return the level of the latest samples as a bar, in the colours of the terminal."""
    from rich.progress_bar import ProgressBar
    from rich.table import Table

    level = max(QUIETEST, session.level)
    color = "red" if session.clipped else "yellow" if level > LOUD else "green"
    grid = Table.grid(padding=(0, 1))
    bar = ProgressBar(
        total=-QUIETEST, completed=level - QUIETEST, width=width, complete_style=color,
        finished_style=color,
    )  # fmt: skip
    said = "too loud" if session.clipped else "silent" if level <= QUIETEST else f"{level:.0f} dB"
    grid.add_row(f" {'level':{longest}} ", bar, said)
    return grid


def _draw_minute(emotions: list[str], session: Any, console: Any) -> list:
    """Return the last minute as a ribbon of colours, or of letters where there are none."""
    from rich.text import Text

    from sklearn_ser.report.style import color_emotions

    colors = color_emotions(emotions)
    n = min(CELLS, console.width - 2)
    ribbon = Text(" ")
    for cell in session.ribbon(n):
        if cell in colors and console.color_system and not console.no_color:
            ribbon.append(" ", f"on {colors[cell]}")
        else:
            ribbon.append(cell[0] if cell in colors else "." if cell else " ")
    return [ribbon, Text(f" {'a minute ago':{n - 3}}now", style="dim")]


def draw_summary(session: Any):
    """Return how long each emotion was heard."""
    from rich.progress_bar import ProgressBar
    from rich.table import Table

    from sklearn_ser.report.style import color_emotions

    seconds = session.seconds()
    total, colors = sum(seconds.values()), color_emotions(seconds)
    grid = Table(title="Heard", show_header=False, box=None, title_style="bold")
    grid.title_justify = "left"
    for side in ("left", "left", "right", "right"):
        grid.add_column(justify=side)
    for name, some in seconds.items():
        bar = ProgressBar(
            total=total, completed=some, width=BAR // 2, complete_style=colors[name],
            finished_style=colors[name],
        )  # fmt: skip
        grid.add_row(name, bar, f"{some:.1f} s", f"{100 * some / total:.0f}%")
    return grid
