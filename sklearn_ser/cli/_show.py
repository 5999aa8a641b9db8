"""What commands show a person: progress on standard error, tables on standard output."""

import sys
from contextlib import contextmanager, redirect_stdout
from typing import Any

from sklearn_ser._files import printable
from sklearn_ser.cli._app import say, terminal

STAGES = {
    "features": "extracting features",
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


def print_scores(metrics: dict[str, Any]) -> None:
    """Print the table per emotion, then accuracy and UAR with the split they belong to."""
    from rich.table import Table

    table = Table("emotion", header_style="bold")
    for name in ("precision", "recall", "F1", "clips"):
        table.add_column(name, justify="right")
    for emotion, row in metrics["per_emotion"].items():
        figures = (f"{row[key]:.3f}" for key in ("precision", "recall", "f1"))
        table.add_row(printable(emotion), *figures, str(row["support"]))
    console = terminal()
    console.print(table)
    figures = (
        f"{name} {metrics[key]:.4f}{_between(metrics, key)}"
        for name, key in (("accuracy", "accuracy"), ("UAR", "uar"), ("macro F1", "macro_f1"))
    )
    console.print("   ".join(figures), style="bold", soft_wrap=True)
    if "interval" in metrics:
        console.print(f"In brackets: {metrics['interval']['about']}.")


def _between(metrics: dict[str, Any], key: str) -> str:
    if f"{key}_interval" not in metrics:
        return ""
    low, high = metrics[f"{key}_interval"]
    return f" [{low:.3f}, {high:.3f}]"


def print_groups(metrics: dict[str, Any]) -> None:
    """Print between what the UAR of single speakers, and of the sexes, lies."""
    for column, plural in (("speaker", "speakers"), ("sex", "sexes")):
        scores = metrics[f"by_{column}"]
        if scores and len(scores["groups"]) > 1:
            worst, best = scores["groups"][0], scores["groups"][-1]
            say(
                f"{len(scores['groups'])} {plural}: UAR from {worst['uar']:.3f} ({worst['name']}, "
                f"{worst['n_clips']} clips) to {best['uar']:.3f} ({best['name']}, "
                f"{best['n_clips']} clips), standard deviation {scores['sd']:.3f}."
            )


def print_stress(stress: dict[str, Any]) -> None:
    """Print a table of what degraded clips do to the answers."""
    from rich.table import Table

    table = Table("recording", header_style="bold")
    for name in ("accuracy", "UAR", "changed answers"):
        table.add_column(name, justify="right")
    for row in stress["conditions"]:
        table.add_row(
            printable(row["name"]),
            f"{row['accuracy']:.3f}",
            f"{row['uar']:.3f}",
            f"{row['changed']:.1%}",
        )
    terminal().print(table)
    seen = "all seen" if stress["seen_in_training"] else "none of them seen"
    say(f"{stress['n_clips']} clips, {seen} in training.")
