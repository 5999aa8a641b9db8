"""What a run is told, and whom it tells how far it is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["Progress", "RunOptions", "data_name", "silent"]

Progress = Callable[[str, int, int, str], None]  # stage, steps done, their total, a detail


@dataclass(frozen=True)
class RunOptions:
    """What a run is told, with the command line's names and defaults."""

    data: str
    clf: str = "svm"
    features: str | None = None
    split: str = "random"
    test_size: float = 0.2
    validation_size: float = 0.1
    params: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    out: Path | None = None
    n_jobs: int | None = None
    on_error: str = "stop"
    refit: bool = False
    calibrate: bool = False
    augment: str | None = None  # names joined by commas
    normalize_speakers: bool = False
    cache: Path | None = None
    folds: int | str | None = None  # how many, or "all"; None is one test set


def silent(stage: str, done: int, total: int, detail: str) -> None:
    """Show no progress."""


def data_name(data: str) -> str:
    """Return what to call the data in names of runs: no path of this machine."""
    return "+".join(Path(part.strip()).stem or "data" for part in data.split(","))
