"""One run of each command that makes something, from the data to the folder it leaves.

Change here how a run is put together: `fit.py` follows the one training path, `trainers.py` says
what is fitted, `write.py` what is left.
"""

from sklearn_ser.model_selection.search import SearchOptions
from sklearn_ser.runs.compare import compare_run
from sklearn_ser.runs.evaluate import evaluate_run
from sklearn_ser.runs.fit import fit_run, search_run
from sklearn_ser.runs.options import RunOptions
from sklearn_ser.runs.run_folder import read_options
from sklearn_ser.runs.run_table import diff_runs, list_runs
from sklearn_ser.runs.saved_run import Run, load_run

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
