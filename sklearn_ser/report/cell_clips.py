"""The clips behind each cell of a confusion matrix, to hear where the corpus may be passed on."""

import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sklearn_ser.corpora._registry import readers
from sklearn_ser.report.example_clips import ExampleClip
from sklearn_ser.report.style import color_emotions

__all__ = [
    "cells_of",
    "clip_name",
    "embed_sounds",
    "licences_of",
    "matrix_of",
    "may_be_heard",
    "name_cell",
]

MOST_CLIPS = 6  # of a cell
MOST_BYTES = 2_200_000  # of the sounds of a page, which holds 3 MB at most
LEAST_SHARE = 0.01  # of a probability that is drawn

Read = Callable[[str], ExampleClip | None]


def licences_of(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the corpora of some clips, with what one may do with them.

    A clip belongs to a corpus if its table says so and its file name is one of that corpus: a
    folder of one's own may be called tess.

    Parameters
    ----------
    table : DataFrame
        With the columns path and corpus.

    Returns
    -------
    licences : list of dict
        title; licence, None where it is not known; citation; and free, whether anybody may pass
        the clips on: those of the built-in synthetic corpus, CC0 and CC BY.
    """
    known = readers()
    found = []
    for name, clips in table.groupby(table["corpus"].astype(str), sort=True):
        reader = known.get(str(name))
        if reader is None or any(reader.read_name(Path(path)) is None for path in clips["path"]):
            found.append({"title": str(name), "licence": None, "citation": "", "free": False})
            continue
        free = name == "synthetic" or bool(re.match(r"CC0|CC BY \d", reader.licence))
        about = {field: getattr(reader, field) for field in ("title", "licence", "citation")}
        found.append({**about, "free": free})
    return found


def may_be_heard(licences: Sequence[Mapping[str, Any]], wish: bool | None) -> bool:
    """Say whether a page may hold clips: the user's wish, else what the licences allow."""
    return all(corpus["free"] for corpus in licences) if wish is None else wish


def cells_of(predictions: pd.DataFrame, labels: Sequence[str]) -> list[dict[str, Any]]:
    """Return the cells of a confusion matrix that hold clips, each with its surest ones.

    Parameters
    ----------
    predictions : DataFrame
        As in predictions.csv.
    labels : sequence of str
        Emotions in the order of the matrix.

    Returns
    -------
    cells : list of dict
        truth, prediction, id, n (clips in all) and clips, a list of at most six dicts.
    """
    predictions = predictions.reset_index(drop=True)
    probabilities = predictions.filter(regex="^p_")
    emotions = [str(name).removeprefix("p_") for name in probabilities]
    colors = color_emotions(emotions)
    p = probabilities.to_numpy()
    confidence = p.max(axis=1)
    order = np.argsort(-confidence, kind="stable")
    cells = []
    for (truth, prediction), rows in predictions.iloc[order].groupby(["truth", "prediction"]):
        clips = []
        for place, path in zip(rows.index[:MOST_CLIPS], rows["path"], strict=False):
            clips.append(
                {
                    "path": path,
                    "name": clip_name(path),
                    "confidence": confidence[place],
                    "shares": _shares(p[place], emotions, colors),
                    "about": _say_shares(p[place], emotions),
                    "sound": None,
                }
            )
        cells.append(
            {
                "truth": truth,
                "prediction": prediction,
                "id": name_cell(labels.index(truth), labels.index(prediction)),
                "n": len(rows),
                "clips": clips,
            }
        )
    return cells


def matrix_of(confusion: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return a confusion matrix for a page: labels, and rows of a label, its clips, its cells.

    Parameters
    ----------
    confusion : mapping or None
        labels and counts, as in metrics.json.
    """
    if not confusion:
        return None
    labels, rows = confusion["labels"], []
    for i, (label, counts) in enumerate(zip(labels, confusion["counts"], strict=True)):
        total = sum(counts)
        cells = [
            (n, n / max(1, total), i == j, labels[j], name_cell(i, j)) for j, n in enumerate(counts)
        ]
        rows.append((label, total, cells))
    return {"labels": labels, "rows": rows}


def name_cell(i: int, j: int) -> str:
    """Return the id of a cell's clips on a page."""
    return f"cell-{i}-{j}"


def _shares(p: np.ndarray, emotions: Sequence[str], colors: Mapping[str, str]) -> list[dict]:
    shares, start = [], 0.0
    for i in np.argsort(-p, kind="stable"):
        if p[i] >= LEAST_SHARE:
            shares.append({"start": start, "p": p[i], "color": colors[emotions[i]]})
        start += p[i]
    return shares


def _say_shares(p: np.ndarray, emotions: Sequence[str]) -> str:
    best = [i for i in np.argsort(-p, kind="stable")[:3] if p[i] >= LEAST_SHARE]
    return ", ".join(f"{emotions[i]} {100 * p[i]:.0f}\N{NO-BREAK SPACE}%" for i in best)


def embed_sounds(lists: Sequence[Sequence[dict[str, Any]]], read: Read) -> int:
    """Give clips their sounds, the first of each list first, as far as a page may hold them.

    Parameters
    ----------
    lists : sequence of lists of dict
        Clips with a path; their `sound` is set.
    read : callable of path to ExampleClip or None

    Returns
    -------
    n_silent : int
        Clips that there was no room for.
    """
    rounds = [
        [clips[n] for clips in lists if n < len(clips)]
        for n in range(max(map(len, lists), default=0))
    ]
    n_bytes = n_silent = 0
    # Encoding lets go of Python's lock.
    with ThreadPoolExecutor() as workers:
        for clips in rounds:
            if n_bytes >= MOST_BYTES:
                n_silent += len(clips)
                continue
            for clip, sound in zip(clips, workers.map(_encode(read), clips), strict=True):
                if sound is not None and n_bytes + len(sound) <= MOST_BYTES:
                    clip["sound"] = sound
                    n_bytes += len(sound)
                elif sound is not None:
                    n_silent += 1
    return n_silent


def _encode(read: Read) -> Callable[[Mapping[str, Any]], str | None]:
    def encode(clip: Mapping[str, Any]) -> str | None:
        example = read(clip["path"])
        return example.as_data_uri() if example else None

    return encode


def clip_name(path: str) -> str:
    """Return the file name of a clip, without the folders of this machine."""
    return str(path).replace("\\", "/").rsplit("/", 1)[-1]
