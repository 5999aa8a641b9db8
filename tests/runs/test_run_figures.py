"""Figures for a paper: width, fonts and formats; the table and the paragraph beside them."""

import json
import re
import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from sklearn_ser import load_run
from sklearn_ser.exceptions import ModelError, OptionError
from sklearn_ser.metrics import score_calibration
from sklearn_ser.report.paper import write_methods, write_results
from sklearn_ser.report.paper_figures import draw_paper_figures, parse_width
from sklearn_ser.runs import RunOptions, fit_run
from sklearn_ser.runs.run_figures import write_figures
from tests.conftest import run

NAMES = {"confusion_matrix", "emotions", "reliability", "coverage"}
LATEX = shutil.which("pdflatex") or shutil.which("tectonic")


@pytest.fixture(scope="module")
def fitted(spoken, tmp_path_factory):
    folder = tmp_path_factory.mktemp("paper") / "run"
    fit_run(RunOptions(str(spoken), clf="logreg", features="mfcc", out=folder))
    return folder


@pytest.fixture(scope="module")
def paper(fitted, tmp_path_factory):
    folder = tmp_path_factory.mktemp("figures")
    write_figures(load_run(fitted), folder, width="84mm", font="serif")
    return folder


def test_every_figure_in_every_format(paper):
    figures = {f"{name}.{kind}" for name in NAMES for kind in ("pdf", "svg", "png")}
    assert {file.name for file in paper.iterdir()} == figures | {"results.tex", "methods.txt"}


@pytest.mark.parametrize("name", sorted(NAMES))
def test_width_and_fonts_of_a_pdf(paper, name):
    data = (paper / f"{name}.pdf").read_bytes()
    left, _, right, _ = map(float, re.search(rb"/MediaBox \[([^]]*)\]", data)[1].split())
    assert (right - left) * 25.4 / 72 == pytest.approx(84, abs=0.01)
    fonts = set(re.findall(rb"/BaseFont /([\w+-]+)", data))
    assert fonts
    assert all(b"Serif" in font or b"STIX" in font for font in fonts), fonts
    assert data.count(b"/FontFile2") >= len(fonts)  # embedded, as TrueType
    assert b"/Type3" not in data
    assert b"CreationDate" not in data


def test_resolution_of_a_png_and_letters_of_an_svg(paper):
    for name in NAMES:
        with Image.open(paper / f"{name}.png") as image:
            assert image.size[0] == pytest.approx(84 / 25.4 * 300, abs=1)
            assert image.info["dpi"][0] == pytest.approx(300, abs=0.1)
            assert image.convert("RGBA").getpixel((0, 0))[3] == 255
        svg = (paper / f"{name}.svg").read_text()
        assert float(re.search(r'width="([\d.]+)pt"', svg)[1]) == pytest.approx(
            84 / 25.4 * 72, abs=0.1
        )
        assert "<text" in svg


def test_equal_runs_have_equal_figures(paper, fitted, tmp_path):
    write_figures(load_run(fitted), tmp_path, width="84mm", font="serif")
    for file in tmp_path.iterdir():
        assert file.read_bytes() == (paper / file.name).read_bytes(), file.name


def test_network_and_twelve_emotions(tmp_path):
    """Every name and number is within the figure, and numbers do not overlap."""
    emotions = [f"emotion{i:02}" for i in range(12)]
    rng = np.random.default_rng(0)
    truth = np.repeat(emotions, 40)
    p = rng.dirichlet(np.ones(12), len(truth))
    table = pd.DataFrame(
        {"path": "x", "truth": truth, "prediction": np.take(emotions, p.argmax(1))}
    )
    table = table.join(pd.DataFrame(p, columns=[f"p_{name}" for name in emotions]))
    history = pd.DataFrame({"epoch": [1, 2], "loss": [1, 0.5], "accuracy": [0.2, 0.6]})
    metrics = {
        "confusion_matrix": {"labels": emotions, "counts": rng.integers(0, 200, (12, 12)).tolist()},
        "per_emotion": {name: {"recall": 0.5, "support": 40} for name in emotions},
        "calibration": score_calibration(truth, p, emotions),
    }
    files = draw_paper_figures(tmp_path, metrics, table, history, formats=("png",))
    assert {file.stem for file in files} == NAMES | {"training_loss", "training_accuracy"}
    for file in files:
        with Image.open(file) as image:
            ink = np.asarray(image.convert("L")) < 160
        edges = (ink[0], ink[-1], ink[:, 0], ink[:, -1])
        assert not any(edge.any() for edge in edges), file.name


def test_the_table_has_the_scores(fitted, paper):
    metrics = load_run(fitted).metrics
    table = (paper / "results.tex").read_text()
    for name, row in metrics["per_emotion"].items():
        assert f"{name} & {row['precision']:.3f} & {row['recall']:.3f}" in table
    for name in ("accuracy", "uar", "macro_f1"):
        low, high = metrics[f"{name}_interval"]
        assert f"{metrics[name]:.3f} [{low:.3f}, {high:.3f}]" in table
    for rule in ("toprule", "midrule", "bottomrule"):
        assert f"\\{rule}" in table
    assert not re.search(r"(?<!\\)[%&](?! \\usepackage)(?=[^\n]*interval)", table)


def test_labels_are_text_for_latex(fitted):
    saved = load_run(fitted)
    row = next(iter(saved.metrics["per_emotion"].values()))
    metrics = saved.metrics | {"per_emotion": {"50%_\\input{x}": row}}
    assert r"50\%\_\textbackslash{}input\{x\} &" in write_results(metrics, saved.card)


def test_methods_say_what_was_done(fitted, paper):
    saved = load_run(fitted)
    text, references = (paper / "methods.txt").read_text().split("\n\n")
    metrics = saved.metrics
    for words in (
        f"{saved.card['data']['n_clips']} clips of",
        "MFCC were extracted: 40 features",
        f"{metrics['n_train']} clips for training",
        f"{metrics['uar']:.3f} [",
        "guessing gets",
        f"sklearn-ser {saved.card['versions']['sklearn-ser']}",
        *metrics["audit"]["sentences"],
    ):
        assert words in text
    cited = {int(n) for group in re.findall(r" \[([\d, ]+)\]", text) for n in group.split(",")}
    numbered = [int(n) for n in re.findall(r"^\[(\d+)\]", references, re.MULTILINE)]
    assert numbered == list(range(1, len(numbered) + 1))
    assert cited == set(numbered)
    assert "librosa" in references
    assert "Davis, S., Mermelstein" in references
    assert "Scikit-learn" in references


def test_methods_of_a_known_corpus_and_of_folds(fitted):
    saved = load_run(fitted)
    card = saved.card | {
        "data": saved.card["data"] | {"name": "emodb", "corpora": ["emodb"]},
        "split": saved.card["split"] | {"transductive": True},
        "calibrated": True,
    }
    metrics = saved.metrics | {"folds": [{}, {}], "transductive": True}
    methods = write_methods(metrics, card)
    assert "Burkhardt" in methods
    assert "Scores are of 2 folds" in methods
    assert "normalised by the clips of the same group" in methods
    assert "temperature scaling" in methods


@pytest.mark.parametrize(("text", "mm"), [("84mm", 84), ("8.4 cm", 84), ("3in", 76.2)])
def test_widths(text, mm):
    assert parse_width(text) * 25.4 == pytest.approx(mm)
    assert parse_width("240pt") == pytest.approx(240 / 72.27)


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--width", "84", "with its unit"),
        ("--width", "2mm", "from 40mm to 500mm"),
        ("--format", "gif", "give pdf, svg, png"),
        ("--format", ",", "give pdf, svg, png"),
        ("--font", "No Such Font", "no such font"),
    ],
)
def test_mistakes_name_the_option(fitted, tmp_path, option, value, message):
    _, err = run("figures", fitted, option, value, "--out", tmp_path / "x", code=2)
    assert message in err
    assert option in err
    assert not list(tmp_path.rglob("*.*"))


def test_command(fitted, tmp_path):
    out, _ = run("figures", fitted, "--format", "svg", "--width", "60mm")
    assert out.splitlines()[-1] == f"Figures: {fitted / 'paper'}"
    shutil.rmtree(fitted / "paper")
    document = json.loads(run("figures", fitted, "--format", "png", "--out", tmp_path, "--json")[0])
    assert len(document["files"]) == len(NAMES) + 2
    assert "does not exist" in run("figures", tmp_path / "none", code=2)[1]


def test_damaged_history(fitted, tmp_path):
    shutil.copytree(fitted, tmp_path / "run")
    (tmp_path / "run" / "history.csv").write_text("x\n1\n")
    with pytest.raises(ModelError, match="no accuracy, epoch, loss"):
        write_figures(load_run(tmp_path / "run"), tmp_path / "out")
    with pytest.raises(OptionError, match="give pdf"):
        write_figures(load_run(fitted), tmp_path / "out", formats=())


@pytest.mark.skipif(LATEX is None, reason="LaTeX is not on this machine")
def test_latex_embeds_them(paper, tmp_path):
    for file in paper.iterdir():
        shutil.copy(file, tmp_path)
    figures = "\n".join(rf"\includegraphics{{{name}.pdf}}" for name in sorted(NAMES))
    (tmp_path / "x.tex").write_text(
        r"\documentclass{article}\usepackage{booktabs,graphicx}\begin{document}"
        rf"\input{{results}}{figures}\end{{document}}"
    )
    subprocess.run([LATEX, "x.tex"], cwd=tmp_path, check=True, capture_output=True, timeout=120)
    assert (tmp_path / "x.pdf").read_bytes().startswith(b"%PDF")
