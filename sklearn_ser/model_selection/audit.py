"""The leakage audit: which clips, speakers and texts training and test set share.

Leakage makes scores that nobody will meet again (Kapoor & Narayanan, "Leakage and the
reproducibility crisis in machine-learning-based science", Patterns 4(9), 2023).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sklearn_ser.exceptions import LeakageError
from sklearn_ser.model_selection.splits import Fold

__all__ = ["audit_split"]

_NAMED = 5  # examples in a sentence; the lists themselves are whole


def audit_split(
    table: pd.DataFrame,
    folds: Sequence[Fold],
    checksums: np.ndarray,
    audio: np.ndarray,
    noise: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Count what is on both sides of a split: clips, speakers, texts.

    Parameters
    ----------
    table : DataFrame
        The corpus.
    folds : sequence of Fold
        How it is split; one for a single test set. The training set includes the validation set
        here.
    checksums : ndarray of shape (n_clips,)
        A checksum of each file's bytes.
    audio : ndarray of shape (n_clips,)
        Equal for clips of the same samples, whatever the container, and for no others.
    noise : sequence of str, default=None
        A checksum of the bytes of each recording that training takes noise from.

    Returns
    -------
    findings : dict
        - split: what training and test set were meant not to share
        - n_clips, n_folds
        - bytes, audio: identical clips, each a dict of n_groups, n_clips (in those groups), n_test
          (test clips with a twin in the training set), n_contradictions (groups whose clips are
          labelled differently), and groups, a list of lists of paths, those with a twin in the
          training set first, at most 20. Files of the same bytes count as the same audio too.
        - speaker, text: None where the corpus does not tell, else a dict of n (how many there
          are), n_train, n_test, n_shared (on both sides of a fold), shared (their names, sorted),
          and n_test_clips (test clips whose speaker or text is in the training set)
        - noise: where training takes noise from recordings, a dict of n (how many), n_clips (of
          them that are clips of the corpus), n_test (clips of a test set), and paths of these
        - clean: whether no test clip has a twin or is used as noise
        - sentences: what all that means, a list of str
    - warnings: those of them that take from the scores, or ask for something to be done

    Raises
    ------
    LeakageError
        If a clip is in the training and in the test set of a fold, or a speaker or text that the
        split promises to keep apart: that would be a fault of this program.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from sklearn_ser.model_selection import Fold, audit_split
    >>> table = pd.DataFrame({"path": list("abc"), "emotion": ["sad", "sad", "happy"]})
    >>> fold = Fold(np.array([0, 2]), np.array([], int), np.array([1]), "random", None)
    >>> found = audit_split(table, [fold], np.array(["1", "1", "2"]), np.array(["1", "1", "2"]))
    >>> found["bytes"]["n_test"], found["bytes"]["groups"]
    (1, [['a', 'b']])
    """
    split = folds[0].split
    sides = [(np.concatenate([fold.train, fold.validation]), fold.test) for fold in folds]
    for train, test in sides:
        if len(both := np.intersect1d(train, test)):
            raise LeakageError(
                f"{len(both)} clips are in the training and in the test set, the first "
                f"{table['path'].iloc[both[0]]}: no score of this split means anything."
            )
    findings: dict[str, Any] = {
        "split": split,
        "n_clips": len(table),
        "n_folds": len(folds),
        "bytes": _find_twins(table, sides, checksums),
        "audio": _find_twins(table, sides, audio),
    }
    for column in ("speaker", "text"):
        shared = _find_shared(table, sides, column)
        findings[column] = shared
        if column in split.split("+") and shared is not None and shared["n_shared"]:
            raise LeakageError(
                f"The split keeps each {column} on one side, yet "
                f"{_list_names(shared['shared'])} are on both: no score of it means anything."
            )
    findings["clean"] = not findings["audio"]["n_test"]
    if noise is not None:
        found = _find_noise(table, sides, checksums, noise)
        findings |= {"noise": found, "clean": findings["clean"] and not found["n_test"]}
    described = _describe(findings, int(sum(len(test) for _, test in sides)))
    findings["sentences"] = [sentence for _, sentence in described]
    findings["warnings"] = [sentence for good, sentence in described if not good]
    return findings


Sides = list[tuple[np.ndarray, np.ndarray]]
Described = list[tuple[bool, str]]  # whether it is good, and a sentence


def _find_twins(table: pd.DataFrame, sides: Sides, keys: np.ndarray) -> dict[str, Any]:
    _, codes, counts = np.unique(keys, return_inverse=True, return_counts=True)
    torn: set[int] = set()
    n_test = 0
    for train, test in sides:
        twins = np.isin(codes[test], codes[train])
        n_test += int(twins.sum())
        torn |= set(codes[test][twins].tolist())
    groups = sorted(np.flatnonzero(counts > 1).tolist(), key=lambda code: code not in torn)
    members = [np.flatnonzero(codes == code) for code in groups]
    paths, emotions = table["path"].to_numpy(), table["emotion"].to_numpy()
    return {
        "n_groups": len(groups),
        "n_clips": int(sum(map(len, members))),
        "n_test": n_test,
        "n_contradictions": sum(len(set(emotions[rows])) > 1 for rows in members),
        "groups": [[str(path) for path in paths[rows]] for rows in members[:20]],
    }


def _find_shared(table: pd.DataFrame, sides: Sides, column: str) -> dict[str, Any] | None:
    if column not in table or table[column].isna().all():
        return None
    values = table[column].to_numpy(dtype=object)
    known = table[column].notna().to_numpy()
    trained: set[str] = set()
    tested: set[str] = set()
    shared: set[str] = set()
    n_test_clips = 0
    for train, test in sides:
        ours, theirs = (set(values[rows[known[rows]]].astype(str)) for rows in (train, test))
        trained, tested, shared = trained | ours, tested | theirs, shared | (ours & theirs)
        n_test_clips += int(np.isin(values[test[known[test]]].astype(str), list(ours)).sum())
    return {
        "n": len(trained | tested),
        "n_train": len(trained),
        "n_test": len(tested),
        "n_shared": len(shared),
        "shared": sorted(shared),
        "n_test_clips": n_test_clips,
    }


def _find_noise(
    table: pd.DataFrame, sides: Sides, checksums: np.ndarray, noise: Sequence[str]
) -> dict[str, Any]:
    heard = np.isin(checksums, list(noise))
    tested = np.unique(np.concatenate([test for _, test in sides]))
    leaks = tested[heard[tested]]
    return {
        "n": len(noise),
        "n_clips": int(np.isin(list(noise), checksums).sum()),
        "n_test": len(leaks),
        "paths": [str(path) for path in table["path"].to_numpy()[leaks][:20]],
    }


def _describe(findings: dict[str, Any], n_test: int) -> Described:
    return [
        *_describe_noise(findings, n_test),
        *_describe_twins(findings, n_test),
        *_describe_shared(findings, "speaker"),
        *_describe_shared(findings, "text"),
    ]


def _describe_twins(findings: dict[str, Any], n_test: int) -> Described:
    audio, same_bytes = findings["audio"], findings["bytes"]
    if not audio["n_groups"]:
        return [(True, f"No two of the {findings['n_clips']} clips hold the same audio.")]
    pair = " = ".join(Path(path).name for path in audio["groups"][0][:3])
    if audio["n_test"]:
        sentence = (
            f"{audio['n_test']} of {n_test} test clips hold the same audio as a clip of the "
            f"training set ({same_bytes['n_test']} of them the same bytes), such as {pair}: the "
            "scores flatter. Remove the copies."
        )
    else:
        sentence = (
            f"{audio['n_clips']} clips hold the audio of another, such as {pair}, but no test clip "
            "that of a training clip: they count more than once, and leak nothing."
        )
    described = [(not audio["n_test"], sentence)]
    if audio["n_contradictions"]:
        sentence = (
            f"{audio['n_contradictions']} groups of clips of the same audio are labelled with "
            "different emotions: listen to them, and correct the labels."
        )
        described.append((False, sentence))
    return described


def _describe_noise(findings: dict[str, Any], n_test: int) -> Described:
    found = findings.get("noise")
    if not found or not found["n_clips"]:
        return []
    if not found["n_test"]:
        sentence = (
            f"{found['n_clips']} recordings of noise are speech of the training set: remove them "
            "from the folder of noise."
        )
        return [(False, sentence)]
    names = _list_names([Path(path).name for path in found["paths"]])
    sentence = (
        f"{found['n_test']} of {n_test} test clips are in the folder of noise that training uses "
        f"({names}): the training set holds speech of the test set, so the scores flatter. Remove "
        "them from the folder."
    )
    return [(False, sentence)]


def _describe_shared(findings: dict[str, Any], column: str) -> Described:
    found = findings[column]
    if found is None:
        sentence = (
            f"The corpus does not name its {column}s, so those of the test set may be in the "
            "training set too."
        )
        return [(False, sentence)]
    if not found["n_shared"]:
        return [(True, f"No {column} is on both sides: the scores are for unseen {column}s.")]
    meant = f"so the scores say little about unseen {column}s"
    if column == "text" and findings["speaker"] is not None and not findings["speaker"]["n_shared"]:
        meant = "though from other speakers"
    sentence = (
        f"{found['n_shared']} of {found['n_test']} {column}s of the test set "
        f"({_list_names(found['shared'])}) are in the training set too, {meant}."
    )
    return [(False, sentence)]


def _list_names(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
