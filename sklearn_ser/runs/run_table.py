"""The runs of a folder side by side, and the differences of two."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from sklearn_ser.exceptions import OptionError, SerError
from sklearn_ser.features import name_features
from sklearn_ser.metrics import chance_level
from sklearn_ser.metrics.paired import paired_test
from sklearn_ser.runs.run_folder import OPTIONS
from sklearn_ser.runs.saved_run import Run, load_run

__all__ = ["diff_runs", "list_runs"]

# What a folder has that was meant to be a run.
TRACES = ("metrics.json", "card.json", "pipeline.joblib", "predictions.csv")
OTHERS = {"comparison.json": "comparison", "evaluation.json": "evaluation"}
SCORES = ("accuracy", "uar", "macro_f1")


def list_runs(folder: Path) -> dict[str, Any]:
    """Return the runs of a folder, in groups that may be compared.

    Runs on other data or under another split are never ranked together: their scores mean other
    things. The groups with the newest runs come first; in a group the highest UAR does.

    Parameters
    ----------
    folder : Path
        Whose subfolders are runs.

    Returns
    -------
    found : dict
        folder; groups, a list of dict with data, fingerprint, split, same_test (whether all test
        the same clips) and runs; others, the comparisons and evaluations, a list of dict with run,
        kind and report (whether there is a page); damaged and unfinished, lists of dict with run
        and reason.

    Raises
    ------
    OptionError
        If there is no such folder, or it is a run itself.
    """
    if not folder.is_dir():
        raise OptionError(f"{folder} is no folder: give one that holds runs, such as artifacts.")
    if (folder / "metrics.json").exists():
        raise OptionError(f"{folder} is a run itself: give the folder that it is in.")
    rows: list[dict[str, Any]] = []
    damaged, unfinished, others = [], [], []
    for path in sorted(path for path in folder.iterdir() if path.is_dir()):
        if path.name.startswith("."):
            if (path / OPTIONS).exists():
                name = path.name[1:].removesuffix(".partial")
                how = f"A fit was broken off: `resume={folder / name}` goes on with it."
                unfinished.append({"run": name, "reason": how})
        elif kinds := [kind for name, kind in OTHERS.items() if (path / name).exists()]:
            page = (path / "report.html").exists()
            others.append({"run": path.name, "kind": kinds[0], "report": page})
        elif any((path / name).exists() for name in TRACES):
            try:
                rows.append(_describe(load_run(path)))
            except (SerError, OSError, KeyError, TypeError, ValueError) as error:
                reason = str(error) if isinstance(error, SerError) else _reason(path, error)
                damaged.append({"run": path.name, "reason": reason})
    return {
        "folder": str(folder),
        "groups": _group(rows),
        "others": others,
        "damaged": damaged,
        "unfinished": unfinished,
    }


def _reason(path: Path, error: Exception) -> str:
    return f"{path} holds entries that no run has ({type(error).__name__}): the run is damaged."


def _describe(run: Run) -> dict[str, Any]:
    metrics: Mapping[str, Any] = run.metrics
    card: Mapping[str, Any] = run.card
    split, data = card["split"], card["data"]
    return {
        "run": run.path.name,
        "created": card["created"],
        "clf": card["recipe"],
        "features": name_features(card["features"]).replace("()", ""),
        "parameters": card.get("parameters", {}),
        "data": data["name"],
        "fingerprint": data["fingerprint"],
        "split": metrics["split"],
        "folds": split.get("n_folds"),
        "seed": split["seed"],
        "test_size": split["test_size"],
        "transductive": bool(metrics.get("transductive")),
        "n_test": metrics["n_test"],
        "chance": chance_level(metrics),
        **{name: float(metrics[name]) for name in SCORES},
        **{f"{name}_interval": [float(x) for x in metrics[f"{name}_interval"]] for name in SCORES},
        "report": (run.path / "report.html").exists(),
    }


def _group(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    groups: dict[tuple, list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["fingerprint"], row["split"]), []).append(row)
    newest_first = sorted(groups.values(), key=lambda runs: max(r["created"] for r in runs))[::-1]
    return [
        {
            "data": runs[0]["data"],
            "fingerprint": runs[0]["fingerprint"],
            "split": runs[0]["split"],
            "same_test": len({_tested(row) for row in runs}) == 1,
            "runs": sorted(runs, key=lambda row: -row["uar"]),
        }
        for runs in newest_first
    ]


def _tested(row: Mapping[str, Any]) -> tuple:
    """Return what decides which clips a run tests: with folds it is all of them."""
    return (row["n_test"], None if row["folds"] else (row["seed"], row["test_size"]))


def diff_runs(first: Path, second: Path) -> dict[str, Any]:
    """Return in what two runs differ: options, scores and clips.

    Parameters
    ----------
    first, second : Path
        Folders of runs.

    Returns
    -------
    found : dict
        runs, the two folders; options, a dict of name to the two values, of those that differ;
        scores, a dict of name to the two values and the difference (second less first); clips, how
        many of the clips that both test are right in both, in one alone or in none, with a list of
        those that one alone has right; test, the paired test of the UAR on these clips, or None
        where they test no clip in common.
    """
    runs = [load_run(first), load_run(second)]
    options = [_options(run) for run in runs]
    names = dict.fromkeys([*options[0], *options[1]])
    clips, test = _compare_clips(*(run.predictions for run in runs))
    return {
        "runs": [str(run.path) for run in runs],
        "options": {
            name: [options[0].get(name), options[1].get(name)]
            for name in names
            if options[0].get(name) != options[1].get(name)
        },
        "scores": {
            name: [a, b, b - a]
            for name in SCORES
            for a, b in [[float(run.metrics[name]) for run in runs]]  # type: ignore[literal-required]
        },
        "clips": clips,
        "test": test,
    }


def _options(run: Run) -> dict[str, Any]:
    """Return what a run was made of, by the names of the options."""
    card: Mapping[str, Any] = run.card
    split, data = card.get("split", {}), card.get("data", {})
    return {
        "clf": card.get("recipe"),
        "features": ", ".join(card["features"]),
        "data": data.get("name"),
        "clips": data.get("fingerprint", "")[:12],
        "emotions": ", ".join(card["classes"]),
        "map": data.get("map"),
        "split": split.get("kind"),
        **{name: split.get(name) for name in ("n_folds", "test_size", "validation_size", "seed")},
        "transductive": split.get("transductive"),
        **{name: card.get(name) for name in ("calibrated", "augmented", "refit")},
        "classifier": card["classifier"],
        "audio": f"{card['sampling_rate']} Hz, {card['resampler']}",
        **{f"version of {name}": number for name, number in card["versions"].items()},
    }


def _compare_clips(
    first: pd.DataFrame, second: pd.DataFrame
) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Compare the predictions of the clips that two runs both test."""
    columns = ["path", "truth", "prediction"]
    both = first[columns].merge(second[columns], on=["path", "truth"], suffixes=("_1", "_2"))
    right = [both[f"prediction_{n}"] == both["truth"] for n in (1, 2)]
    alone = {"first": right[0] & ~right[1], "second": right[1] & ~right[0]}
    clips: dict[str, Any] = {
        "n_first": len(first),
        "n_second": len(second),
        "n_common": len(both),
        "both_right": int((right[0] & right[1]).sum()),
        "none_right": int((~right[0] & ~right[1]).sum()),
    }
    for name, rows in alone.items():
        clips[f"only_{name}"] = json.loads(both[rows].to_json(orient="records"))
    if both.empty:
        return clips, None
    test = paired_test(both["truth"], both["prediction_2"], both["prediction_1"])
    return clips, test
