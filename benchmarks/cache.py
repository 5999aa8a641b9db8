"""The second extraction of a corpus against the first, and grid search against the ready matrix."""

import tempfile
import time
from pathlib import Path

from _common import finish, parse_arguments

GRID = {"clf__C": [0.1, 1, 10, 100], "clf__gamma": ["scale", 0.001, 0.01]}


def measure_round(paths, y, folder, taken) -> None:
    """Extract twice, search on the warm cache, and search the ready matrix plainly."""
    import numpy as np
    import pandas as pd
    from sklearn.model_selection import GridSearchCV, StratifiedKFold

    from sklearn_ser.model_selection import Subset
    from sklearn_ser.model_selection.search import SearchOptions, grid_search
    from sklearn_ser.pipelines import extract_features, make_pipeline

    def measure(name, work):
        started = time.perf_counter()
        result = work()
        taken.setdefault(name, []).append(time.perf_counter() - started)
        return result

    pipeline = make_pipeline("svm", features__cache_dir=folder)
    X = measure("first", lambda: pipeline[:2].transform(paths))
    again = measure("second", lambda: pipeline[:2].transform(paths))
    assert np.array_equal(X, again)
    # As a run does, which also wants the checksums and the quality of every clip.
    measure("first, clips inspected", lambda: extract_features(pipeline, paths))
    measure("second, clips inspected", lambda: extract_features(pipeline, paths))
    table = pd.DataFrame({"path": paths, "emotion": y})
    clips = Subset(np.arange(len(y)), table, lambda p: extract_features(p, paths).X)
    ours = measure(
        "grid search, cache warm", lambda: grid_search(pipeline, clips, SearchOptions(GRID))
    )
    tail = make_pipeline("svm", clf__calibrate=False)[2:]
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    search = GridSearchCV(tail, GRID, scoring="balanced_accuracy", cv=folds, refit=False)
    theirs = measure("GridSearchCV, matrix ready", lambda: search.fit(X, y))
    assert np.isclose(ours.best_score, theirs.cv_results_["mean_test_score"].max())


def main() -> None:
    arguments = parse_arguments(__doc__, rounds=3)

    import numpy as np

    from sklearn_ser.corpora import load_data

    corpus = load_data(arguments.data)
    paths, y = corpus["path"].tolist(), corpus["emotion"].to_numpy().astype(str)
    taken: dict[str, list[float]] = {}
    for _ in range(arguments.rounds):
        with tempfile.TemporaryDirectory() as folder:
            measure_round(paths, y, Path(folder), taken)
    seconds = {name: float(np.median(values)) for name, values in taken.items()}
    for name, value in seconds.items():
        print(f"{name:28} {value:6.2f} s")
    faster = seconds["first"] / seconds["second"]
    overhead = seconds["grid search, cache warm"] / seconds["GridSearchCV, matrix ready"]
    print(f"the second extraction is {faster:.1f} times faster than the first")
    print(f"12 candidates in 5 folds take {overhead:.2f} times GridSearchCV on the ready matrix")
    finish(
        "cache",
        {
            "data": arguments.data,
            "n_clips": len(paths),
            "seconds": seconds,
            "first_over_second": faster,
            "search_over_ready_matrix": overhead,
        },
    )


if __name__ == "__main__":
    main()
