"""`sklearn-ser figures`: the figures of a run, ready for a paper."""

from pathlib import Path
from typing import Annotated

import typer

from sklearn_ser.cli._app import JsonOption, command, print_json, say
from sklearn_ser.cli._ending import print_path


@command(name="figures")
def figures(
    run: Annotated[Path, typer.Argument(help="The run's folder.", metavar="RUN")],
    format: Annotated[
        str, typer.Option(help="pdf, svg or png (300 dpi), joined by commas.", metavar="LIST")
    ] = "pdf,svg,png",
    width: Annotated[
        str,
        typer.Option(
            help="The width of each figure: a number with mm, cm, in or pt.", metavar="WIDTH"
        ),
    ] = "84mm",
    font: Annotated[
        str,
        typer.Option(
            help="serif, sans-serif, monospace, or the name of a font on this machine.",
            metavar="NAME",
        ),
    ] = "sans-serif",
    out: Annotated[
        Path | None,
        typer.Option(help="Where to write. Without it: paper in the run.", show_default=False),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Draw the figures of a run for a paper or a thesis, and write its table and methods.

    Beside the figures are results.tex, a table of the scores for LaTeX (booktabs), and methods.txt,
    a paragraph that says what was done, with the references of corpus, features and software.
    """
    from sklearn_ser.runs import load_run
    from sklearn_ser.runs.run_figures import write_figures

    folder = out if out is not None else run / "paper"
    formats = [name.strip().lower() for name in format.split(",") if name.strip()]
    files = write_figures(load_run(run), folder, formats=formats, width=width, font=font)
    if json:
        print_json({"folder": str(folder), "files": [str(file) for file in files]})
        return
    n_figures = len({file.stem for file in files}) - 2
    say(f"{n_figures} figures ({', '.join(formats)}, {width} wide), results.tex and methods.txt.")
    print_path("Figures", folder)
