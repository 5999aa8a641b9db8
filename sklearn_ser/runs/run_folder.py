"""The folder of a run: hidden while it is written, renamed when it is complete."""

import ast
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from sklearn_ser._files import locked, read_regular, rename_folder, umask
from sklearn_ser.exceptions import OptionError, OutputError, UnfinishedError
from sklearn_ser.runs.options import RunOptions

__all__ = ["forget_options", "new_folder", "read_options", "write_options", "writing"]

CHECKPOINTS = "checkpoint-*.npz"  # the states of networks in training
OPTIONS = "options.json"  # what `resume` goes on with

_MAX_BYTES = 1_000_000  # of such options


@contextmanager
def new_folder(
    wanted: Path | None, name: str, *, go_on: bool = False
) -> Iterator[tuple[Path, Path]]:
    """Give a hidden folder to write in, which takes its own name when all is done.

    A folder that holds checkpoints stays where it is when the work is broken off, so that it can
    go on later; any other vanishes.

    Parameters
    ----------
    wanted : Path or None
        Where the user wants the run; `None` takes a new folder in artifacts/.
    name : str
        What to call that one, before the time.
    go_on : bool, default=False
        Whether to go on in the hidden folder that a broken run has left.

    Yields
    ------
    folder, out : Path
        Where to write, and where it will be in the end.

    Raises
    ------
    OptionError
        If the folder exists, cannot be made, or is another's at work.
    UnfinishedError
        If the user broke off and checkpoints are there to go on from.
    """
    try:
        if wanted is None:
            out = _free_name(name)
        else:
            out = wanted.expanduser()
            _check_free(out)
        folder = _hidden(out)
        if folder.is_symlink():
            raise OptionError(f"{folder} is a link, which no run has made: remove it first.")
        if folder.exists() and not go_on:
            _clear_away(folder, out)
        folder.mkdir(parents=True, exist_ok=True)
    except OutputError:
        raise
    except OSError as error:
        raise OptionError(
            f"{wanted or 'artifacts'} cannot be written ({error.strerror}): choose another `out`."
        ) from error
    with _alone_in(out):
        try:
            yield folder, out
            with writing(out):
                for file in folder.glob(CHECKPOINTS):
                    file.unlink(missing_ok=True)
                os.chmod(folder, 0o777 & ~umask())
                rename_folder(folder, out)
        except BaseException as error:
            broken_off = isinstance(error, KeyboardInterrupt | SystemExit)
            if not (broken_off and any(folder.glob(CHECKPOINTS))):
                shutil.rmtree(folder, ignore_errors=True)
            elif isinstance(error, KeyboardInterrupt):
                raise UnfinishedError(
                    f"Stopped. To go on, fit with `resume={out}` and nothing else."
                ) from error
            raise


def _hidden(out: Path) -> Path:
    """Return where a run is written before it is done."""
    return out.with_name(f".{out.name}.partial")


def _check_free(out: Path) -> None:
    if out.is_symlink() or (out.exists() and (not out.is_dir() or any(out.iterdir()))):
        raise OptionError(f"{out} exists already: choose another `out`, or remove it first.")
    if out.resolve() == Path.cwd():
        raise OptionError(f"{out} is the folder you are in: choose another `out`.")


def _free_name(name: str) -> Path:
    """Return a name of our own in artifacts/, which no other run of this second has."""
    name = f"{name}-{time.strftime('%Y%m%d-%H%M%S')}"
    Path("artifacts").mkdir(exist_ok=True)
    for more in ("", *(f"-{n}" for n in range(2, 99))):
        out = Path("artifacts", name + more)
        try:
            _hidden(out).mkdir()
        except FileExistsError:
            continue
        if not out.exists():
            return out
        _hidden(out).rmdir()
    raise OptionError(f"artifacts/{name} exists many times over: name a folder as `out`.")


def _clear_away(folder: Path, out: Path) -> None:
    """Remove what a broken run has left, unless somebody may want to go on with it."""
    with _alone_in(out):
        if any(folder.glob(CHECKPOINTS)):
            raise OptionError(
                f"A fit for {out} was left unfinished: fit with `resume={out}` goes on with it; to "
                f"start anew, remove {folder}."
            )
        shutil.rmtree(folder)


def _alone_in(out: Path) -> AbstractContextManager[None]:
    """Hold a hidden folder against other processes.

    The lock lies beside it: Windows renames no folder that holds an open file.
    """
    busy = f"Another process is writing {out}: wait for it, or choose another `out`."
    return locked(out.with_name(f".{out.name}.lock"), busy)


@contextmanager
def writing(out: Path):
    """Turn the operating system's refusal to write into a sentence that names the run."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or getattr(error.__cause__, "strerror", None) or error
        raise OutputError(
            f"{out} cannot be written ({reason}): free some space or choose "
            "another `out`. Nothing was left behind."
        ) from error


def write_options(folder: Path, options: RunOptions) -> None:
    """Write the options of a run into its hidden folder."""
    kept = asdict(options)
    kept["params"] = {name: repr(value) for name, value in options.params.items()}
    text = json.dumps(kept, default=str, indent=2)
    (folder / OPTIONS).write_text(text, encoding="utf-8")


def forget_options(folder: Path) -> None:
    """Remove them from a run that is done: its card says the same."""
    (folder / OPTIONS).unlink(missing_ok=True)


def read_options(out: Path) -> RunOptions:
    """Return the options of an unfinished run.

    Parameters
    ----------
    out : Path
        The folder it was to have in the end.

    Raises
    ------
    OptionError
        If no such run was left unfinished; the message names those that were.
    """
    out = out.expanduser()
    file = _hidden(out) / OPTIONS
    if not file.exists():
        if out.exists():
            raise OptionError(f"{out} is finished: there is nothing to go on with.")
        left = sorted(out.parent.glob(f".*.partial/{OPTIONS}"))
        names = [str(out.parent / path.parent.name[1 : -len(".partial")]) for path in left]
        hint = f"unfinished there: {', '.join(names)}." if names else "no fit is unfinished there."
        raise OptionError(f"`resume={out}`: no fit of that name was left unfinished; {hint}")
    try:
        return _check_options(json.loads(read_regular(file, _MAX_BYTES)), out)
    except (OSError, ValueError, SyntaxError, RecursionError) as error:
        raise OptionError(f"{file} cannot be read ({error}): start the fit anew.") from error


def _check_options(document: Any, out: Path) -> RunOptions:
    """Return the options that a document holds, or raise `ValueError` for one of other shape."""
    if not isinstance(document, dict):
        raise ValueError("it holds no options")
    kinds = {field.name: field.type for field in fields(RunOptions)} | dict.fromkeys(
        ("cache", "noise"), str | None
    )
    if wrong := document.keys() ^ kinds.keys():
        raise ValueError(f"{', '.join(sorted(wrong))} missing, or not known")
    params = document.pop("params")
    del document["out"], kinds["out"], kinds["params"]
    wrong = {name for name, value in document.items() if not _is_of(value, kinds[name])}
    if wrong or not isinstance(params, dict):
        raise ValueError(f"{', '.join(sorted(wrong)) or 'params'} of the wrong type")
    params = {name: ast.literal_eval(value) for name, value in params.items()}
    paths = {name: document[name] and Path(document[name]) for name in ("cache", "noise")}
    return RunOptions(**{**document, "params": params, "out": out, **paths})


def _is_of(value: Any, kind: Any) -> bool:
    """Say whether a value of JSON is of a type; a whole number is a float too, and no truth is."""
    if isinstance(value, bool):
        return kind in (bool, bool | None)
    return isinstance(value, kind | int if kind is float else kind)
