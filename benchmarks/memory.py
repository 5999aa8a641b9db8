"""Peak memory of extracting many clips over that of a few, the feature matrix subtracted."""

import subprocess
import sys

from _common import finish, parse_arguments

PROGRAM = """
import itertools, resource, sys
from sklearn_ser.corpora import load_data
from sklearn_ser.pipelines import extract_features, make_pipeline

paths = load_data(sys.argv[1])["path"].tolist()
paths = list(itertools.islice(itertools.cycle(paths), int(sys.argv[2])))
X, *_, failures = extract_features(make_pipeline("svm"), paths)
assert not failures
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # kB, on macOS bytes
print(peak * (1 if sys.platform == "darwin" else 1024) - X.nbytes)
"""


def main() -> None:
    arguments = parse_arguments(__doc__, few=200, many=20000)
    peaks = {}
    for name in ("few", "many"):
        n = getattr(arguments, name)
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, arguments.data, str(n)],
            check=True, capture_output=True, text=True,
        )  # fmt: skip
        peaks[n] = int(done.stdout) / 1e6
        print(f"{n:6} clips: peak {peaks[n]:.0f} MB without the matrix")
    few, many = peaks.values()
    print(f"{arguments.many} clips took {many - few:.0f} MB more than {arguments.few}")
    finish("memory", {"data": arguments.data, "peak_mb": peaks, "extra_mb": many - few})


if __name__ == "__main__":
    main()
