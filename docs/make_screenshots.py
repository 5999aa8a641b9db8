"""Make the twelve pictures of docs/images, from data that may be shown.

The data is EMO-DB (CC0, CC BY 4.0) where it is on this machine, otherwise the synthetic corpus. It
takes about three minutes, Chromium, and the packages playwright and pillow::

    python docs/make_screenshots.py [FOLDER]
"""

import argparse
import contextlib
import io
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from PIL import Image

from sklearn_ser.audio.decoding import load_audio
from sklearn_ser.corpora import default_data, load_data
from sklearn_ser.exceptions import CorpusError

IMAGES = Path(__file__).parent / "images"
MOST_BYTES = 150_000
DESKTOP, PHONE = {"width": 1200, "height": 800}, {"width": 390, "height": 844}
COLUMNS = 80


def run(*words: object, columns: int = COLUMNS) -> str:
    """Run a command as on a terminal, and return what it prints, with its control sequences."""
    program = (
        "import sys; sys.stdout.isatty = lambda: True; from sklearn_ser.cli import main; main()"
    )
    environment = {**os.environ, "COLUMNS": str(columns), "TERM": "xterm-256color"}
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, words)],
        capture_output=True, text=True, env=environment,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"sklearn-ser {' '.join(map(str, words))}\n{done.stderr}")
    return done.stdout


def choose_data() -> str:
    """Return EMO-DB where it is on this machine."""
    try:
        load_data("emodb")
    except CorpusError:
        print(f"EMO-DB is not on this machine ({default_data()} may not be shown): synthetic.")
        return "synthetic"
    return "emodb"


def draw_terminal(page: Any, printed: str, command: str, path: Path) -> None:
    """Show what a command prints as a terminal does."""
    from rich.console import Console
    from rich.text import Text

    console = Console(record=True, width=COLUMNS, file=io.StringIO())
    console.print(Text(f"$ {command}\n", style="bold"), Text.from_ansi(printed), sep="")
    page.set_content(console.export_html(inline_styles=True))
    page.add_style_tag(content="pre { font: 14px/1.35 'DejaVu Sans Mono', monospace !important }")
    take(page.locator("pre"), path)


def take(target: Any, path: Path, **how: Any) -> None:
    """Write a screenshot in as few colours as make it small."""
    picture = Image.open(io.BytesIO(target.screenshot(**how))).convert("RGB")
    save(picture, path)


def save(picture: Image.Image, path: Path) -> None:
    """Write a picture of at most `MOST_BYTES`, with fewer colours if it must be."""
    for n_colors in (256, 128, 64, 32):
        picture.quantize(n_colors, dither=Image.Dither.NONE).save(path, optimize=True)
        if path.stat().st_size <= MOST_BYTES:
            print(f"{path} {path.stat().st_size / 1000:.0f} kB")
            return
    raise SystemExit(f"{path} is larger than {MOST_BYTES} bytes.")


@contextlib.contextmanager
def serving(model: Path) -> Iterator[str]:
    """Run a server, and give its address."""
    process = subprocess.Popen(
        [sys.executable, "-m", "sklearn_ser", "serve", str(model), "--port", "0"],
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stderr is not None
    try:
        yield next(line.split()[2] for line in process.stderr if "Serving on" in line)
    finally:
        process.terminate()
        process.wait(20)


def make_recording(data: str, path: Path) -> None:
    """Join a clip of each of some emotions to a recording of some seconds."""
    table = load_data(data)
    first = table.groupby("emotion")["path"].first().head(6)
    pause = np.zeros(8000, np.float32)
    parts = [part for clip in first for part in (load_audio(clip, 16000), pause)]
    soundfile.write(path, np.concatenate(parts), 16000)


def show_reports(browser: Any, runs: Path, images: Path) -> None:
    """Take the reports of a fit, a comparison and a search, and the page of all runs."""
    page = browser.new_page(viewport=DESKTOP)
    page.goto((runs / "svm-speakers" / "report.html").as_uri())
    take(page, images / "report-light.png")
    take(page.locator(".pair"), images / "confusion-matrix.png")
    page.goto((runs / "comparison" / "report.html").as_uri())
    take(page, images / "compare.png")
    page.goto((runs / "search" / "report.html").as_uri())
    take(page, images / "grid-search.png", full_page=False)
    page.goto((runs / "index.html").as_uri())
    take(page, images / "runs.png")
    for name, size in [("report-dark", DESKTOP), ("report-phone", PHONE)]:
        context = browser.new_context(
            viewport=size, color_scheme="dark" if "dark" in name else "light"
        )
        other = context.new_page()
        other.goto((runs / "svm-speakers" / "report.html").as_uri())
        take(other, images / f"{name}.png")


def show_server(browser: Any, model: Path, recording: Path, images: Path) -> None:
    """Take the page of the server with a recording, light and dark."""
    with serving(model) as address:
        for scheme in ("light", "dark"):
            size = {"width": 1200, "height": 1000}
            page = browser.new_context(viewport=size, color_scheme=scheme).new_page()
            page.goto(address)
            page.locator("#bars li").first.wait_for()
            page.set_input_files("#file", str(recording))
            page.locator("#rows tr").nth(2).wait_for()
            page.wait_for_timeout(1000)
            page.evaluate("scrollTo(0, document.querySelector('#result').offsetTop - 20)")
            take(page, images / f"serve-{scheme}.png")


def show_figures(folder: Path, path: Path) -> None:
    """Lay the figures for a paper side by side."""
    names = ("confusion_matrix", "emotions", "reliability", "coverage")
    pictures = [Image.open(folder / f"{name}.png").convert("RGB") for name in names]
    width = 600
    scaled = [one.resize((width, one.height * width // one.width)) for one in pictures]
    rows = [max(one.height for one in scaled[i : i + 2]) for i in (0, 2)]
    sheet = Image.new("RGB", (2 * width, sum(rows)), "white")
    for i, one in enumerate(scaled):
        sheet.paste(one, (i % 2 * width, i // 2 * rows[0]))
    save(sheet, path)


def main() -> None:
    """Train, then take the pictures."""
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=IMAGES)
    images = parser.parse_args().folder
    images.mkdir(parents=True, exist_ok=True)
    data = choose_data()
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        os.chdir(scratch)
        runs = Path(scratch, "artifacts")
        fit = ("fit", "--data", data, "--clf", "svm", "--split", "speaker", "--folds", "all")
        printed = run(*fit, "--out", "artifacts/svm-speakers")
        run("fit", "--data", data, "--clf", "logreg", "--split", "random",
            "--out", "artifacts/logreg-random")  # fmt: skip
        run("fit", "--data", data, "--clf", "rf", "--split", "speaker", "--folds", "all",
            "--out", "artifacts/rf-speakers")  # fmt: skip
        run("compare", "--data", data, "--clf", "svm,logreg", "--split", "random,speaker",
            "--out", "artifacts/comparison")  # fmt: skip
        run("grid-search", "--data", data, "--clf", "svm", "--split", "speaker",
            "--param", "clf__C=0.3,1,3,10", "--param", "clf__gamma=0.002,0.005,0.02",
            "--out", "artifacts/search")  # fmt: skip
        run("runs", "artifacts", "--html")
        run("figures", "artifacts/svm-speakers", "--format", "png", "--out", "paper")
        make_recording(data, Path("recording.wav"))
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium") or shutil.which("google-chrome"),
            args=["--no-sandbox"],
        )
        show_reports(browser, runs, images)
        show_server(browser, runs / "svm-speakers", Path("recording.wav"), images)
        show_figures(Path("paper"), images / "figures.png")
        page = browser.new_page(viewport={"width": 900, "height": 700})
        draw_terminal(page, printed, f"sklearn-ser {' '.join(fit)}", images / "terminal-fit.png")
        shown = run("fit", "--help").split("\nTesting:")[0]
        draw_terminal(page, shown, "sklearn-ser fit --help", images / "terminal-help.png")
        browser.close()


if __name__ == "__main__":
    main()
