"""What a fit leaves beside its checkpoints, so that `fit --resume` knows what it was told."""

import ast
import json
from dataclasses import asdict
from pathlib import Path

from sklearn_ser.exceptions import OptionError
from sklearn_ser.runs.folder import hidden
from sklearn_ser.runs.options import RunOptions

__all__ = ["forget_options", "read_options", "write_options"]

OPTIONS = "options.json"


def write_options(folder: Path, options: RunOptions) -> None:
    """Write what a run is told into its hidden folder."""
    told = asdict(options)
    told["params"] = {name: repr(value) for name, value in options.params.items()}
    text = json.dumps(told, default=str, indent=2)
    (folder / OPTIONS).write_text(text, encoding="utf-8")


def forget_options(folder: Path) -> None:
    """Remove them from a run that is done: its card says the same."""
    (folder / OPTIONS).unlink(missing_ok=True)


def read_options(out: Path) -> RunOptions:
    """Return what an unfinished run was told.

    Parameters
    ----------
    out : Path
        The folder it was to have in the end.

    Raises
    ------
    OptionError
        If no such run was left unfinished; the message names those that were.
    """
    out = out.expanduser()
    file = hidden(out) / OPTIONS
    if not file.exists():
        if out.exists():
            raise OptionError(f"{out} is finished: there is nothing to go on with.")
        left = sorted(out.parent.glob(f".*.partial/{OPTIONS}"))
        names = [str(out.parent / path.parent.name[1 : -len(".partial")]) for path in left]
        hint = f"unfinished there: {', '.join(names)}." if names else "no fit is unfinished there."
        raise OptionError(f"--resume {out}: no fit of that name was left unfinished; {hint}")
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
        told["params"] = {k: ast.literal_eval(value) for k, value in told["params"].items()}
        told["cache"] = None if told["cache"] is None else Path(told["cache"])
        return RunOptions(**{**told, "out": out})
    except (OSError, ValueError, SyntaxError, TypeError, KeyError) as error:
        raise OptionError(f"{file} cannot be read ({error}): start the fit anew.") from error
