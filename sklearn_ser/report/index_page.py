"""The page of a folder of runs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sklearn_ser._files import as_text, write_atomically
from sklearn_ser.model_selection.splits import SPLITS

__all__ = ["write_index"]


def write_index(path: Path, found: Mapping[str, Any]) -> None:
    """Write the runs of a folder as a page that links to their reports.

    Parameters
    ----------
    path : Path
        The HTML file, in the folder of the runs.
    found : mapping
        What `list_runs` returned.
    """
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["address"] = lambda name: quote(str(name))
    environment.filters["day"] = lambda created: str(created)[:16].replace("T", " ")
    page = environment.get_template("index.html").render(found, meaning=SPLITS)
    write_atomically(path, as_text(page).encode())
