"""The published TESS systems, each as one command here: accuracy on a random split."""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from _common import finish, parse_arguments

# Recipe, more options, the published accuracy, and that of a plain script which picks its epoch
# on the test set.
SYSTEMS = {
    "ann": ([], "~0.95", 0.998),
    "cnn": ([], "-", 0.998),
    "lstm": ([], "0.926", 0.996),
    "cnn-lstm": ([], '"high"', 0.998),
    "mlp": (["--features", "mfcc,chroma,mel"], "0.966", 0.991),
}


def fit(clf, more, data, seed, folder):
    """Run the command and return what it reports."""
    command = [sys.executable, "-m", "sklearn_ser", "fit", "--clf", clf, *more, "--json"]
    command += ["--data", data, "--split", "random", "--seed", str(seed)]
    command += ["--out", str(Path(folder) / f"{clf}-{seed}")]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout)


def main() -> None:
    arguments = parse_arguments(__doc__, seeds=3)
    results = {}
    print(
        "recipe     published              plain script   here (mean of seeds, test set untouched)"
    )
    with tempfile.TemporaryDirectory() as folder:
        for clf, (more, published, script) in SYSTEMS.items():
            started = time.perf_counter()
            runs = [fit(clf, more, arguments.data, seed, folder) for seed in range(arguments.seeds)]
            scores = [metrics["accuracy"] for metrics in runs]
            mean = statistics.mean(scores)
            results[clf] = {
                "accuracy": mean,
                "by_seed": scores,
                "n_test": runs[0]["n_test"],
                "validation_by": runs[0]["validation_by"],
                "seconds": (time.perf_counter() - started) / arguments.seeds,
            }
            by_seed = ", ".join(f"{score:.4f}" for score in scores)
            print(f"{clf:10} {published:22} {script:<14} {mean:.4f} ({by_seed})", flush=True)
    finish("headline", {"data": arguments.data, "split": "random", "systems": results})


if __name__ == "__main__":
    main()
