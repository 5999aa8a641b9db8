"""Recorded noise of a run: which recordings of a folder are for training, which for tests."""

from collections.abc import Collection

from sklearn_ser.audio.augmentation import EVERYDAY, parse_augment
from sklearn_ser.audio.degradations import DEGRADATIONS
from sklearn_ser.audio.noise import Noise, read_noise
from sklearn_ser.exceptions import OptionError
from sklearn_ser.runs.options import RunOptions

__all__ = ["stress_noise", "training_noise", "uses_noise"]


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
    noise = read_noise(options.noise, options.on_error)
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
    noise = read_noise(options.noise, options.on_error)
    if uses_noise(options):
        noise = noise.share()[1]
    noise = noise.without(seen)
    return noise if noise.paths else None
