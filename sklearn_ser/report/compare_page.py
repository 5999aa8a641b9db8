"""The page of a comparison: classifiers under splits, tests, and clips that tell them apart."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import confusion_matrix
from sklearn.pipeline import Pipeline

from sklearn_ser._files import as_text
from sklearn_ser.model_selection.splits import TRANSDUCTIVE
from sklearn_ser.report.cell_clips import (
    clip_name,
    embed_sounds,
    licences_of,
    matrix_of,
    may_be_heard,
)
from sklearn_ser.report.example_clips import clip_reader
from sklearn_ser.report.first_screen import chips_of, describe_voices
from sklearn_ser.report.pages import render_page
from sklearn_ser.report.verdict import UNSEEN, describe_guessing, name_split, order_splits

__all__ = ["ComparedClips", "write_comparison"]

MOST_PAIRS = 3
MOST_CLIPS = 4  # that one of a pair recognises and the other does not


@dataclass(frozen=True)
class ComparedClips:
    """What a comparison was made on.

    Attributes
    ----------
    table : DataFrame
        The corpus.
    predictions : DataFrame
        As in predictions.csv: path, truth, split, and a column for each classifier.
    pipeline : Pipeline
        One of the compared, whose loader reads the clips.
    command : str
        What was typed.
    audio : bool or None
        Whether clips can be heard on the page; `None` leaves it to the licences.
    """

    table: pd.DataFrame
    predictions: pd.DataFrame
    pipeline: Pipeline
    command: str
    audio: bool | None = None


def write_comparison(path: Path, comparison: Mapping[str, Any], clips: ComparedClips) -> None:
    """Write the page of a comparison.

    Parameters
    ----------
    path : Path
        The HTML file.
    comparison : mapping
        What is in comparison.json.
    clips : ComparedClips
    """
    rows = [row for row in comparison["rows"] if row.get("test") is None]
    splits = order_splits([row["split"] for row in rows])
    lead = [row for row in rows if row["split"] == splits[0]]
    ranked = sorted(lead, key=lambda row: -row["uar"])
    names = [row["clf"] for row in ranked]
    pairs = _pairs(clips.predictions[clips.predictions["split"] == splits[0]], names)
    licences = licences_of(clips.table)
    heard = may_be_heard(licences, clips.audio)
    lists = [one["clips"] for pair in pairs for one in pair["sides"]]
    audit = comparison["audit"][splits[0]]
    content = {
        "title": f"{', '.join(names)} on {comparison['data']}",
        "about": f"{len(comparison['emotions'])} emotions, {comparison['n_clips']} clips, "
        f"seed {comparison['seed']}",
        "comparison": comparison,
        "chips": chips_of({**lead[0], "audit": audit, "folds": range(lead[0]["n_folds"] or 0)}),
        "voices": describe_voices(audit),
        "transductive": TRANSDUCTIVE if any(row["transductive"] for row in rows) else None,
        "chance": lead[0]["chance"]["uar"],
        "where": [UNSEEN.get(split, f"On {name_split(split)}") for split in splits],
        "names_of_splits": [name_split(split) for split in splits],
        "splits": (
            shown := [_split(comparison, rows, split, clips.predictions) for split in splits]
        ),
        "classifiers": [
            _classifier(one["clf"], rows, splits) | {"guessing": one["guessing"]}
            for one in shown[0]["matrices"]
        ],
        "pairs": pairs,
        "crossed": _crossed(comparison),
        "licences": licences,
        "heard": heard,
        "refused": clips.audio is False,
        "n_silent": embed_sounds(lists, clip_reader(clips.pipeline)) if heard else 0,
        "command": clips.command,
    }
    path.write_text(as_text(render_page("compare.html", content)), encoding="utf-8")


def _classifier(name: str, rows: Sequence[Mapping[str, Any]], splits: Sequence[str]) -> dict:
    """Return the scores of a classifier, those of unseen speakers first."""
    own = {row["split"]: row for row in rows if row["clf"] == name}
    return {
        "name": name,
        "features": ", ".join(own[splits[0]]["features"]),
        "rows": [own[split] for split in splits],
        "uars": [own[split]["uar"] for split in splits],
    }


def _split(
    comparison: Mapping[str, Any],
    rows: Sequence[Mapping[str, Any]],
    split: str,
    predictions: pd.DataFrame,
) -> dict[str, Any]:
    """Return tests, matrices and audit of one split."""
    tested = predictions[predictions["split"] == split]
    here = sorted((row for row in rows if row["split"] == split), key=lambda row: -row["uar"])
    matrices = []
    for row in here:
        labels = sorted({*tested["truth"], *tested[row["clf"]]})
        counts = confusion_matrix(tested["truth"], tested[row["clf"]], labels=labels).tolist()
        confusion = {"labels": labels, "counts": counts}
        guessing = describe_guessing({**row, "confusion_matrix": confusion})
        matrices.append(
            {"clf": row["clf"], "confusion": matrix_of(confusion), "guessing": guessing}
        )
    return {
        "name": name_split(split),
        "row": here[0],
        "tests": comparison["tests"].get(split, []),
        "matrices": matrices,
        "audit": comparison["audit"][split]["sentences"],
    }


def _pairs(tested: pd.DataFrame, names: Sequence[str]) -> list[dict[str, Any]]:
    """Return clips that one of two classifiers recognises and the other does not."""
    right = {name: (tested[name] == tested["truth"]).to_numpy() for name in names}
    pairs = []
    for a, b in list(combinations(names, 2))[:MOST_PAIRS]:
        sides = []
        for gets, misses in ((a, b), (b, a)):
            found = np.flatnonzero(right[gets] & ~right[misses])
            # Clips of different emotions first: one of each in turn.
            truths = tested["truth"].iloc[found].reset_index(drop=True)
            order = truths.groupby(truths).cumcount().sort_values(kind="stable").index
            shown = tested.iloc[found[order][:MOST_CLIPS]]
            sides.append(
                {
                    "gets": gets,
                    "misses": misses,
                    "n": len(found),
                    "clips": [
                        {
                            "path": row["path"],
                            "name": clip_name(row["path"]),
                            "about": f"{row['truth']}; {misses} predicts {row[misses]}",
                            "sound": None,
                        }
                        for row in shown.to_dict("records")
                    ],
                }
            )
        both = int((right[a] & right[b]).sum())
        neither = int((~right[a] & ~right[b]).sum())
        pairs.append({"sides": sides, "both": both, "neither": neither})
    return pairs


def _crossed(comparison: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return for each classifier how each corpus is recognised by each other, and by all others."""
    matrix = comparison.get("matrix", [])
    corpora = list(dict.fromkeys(row["train"] for row in matrix))
    uars = {(row["clf"], row["train"], row["test"]): row["uar"] for row in matrix}
    by_all = {
        (row["clf"], row["test"]): row["uar"] for row in comparison["rows"] if row.get("test")
    }
    return [
        {
            "clf": clf,
            "corpora": corpora,
            "rows": [
                *((name, [uars.get((clf, name, other)) for other in corpora]) for name in corpora),
                ("all others", [by_all.get((clf, other)) for other in corpora]),
            ],
        }
        for clf in dict.fromkeys(row["clf"] for row in matrix)
    ]
