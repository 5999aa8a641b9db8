"""Extraction by one worker, by two threads, and by two Dask workers on this machine; no cache."""

import statistics
import tempfile
import time
from pathlib import Path

from _common import finish, parse_arguments

# Dask tells its workers to give memory back at once, and then every array is paid for anew: docs/
# scaling.md says how much that costs.
WORKER_ENVIRONMENT = {
    "OMP_NUM_THREADS": 1,
    "OPENBLAS_NUM_THREADS": 1,
    "MALLOC_TRIM_THRESHOLD_": 1 << 30,
    "MALLOC_MMAP_THRESHOLD_": 1 << 30,
}


def make_distinct(paths, n, folder):
    """Write `n` clips of which no two are alike: those of the corpus, each time a little softer."""
    import soundfile

    made = []
    for i in range(n):
        y, rate = soundfile.read(paths[i % len(paths)], dtype="float32")
        made.append(str(Path(folder) / f"{i}.wav"))
        soundfile.write(made[-1], y * 0.97 ** (i // len(paths)), rate)
    return made


def main() -> None:
    arguments = parse_arguments(__doc__, clips=10000, few=200, rounds=3)

    import joblib

    from sklearn_ser.corpora import load_data
    from sklearn_ser.pipelines import extract_features, make_pipeline

    corpus = load_data(arguments.data)["path"].tolist()
    taken: dict[str, list[float]] = {}

    def measure(name, clips, n_jobs):
        pipeline = make_pipeline("svm", n_jobs=n_jobs)
        started = time.perf_counter()
        extract_features(pipeline, clips)
        taken.setdefault(name, []).append(time.perf_counter() - started)

    with tempfile.TemporaryDirectory() as folder:
        clips = make_distinct(corpus, arguments.clips, folder)
        few = clips[: arguments.few]
        measure("warm-up", few, 2)
        for _ in range(arguments.rounds):
            measure("1", clips, 1)
            measure("2", clips, 2)
            for _ in range(5):
                measure("few, 1", few, 1)
                measure("few, 2", few, 2)
        try:
            import dask
            from distributed import Client, LocalCluster
        except ImportError:
            print("dask is not installed: no figure for it")
        else:
            dask.config.set({"distributed.nanny.pre-spawn-environ": WORKER_ENVIRONMENT})
            with (
                LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
                Client(cluster) as client,
                joblib.parallel_config(backend="dask", client=client),
            ):
                measure("dask warm-up", few, -1)
                measure("dask, 2 workers", clips, -1)
    seconds = {name: statistics.median(values) for name, values in taken.items()}
    speedup = seconds["1"] / seconds["2"]
    few_speedup = seconds["few, 1"] / seconds["few, 2"]
    print(f"{arguments.clips} clips: n_jobs=1 {seconds['1']:.1f} s, n_jobs=2 {seconds['2']:.1f} s")
    print(
        f"n_jobs=2 is {speedup:.2f} times faster, on {arguments.few} clips {few_speedup:.2f} times"
    )
    if "dask, 2 workers" in seconds:
        dask = seconds["1"] / seconds["dask, 2 workers"]
        print(f"two Dask workers are {dask:.2f} times faster than one thread")
    finish(
        "scaling",
        {
            "data": arguments.data,
            "n_clips": arguments.clips,
            "seconds": seconds,
            "speedup": speedup,
            "few_speedup": few_speedup,
        },
    )


if __name__ == "__main__":
    main()
