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

__all__ = ["find_noise", "stress_noise", "training_noise", "uses_noise"]


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


def uses_noise(options: RunOptions) -> bool:
    """Say whether an augmentation of these options takes noise from recordings."""
    names = parse_augment(options.augment)
    return any(name == EVERYDAY or DEGRADATIONS[name].needs == "noise" for name in names)


def training_noise(options: RunOptions) -> Noise | None:
    """Return the recorded noise that training may use: with `stress`, two thirds of the folder.

    Raises
    ------
    OptionError
        If it is missing, or nothing uses it.
    """
    used = uses_noise(options)
    if options.noise is None:
        if "real" in parse_augment(options.augment):
            raise OptionError("`augment=real` takes noise from recordings: add `noise=FOLDER`.")
        return None
    if not used and not options.stress:
        raise OptionError(
            f"`noise={options.noise}` is used by nothing: add `augment=everyday`, `augment=real` "
            "or `stress`."
        )
    if not used:
        return None
    noise = find_noise(options.noise, options.on_error)
    return noise.share()[0] if options.stress else noise


def stress_noise(options: RunOptions, seen: Collection[str] = ()) -> Noise | None:
    """Return the recorded noise for `stress` that training has not heard; None without any.

    Parameters
    ----------
    options : RunOptions
    seen : collection of str
        Checksums of what a model was trained with.
    """
    if options.noise is None or not options.stress:
        return None
    noise = find_noise(options.noise, options.on_error)
    if uses_noise(options):
        noise = noise.share()[1]
    noise = noise.without(seen)
    return noise if noise.paths else None
