"""`sklearn-ser compare`: every classifier under every split, in one table."""

from typing import Annotated, Any

import typer

from sklearn_ser.cli._app import JsonOption, command, notice, print_json, say, terminal
from sklearn_ser.cli._options import (
    CacheOption,
    DataOption,
    FeaturesOption,
    FoldsOption,
    JobsOption,
    NoCacheOption,
    NormalizeSpeakersOption,
    OnErrorOption,
    OutOption,
    SchedulerOption,
    SeedOption,
    TestSizeOption,
    ValidationSizeOption,
    choose_cache,
    choose_data,
    parse_folds,
)


@command(name="compare")
def compare(
    clf: Annotated[
        str,
        typer.Option(
            help="Classifiers joined by commas, out of svm, mlp, rf, logreg, ann, cnn, lstm and "
            "cnn-lstm.",
            metavar="LIST",
        ),
    ] = "svm,mlp,rf,logreg",
    data: DataOption = None,
    split: Annotated[
        str,
        typer.Option(
            help="Splits joined by commas, out of random, speaker, text and speaker+text.",
            metavar="LIST",
        ),
    ] = "random,speaker",
    folds: FoldsOption = None,
    features: FeaturesOption = None,
    test_size: TestSizeOption = 0.2,
    validation_size: ValidationSizeOption = 0.1,
    seed: SeedOption = 0,
    out: OutOption = None,
    n_jobs: JobsOption = -1,
    on_error: OnErrorOption = "stop",
    normalize_speakers: NormalizeSpeakersOption = False,
    cache: CacheOption = None,
    no_cache: NoCacheOption = False,
    scheduler: SchedulerOption = None,
    json: JsonOption = False,
) -> None:
    """Compare classifiers under splits, on the same training and test clips.

    Each score comes with its 95 % interval, and each pair of classifiers with a paired test, so
    that a difference within noise is called one. Random split and unseen speakers stand side by
    side: what is lost between them was never learned. Each classifier gets the features of its
    recipe unless --features says otherwise.
    """
    chosen, told = choose_data(data)
    if told:
        notice(told)
    from sklearn_ser.cli._show import progress_bars
    from sklearn_ser.runs import RunOptions, compare_run
    from sklearn_ser.runs.cluster import work_on

    options = RunOptions(
        data=chosen,
        features=features,
        test_size=test_size,
        validation_size=validation_size,
        seed=seed,
        out=out,
        n_jobs=n_jobs,
        on_error=on_error,
        normalize_speakers=normalize_speakers,
        cache=choose_cache(cache, no_cache),
        folds=parse_folds(folds),
    )
    with work_on(scheduler), progress_bars() as progress:
        comparison = compare_run(options, _names(clf), _names(split), progress)
    if json:
        print_json(comparison)
        return
    if comparison["skipped"]:
        notice(f"{len(comparison['skipped'])} clips could not be read and are left out.")
    _print(comparison)


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _print(comparison: dict[str, Any]) -> None:
    console = terminal()
    if comparison["headline"]:
        console.print(f"{comparison['headline']}\n", style="bold", soft_wrap=True)
    console.print(_tabulate(comparison["rows"]))
    n_emotions = len(comparison["emotions"])
    say(
        f"Behind each score is its 95 % interval. Guessing among {n_emotions} emotions gets a UAR "
        f"of {1 / n_emotions:.3f}."
    )
    if any(row["transductive"] for row in comparison["rows"]):
        from sklearn_ser.model_selection import TRANSDUCTIVE

        say(f"* {TRANSDUCTIVE}")
    used = {row["clf"]: ",".join(row["features"]) for row in comparison["rows"]}
    if len(set(used.values())) > 1:
        told = "; ".join(f"{clf} {features}" for clf, features in used.items())
        say(f"The classifiers use different features: {told}.")
    for split, tests in comparison["tests"].items():
        row = next(row for row in comparison["rows"] if row["split"] == split)
        folds = f"{row['n_folds']} folds, " if row["n_folds"] else ""
        say(
            f"\n{split} split: {folds}{row['n_train']} clips to train on, {row['n_test']} for the "
            f"test; {row['interval']['about']}."
        )
        sentences = [pair["sentence"] for pair in tests]
        if tests and tests[0]["resampled"] == "clips":
            sentences.append("That is so on these speakers; of others these tests tell nothing.")
        for sentence in sentences + comparison["audit"][split]["sentences"]:
            say(f"  {sentence}")
    say(f"\nTable, figure and predictions: {comparison['run']}")


def _tabulate(rows: list[dict[str, Any]]):
    """Return a table narrow enough for most terminals, a classifier's rows together."""
    from rich.table import Table

    table = Table("", "split", header_style="bold", box=None, padding=(0, 1, 0, 0))
    for name in ("accuracy", "UAR", "macro F1"):
        table.add_column(name)
    for name in ("fit", "predict"):
        table.add_column(name, justify="right", no_wrap=True)
    for clf in dict.fromkeys(row["clf"] for row in rows):
        for i, row in enumerate(row for row in rows if row["clf"] == clf):
            table.add_row(
                "" if i else clf,
                row["split"] + ("*" if row["transductive"] else ""),
                *(_with_interval(row, name) for name in ("accuracy", "uar", "macro_f1")),
                f"{row['fit_seconds']:.1f} s",
                f"{row['predict_seconds']:.2f} s",
            )
    return table


def _with_interval(row: dict[str, Any], name: str) -> Any:
    from rich.text import Text

    low, high = (f"{bound:.3f}".removeprefix("0") for bound in row[f"{name}_interval"])
    return Text.assemble(f"{row[name]:.3f} ", (f"{low}–{high}", "dim"))
