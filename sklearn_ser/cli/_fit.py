"""`sklearn-ser fit`: a corpus in, a fitted pipeline with honest scores out."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from sklearn_ser.cli import _options as shared
from sklearn_ser.cli._app import JsonOption, command, notice, print_json, say


@command(name="fit")
def fit(
    context: typer.Context,
    clf: shared.ClfOption = "svm",
    data: shared.DataOption = None,
    emotions: shared.EmotionsOption = None,
    map: shared.MapOption = None,
    features: shared.FeaturesOption = None,
    split: Annotated[
        str,
        typer.Option(
            help="What training and test set must not share: random (nothing is kept apart), "
            "speaker, text, speaker+text, or corpus."
        ),
    ] = "random",
    folds: shared.FoldsOption = None,
    folds_from: shared.FoldsFromOption = None,
    test_size: shared.TestSizeOption = 0.2,
    validation_size: shared.ValidationSizeOption = 0.1,
    param: shared.ParamOption = None,
    seed: shared.SeedOption = 0,
    out: shared.OutOption = None,
    n_jobs: shared.JobsOption = -1,
    on_error: shared.OnErrorOption = "stop",
    refit: shared.RefitOption = False,
    calibrate: shared.CalibrateOption = False,
    augment: shared.AugmentOption = None,
    noise: shared.NoiseOption = None,
    stress: shared.StressOption = False,
    adapt: shared.AdaptOption = "none",
    cache: shared.CacheOption = None,
    no_cache: shared.NoCacheOption = False,
    scheduler: shared.SchedulerOption = None,
    resume: Annotated[
        Path | None,
        typer.Option(
            help="Go on with the fit of this run that was broken off while a network trained. It "
            "remembers its options.",
            metavar="RUN",
            show_default=False,
        ),
    ] = None,
    json: JsonOption = False,
    report_audio: shared.ReportAudioOption = None,
    open_page: shared.OpenOption = False,
) -> None:
    """Fit a classifier, score it on clips it has not seen, and save it as a run.

    The run's folder holds the pipeline (for predict, evaluate and joblib.load), its card, every
    score and a report to open in a browser.

    With --folds every clip is tested once, by a pipeline that was fitted without its fold; the
    predictions of all folds are scored together, and the pipeline that is saved is fitted on every
    clip. Leave one speaker out: --split speaker --folds all.
    """
    given = locals()
    from sklearn_ser.cli._show import progress_bars

    if resume is not None:
        shared.refuse_options_beside(context, "resume", ("n_jobs", "scheduler", "json", "debug"))
        from sklearn_ser.runs import read_options

        options = replace(read_options(resume), n_jobs=n_jobs)
    else:
        shared.refuse_splits_beside_folds(context)
        params, n_folds = shared.parse_params(param), shared.parse_folds(folds)
        options = shared.run_options(given, params=params, folds=n_folds)
    from sklearn_ser.runs import fit_run
    from sklearn_ser.runs.cluster import work_on

    with work_on(scheduler), progress_bars() as progress:
        metrics = fit_run(options, progress, resume=resume is not None)
    finish(metrics, json, open_page=open_page)


def finish(metrics: Mapping[str, Any], json: bool, *, open_page: bool) -> None:
    """Print the result of a run: the verdict, the audit and the path of the report come last."""
    from sklearn_ser.cli._ending import print_audit, print_path, print_verdict
    from sklearn_ser.cli._show import print_scores, print_stress
    from sklearn_ser.report.verdict import describe_audit, describe_run, verdict

    if json:
        print_json(metrics)
        return
    if metrics["skipped"]:
        notice(f"{len(metrics['skipped'])} clips could not be read; the card lists them.")
    print_scores(metrics)
    if metrics.get("stress"):
        print_stress(metrics["stress"], metrics)
    for sentence in describe_run(metrics):
        say(sentence)
    print_verdict(verdict(metrics))
    print_audit(describe_audit(metrics["audit"]))
    print_path("Report", Path(metrics["run"]) / "report.html", open_page=open_page)
