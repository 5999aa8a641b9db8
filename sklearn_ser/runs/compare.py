"""The command `compare`: every classifier under every split, on the same clips."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from sklearn_ser._files import to_json
from sklearn_ser.corpora import load_data, parse_map
from sklearn_ser.exceptions import OptionError
from sklearn_ser.metrics import compare_pairs
from sklearn_ser.report.compare_page import ComparedClips, write_comparison
from sklearn_ser.report.figures import SCORES, draw_comparison
from sklearn_ser.report.verdict import headline
from sklearn_ser.runs.corpus_matrix import cross_corpora
from sklearn_ser.runs.options import (
    Progress,
    RunOptions,
    command_of,
    data_name,
    name_of_folds,
    silent,
)
from sklearn_ser.runs.run_folder import new_folder, writing
from sklearn_ser.runs.store import FeatureStore
from sklearn_ser.runs.trainers import RecipeTrainer
from sklearn_ser.runs.training import Outcome, audit_run, score_run, split_run, train_folds
from sklearn_ser.runs.write import write_predictions

__all__ = ["compare_run"]


def compare_run(
    options: RunOptions,
    clfs: Sequence[str],
    splits: Sequence[str],
    on_progress: Progress | None = None,
) -> dict[str, Any]:
    """Fit and score every classifier under every split, and write the comparison's folder.

    The splits are the same for all classifiers, and the same as `fit` makes with the same seed.
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
        what `compare_pairs` returns), audit (by split), headline, and the run's folder. Of a corpus
        split the rows go on with one for each classifier and corpus left out, which `test` names;
        and matrix has what `cross_corpora` returns.

    Raises
    ------
    SerError
        If options, data or audio are wrong; nothing is written then.
    """
    if options.folds_from is not None:
        splits = [name_of_folds(options.folds_from)]
    clfs, splits = ([name.lower() for name in names] for names in (clfs, splits))
    for kind, names in (("clf", clfs), ("split", splits)):
        if not names or len(set(names)) < len(names):
            raise OptionError(f"`{kind}={','.join(names)}`: name at least one, and each once.")
    progress = on_progress or silent
    each = [replace(options, clf=clf) for clf in clfs]
    trainers = {one.clf: RecipeTrainer.from_options(one, _epochs_of(progress)) for one in each}
    table = load_data(
        options.data, emotions=options.emotions, map=options.map, on_error=options.on_error
    )
    for split in splits:  # what is wrong with a split is said before the work of extraction
        split_run(table, replace(each[0], split=split), trainers[clfs[0]])
    with new_folder(options.out, f"compare-{data_name(options.data)}") as (folder, out):
        store = FeatureStore(table, [one.pipeline for one in trainers.values()], options, progress)
        comparison: dict[str, Any] = {"rows": [], "tests": {}, "audit": {}}
        predictions = []
        n_crossed = store.table["corpus"].nunique() * ("corpus" in splits)
        total = (len(splits) + n_crossed) * len(clfs)
        left_out = []
        for n, split in enumerate(splits):

            def show(i: int, n: int = n, split: str = split) -> None:
                progress("compare", n * len(clfs) + i, total, f"{clfs[i]}, {split} split")

            here = [replace(one, split=split) for one in each]
            found, table = _compare_split(here, trainers, store, show)
            comparison["rows"] += found["rows"]
            left_out += found["left_out"]
            comparison["tests"][split] = found["tests"]
            comparison["audit"][split] = found["audit"]
            predictions.append(table.assign(split=split, **found["predicted"]))
        if n_crossed:
            done = len(splits) * len(clfs)
            comparison["matrix"] = cross_corpora(
                options,
                trainers,
                store,
                lambda what, i, _: progress("compare", done + i, total, what),
            )
        progress("compare", total, total, "")
        comparison["headline"] = headline(comparison["rows"], comparison["tests"])
        comparison |= _describe(options, store) | {"run": str(out)}
        with writing(out):
            comparison["rows"] += left_out
            tested = pd.concat(predictions, ignore_index=True)
            reader = trainers[clfs[0]].pipeline
            command = _command_of(options, clfs, splits)
            clips = ComparedClips(store.table, tested, reader, command, options.report_audio)
            _write(folder, comparison, clips)
        return comparison


def _describe(options: RunOptions, store: FeatureStore) -> dict[str, Any]:
    """Return what comparison.json says of the data."""
    return {
        "data": data_name(options.data),
        **({"map": parse_map(options.map)} if options.map else {}),
        "n_clips": len(store),
        "emotions": sorted(set(store.emotions)),
        "seed": options.seed,
        "skipped": store.skipped,
    }


def _command_of(options: RunOptions, clfs: Sequence[str], splits: Sequence[str]) -> str:
    given = None if options.folds_from else ",".join(splits)
    return command_of("compare", options, clf=",".join(clfs), split=given)


def _epochs_of(progress: Progress) -> Progress:
    """Return what shows the epochs alone: a plain fit has no steps worth a bar of its own."""

    def show(stage: str, done: int, total: int, detail: str) -> None:
        if stage == "epochs":
            progress(stage, done, total, detail)

    return show


def _compare_split(
    each: Sequence[RunOptions],
    trainers: Mapping[str, RecipeTrainer],
    store: FeatureStore,
    show: Callable[[int], None],
) -> tuple[dict[str, Any], pd.DataFrame]:
    """Return rows, tests, audit and predictions of one split, and the clips that were tested."""
    first = trainers[each[0].clf]
    audit = audit_run(store, split_run(store.table, each[0], first), first.noise)
    outcomes = {}
    rows, left_out = [], []
    for i, options in enumerate(each):
        show(i)
        trainer = replace(trainers[options.clf], balance=options.split == "corpus")
        outcome = train_folds(trainer, store, split_run(store.table, options, trainer), silent)
        outcomes[options.clf] = outcome
        metrics = score_run(outcome, store, options)
        rows.append(_describe_row(options, outcome, metrics))
        if options.split == "corpus":
            rows[-1]["test"] = None  # all of them
            left_out += [
                {"clf": options.clf, "split": "corpus", "test": fold["test_corpora"][0]}
                | {name: fold[name] for name in (*SCORES, "n_train", "n_validation", "n_test")}
                for fold in metrics["folds"]
            ]
    tested = outcome.predictions.rows
    predicted = {clf: one.predictions.predicted for clf, one in outcomes.items()}
    truth = store.emotions[tested]
    speakers = None if store.speakers is None else store.speakers[tested]
    tests = compare_pairs(truth, predicted, speakers, seed=each[0].seed)
    found = {
        "rows": rows,
        "left_out": left_out,
        "tests": tests,
        "audit": audit,
        "predicted": predicted,
    }
    paths = store.table["path"].iloc[tested].reset_index(drop=True)
    return found, pd.DataFrame({"path": paths, "truth": truth})


def _describe_row(
    options: RunOptions, outcome: Outcome, metrics: Mapping[str, Any]
) -> dict[str, Any]:
    features = outcome.trained[0].pipeline.named_steps["features"]
    return {
        "clf": options.clf,
        "split": options.split,
        "adapt": metrics["adapt"],
        "transductive": metrics["transductive"],
        **{name: metrics[name] for name in SCORES},
        **{f"{name}_interval": metrics[f"{name}_interval"] for name in SCORES},
        "interval": metrics["interval"],
        "chance": metrics["chance"],
        "features": [name for name, _ in features.transformer_list],
        **{name: metrics[name] for name in ("n_train", "n_validation", "n_test")},
        "n_folds": len(metrics.get("folds", ())) or None,
        **{name: metrics[name] for name in ("uar_mean_over_corpora",) if name in metrics},
        "fit_seconds": outcome.predictions.fit_seconds,
        "predict_seconds": outcome.predictions.predict_seconds,
    }


def _write(folder: Path, comparison: dict[str, Any], clips: ComparedClips) -> None:
    (folder / "comparison.json").write_text(to_json(comparison), encoding="utf-8")
    summary = [row for row in comparison["rows"] if row.get("test") is None]
    rows = []
    for row in summary:
        flat = dict(row, features=",".join(row["features"]))
        flat["resampled"] = flat.pop("interval")["resampled"]
        flat |= {f"{name}_chance": level for name, level in flat.pop("chance").items()}
        for name in SCORES:
            flat[f"{name}_low"], flat[f"{name}_high"] = flat.pop(f"{name}_interval")
        rows.append(flat)
    if "matrix" in comparison:
        pd.DataFrame(comparison["matrix"]).to_csv(folder / "matrix.csv", index=False)
    table = pd.DataFrame(rows)
    table.to_csv(folder / "comparison.csv", index=False)
    write_predictions(clips.predictions, folder)
    write_comparison(folder / "report.html", comparison, clips)
    title = f"{comparison['data']}: {comparison['n_clips']} clips"
    draw_comparison(summary, folder / "comparison.png", title)
