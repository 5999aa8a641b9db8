"""Trust in joblib files: those that this user wrote on this machine.

The list of their checksums lies in the configuration folder. It is as good as a key: whoever can
write to it can have code run. So it is believed only where nobody else could have written it.
"""

import os
import warnings
from pathlib import Path

from sklearn_ser._files import make_private_folder, why_not_private

__all__ = ["remember", "remembered"]


def _trust_file() -> Path:
    import platformdirs

    folder = os.environ.get("SKLEARN_SER_CONFIG") or platformdirs.user_config_dir("sklearn-ser")
    return Path(folder) / "written-here.txt"


def _open(file: Path, flags: int) -> int:
    """Open the list, not through a link, or raise OSError where others could have written it."""
    for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC"):  # as far as there are any
        flags |= getattr(os, name, 0)
    handle = os.open(file, flags, 0o600)
    for place, of in ((file.parent, file.parent), (file, handle)):
        if reason := why_not_private(of):
            os.close(handle)
            raise PermissionError(0, reason, str(place))
    return handle


def remember(checksum: str) -> None:
    """Note that this user wrote a file here; warn where that cannot be noted."""
    file = _trust_file()
    try:
        make_private_folder(file.parent)
        with open(_open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT), "a") as lines:
            lines.write(checksum + "\n")  # in one write: many may append at once
    except OSError as error:
        warnings.warn(
            f"That this model is yours cannot be noted in {error.filename or file}: "
            f"{error.strerror}. Commands will not load it until they are told to trust it. Mend "
            "that, or name another folder in SKLEARN_SER_CONFIG, and fit again.",
            UserWarning,
            stacklevel=3,
        )


def remembered() -> set[str]:
    """Return the checksums of the files that this user wrote here; warn of a list not believed."""
    try:
        with open(_open(_trust_file(), os.O_RDONLY), encoding="ascii") as lines:
            return set(lines.read().split())
    except FileNotFoundError:
        return set()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no list of checksums"
        place = getattr(error, "filename", None) or _trust_file()
        warnings.warn(
            f"The list of the models that you wrote is not used: {place}: {reason}.",
            UserWarning,
            stacklevel=3,
        )
        return set()
