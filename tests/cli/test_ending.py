"""The end of commands: verdict, audit, a path to follow; whole at every width."""

import io
import itertools
import json
import os
import re
import subprocess
import sys
import webbrowser

import pytest

from sklearn_ser.cli import _ending, _fit
from sklearn_ser.cli._help import OTHERS, PANELS
from tests.conftest import run

OSC_8 = re.compile(r"\x1b]8;[^;]*;([^\x1b]*)\x1b\\")
ANSI = re.compile(r"\x1b\[[\d;]*m|\x1b]8;[^\x1b]*\x1b\\")


class Screen(io.StringIO):
    """A standard output that says whether it is a terminal, in an encoding of its own."""

    def __init__(self, is_terminal=True, encoding="utf-8"):
        super().__init__()
        self.is_terminal, self._encoding = is_terminal, encoding

    encoding = property(lambda self: self._encoding)

    def isatty(self):
        return self.is_terminal


@pytest.fixture
def screen(monkeypatch):
    """Give a function that replaces standard output by a screen of so many columns."""

    def make(columns=80, term="xterm-256color", **settings):
        monkeypatch.setenv("COLUMNS", str(columns))
        monkeypatch.setenv("TERM", term)
        monkeypatch.setattr(sys, "stdout", Screen(**settings))
        return sys.stdout

    return make


@pytest.fixture(scope="module")
def fitted(spoken, tmp_path_factory):
    folder = tmp_path_factory.mktemp("ending") / "run"
    out, _ = run(
        *("fit", "--data", spoken, "--clf", "logreg", "--features", "mfcc"),
        *("--out", folder),
    )
    return folder, out


def read_metrics(folder):
    return json.loads((folder / "metrics.json").read_text())


def test_a_fit_ends_with_verdict_audit_and_report(fitted):
    folder, out = fitted
    *_, last = lines = out.splitlines()
    assert last == f"Report: {folder / 'report.html'}"
    audit = read_metrics(folder)["audit"]
    marks = [
        f"{'!' if sentence in audit['warnings'] else '✓'} {sentence}"
        for sentence in audit["sentences"]
    ]
    assert lines[-1 - len(marks) : -1] == marks
    assert {line[0] for line in marks} == {"✓", "!"}
    assert "where guessing gets" in lines[-2 - len(marks)]
    assert "\x1b" not in out  # in a pipe nothing is bold, and no path is a link


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_on_a_terminal_it_is_bold_and_broken_between_words(fitted, screen, columns):
    folder, piped = fitted
    stream = screen(columns)
    _fit.finish(read_metrics(folder), json=False, open_page=False)
    shown = stream.getvalue()
    assert OSC_8.findall(shown)[0] == (folder / "report.html").resolve().as_uri()
    assert re.search(r"\x1b\[1m[^\x1b]*where\s+guessing\s+gets", shown)
    plain = ANSI.sub("", shown).splitlines()
    assert plain[-1] == f"Report: {folder / 'report.html'}"
    assert max(len(line) for line in plain if str(folder) not in line) <= columns
    # Nothing is cut: apart from the lines of the table, each word and number is there.
    assert set(re.findall(r"[\w.,%]+", piped)) <= set(re.findall(r"[\w.,%]+", "\n".join(plain)))


def test_no_color_and_simple_terminals(fitted, screen, monkeypatch):
    folder, _ = fitted
    stream = screen(term="linux")
    _ending.print_path("Report", folder)
    assert stream.getvalue() == f"Report: {folder}\n"
    stream = screen(term="dumb")
    _ending.print_path("Report", folder)
    _ending.print_verdict("Good.")
    assert stream.getvalue() == f"Report: {folder}\nGood.\n"
    monkeypatch.setenv("NO_COLOR", "1")
    stream = screen()
    _fit.finish(read_metrics(folder), json=False, open_page=False)
    assert not re.search(r"\x1b\[(?:3[0-7]|9\d|38)", stream.getvalue())


def test_an_old_encoding_has_other_marks(screen):
    stream = screen(is_terminal=False, encoding="ascii")
    _ending.print_audit([(True, "fine"), (False, "not fine")])
    assert stream.getvalue() == "+ fine\n! not fine\n"


def test_open_shows_the_report(fitted, monkeypatch, capsys):
    folder, _ = fitted
    opened = []
    monkeypatch.setattr(webbrowser, "open", lambda url: opened.append(url) or False)
    _fit.finish(read_metrics(folder), json=False, open_page=True)
    assert opened == [(folder / "report.html").resolve().as_uri()]
    assert "No browser was found" in capsys.readouterr().err


def test_options_are_in_panels():
    shown = run("fit", "--help")[0]
    places = [shown.index(f"\n{panel}:\n") for panel in (*PANELS, OTHERS)]
    assert places == sorted(places)
    data, model, testing, output = (shown[a:b] for a, b in itertools.pairwise(places))
    for panel, option in [(data, "data"), (model, "clf"), (testing, "split"), (output, "out")]:
        assert f"--{option} " in panel
    few = run("card", "--help")[0]
    assert "\nOptions:\n" in few
    assert "\nOutput:\n" not in few


@pytest.mark.parametrize("encoding", ["cp1252", "cp437"])
def test_consoles_without_the_letters_of_a_name(encoding):
    """Tables and findings lose letters, never the command; JSON is UTF-8 in every locale."""
    script = (
        "from sklearn_ser.cli import _app, _ending\n"
        "@_app.command(name='toy')\n"
        "def toy():\n"
        "    _ending.print_audit([(True, 'a\u011fa\u00e7'), (False, '\u2713')])\n"
        "    _ending.print_path('table', 'a\u011fa\u00e7.csv')\n"
        "    _app.print_json({'name': 'a\u011fa\u00e7'})\n"
        "_app.main()\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script, "toy"],
        env=os.environ | {"PYTHONIOENCODING": encoding},
        capture_output=True,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, b"")
    lines = ended.stdout.replace(b"\r", b"").split(b"\n")
    assert lines[0].startswith(b"+ a\\u011fa")
    assert lines[1] == b"! \\u2713"
    assert '"name": "a\u011fa\u00e7"'.encode() in ended.stdout
