"""Clips for a visitor of the page to try, from the run or the corpus of the served model."""

import mimetypes
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from sklearn_ser.corpora import load_corpus
from sklearn_ser.exceptions import OptionError, SerError
from sklearn_ser.persistence import ModelFile

__all__ = ["ExampleFile", "find_examples"]


@dataclass(frozen=True)
class ExampleFile:
    """A clip, held in memory: what is sent does not hang on a path.

    Attributes
    ----------
    emotion : str
        As its corpus has it.
    unseen : bool
        Whether the model was fitted without it.
    data : bytes
        The file as it is.
    kind : str
        Its media type.
    suffix : str
        Of its file name.
    """

    emotion: str
    unseen: bool
    data: bytes
    kind: str
    suffix: str


def find_examples(model: ModelFile, n: int, max_bytes: int) -> list[ExampleFile]:
    """Return clips that a model can be tried with, emotion by emotion.

    Those of the test set of its run, where they are on this machine, and otherwise of the corpora
    that its card names.

    Parameters
    ----------
    model : ModelFile
    n : int
    max_bytes : int
        Larger clips are left out.

    Raises
    ------
    OptionError
        If there are none.
    """
    if not n:
        return []
    for table, unseen in (_test_clips(model), _corpus_clips(model)):
        # Each time the same ones, first one of each emotion.
        table = table[table["emotion"].isin(model.card["classes"])].sample(frac=1, random_state=0)
        turn = table.groupby("emotion").cumcount()
        paths = table.assign(turn=turn).sort_values(["turn", "emotion"], kind="stable")
        found: list[ExampleFile] = []
        for path, emotion in zip(map(Path, paths["path"]), paths["emotion"], strict=True):
            if len(found) < n and path.is_file() and path.stat().st_size <= max_bytes:
                kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
                found.append(ExampleFile(emotion, unseen, path.read_bytes(), kind, path.suffix))
        if found:
            return found
    names = ", ".join(model.card.get("data", {}).get("corpora", []))
    raise OptionError(
        f"`examples={n}`: no clip of the model's run or corpus ({names or 'unknown'}) is on this "
        "machine. See `sklearn-ser corpora get`, or leave it out."
    )


def _test_clips(model: ModelFile) -> tuple[pd.DataFrame, bool]:
    """Return the test clips of the run that a model belongs to."""
    file = Path(model.path).parent / "predictions.csv"
    try:
        table = pd.read_csv(file, usecols=["path", "truth"], dtype=str)
    except (OSError, ValueError):  # a model by itself, or with a table of something else
        return _none(), False
    return table.rename(columns={"truth": "emotion"}), not model.card.get("refit")


def _corpus_clips(model: ModelFile) -> tuple[pd.DataFrame, bool]:
    tables = []
    for name in model.card.get("data", {}).get("corpora", []):
        try:
            tables.append(load_corpus(name)[["path", "emotion"]])
        except SerError:  # it is not here, or is a folder of somebody's own
            continue
    return pd.concat([_none(), *tables]), False


def _none() -> pd.DataFrame:
    return pd.DataFrame({"path": [], "emotion": []}, dtype=str)
