"""Writing files whole or not at all."""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sklearn_ser.exceptions import OutputError, SerError

__all__ = ["staged", "umask", "write_atomically"]


@contextmanager
def staged(path: Path) -> Iterator[Path]:
    """Give a place beside a file, which replaces it when all went well and vanishes otherwise.

    Yields
    ------
    ready : Path
        Where to write.
    """
    try:
        handle, name = tempfile.mkstemp(
            dir=path.parent, prefix=f".{path.name}.", suffix=path.suffix
        )
        os.close(handle)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror}.") from error
    ready = Path(name)
    try:
        yield ready
        os.chmod(ready, 0o666 & ~umask())
        os.replace(ready, path)
    except BaseException as error:
        ready.unlink(missing_ok=True)
        if isinstance(error, OSError) and not isinstance(error, SerError):
            raise OutputError(f"{path} cannot be written: {error.strerror or error}.") from error
        raise


def write_atomically(path: Path, data: bytes | Callable[[Path], None]) -> None:
    """Write a file whole or not at all: beside its place first, then renamed.

    Parameters
    ----------
    path : Path
    data : bytes, or a function that writes a file of the name it is given
    """
    with staged(path) as ready:
        if callable(data):
            data(ready)
        else:
            ready.write_bytes(data)


def umask() -> int:
    """Return the permissions that this process withholds from new files."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
