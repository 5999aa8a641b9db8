"""Audio files of untrusted makers: whole, cut, flipped, lying and made of nothing, by a seed."""

import io
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import soundfile

from tests.conftest import SR, voice

FORMATS = [
    ("wav", "WAV", "PCM_16"),
    ("wav", "WAV", "FLOAT"),
    ("wav", "WAVEX", "PCM_24"),
    ("flac", "FLAC", "PCM_16"),
    ("ogg", "OGG", "VORBIS"),
    ("mp3", "MP3", "MPEG_LAYER_III"),
]


class Mutant(NamedTuple):
    """A file, and which of the originals it is if it was left alone."""

    name: str
    data: bytes
    original: int | None


def originals() -> list[tuple[str, bytes]]:
    """Return a suffix and the bytes of each of the good files that mutants are made of."""
    files = []
    for i, (suffix, form, subtype) in enumerate(FORMATS):
        for channels, sr in [(1, SR), (2, 16000)]:
            y = voice(0.3, 90 + 60 * i, sr=sr, seed=i)
            file = io.BytesIO()
            frames = np.stack([y] * channels, axis=1)
            soundfile.write(file, frames, sr, format=form, subtype=subtype)
            files.append((suffix, file.getvalue()))
    return files


def mutants(n: int, seed: int = 0) -> Iterator[Mutant]:
    """Yield `n` files, a fifth of them whole."""
    files, rng = originals(), np.random.default_rng(seed)
    for i in range(n):
        chosen = int(rng.integers(len(files)))
        suffix, data = files[chosen]
        mutate = MUTATIONS[int(rng.integers(len(MUTATIONS)))] if rng.random() > 0.2 else None
        if mutate is not None:
            data = mutate(bytearray(data), rng)
            if rng.random() < 0.1:  # what the name says is not what it is
                suffix = FORMATS[int(rng.integers(len(FORMATS)))][0]
        yield Mutant(f"{i:05}.{suffix}", bytes(data), None if mutate else chosen)


def _cut(data, rng):
    return data[: int(rng.integers(len(data)))]


def _cut_header(data, rng):
    return data[: int(rng.integers(64))]


def _flip(data, rng):
    for place in rng.integers(len(data), size=int(rng.integers(1, 200))):
        data[place] ^= 1 << int(rng.integers(8))
    return data


def _flip_header(data, rng):
    for place in rng.integers(min(len(data), 64), size=int(rng.integers(1, 6))):
        data[place] = int(rng.integers(256))
    return data


def _lie(data, rng):
    """Write a number of a telling size somewhere into the header."""
    value = [0, 1, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 0x80000000][int(rng.integers(7))]
    size = 2 if rng.random() < 0.5 and value <= 0xFFFF else 4
    place = int(rng.integers(min(len(data), 60) - size))
    order = "little" if rng.random() < 0.5 else "big"
    data[place : place + size] = (value & (256**size - 1)).to_bytes(size, order)
    return data


def _noise(data, rng):
    return rng.bytes(int(rng.integers(1, 20_000)))


def _noise_after_header(data, rng):
    kept = int(rng.integers(4, 128))
    return data[:kept] + rng.bytes(len(data) - kept)


def _hole(data, rng):
    start = int(rng.integers(len(data)))
    end = start + int(rng.integers(1, 2000))
    data[start:end] = bytes(len(data[start:end]))
    return data


def _stutter(data, rng):
    start = int(rng.integers(len(data)))
    return (
        data[:start] + data[max(0, start - 500) : start] * int(rng.integers(1, 20)) + data[start:]
    )


def _append(data, rng):
    return data + rng.bytes(int(rng.integers(1, 5000)))


def _empty(data, rng):
    return b""


MUTATIONS = [
    *(_cut, _cut_header, _flip, _flip_header, _lie, _lie, _noise, _noise_after_header),
    *(_hole, _stutter, _append, _empty),
]
