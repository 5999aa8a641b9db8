"""Download of a corpus from its official site: resumed, verified, whole or not at all.

Everything happens in a hidden folder beside the corpus's own: the archive arrives there, is
unpacked there, and only a complete corpus is renamed to its place.
"""

import errno
import logging
import shutil
import sys
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from sklearn_ser.corpora._data import count_clips
from sklearn_ser.corpora._downloader import CutError, ResumingDownloader
from sklearn_ser.corpora._registry import data_home, find_folder, get_by, get_reader
from sklearn_ser.corpora.base import Download, Reader
from sklearn_ser.corpora.listing import absolute
from sklearn_ser.corpora.synthetic import make_synthetic
from sklearn_ser.exceptions import CorpusError, CorpusWarning, DownloadError

# Speech shrinks to half its size or so; whatever grows a hundredfold is no corpus.
MOST_BYTES_UNPACKED = 50 * 2**30
MOST_GROWTH = 100


def get_corpus(name: str, folder: str | Path | None = None, progress: bool = True) -> Path:
    """Download a corpus from its official home, unless it is here already.

    A download that was cut goes on where it stopped the next time.

    Parameters
    ----------
    name : str
        As for `load_corpus`. ``"synthetic"`` is made, not downloaded.
    folder : str or Path, default=None
        Where the corpus goes; by default the folder of its name in the data folder
        (`SKLEARN_SER_DATA`, else ``~/sklearn_ser_data``).
    progress : bool, default=True
        Show the licence, and a progress bar, on standard error.

    Returns
    -------
    Path
        The corpus's folder.

    Raises
    ------
    CorpusError
        If the corpus is not known, cannot be had without a person (the message has the steps), or
        if other things are in the folder.
    DownloadError
        If it did not arrive whole.

    Warns
    -----
    CorpusWarning
        If clips are missing.
    """
    reader = get_reader(name)
    destination = absolute(folder or find_folder(reader.name) or data_home() / reader.name)
    if reader.name == "synthetic":
        make_synthetic(destination)
        return destination
    clips = count_clips(reader, destination) if destination.is_dir() else 0
    if clips:
        _warn_of_missing(reader, clips, destination)
        return destination
    if destination.exists() and not (destination.is_dir() and not any(destination.iterdir())):
        raise CorpusError(
            f"{destination} exists and holds no {reader.title}: name another folder, or empty it."
        )
    if not reader.downloads:
        raise CorpusError(f"{reader.title} cannot be downloaded by a program. {get_by(reader)}")
    if progress:
        print(f"{reader.title}\nLicence: {reader.licence}\n{reader.citation}", file=sys.stderr)
    work = destination.with_name(f".{destination.name}.download")
    with _as_download_errors(reader):
        work.mkdir(parents=True, exist_ok=True)
        unpacked = work / "unpacked"
        shutil.rmtree(unpacked, ignore_errors=True)
        for download in reader.downloads:
            archive = _fetch(download, work, progress)
            _unpack(archive, unpacked)
        clips = count_clips(reader, unpacked)
        if not clips:
            raise DownloadError(
                f"What {reader.downloads[0].url} sent holds no file of {reader.title}. "
                f"Get it by hand from {reader.homepage}."
            )
        if destination.exists():
            destination.rmdir()
        unpacked.rename(destination)
    shutil.rmtree(work, ignore_errors=True)
    _warn_of_missing(reader, clips, destination)
    return destination


def _warn_of_missing(reader: Reader, clips: int, folder: Path) -> None:
    if reader.n_clips and clips < reader.n_clips:
        warnings.warn(
            f"{folder} holds {clips} of the {reader.n_clips} clips of {reader.title}; "
            f"the others are at {reader.homepage}.",
            CorpusWarning,
            stacklevel=3,
        )


def _fetch(download: Download, work: Path, progress: bool) -> Path:
    import pooch  # here, so that reading a corpus loads neither
    import requests

    archive = work / download.file_name
    part = work / f"{download.file_name}.part"
    logger = pooch.get_logger()
    level = logger.level
    # It would tell of temporary files and checksums, which say nothing to the user.
    logger.setLevel(logging.WARNING)
    try:
        pooch.retrieve(
            download.url,
            known_hash=download.checksum,
            fname=archive.name,
            path=work,
            downloader=ResumingDownloader(part, download.checksum, progress),
        )
    except requests.RequestException:
        raise
    except ValueError:  # pooch's word for another checksum; it has removed the file
        raise DownloadError(
            f"{download.file_name} from {download.url} does not have the checksum its publisher "
            "states, and was removed: run the same command again."
        ) from None
    finally:
        logger.setLevel(level)
    return archive


def _unpack(archive: Path, folder: Path) -> None:
    """Unpack a zip archive, unless it would write elsewhere or fill the disk."""
    try:
        with zipfile.ZipFile(archive) as file:
            unpacked = 0
            for entry in file.infolist():
                name = PurePosixPath(entry.filename.replace("\\", "/"))
                if name.is_absolute() or ".." in name.parts or ":" in entry.filename[:2]:
                    raise zipfile.BadZipFile(f"it would write outside its folder: {name}")
                unpacked += entry.file_size
            growth = unpacked / max(archive.stat().st_size, 1)
            if unpacked > MOST_BYTES_UNPACKED or growth > MOST_GROWTH:
                raise zipfile.BadZipFile(f"it would grow {growth:.0f}-fold to {_size(unpacked)}")
            _check_space(folder.parent, unpacked)
            file.extractall(folder)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        # Not kept: the next run would trip over it again.
        archive.unlink()
        raise DownloadError(
            f"The archive {archive.name} is damaged or not to be trusted ({error}), and was "
            "removed. Run the command again, or get the corpus by hand."
        ) from None


def _check_space(folder: Path, needed: int) -> None:
    if needed > shutil.disk_usage(folder).free:
        raise OSError(errno.ENOSPC, f"{_size(needed)} more are needed", str(folder))


def _size(n_bytes: float) -> str:
    return f"{n_bytes / 1e6:,.1f} MB"


@contextmanager
def _as_download_errors(reader: Reader) -> Iterator[None]:
    """Turn whatever may go wrong on the way into one sentence, and what to do about it."""
    import requests

    urls = ", ".join(download.url for download in reader.downloads)
    by_hand = f"get it by hand from {reader.homepage}"
    try:
        yield
    except DownloadError:
        raise
    except CutError as error:
        raise DownloadError(f"{error} Run the same command again to go on.") from None
    except requests.HTTPError as error:
        code = error.response.status_code if error.response is not None else 0
        said = f"{urls} answered HTTP {code}"
        if code in (404, 410):
            raise DownloadError(f"{said}: it is not there any more; {by_hand}.") from None
        raise DownloadError(f"{said}: try again later, or {by_hand}.") from None
    except (requests.ConnectionError, requests.Timeout):
        raise DownloadError(
            f"No connection to {urls}: check the network and run the same command again."
        ) from None
    except requests.RequestException as error:
        raise DownloadError(f"The download failed ({error}): try again, or {by_hand}.") from None
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise DownloadError(
                f"The disk is full ({error.filename or data_home()}). Free some space, or name a "
                "folder on another disk, and run the same command again."
            ) from None
        raise
