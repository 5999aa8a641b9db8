"""The scores and the confusion matrix of a run as HTML for a notebook."""

from collections.abc import Mapping
from html import escape
from typing import Any

from sklearn_ser.metrics import chance_level
from sklearn_ser.report.style import PALETTE
from sklearn_ser.report.verdict import describe_audit, verdict

__all__ = ["show_run"]


def show_run(metrics: Mapping[str, Any], card: Mapping[str, Any], name: str) -> str:
    """Return a run as HTML: its UAR and what it means, the audit, and the confusion matrix.

    A notebook keeps no style sheet of ours, so every element brings its style. Backgrounds are
    half transparent: they fit the notebook's own, light or dark.

    Parameters
    ----------
    metrics, card : mapping
        What is in metrics.json and card.json.
    name : str
        Of the run.
    """
    low, high = metrics["uar_interval"]
    marks = "".join(
        f"<div>{'✓' if good else '!'} {escape(sentence)}</div>"
        for good, sentence in describe_audit(metrics.get("audit"))
    )
    data = card.get("data", {}).get("name", "unknown data")
    return (
        '<div style="font-family:system-ui,sans-serif;max-width:60em">'
        f"<div>{escape(str(card.get('recipe', '')))} on {escape(str(data))}, "
        f"{escape(metrics['split'])} split</div>"
        f'<div><span style="font-size:2.6em;font-weight:600">{metrics["uar"]:.3f}</span> UAR, '
        f"95% interval {low:.3f} to {high:.3f}, guessing gets {chance_level(metrics):.3f}</div>"
        f'<p style="margin:.4em 0">{escape(verdict(metrics))}</p>'
        f'<div style="font-size:.9em">{marks}</div>{_matrix(metrics["confusion_matrix"])}'
        f'<div style="font-size:.85em;opacity:.75">{escape(name)}</div></div>'
    )


def _matrix(confusion: Mapping[str, Any]) -> str:
    labels, counts = confusion["labels"], confusion["counts"]
    head = "".join(f'<th scope="col">{escape(str(label))}</th>' for label in labels)
    rows = ""
    for i, (label, row) in enumerate(zip(labels, counts, strict=True)):
        total = sum(row) or 1
        cells = "".join(
            f'<td style="text-align:right;background:{_shade(n / total, right=i == j)}">{n}</td>'
            for j, n in enumerate(row)
        )
        rows += f'<tr><th scope="row" style="text-align:left">{escape(str(label))}</th>{cells}</tr>'
    return (
        '<table style="margin:.5em 0"><caption style="text-align:left;caption-side:top">'
        "Clips: truth in rows, prediction in columns</caption>"
        f"<thead><tr><td></td>{head}</tr></thead><tbody>{rows}</tbody></table>"
    )


def _shade(share: float, *, right: bool) -> str:
    """Return a colour as strong as a share, for right or for wrong predictions."""
    color = PALETTE["first" if right else "second"]
    return f"{color}{round(255 * 0.55 * share):02x}"
