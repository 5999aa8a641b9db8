"""`sklearn-ser grid-search`: the best parameters, found without a look at the test set."""

from typing import Annotated

import typer

from sklearn_ser.cli import _options as shared
from sklearn_ser.cli._app import JsonOption, command, say
from sklearn_ser.cli._fit import finish


@command(name="grid-search")
def grid_search(
    clf: shared.ClfOption = "svm",
    data: shared.DataOption = None,
    emotions: shared.EmotionsOption = None,
    map: shared.MapOption = None,
    features: shared.FeaturesOption = None,
    param: Annotated[
        list[str] | None,
        typer.Option(
            help="What to try, such as clf__C=1,10,100 or audio__sr=16000,22050. May be "
            "repeated. Without it: the grid of the classifier's recipe.",
            metavar="STEP__NAME=VALUE,VALUE",
        ),
    ] = None,
    split: Annotated[
        str,
        typer.Option(
            "--cv",
            "--split",
            help="What the folds of the search, and training and test set, must not share: "
            "random (nothing is kept apart), speaker, or text.",
        ),
    ] = "random",
    folds: Annotated[int, typer.Option(help="Folds of the search.", min=2)] = 5,
    strategy: Annotated[
        str,
        typer.Option(
            help="grid: every candidate on every clip. halving: all on a few clips, and the best "
            "third on three times as many, until one is left. random: some, drawn at random."
        ),
    ] = "grid",
    candidates: Annotated[
        int, typer.Option(help="How many candidates --strategy random draws.", min=1)
    ] = 10,
    nested: Annotated[
        bool,
        typer.Option(
            "--nested",
            help="Test every clip in as many outer folds, with a search of its own in each.",
        ),
    ] = False,
    test_size: shared.TestSizeOption = 0.2,
    validation_size: shared.ValidationSizeOption = 0.1,
    seed: shared.SeedOption = 0,
    out: shared.OutOption = None,
    n_jobs: shared.JobsOption = -1,
    on_error: shared.OnErrorOption = "stop",
    refit: shared.RefitOption = False,
    augment: shared.AugmentOption = None,
    noise: shared.NoiseOption = None,
    adapt: shared.AdaptOption = "none",
    cache: shared.CacheOption = None,
    no_cache: shared.NoCacheOption = False,
    scheduler: shared.SchedulerOption = None,
    json: JsonOption = False,
    report_audio: shared.ReportAudioOption = None,
    open_page: shared.OpenOption = False,
) -> None:
    """Search for the best parameters, fit with them, and save the result as a run.

    The search sees the training set only, in folds of the same kind as the split; the scores are
    those of the test set, which it never saw. The features are extracted once for each of their
    settings. With --augment each fold fits on changed copies of its own clips as well. Ctrl-C keeps
    the candidates that are finished, and the same command goes on from there.
    """
    given = locals()
    grid = shared.parse_grid(param)
    from sklearn_ser.cli._show import progress_bars
    from sklearn_ser.runs import SearchOptions, search_run
    from sklearn_ser.runs.cluster import work_on

    options = shared.run_options(given, folds=None)
    how = SearchOptions(grid or None, folds, strategy, candidates, nested)
    with work_on(scheduler), progress_bars() as progress:
        metrics = search_run(options, how, progress)
    if not json:
        _print_search(metrics["search"])
    finish(metrics, json, open_page=open_page)


def _print_search(found: dict) -> None:
    best = ", ".join(f"{name}={value}" for name, value in found["best_params"].items())
    where = "all clips" if "nested" in found else "the training set"
    say(
        f"Best of {found['n_candidates']} candidates: {best} (UAR {found['best_uar']:.4f} over "
        f"{found['folds_by']} folds of {where})"
    )
    if "nested" in found:
        best_of_folds = [tuple(fold["best_params"].items()) for fold in found["nested"]]
        say(
            f"The scores below are of {len(best_of_folds)} searches, one in each outer fold's "
            f"training set; {best_of_folds.count(tuple(found['best_params'].items()))} of them "
            "found the same."
        )
