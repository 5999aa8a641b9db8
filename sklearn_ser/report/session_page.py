"""The page of a live session: its timeline, and every segment."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sklearn_ser._files import as_text, write_atomically
from sklearn_ser.exceptions import OptionError
from sklearn_ser.report.pages import render_page
from sklearn_ser.report.style import color_emotions

__all__ = ["check_page", "write_session"]

POINTS = 1000  # of the waveform


def check_page(path: Path | None) -> None:
    """Raise `OptionError` where no page could be written, before the work that it is to show."""
    if path is None:
        return
    if path.suffix not in (".html", ".htm"):
        raise OptionError(f"`save={path}`: give a name that ends in .html.")
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise OptionError(f"`save={path}`: its folder is not there, or it is a folder itself.")


def write_session(path: Path, content: Mapping[str, Any]) -> None:
    """Write the page of a session.

    Parameters
    ----------
    path : Path
    content : mapping
        source, seconds, classifier, about (or None), sentences; emotions, the seconds of each;
        segments, each with start, end, name, confidence, probabilities and warning; and curves,
        the times, lowest and highest samples of the waveform.
    """
    segments, emotions = content["segments"], content["emotions"]
    total = max([content["seconds"], *(segment["end"] for segment in segments[-1:])])
    colors = color_emotions(emotions)
    lanes = [
        {
            "name": name,
            "color": colors[name],
            "seconds": seconds,
            "share": seconds / sum(emotions.values()),
            "spans": [
                (100 * s["start"] / total, 100 * (s["end"] - s["start"]) / total)
                for s in segments
                if s["name"] == name
            ],
        }
        for name, seconds in emotions.items()
    ]
    page = render_page(
        "session.html",
        {
            **content,
            "title": f"Emotions of {content['source']}",
            "total": total,
            "lanes": lanes,
            "segments": [{**s, "next": _second(s)} for s in segments],
            "wave": _outline(*content["curves"][1:]),
        },
    )
    write_atomically(path, as_text(page).encode())


def _second(segment: Mapping[str, Any]) -> tuple[str, float] | None:
    """Return the second most probable emotion and its probability."""
    others = [
        (name, p)
        for name, p in segment["probabilities"].items()
        if p is not None and name != segment["emotion"]
    ]
    if segment["confidence"] is None or not others:
        return None
    return max(others, key=lambda one: one[1])


def _outline(low: np.ndarray, high: np.ndarray) -> str:
    """Return a waveform as the path of an SVG, from 0 to 1000 and from -1 to 1."""
    if not len(low):
        return ""
    steps = np.array_split(np.arange(len(low)), min(POINTS, len(low)))
    loudest = max(float(high.max()), float(-low.min()), 0.05)
    x = np.linspace(0, 1000, len(steps))
    top = [-high[step].max() / loudest for step in steps]
    bottom = [-low[step].min() / loudest for step in steps]
    points = [*zip(x, top, strict=True), *zip(x[::-1], bottom[::-1], strict=True)]
    return "M" + "L".join(f"{a:.0f},{b:.3f}" for a, b in points) + "Z"
