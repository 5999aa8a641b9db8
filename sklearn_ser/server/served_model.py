"""The served model, held in memory, and whether its file has changed."""

import asyncio
import hashlib
import logging
import os
from typing import Any

from sklearn_ser.inference import load_predictor
from sklearn_ser.persistence import read_model

__all__ = ["ServedModel"]

logger = logging.getLogger(__name__)

LOOK_SECONDS = 5.0

MESSAGES = {
    "as loaded": "%s is there again as it was loaded",
    "changed": "%s has changed: the model of before is served until the server is started again",
    "missing": "%s is missing: its model is served until the server is stopped",
}


class ServedModel:
    """A model as it was when the server started.

    Parameters
    ----------
    path : str or Path
        A run's folder, a model file or `"demo"`.
    trust : bool
    abstain_below : float

    Attributes
    ----------
    file : ModelFile
    predictor : Predictor
    card : dict
        Without the messages about clips that were skipped, which name paths.
    state : {"as loaded", "changed", "missing"}
        Of the file on the disk; a server that is started again would load it.
    """

    def __init__(self, path: str | os.PathLike, trust: bool, abstain_below: float):
        self.file = read_model(path)
        self.predictor = load_predictor(self.file, trust=trust, abstain_below=abstain_below)
        self.predictor.warm_up()
        self.card = _public(dict(self.file.card))
        self.state = "as loaded"
        self._seen: tuple[int, ...] | None = None

    async def watch(self) -> None:
        """Compare the file with what was loaded, for as long as the server runs."""
        while True:
            state = await asyncio.to_thread(self._look)
            if state != self.state:
                self.state = state
                logger.warning(MESSAGES[state], self.file.path)
            await asyncio.sleep(LOOK_SECONDS)

    def _look(self) -> str:
        try:
            status = os.stat(self.file.path)
            seen = (status.st_mtime_ns, status.st_size, status.st_ino)
            if seen == self._seen:
                return self.state
            with open(self.file.path, "rb") as file:
                checksum = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError:
            self._seen = None
            return "missing"
        self._seen = seen
        return "as loaded" if checksum == self.file.card["sha256"] else "changed"


def _public(card: dict[str, Any]) -> dict[str, Any]:
    data = {k: v for k, v in card.get("data", {}).items() if k != "skipped"}
    return {**card, "data": data} if "data" in card else card
