"""The folder and the page of `evaluate --out`."""

import json

import pandas as pd
import pytest

from tests.conftest import run
from tests.report.test_pages import browser, open_page  # noqa: F401


@pytest.fixture(scope="module")
def evaluated(model, little_corpus, tmp_path_factory):
    out = tmp_path_factory.mktemp("evaluated") / "page"
    said, _ = run(
        "evaluate", model, "--data", little_corpus, "--out", out, "--stress", "--no-audio",
        "--no-cache", "--trust",
    )  # fmt: skip
    return said, out


def test_folder(evaluated, model, little_corpus):
    said, out = evaluated
    assert sorted(path.name for path in out.iterdir()) == [
        "evaluation.json", "figures", "predictions.csv", "report.html"
    ]  # fmt: skip
    assert f"Report: {out / 'report.html'}" in said.replace("\n", "")
    metrics = json.loads((out / "evaluation.json").read_text())
    table = pd.read_csv(out / "predictions.csv")
    assert (table["truth"] == table["prediction"]).mean() == metrics["accuracy"]
    assert {path.name for path in (out / "figures").iterdir()} >= {
        "coverage.svg", "robustness_noise.svg", "robustness_others.svg"
    }  # fmt: skip
    text = (out / "report.html").read_text()
    assert f"sklearn-ser evaluate svm --data {little_corpus.name} --stress --no-audio<" in text
    assert f"{metrics['n_seen']} of them seen in training" in text
    assert "This page was made without sound." in text
    assert "<audio" not in text


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_in_a_browser(evaluated, browser, width, scheme):  # noqa: F811
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    tab, said = open_page(
        browser, evaluated[1] / "report.html",
        viewport={"width": width, "height": 844}, color_scheme=scheme,
    )  # fmt: skip
    found = axe.run(tab)
    assert found.violations_count == 0, found.generate_report()
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    assert said == []
    assert tab.locator("section:has(> #robustness) figure svg").count() == 2


def test_a_folder_that_is_there_and_nothing_to_open(evaluated, model, little_corpus):
    words = ("evaluate", model, "--data", little_corpus, "--trust")
    assert "exists already" in run(*words, "--out", evaluated[1], code=2)[1]
    assert "--out" in run(*words, "--open", code=2)[1]
