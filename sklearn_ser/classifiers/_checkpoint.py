"""Checkpoints of a training: its state after the last epoch, for a fit that was interrupted."""

import hashlib
import json
import os
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from sklearn_ser._files import open_regular, staged
from sklearn_ser.exceptions import OptionError

__all__ = ["Checkpoint", "TrainingState", "identify"]


class TrainingState(NamedTuple):
    """How far a training has come.

    Attributes
    ----------
    rows : list of dict
        The history, a row per epoch.
    variables : list of ndarray
        Everything that training changes: weights, seeds of dropout, and the optimizer's moments.
    best : list of ndarray
        The weights of the best epoch so far.
    """

    rows: list[dict]
    variables: list[np.ndarray]
    best: list[np.ndarray]


class Checkpoint:
    """One file that holds a `TrainingState`, whole or not at all.

    Parameters
    ----------
    path : str or Path
        The file, an `.npz` without pickles.
    identity : str
        A checksum of network, data and parameters: the state of another fit is refused.
    """

    def __init__(self, path: str | os.PathLike, identity: str):
        self.path = Path(path)
        self.identity = identity

    def save(self, state: TrainingState) -> None:
        """Write the state beside the last one, then in its place."""
        about = json.dumps({"identity": self.identity, "rows": state.rows})
        arrays: dict[str, Any] = {"about": np.array(about)}
        arrays |= {f"variable_{i}": value for i, value in enumerate(state.variables)}
        arrays |= {f"best_{i}": value for i, value in enumerate(state.best)}
        with staged(self.path) as ready, open(ready, "wb") as file:
            np.savez(file, **arrays)

    def load(self) -> TrainingState | None:
        """Return the state that was saved, or None where there is none yet.

        Raises
        ------
        OptionError
            If the file belongs to another fit, or is none of ours.
        """
        try:
            with open_regular(self.path) as file, np.load(file, allow_pickle=False) as arrays:
                about = json.loads(str(arrays["about"]))
                identity, rows = about["identity"], about["rows"]
                if not (isinstance(rows, list) and all(isinstance(row, dict) for row in rows)):
                    raise ValueError("its history is no list of epochs")
                saved = {
                    kind: [arrays[f"{kind}_{i}"] for i in range(_count(arrays.files, kind))]
                    for kind in ("variable", "best")
                }
        except FileNotFoundError:
            return None
        except (
            *(OSError, ValueError, KeyError, TypeError, AttributeError),
            *(RecursionError, EOFError, zipfile.BadZipFile),
        ) as error:
            raise OptionError(
                f"{self.path} is not a checkpoint that can be read ({error}): remove it to start "
                "the fit anew."
            ) from error
        if identity != self.identity:
            raise OptionError(
                f"{self.path} belongs to a fit with other data or parameters: remove it to start "
                "anew, or give those of the first fit."
            )
        return TrainingState(rows, saved["variable"], saved["best"])


def _count(names: list[str], kind: str) -> int:
    return sum(name.startswith(f"{kind}_") for name in names)


def identify(architecture: str, parameters: dict[str, Any], *arrays: np.ndarray) -> str:
    """Return a checksum of all that decides how a training goes."""
    checksum = hashlib.sha256(architecture.encode())
    checksum.update(repr(sorted(parameters.items(), key=str)).encode())
    for array in arrays:
        checksum.update(str((array.shape, array.dtype.str)).encode())
        checksum.update(np.ascontiguousarray(array).tobytes())
    return checksum.hexdigest()
