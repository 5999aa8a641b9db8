"""The charts of the report: SVG in the colours of the page, light or dark."""

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from sklearn_ser.features import LogMelSpectrogram
from sklearn_ser.report.example_clips import ExampleClip
from sklearn_ser.report.style import PALETTE, in_style

__all__ = [
    "Chart",
    "coverage_curve",
    "draw_clip",
    "draw_coverage",
    "draw_durations",
    "draw_history",
    "draw_mel",
    "draw_reliability",
    "draw_wave",
    "plot_coverage",
    "plot_history",
    "plot_reliability",
]

INK, FAINT, FIRST, SECOND, PANEL = (
    PALETTE[name] for name in ("ink", "rule", "first", "second", "panel")
)
# On a page these colours become its own, light or dark.
ON_PAGE = {
    INK: "currentColor",
    FAINT: "var(--rule)",
    FIRST: "var(--first)",
    SECOND: "var(--second)",
    PANEL: "var(--panel)",
}

SIZE = (3.9, 2.7)  # inches; a phone shows it at about this size
FEW_CLIPS = 10  # of a bar, whose height is mostly chance then
MARGINS = {"left": 0.18, "right": 0.97, "bottom": 0.19, "top": 0.95}


@dataclass(frozen=True)
class Chart:
    """A drawing, with its title and a text for those who do not see it.

    Attributes
    ----------
    name : str
        Its file name without suffix.
    title, alt : str
    svg : str
        An SVG document in plain colours.
    """

    name: str
    title: str
    alt: str
    svg: str

    def on_page(self) -> str:
        """Return the drawing for a page: in the page's colours, and with unique ids."""
        svg = self.svg[self.svg.index("<svg") :]
        # HTML needs no XML namespaces, and the page's style sheet says how lines join.
        for part in (r"<metadata>.*?</metadata>\s*", r"<!--.*?-->\s*", r"<style.*?</style>\s*"):
            svg = re.sub(part, "", svg, flags=re.DOTALL)
        svg = re.sub(r' xmlns(:xlink)?="[^"]*"', "", svg)
        for plain, themed in ON_PAGE.items():
            svg = svg.replace(plain, themed)
        # The page's policy allows no style attributes; the same as attributes of their own it does.
        svg = re.sub(r' style="([^"]*)"', _as_attributes, svg)
        svg = re.sub(r' id="([^"]*)"', rf' id="{self.name}-\1"', svg)
        svg = re.sub(r'(url\(#|href="#)', rf"\g<1>{self.name}-", svg)
        return svg.replace("<svg ", f'<svg role="img" aria-label="{_quoted(self.alt)}" ', 1)


@in_style
def draw_history(history: pd.DataFrame, best_epoch: int) -> list[Chart]:
    """Draw loss and accuracy by epoch, with the epoch that was kept."""
    charts = []
    for quantity in ("loss", "accuracy"):
        figure, axes = _start(xlabel="epoch", ylabel=quantity)
        plot_history(axes, history, quantity, best_epoch)
        last = history.iloc[-1]
        alt = f"{quantity.title()} by epoch: {last[quantity]:.3f} in training"
        if f"val_{quantity}" in history:
            alt += f" and {last[f'val_{quantity}']:.3f} in validation"
        alt += f" after {len(history)} epochs; epoch {best_epoch} is kept."
        charts.append(_finish(figure, f"training_{quantity}", quantity.title(), alt))
    return charts


def plot_history(axes: Any, history: pd.DataFrame, quantity: str, best_epoch: int | None) -> None:
    """Plot "loss" or "accuracy" of training and validation set by epoch."""
    for column, label, colour in [
        (quantity, "training", FIRST),
        (f"val_{quantity}", "validation", SECOND),
    ]:
        if column in history:
            axes.plot(history["epoch"], history[column], label=label, color=colour)
    if best_epoch is not None:
        axes.axvline(best_epoch, color=INK, linestyle=":", label=f"kept: epoch {best_epoch}")
    axes.legend()


@in_style
def draw_reliability(calibration: Mapping[str, Any]) -> Chart:
    """Draw accuracy by confidence, and how many clips each bar stands for.

    A bar of fewer than `FEW_CLIPS` clips is hollow: its height is mostly chance.
    """
    figure, (shares, counts) = _start(rows=(3, 1))
    plot_reliability(shares, counts, calibration)
    low, width, n, _ = _bins(calibration)
    alt = (
        f"Reliability diagram: confidence {calibration['confidence']:.0%} on average, expected "
        f"calibration error {calibration['ece']:.3f} over {calibration['n_bins']} bins. "
        f"Most clips ({n.max()} of {n.sum()}) have a confidence between {low[n.argmax()]:.2f} and "
        f"{(low + width)[n.argmax()]:.2f}."
    )
    if n_few := int((n < FEW_CLIPS).sum()):
        alt += f" {n_few} of {len(n)} bars stand for fewer than {FEW_CLIPS} clips."
    return _finish(figure, "reliability", "Reliability", alt)


def _bins(calibration: Mapping[str, Any]) -> tuple[np.ndarray, ...]:
    """Return lower edge, width, clips and accuracy of each bin."""
    low, high, n, accuracy = (
        np.array([row[key] for row in calibration["bins"]])
        for key in ("low", "high", "n", "accuracy")
    )
    return low, high - low, n, accuracy


def plot_reliability(shares: Any, counts: Any, calibration: Mapping[str, Any]) -> None:
    """Plot accuracy by confidence on the axes `shares`, and the clips of each bar on `counts`."""
    low, width, n, accuracy = _bins(calibration)
    for few, label, style in [
        (n >= FEW_CLIPS, "share right", {"color": FIRST, "alpha": 0.75}),
        (n < FEW_CLIPS, f"fewer than {FEW_CLIPS} clips", {"fill": False, "linestyle": ":"}),
    ]:
        if few.any():
            edge = FAINT if "color" in style else FIRST
            shares.bar(low[few], accuracy[few], width[few], align="edge", edgecolor=edge,
                       label=label, **style)  # fmt: skip
    shares.plot([0, 1], [0, 1], color=INK, linestyle="--", linewidth=1, label="ideal")
    shares.set(ylabel="share right", ylim=(0, 1.02), xticklabels=[], yticks=[0, 0.5, 1])
    shares.legend(loc="upper left")
    counts.bar(low, n, width, align="edge", color=SECOND, edgecolor=FAINT)
    counts.set(xlabel="confidence", ylabel="clips", yticks=[0, n.max()])
    for axes in (shares, counts):
        axes.set_xlim(0, 1)


@in_style
def draw_coverage(confidence: ArrayLike, right: ArrayLike) -> Chart:
    """Draw the accuracy of the predictions that are kept when the unsure ones are dropped."""
    figure, axes = _start()
    share, accuracy = coverage_curve(confidence, right)
    plot_coverage(axes, share, accuracy)
    half = accuracy[np.searchsorted(share, 0.5)]
    alt = (
        f"Accuracy against coverage: {accuracy[-1]:.1%} of all predictions are right, and "
        f"{half:.1%} of the half with the higher confidence."
    )
    return _finish(figure, "coverage", "Coverage and accuracy", alt)


def coverage_curve(confidence: ArrayLike, right: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Return the share of predictions that are kept, and how many of those are right.

    Parameters
    ----------
    confidence : array-like of shape (n_clips,)
    right : array-like of shape (n_clips,)
        Whether each prediction is right.

    Returns
    -------
    share, accuracy : ndarray of shape (n_confidences,)
        From the surest predictions alone to all of them.
    """
    confidence = np.asarray(confidence)
    order = np.argsort(-confidence, kind="stable")
    share = np.arange(1, len(order) + 1) / len(order)
    accuracy = np.cumsum(np.asarray(right)[order]) / np.arange(1, len(order) + 1)
    last = np.append(np.diff(confidence[order]) != 0, True)  # equally sure clips come together
    return share[last], accuracy[last]


def plot_coverage(axes: Any, share: np.ndarray, accuracy: np.ndarray) -> None:
    """Plot accuracy by coverage, and the accuracy of all predictions."""
    axes.plot(share, accuracy, color=FIRST, drawstyle="steps-post")
    axes.axhline(accuracy[-1], color=INK, linestyle=":", linewidth=1)
    axes.set(
        xlabel="coverage: share of predictions kept", ylabel="share right", xlim=(0, 1.02),
        ylim=(max(0, accuracy.min() - 0.05), 1.01),
    )  # fmt: skip


@in_style
def draw_durations(seconds: ArrayLike, of: str = "clips") -> Chart:
    """Draw how long clips are."""
    seconds = np.asarray(seconds)
    figure, axes = _start(xlabel="duration (s)", ylabel=of)
    # One clip of an hour among thousands of two seconds would flatten all the others.
    longest = np.percentile(seconds, 99.5)
    beyond = int((seconds > longest * 1.5).sum())
    shown = seconds[seconds <= longest * 1.5]
    axes.hist(shown, bins=min(30, max(5, len(shown) // 5)), color=FIRST, edgecolor=FAINT)
    alt = (
        f"Durations of {len(seconds)} clips: from {seconds.min():.2f} to {seconds.max():.2f} s, "
        f"median {np.median(seconds):.2f} s."
    )
    if beyond:
        alt += f" {beyond} longer than {longest * 1.5:.1f} s are not drawn."
    return _finish(figure, "durations", "Durations", alt)


@in_style
def draw_clip(clip: ExampleClip, name: str, title: str, longest: float) -> Chart:
    """Draw the waveform and the mel spectrogram of a clip, on an axis of `longest` seconds."""
    figure, (wave, mel) = _start(rows=(1, 2.2))
    seconds = len(clip.y) / clip.sr
    draw_wave(wave, clip)
    draw_mel(mel, clip)
    wave.set(xlim=(0, longest), xticks=[], yticks=[])
    mel.set(xlim=(0, longest), xlabel="time (s)")
    alt = f"Waveform and mel spectrogram of {title}, {seconds:.2f} s."
    return _finish(figure, name, title, alt)


def draw_wave(axes: Any, clip: ExampleClip) -> None:
    """Draw a waveform as its least and greatest value in each of 400 steps."""
    steps = np.array_split(clip.y, min(400, len(clip.y)))
    t = np.linspace(0, len(clip.y) / clip.sr, len(steps))
    low, high = ([edge(step) for step in steps] for edge in (np.min, np.max))
    axes.fill_between(t, low, high, color=FIRST, lw=0.5)
    peak = float(np.abs(clip.y).max()) or 1.0
    axes.set_ylim(-1.05 * peak, 1.05 * peak)


def draw_mel(axes: Any, clip: ExampleClip) -> None:
    """Draw the mel spectrogram of a clip, 70 dB deep, with its frequencies in kHz."""
    from matplotlib.ticker import FixedFormatter, FixedLocator

    bands = LogMelSpectrogram(clip.sr, n_frames=1 + len(clip.y) // 512, n_mels=64, htk=True)
    decibels = bands.fit_transform([clip.y])[0].T
    loudest = decibels.max()
    axes.imshow(
        decibels, origin="lower", aspect="auto", cmap="magma", vmin=loudest - 70, vmax=loudest,
        extent=(0, len(clip.y) / clip.sr, 0, 64), interpolation="nearest",
    )  # fmt: skip
    hertz = [f for f in (250, 1000, 4000, 8000) if f < clip.sr / 2]
    axes.yaxis.set_major_locator(FixedLocator([_band(f, clip.sr, 64) for f in hertz]))
    axes.yaxis.set_major_formatter(FixedFormatter([f"{f / 1000:g}" for f in hertz]))
    axes.set_ylabel("kHz")


def _band(frequency: float, sr: int, n_mels: int) -> float:
    """Return where a frequency lies among mel bands, each one unit high."""
    top, mel = (np.log10(1 + f / 700) for f in (sr / 2, frequency))  # HTK's mel scale
    return mel / top * (n_mels + 1) - 0.5


def _start(*, rows: Sequence[float] = (1,), **axes_settings: Any) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=SIZE)
    figure.subplots_adjust(**MARGINS)
    figure.patch.set_alpha(0)
    axes = figure.subplots(len(rows), gridspec_kw={"height_ratios": rows, "hspace": 0.25})
    for one in np.ravel(axes):
        one.patch.set_alpha(0)
        one.set(**axes_settings)
    return figure, axes


def _finish(figure: Any, name: str, title: str, alt: str) -> Chart:
    import matplotlib

    file = io.StringIO()
    # Equal runs leave equal files: ids are salted with the name, and no date is noted.
    with matplotlib.rc_context({"svg.hashsalt": name}):
        figure.savefig(file, format="svg", metadata={"Date": None})
    return Chart(name, title, alt, file.getvalue())


def _as_attributes(style: re.Match) -> str:
    pairs = (pair.split(":", 1) for pair in style[1].split(";") if ":" in pair)
    # The page says which font, and matplotlib names "crisp-edges" and what overrides it.
    kept = {name.strip(): value.strip() for name, value in pairs if name.strip() != "font-family"}
    return "".join(f' {name}="{value}"' for name, value in kept.items())


def _quoted(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
