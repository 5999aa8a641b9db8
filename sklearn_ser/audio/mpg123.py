"""Silencing of libmpg123, which decodes MP3 for libsndfile and writes to standard error.

It has a switch for that, which libsndfile gives nobody. So while MP3 is decoded, file descriptor 2
is a file; then what others have written there meanwhile goes where it was meant to go.
"""

import contextlib
import os
import re
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["without_messages"]

_MESSAGE = re.compile(rb"^(?:\[src/libmpg123/|Note: |Warning: |\s*$)")

_lock = threading.Lock()
_n_inside = 0
_stderr = -1  # where standard error was before
_kept = -1


@contextmanager
def without_messages() -> Iterator[None]:
    """Keep the messages of libmpg123 out of standard error, from any number of threads."""
    _enter()
    try:
        yield
    finally:
        _leave()


def _enter() -> None:
    global _n_inside, _stderr, _kept
    with _lock:
        _n_inside += 1
        if _n_inside > 1:
            return
        _stderr = -1
        try:
            with tempfile.TemporaryFile() as file:
                _kept = os.dup(file.fileno())
            _stderr = os.dup(2)
            os.dup2(_kept, 2)
        except OSError:  # no place for a file, or 2 is closed, as of a program without a console
            return


def _leave() -> None:
    global _n_inside
    with _lock:
        _n_inside -= 1
        if _n_inside or _stderr < 0:
            return
        os.dup2(_stderr, 2)
        if size := os.lseek(_kept, 0, os.SEEK_END):
            os.lseek(_kept, 0, os.SEEK_SET)
            _pass_on(os.read(_kept, size))
        os.close(_kept)
        os.close(_stderr)


def _pass_on(data: bytes) -> None:
    lines = [line for line in data.splitlines(keepends=True) if not _MESSAGE.match(line)]
    with contextlib.suppress(OSError):
        os.write(2, b"".join(lines))


def _renew() -> None:
    """Begin anew in a forked process, where only the thread that has forked goes on."""
    global _lock, _n_inside
    _lock = threading.Lock()
    if _n_inside and _stderr >= 0:
        os.dup2(_stderr, 2)
    _n_inside = 0


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)
