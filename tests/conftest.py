"""What the tests share: audio of their own making, and the real corpora where they are."""

import builtins
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
import soundfile
from joblib.externals.loky import reusable_executor
from typer.testing import CliRunner

SR = 22050

# Tests run as a newcomer has them: no corpora on the machine. Those marked `real` are given the
# folder of the real ones by `real_corpus`, and are skipped where there is none. The variable is
# passed on to the processes of pytest-xdist, which import this file once more.
REAL_CORPORA = os.environ.setdefault(
    "SKLEARN_SER_REAL_CORPORA", os.environ.get("SKLEARN_SER_DATA", "")
)
os.environ["SKLEARN_SER_DATA"] = os.path.join(tempfile.gettempdir(), "no-sklearn-ser-data")


def pytest_collection_modifyitems(items):
    """Skip what needs the real corpora where they are not."""
    if not REAL_CORPORA:
        skip = pytest.mark.skip(reason="set SKLEARN_SER_DATA to a folder with the real corpora")
        for item in items:
            if item.get_closest_marker("real"):
                item.add_marker(skip)


def voice(seconds=0.5, pitch=150.0, sr=SR, seed=0):
    """A buzz with harmonics and some noise: enough like speech for every feature to see it."""
    rng = np.random.default_rng(seed)
    t = np.arange(int(seconds * sr)) / sr
    tone = sum(np.sin(2 * np.pi * pitch * k * t) / k for k in range(1, 12))
    return (0.2 * tone + 0.02 * rng.normal(size=len(t))).astype(np.float32)


def melody(seconds=1.5, pitch=150.0, sr=SR, seed=0):
    """The same with a pitch that moves, as that of a voice does."""
    rng = np.random.default_rng(seed)
    t = np.arange(int(seconds * sr)) / sr
    phase = 2 * np.pi * np.cumsum(pitch * (1 + 0.1 * np.sin(2 * np.pi * 2 * t))) / sr
    tone = sum(np.sin(k * phase) / k for k in range(1, 12))
    return (0.2 * tone + 0.02 * rng.normal(size=len(t))).astype(np.float32)


def run(*words, code=0):
    """Run a command in this process; return standard output and standard error."""
    from sklearn_ser.cli import app

    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == code, (result.output, result.exception)
    assert "Traceback" not in result.output
    return result.stdout, result.stderr


@pytest.fixture(autouse=True)
def _own_configuration(tmp_path, monkeypatch):
    """Keep what tests write out of the folders of whoever runs them."""
    monkeypatch.setenv("SKLEARN_SER_CONFIG", str(tmp_path / "config"))
    monkeypatch.setenv("SKLEARN_SER_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module", autouse=True)
def _no_idle_workers():
    """Stop joblib's worker processes after each module.

    They end by themselves after five idle minutes, and a search that begins in that very moment may
    wait for them for ever.
    """
    yield
    if reusable_executor._executor is not None:
        reusable_executor._executor.shutdown(wait=True, kill_workers=True)


@pytest.fixture(scope="session")
def little_corpus(tmp_path_factory):
    """A folder corpus of 3 emotions x 8 clips, told apart by pitch, for fast fits."""
    folder = tmp_path_factory.mktemp("little")
    for emotion, pitch in [("angry", 300), ("neutral", 180), ("sad", 100)]:
        (folder / emotion).mkdir()
        for i in range(8):
            y = voice(0.4, pitch * (1 + 0.02 * i), seed=i)
            soundfile.write(folder / emotion / f"{i}.wav", y, SR)
    return folder


@pytest.fixture
def reads(monkeypatch):
    """How often each file was opened, by name; whatever opened it."""
    counts: Counter = Counter()
    sound_file = soundfile.SoundFile.__init__

    def counting(opener):
        def count_open(file, *args, **how):
            if str(file).endswith((".wav", ".flac")):
                counts[str(file)] += 1
            return opener(file, *args, **how)

        return count_open

    def count_sound_file(self, file, *args, **how):
        if isinstance(file, str | os.PathLike):  # and nothing that was opened or read before
            counts[str(file)] += 1
        return sound_file(self, file, *args, **how)

    monkeypatch.setattr(builtins, "open", counting(builtins.open))
    monkeypatch.setattr(os, "open", counting(os.open))
    monkeypatch.setattr(soundfile.SoundFile, "__init__", count_sound_file)
    return counts


@pytest.fixture(scope="session")
def clips(little_corpus):
    """The paths of the little corpus."""
    return sorted(map(str, little_corpus.rglob("*.wav")))


@pytest.fixture(scope="session")
def spoken(little_corpus, tmp_path_factory):
    """The little corpus with four speakers and eight texts, and labels that nobody can learn."""
    wrong = {"3": {"angry": "sad", "sad": "angry"}, "6": {"neutral": "sad"}}
    rows = [
        {
            "path": file,
            "emotion": wrong.get(file.stem, {}).get(file.parent.name, file.parent.name),
            "speaker": f"s{int(file.stem) % 4}",
            "text": f"t{file.stem}",
        }
        for file in sorted(little_corpus.rglob("*.wav"))
    ]
    csv = tmp_path_factory.mktemp("spoken") / "spoken.csv"
    pd.DataFrame(rows).to_csv(csv, index=False)
    return csv


@pytest.fixture
def wav(tmp_path):
    """Write samples to a file and return its path."""

    def write(name="clip.wav", y=None, sr=SR, **how):
        path = tmp_path / name
        soundfile.write(path, voice() if y is None else y, sr, **how)
        return path

    return write


@pytest.fixture(scope="session")
def model(little_corpus, tmp_path_factory):
    """A run's folder, beside the configuration of the user who made it; see `mine`."""
    from sklearn_ser.cli import app

    folder = tmp_path_factory.mktemp("model")
    words = ["fit", "--data", little_corpus, "--features", "mfcc", "--out", folder / "svm"]
    mine = {"SKLEARN_SER_CONFIG": str(folder / "config"), "SKLEARN_SER_CACHE": str(folder / "c")}
    done = CliRunner().invoke(app, [str(word) for word in words], env=mine)
    assert done.exit_code == 0, done.output
    return folder / "svm"


@pytest.fixture
def mine(model, monkeypatch):
    """Make the one who runs this test the one who made the model."""
    monkeypatch.setenv("SKLEARN_SER_CONFIG", str(model.parent / "config"))


@contextlib.contextmanager
def serving(model, *how):
    """Run a server on a free port of this machine; give its address and its process."""
    process = subprocess.Popen(
        [sys.executable, "-m", "sklearn_ser", "serve", str(model), "--port", "0", *map(str, how)],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "SKLEARN_SER_CONFIG": str(model.parent / "config")},
    )
    try:
        for line in process.stderr:
            if "Serving on" in line:
                break
        else:
            raise AssertionError("the server did not start")
        yield line.split()[2], process
    finally:
        process.terminate()
        process.wait(20)
        process.stderr.close()


@pytest.fixture(scope="session")
def server(model):
    how = ("--max-megabytes", 2, "--max-seconds", 60, "--workers", 2, "--examples", 3)
    with serving(model, *how) as started:
        yield started


@pytest.fixture(scope="session")
def closed(model):
    """A server with a token, one client at a time, and another page that may use it."""
    how = ("--token", "s3cret", "--per-client", 1, "--allow-origin", "https://example.org")
    with serving(model, *how, "--allow-host", "ser.example", "--workers", 1) as started:
        yield started


def real_corpus(name):
    """The folder of a real corpus, or a skip that says how to get it."""
    folder = Path(REAL_CORPORA).expanduser().absolute() / name
    if not REAL_CORPORA or not folder.is_dir():
        pytest.skip(f"set SKLEARN_SER_DATA to a folder that holds {name}")
    return folder


@pytest.fixture
def like_windows(monkeypatch):
    """Refuse to rename and to remove what is open, and lock as Windows does, by bytes."""
    import fcntl

    from sklearn_ser import _files

    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("the system does not list open files")

    def check_closed(path):
        path = os.path.abspath(path)
        for handle in os.listdir("/proc/self/fd"):
            with contextlib.suppress(FileNotFoundError):
                opened = os.readlink(f"/proc/self/fd/{handle}")
                if opened == path or opened.startswith(path + os.sep):
                    raise PermissionError(13, "it is open", path)

    def checked(function, *, renames):
        def call(path, *rest, dir_fd=None, **more):
            if dir_fd is None:
                check_closed(path)
            if renames and os.path.isdir(rest[0]):
                raise PermissionError(13, "a folder is there", str(rest[0]))
            if renames:
                check_closed(rest[0])
            return function(path, *rest, **more, **({} if dir_fd is None else {"dir_fd": dir_fd}))

        return call

    class Msvcrt(ModuleType):
        LK_NBLCK = 2

        def locking(self, handle, mode, n_bytes):
            assert (mode, n_bytes) == (self.LK_NBLCK, 1)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise PermissionError(13, "Permission denied") from error

    monkeypatch.setattr(_files, "WINDOWS", True)
    for name in ("geteuid", "O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_NOCTTY"):
        monkeypatch.delattr(os, name)
    monkeypatch.setattr(
        shutil, "_use_fd_functions", False
    )  # nor does rmtree have descriptors there
    monkeypatch.setitem(sys.modules, "fcntl", None)
    monkeypatch.setitem(sys.modules, "msvcrt", Msvcrt("msvcrt"))
    for name, renames in [("replace", True), ("rename", True), ("unlink", False)]:
        monkeypatch.setattr(os, name, checked(getattr(os, name), renames=renames))
