"""Summary of a corpus: counts, and durations and sampling rates from the headers."""

from collections import Counter
from typing import Any

import numpy as np
import pandas as pd

from sklearn_ser.audio.header import read_header
from sklearn_ser.corpora._registry import readers


def summarise(table: pd.DataFrame) -> dict[str, Any]:
    """Describe a corpus.

    Only the files' headers are read, never the audio.

    Parameters
    ----------
    table : pandas.DataFrame of shape (n_clips, n_columns)
        From `load_corpus` or `load_data`.

    Returns
    -------
    dict
        `clips` (how many), `emotions`, `speakers` and `sexes` (how many clips of each), `corpora`
        (clips, title, language, licence, citation of each), `texts` (how many different ones),
        `seconds` (a dict of `total`, `shortest`, `median`, `longest`, None where no file is
        readable), `sampling_rates` (Hz, how many clips of each), `unreadable`, `left_out` and
        `copies` (lists of paths).
    """
    seconds: list[float] = []
    rates: Counter[int] = Counter()
    unreadable = []
    for path in table["path"]:
        header = read_header(path)
        if header is None:
            unreadable.append(path)
        else:
            seconds.append(header.seconds)
            rates[header.rate] += 1
    return {
        "clips": len(table),
        "emotions": _counts(table["emotion"]),
        "speakers": _counts(table["speaker"]),
        "sexes": _counts(table["sex"]),
        "texts": int(table["text"].nunique()),
        "corpora": _corpora(table),
        "seconds": {
            "total": float(np.sum(seconds)),
            "shortest": float(np.min(seconds)),
            "median": float(np.median(seconds)),
            "longest": float(np.max(seconds)),
        }
        if seconds
        else None,
        "sampling_rates": dict(sorted(rates.items())),
        "unreadable": unreadable,
        "left_out": table.attrs.get("left_out", []),
        "copies": table.attrs.get("copies", []),
    }


def _counts(column: pd.Series) -> dict[str, int]:
    return {str(value): int(n) for value, n in column.value_counts().sort_index().items()}


def _corpora(table: pd.DataFrame) -> dict[str, dict[str, Any]]:
    known = readers()
    return {
        name: {"clips": clips}
        | {
            field: getattr(known[name], field) if name in known else None
            for field in ("title", "language", "licence", "citation")
        }
        for name, clips in _counts(table["corpus"]).items()
    }
