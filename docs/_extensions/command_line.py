"""The command-line reference, made from the commands themselves as Markdown."""

from pathlib import Path

import typer
from typer.cli import get_docs_for_click

PAGE = "reference/command_line.md"


def write_reference(app) -> None:
    """Write the page that the site includes; typer makes its text from the options' help."""
    from sklearn_ser.cli import app as commands

    group = typer.main.get_command(commands)
    context = typer.Context(group, info_name="sklearn-ser")
    text = get_docs_for_click(obj=group, ctx=context, name="sklearn-ser", title="Command line")
    page = Path(app.srcdir) / PAGE
    page.parent.mkdir(exist_ok=True)
    if not page.exists() or page.read_text(encoding="utf-8") != text:
        page.write_text(text, encoding="utf-8")


def setup(app) -> dict:
    """Register with Sphinx."""
    app.connect("builder-inited", write_reference)
    return {"parallel_read_safe": True}
