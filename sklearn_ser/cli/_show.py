"""What commands show a person: progress on standard error, tables on standard output."""

import sys
from collections.abc import Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING, Any

from sklearn_ser._files import printable
from sklearn_ser.cli._app import say, terminal

if TYPE_CHECKING:
    from sklearn_ser.metrics.schema import Stress

STAGES = {
    "features": "extracting features",
    "copies": "changed copies",
    "fit": "fitting",
    "folds": "folds",
    "compare": "comparing",
    "epochs": "training",
    "candidates": "searching",
    "predict": "predicting",
    "stress": "degrading",
}


@contextmanager
def progress_bars(*, visible: bool = True):
    """Give a function that shows progress with the time left, on standard error.

    Parameters
    ----------
    visible : bool, default=True
        Whether to show anything at all.

    Yields
    ------
    show : callable
        Called with the stage, the steps done, their total, and a detail.
    """
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.table import Column

    bars = Progress(
        TextColumn(
            "{task.description}", markup=False, table_column=Column(no_wrap=True, min_width=19)
        ),
        BarColumn(bar_width=12),
        MofNCompleteColumn(table_column=Column(no_wrap=True)),
        TimeRemainingColumn(elapsed_when_finished=True),
        TextColumn("{task.fields[detail]}", markup=False, table_column=Column(overflow="fold")),
        console=terminal(err=True),
        disable=not visible,
    )
    tasks: dict[str, Any] = {}

    def show(stage: str, done: int, total: int, detail: str = "") -> None:
        if stage not in tasks:
            bars.start()
            tasks[stage] = bars.add_task(STAGES.get(stage, stage), total=total, detail="")
        bars.update(tasks[stage], completed=done, total=total, detail=detail)

    try:
        # Whatever a classifier prints while it is fitted is progress, not the command's result.
        with redirect_stdout(sys.stderr):
            yield show
    finally:
        if tasks:  # bars that never started would leave an empty line
            bars.stop()


def print_scores(metrics: Mapping[str, Any]) -> None:
    """Print the table per emotion, then each score with its interval and chance level."""
    table = numbers_table("emotion", ["precision", "recall", "F1", "clips"])
    for emotion, row in metrics["per_emotion"].items():
        figures = (f"{row[key]:.3f}" for key in ("precision", "recall", "f1"))
        table.add_row(printable(emotion), *figures, str(row["support"]))
    console = terminal()
    console.print(table)
    for name, key in (("accuracy", "accuracy"), ("UAR", "uar"), ("macro F1", "macro_f1")):
        low, high = metrics[f"{key}_interval"]
        line = f"{name:8} {metrics[key]:.4f} [{low:.3f}, {high:.3f}]"
        if key in metrics["chance"]:
            line += f", chance {metrics['chance'][key]:.3f}"
        console.print(line, style="bold", soft_wrap=True)
    say(f"In brackets: {metrics['interval']['about']}.")


def numbers_table(first: str, others: Sequence[str], **settings: Any) -> Any:
    """Return a table whose first column may be broken into lines, and whose numbers may not."""
    from rich.table import Table

    table = Table(header_style="bold", **settings)
    table.add_column(first, overflow="fold")
    for name in others:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def print_groups(metrics: Mapping[str, Any]) -> None:
    """Print the range of the UAR over speakers, and over the sexes."""
    for column, plural in (("speaker", "speakers"), ("sex", "sexes")):
        scores = metrics[f"by_{column}"]
        if scores and len(scores["groups"]) > 1:
            worst, best = scores["groups"][0], scores["groups"][-1]
            say(
                f"{len(scores['groups'])} {plural}: UAR from {worst['uar']:.3f} ({worst['name']}, "
                f"{worst['n_clips']} clips) to {best['uar']:.3f} ({best['name']}, "
                f"{best['n_clips']} clips), standard deviation {scores['sd']:.3f}."
            )


def print_stress(stress: "Stress", metrics: Mapping[str, Any]) -> None:
    """Print the scores of degraded clips, and the most frequent prediction among them."""
    from sklearn_ser.metrics import constant_prediction
    from sklearn_ser.report.verdict import describe_guessing, describe_stress

    constant = constant_prediction(metrics["confusion_matrix"])
    unchanged = all(row["changed"] < 0.01 for row in stress["conditions"])
    if constant and unchanged and describe_guessing(metrics):
        say(
            f"{stress['n_clips']} degraded clips: it predicts {constant[0]} for them too, which is "
            "no sign of robustness."
        )
        return
    console = terminal()
    n_scores = 1 + (console.width >= 76) + (console.width >= 90)
    scores = ["UAR", "interval", "accuracy"][:n_scores]
    table = numbers_table("recording", ["strength", *scores, "most predicted"])
    before = None
    for row in stress["conditions"]:
        name = "" if row["degradation"] == before else row["degradation"]
        before = row["degradation"]
        strength = "" if row["strength"] is None else f"{row['strength']:g} {row['unit']}"
        low, high = row["uar_interval"]
        figures = [f"{row['uar']:.3f}", f"{low:.3f} to {high:.3f}", f"{row['accuracy']:.3f}"]
        most = f"{printable(row['most_predicted'])} {row['most_predicted_share']:.0%}"
        table.add_row(name, strength, *figures[:n_scores], most)
    console.print(table)
    for sentence in describe_stress(stress):
        say(sentence)
