"""`kill -9` at any moment: nothing half-written is taken for good, and the end is the same.

`SKLEARN_SER_KILLS=50 python -m pytest tests/runs/test_kill.py -s` kills each command that often.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import time

import pytest

from sklearn_ser import load_pipeline

pytestmark = pytest.mark.usefixtures("mine")

N_KILLS = int(os.environ.get("SKLEARN_SER_KILLS", "1"))


class Command:
    """A command that can be started again and again."""

    def __init__(self, *words, listed=None):
        self.words = [sys.executable, "-m", "sklearn_ser", *map(str, words)]
        self.listed = listed

    def start(self):
        stdin = open(self.listed) if self.listed else None  # noqa: SIM115
        try:
            return subprocess.Popen(
                self.words, stdin=stdin, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
        finally:
            if stdin:
                stdin.close()

    def run(self):
        """Run it undisturbed; return its exit code and the seconds it took."""
        started = time.monotonic()
        return self.start().wait(300), time.monotonic() - started

    def kill(self, rng, seconds, look=lambda: None):
        """Kill it between now and `seconds`, and look at what it has left."""
        process = self.start()
        time.sleep(rng.uniform(0.3 if N_KILLS > 1 else 0.8, 1) * seconds)
        process.send_signal(signal.SIGKILL)
        killed = process.wait() == -signal.SIGKILL
        look()
        return killed


def test_predict(model, little_corpus, tmp_path):
    clips = sorted(map(str, little_corpus.rglob("*.wav")))
    (tmp_path / "list").write_text("\n".join([*(clips * 40), "missing.wav", *(clips * 40)]))

    def predict(out):
        how = ("predict", model, "-", "-o", tmp_path / out, "--resume")
        return Command(*how, listed=tmp_path / "list")

    code, seconds = predict("whole.csv").run()
    assert code == 1
    whole = (tmp_path / "whole.csv").read_bytes()
    rng, out, n_resumed = random.Random(0), tmp_path / "killed.csv", 0
    for _ in range(N_KILLS):
        killed = predict("killed.csv").kill(rng, seconds)
        assert out.exists() != killed or out.read_bytes() == whole
        n_resumed += (tmp_path / "killed.csv.partial").exists()
        if out.exists():  # too late to be killed: once more from the start
            assert out.read_bytes() == whole
            out.unlink()
    assert predict("killed.csv").run()[0] == 1
    assert out.read_bytes() == whole
    assert sorted(file.name for file in tmp_path.iterdir()) == ["killed.csv", "list", "whole.csv"]
    print(f"\npredict: {N_KILLS} kills, {n_resumed} of them left something to go on with")


@pytest.mark.skipif(N_KILLS == 1, reason="set SKLEARN_SER_KILLS; test_cache.py has a quick one")
@pytest.mark.parametrize("cache", ["--no-cache", "--cache"])
def test_features(little_corpus, tmp_path, cache):
    corpus = tmp_path / "corpus"
    for i in range(8):  # long enough for a kill to meet it at work
        shutil.copytree(little_corpus, corpus / f"part {i}")
    (tmp_path / "mine.csv").write_text(
        "path,emotion\n"
        + "".join(f"{file},{file.parent.name}\n" for file in sorted(corpus.rglob("*.wav")))
    )

    def features(out):
        kept = [cache] if cache == "--no-cache" else [cache, tmp_path / f"cache of {out}"]
        return Command("features", tmp_path / "mine.csv", "-o", tmp_path / out, *kept)

    code, seconds = features("whole.parquet").run()
    assert code == 0
    whole = (tmp_path / "whole.parquet").read_bytes()
    rng, out = random.Random(1), tmp_path / "killed.parquet"
    for _ in range(N_KILLS):
        features("killed.parquet").kill(rng, seconds)
        if out.exists():
            assert out.read_bytes() == whole
            out.unlink()
    assert features("killed.parquet").run()[0] == 0
    assert out.read_bytes() == whole


def test_fit(little_corpus, tmp_path):
    def fit(out):
        how = ("--data", little_corpus, "--features", "mfcc", "--clf", "logreg", "--no-cache")
        return Command("fit", *how, "--out", out)

    code, seconds = fit(tmp_path / "whole").run()
    assert code == 0
    rng = random.Random(2)
    for i in range(N_KILLS):
        out = tmp_path / f"run {i}"
        killed = fit(out).kill(rng, seconds)
        if out.exists():  # then it is whole
            assert sorted(f.name for f in out.iterdir()) == sorted(
                f.name for f in (tmp_path / "whole").iterdir()
            )
            load_pipeline(out)
        else:
            assert killed
            assert fit(out).run()[0] == 0 if i == 0 else True
