"""The targets of the fuzzers: sound inputs, and some hundred damaged ones without atheris."""

import tracemalloc

import numpy as np
import pytest

from tests.fuzz.targets import TARGETS, seeds


def damaged(data, rng):
    """Cut, flip, repeat or insert something."""
    data, place = bytearray(data), int(rng.integers(len(data) + 1))
    kind = int(rng.integers(4))
    if kind == 0:
        return bytes(data[:place])
    if kind == 1:
        for where in rng.integers(len(data), size=3):
            data[where] = int(rng.integers(256))
        return bytes(data)
    piece = bytes(data[place : place + 40]) if kind == 2 else rng.bytes(4)
    return bytes(data[:place]) + piece * 3 + bytes(data[place:])


@pytest.mark.parametrize("target", TARGETS)
def test_damaged_inputs_end_in_known_errors(target):
    rng = np.random.default_rng(0)
    for seed in seeds(target):
        assert TARGETS[target](seed)
        for _ in range(40):
            TARGETS[target](damaged(seed, rng))


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b"null", b"1e999", b"[" * 100_000, b"\xff\xfe", b'{"a":' * 2000]
)
@pytest.mark.parametrize("target", TARGETS)
def test_inputs_that_are_nothing(target, data):
    TARGETS[target](data)


def test_metadata_that_would_fill_the_memory():
    """Found by the fuzzer: the names of so many coefficients."""
    (seed,) = seeds("onnx")
    assert b'"n_mfcc": 40' in seed
    tracemalloc.start()
    try:
        assert not TARGETS["onnx"](seed.replace(b'"n_mfcc": 40', b'"n_mfcc": 4000000'))
        assert tracemalloc.get_traced_memory()[1] < 20e6
    finally:
        tracemalloc.stop()
