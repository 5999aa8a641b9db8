"""`sklearn-ser compare`: every classifier under every split, in one table."""

from pathlib import Path
from typing import Annotated, Any

import typer

from sklearn_ser._files import printable
from sklearn_ser.cli import _options as shared
from sklearn_ser.cli._app import JsonOption, command, notice, print_json, say, terminal
from sklearn_ser.cli._ending import print_audit, print_path, print_verdict


@command(name="compare")
def compare(
    context: typer.Context,
    clf: Annotated[
        str,
        typer.Option(
            help="Classifiers joined by commas, out of svm, mlp, rf, logreg, ann, cnn, lstm and "
            "cnn-lstm.",
            metavar="LIST",
        ),
    ] = "svm,mlp,rf,logreg",
    data: shared.DataOption = None,
    emotions: shared.EmotionsOption = None,
    map: shared.MapOption = None,
    split: Annotated[
        str,
        typer.Option(
            help="Splits joined by commas, out of random, speaker, text, speaker+text and corpus.",
            metavar="LIST",
        ),
    ] = "random,speaker",
    folds: shared.FoldsOption = None,
    folds_from: shared.FoldsFromOption = None,
    features: shared.FeaturesOption = None,
    test_size: shared.TestSizeOption = 0.2,
    validation_size: shared.ValidationSizeOption = 0.1,
    seed: shared.SeedOption = 0,
    out: shared.OutOption = None,
    n_jobs: shared.JobsOption = -1,
    on_error: shared.OnErrorOption = "stop",
    augment: shared.AugmentOption = None,
    noise: shared.NoiseOption = None,
    adapt: shared.AdaptOption = "none",
    cache: shared.CacheOption = None,
    no_cache: shared.NoCacheOption = False,
    scheduler: shared.SchedulerOption = None,
    report_audio: shared.ReportAudioOption = None,
    open_page: shared.OpenOption = False,
    json: JsonOption = False,
) -> None:
    """Compare classifiers under splits, on the same training and test clips.

    Each score comes with its 95 % interval, and each pair of classifiers with a paired test, so
    that a difference within noise is called noise. Unseen speakers come first: that is the score to
    expect from new speakers. Each classifier gets the features of its recipe, or those of
    --features.
    """
    shared.refuse_splits_beside_folds(context)
    given = locals()
    from sklearn_ser.cli._show import progress_bars
    from sklearn_ser.runs import compare_run
    from sklearn_ser.runs.cluster import work_on

    # Classifiers and splits are lists here.
    options = shared.run_options(given, clf="svm", split="random", folds=shared.parse_folds(folds))
    with work_on(scheduler), progress_bars() as progress:
        comparison = compare_run(options, _names(clf), _names(split), progress)
    if json:
        print_json(comparison)
        return
    if comparison["skipped"]:
        notice(f"{len(comparison['skipped'])} clips could not be read and are left out.")
    _print(comparison, open_page)


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _print(comparison: dict[str, Any], open_page: bool) -> None:
    from sklearn_ser.model_selection import TRANSDUCTIVE
    from sklearn_ser.report.verdict import describe_audit, name_split, order_splits

    rows = [row for row in comparison["rows"] if row.get("test") is None]
    splits = order_splits([row["split"] for row in rows])
    terminal().print(_tabulate(rows, splits))
    say(
        f"Behind each score is its 95 % interval. Guessing among {len(comparison['emotions'])} "
        f"emotions gets a UAR of {rows[0]['chance']['uar']:.3f}."
    )
    if any(row["transductive"] for row in rows):
        say(f"* {TRANSDUCTIVE}")
    used = {row["clf"]: ",".join(row["features"]) for row in rows}
    if len(set(used.values())) > 1:
        listed = "; ".join(f"{clf} {features}" for clf, features in used.items())
        say(f"The classifiers use different features: {listed}.")
    for split in splits:
        row = next(row for row in rows if row["split"] == split)
        folds = f"{row['n_folds']} folds, " if row["n_folds"] else ""
        say(
            f"\n{name_split(split)}: {folds}{row['n_train']} clips in the training set, "
            f"{row['n_test']} in the test set; {row['interval']['about']}."
        )
        tests = comparison["tests"][split]
        sentences = [pair["sentence"] for pair in tests]
        if tests and tests[0]["resampled"] == "clips":
            sentences.append("This holds for these speakers; for others the tests say nothing.")
        for sentence in sentences:
            say(f"  {sentence}")
        print_audit(describe_audit(comparison["audit"][split]))
    if "matrix" in comparison:
        _print_corpora(comparison)
    say("")
    print_verdict(comparison["headline"])
    print_path("Report", Path(comparison["run"]) / "report.html", open_page=open_page)


def _print_corpora(comparison: dict[str, Any]) -> None:
    """Print for each classifier how each corpus is recognised by each other, and by all others."""
    from sklearn_ser.cli._show import numbers_table

    left_out = {
        (row["clf"], row["test"]): row["uar"] for row in comparison["rows"] if row.get("test")
    }
    crossed = {(row["clf"], row["train"], row["test"]): row["uar"] for row in comparison["matrix"]}
    corpora = list(dict.fromkeys(row["train"] for row in comparison["matrix"]))
    means = {
        row["clf"]: row["uar_mean_over_corpora"]
        for row in comparison["rows"]
        if "uar_mean_over_corpora" in row
    }
    for clf, mean in means.items():
        table = numbers_table(f"{clf} fitted on", [printable(name) for name in corpora])
        for name in corpora:
            uars = [crossed.get((clf, name, other)) for other in corpora]
            table.add_row(printable(name), *("-" if u is None else f"{u:.3f}" for u in uars))
        table.add_row("all others", *(f"{left_out[clf, other]:.3f}" for other in corpora))
        say(f"\n{clf}: UAR on each corpus, fitted on one other or on all (mean {mean:.3f}).")
        terminal().print(table)


def _tabulate(rows: list[dict[str, Any]], splits: list[str]) -> Any:
    """Return a table of the scores, without the times where the terminal is too narrow."""
    from sklearn_ser.cli._show import numbers_table

    scores = {"accuracy": "accuracy", "UAR": "uar", "macro F1": "macro_f1"}
    times = {"fit": "fit_seconds", "predict": "predict_seconds"}
    table = numbers_table("", ["split", *scores, *times], box=None, padding=(0, 1, 0, 0))
    for column in table.columns[1:5]:
        column.justify = "left"
    for clf in dict.fromkeys(row["clf"] for row in rows):
        ordered = sorted(
            (row for row in rows if row["clf"] == clf), key=lambda row: splits.index(row["split"])
        )
        for i, row in enumerate(ordered):
            table.add_row(
                "" if i else printable(clf),
                row["split"] + "*" * row["transductive"],
                *(_with_interval(row, key) for key in scores.values()),
                *(f"{row[key]:.2f} s" for key in times.values()),
            )
    console = terminal()
    while (
        len(table.columns) > 5
        and table.__rich_measure__(console, console.options.update(max_width=1000)).minimum
        > console.width
    ):
        del table.columns[-1]
    return table


def _with_interval(row: dict[str, Any], name: str) -> str:
    """Return a score with its interval on a line of its own."""
    low, high = (f"{bound:.3f}".removeprefix("0") for bound in row[f"{name}_interval"])
    return f"{row[name]:.3f}\n{low}–{high}"
