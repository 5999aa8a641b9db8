"""Atomic writing of files and locks, safe in folders that others can write to.

And text from files, which is safe to print.
"""

import contextlib
import errno
import json
import os
import re
import stat
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from math import isfinite
from numbers import Integral, Real
from pathlib import Path
from typing import Any, BinaryIO

from sklearn_ser.exceptions import OptionError, OutputError, SerError

__all__ = [
    "locked",
    "make_private_folder",
    "nan_to_none",
    "open_regular",
    "open_to_append",
    "printable",
    "printable_json",
    "read_regular",
    "rename_folder",
    "staged",
    "to_json",
    "umask",
    "why_not_private",
    "write_atomically",
]

WINDOWS = os.name == "nt"  # where nothing that is open can be renamed or removed

# C0 and C1 controls and DEL, which terminals obey; marks that turn the direction of writing or end
# a line; and halves of characters, which stand for the bytes of a name that is not UTF-8.
_UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


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


def rename_folder(folder: Path, out: Path) -> None:
    """Give a folder another name, which an empty folder may have until then."""
    if WINDOWS and out.is_dir():  # elsewhere renaming replaces it
        out.rmdir()
    os.replace(folder, out)


def check_writable(path: Path) -> None:
    """Raise `OutputError` if no file can be written there: before hours of work, not after."""
    folder = path.parent
    while not folder.exists() and folder != folder.parent:  # it will be made
        folder = folder.parent
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror or error}.") from error


def as_text(name: object) -> str:
    r"""Return a file's name as text for tables, JSON and pages.

    Bytes that are not UTF-8, which Python keeps as lone surrogates, become ``\xe9`` and the like.

    Examples
    --------
    >>> print(as_text("caf\udce9.wav"))
    caf\xe9.wav
    """
    text = str(name)
    return text if text.isascii() else re.sub("[\ud800-\udfff]", _write_out, text)


def _write_out(match: re.Match[str]) -> str:
    character = match[0]
    if "\udc80" <= character <= "\udcff":  # a byte of a file name, as Python keeps it
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode("ascii")


def write_all(file: BinaryIO, data: bytes) -> None:
    """Write all bytes to a file without a buffer, which may take fewer at once."""
    left = memoryview(data)
    while left:
        left = left[file.write(left) :]


def open_to_append(path: Path, *, new: bool = False) -> BinaryIO:
    """Open a file to write at its end, but never through a symbolic link.

    In a folder that others can write to, somebody may have put a link of that name there, to have
    another file of ours overwritten.

    Parameters
    ----------
    path : Path
    new : bool, default=False
        Whether to begin anew: what is there is removed (of a link, the link itself).

    Returns
    -------
    file : binary file, without a buffer

    Raises
    ------
    OutputError
        If a link, a folder, a pipe or a device has the name.
    OSError
        If it cannot be opened.
    """
    if new:
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | (os.O_EXCL if new else 0)
    return open(_open_regular(path, flags), "ab", buffering=0)


def _open_regular(path: Path, flags: int) -> int:
    """Open a regular file, not following a link and not waiting for a pipe."""
    for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_BINARY"):  # as far as there are any
        flags |= getattr(os, name, 0)
    refusal = f"{path} is a link or another special file: remove it, or write elsewhere."
    try:
        handle = os.open(path, flags, 0o666)
    except OSError as error:
        # What a link is refused with, a link that dangles, and a pipe that nobody reads.
        if error.errno in (errno.ELOOP, errno.EMLINK, errno.ENXIO) or path.is_symlink():
            raise OutputError(refusal) from error
        raise
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OutputError(refusal)
    return handle


def open_regular(path: str | os.PathLike, *, follow: bool = True) -> BinaryIO:
    """Open a file to read it; whatever is no regular file is refused, without waiting for it.

    A named pipe that nobody writes to would block, and a device might never end.

    Parameters
    ----------
    path : str or Path
    follow : bool, default=True
        Whether the path may be a symbolic link.

    Returns
    -------
    file : binary file

    Raises
    ------
    OSError
        If it cannot be opened or is no regular file, with a `strerror` for people.
    """
    flags = os.O_RDONLY | (0 if follow else getattr(os, "O_NOFOLLOW", 0))
    for name in ("O_NONBLOCK", "O_NOCTTY", "O_CLOEXEC", "O_BINARY"):  # as far as there are any
        flags |= getattr(os, name, 0)
    try:
        handle = os.open(path, flags)
    except OSError as error:
        if error.errno == errno.ENXIO:  # a socket
            raise OSError(errno.EINVAL, _NOT_REGULAR, os.fspath(path)) from error
        if isinstance(error, PermissionError) and os.path.isdir(path):  # what Windows says of one
            raise IsADirectoryError(errno.EISDIR, _FOLDER, os.fspath(path)) from error
        raise
    mode = os.fstat(handle).st_mode
    if stat.S_ISREG(mode):
        return open(handle, "rb")
    os.close(handle)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, _FOLDER, os.fspath(path))
    raise OSError(errno.EINVAL, _NOT_REGULAR, os.fspath(path))


_FOLDER = "it is a folder"
_NOT_REGULAR = "it is a pipe, a socket or a device, not a file"


def read_regular(path: str | os.PathLike, max_bytes: int, *, follow: bool = True) -> bytes:
    """Return the bytes of a regular file that may have at most `max_bytes`, see `open_regular`.

    Raises
    ------
    OSError
        If it cannot be read, is no regular file, or is longer, with a `strerror` for people.
    """
    with open_regular(path, follow=follow) as file:
        # The size may be a lie (as in /proc) or grow.
        data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        reason = f"it is larger than {max_bytes / 1e6:g} MB"
        raise OSError(errno.EFBIG, reason, os.fspath(path))
    return data


@contextmanager
def locked(path: Path, busy: str) -> Iterator[None]:
    """Hold a lock file against other processes, as far as the file system has locks.

    The lock ends with the process, however it ends. The file is empty, is never truncated, and is
    removed at the end.

    Parameters
    ----------
    path : Path
        The lock file.
    busy : str
        The sentence for the case that another process holds it.

    Raises
    ------
    OptionError
        If another process holds the lock, with `busy`.
    OutputError
        If a link, a folder, a pipe or a device has the name.
    OSError
        If the file cannot be made.
    """
    while True:
        handle = _open_regular(path, os.O_RDWR | os.O_CREAT)
        try:
            _lock(handle)
        except BlockingIOError:
            os.close(handle)
            raise OptionError(busy) from None
        # Who held it until now has removed it, perhaps just after we opened it.
        # Windows removes no file that is open, and its two ways of asking may differ in the device.
        if WINDOWS or _is_file(handle, path):
            break
        os.close(handle)
    try:
        yield
    finally:
        if WINDOWS:
            os.close(handle)
        with contextlib.suppress(OSError):
            path.unlink()
        if not WINDOWS:
            os.close(handle)


def _lock(handle: int) -> None:
    """Lock an open file, or raise BlockingIOError where another process has it."""
    try:
        import fcntl
    except ImportError:
        import msvcrt

        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        except OSError as error:
            raise BlockingIOError(*error.args) from error
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError:
        return  # a file system without locks


def _is_file(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), os.stat(path, follow_symlinks=False))
    except OSError:
        return False


def make_private_folder(folder: Path) -> None:
    """Make a folder that its user alone can enter, whatever the umask; one that is there stays.

    Raises
    ------
    OSError
        If it cannot be made.
    """
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    for one in reversed(missing):
        one.mkdir(mode=0o700, exist_ok=True)


def why_not_private(path: str | os.PathLike | int) -> str | None:
    """Say why others than this user may have written what is there; None where they cannot have.

    Parameters
    ----------
    path : str, Path or int
        Something that exists, or an open file.

    Returns
    -------
    reason : str or None
        To go on a sentence with; always None on a system without owners, such as Windows.
    """
    if not hasattr(os, "geteuid"):
        return None
    there = os.stat(path)
    if there.st_uid != os.geteuid():
        return "it belongs to another user"
    return "others can write to it (chmod go-w)" if there.st_mode & 0o022 else None


def umask() -> int:
    """Return the permissions that this process withholds from new files."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def printable(text: object, *, lines: bool = False) -> str:
    r"""Return text from a file as a terminal may show it: control characters written out.

    Names, labels and cards are other people's text. A terminal that is sent their control
    characters would obey them: change its title, fill the clipboard, hide what stands before.

    Parameters
    ----------
    text : str, or whatever has a `str`
    lines : bool, default=False
        Whether to leave line ends and tabs as they are.

    Returns
    -------
    text : str

    Examples
    --------
    >>> from sklearn_ser._files import printable
    >>> print(printable("\x1b]52;c;bHM=\x07angry"))
    \x1b]52;c;bHM=\x07angry
    """
    return _UNPRINTABLE.sub(
        lambda match: match[0] if lines and match[0] in "\n\t" else _write_out(match), str(text)
    )


def printable_json(text: str) -> str:
    """Return a JSON document that says the same and holds no control characters but line ends."""
    return _UNPRINTABLE.sub(
        lambda match: match[0] if match[0] == "\n" else f"\\u{ord(match[0]):04x}", text
    )


def nan_to_none(value: Any) -> Any:
    """Return a value as JSON can hold it: None for NaN and infinity, text in UTF-8, at any depth.

    Examples
    --------
    >>> from sklearn_ser._files import nan_to_none
    >>> nan_to_none({"confidence": float("nan"), "bounds": (0.5, float("inf"))})
    {'confidence': None, 'bounds': [0.5, None]}
    """
    if isinstance(value, str):
        return as_text(value)
    if isinstance(value, Mapping):
        return {as_text(name): nan_to_none(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [nan_to_none(item) for item in value]
    # Whole numbers may be too large for a float; they are finite anyway.
    infinite = isinstance(value, Real) and not isinstance(value, Integral) and not isfinite(value)
    return None if infinite else value


def to_json(document: Any, *, indent: int | None = 2) -> str:
    """Return a JSON document for people and programs; what JSON does not know is its text."""
    text = json.dumps(nan_to_none(document), indent=indent, ensure_ascii=False, default=as_text)
    return printable_json(text)
