"""The folder of a run: hidden while it is written, and there under its name when all is done."""

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sklearn_ser._files import umask
from sklearn_ser.exceptions import OptionError, OutputError, UnfinishedError

__all__ = ["CHECKPOINTS", "hidden", "new_folder", "writing"]

CHECKPOINTS = "checkpoint-*.npz"  # the states of networks in training
LOCK = ".lock"


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
        folder = hidden(out)
        if folder.exists() and not go_on:
            _clear_away(folder, out)
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OptionError(
            f"{wanted or 'artifacts'} cannot be written ({error.strerror}): choose another --out."
        ) from error
    with _alone_in(folder, out):
        try:
            yield folder, out
            with writing(out):
                for file in [*folder.glob(CHECKPOINTS), folder / LOCK]:
                    file.unlink(missing_ok=True)
                os.chmod(folder, 0o777 & ~umask())
                os.replace(folder, out)
        except BaseException as error:
            broken_off = isinstance(error, KeyboardInterrupt | SystemExit)
            if not (broken_off and any(folder.glob(CHECKPOINTS))):
                shutil.rmtree(folder, ignore_errors=True)
            elif isinstance(error, KeyboardInterrupt):
                raise UnfinishedError(
                    f"Stopped. To go on: sklearn-ser fit --resume {out}"
                ) from error
            raise


def hidden(out: Path) -> Path:
    """Return where a run is written before it is done."""
    return out.with_name(f".{out.name}.partial")


def _check_free(out: Path) -> None:
    if out.is_symlink() or (out.exists() and (not out.is_dir() or any(out.iterdir()))):
        raise OptionError(f"{out} exists already: choose another --out, or remove it first.")
    if out.resolve() == Path.cwd():
        raise OptionError(f"{out} is the folder you are in: choose another --out.")


def _free_name(name: str) -> Path:
    """Return a name of our own in artifacts/, which no other run of this second has."""
    name = f"{name}-{time.strftime('%Y%m%d-%H%M%S')}"
    Path("artifacts").mkdir(exist_ok=True)
    for more in ("", *(f"-{n}" for n in range(2, 99))):
        out = Path("artifacts", name + more)
        try:
            hidden(out).mkdir()
        except FileExistsError:
            continue
        if not out.exists():
            return out
        hidden(out).rmdir()
    raise OptionError(f"artifacts/{name} exists many times over: name a folder with --out.")


def _clear_away(folder: Path, out: Path) -> None:
    """Remove what a broken run has left, unless somebody may want to go on with it."""
    with _alone_in(folder, out):
        if any(folder.glob(CHECKPOINTS)):
            raise OptionError(
                f"A fit for {out} was left unfinished: sklearn-ser fit --resume {out} goes on with "
                f"it; to start anew, remove {folder}."
            )
        shutil.rmtree(folder)


@contextmanager
def _alone_in(folder: Path, out: Path) -> Iterator[None]:
    """Hold a hidden folder against other processes, as far as the system has locks for that."""
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    with open(folder / LOCK, "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise OptionError(
                f"Another process is writing {out}: wait for it, or choose another --out."
            ) from error
        yield


@contextmanager
def writing(out: Path):
    """Turn the operating system's refusal to write into a sentence that names the run."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or getattr(error.__cause__, "strerror", None) or error
        raise OutputError(
            f"{out} cannot be written ({reason}): free some space or choose "
            "another --out. Nothing was left behind."
        ) from error
