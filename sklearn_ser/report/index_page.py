"""The page of a folder of runs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sklearn_ser._files import as_text, write_atomically
from sklearn_ser.model_selection.splits import SPLITS
from sklearn_ser.report.pages import render_page

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
    groups = [
        {
            **group,
            "meaning": SPLITS.get(group["split"], group["split"]),
            "runs": [{**run, "link": _link(run)} for run in group["runs"]],
        }
        for group in found["groups"]
    ]
    others = [{**other, "link": _link(other)} for other in found["others"]]
    content = {**found, "others": others, "title": f"Runs in {found['folder']}", "groups": groups}
    write_atomically(path, as_text(render_page("index.html", content)).encode())


def _link(row: Mapping[str, Any]) -> str | None:
    return f"{quote(row['run'])}/report.html" if row["report"] else None
