"""What a search has finished, kept until it is through, so that it can go on when stopped."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["Journal", "name_candidate"]


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
        self.rows: dict[str, dict[str, Any]] = {}
        if self.file is None:
            return
        try:
            lines = self.file.read_text(encoding="utf-8").splitlines()
        except OSError:
            return
        for line in lines:
            try:
                params, row = json.loads(line)
            except ValueError:  # the last line of a process that was killed
                continue
            self.rows[params] = row

    def get(self, params: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return what was found of a candidate, or None."""
        return self.rows.get(name_candidate(params))

    def add(self, params: Mapping[str, Any], row: Mapping[str, Any]) -> None:
        """Keep what was found of a candidate, if there is a place to keep it."""
        self.rows[name_candidate(params)] = dict(row)
        if self.file is None:
            return
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            with open(self.file, "a", encoding="utf-8") as file:
                file.write(json.dumps([name_candidate(params), dict(row)]) + "\n")
        except OSError:  # a full disk costs the memory of a search, not the search
            self.file = None

    def drop(self) -> None:
        """Forget it all: the search is through."""
        if self.file is not None and self.file.exists():
            os.unlink(self.file)


def name_candidate(params: Mapping[str, Any]) -> str:
    """Return what to call a candidate, such as `clf__C=10`."""
    return ", ".join(f"{name}={value!r}" for name, value in sorted(params.items()))
