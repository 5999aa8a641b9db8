"""A clip in memory to its probabilities, and commands from start to end, beside what they build on.

A prediction stands beside its classifier and scaler alone on a row that is ready: what is left is
features, and what this package and scikit-learn's pipelines add. Commands stand beside a process
that only imports scikit-learn's SVM and pandas. All is time of the processor, so that other
programs on the machine count less: the median of a prediction's, the least of a process's.
"""

import resource
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from _common import finish, parse_arguments, spread

MODELS = (("svm", None), ("logreg", "functionals"))


def milliseconds(work, rounds: int) -> float:
    """Return the median milliseconds of one call."""
    taken = []
    for _ in range(rounds):
        started = time.process_time()
        work()
        taken.append(1000 * (time.process_time() - started))
    return statistics.median(taken)


def seconds_of(command: list[str]) -> float:
    """Return the processor's seconds that a new process of Python takes."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *command], check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    arguments = parse_arguments(__doc__, clips=300, rounds=200, processes=5)

    import numpy as np

    from sklearn_ser import make_pipeline, save_pipeline
    from sklearn_ser.audio.loader import load_audio
    from sklearn_ser.corpora import load_data

    table = load_data(arguments.data)
    emotion_of = dict(zip(table["path"], table["emotion"], strict=True))
    paths = spread(table["path"], arguments.clips)
    emotions = [emotion_of[path] for path in paths]
    results: dict = {"data": arguments.data, "ms": {}, "seconds": {}}
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model.joblib"
        for name, features in MODELS:
            pipe = make_pipeline(name, features, random_state=0).fit(paths, emotions)
            if name == "svm":
                save_pipeline(pipe, model)
            sr = pipe["audio"].sr
            waveform = np.resize(load_audio(paths[0], sr=sr), 2 * sr)
            row = pipe[:2].transform([waveform])
            taken = (
                milliseconds(partial(pipe.predict_proba, [waveform]), arguments.rounds),
                milliseconds(partial(pipe[2:].predict_proba, row), arguments.rounds),
            )
            results["ms"][name] = dict(zip(("waveform", "row"), taken, strict=True))
            print(
                f"{name} on {features or 'its features'}: {taken[0]:.2f} ms from a waveform of 2 s "
                f"to probabilities, {taken[1]:.2f} ms from its row"
            )
        load = f"from sklearn_ser import load_pipeline; load_pipeline({str(model)!r}, trust=True)"
        commands = {
            "imports": ["-c", "import sklearn.svm, pandas"],
            "load_pipeline": ["-c", load],
            "predict": ["-m", "sklearn_ser", "predict", str(model), paths[0], "--trust"],
        }
        rounds = [
            {name: seconds_of(command) for name, command in commands.items()}
            for _ in range(arguments.processes)
        ]
    least = {name: min(one[name] for one in rounds) for name in commands}
    results["seconds"] = least
    for name in ("load_pipeline", "predict"):
        results[f"{name}_over_imports"] = least[name] / least["imports"]
        print(f"{name}: {results[f'{name}_over_imports']:.2f} times {commands['imports'][1]!r}")
    finish("latency", results)


if __name__ == "__main__":
    main()
