"""Pages from templates: one file each, with nothing from elsewhere and no code but its own."""

import base64
import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

__all__ = ["render_page"]

TEMPLATES = Path(__file__).parent / "templates"


def render_page(template: str, content: Mapping[str, Any]) -> str:
    """Fill in a template that extends base.html.

    The page's policy allows its own style and script by their hashes, pictures and sounds inside
    the page, and nothing else: whatever a corpus is called, a browser runs none of it. So there
    are no style attributes and no handlers in templates.

    Parameters
    ----------
    template : str
        A file of the folder templates.
    content : mapping
        What the template shows; title at least.

    Returns
    -------
    page : str
        An HTML document.
    """
    environment = _environment()
    style = environment.get_template("report.css").render()
    script = (TEMPLATES / "report.js").read_text(encoding="utf-8")
    return environment.get_template(template).render(
        content,
        style=style,
        script=script,
        style_hash=_hash(style),
        script_hash=_hash(script),
    )


@cache
def _environment() -> Any:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["figure"] = _figure
    environment.filters["span"] = lambda interval: f"[{interval[0]:.3f}, {interval[1]:.3f}]"
    environment.filters["percent"] = lambda share: f"{100 * share:.0f}\N{NO-BREAK SPACE}%"
    # An axis from 0 to 1, with a little room at both ends for what is drawn there.
    environment.filters["place"] = lambda value: f"{1 + 98 * value:.1f}%"
    return environment


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
