"""Folds that others have published: EmoBox's lists of clips, or a CSV of paths and folds."""

import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from sklearn_ser._files import read_regular
from sklearn_ser.corpora.listing import some
from sklearn_ser.exceptions import CorpusError
from sklearn_ser.model_selection.splits import Fold, split_validation

__all__ = ["FoldList", "assign_folds", "read_folds"]

_MAX_BYTES = 500_000_000  # of a list
_SETS = {"train": "train", "valid": "validation", "test": "test"}  # by EmoBox's names


@dataclass(frozen=True)
class FoldList:
    """The paths of one fold, as they are published.

    Attributes
    ----------
    name : str
    test : list of str
    train : list of str or None
        None for all that are not tested.
    validation : list of str
    """

    name: str
    test: list[str]
    train: list[str] | None = None
    validation: Sequence[str] = ()


def read_folds(path: str | Path) -> list[FoldList]:
    """Read published folds.

    Parameters
    ----------
    path : str or Path
        A folder of EmoBox, such as ``EmoBox/data/emodb``, with a folder for each fold; one of these
        folders, or a list in it; or a CSV with the columns path and fold, where each clip is tested
        in its fold and trained with in the others.

    Returns
    -------
    folds : list of FoldList

    Raises
    ------
    CorpusError
        If there are no folds, or they cannot be read.
    """
    path = Path(path).expanduser()
    try:
        if path.is_dir():
            return _read_emobox(path)
        if path.suffix.lower() == ".jsonl":
            return _read_emobox(path.parent)
        return _read_csv(path)
    except FileNotFoundError as error:
        raise CorpusError(f"`folds_from={path}`: there is no such file or folder.") from error
    except (OSError, UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        reason = getattr(error, "strerror", None) or "it is no table of text in UTF-8"
        raise CorpusError(f"`folds_from={path}` cannot be read: {reason}.") from error


def _read_emobox(folder: Path) -> list[FoldList]:
    """Read a folder that holds lists, or folders of them."""
    folders = [one for one in folder.glob("fold_*") if one.is_dir()]
    folders.sort(key=lambda one: (len(one.name), one.name))  # fold_10 comes after fold_9
    found = []
    for one in folders or [folder]:
        lists = {name: _find_list(one, word) for word, name in _SETS.items()}
        if lists["train"] is None or lists["test"] is None:
            raise CorpusError(
                f"`folds_from={folder}`: {one} has no lists named like NAME_train_fold_1.jsonl and "
                "NAME_test_fold_1.jsonl. Give a folder of EmoBox, such as EmoBox/data/emodb, or a "
                "CSV with the columns path and fold."
            )
        paths = {name: _read_list(file) if file else [] for name, file in lists.items()}
        found.append(FoldList(one.name, **paths))
    return found


def _find_list(folder: Path, word: str) -> Path | None:
    files = sorted(folder.glob(f"*_{word}_*.jsonl"))
    # Where an older list lies beside it, the one that is named as its folder counts.
    named = [file for file in files if file.stem.endswith(folder.name)] or files
    if len(named) > 1:
        raise CorpusError(
            f"{folder} holds {some([file.name for file in named])}: leave one {word} list there."
        )
    return named[0] if named else None


def _read_list(file: Path) -> list[str]:
    paths = []
    lines = read_regular(file, _MAX_BYTES).decode("utf-8").splitlines()
    for i, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            paths.append(str(json.loads(line)["wav"]))
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise CorpusError(
                f'{file}, line {i}: it is no JSON object with the entry "wav", the path of a clip.'
            ) from error
    if not paths:
        raise CorpusError(f"{file} names no clip.")
    return paths


def _read_csv(file: Path) -> list[FoldList]:
    text = read_regular(file, _MAX_BYTES).decode("utf-8-sig")
    header = text.partition("\n")[0]
    separator = max(",;\t", key=header.count)  # the comma where there is none
    table = pd.read_csv(io.StringIO(text), sep=separator, dtype=str)
    table.columns = [str(name).strip().casefold() for name in table.columns]
    if missing := [name for name in ("path", "fold") if name not in table]:
        raise CorpusError(
            f"{file} has no column {' and no column '.join(missing)}: folds are a CSV with the "
            "columns path and fold, or a folder of EmoBox."
        )
    table = table[["path", "fold"]].map(str.strip, na_action="ignore")
    if (empty := table.isna() | (table == "")).any(axis=None):
        rows = [f"row {i + 2}" for i in np.flatnonzero(empty.any(axis=1))]
        raise CorpusError(f"{file}: no path or no fold in {some(rows)}. Fill the cell.")
    folds = {str(name): group["path"].tolist() for name, group in table.groupby("fold")}
    if len(folds) < 2:
        raise CorpusError(f"{file} has one fold only: to test in it, there must be another.")
    return [FoldList(name, paths) for name, paths in folds.items()]


def assign_folds(
    table: pd.DataFrame,
    lists: Sequence[FoldList],
    split: str,
    *,
    validation_size: float = 0.1,
    seed: int = 0,
    on_error: str = "stop",
) -> list[Fold]:
    """Find the clips of published folds in a corpus.

    A clip is found by the name of its file, whatever its format; where several have that name, by
    the folders above it.

    Parameters
    ----------
    table : DataFrame
        The corpus. Clips whose emotions were not taken (``attrs["other_emotions"]``) may be listed.
    lists : sequence of FoldList
    split : str
        What to call these folds.
    validation_size : float, default=0.1
        Share of each training set in its validation set, where the lists name none: by speaker, if
        no fold has a speaker on both sides; else random. 0 leaves all in the training set, and the
        listed ones, too.
    seed : int, default=0
    on_error : {"stop", "skip"}, default="stop"
        Whether clips that are only in the lists or only in the corpus are an error, or left out.

    Returns
    -------
    folds : list of Fold

    Raises
    ------
    CorpusError
        If clips are missing on either side, a clip is in two sets of a fold, or a set is empty.
    """
    listed = {path for one in lists for path in (*one.test, *(one.train or ()), *one.validation)}
    others = table.attrs.get("other_emotions", [])
    position, ambiguous = _match(sorted(listed), [*table["path"], *others])
    missing = sorted(listed - position.keys())
    known = {i for i in position.values() if i < len(table)}
    unlisted = [path for i, path in enumerate(table["path"]) if i not in known]
    if on_error != "skip":
        _check_missing(missing, ambiguous, unlisted)
    folds = []
    for one in lists:
        sets = {
            name: _rows(paths, position, len(table))
            for name, paths in (("test", one.test), ("validation", one.validation))
        }
        rest = np.array(sorted(known), dtype=int)
        sets["train"] = (
            np.setdiff1d(rest, sets["test"])
            if one.train is None
            else _rows(one.train, position, len(table))
        )
        _check_sets(one, sets, table)
        folds.append(sets)
    by = "speaker" if _keeps_speakers_apart(table, folds) else "random"
    return [_make_fold(table, sets, split, by, validation_size, seed) for sets in folds]


def _match(listed: Iterable[str], paths: Sequence[str]) -> tuple[dict[str, int], list[str]]:
    """Return the position of each listed path that is there, and those that may mean several."""
    by_name: dict[str, list[tuple[int, list[str]]]] = {}
    for i, path in enumerate(paths):
        name, *above = _parts(path)
        by_name.setdefault(name, []).append((i, above))
    taken: dict[int, tuple[int, str]] = {}  # by position: how alike the paths are, and which
    ambiguous = []
    for path in listed:
        name, *above = _parts(path)
        alike = [(_n_alike(above, theirs), i) for i, theirs in by_name.get(name, [])]
        best = max(alike, default=None)
        if best is None:
            continue
        if [n for n, _ in alike].count(best[0]) > 1:
            ambiguous.append(path)
        elif best[1] not in taken or taken[best[1]][0] < best[0]:
            taken[best[1]] = (best[0], path)
    return {path: i for i, (_, path) in taken.items()}, ambiguous


def _parts(path: str) -> list[str]:
    """Return a file's name without its suffix, then the folders above it, the nearest first."""
    pure = PurePosixPath(str(path).replace("\\", "/"))
    return [pure.stem.casefold(), *(part.casefold() for part in reversed(pure.parts[:-1]))]


def _n_alike(one: Sequence[str], other: Sequence[str]) -> int:
    n = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        n += 1
    return n


def _check_missing(missing: list[str], ambiguous: list[str], unlisted: list[str]) -> None:
    if ambiguous:
        raise CorpusError(
            f"`folds_from`: {len(ambiguous)} paths may each be of several clips: "
            f"{some(ambiguous, 3)}. Write more of the folders above them."
        )
    if missing:
        raise CorpusError(
            f"`folds_from`: {len(missing)} clips of the folds are not in the data: "
            f"{some(missing, 3)}. Complete the data, or go on without them: `on_error=skip`."
        )
    if unlisted:
        raise CorpusError(
            f"`folds_from`: {len(unlisted)} clips of the data are in no fold: "
            f"{some(unlisted, 3)}. Give the data that the folds were made for, or go on without "
            "them: `on_error=skip`."
        )


def _rows(paths: Iterable[str], position: dict[str, int], n: int) -> np.ndarray:
    return np.array(sorted({position[p] for p in paths if position.get(p, n) < n}), dtype=int)


def _check_sets(one: FoldList, sets: dict[str, np.ndarray], table: pd.DataFrame) -> None:
    for name in ("train", "test"):
        if not len(sets[name]):
            raise CorpusError(f"`folds_from`: no clip of the {name} set of {one.name} is there.")
    for a, b in (("train", "test"), ("validation", "test"), ("train", "validation")):
        if len(both := np.intersect1d(sets[a], sets[b])):
            raise CorpusError(
                f"`folds_from`: {len(both)} clips are in the {a} and in the {b} set of {one.name}, "
                f"the first {table['path'].iloc[both[0]]}: correct the lists."
            )


def _keeps_speakers_apart(table: pd.DataFrame, folds: Sequence[dict[str, np.ndarray]]) -> bool:
    if "speaker" not in table or table["speaker"].isna().any():
        return False
    speaker = table["speaker"].to_numpy()
    return not any(set(speaker[one["test"]]) & set(speaker[one["train"]]) for one in folds)


def _make_fold(
    table: pd.DataFrame, sets: dict[str, np.ndarray], split: str, by: str, size: float, seed: int
) -> Fold:
    listed = sets["validation"]
    if len(listed) and size:
        return Fold(sets["train"], listed, sets["test"], split, "list")
    rest = np.union1d(sets["train"], listed)
    train, validation, validation_by = split_validation(table, rest, by, size, seed)
    return Fold(train, validation, sets["test"], split, validation_by)
