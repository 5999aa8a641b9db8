"""The curves of a robustness test: UAR by the strength of noise, and under all else."""

from collections.abc import Mapping, Sequence
from typing import Any

from sklearn_ser.metrics.schema import Stress
from sklearn_ser.report.charts import FIRST, INK, SECOND, Chart, _finish, _start
from sklearn_ser.report.style import in_style

__all__ = ["draw_stress", "plot_noises", "plot_others"]

# Five kinds of noise with two colours: shapes tell them apart in print, too.
LOOKS = {
    "white noise": (FIRST, "-", "o"),
    "pink noise": (FIRST, "--", "s"),
    "brown noise": (FIRST, ":", "^"),
    "babble": (SECOND, "-", "o"),
    "real noise": (SECOND, "--", "s"),
}
SQUARE, TALL = (3.9, 3.6), (3.9, 4.6)  # inches


def draw_stress(stress: Stress | Mapping[str, Any]) -> list[Chart]:
    """Draw the UAR of degraded clips, with the chance level.

    Parameters
    ----------
    stress : mapping
        As under stress in metrics.json.

    Returns
    -------
    charts : list of Chart
        The UAR by signal-to-noise ratio, a curve for each kind of noise; and under each other
        degradation, with intervals. Of runs of an older version, which lack strengths, none.
    """
    rows = stress["conditions"]
    if any("strength" not in row for row in rows):
        return []
    return [
        _draw_noises(rows, stress["chance"]["uar"]),
        _draw_others(rows, stress["chance"]["uar"]),
    ]


@in_style
def _draw_noises(rows: list[Any], chance: float) -> Chart:
    figure, axes = _start()
    figure.set_size_inches(*SQUARE)
    figure.subplots_adjust(bottom=0.15, top=0.8)
    plot_noises(axes, rows, chance)
    said, places = [], []
    for name in LOOKS:
        found = [row for row in rows if row["degradation"] == name]
        if found:
            places = sorted((row["strength"] for row in found), reverse=True)
            said.append(f"{name} from {found[0]['uar']:.3f} to {found[-1]['uar']:.3f}")
    alt = (
        f"UAR by signal-to-noise ratio: {rows[0]['uar']:.3f} as recorded; from {places[0]:g} to "
        f"{places[-1]:g} dB {'; '.join(said)}. Guessing gets {chance:.3f}."
    )
    return _finish(figure, "robustness_noise", "UAR in noise", alt)


def plot_noises(axes: Any, rows: Sequence[Any], chance: float) -> None:
    """Plot the UAR by signal-to-noise ratio, a curve for each kind of noise."""
    clean = rows[0]["uar"]
    places: list[float] = []
    for name, (color, line, marker) in LOOKS.items():
        found = [row for row in rows if row["degradation"] == name]
        if not found:
            continue
        places = sorted((row["strength"] for row in found), reverse=True)
        uars = [clean, *(row["uar"] for row in found)]
        axes.plot(
            range(len(uars)), uars, color=color, linestyle=line, marker=marker, markersize=4,
            label=name,
        )  # fmt: skip
    axes.axhline(chance, color=INK, linestyle=":", linewidth=1, label="guessing")
    axes.set_xticks(range(len(places) + 1), ["none", *(f"{place:g}" for place in places)])
    axes.set(xlabel="signal-to-noise ratio (dB)", ylabel="UAR", ylim=(0, 1.02))
    axes.legend(loc="lower center", bbox_to_anchor=(0.45, 1.0), ncols=2)


@in_style
def _draw_others(rows: list[Any], chance: float) -> Chart:
    figure, axes = _start()
    figure.set_size_inches(*TALL)
    figure.subplots_adjust(left=0.38, bottom=0.11, top=0.99)
    plot_others(axes, rows, chance)
    shown = [row for row in rows if row["degradation"] not in LOOKS]
    worst = min(shown, key=lambda row: row["uar"])
    alt = (
        f"UAR with 95% intervals under {len(shown) - 1} other degradations: the worst is "
        f"{worst['name']} with {worst['uar']:.3f}. Dashed: as recorded. Dotted: guessing, "
        f"{chance:.3f}."
    )
    return _finish(figure, "robustness_others", "UAR in rooms, telephones and codecs", alt)


def plot_others(axes: Any, rows: Sequence[Any], chance: float) -> None:
    """Plot the UAR with its interval under each degradation that is no noise."""
    import matplotlib

    shown = [row for row in rows if row["degradation"] not in LOOKS]
    places = range(len(shown))
    for place, row in zip(places, shown, strict=True):
        axes.plot(row["uar_interval"], [place, place], color=FIRST, linewidth=1.5, alpha=0.6)
        axes.plot(row["uar"], place, "o", color=FIRST, markersize=5)
    axes.axvline(rows[0]["uar"], color=FIRST, linestyle="--", linewidth=1)
    axes.axvline(chance, color=INK, linestyle=":", linewidth=1)
    small = matplotlib.rcParams["legend.fontsize"]
    axes.set_yticks(places, [row["name"] for row in shown], fontsize=small)
    axes.set(xlabel="UAR", xlim=(0, 1.02), ylim=(len(shown) - 0.5, -0.5))
