"""`sklearn-ser features`: a corpus as a table of features."""

from pathlib import Path
from typing import Annotated

import typer

from sklearn_ser.cli import _options as shared
from sklearn_ser.cli._app import JsonOption, command, notice, print_json, say
from sklearn_ser.cli._ending import print_path


@command(name="features")
def features(
    data: Annotated[
        str,
        typer.Argument(
            help="A corpus, a folder, a CSV with the columns path and emotion, or several joined "
            "by commas.",
            metavar="DATA",
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="The table to write: a .parquet or a .csv file.")
    ],
    emotions: shared.EmotionsOption = None,
    map: shared.MapOption = None,
    features: Annotated[
        str | None,
        typer.Option(
            help=f"{shared.FEATURES_HELP} Without it: mfcc, chroma, mel and contrast.",
            metavar="LIST",
            show_default=False,
        ),
    ] = None,
    param: shared.ParamOption = None,
    n_jobs: shared.JobsOption = -1,
    on_error: shared.OnErrorOption = "stop",
    cache: shared.CacheOption = None,
    no_cache: shared.NoCacheOption = False,
    scheduler: shared.SchedulerOption = None,
    json: JsonOption = False,
) -> None:
    """Write a table with a row per clip: path, emotion, speaker and each feature.

    A run that was stopped goes on where it was when it is started again.
    """
    params = shared.parse_params(param)
    from sklearn_ser._files import check_writable

    check_writable(out.expanduser())
    from sklearn_ser.cli._show import progress_bars
    from sklearn_ser.corpora import load_data
    from sklearn_ser.pipelines import make_pipeline
    from sklearn_ser.runs.cluster import work_on
    from sklearn_ser.runs.feature_table import write_feature_table

    pipeline = make_pipeline("passthrough", features, n_jobs=n_jobs, **params)
    pipeline.named_steps["features"].set_params(cache_dir=shared.choose_cache(cache, no_cache))
    with work_on(scheduler), progress_bars() as progress:
        summary = write_feature_table(
            pipeline,
            load_data(data, emotions=emotions, map=map, on_error=on_error),
            out,
            on_error=on_error,
            on_batch=lambda done, total: progress("features", done, total),
        )
    if json:
        print_json(summary)
        return
    for message in summary["skipped"]:
        notice(message)
    say(f"{summary['n_clips']} clips, {summary['n_features']} features.")
    print_path("Table", summary["file"])
