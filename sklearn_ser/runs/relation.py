"""What the clips of an evaluation are to a model: seen, of its corpus, or of another."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from sklearn_ser.exceptions import CorpusError
from sklearn_ser.runs.corpus import RunCorpus

__all__ = ["relate"]


def relate(
    corpus: RunCorpus, classes: np.ndarray, card: Mapping[str, Any], seen: list[str], data: str
) -> tuple[np.ndarray, dict[str, Any], list[str]]:
    """Say which clips a model can be scored on, and what that score is.

    Parameters
    ----------
    corpus : RunCorpus
    classes : ndarray of shape (n_classes,)
        The emotions the model knows.
    card : mapping
        The card of the model.
    seen : list of str
        Checksums of the clips it was fitted on, as far as that is known.
    data : str
        What the user calls the corpus.

    Returns
    -------
    known : ndarray of shape (n_clips,), bool
        Which clips have an emotion that the model knows.
    relation : dict
        split: "seen in training", "cross-corpus" where no corpus is on both sides, or "none";
        n_seen, the clips fitted on; corpora, a dict of the lists model and data; and left_out, a
        dict of data, how many clips there are of each emotion that the model does not know, and
        model, the emotions it knows of which there is no clip.
    notes : list of str
        What the reader of the scores must know.

    Raises
    ------
    CorpusError
        If there is no clip of an emotion that the model knows.
    """
    classes = np.asarray(classes).astype(str)
    known = np.isin(corpus.emotions, classes)
    unknown, counts = np.unique(corpus.emotions[~known], return_counts=True)
    absent = sorted(set(classes) - set(corpus.emotions))
    notes = []
    if len(unknown):
        notes.append(
            f"{counts.sum()} clips are left out: the model does not know {', '.join(unknown)}; it "
            f"knows {', '.join(classes)}."
        )
    if not known.any():
        raise CorpusError(f"No clip of {data} has an emotion that the model knows: {notes[0]}")
    if absent:
        notes.append(
            f"No clip is {' or '.join(absent)}, which the model knows too: they have no recall and "
            "do not count in UAR, but the model may answer them, wrongly."
        )
    ours = sorted(set(corpus.table["corpus"].dropna().astype(str)))
    theirs = list(card.get("data", {}).get("corpora", []))
    n_seen = int(np.isin(corpus.checksums[known], seen).sum())
    split = "none"
    if n_seen:
        split = "seen in training"
        notes.append(
            f"{n_seen} of these {known.sum()} clips were seen in training, so the scores say "
            "little about new clips. Those of the run itself do."
        )
    elif ours and theirs and not set(ours) & set(theirs):
        split = "cross-corpus"
        notes.append(
            f"A cross-corpus score: the model learned from {', '.join(theirs)} and is asked about "
            f"{', '.join(ours)}: other speakers, rooms, texts and ideas of each emotion. It is not "
            "to be compared with scores within one corpus."
        )
    relation = {
        "split": split,
        "n_seen": n_seen,
        "corpora": {"model": theirs, "data": ours},
        "left_out": {
            "data": {str(k): int(n) for k, n in zip(unknown, counts, strict=True)},
            "model": absent,
        },
    }
    return known, relation, notes
