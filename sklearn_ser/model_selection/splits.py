"""Which clips train, which choose the epoch, which are the test: and what no two parts share."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from sklearn_ser.classifiers._holdout import hold_out
from sklearn_ser.exceptions import CorpusError, OptionError

__all__ = ["SPLITS", "TRANSDUCTIVE", "Parts", "divide"]

SPLITS = {
    "random": "clips of the same speakers and texts on both sides",
    "speaker": "no speaker on both sides",
    "text": "no text on both sides",
    "speaker+text": "neither speaker nor text on both sides; clips that share one are left out",
}

TRANSDUCTIVE = (
    "Transductive: the features of test speakers are z-scored by statistics of all their own test "
    "clips, which a score on single clips does without."
)


@dataclass(frozen=True)
class Parts:
    """The three parts of a corpus, as positions in its table, and how they came about.

    Attributes
    ----------
    train, validation, test : ndarray of int
        Positions, ascending; `validation` may be empty.
    split : str
        What training and test part do not share.
    validation_by : str or None
        What training and validation part do not share: "speaker", "text", or "random".
    """

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    split: str
    validation_by: str | None


def divide(
    table: pd.DataFrame,
    split: str = "random",
    *,
    test_size: float = 0.2,
    validation_size: float = 0.1,
    seed: int = 0,
) -> Parts:
    """Divide a corpus in training, validation and test part.

    Parameters
    ----------
    table : DataFrame
        A corpus with the column emotion, and speaker or text where the split asks for them.
    split : {"random", "speaker", "text", "speaker+text"}, default="random"
        What training and test part must not share.
    test_size : float, default=0.2
        Share of the clips, speakers or texts in the test part.
    validation_size : float, default=0.1
        Share of the rest in the validation part; 0 leaves it empty. The part mirrors the split:
        by speaker if that is the split's and two are left to train on, else by text, else random.
    seed : int, default=0

    Returns
    -------
    parts : Parts

    Raises
    ------
    CorpusError
        If the corpus has too few emotions, clips, speakers or texts for that.
    OptionError
        If `split` is not known or a size is not between 0 and 1.
    """
    if split not in SPLITS:
        raise OptionError(f"Unknown split {split!r}: there are {', '.join(SPLITS)}.")
    if not 0 < test_size < 1 or not 0 <= validation_size < 1:
        raise OptionError("--test-size and --validation-size are shares between 0 and 1.")
    check_emotions(table)
    emotion = table["emotion"].to_numpy()
    if split == "random":
        rest, test = hold_out(emotion, test_size, random_state=seed)
    elif split == "speaker+text":
        _, by_speaker = hold_out(
            emotion, test_size, groups=groups_of(table, "speaker"), random_state=seed
        )
        _, by_text = hold_out(
            emotion, test_size, groups=groups_of(table, "text"), random_state=seed
        )
        everything = np.arange(len(table))
        test = np.intersect1d(by_speaker, by_text)
        rest = np.setdiff1d(everything, np.union1d(by_speaker, by_text))
    else:
        rest, test = hold_out(emotion, test_size, groups=groups_of(table, split), random_state=seed)
    if not len(test) or not len(rest):
        raise CorpusError(
            f"{len(table)} clips are too few for a {split} split: add clips, or change --test-size."
        )
    lone = sorted(set(emotion[test]) - set(emotion[rest]))
    if lone:
        raise CorpusError(
            f"All clips of {', '.join(map(repr, lone))} fall into the test part, so nothing can "
            "learn them: add clips, leave the emotion out, or try another --seed."
        )
    train, validation, by = spare_validation(table, rest, split, validation_size, seed)
    return Parts(train, validation, test, split, by)


def spare_validation(
    table: pd.DataFrame, rest: np.ndarray, split: str, size: float, seed: int
) -> tuple[np.ndarray, np.ndarray, str | None]:
    """Divide what is not tested in training and validation part, and say by what."""
    if not size:
        return rest, rest[:0], None
    emotion = table["emotion"].to_numpy()[rest]
    for column in ("speaker", "text"):
        if column in split or (column == "text" and split != "random"):
            groups = table[column].iloc[rest] if column in table else pd.Series(dtype=object)
            if groups.notna().all() and groups.nunique() >= 2:
                kept, aside = hold_out(
                    emotion, size, groups=groups.to_numpy().astype(str), random_state=seed
                )
                if set(emotion[aside]) <= set(emotion[kept]):
                    return rest[kept], rest[aside], column
    kept, aside = hold_out(emotion, size, random_state=seed)
    return rest[kept], rest[aside], "random" if len(aside) else None


def groups_of(table: pd.DataFrame, column: str) -> np.ndarray:
    """Return the speaker or text of each clip, or raise `CorpusError` where it is not known."""
    if column not in table or table[column].isna().all():
        raise CorpusError(
            f"The corpus has no {column}s, which a split by {column} needs: add a column {column} "
            "to its CSV, or choose a random split."
        )
    missing = table[column].isna()
    if missing.any():
        raise CorpusError(
            f"{missing.sum()} clips have no {column}, which a split by {column} needs, the first "
            f"of them {table['path'][missing].iloc[0]}: add it, or choose a random split."
        )
    groups = table[column].to_numpy().astype(str)
    if len(np.unique(groups)) < 2:
        raise CorpusError(
            f"The corpus has one {column} only, so a split by {column} leaves nothing to train on: "
            "add another, or choose a random split."
        )
    return groups


def check_emotions(table: pd.DataFrame) -> None:
    """Raise `CorpusError` for a corpus that no classifier can learn from."""
    counts: Any = table["emotion"].value_counts()
    if len(counts) < 2:
        raise CorpusError(
            f"The corpus has one emotion only, {counts.index[0]!r}: a classifier needs at least "
            "two."
        )
    single = counts[counts < 2]
    if len(single):
        raise CorpusError(
            f"Only one clip is there of {', '.join(map(repr, single.index))}: it cannot be in "
            "training and test part both. Add clips, or leave the emotion out."
        )
