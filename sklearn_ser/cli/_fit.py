"""`sklearn-ser fit`: a corpus in, a fitted pipeline with honest scores out."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from sklearn_ser.cli._app import JsonOption, command, notice, print_json, say
from sklearn_ser.cli._options import (
    AugmentOption,
    CacheOption,
    CalibrateOption,
    ClfOption,
    DataOption,
    EmotionsOption,
    FeaturesOption,
    FoldsOption,
    JobsOption,
    NoCacheOption,
    NormalizeSpeakersOption,
    OnErrorOption,
    OutOption,
    ParamOption,
    RefitOption,
    SchedulerOption,
    SeedOption,
    TestSizeOption,
    ValidationSizeOption,
    choose_cache,
    choose_data,
    parse_folds,
    parse_params,
    refuse_options_beside,
)


@command(name="fit")
def fit(
    context: typer.Context,
    clf: ClfOption = "svm",
    data: DataOption = None,
    emotions: EmotionsOption = None,
    features: FeaturesOption = None,
    split: Annotated[
        str,
        typer.Option(
            help="What training and test set must not share: random (nothing is kept apart), "
            "speaker, text, or speaker+text."
        ),
    ] = "random",
    folds: FoldsOption = None,
    test_size: TestSizeOption = 0.2,
    validation_size: ValidationSizeOption = 0.1,
    param: ParamOption = None,
    seed: SeedOption = 0,
    out: OutOption = None,
    n_jobs: JobsOption = -1,
    on_error: OnErrorOption = "stop",
    refit: RefitOption = False,
    calibrate: CalibrateOption = False,
    augment: AugmentOption = None,
    normalize_speakers: NormalizeSpeakersOption = False,
    cache: CacheOption = None,
    no_cache: NoCacheOption = False,
    scheduler: SchedulerOption = None,
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
) -> None:
    """Fit a classifier, score it on clips it has not seen, and save it as a run.

    The run's folder holds the pipeline (for predict, evaluate and joblib.load), its card, every
    score and a report to open in a browser.

    With --folds every clip is tested once, by a pipeline that was fitted without its fold; the
    predictions of all folds are scored together, and the pipeline that is saved is fitted on every
    clip. Leave one speaker out: --split speaker --folds all.
    """
    from sklearn_ser.cli._show import print_scores, progress_bars

    if resume is not None:
        refuse_options_beside(context, "resume", ("n_jobs", "scheduler", "json", "debug"))
        from sklearn_ser.runs import read_options

        options = replace(read_options(resume), n_jobs=n_jobs)
    else:
        params = parse_params(param)
        chosen = choose_data(data)
        from sklearn_ser.runs import RunOptions

        options = RunOptions(
            data=chosen,
            emotions=emotions,
            clf=clf,
            features=features,
            split=split,
            test_size=test_size,
            validation_size=validation_size,
            params=params,
            seed=seed,
            out=out,
            n_jobs=n_jobs,
            on_error=on_error,
            refit=refit,
            calibrate=calibrate,
            augment=augment,
            normalize_speakers=normalize_speakers,
            cache=choose_cache(cache, no_cache),
            folds=parse_folds(folds),
        )
    from sklearn_ser.runs import fit_run
    from sklearn_ser.runs.cluster import work_on

    with work_on(scheduler), progress_bars() as progress:
        metrics = fit_run(options, progress, resume=resume is not None)
    finish(metrics, json, print_scores)


def finish(metrics: Mapping[str, Any], json: bool, print_scores) -> None:
    """Print the result of a run."""
    from sklearn_ser.report.verdict import describe_run

    if json:
        print_json(metrics)
        return
    if metrics["skipped"]:
        notice(f"{len(metrics['skipped'])} clips could not be read; the card lists them.")
    print_scores(metrics)
    for sentence in describe_run(metrics):
        say(sentence)
