"""The typer application, and what every command shares: errors as sentences, exit codes, JSON."""

import functools
import inspect
import json
import signal
import sys
import warnings
from collections.abc import Callable
from typing import Annotated, Any

import typer

import sklearn_ser
from sklearn_ser.exceptions import SerError

app = typer.Typer(
    name="sklearn-ser",
    help="Speech emotion recognition the scikit-learn way: audio files in, a fitted pipeline with "
    "honest scores out.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"sklearn-ser {sklearn_ser.__version__}")
        raise typer.Exit


@app.callback()
def _options_of_all(
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version.", callback=_print_version, is_eager=True),
    ] = False,
) -> None:
    pass


DebugOption = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON document on standard output, nothing else.")
]


def notice(message: str) -> None:
    """Say something on standard error, where it disturbs no pipe."""
    typer.echo(message, err=True)


def print_json(document: Any) -> None:
    """Print `document` as the one JSON document of this command (NaN becomes null)."""
    typer.echo(json.dumps(_finite(document), indent=2, ensure_ascii=False, default=str))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not (float("-inf") < value < float("inf")):
        return None
    return value


def command(application: typer.Typer = app, name: str | None = None, **settings) -> Callable:
    """Register a function as a command whose errors end as one sentence and an exit code."""

    def register(function: Callable) -> Callable:
        @functools.wraps(function)
        def wrapper(*args, debug: bool = False, **kwargs):
            try:
                with warnings.catch_warnings():
                    # A warning is a notice for the person at the terminal, said once.
                    warnings.simplefilter("default", UserWarning)
                    warnings.showwarning = lambda message, *rest, **more: notice(f"Note: {message}")
                    return function(*args, **kwargs)
            except (typer.Exit, typer.Abort, typer.BadParameter):
                raise
            except Exception as error:
                if debug:
                    raise
                notice(f"Error: {describe(error)}")
                # What scikit-learn refuses is most often a parameter that it was given.
                wrong = isinstance(error, ValueError | TypeError)
                raise typer.Exit(getattr(error, "exit_code", 2 if wrong else 1)) from None

        signature = inspect.signature(function)
        parameters = [
            *signature.parameters.values(),
            inspect.Parameter(
                "debug", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=DebugOption
            ),
        ]
        wrapper.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        wrapper.__annotations__ = {**function.__annotations__, "debug": DebugOption}
        return application.command(name, **settings)(wrapper)

    return register


def describe(error: BaseException) -> str:
    """Say what went wrong in a sentence; an operating system's error names its file."""
    if isinstance(error, SerError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror}."
    if isinstance(error, MemoryError):
        return "Not enough memory for this: use fewer clips, shorter clips, or a smaller --n-jobs."
    if isinstance(error, ImportError):
        return str(error)
    return f"{str(error) or 'no message'} ({type(error).__name__}; --debug shows where)"


def main() -> None:
    """Run the command line (the console script `sklearn-ser`)."""
    # What asks politely to stop (docker, timeout, a batch system) may have things cleared away.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    app(prog_name="sklearn-ser")
    sys.exit(0)
