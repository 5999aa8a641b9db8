"""The end of a command: the verdict, the audit, and the path of what was written."""

import os
import sys
from collections.abc import Iterable
from pathlib import Path

from sklearn_ser._files import printable
from sklearn_ser.cli._app import name_options, notice, say, terminal, terminal_width, wrap

GOOD, WARNING = "✓", "!"


def print_verdict(sentences: str) -> None:
    """Print what the scores mean, in bold."""
    text = printable(name_options(sentences), lines=True)
    width = terminal_width(sys.stdout)
    terminal().print(text if width is None else wrap(text, width), style="bold", soft_wrap=True)


def print_audit(findings: Iterable[tuple[bool, str]]) -> None:
    """Print what an audit found, a line for each: ✓ before what is good, ! before a warning."""
    good = GOOD
    try:
        GOOD.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        good = "+"
    for fine, sentence in findings:
        say(f"{good if fine else WARNING} {sentence}")


def print_path(label: str, path: Path | str, *, open_page: bool = False) -> None:
    """Print where something was written, on a line of its own that a terminal can follow.

    Parameters
    ----------
    label : str
    path : Path or str
    open_page : bool, default=False
        Whether to show it in the browser too.
    """
    from rich.style import Style
    from rich.text import Text

    path = Path(path)
    text = Text(f"{label}: ")
    # The console of Linux shows the address of a link as letters.
    link = None if os.environ.get("TERM") == "linux" else path.resolve().as_uri()
    text.append(printable(str(path)), Style(link=link))
    terminal().print(text, soft_wrap=True)
    if open_page:
        import webbrowser

        if not webbrowser.open(path.resolve().as_uri()):
            notice(f"No browser was found to open {path}.")
