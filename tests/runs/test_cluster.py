"""A real scheduler and real workers on loopback."""

import json
import subprocess
import sys
import time
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
import soundfile

from sklearn_ser import MFCC, AudioFeatureUnion, AudioLoader, Chroma
from sklearn_ser.exceptions import OptionError
from sklearn_ser.runs.cluster import work_on
from tests.conftest import SR, run, voice

distributed = pytest.importorskip("distributed")

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")


def start(*words):
    dask = Path(sys.executable).with_name("dask")
    return subprocess.Popen(
        [dask, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )  # fmt: skip


@pytest.fixture
def cluster(tmp_path):
    """The address of a scheduler with two workers, and the workers' processes."""
    file = tmp_path / "scheduler.json"
    scheduler = start(
        "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard",
        "--scheduler-file", str(file),
    )  # fmt: skip
    processes = [scheduler]
    try:
        wait_for(lambda: file.exists() and file.stat().st_size)  # made before it is written
        address = json.loads(file.read_text())["address"]
        workers = [
            start("worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard",
                  "--local-directory", str(tmp_path / f"worker-{i}"))
            for i in range(2)
        ]  # fmt: skip
        processes += workers
        with distributed.Client(address, set_as_default=False) as client:
            client.wait_for_workers(2, timeout=60)
        yield address, workers
    finally:
        for process in processes:
            process.kill()
            process.wait()


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    folder = tmp_path_factory.mktemp("many")
    found = []
    for i in range(640):
        found.append(str(folder / f"{i}.wav"))
        soundfile.write(found[-1], voice(0.5, 100 + i / 4, seed=i), SR)
    return found


FEATURES = AudioFeatureUnion([("mfcc", MFCC()), ("chroma", Chroma())], n_jobs=-1)


def test_extraction_survives_a_lost_worker(cluster, paths):
    address, workers = cluster
    clips = AudioLoader().transform(paths)
    here = FEATURES.transform(clips)
    with distributed.Client(address, set_as_default=False) as client:
        told = distributed.get_task_stream(client=client)
        with joblib.parallel_config(backend="dask", client=client), told:
            there = FEATURES.transform(clips)
        busy = {record["worker"] for record in told.data}
        assert len(busy) == 2
        # Other processes may have other numbers of BLAS threads, and so other last bits.
        np.testing.assert_allclose(there, here, rtol=1e-4, atol=1e-3)

        survived = []
        with joblib.parallel_config(backend="dask", client=client):
            for n, batch in enumerate(FEATURES.iter_batches(clips)):
                survived.extend(batch.rows)
                if n == 3:
                    workers[0].kill()
                    workers[0].wait()
        np.testing.assert_allclose(survived, here, rtol=1e-4, atol=1e-3)
        wait_for(lambda: len(client.scheduler_info(n_workers=-1)["workers"]) == 1)


def test_commands_with_scheduler(cluster, little_corpus, tmp_path):
    address, _ = cluster
    how = ("--scheduler", address, "--no-cache")
    run("features", little_corpus, "-o", tmp_path / "t.csv", *how)
    assert len(pd.read_csv(tmp_path / "t.csv")) == 24
    scores = []
    for name, where in (("there", how), ("here", ("--no-cache", "--n-jobs", "1"))):
        out, _ = run(
            "grid-search", "--data", little_corpus, "--param", "clf__C=0.1,1,10", "--json",
            "--out", tmp_path / name, *where,
        )  # fmt: skip
        scores.append(json.loads(out)["search"])
    assert scores[0] == scores[1]
    out, _ = run("fit", "--data", little_corpus, "--out", tmp_path / "f", "--json", *how)
    assert json.loads(out)["n_test"] == 5


def test_no_scheduler_at_the_address():
    with (
        pytest.raises(OptionError, match="no Dask scheduler answers there"),
        work_on("tcp://127.0.0.1:9"),
    ):
        pass


def test_invalid_scheduler_address():
    with (
        pytest.raises(OptionError, match="no Dask scheduler answers there"),
        work_on("nonsense://x"),
    ):
        pass


def test_without_dask(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(OptionError, match=r"sklearn-ser\[cluster\]"), work_on("tcp://x:1"):
        pass


def test_no_scheduler_means_this_machine():
    with work_on(None):
        assert FEATURES.transform([voice()]).shape == (1, 52)
