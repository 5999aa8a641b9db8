"""Journal of a search: its finished candidates, so that an interrupted search goes on."""

import json
import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sklearn_ser._files import open_to_append, read_regular

__all__ = ["Journal", "name_candidate"]

_MAX_BYTES = 100_000_000


class Journal:
    """The scores of candidates, a line of JSON each.

    Parameters
    ----------
    folder : Path or None
        Where to keep it; `None` keeps nothing.
    key : str
        All that decides the scores but the candidates themselves, as a name of a file.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from sklearn_ser.model_selection._journal import Journal
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Journal(Path(folder), "key").add({"clf__C": 1}, {"mean_test_score": 0.5})
    ...     Journal(Path(folder), "key").get({"clf__C": 1})
    {'mean_test_score': 0.5}
    """

    def __init__(self, folder: Path | None, key: str):
        self.file = None if folder is None else folder / f"{key}.jsonl"
        self.rows = {} if self.file is None else _read(self.file)

    def get(self, params: Mapping[str, Any]) -> dict[str, float] | None:
        """Return the scores of a candidate, or None."""
        return self.rows.get(name_candidate(params))

    def add(self, params: Mapping[str, Any], row: Mapping[str, float]) -> None:
        """Keep the scores of a candidate, if there is a place to keep them."""
        self.rows[name_candidate(params)] = dict(row)
        if self.file is None:
            return
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            with open_to_append(self.file) as file:
                line = json.dumps([name_candidate(params), dict(row)]) + "\n"
                file.write(line.encode())
        except OSError:  # a full disk costs the memory of a search, not the search
            self.file = None

    def drop(self) -> None:
        """Remove it: the search is through."""
        if self.file is not None and self.file.exists():
            os.unlink(self.file)


def _read(file: Path) -> dict[str, dict[str, float]]:
    """Return the scores in a journal by candidate, without lines that are none of ours."""
    try:
        lines = read_regular(file, _MAX_BYTES).splitlines()
    except OSError:
        return {}
    rows: dict[str, dict[str, float]] = {}
    n_unreadable = 0
    for i, line in enumerate(lines):
        try:
            name, row = _check(json.loads(line))
        except (ValueError, RecursionError):
            # The last line of a process that was killed may be cut short.
            n_unreadable += i < len(lines) - 1
            continue
        rows[name] = row
    if n_unreadable:
        warnings.warn(
            f"{file} holds {n_unreadable} lines that this program did not write; their candidates "
            "are tried again.",
            stacklevel=4,
        )
    return rows


def _check(document: Any) -> tuple[str, dict[str, float]]:
    """Return name and scores of a candidate; raise `ValueError` for a document of other shape."""
    if not isinstance(document, list) or len(document) != 2:
        raise ValueError("no pair of name and scores")
    name, row = document
    if not isinstance(name, str) or not isinstance(row, dict) or "mean_test_score" not in row:
        raise ValueError("no name, or no scores")
    if not all(isinstance(value, float | int) for value in row.values()):
        raise ValueError("scores that are no numbers")
    return name, row


def name_candidate(params: Mapping[str, Any]) -> str:
    """Return what to call a candidate, such as `clf__C=10`."""
    return ", ".join(f"{name}={value!r}" for name, value in sorted(params.items()))
