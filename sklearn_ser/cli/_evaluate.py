"""`sklearn-ser evaluate`: a saved pipeline against a corpus."""

from pathlib import Path
from typing import Annotated

import typer

from sklearn_ser.cli import _options as shared
from sklearn_ser.cli._app import JsonOption, command, notice, print_json, say
from sklearn_ser.cli._ending import print_path, print_verdict
from sklearn_ser.exceptions import OptionError


@command(name="evaluate")
def evaluate(
    model: shared.ModelArgument,
    data: Annotated[
        str,
        typer.Option(help="A corpus, a folder, a CSV, or several joined by commas."),
    ],
    emotions: shared.EmotionsOption = None,
    map: shared.MapOption = None,
    trust: shared.TrustOption = False,
    n_jobs: shared.JobsOption = -1,
    on_error: shared.OnErrorOption = "stop",
    cache: shared.CacheOption = None,
    no_cache: shared.NoCacheOption = False,
    stress: shared.StressOption = False,
    noise: shared.NoiseOption = None,
    adapt: Annotated[
        str | None,
        typer.Option(
            help="Z-score the features of each speaker, corpus or recording by its own clips, or "
            "none. Without it: as in training.",
            metavar="GROUP",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="A new folder for the scores, the predictions and a report. Without it nothing is "
            "written.",
            show_default=False,
        ),
    ] = None,
    report_audio: shared.ReportAudioOption = None,
    open_page: shared.OpenOption = False,
    json: JsonOption = False,
) -> None:
    """Score a saved pipeline on a corpus.

    Nothing is fitted. Clips that the pipeline was fitted on are counted, since their scores are too
    high. Labels are compared in the common vocabulary; emotions that
    only the model or only the corpus has are left out and named. Labels that --map gave another
    emotion in training have it here too, if --map says nothing else.
    """
    from sklearn_ser.cli._show import print_groups, print_scores, print_stress, progress_bars
    from sklearn_ser.metrics import chance_level
    from sklearn_ser.report.verdict import describe_guessing, describe_relation
    from sklearn_ser.runs import RunOptions, evaluate_run

    if open_page and out is None:
        raise OptionError("--open shows a report, which --out DIR writes: add it.")
    options = RunOptions(
        data,
        emotions=emotions,
        map=map,
        n_jobs=n_jobs,
        on_error=on_error,
        cache=shared.choose_cache(cache, no_cache),
        stress=stress,
        noise=noise,
        out=out,
        report_audio=report_audio,
    )
    with progress_bars() as progress:
        metrics, notes = evaluate_run(
            model, options, adapt=adapt, trust=trust, on_progress=progress
        )
    for note in notes:
        notice(f"Note: {note}")
    if json:
        print_json(metrics)
        return
    print_scores(metrics)
    print_groups(metrics)
    if metrics["stress"]:
        print_stress(metrics["stress"], metrics)
    say(f"{metrics['seconds']:.1f} s.")
    scores = (
        f"{metrics['accuracy']:.1%} of {metrics['n_test']} clips of {data} are recognised, UAR "
        f"{metrics['uar']:.3f} where guessing gets {chance_level(metrics):.3f}, "
        f"{describe_relation(metrics)}."
    )
    print_verdict(" ".join(filter(None, [describe_guessing(metrics), scores])))
    if out is not None:
        print_path("Report", out / "report.html", open_page=open_page)
