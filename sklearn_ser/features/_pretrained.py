"""Checkpoints of pretrained speech models: found, checked, and loaded without running code.

A folder is safe to use when it holds plain settings (JSON) and plain numbers (safetensors). Code
that comes with a checkpoint and pickled weights, which may hold code, are never touched.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from sklearn_ser.exceptions import ModelError, OptionError

RATE = 16000  # Hz, of all these models
KINDS = ("wav2vec2", "hubert", "wavlm")
CONFIG, EXTRACTOR, WEIGHTS = "config.json", "preprocessor_config.json", "*.safetensors"

_HUB_NAME = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?")
_NOT_NEEDED = {"masked_spec_embed"}  # what hides frames in training alone
_ONE_AT_A_TIME = Lock()  # PyTorch spreads one clip over the cores by itself

MISSING = (
    "PretrainedEmbedding needs PyTorch and transformers: pip install 'sklearn-ser[embeddings]'."
)


def find(model: str | os.PathLike, download: bool) -> Path:
    """Return the folder of a checkpoint, given as a folder or by its name on the Hub.

    Raises
    ------
    ModelError
        If it is not there, or lacks a file.
    OptionError
        If a name is given and huggingface_hub is missing.
    """
    folder = Path(model).expanduser()
    if not folder.is_dir():
        if not isinstance(model, str) or not _HUB_NAME.fullmatch(model) or folder.exists():
            raise ModelError(f"{model}: no such folder. Name the folder of a checkpoint.")
        folder = _find_in_cache(model, download)
    for name in (CONFIG, EXTRACTOR):
        if not (folder / name).is_file():
            raise ModelError(f"{model} has no {name}: it is not a whole checkpoint.")
    if not any(folder.glob(WEIGHTS)):
        raise ModelError(
            f"{model} has no weights in the safetensors format, and others may run code: if you "
            "trust it, load it with transformers and write it anew by save_pretrained(FOLDER)."
        )
    return folder


def _find_in_cache(name: str, download: bool) -> Path:
    try:
        from huggingface_hub import snapshot_download
    except ImportError as error:
        raise OptionError(MISSING) from error
    try:
        return Path(
            snapshot_download(
                name,
                local_files_only=not download,
                allow_patterns=[CONFIG, EXTRACTOR, WEIGHTS, f"{WEIGHTS}.index.json"],
            )
        )
    except (OSError, ValueError, RuntimeError) as error:
        if download:
            raise ModelError(f"{name} cannot be downloaded: {error}") from error
        raise ModelError(
            f"{name} is neither a folder nor a checkpoint in the local Hugging Face cache: give "
            "the folder, or download=True (of a pipeline, `features__embedding__download=true`)."
        ) from error


def read_config(folder: Path) -> dict[str, Any]:
    """Return the settings of a checkpoint.

    Raises
    ------
    ModelError
        If they cannot be read, or are those of another kind of model.
    """
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        kind = config["model_type"]
        sizes = [config["hidden_size"], config["num_hidden_layers"]]
        sound = all(isinstance(size, int) and size > 0 for size in sizes)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{folder / CONFIG} is not the config of a speech model.") from error
    if kind not in KINDS or not sound:
        raise ModelError(
            f"{folder / CONFIG} describes a model of type {kind!r}: there are {', '.join(KINDS)}."
        )
    return config


def shortest_clip(config: dict[str, Any]) -> int:
    """Return how many samples the convolutions at the model's entrance take for one frame.

    Their kernels and strides, if the config does not tell, are those of wav2vec 2.0: 400 samples.
    """
    kernels = config.get("conv_kernel", (10, 3, 3, 3, 3, 2, 2))
    strides = config.get("conv_stride", (5, 2, 2, 2, 2, 2, 2))
    length = 1
    for kernel, stride in zip(reversed(kernels), reversed(strides), strict=True):
        length = (length - 1) * stride + kernel
    return length


def checksum(folder: Path) -> str:
    """Return the SHA-256 of all that decides what a checkpoint computes."""
    files = [folder / CONFIG, folder / EXTRACTOR, *sorted(folder.glob(f"{WEIGHTS}*"))]
    stamps = [(file, file.stat()) for file in files]
    return _checksum(tuple((file, seen.st_size, seen.st_mtime_ns) for file, seen in stamps))


@lru_cache(maxsize=16)
def _checksum(files: tuple[tuple[Path, int, int], ...]) -> str:
    """Read a gigabyte once and not for every batch; size and time tell when it has changed."""
    total = hashlib.sha256()
    for path, _, _ in files:
        with path.open("rb") as file:
            total.update(path.name.encode() + hashlib.file_digest(file, "sha256").digest())
    return total.hexdigest()


def versions() -> str:
    """Return the versions of the libraries that run the models."""
    found = []
    for package in ("torch", "transformers"):
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    return " ".join(found)


class SpeechModel:
    """A loaded checkpoint, in evaluation mode.

    Parameters
    ----------
    extractor : transformers.FeatureExtractionMixin
        What makes the model's input of a waveform.
    network : transformers.PreTrainedModel
    """

    def __init__(self, extractor, network):
        self.extractor = extractor
        self.network = network

    def embed(self, y: np.ndarray, states: range) -> np.ndarray:
        """Return the mean over time and some hidden states, of shape (hidden_size,), float32."""
        import torch

        ready = self.extractor(y, sampling_rate=RATE, return_tensors="pt").input_values
        with _ONE_AT_A_TIME, torch.inference_mode():
            hidden = self.network(ready.float(), output_hidden_states=True).hidden_states
            means = [hidden[state][0].mean(dim=0) for state in states]
            return torch.stack(means).mean(dim=0).numpy().copy()


_LOADING = Lock()


def load(folder: Path, content: str) -> SpeechModel:
    """Return the model of a checkpoint, loaded when first asked for.

    Raises
    ------
    ModelError
        If it cannot be loaded, lacks weights, or hears another rate.
    OptionError
        If PyTorch or transformers is missing.
    """
    with _LOADING:  # threads that ask at once wait for the first
        return _load(folder, content)


@lru_cache(maxsize=2)
def _load(folder: Path, content: str) -> SpeechModel:
    try:
        import torch  # noqa: F401  transformers would only say that a class is missing
        import transformers
    except ImportError as error:
        raise OptionError(MISSING) from error
    safely = {"local_files_only": True, "trust_remote_code": False}
    try:
        with _quiet(transformers):
            extractor = transformers.AutoFeatureExtractor.from_pretrained(folder, **safely)
            network, found = transformers.AutoModel.from_pretrained(
                folder, use_safetensors=True, output_loading_info=True, **safely
            )
    except Exception as error:  # whatever a damaged file makes of the libraries
        raise ModelError(f"{folder} cannot be loaded as a checkpoint: {error}") from error
    missing = set(found["missing_keys"]) - _NOT_NEEDED
    if missing:
        raise ModelError(
            f"{folder} lacks {len(missing)} of its model's weights, such as {min(missing)}: it is "
            "not a whole checkpoint."
        )
    if extractor.sampling_rate != RATE:
        raise ModelError(
            f"{folder} hears {extractor.sampling_rate} Hz, and PretrainedEmbedding takes models "
            f"of {RATE} Hz: choose another checkpoint."
        )
    return SpeechModel(extractor, network.float().eval())


@contextmanager
def _quiet(transformers) -> Iterator[None]:
    """Keep reports and progress bars of loading off the terminal."""
    logging = transformers.utils.logging
    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()
