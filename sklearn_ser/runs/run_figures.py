"""The figures, the table and the paragraph of methods of a run, for a paper."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from sklearn_ser._files import as_text, write_atomically
from sklearn_ser.exceptions import ModelError, OptionError
from sklearn_ser.report.paper import write_methods, write_results
from sklearn_ser.report.paper_figures import FORMATS, draw_paper_figures, parse_width
from sklearn_ser.runs.run_folder import writing
from sklearn_ser.runs.saved_run import Run

__all__ = ["write_figures"]


def write_figures(
    run: Run,
    out: Path,
    *,
    formats: Sequence[str] = FORMATS,
    width: str = "84mm",
    font: str = "sans-serif",
) -> list[Path]:
    """Write what a paper needs of a run: figures, results.tex and methods.txt.

    Nothing is fitted, and the model is not loaded.

    Parameters
    ----------
    run : Run
    out : Path
        The folder to write into; files of the same names are replaced.
    formats : sequence of {"pdf", "svg", "png"}
    width : str, default="84mm"
        Of each figure, with its unit.
    font : str, default="sans-serif"
        serif, sans-serif, monospace, or the name of a font on this machine.

    Returns
    -------
    files : list of Path

    Raises
    ------
    OptionError
        For an unknown format, width or font.
    """
    if not formats or (unknown := [one for one in formats if one not in FORMATS]):
        raise OptionError(
            f"`format={','.join(unknown) if formats else ''}`: give {', '.join(FORMATS)}, or "
            "several joined by commas."
        )
    inches = parse_width(width)
    predictions, history = run.predictions, _read_history(run.path / "history.csv")
    with writing(out):
        out.mkdir(parents=True, exist_ok=True)
        files = draw_paper_figures(
            out, run.metrics, predictions, history, formats=formats, width=inches, font=font
        )
        for name, text in [
            ("results.tex", write_results(run.metrics, run.card)),
            ("methods.txt", write_methods(run.metrics, run.card)),
        ]:
            write_atomically(out / name, as_text(text).encode())
            files.append(out / name)
    return files


def _read_history(file: Path) -> pd.DataFrame | None:
    """Return the epochs of a network, or None for other classifiers."""
    if not file.exists():
        return None
    try:
        history = pd.read_csv(file)
    except (OSError, ValueError) as error:
        raise ModelError(f"{file} is not a table of epochs: the run is damaged.") from error
    if missing := {"epoch", "loss", "accuracy"} - set(history.columns):
        raise ModelError(f"{file} has no {', '.join(sorted(missing))}: the run is damaged.")
    return history
