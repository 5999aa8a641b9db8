"""Options of a run, and its progress callback."""

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from sklearn_ser._files import printable

__all__ = [
    "Progress",
    "RunOptions",
    "command_of",
    "data_name",
    "name_of_folds",
    "silent",
]

PATHS = ("noise", "folds_from")  # options that name a file or folder of this machine
Progress = Callable[[str, int, int, str], None]  # stage, steps done, their total, a detail


@dataclass(frozen=True)
class RunOptions:
    """Options of a run, with the command line's names and defaults.

    Names of classifier and split may be given in upper or lower case.
    """

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
    noise: Path | None = None  # folder of recordings
    stress: bool = False
    adapt: str = "none"  # or the column whose groups are z-scored
    cache: Path | None = None
    emotions: str | None = None  # names joined by commas
    map: str | None = None  # label=emotion, joined by commas
    folds_from: str | None = None  # published folds, in the place of split and folds
    folds: int | str | None = None  # how many, or "all"; None is one test set
    report_audio: bool | None = None  # None leaves it to the licences of the corpora

    def __post_init__(self) -> None:
        for name in ("clf", "split", "adapt"):
            object.__setattr__(self, name, getattr(self, name).strip().lower())


def silent(stage: str, done: int, total: int, detail: str) -> None:
    """Show no progress."""


def data_name(data: str) -> str:
    """Return what to call the data in names of runs: no path of this machine."""
    return printable("+".join(Path(name.strip()).stem or "data" for name in data.split(",")))


def command_of(name: str, options: RunOptions, **more: Any) -> str:
    """Return the command line that makes a run, without the folders of this machine.

    Parameters
    ----------
    name : str
        The command.
    options : RunOptions
    **more
        Options that the command has under other names; `None` leaves one out.

    Examples
    --------
    >>> from sklearn_ser.runs.options import RunOptions, command_of
    >>> options = RunOptions("corpora/mine", clf="rf", params={"clf__n_estimators": 9})
    >>> command_of("fit", options).partition(" ")[2].replace("--", "")
    'fit data mine clf rf param clf__n_estimators=9'
    """
    data = ",".join(Path(one.strip()).name for one in options.data.split(","))
    given: dict[str, Any] = {"data": data, "clf": options.clf} | {
        field.name: getattr(options, field.name)
        for field in fields(options)
        if field.name not in ("data", "clf", "params", "out", "cache", "n_jobs", "report_audio")
        and getattr(options, field.name) != field.default
    }
    params = [f"{key}={value}" for key, value in options.params.items()]
    words = ["sklearn-ser", name]
    for key, value in (given | {"param": params} | more).items():
        for one in value if isinstance(value, list) else [value]:
            if one is None:
                continue
            words.append(f"--{key.replace('_', '-')}")
            if one is not True:
                words.append(shlex.quote(Path(one).name if key in PATHS else str(one)))
    if options.report_audio is not None:
        words.append(f"--{'report' if options.report_audio else 'no'}-audio")
    return " ".join(words)


def name_of_folds(folds_from: str) -> str:
    """Return what scores call published folds, in the place of a split: no path of this machine."""
    return f"folds of {data_name(folds_from)}".lower()
