"""The typer application, and what every command shares: errors as sentences, exit codes, JSON."""

import atexit
import contextlib
import functools
import inspect
import io
import os
import re
import shutil
import signal
import sys
import textwrap
import warnings
from collections.abc import Callable
from contextvars import ContextVar
from typing import Annotated, Any, NoReturn, TextIO

import typer

import sklearn_ser
from sklearn_ser._files import printable, to_json
from sklearn_ser.cli._help import PanelCommand
from sklearn_ser.exceptions import SerError

app = typer.Typer(
    name="sklearn-ser",
    help="Speech emotion recognition the scikit-learn way: audio files in, a fitted pipeline with "
    "honest scores out.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    # Rich would cut long words to fit its boxes, and take what stands in brackets for markup.
    rich_markup_mode=None,
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


def say(message: str, *, err: bool = False) -> None:
    """Print a sentence, on a terminal broken between words; parameters are named as options.

    In a pipe a sentence stays one line. Control characters of file names, labels and cards are
    written out.
    """
    text = printable(name_options(message), lines=True)
    width = terminal_width(sys.stderr if err else sys.stdout)
    if width is not None:
        text = "\n".join(wrap(line, width) for line in text.split("\n"))
    typer.echo(text, err=err)


def terminal_width(stream: TextIO) -> int | None:
    """Return the columns of the terminal behind a stream; None where there is none."""
    if not stream.isatty():
        return None
    return shutil.get_terminal_size().columns


def wrap(text: str, width: int) -> str:
    """Break a line between words, never within one: it may be a number, an option or a path."""
    # As before the entries of a card, and the findings of an audit.
    label = re.match(r" *(?:\w+ {2,}|[✓+!] )?", text)
    indent = " " * len(label[0] if label else "")
    lines = textwrap.wrap(
        text, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
    return "\n".join(lines)


def notice(message: str) -> None:
    """Say something on standard error, where it disturbs no pipe."""
    say(message, err=True)


_running: ContextVar[typer.Context | None] = ContextVar("_running", default=None)

# A parameter in backticks, as the library's messages have it: `test_size` or `test_size=0.2`.
PARAMETER = re.compile(r"`([A-Za-z]\w*)(?:=([^`]*))?`")


def name_options(message: str) -> str:
    """Return a message of the library with the options of the command that runs.

    A parameter that is no option of the command stays as it is.

    Examples
    --------
    >>> name_options("`test_size` is a share.")  # outside a command
    '`test_size` is a share.'
    """
    context = _running.get()
    if context is None:
        return message
    parameters = {parameter.name: parameter for parameter in context.command.params}
    # An option of several names, such as --cv and --split, is named as the message has it.
    options = {
        option.removeprefix("--").replace("-", "_"): (option, parameter)
        for parameter in context.command.params
        for option in parameter.opts
    }

    def option(match: re.Match[str]) -> str:
        name, value = match[1], match[2]
        if "__" in name and "param" in parameters:  # of a step
            return f"--param {name}" + ("" if value is None else f"={value}")
        if value == "None" and f"no_{name}" in options:
            return options[f"no_{name}"][0]
        parameter = parameters.get(name)
        if parameter is not None and parameter.param_type_name == "argument":
            return parameter.metavar or name.upper()
        if name not in options:
            return match[0]
        words, parameter = options[name]
        if value is None or getattr(parameter, "is_flag", False):
            return words
        return f"{words} {value.strip(chr(34) + chr(39))}"

    return PARAMETER.sub(option, message)


def print_json(document: Any) -> None:
    """Print `document` as the one JSON document of this command (NaN becomes null)."""
    # In UTF-8 as all JSON, whatever the locale: programs read it.
    typer.echo(to_json(document).encode("utf-8") + b"\n", nl=False)


PIPE_WIDTH = 240


def terminal(*, err: bool = False) -> Any:
    """Return a rich console that takes text as it is: no markup, no control characters."""
    from rich.console import Console
    from rich.segment import Segment

    class Terminal(Console):
        def render(self, renderable, options=None):
            for text, style, control in super().render(renderable, options):
                yield Segment(text if control else printable(text, lines=True), style, control)

    # In a pipe nothing need be broken: a table is as wide as its numbers.
    stream = sys.stderr if err else sys.stdout
    width = None if stream.isatty() or "COLUMNS" in os.environ else PIPE_WIDTH
    return Terminal(stderr=err, markup=False, emoji=False, highlight=False, width=width)


def command(application: typer.Typer = app, name: str | None = None, **settings) -> Callable:
    """Register a function as a command whose errors end as one sentence and an exit code."""

    def register(function: Callable) -> Callable:
        signature = inspect.signature(function)
        takes_context = "context" in signature.parameters

        @functools.wraps(function)
        def wrapper(context: typer.Context, debug: bool = False, **kwargs):
            running = _running.set(context)
            if takes_context:
                kwargs["context"] = context
            try:
                with warnings.catch_warnings():
                    # A warning is a notice for the person at the terminal, said once.
                    warnings.simplefilter("default", UserWarning)
                    warnings.showwarning = lambda message, *rest, **more: notice(f"Note: {message}")
                    return function(**kwargs)
            except (typer.Exit, typer.Abort, typer.BadParameter):
                raise
            except BrokenPipeError:
                # Who reads what is printed has seen enough, such as head: that is no error.
                with contextlib.suppress(OSError):
                    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
                raise typer.Exit(0) from None
            except Exception as error:
                if debug:
                    raise
                notice(f"Error: {describe(error)}")
                # What scikit-learn refuses is most often a parameter that it was given.
                wrong = isinstance(error, ValueError | TypeError)
                raise typer.Exit(getattr(error, "exit_code", 2 if wrong else 1)) from None
            finally:
                _running.reset(running)

        keyword = inspect.Parameter.KEYWORD_ONLY
        parameters = [p.replace(kind=keyword) for p in signature.parameters.values()]
        if not takes_context:
            parameters.append(inspect.Parameter("context", keyword, annotation=typer.Context))
        parameters.append(
            inspect.Parameter("debug", keyword, default=False, annotation=DebugOption)
        )
        wrapper.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        more = {"context": typer.Context, "debug": DebugOption}
        wrapper.__annotations__ = {**function.__annotations__, **more}
        # The list of commands cuts a summary unless it is given as one.
        summary = (inspect.getdoc(function) or "").partition("\n\n")[0].replace("\n", " ")
        in_panels = application.command(name, cls=PanelCommand, short_help=summary, **settings)
        return in_panels(wrapper)

    return register


def describe(error: BaseException) -> str:
    """Say what went wrong in a sentence; an operating system's error names its file."""
    if isinstance(error, SerError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror}."
    if isinstance(error, MemoryError):
        return "Not enough memory for this: use fewer or shorter clips, or a smaller `n_jobs`."
    if isinstance(error, ImportError):
        return str(error)
    return f"{str(error) or 'no message'} ({type(error).__name__}; `debug` shows where)"


def main() -> None:
    """Run the command line (the console script `sklearn-ser`)."""
    # What asks politely to stop (docker, timeout, a batch system) may have things cleared away.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by who started us, as with >&-
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115  it stays open to the end
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        # A name that the locale has no letters for must not end a command.
        sys.stdout.reconfigure(errors="backslashreplace")
    code: Any = 0
    try:
        app(prog_name="sklearn-ser")
    except SystemExit as end:
        code = end.code
    if code is not None and not isinstance(code, int):
        notice(str(code))
        code = 1
    _leave(code or 0)


def _leave(code: int) -> NoReturn:
    """End the process now that all is said.

    joblib's idle workers and TensorFlow's memory would take seconds to be put away in order.
    """
    loky = sys.modules.get("joblib.externals.loky.reusable_executor")
    if loky is not None and loky._executor is not None:
        loky._executor.shutdown(wait=True, kill_workers=True)
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (BrokenPipeError, ValueError):  # nobody reads it any more, or it is closed
            continue
        except OSError:  # a full disk, say: what was printed is not there
            code = code or 1
    os._exit(code)
