"""Recorded noise of a run: which recordings of a folder are for training, which for tests."""

import warnings
from collections.abc import Collection
from pathlib import Path

from sklearn_ser.audio.augmentation import EVERYDAY, parse_augment
from sklearn_ser.audio.degradations import DEGRADATIONS
from sklearn_ser.audio.noise import Noise, read_noise
from sklearn_ser.corpora.listing import describe_unread, list_folder
from sklearn_ser.exceptions import AudioError, CorpusError, CorpusWarning, OptionError
from sklearn_ser.runs.options import RunOptions

__all__ = ["find_noise", "stress_noise", "training_noise"]


def find_noise(folder: Path, on_error: str) -> Noise:
    """Return the recordings of a folder, at any depth.

    Raises
    ------
    OptionError
        If there is no such folder, or no audio in it.
    AudioError
        As :func:`read_noise`.

    Warns
    -----
    CorpusWarning
        If it holds recordings in formats that cannot be read here.
    """
    try:
        listing = list_folder(folder)
        noise = read_noise(map(str, listing.audio), on_error)
    except CorpusError as error:
        raise OptionError(f"`noise={folder}`: {error}") from None
    except AudioError as error:
        raise AudioError(f"`noise={folder}`: {error}") from None
    if unread := [*listing.unsupported, *listing.unreadable]:
        warnings.warn(describe_unread(listing.folder, unread), CorpusWarning, stacklevel=2)
    return noise


def training_noise(
    folder: Path | None, augment: Collection[str], *, stress: bool = False, on_error: str = "stop"
) -> Noise | None:
    """Return the recorded noise that training may use.

    Parameters
    ----------
    folder : Path or None
    augment : collection of str
        Names of augmentations.
    stress : bool, default=False
        Whether degraded clips are scored: one recording of three is kept for them then.
    on_error : {"stop", "skip"}, default="stop"

    Raises
    ------
    OptionError
        If it is missing, or nothing uses it.
    """
    if folder is None:
        if "real" in augment:
            raise OptionError("`augment=real` takes noise from recordings: add `noise=FOLDER`.")
        return None
    if uses_noise(augment):
        noise = find_noise(folder, on_error)
        return noise.share()[0] if stress else noise
    if not stress:
        raise OptionError(
            f"`noise={folder}` is used by nothing: add `augment=everyday`, `augment=real` or "
            "`stress`."
        )
    return None


def uses_noise(augment: Collection[str]) -> bool:
    """Say whether one of the augmentations takes noise from recordings."""
    return any(name == EVERYDAY or DEGRADATIONS[name].needs == "noise" for name in augment)


def stress_noise(options: RunOptions, seen: Collection[str] = ()) -> Noise | None:
    """Return the recorded noise for `stress` that training has not used; None without any.

    Parameters
    ----------
    options : RunOptions
    seen : collection of str
        Checksums of what a model was trained with.
    """
    if options.noise is None or not options.stress:
        return None
    noise = find_noise(options.noise, options.on_error)
    if uses_noise(parse_augment(options.augment)):
        noise = noise.share()[1]
    noise = noise.without(seen)
    return noise if noise.paths else None
