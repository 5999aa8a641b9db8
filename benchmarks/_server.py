"""A server of ours for the benchmarks, on loopback and on a free port."""

import contextlib
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def serving(model: Path, *how: str) -> Iterator[tuple[str, int]]:
    """Run `sklearn-ser serve`; give its address and the id of its process."""
    command = [sys.executable, "-m", "sklearn_ser", "serve", str(model), "--port", "0", *how]
    process = subprocess.Popen([*command, "--trust"], stderr=subprocess.PIPE, text=True)
    try:
        line = next(line for line in process.stderr if "Serving on" in line)
        yield line.split()[2], process.pid
    finally:
        process.terminate()
        process.wait(30)


def memory_of(pid: int) -> int:
    """Return the resident memory of a process and all that it has started, in bytes."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    children = [int(c) for task in tasks for c in (task / "children").read_text().split()]
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * resource.getpagesize() + sum(map(memory_of, children))
