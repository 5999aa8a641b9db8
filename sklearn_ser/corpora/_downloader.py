"""A downloader for pooch that goes on where the last attempt stopped."""

import errno
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

CHUNK = 2**14  # bytes; a piece that is cut in two is lost
TIMEOUT = (10, 60)  # seconds: to connect, and between two pieces


class CutError(Exception):
    """The connection ended before the file did."""


class ResumingDownloader:
    """Download to a file that outlives a cut connection, and continue it the next time.

    What is there is continued only if it is known to belong to what the server has now: by the
    ETag or date the server gave with it (sent back as ``If-Range``), or because a checksum decides
    in the end.

    Parameters
    ----------
    part : Path
        The file that grows; a small file beside it keeps the server's ETag or date.
    checksum : str or None
        Whether one will be compared afterwards; the comparison is pooch's.
    progress : bool
        Show a bar on standard error.
    """

    def __init__(self, part: Path, checksum: str | None, progress: bool):
        self.part = part
        self.state = part.with_name(part.name + ".state")
        self.checksum = checksum
        self.progress = progress

    def __call__(self, url: str, output_file: str, pooch: object = None) -> None:
        """Download `url` to `output_file`, as pooch calls it."""
        with self._open(url) as (response, have):
            total = _total(response, have)
            if total and total - have > shutil.disk_usage(self.part.parent).free:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.part.parent))
            with open(self.part, "r+b" if have else "wb") as file:
                file.seek(have)
                file.truncate()
                self._keep_state(response)
                self._copy(response, file, have, total)
        os.replace(self.part, output_file)
        self.state.unlink(missing_ok=True)

    @contextmanager
    def _open(self, url: str) -> Iterator[tuple[Any, int]]:
        """Ask for the rest of the file, and say from which byte on the server sends it."""
        import requests

        have = self.part.stat().st_size if self.part.exists() else 0
        state = _read_state(self.state)
        # Compressed on the way, the bytes would not be those of the file.
        headers = {"Accept-Encoding": "identity"}
        if have and (state or self.checksum):
            headers["Range"] = f"bytes={have}-"
            if state:
                headers["If-Range"] = state
        response = requests.get(url, headers=headers, stream=True, timeout=TIMEOUT)
        if response.status_code == 416:  # nothing left to send, or another file by now
            response.close()
            self.part.unlink()
            del headers["Range"]
            headers.pop("If-Range", None)
            response = requests.get(url, headers=headers, stream=True, timeout=TIMEOUT)
        with response:
            response.raise_for_status()
            yield response, _start(response)

    def _keep_state(self, response: Any) -> None:
        etag = response.headers.get("ETag", "")
        # A weak ETag promises equal meaning, not equal bytes: If-Range does not take it.
        state = response.headers.get("Last-Modified", "") if etag.startswith("W/") else etag
        self.state.write_text(state or response.headers.get("Last-Modified", ""))

    def _copy(self, response: Any, file: IO[bytes], have: int, total: int | None) -> None:
        import requests

        with _bar(self.progress, have, total) as advance:
            try:
                for chunk in response.iter_content(CHUNK):
                    file.write(chunk)
                    have += len(chunk)
                    advance(len(chunk))
            except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError):
                total = total or -1
        if total is not None and have != total:
            of = f" of {total / 1e6:,.1f}" if total > 0 else ""
            raise CutError(f"The connection was cut after {have / 1e6:,.1f}{of} MB.")


def _read_state(path: Path) -> str:
    """Return the server's ETag or date, if the file holds one line fit for a header."""
    try:
        state = path.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""
    return state if state.isprintable() else ""


def _start(response: Any) -> int:
    """Read at which byte of the file the response begins."""
    if response.status_code != 206:
        return 0
    match = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    return int(match[1]) if match else 0


def _total(response: Any, have: int) -> int | None:
    length = response.headers.get("Content-Length")
    return have + int(length) if length else None


@contextmanager
def _bar(show: bool, have: int, total: int | None) -> Iterator[Any]:
    if not show:
        yield lambda n: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn

    columns = ("Downloading", BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("", total=total, completed=have)
        yield lambda n: progress.advance(task, n)
