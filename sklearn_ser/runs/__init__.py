"""One run: extract, split, fit, score, and write it all into one folder."""

from sklearn_ser.runs.compare import compare_run
from sklearn_ser.runs.evaluate import evaluate_run
from sklearn_ser.runs.fit import fit_run
from sklearn_ser.runs.options import RunOptions
from sklearn_ser.runs.resume import read_options
from sklearn_ser.runs.search import SearchOptions, search_run

__all__ = [
    "RunOptions",
    "SearchOptions",
    "compare_run",
    "evaluate_run",
    "fit_run",
    "read_options",
    "search_run",
]
