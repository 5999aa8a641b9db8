"""The page of a comparison: what leads, what is no better than guessing, and clips to hear."""

import json

import pandas as pd
import pytest

from sklearn_ser import make_pipeline
from sklearn_ser.report.compare_page import ComparedClips, write_comparison
from sklearn_ser.runs import RunOptions, compare_run
from tests.report.test_pages import browser, open_page  # noqa: F401


@pytest.fixture(scope="module")
def compared(spoken, tmp_path_factory):
    out = tmp_path_factory.mktemp("compared") / "run"
    options = RunOptions(str(spoken), features="mfcc", folds=2, out=out, report_audio=True)
    return compare_run(options, ["logreg", "svm"], ["random", "speaker"]), out


def test_files(compared):
    comparison, out = compared
    assert json.loads((out / "comparison.json").read_text())["headline"] == comparison["headline"]
    text = (out / "report.html").read_text()
    assert comparison["headline"] in text
    command = "sklearn-ser compare --data spoken.csv --clf logreg,svm --features mfcc --folds 2"
    assert f"{command} --split random,speaker --report-audio<" in text
    assert str(out.parent) not in text
    assert "no licence is known here" in text
    assert "data:audio/mpeg" in text


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_in_a_browser(compared, browser, width, scheme):  # noqa: F811
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    comparison, out = compared
    tab, said = open_page(
        browser, out / "report.html", viewport={"width": width, "height": 844}, color_scheme=scheme
    )
    found = axe.run(tab)
    assert found.violations_count == 0, found.generate_report()
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    assert said == []
    heads = tab.locator("section:has(> #scores) thead th").all_inner_texts()
    assert [head.strip() for head in heads] == ["Classifier", "speaker split", "random split"]
    unseen = {row["clf"]: row["uar"] for row in comparison["rows"] if row["split"] == "speaker"}
    rows = tab.locator("section:has(> #scores) tbody tr")
    assert rows.count() == 2
    for row in rows.all_inner_texts():
        words = row.split()
        assert f"{unseen[words[0]]:.3f}" in words


def test_clips_that_one_recognises_and_the_other_does_not(compared, browser):  # noqa: F811
    _, out = compared
    table = pd.read_csv(out / "predictions.csv").query("split == 'speaker'")
    tab, _ = open_page(browser, out / "report.html")
    for gets, misses in (("svm", "logreg"), ("logreg", "svm")):
        found = table[(table[gets] == table["truth"]) & (table[misses] != table["truth"])]
        section = tab.locator(f"section:has(> #clips-{gets}-{misses})")
        assert section.inner_text().split("\n\n")[1].startswith(f"{len(found)} clip")
        assert section.locator(".clip").count() == min(4, len(found))
        assert section.locator("button.play").count() == min(4, len(found))


def test_one_prediction_for_all_and_unsupported_winners(tmp_path):
    truth = ["sad", "calm"] * 20
    table = pd.DataFrame(
        {"path": [f"{i}.wav" for i in range(40)], "truth": truth, "split": "speaker",
         "a": "sad", "b": truth, "corpus": "own"}
    )  # fmt: skip
    row = {
        "split": "speaker", "transductive": False, "chance": {"uar": 0.5, "accuracy": 0.5},
        "interval": {"about": "95% intervals"}, "features": ["mfcc"], "n_train": 40, "n_test": 40,
        "n_folds": None,
    }  # fmt: skip
    rows = [
        row | {"clf": "a", "uar": 0.5, "uar_interval": [0.5, 0.5]},
        row | {"clf": "b", "uar": 1.0, "uar_interval": [1.0, 1.0]},
    ]
    pair = {"better": "b", "worse": "a", "difference": 0.5, "p_adjusted": 0.3,
            "within_noise": True, "resampled": "speakers"}  # fmt: skip
    comparison = {
        "rows": rows, "tests": {"speaker": [pair]}, "audit": {"speaker": {"sentences": []}},
        "headline": "No clear best.", "data": "own", "n_clips": 40, "emotions": ["calm", "sad"],
        "seed": 0,
    }  # fmt: skip
    clips = ComparedClips(table, table, make_pipeline("svm"), "sklearn-ser compare")
    write_comparison(tmp_path / "r.html", comparison, clips)
    text = (tmp_path / "r.html").read_text()
    assert text.count("It predicts sad for every clip: no better than guessing.") == 2
    assert "within noise" in text
    assert ">real<" not in text
