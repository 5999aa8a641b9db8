"""Damaged files by the hundred through `predict` and `POST /predict`; by the thousand where asked.

`SKLEARN_SER_MUTANTS=10000 python -m pytest tests/audio/test_fuzz.py -s` runs them all.
"""

import csv
import os
import resource
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from sklearn_ser import load_pipeline
from tests.mutations import mutants, originals

pytestmark = pytest.mark.usefixtures("mine")

N = int(os.environ.get("SKLEARN_SER_MUTANTS", "200"))
MOST_GROWTH = 200e6  # bytes
LONGEST = 10.0  # seconds a file may take, on a machine that does other things, too


@pytest.fixture(scope="module")
def expected(model):
    """What the pipeline says of each original."""
    return load_pipeline(model).predict_proba([data for _, data in originals()])


def test_predict(model, expected, tmp_path):
    files = list(mutants(N))
    for file in files:
        (tmp_path / file.name).write_bytes(file.data)
    names = [str(tmp_path / file.name) for file in files]
    started = time.monotonic()
    alone, _, _ = predict(model, [names[0]] * 50, tmp_path)
    most, code, err = predict(model, names, tmp_path)
    print(
        f"\npredict: {N} files, {time.monotonic() - started:.0f} s, {(most - alone) / 1e6:.0f} MB"
    )
    assert code == 1
    assert "Traceback" not in err
    assert most - alone < MOST_GROWTH
    with open(tmp_path / "rows.csv", newline="", encoding="utf-8") as rows:
        table = list(csv.DictReader(rows))
    assert [row["path"] for row in table] == names
    for file, row in zip(files, table, strict=True):
        if file.original is None:
            assert row["error"] or row["emotion"]
        else:
            assert not row["error"]
            found = [float(row[name]) for name in ("p_angry", "p_neutral", "p_sad")]
            assert found == expected[file.original].tolist()


def predict(model, names, tmp_path):
    """Run the command; return the most memory it used, its exit code, and what it complained of."""
    program = (
        "import resource, subprocess, sys;"
        "done = subprocess.run(sys.argv[1:], stdin=sys.stdin);"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss);"
        "sys.exit(done.returncode)"
    )
    command = [sys.executable, "-m", "sklearn_ser", "predict", model, "-"]
    done = subprocess.run(
        [sys.executable, "-c", program, *command, "-o", tmp_path / "rows.csv"],
        input="\n".join(names),
        capture_output=True,
        text=True,
        timeout=60 + LONGEST * len(names),
    )
    return 1024 * int(done.stdout.split()[-1]), done.returncode, done.stderr


def test_post(server, expected):
    httpx = pytest.importorskip("httpx")
    url, process = server

    def post(file):
        started = time.monotonic()
        answer = client.post("/predict", files={"file": (file.name, file.data)})
        return file, answer, time.monotonic() - started

    started = time.monotonic()
    with httpx.Client(base_url=url, timeout=60) as client, ThreadPoolExecutor(4) as pool:
        list(pool.map(post, mutants(50, seed=1)))
        before = memory_of(process.pid)
        statuses: dict[int, int] = {}
        longest = 0.0
        for file, answer, seconds in pool.map(post, mutants(N)):
            statuses[answer.status_code] = statuses.get(answer.status_code, 0) + 1
            longest = max(longest, seconds)
            assert answer.status_code in (200, 422), answer.text
            assert "Traceback" not in answer.text
            if file.original is not None:
                found = list(answer.json()["probabilities"].values())
                np.testing.assert_array_equal(found, expected[file.original])
    grown = memory_of(process.pid) - before
    print(
        f"\nPOST: {statuses}, {time.monotonic() - started:.0f} s, the longest {longest:.2f} s, "
        f"{grown / 1e6:.0f} MB"
    )
    assert longest < LONGEST
    assert grown < MOST_GROWTH
    assert process.poll() is None


def memory_of(pid):
    """Return the resident memory of a process and all that it has started, in bytes."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    children = [int(c) for task in tasks for c in (task / "children").read_text().split()]
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * resource.getpagesize() + sum(map(memory_of, children))
