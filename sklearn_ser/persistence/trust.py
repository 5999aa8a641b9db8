"""Which joblib files this user wrote on this machine, and may be loaded without being asked."""

import os
from pathlib import Path

__all__ = ["remember", "remembered"]


def _trust_file() -> Path:
    import platformdirs

    folder = os.environ.get("SKLEARN_SER_CONFIG") or platformdirs.user_config_dir("sklearn-ser")
    return Path(folder) / "written-here.txt"


def remember(checksum: str) -> None:
    """Note that this user wrote a file here; a line is appended in one write."""
    file = _trust_file()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with open(file, "a", encoding="ascii") as lines:
            lines.write(checksum + "\n")
    except OSError:
        # Without a configuration folder the model is good all the same, and `trust=True` loads it.
        return


def remembered() -> set[str]:
    """Return the checksums of the files that this user wrote here."""
    try:
        return set(_trust_file().read_text(encoding="ascii").split())
    except (OSError, ValueError):
        return set()
