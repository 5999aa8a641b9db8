"""The style and the palette of every figure; pages and scripts take the same from palette.css."""

import functools
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

__all__ = ["DARK", "PALETTE", "PALETTE_FILE", "color_emotions", "figure_style", "heat", "in_style"]

PALETTE_FILE = Path(__file__).parent / "templates" / "palette.css"


def _colors(css: str) -> dict[str, str]:
    return dict(re.findall(r"--([\w-]+): (#\w{6})", css))


_light, _, _dark = PALETTE_FILE.read_text(encoding="utf-8").partition("@media")
PALETTE = _colors(_light)  # by the names of palette.css: figures are on white paper
DARK = PALETTE | _colors(_dark)


def color_emotions(emotions: Iterable[str]) -> dict[str, str]:
    """Return a colour for each emotion, the same in every figure and on every page.

    Emotions outside the common vocabulary take the three spare colours in alphabetical order;
    those beyond are grey.

    Parameters
    ----------
    emotions : iterable of str
        All that are shown together.

    Returns
    -------
    colors : dict of str to str
        "#rrggbb" by emotion, in the order given.

    Examples
    --------
    >>> from sklearn_ser.report.style import PALETTE, color_emotions
    >>> colors = color_emotions(["sad", "amused"])
    >>> colors["sad"] == PALETTE["emotion-sad"], colors["amused"] == PALETTE["spare-1"]
    (True, True)
    """
    emotions = [str(emotion) for emotion in emotions]
    strange = sorted({emotion for emotion in emotions if f"emotion-{emotion}" not in PALETTE})
    spare = {emotion: f"spare-{place}" for place, emotion in enumerate(strange, 1)}
    return {
        emotion: PALETTE.get(spare.get(emotion, f"emotion-{emotion}"), PALETTE["other"])
        for emotion in emotions
    }


def figure_style(*, font: str = "sans-serif", size: float = 10) -> dict[Any, Any]:
    """Return matplotlib's settings for a figure, whatever it is set to otherwise.

    Parameters
    ----------
    font : str, default="sans-serif"
        "serif", "sans-serif", or the name of a font on this machine.
    size : float, default=10
        In points.
    """
    from cycler import cycler

    families = ("serif", "sans-serif", "monospace")
    ink, rule = PALETTE["ink"], PALETTE["rule"]
    many = [color for name, color in PALETTE.items() if name.startswith(("emotion-", "spare-"))]
    return {
        "font.family": [font] if font in families else [font, "sans-serif"],
        "font.size": size,
        "axes.titlesize": size,
        "legend.fontsize": 0.8 * size,
        "svg.fonttype": "none",  # letters stay letters: they can be read out, searched and restyled
        "pdf.fonttype": 42,  # TrueType, which publishers take, and which can be searched
        "figure.facecolor": "none",
        "savefig.facecolor": "auto",
        "text.color": ink,
        "axes.edgecolor": rule,
        "axes.labelcolor": ink,
        "axes.prop_cycle": cycler(color=[PALETTE["first"], PALETTE["second"], *many]),
        "xtick.color": ink,
        "ytick.color": ink,
        "grid.color": rule,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "legend.frameon": False,
    }


def in_style(draw: Callable) -> Callable:
    """Make a function draw in the style of the report, whatever matplotlib is set to."""

    @functools.wraps(draw)
    def styled(*args: Any, **kwargs: Any) -> Any:
        import matplotlib

        with matplotlib.rc_context(figure_style()):
            return draw(*args, **kwargs)

    return styled


def heat() -> Any:
    """Return the colour map of shares: from paper to the first colour of the palette."""
    from matplotlib.colors import LinearSegmentedColormap

    steps = [PALETTE["paper"], PALETTE["heat"], PALETTE["first"]]
    return LinearSegmentedColormap.from_list("heat", steps)
