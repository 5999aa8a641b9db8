"""What reads the files of others, each as a function of bytes that says whether they are sound.

Whatever is wrong with them must end in a known error; another one is a find.

`tests/fuzz/run.py` lets atheris look for bytes that break one of them.
"""

import io
import json
import tempfile
import warnings
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import soundfile

from sklearn_ser.audio.completeness import FORMATS
from sklearn_ser.audio.decoding import AudioSettings, read_source
from sklearn_ser.corpora.table import read_table
from sklearn_ser.exceptions import AudioError, CorpusError, ModelError
from sklearn_ser.model_selection._journal import Journal
from sklearn_ser.persistence import onnx, read_card

# Not through ffmpeg: a process for each input would be slow, and is none of our code.
SETTINGS = AudioSettings(sr=8000, max_duration=60.0, formats=FORMATS)


def decode_audio(data: bytes) -> bool:
    """Decode a file of audio."""
    try:
        y = read_source(data, SETTINGS, "the file")
    except AudioError:
        return False
    assert y.dtype == np.float32
    assert y.ndim == 1
    assert 0 < len(y) <= 60 * 48_000
    assert np.isfinite(y).all()
    return True


@cache
def _folder() -> Path:
    """Return a folder for files, in memory where there is one."""
    memory = Path("/dev/shm")
    return Path(tempfile.mkdtemp(dir=memory if memory.is_dir() else None))


def read_csv(data: bytes) -> bool:
    """Read a CSV of recordings."""
    file = _folder() / "table.csv"
    file.write_bytes(data)
    accepted = False
    for on_error in ("stop", "skip"):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                table = read_table(file, on_error)
        except CorpusError:
            continue
        assert table["emotion"].notna().all()
        accepted = True
    return accepted


def read_model_card(data: bytes) -> bool:
    """Read the card of a model."""
    folder = _folder()
    (folder / "pipeline.joblib").touch()
    (folder / "card.json").write_bytes(data)
    try:
        card = read_card(folder)
    except ModelError:
        return False
    assert isinstance(card, dict)
    return True


def read_journal(data: bytes) -> bool:
    """Read the journal of a search."""
    folder = _folder()
    (folder / "key.jsonl").write_bytes(data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rows = Journal(folder, "key").rows
    for row in rows.values():
        assert all(isinstance(score, int | float) for score in row.values())
    return bool(rows)


def read_onnx_metadata(data: bytes) -> bool:
    """Build the pipeline that the metadata of an ONNX file describes."""
    text = data.decode("utf-8", "replace")
    node = SimpleNamespace(name="features", shape=[None, 40], type="tensor(float)")
    session = SimpleNamespace(
        get_modelmeta=lambda: SimpleNamespace(custom_metadata_map={onnx.METADATA: text}),
        get_inputs=lambda: [node],
        get_outputs=lambda: [node],
        run=lambda *_: [np.full((1, 2), 0.5, dtype=np.float32)],
    )
    start, onnx.start_session = onnx.start_session, lambda _: session
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            onnx.read_onnx(b"", "the file")
        return True
    except ModelError:
        return False
    finally:
        onnx.start_session = start


TARGETS = {
    "decoder": decode_audio,
    "csv": read_csv,
    "card": read_model_card,
    "journal": read_journal,
    "onnx": read_onnx_metadata,
}


def seeds(target: str) -> list[bytes]:
    """Return sound inputs of a target, to begin with."""
    if target == "decoder":
        return [_encode(form) for form in FORMATS if form != "HTK"]
    if target == "csv":
        return [
            b"path,emotion\na.wav,happy\nb.wav,sad\n",
            "\ufeffPath;Emotion;Speaker\r\nä.wav;Freude;07\r\n".encode(),
            "path\temotion\ttext\nc.wav\tangry\tdoor\u00e9\n".encode("latin-1"),
        ]
    if target == "journal":
        return [json.dumps(["{}", {"mean_test_score": 0.5}]).encode() + b"\n"]
    if target == "card":
        return [json.dumps(_CARD).encode()]
    return [json.dumps(_METADATA).encode()]


def _encode(form: str) -> bytes:
    file = io.BytesIO()
    y = np.sin(np.arange(2000) / 10) / 2
    soundfile.write(file, np.stack([y, -y], axis=1), 8000, format=form)
    return file.getvalue()


_CARD = {
    "card_format": 1,
    "created": "2026-01-01",
    "classes": ["angry", "sad"],
    "classifier": "SVMClassifier",
    "features": ["mfcc"],
    "n_features": 40,
    "sampling_rate": 22050,
    "resampler": "soxr_hq",
    "versions": {"scikit-learn": "1.9.1"},
    "file": "pipeline.joblib",
    "sha256": "0" * 64,
    "data": {"name": "tess", "n_clips": 2, "skipped": [], "emotions": {"angry": 1, "sad": 1}},
    "scores": {"accuracy": 0.5, "uar": 0.5, "macro_f1": 0.5, "uar_interval": [0.0, 1.0]},
}
_METADATA = {
    "format": onnx.FORMAT,
    "classes": ["angry", "sad"],
    "features": [["mfcc", "mfcc", {"n_mfcc": 40}], ["chroma", "chroma", {}]],
    "weights": None,
    "audio": {"sr": 22050, "max_duration": 600.0},
    "temperature": 1.5,
}
