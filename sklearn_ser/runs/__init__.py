"""One run of each command that makes something, from the data to the folder it leaves.

Change here how a run is put together: `fit.py` follows the one training path, `trainers.py` says
what is fitted, `write.py` what is left.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sklearn_ser.model_selection.search import SearchOptions
    from sklearn_ser.runs.compare import compare_run
    from sklearn_ser.runs.evaluate import evaluate_run
    from sklearn_ser.runs.fit import fit_run, search_run
    from sklearn_ser.runs.options import RunOptions
    from sklearn_ser.runs.run_folder import read_options
    from sklearn_ser.runs.run_table import diff_runs, list_runs
    from sklearn_ser.runs.saved_run import Run, load_run

# Loaded when asked for: who predicts needs neither reports nor a search.
_HOMES = {
    "Run": "runs.saved_run",
    "RunOptions": "runs.options",
    "SearchOptions": "model_selection.search",
    "compare_run": "runs.compare",
    "diff_runs": "runs.run_table",
    "evaluate_run": "runs.evaluate",
    "fit_run": "runs.fit",
    "list_runs": "runs.run_table",
    "load_run": "runs.saved_run",
    "read_options": "runs.run_folder",
    "search_run": "runs.fit",
}

__all__ = [
    "Run",
    "RunOptions",
    "SearchOptions",
    "compare_run",
    "diff_runs",
    "evaluate_run",
    "fit_run",
    "list_runs",
    "load_run",
    "read_options",
    "search_run",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'sklearn_ser.runs' has no attribute {name!r}")
    return getattr(import_module(f"sklearn_ser.{_HOMES[name]}"), name)
