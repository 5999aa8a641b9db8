"""What `compare` does: every classifier under every split, on the same clips."""

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from sklearn.pipeline import Pipeline

from sklearn_ser.corpora import load_data
from sklearn_ser.exceptions import OptionError
from sklearn_ser.metrics import compare_pairs
from sklearn_ser.pipelines import drop_failures, extract_features
from sklearn_ser.report.comparison import SCORES, draw_comparison, headline
from sklearn_ser.runs.corpus import RunCorpus, feature_setting
from sklearn_ser.runs.fit import fit_parts, pipeline_of
from sklearn_ser.runs.folder import new_folder, writing
from sklearn_ser.runs.folds import Answers, audit_run, divide_run, fit_folds, score_answers
from sklearn_ser.runs.options import Progress, RunOptions, data_name, silent
from sklearn_ser.runs.scaling import check_speakers, tests_unseen_speakers

__all__ = ["compare_run"]


def compare_run(
    options: RunOptions,
    clfs: Sequence[str],
    splits: Sequence[str],
    on_progress: Progress | None = None,
) -> dict[str, Any]:
    """Fit and score every classifier under every split, and write the comparison's folder.

    The parts are the same for all classifiers, and the same as `fit` makes with the same seed.
    Features are extracted once per setting.

    Parameters
    ----------
    options : RunOptions
        All but clf and split, which count for every pair of them.
    clfs : sequence of str
        Names of recipes.
    splits : sequence of str
    on_progress : callable, default=None

    Returns
    -------
    comparison : dict
        What is in comparison.json: rows (a dict for each classifier and split), tests (by split,
        what `compare_pairs` returns), audit (by split), headline, and the run's folder.

    Raises
    ------
    SerError
        If options, data or audio are wrong; nothing is written then.
    """
    for kind, names in (("--clf", clfs), ("--split", splits)):
        if not names or len(set(names)) < len(names):
            raise OptionError(f"{kind} {','.join(names)}: name at least one, and each once.")
    progress = on_progress or silent
    each = [replace(options, clf=clf) for clf in clfs]
    pipelines = {one.clf: pipeline_of(one) for one in each}
    table = load_data(options.data)
    if options.normalize_speakers:
        check_speakers(table)
    for split in splits:  # what is wrong with a split is said before the work of extraction
        divide_run(table, replace(each[0], split=split))
    with new_folder(options.out, f"compare-{data_name(options.data)}") as (folder, out):
        corpora = _read_corpora(pipelines, table, options, progress)
        comparison: dict[str, Any] = {"rows": [], "tests": {}, "audit": {}}
        predictions = []
        for split in splits:
            found = _compare_split(
                [replace(one, split=split) for one in each], pipelines, corpora, progress,
                (splits.index(split) * len(clfs), len(splits) * len(clfs)),
            )  # fmt: skip
            comparison["rows"] += found["rows"]
            comparison["tests"][split] = found["tests"]
            comparison["audit"][split] = found["audit"]
            predictions.append(found["predictions"])
        corpus = next(iter(corpora.values()))
        comparison |= {
            "headline": headline(comparison["rows"]),
            "data": data_name(options.data),
            "n_clips": len(corpus.table),
            "emotions": sorted(set(corpus.emotions)),
            "seed": options.seed,
            "skipped": corpus.skipped,
            "run": str(out),
        }
        with writing(out):
            _write(folder, comparison, predictions)
        return comparison


def _read_corpora(
    pipelines: dict[str, Pipeline], table: pd.DataFrame, options: RunOptions, progress: Progress
) -> dict[str, RunCorpus]:
    """Return the corpus by feature setting, of the clips that can be read in all of them."""
    settings = {feature_setting(pipeline): pipeline for pipeline in pipelines.values()}
    extracted = {}
    for i, (setting, pipeline) in enumerate(settings.items()):
        detail = f"setting {i + 1} of {len(settings)}" if len(settings) > 1 else ""
        extracted[setting] = extract_features(
            pipeline,
            table["path"].tolist(),
            partial(_tell_features, progress, detail),
        )
    failures = {i: m for each in extracted.values() for i, m in each.failures.items()}
    kept, skipped = drop_failures(table, dict(sorted(failures.items())), options.on_error)
    corpora = {}
    for setting, (matrix, inspections, _) in extracted.items():
        usable = ~inspections.index.isin(list(failures))
        rows = matrix[usable] if failures else matrix
        corpora[setting] = RunCorpus(kept, rows, skipped, inspections[usable])
    return corpora


def _tell_features(progress: Progress, detail: str, done: int, total: int) -> None:
    progress("features", done, total, detail)


def _compare_split(
    each: Sequence[RunOptions],
    pipelines: dict[str, Pipeline],
    corpora: dict[str, RunCorpus],
    progress: Progress,
    place: tuple[int, int],
) -> dict[str, Any]:
    split = each[0].split
    corpus = next(iter(corpora.values()))
    audit = audit_run(corpus, divide_run(corpus.table, each[0]))
    rows, answers = [], {}

    def tell(stage: str, done: int, total: int, detail: str) -> None:
        if stage == "epochs":  # a plain fit has no steps worth a bar of its own
            progress(stage, done, total, detail)

    for i, options in enumerate(each):
        progress("compare", place[0] + i, place[1], f"{options.clf}, {split} split")
        pipeline = pipelines[options.clf]
        theirs = corpora[feature_setting(pipeline)]
        folds = divide_run(theirs.table, options)
        _, found, learned = fit_folds(
            pipeline, theirs, folds, tell, partial(fit_parts, options=options)
        )
        answers[options.clf] = found
        metrics = score_answers(theirs, folds, found, learned, options.seed)
        transductive = options.normalize_speakers and tests_unseen_speakers(theirs.table, folds)
        rows.append(_describe_row(options, pipeline, metrics, found, transductive))
    progress("compare", place[0] + len(each), place[1], "")
    truth = corpus.emotions[found.rows]
    speakers = corpus.table["speaker"].to_numpy()[found.rows] if "speaker" in corpus.table else None
    predicted = {clf: found.predicted for clf, found in answers.items()}
    table = pd.DataFrame({"path": corpus.table["path"].to_numpy()[found.rows], "truth": truth})
    return {
        "rows": rows,
        "tests": compare_pairs(truth, predicted, speakers, seed=each[0].seed),
        "audit": audit,
        "predictions": table.assign(split=split, **predicted),
    }


def _describe_row(
    options: RunOptions,
    pipeline: Pipeline,
    metrics: dict[str, Any],
    answers: Answers,
    transductive: bool,
) -> dict[str, Any]:
    return {
        "clf": options.clf,
        "split": options.split,
        "transductive": transductive,
        **{name: metrics[name] for name in SCORES},
        **{f"{name}_interval": metrics[f"{name}_interval"] for name in SCORES},
        "interval": metrics["interval"],
        "features": [name for name, _ in pipeline.named_steps["features"].transformer_list],
        **{name: metrics[name] for name in ("n_train", "n_validation", "n_test")},
        "n_folds": len(metrics.get("folds", ())) or None,
        "fit_seconds": answers.fit_seconds,
        "predict_seconds": answers.predict_seconds,
    }


def _write(folder: Path, comparison: dict[str, Any], predictions: list[pd.DataFrame]) -> None:
    text = json.dumps(comparison, indent=2, ensure_ascii=False)
    (folder / "comparison.json").write_text(text, encoding="utf-8")
    rows = []
    for row in comparison["rows"]:
        flat = dict(row, features=",".join(row["features"]))
        flat["resampled"] = flat.pop("interval")["resampled"]
        for name in SCORES:
            flat[f"{name}_low"], flat[f"{name}_high"] = flat.pop(f"{name}_interval")
        rows.append(flat)
    table = pd.DataFrame(rows)
    table.to_csv(folder / "comparison.csv", index=False)
    pd.concat(predictions, ignore_index=True).to_csv(folder / "predictions.csv", index=False)
    title = f"{comparison['data']}: {comparison['n_clips']} clips"
    draw_comparison(
        comparison["rows"], len(comparison["emotions"]), folder / "comparison.png", title
    )
