"""The first screen of a report: the score, what it stands between, and what the audit found."""

from collections.abc import Mapping
from typing import Any

from sklearn_ser.metrics import chance_level
from sklearn_ser.report.verdict import describe_guessing, name_split

__all__ = ["chips_of", "describe_voices", "first_screen", "strip_of"]

Chip = tuple[str, str]  # good, warn or plain, and its words


def first_screen(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the first screen of a run shows.

    Parameters
    ----------
    metrics : mapping
        As in metrics.json.

    Returns
    -------
    content : dict
        chips, strip, guessing (a sentence, or None), voices (a sentence, or None) and n_emotions.
    """
    return {
        "chips": chips_of(metrics),
        "strip": strip_of(
            metrics["uar"],
            metrics.get("uar_interval"),
            chance_level(metrics),
            (metrics.get("train") or {}).get("uar"),
        ),
        "guessing": describe_guessing(metrics),
        "voices": describe_voices(metrics.get("audit")),
        "n_emotions": len(metrics["per_emotion"]),
    }


def strip_of(
    score: float,
    interval: list[float] | None,
    chance: float,
    other: float | None = None,
    other_name: str = "training",
) -> dict[str, Any]:
    """Return what a strip from 0 to 1 shows, and which way its words go so that none is cut.

    Examples
    --------
    >>> from sklearn_ser.report.first_screen import strip_of
    >>> strip_of(0.8, [0.7, 0.9], 0.25, 1.0)["alt"]
    'UAR 0.800, 95% interval 0.700 to 0.900; guessing gets 0.250; training 1.000.'
    """
    alt = f"UAR {score:.3f}"
    if interval:
        alt += f", 95% interval {interval[0]:.3f} to {interval[1]:.3f}"
    alt += f"; guessing gets {chance:.3f}"
    if other is not None:
        alt += f"; {other_name} {other:.3f}"
    return {
        "score": score,
        "interval": interval,
        "chance": chance,
        "training": other,
        "training_label": other_name,
        # On a phone two labels side by side take over half of the line.
        "training_below": other is not None and abs(other - chance) < 0.65,
        "score_anchor": _anchor(score, 0.3),
        "chance_anchor": _anchor(chance, 0.25),
        "training_anchor": "start" if other is None else _anchor(other, 0.25),
        "alt": f"{alt}.",
    }


def _anchor(place: float, margin: float) -> str:
    if place < margin:
        return "start"
    return "end" if place > 1 - margin else "middle"


def chips_of(metrics: Mapping[str, Any]) -> list[Chip]:
    """Return in a few words each what the audit found, and how was tested.

    Examples
    --------
    >>> from sklearn_ser.report.first_screen import chips_of
    >>> chips_of({"split": "speaker", "audit": {"speaker": {"n": 9, "n_test": 3, "n_shared": 0}}})
    [('good', 'unseen speakers'), ('plain', 'speaker split')]
    """
    chips = [*_chips_of_audit(metrics.get("audit") or {})]
    if metrics.get("n_seen"):
        chips.append(("warn", f"{metrics['n_seen']} clips seen in training"))
    split = name_split(metrics["split"])
    if folds := metrics.get("folds"):
        split += f", {len(folds)} folds"
    if split not in ("none", "seen in training"):
        chips.append(("plain", split))
    if metrics.get("transductive"):
        chips.append(("warn", "transductive: test speakers' own clips scale their features"))
    if interval := metrics.get("interval"):
        chips.append(("plain", interval["about"]))
    if skipped := metrics.get("skipped"):
        chips.append(("warn", f"{len(skipped)} clips could not be read"))
    return chips


def _chips_of_audit(audit: Mapping[str, Any]) -> list[Chip]:
    chips: list[Chip] = []
    for column in ("speaker", "text"):
        if column not in audit:
            continue
        found = audit[column]
        if found is None:
            chips.append(("warn" if column == "speaker" else "plain", f"{column}s not named"))
        elif not found["n_shared"]:
            chips.append(("good", f"unseen {column}s"))
        elif column == "speaker":
            known = f"{found['n_shared']} of {found['n_test']} speakers known from training"
            chips.append(("warn", known))
        else:
            chips.append(("warn", f"same {found['n_shared']} texts on both sides"))
    if audio := audit.get("audio"):
        if audio["n_test"]:
            chips.append(("warn", f"{audio['n_test']} test clips are copies of training clips"))
        else:
            chips.append(("good", "no test clip in training"))
    return chips


def describe_voices(audit: Mapping[str, Any] | None) -> str | None:
    """Say that voices of the test set were known, where they were or may have been.

    Examples
    --------
    >>> from sklearn_ser.report.first_screen import describe_voices
    >>> describe_voices({"speaker": {"n_shared": 2, "n_test": 2}})[:24]
    'The voices were known: 2'
    """
    if not audit or "speaker" not in audit:
        return None
    found = audit["speaker"]
    less = "Expect a lower score from speakers the model has never heard"
    if found is None:
        return f"The voices may have been known: the corpus does not name its speakers. {less}."
    if not found["n_shared"]:
        return None
    return (
        f"The voices were known: {found['n_shared']} of the {found['n_test']} speakers of the test "
        f"set are in the training set too. {less}; a split by speaker measures it."
    )
