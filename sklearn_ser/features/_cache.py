"""Cache of features on disk.

A row is keyed by what decides its features and by nothing else: the bytes of the audio, the
settings of loader and transformer, and the code that computes. It holds plain values, never a
pickle, and a checksum of itself: a row that the disk or anybody has changed counts as missing.
SQLite keeps the file whole through crashes and several processes at once.
"""

import errno
import hashlib
import math
import sqlite3
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from functools import lru_cache
from pathlib import Path

import numpy as np

from sklearn_ser._files import make_private_folder, why_not_private

__all__ = ["FeatureCache", "pack", "unpack"]

FILE_NAME = "features-2.sqlite3"

_SECONDS_TO_WAIT = 60  # for another process that is writing
_KEYS_AT_ONCE = 500  # SQLite of old allows 999 in a statement
_CHECKSUM_BYTES = 16
# The last is what SQLite says of our own words where the file's description of itself is damaged.
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR)


class FeatureCache:
    """A folder of values, each under a key, limited in size.

    Whatever goes wrong with it (a full disk, a folder that cannot be written) is a warning:
    extraction goes on without it. A damaged value is a missing one, and a file that is damaged as
    a whole is started anew.

    Parameters
    ----------
    folder : str or Path
        Where to keep it; made if need be, for this user alone. One that others can write to is
        not used.
    max_bytes : int
        How large its file may grow before the values that were not used for the longest time are
        dropped.

    Examples
    --------
    >>> import tempfile
    >>> from sklearn_ser.features._cache import FeatureCache
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     cache = FeatureCache(folder, max_bytes=10**6)
    ...     cache.put({b"key": b"value"})
    ...     cache.get([b"key", b"other"])
    {b'key': b'value'}
    """

    def __init__(self, folder: str | Path, max_bytes: int):
        self.file = Path(folder) / FILE_NAME
        self.max_bytes = max_bytes

    def get(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """Return the values under those of the keys that are there and whole."""
        with self._surviving():
            return self._get(keys)
        return {}

    def _get(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        found: dict[bytes, bytes] = {}
        today, stale = _today(), []
        with self._connect() as connection, connection:
            for start in range(0, len(keys), _KEYS_AT_ONCE):
                some = keys[start : start + _KEYS_AT_ONCE]
                marks = ",".join("?" * len(some))
                query = f"SELECT key, data, used FROM features WHERE key IN ({marks})"
                for key, data, used in connection.execute(query, some):
                    if not isinstance(data, bytes):
                        continue
                    value = data[_CHECKSUM_BYTES:]
                    if data[:_CHECKSUM_BYTES] != _checksum(key, value):
                        continue
                    found[key] = value
                    if used != today:
                        stale.append((today, key))
            # Written once a day and row at most, so that reading stays reading.
            connection.executemany("UPDATE features SET used = ? WHERE key = ?", stale)
        return found

    def find(self, keys: Sequence[bytes]) -> set[bytes]:
        """Return those of the keys under which there are values, whole or not."""
        found: set[bytes] = set()
        with self._surviving(), self._connect() as connection:
            for start in range(0, len(keys), _KEYS_AT_ONCE):
                some = keys[start : start + _KEYS_AT_ONCE]
                marks = ",".join("?" * len(some))
                query = f"SELECT key FROM features WHERE key IN ({marks})"
                found.update(key for (key,) in connection.execute(query, some))
        return found

    def put(self, values: Mapping[bytes, bytes]) -> None:
        """Keep values, dropping the longest unused ones where there is no room."""
        if values:
            with self._surviving():
                self._put(values)

    def _put(self, values: Mapping[bytes, bytes]) -> None:
        today = _today()
        rows = [(key, _checksum(key, value) + value, today) for key, value in values.items()]
        with self._connect() as connection, connection:
            connection.executemany("INSERT OR REPLACE INTO features VALUES (?, ?, ?)", rows)
            while _bytes_in_use(connection) > self.max_bytes:
                dropped = connection.execute(
                    "DELETE FROM features WHERE rowid IN (SELECT rowid FROM features ORDER BY "
                    "used, rowid LIMIT 1 + (SELECT count(*) FROM features) / 10)"
                )
                if not dropped.rowcount:
                    break

    @contextmanager
    def kept_open(self) -> Iterator[None]:
        """Hold a connection while others come and go.

        The last to leave moves SQLite's log into the file, which takes as long as a batch.
        """
        with ExitStack() as held:
            with self._surviving():
                held.enter_context(self._connect())
            yield

    @contextmanager
    def _connect(self) -> Iterator[sqlite3.Connection]:
        make_private_folder(self.file.parent)
        self._check_owner()
        with closing(sqlite3.connect(self.file, timeout=_SECONDS_TO_WAIT)) as connection:
            connection.text_factory = bytes
            # What the file says may come from anybody: nothing in it is to be run.
            connection.execute("PRAGMA trusted_schema = OFF")
            # A log beside the file: readers never wait, and a killed writer leaves no trace.
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute(
                "CREATE TABLE IF NOT EXISTS features "
                "(key BLOB UNIQUE NOT NULL, data BLOB, used INTEGER)"
            )
            yield connection

    def _check_owner(self) -> None:
        """Raise `OSError` where somebody else can have put features into the cache."""
        for place in (self.file.parent, self.file):
            with suppress(FileNotFoundError):
                if reason := why_not_private(place):
                    raise PermissionError(errno.EACCES, f"{place}: {reason}")

    @contextmanager
    def _surviving(self) -> Iterator[None]:
        """Turn trouble with the file into a warning; start a damaged one anew."""
        before = self._inode()
        try:
            yield
        except (sqlite3.Error, OSError, ValueError, TypeError) as error:
            # SQLite puts what it finds in a file into its messages, which may be no text at all.
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            reason = error.strerror if isinstance(error, OSError) else str(error)
            if not isinstance(error, ValueError | TypeError) and code not in _DAMAGED:
                what = f"cannot be used ({reason}): features are computed without it."
                self._warn(f"{what} Set that right, or name")
            elif before is not None and self._inode() == before:  # another may have been quicker
                self._start_anew(error)

    def _start_anew(self, error: Exception) -> None:
        for suffix in ("", "-wal", "-shm"):
            with suppress(OSError):
                self.file.with_name(self.file.name + suffix).unlink()
        if self._inode() is None:
            self._warn(f"was damaged ({error}) and starts anew. If that happens again, name")
        else:
            self._warn(f"is damaged ({error}): going on without it. Remove it, or name")

    def _inode(self) -> int | None:
        try:
            return self.file.stat().st_ino
        except OSError:
            return None

    def _warn(self, what: str) -> None:
        message = f"The feature cache {self.file} {what} another folder."
        warnings.warn(message, UserWarning, stacklevel=3)


def _checksum(key: bytes, value: bytes) -> bytes:
    """Return a checksum of a value under its key: a whole row in a wrong place is damaged too."""
    return hashlib.blake2b(value, key=key, digest_size=_CHECKSUM_BYTES).digest()


def _bytes_in_use(connection: sqlite3.Connection) -> int:
    """Return the size of what is kept; dropped rows leave pages that are used again."""
    pages, free, page_size = (
        connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("page_count", "freelist_count", "page_size")
    )
    return (pages - free) * page_size


def _today() -> int:
    return int(time.time() // 86400)


def pack(features: np.ndarray) -> bytes:
    """Return features as bytes: their shape and float32 values.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ser.features._cache import pack, unpack
    >>> unpack(pack(np.ones((2, 3))), (2, 3)).shape
    (2, 3)
    """
    return _header(features.shape) + np.ascontiguousarray(features, dtype=_FLOAT).tobytes()


def unpack(data: bytes, shape: tuple[int, ...]) -> np.ndarray | None:
    """Return the features in what `pack` returned; `None` where they are not of that shape."""
    header = _header(shape)
    if not data.startswith(header) or len(data) != len(header) + 4 * math.prod(shape):
        return None
    features = np.frombuffer(data, _FLOAT, offset=len(header))
    if not np.isfinite(features).all():
        return None
    return features if len(shape) == 1 else features.reshape(shape)


_FLOAT = np.dtype("<f4")


@lru_cache(maxsize=256)
def _header(shape: tuple[int, ...]) -> bytes:
    return np.array([len(shape), *shape], dtype="<u4").tobytes()
