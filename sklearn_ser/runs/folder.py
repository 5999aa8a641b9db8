"""The folder of a run: hidden while it is written, and there under its name when all is done."""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sklearn_ser.exceptions import OptionError, OutputError
from sklearn_ser.persistence import umask

__all__ = ["new_folder", "writing"]


@contextmanager
def new_folder(wanted: Path | None, name: str) -> Iterator[tuple[Path, Path]]:
    """Give a hidden folder to write in, which takes its own name when all is done.

    Parameters
    ----------
    wanted : Path or None
        Where the user wants the run; `None` takes a new folder in artifacts/.
    name : str
        What to call that one, before the time.

    Yields
    ------
    folder, out : Path
        Where to write, and where it will be in the end.
    """
    try:
        folder, out = _reserve_default(name) if wanted is None else _reserve(wanted)
    except OSError as error:
        raise OptionError(
            f"{wanted or 'artifacts'} cannot be written ({error.strerror}): choose another --out."
        ) from error
    try:
        yield folder, out
        with writing(out):
            os.chmod(folder, 0o777 & ~umask())
            os.replace(folder, out)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _reserve(out: Path) -> tuple[Path, Path]:
    """Return a folder to write in beside the one the user named, and that one."""
    out = out.expanduser()
    if out.is_symlink() or (out.exists() and (not out.is_dir() or any(out.iterdir()))):
        raise OptionError(f"{out} exists already: choose another --out, or remove it first.")
    if out.resolve() == Path.cwd():
        raise OptionError(f"{out} is the folder you are in: choose another --out.")
    out.parent.mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{out.name}.")), out


def _reserve_default(name: str) -> tuple[Path, Path]:
    """Return the same for a name of our own, which no other run of this second may have."""
    name = f"{name}-{time.strftime('%Y%m%d-%H%M%S')}"
    Path("artifacts").mkdir(exist_ok=True)
    for out in (Path("artifacts", name + more) for more in ("", *(f"-{n}" for n in range(2, 99)))):
        folder = out.with_name(f".{out.name}.partial")
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        if not out.exists():
            return folder, out
        folder.rmdir()
    raise OptionError(f"artifacts/{name} exists many times over: name a folder with --out.")


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
