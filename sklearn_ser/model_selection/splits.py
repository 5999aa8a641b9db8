"""Training, validation and test set of a corpus: one split, or several folds in turn."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from sklearn.model_selection import GroupKFold, LeaveOneGroupOut, StratifiedKFold
from sklearn.pipeline import Pipeline

from sklearn_ser.classifiers._holdout import hold_out
from sklearn_ser.exceptions import CorpusError, OptionError
from sklearn_ser.pipelines import find_name

__all__ = [
    "SPLITS",
    "TRANSDUCTIVE",
    "Fold",
    "Subset",
    "groups_of",
    "mirrored_columns",
    "split_corpus",
    "split_folds",
    "split_validation",
]

ALL = "all"

SPLITS = {
    "random": "the same speakers and texts may be on both sides",
    "speaker": "no speaker on both sides",
    "text": "no text on both sides",
    "speaker+text": "neither speaker nor text on both sides; clips that share one are left out",
    "corpus": "no corpus on both sides",
}

# What metrics.json and cards call the names that a test set holds alone.
TEST_GROUPS = {"speaker": "test_speakers", "text": "test_texts", "corpus": "test_corpora"}

TRANSDUCTIVE = (
    "Transductive: the features of test clips are z-scored by statistics of all test clips of "
    "their speaker, corpus or recording, which a score on single clips does without."
)


@dataclass(frozen=True)
class Fold:
    """Training, validation and test set, as positions in the table of a corpus.

    Attributes
    ----------
    train, validation, test : ndarray of int
        Positions, ascending; `validation` may be empty.
    split : str
        What training and test set do not share.
    validation_by : str or None
        What training and validation set do not share: "speaker", "text", or "random".
    """

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    split: str
    validation_by: str | None


@dataclass(frozen=True)
class Subset:
    """Some clips of a corpus: all that a trainer is given of it.

    Attributes
    ----------
    rows : ndarray of shape (n_clips,), int
        Positions in the corpus, ascending.
    table : DataFrame of n_clips rows
        The rows of these clips and of no others: path, emotion, and speaker and text where they are
        known.
    extract : callable
        From a pipeline to the features of these clips, of shape (n_clips, ...).
    checksums : ndarray of shape (n_clips,), str, or None
        SHA-256 of each file, where it is known.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from sklearn_ser.model_selection import Subset
    >>> table = pd.DataFrame({"path": ["a.wav", "b.wav"], "emotion": ["sad", "happy"]})
    >>> Subset(np.array([3, 5]), table, lambda pipeline: np.ones((2, 4))).y.tolist()
    ['sad', 'happy']
    """

    rows: np.ndarray
    table: pd.DataFrame
    extract: Callable[[Pipeline], np.ndarray]
    checksums: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def path(self) -> list[str]:
        """The file of each clip."""
        return self.table["path"].tolist()

    @property
    def y(self) -> np.ndarray:
        """The emotion of each clip, an array of str."""
        return self.table["emotion"].to_numpy().astype(str)

    @property
    def speaker(self) -> np.ndarray | None:
        """Who speaks in each clip, or None where the corpus does not say."""
        return self.table["speaker"].to_numpy() if "speaker" in self.table else None

    def X(self, pipeline: Pipeline) -> np.ndarray:  # noqa: N802  as in scikit-learn
        """Return the features that the steps audio and features of a pipeline compute."""
        return self.extract(pipeline)

    def __or__(self, other: "Subset") -> "Subset":
        """Return the clips of both, in the order of the corpus."""
        if not len(other):
            return self
        rows = np.concatenate([self.rows, other.rows])
        order = np.argsort(rows, kind="stable")
        table = pd.concat([self.table, other.table], ignore_index=True)

        def extract(pipeline: Pipeline) -> np.ndarray:
            return np.concatenate([self.X(pipeline), other.X(pipeline)])[order]

        checksums = None
        if self.checksums is not None and other.checksums is not None:
            checksums = np.concatenate([self.checksums, other.checksums])[order]
        table = table.iloc[order].reset_index(drop=True)
        return Subset(rows[order], table, extract, checksums)

    def take(self, rows: np.ndarray) -> "Subset":
        """Return some of these clips, given by their positions here."""
        return Subset(
            self.rows[rows],
            self.table.iloc[rows].reset_index(drop=True),
            lambda pipeline: self.X(pipeline)[rows],
            None if self.checksums is None else self.checksums[rows],
        )


def split_corpus(
    table: pd.DataFrame,
    split: str = "random",
    *,
    test_size: float = 0.2,
    validation_size: float = 0.1,
    seed: int = 0,
) -> Fold:
    """Split a corpus into training, validation and test set.

    Parameters
    ----------
    table : DataFrame
        A corpus with the column emotion, and speaker or text where the split asks for them.
    split : {"random", "speaker", "text", "speaker+text", "corpus"}, default="random"
        What training and test set must not share.
    test_size : float, default=0.2
        Share of the clips, speakers or texts in the test set.
    validation_size : float, default=0.1
        Share of the rest in the validation set; 0 leaves it empty. It mirrors the split:
        by speaker if that is the split's and two are left to train on, else by text, else random.
    seed : int, default=0

    Returns
    -------
    fold : Fold

    Raises
    ------
    CorpusError
        If the corpus has too few emotions, clips, speakers or texts for that.
    OptionError
        If `split` is not known or a size is not between 0 and 1.
    """
    split = find_name(split, SPLITS, "split")
    if not 0 < test_size < 1 or not 0 <= validation_size < 1:
        raise OptionError("`test_size` and `validation_size` are shares between 0 and 1.")
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
            f"{len(table)} clips are too few for a {split} split: add clips, or change `test_size`."
        )
    lone = sorted(set(emotion[test]) - set(emotion[rest]))
    if lone:
        raise CorpusError(
            f"All clips of {', '.join(map(repr, lone))} fall into the test set, so nothing can "
            "learn them: add clips, leave the emotion out, or try another `seed`."
        )
    train, validation, by = split_validation(table, rest, split, validation_size, seed)
    return Fold(train, validation, test, split, by)


def split_folds(
    table: pd.DataFrame,
    split: str = "random",
    n_folds: int | str = 5,
    *,
    validation_size: float = 0.1,
    seed: int = 0,
) -> list[Fold]:
    """Split a corpus into folds, each of which is the test set once.

    Parameters
    ----------
    table : DataFrame
        A corpus with the column emotion, and speaker or text where the split asks for them.
    split : {"random", "speaker", "text", "speaker+text", "corpus"}, default="random"
        What training and test set of a fold must not share. Folds by speaker and text cross: each
        fold of speakers is tested on each fold of texts, by a classifier that knows neither, which
        takes the product of their numbers in fits.
    n_folds : int or "all", default=5
        How many folds, fewer where there are fewer speakers or texts; `"all"` leaves each speaker,
        text or corpus out once.
    validation_size : float, default=0.1
        Share of each training set in its validation set, as for :func:`split_corpus`.
    seed : int, default=0

    Returns
    -------
    folds : list of Fold
        Their test sets hold each clip once.

    Raises
    ------
    CorpusError
        If the corpus lacks the column, or has too few clips of an emotion for any folds.
    OptionError
        If `split` or `n_folds` make no sense.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn_ser.model_selection import split_folds
    >>> table = pd.DataFrame({"emotion": list("abab"), "speaker": list("xxyy")})
    >>> [fold.test.tolist() for fold in split_folds(table, "speaker", "all")]
    [[0, 1], [2, 3]]
    """
    split = find_name(split, SPLITS, "split")
    if not (n_folds == ALL or (isinstance(n_folds, int) and n_folds >= 2)):
        raise OptionError(
            f"`folds={n_folds}`: give a number from 2 on, or all, which leaves each speaker or "
            "text out once."
        )
    check_emotions(table)
    everything = np.arange(len(table))
    tests = [_test_sets(table, column, n_folds, seed) for column in split.split("+")]
    folds = []
    for crossed in product(*tests):
        test = everything
        rest = everything
        for part in crossed:
            test, rest = np.intersect1d(test, part), np.setdiff1d(rest, part)
        if not len(test):  # nobody of these speakers says any of these texts
            continue
        if not len(rest):
            raise CorpusError(
                f"A fold of a {split} split leaves nothing to train on: choose more folds."
            )
        if not set(table["emotion"].iloc[test]) & set(table["emotion"].iloc[rest]):
            raise CorpusError(
                f"A fold of a {split} split has no emotion in training and test set both: choose "
                "clips with `emotions`, or other data."
            )
        train, validation, by = split_validation(table, rest, split, validation_size, seed)
        folds.append(Fold(train, validation, test, split, by))
    return folds


def _test_sets(table: pd.DataFrame, column: str, n_folds: int | str, seed: int) -> list[np.ndarray]:
    """Return the clips of each fold of speakers, of texts, or of no one in particular."""
    emotion = table["emotion"].to_numpy()
    if column == "random":
        if n_folds == ALL:
            raise OptionError(
                "`folds=all` leaves one speaker or text out at a time: give a number of folds for "
                "a random split."
            )
        n_folds = min(int(n_folds), int(table["emotion"].value_counts().min()))
        splitter = StratifiedKFold(n_folds, shuffle=True, random_state=seed)
        return [test for _, test in splitter.split(emotion, emotion)]
    groups = groups_of(table, column)
    if n_folds == ALL:
        return [test for _, test in LeaveOneGroupOut().split(emotion, emotion, groups)]
    n_folds = min(int(n_folds), len(np.unique(groups)))
    by_group = GroupKFold(n_folds, shuffle=True, random_state=seed)
    return [np.sort(test) for _, test in by_group.split(emotion, emotion, groups)]


def split_validation(
    table: pd.DataFrame, rest: np.ndarray, split: str, size: float, seed: int
) -> tuple[np.ndarray, np.ndarray, str | None]:
    """Split some clips into training and validation set.

    Parameters
    ----------
    table : DataFrame
        The corpus.
    rest : ndarray of int
        Positions of the clips to split.
    split : str
        What the test set does not share with them; the validation set mirrors it where it can.
    size : float
        Share of the clips, speakers or texts in the validation set; 0 leaves it empty.
    seed : int

    Returns
    -------
    train, validation : ndarray of int
        Positions in the table, ascending.
    by : str or None
        What they do not share: "speaker", "text", or "random".
    """
    if not size:
        return rest, rest[:0], None
    emotion = table["emotion"].to_numpy()[rest]
    for column in mirrored_columns(split):
        groups = table[column].iloc[rest] if column in table else pd.Series(dtype=object)
        if groups.notna().all() and groups.nunique() >= 2:
            kept, aside = hold_out(
                emotion, size, groups=groups.to_numpy().astype(str), random_state=seed
            )
            if set(emotion[aside]) <= set(emotion[kept]):
                return rest[kept], rest[aside], column
    kept, aside = hold_out(emotion, size, random_state=seed)
    return rest[kept], rest[aside], "random" if len(aside) else None


def mirrored_columns(split: str) -> list[str]:
    """Return what sets within the training set should not share either, the most wanted first.

    Where one speaker is left to train on, different texts are the next best.
    """
    if split == "random":
        return []
    if split == "corpus":  # corpora are few, and differ from each other more than speakers do
        return ["speaker", "text"]
    return [column for column in ("speaker", "text") if column in split or column == "text"]


def groups_of(table: pd.DataFrame, column: str) -> np.ndarray:
    """Return the speaker or text of each clip, or raise `CorpusError` where it is not known."""
    if column == "corpus" and table[column].nunique() < 2:
        raise CorpusError(
            "A corpus split leaves one corpus out at a time, and the data are one corpus: give "
            "two or more, joined by commas."
        )
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
            "training and test set both. Add clips, or leave the emotion out."
        )
