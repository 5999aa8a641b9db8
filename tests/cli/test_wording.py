"""The words of the command line: help at every width, and parameters named as options."""

import re

import pytest
import typer
from typer.testing import CliRunner

from sklearn_ser.cli import _rows, app
from sklearn_ser.cli._app import command, wrap
from sklearn_ser.exceptions import OptionError
from tests.conftest import run


def commands(group, path=()):
    """Yield the path of every command, and the command."""
    yield path, group
    for name, one in getattr(group, "commands", {}).items():
        yield from commands(one, (*path, name))


COMMANDS = dict(commands(typer.main.get_command(app)))


@pytest.mark.parametrize("columns", [60, 80, 120])
@pytest.mark.parametrize("path", COMMANDS, ids=lambda path: " ".join(path) or "sklearn-ser")
def test_help_keeps_its_words_whole(path, columns):
    shown = CliRunner().invoke(app, [*path, "--help"], terminal_width=columns).stdout
    assert max(map(len, shown.splitlines())) <= columns
    assert "…" not in shown
    words = set(re.sub(r"(?<=\w-)\n +", "", shown).split())  # a hyphen may end a line
    for parameter in COMMANDS[path].params:
        assert set((getattr(parameter, "help", None) or "").split()) <= words
    for one in getattr(COMMANDS[path], "commands", {}).values():
        assert set(one.get_short_help_str(1000).split()) <= words


def test_brackets_in_help_are_no_markup():
    assert "sklearn-ser[onnx]" in run("export", "--help")[0]


@pytest.fixture
def scratch():
    """A command of its own that fails with the message it is given."""
    scratch_app = typer.Typer()

    @command(scratch_app)
    def fail(
        model: str,
        message: str,
        test_size: float = 0.2,
        on_error: str = "stop",
        calibrate: bool = typer.Option(False, "--calibrate"),
        no_cache: bool = typer.Option(False, "--no-cache"),
        param: list[str] | None = None,
        cv: str = typer.Option("random", "--cv", "--split"),
    ) -> None:
        raise OptionError(message)

    return lambda message: CliRunner().invoke(scratch_app, ["m", message])


@pytest.mark.parametrize(
    ("message", "printed"),
    [
        ("`test_size` is a share.", "--test-size is a share."),
        ("Choose `test_size=0.5`.", "Choose --test-size 0.5."),
        ("`on_error='skip'` goes on.", "--on-error skip goes on."),
        ("`calibrate=True` needs more.", "--calibrate needs more."),
        ("Leave out `cache=None`.", "Leave out --no-cache."),
        ("Give `clf__C=1`.", "Give --param clf__C=1."),
        ("`model` is no file.", "MODEL is no file."),
        ("`sr` is a rate.", "`sr` is a rate."),
        ("Unknown `split=x` or `cv=x`.", "Unknown --split x or --cv x."),
        ("`a b` and `c`", "`a b` and `c`"),
    ],
)
def test_parameters_of_messages_become_options(scratch, message, printed):
    result = scratch(message)
    assert result.exit_code == 2
    assert result.stderr == f"Error: {printed}\n"


@pytest.mark.parametrize("width", [20, 60, 80])
def test_sentences_are_broken_between_words(width):
    text = "accuracy 0.4962 [0.387, 0.594] of `/a/very/long/path/to/some-file-1.wav` and more words"
    lines = wrap(text, width).splitlines()
    assert " ".join(lines) == text
    assert all(len(line) <= width or " " not in line for line in lines)


def test_entries_are_indented_as_they_begin():
    assert wrap("Audio    mono, 22050 Hz", 16) == "Audio    mono,\n         22050\n         Hz"
    assert wrap("  two words", 6) == "  two\n  words"


@pytest.mark.parametrize(
    ("width", "stacked"), [(60, True), (80, False), (120, False), (None, False)]
)
def test_rows_of_predict_are_whole_at_every_width(width, stacked, monkeypatch):
    monkeypatch.setattr(_rows, "terminal_width", lambda _: width)
    columns = ["path", "emotion", "confidence", "error", "p_neutral", "p_surprise", "p_sad"]
    table = _rows.Table(columns, ["x" * 20 + ".wav"])
    row = {"path": "x" * 20 + ".wav", "emotion": "sad", "confidence": 0.5, "error": None}
    row |= {"warning": None, "p_neutral": 0.2, "p_surprise": 0.3, "p_sad": 0.5}
    lines = table.line(row).splitlines()
    assert len(lines) == 1 + stacked
    assert " ".join(lines).split() == [
        row["path"], "sad", "50%", "surprise", "30%,", "neutral", "20%"
    ]  # fmt: skip
    assert all(len(line) <= (width or 120) for line in [*lines, *table.heading().splitlines()])


def test_options_in_help_and_messages_are_spelled_alike():
    for path, one in COMMANDS.items():
        known = {option for parameter in one.params for option in parameter.opts}
        for parameter in one.params:
            named = re.findall(r"--[a-z][a-z-]+", getattr(parameter, "help", None) or "")
            assert set(named) <= known, path
