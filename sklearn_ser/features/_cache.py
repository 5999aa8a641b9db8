"""Features kept on disk, so that no clip is computed twice in the same setting.

A row is keyed by what decides its numbers and by nothing else: the bytes of the audio, the settings
of loader and transformer, and the code that computes. It holds plain numbers, never a pickle.
SQLite keeps it whole through crashes and several processes at once.
"""

import hashlib
import inspect
import json
import sqlite3
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

__all__ = ["FeatureCache"]

FILE_NAME = "features-1.sqlite3"

_SECONDS_TO_WAIT = 60  # for another process that is writing
_KEYS_AT_ONCE = 500  # SQLite of old allows 999 in a statement


class FeatureCache:
    """A folder of features, each under a key, limited in size.

    Whatever goes wrong with it (a full disk, a damaged file, a folder that cannot be written) is a
    warning: extraction goes on without it.

    Parameters
    ----------
    folder : str or Path
        Where to keep it; made if need be.
    max_bytes : int
        How large its file may grow before the features that were not used for the longest time
        are dropped.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from sklearn_ser.features._cache import FeatureCache
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     cache = FeatureCache(folder, max_bytes=10**6)
    ...     cache.put({b"key": np.ones(2, dtype=np.float32)})
    ...     cache.get([b"key", b"other"])
    {b'key': array([1., 1.], dtype=float32)}
    """

    def __init__(self, folder: str | Path, max_bytes: int):
        self.file = Path(folder) / FILE_NAME
        self.max_bytes = max_bytes

    def get(self, keys: Sequence[bytes]) -> dict[bytes, np.ndarray]:
        """Return the features under those of the keys that are there."""
        try:
            return self._get(keys)
        except _TROUBLE as error:
            self._warn(error)
            return {}

    def _get(self, keys: Sequence[bytes]) -> dict[bytes, np.ndarray]:
        found: dict[bytes, np.ndarray] = {}
        today, stale = _today(), []
        with self._connect() as connection, connection:
            for start in range(0, len(keys), _KEYS_AT_ONCE):
                some = keys[start : start + _KEYS_AT_ONCE]
                marks = ",".join("?" * len(some))
                query = f"SELECT key, shape, data, used FROM features WHERE key IN ({marks})"
                for key, shape, data, used in connection.execute(query, some):
                    found[key] = np.frombuffer(data, np.float32).reshape(json.loads(shape))
                    if used < today:
                        stale.append((today, key))
            # Written once a day and row at most, so that reading stays reading.
            connection.executemany("UPDATE features SET used = ? WHERE key = ?", stale)
        return found

    def put(self, features: Mapping[bytes, np.ndarray]) -> None:
        """Keep features, dropping the longest unused ones where there is no room."""
        try:
            self._put(features)
        except _TROUBLE as error:
            self._warn(error)

    def _put(self, features: Mapping[bytes, np.ndarray]) -> None:
        today = _today()
        rows = [
            (key, json.dumps(values.shape), values.astype(np.float32).tobytes(), today)
            for key, values in features.items()
        ]
        with self._connect() as connection, connection:
            connection.executemany("INSERT OR REPLACE INTO features VALUES (?, ?, ?, ?)", rows)
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
            try:
                held.enter_context(self._connect())
            except _TROUBLE as error:
                self._warn(error)
            yield

    @contextmanager
    def _connect(self) -> Iterator[sqlite3.Connection]:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(self.file, timeout=_SECONDS_TO_WAIT)) as connection:
            # A log beside the file: readers never wait, and a killed writer leaves no trace.
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute(
                "CREATE TABLE IF NOT EXISTS features "
                "(key BLOB UNIQUE NOT NULL, shape TEXT, data BLOB, used INTEGER)"
            )
            yield connection

    def _warn(self, error: Exception) -> None:
        warnings.warn(
            f"The feature cache {self.file} is of no use ({error}): going on without it. Remove "
            "the file, or name another folder.",
            UserWarning,
            stacklevel=3,
        )


_TROUBLE = (sqlite3.Error, OSError, ValueError, TypeError)


def _bytes_in_use(connection: sqlite3.Connection) -> int:
    """Return the size of what is kept; dropped rows leave pages that are used again."""
    pages, free, page_size = (
        connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("page_count", "freelist_count", "page_size")
    )
    return (pages - free) * page_size


def _today() -> int:
    return int(time.time() // 86400)


@cache
def code_version() -> str:
    """Return a checksum of the code that computes features, this package's and its libraries'."""
    checksum = hashlib.sha256()
    here = Path(__file__).parent
    for file in sorted([*here.glob("*.py"), *(here.parent / "audio").glob("*.py")]):
        checksum.update(file.read_bytes())
    for package in ("sklearn-ser", "numpy", "scipy", "soxr", "soundfile", "resampy", "librosa"):
        try:
            checksum.update(f"{package} {version(package)}".encode())
        except PackageNotFoundError:  # resampy is in an extra
            continue
    return checksum.hexdigest()


def describe_setting(transformer) -> bytes | None:
    """Return all that decides what a transformer computes: class, parameters, content, code.

    `None` for a class of somebody else's whose code cannot be found: nothing is kept of it.
    """
    kind = type(transformer)
    parameters = sorted(transformer.get_params().items())
    setting = f"{kind.__module__}.{kind.__qualname__} {parameters!r} {code_version()}".encode()
    setting += transformer.content()
    if kind.__module__.partition(".")[0] == __name__.partition(".")[0]:
        return setting
    try:
        file = inspect.getsourcefile(kind)
        return setting + hashlib.sha256(Path(file or "").read_bytes()).digest()
    except (TypeError, OSError):  # typed at a prompt or in a notebook
        return None


def make_key(content: bytes, setting: bytes) -> bytes:
    """Return the key of the features of a clip, from its checksum and the transformer's setting."""
    return hashlib.sha256(content + setting).digest()
