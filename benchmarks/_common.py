"""What the benchmarks share: their corpus, fair timing, and the line of JSON at the end."""

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable, Mapping, Sequence

# One thread of mathematics each, so that a ratio compares work and not luck with cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def parse_arguments(about: str, **numbers: int) -> argparse.Namespace:
    """Read the corpus and whatever whole numbers a benchmark takes."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("data", nargs="?", default="synthetic", help="corpus, folder or CSV")
    for name, default in numbers.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    return parser.parse_args()


def spread(paths: Sequence[str], n: int) -> list[str]:
    """Return `n` paths from all over a corpus, or all if it has fewer."""
    step = max(1, len(paths) // n)
    return list(paths)[::step][:n]


def time_in_turn(
    contenders: Mapping[str, Callable], items: Sequence, rounds: int
) -> dict[str, float]:
    """Return each contender's median milliseconds an item, over rounds in which they take turns."""
    for work in contenders.values():  # what is compiled or cached at the first call is not counted
        work(items[0])
    taken: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, work in contenders.items():
            started = time.perf_counter()
            for item in items:
                work(item)
            taken[name].append(1000 * (time.perf_counter() - started) / len(items))
    return {name: statistics.median(values) for name, values in taken.items()}


def finish(name: str, results: Mapping) -> None:
    """Print the line of JSON that ends every benchmark."""
    print(json.dumps({"benchmark": name, **results}))
