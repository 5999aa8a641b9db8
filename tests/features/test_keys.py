"""The keys of cached features: any change of what computes them changes the key."""

import functools
import importlib
import subprocess
import sys
import threading

import numpy as np
import pytest

from sklearn_ser import MFCC, AudioFeatureUnion, BarkSpectrum
from sklearn_ser.features._keys import describe_setting, make_key
from tests.conftest import voice

OWN = """
from sklearn_ser import MFCC
from base import Base
import helper
from helper import TABLE, scale as scaled
from tools import deep

class Mine(Base):
    times = 1

    def compute(self, spectra):
        import late
        return self.change(scaled(super().compute(spectra))) * TABLE["a"] * late.FACTOR

    def change(self, x):
        return helper.shift(x) + deep.more(0)

    @staticmethod
    def unused():
        return [x for x in range(3)]
"""
MODULES = {
    "mine": OWN,
    "base": "from sklearn_ser import MFCC\nclass Base(MFCC):\n    def content(self):\n"
    "        return b'' + bytes([self.times])\n",
    "helper": "TABLE = {'a': 1.0}\nOTHER = 7\ndef scale(x):\n    return x * 1\n"
    "def shift(x, by=0):\n    def inner():\n        return x + by\n    return inner()\n"
    "def nobody_calls():\n    return 1\n",
    "tools": "",
    "tools/__init__": "",
    "tools/deep": "from . import deeper\ndef more(x):\n    return x + deeper.NUMBER\n",
    "tools/deeper": "NUMBER = 0\n",
    "late": "FACTOR = 1\n",
}


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Write modules and return the setting of the transformer in them, freshly imported."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    (tmp_path / "tools").mkdir()

    def describe(**changed):
        for name, text in MODULES.items():
            if name != "tools":
                (tmp_path / f"{name}.py").write_text(changed.get(name.replace("/", "_"), text))
            sys.modules.pop(name.replace("/", "."), None)
        importlib.invalidate_caches()
        return describe_setting(importlib.import_module("mine").Mine())

    yield describe
    for name in MODULES:
        sys.modules.pop(name.replace("/", "."), None)


@pytest.mark.parametrize(
    ("module", "old", "new"),
    [
        ("mine", "times = 1", "times = 2"),
        ("mine", "range(3)", "range(4)"),
        ("base", "b''", "b'x'"),
        ("helper", "1.0", "2.0"),
        ("helper", "x * 1", "x * 2"),
        ("helper", "by=0", "by=1"),
        ("helper", "x + by", "x - by"),
        ("tools_deep", "x + deeper", "x - deeper"),
        ("tools_deeper", "NUMBER = 0", "NUMBER = 1"),
        ("late", "FACTOR = 1", "FACTOR = 2"),
    ],
)
def test_what_a_users_transformer_uses_is_in_its_key(project, module, old, new):
    text = MODULES[module.replace("tools_", "tools/")]
    assert old in text
    before = project()
    assert before is not None
    assert project(**{module: text.replace(old, new)}) != before
    assert project() == before


def test_what_it_does_not_use_is_not_in_its_key(project):
    before = project()
    changed = (
        MODULES["helper"].replace("return 1\n", "return 2\n").replace("OTHER = 7", "OTHER = 8")
    )
    assert project(helper=changed) == before
    assert project(helper="# a comment\n" + MODULES["helper"]) == before


def test_keys_are_the_same_in_another_process(project, tmp_path):
    here = project()
    program = (
        "from mine import Mine\nfrom sklearn_ser.features._keys import describe_setting\n"
        "print(describe_setting(Mine()).hex())"
    )
    for seed in "12":
        done = subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONPATH": f"{tmp_path}:{':'.join(sys.path)}", "PYTHONHASHSEED": seed},
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert done.stdout.strip() == here.hex()


def test_classes_typed_at_a_prompt():
    def typed(factor):
        names = {"MFCC": MFCC, "__name__": "__main__", "factor": factor}
        code = (
            "class Typed(MFCC):\n    def compute(self, s):\n"
            "        return super().compute(s) * factor"
        )
        exec(code, names)
        return describe_setting(names["Typed"]())

    assert typed(1) == typed(1) != typed(2)


class Locked(MFCC):
    lock = threading.Lock()

    def compute(self, spectra):
        with self.lock:
            return super().compute(spectra)


def test_what_cannot_be_described_is_not_cached_and_said_once(tmp_path, recwarn):
    features = AudioFeatureUnion([("locked", Locked())], cache_dir=tmp_path)
    for _ in range(2):
        np.testing.assert_array_equal(features.transform([voice()]), MFCC().transform([voice()]))
    told = [str(one.message) for one in recwarn if "Locked" in str(one.message)]
    assert len(told) == 1
    assert "Features of Locked are not cached: they depend on <unlocked _thread.lock" in told[0]


def by_two(x, factor=2):
    return x * factor


class Parametrized(MFCC):
    def __init__(self, sr=22050, weights=None, change=None):
        super().__init__(sr)
        self.weights = weights
        self.change = change


def test_parameters_of_any_kind():
    long = np.arange(5000.0)  # longer than its repr
    longer = np.where(long == 2500, 0, long)
    values = [
        dict.fromkeys("ab"), {"a": 1}, {1, 2}, long, longer, by_two, lambda x: x * 2,
        functools.partial(by_two, factor=3), functools.partial(by_two, factor=4), 1, 1.0, True, "1",
        MFCC(), MFCC(n_mfcc=3), np.log, np.exp, np.float32(1), np.float64, np,
    ]  # fmt: skip
    settings = [describe_setting(Parametrized(weights=value)) for value in values]
    assert None not in settings
    assert len(set(settings)) == len(values)
    assert settings == [describe_setting(Parametrized(weights=value)) for value in values]
    assert describe_setting(Parametrized(weights=1)) != describe_setting(Parametrized(change=1))


def test_own_transformers_by_their_parameters():
    assert describe_setting(MFCC()) == describe_setting(MFCC())
    assert describe_setting(MFCC()) != describe_setting(MFCC(n_mfcc=41))
    assert describe_setting(BarkSpectrum(statistics=["std"])) is not None


def test_keys_tell_clips_and_settings_apart():
    keys = {make_key("ab", b"c"), make_key("a", b"bc"), make_key("ab", b"d"), make_key("ab")}
    assert len(keys) == 4
