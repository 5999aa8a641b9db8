"""The page of a run: what is on it, what a browser and a screen reader make of it."""

import base64
import io
import itertools
import json
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from sklearn.metrics import confusion_matrix, recall_score

from sklearn_ser import make_pipeline
from sklearn_ser.metrics import (
    score,
    score_calibration,
    score_coverage,
)
from sklearn_ser.report.charts import draw_clip, draw_durations, draw_reliability
from sklearn_ser.report.example_clips import (
    ExampleClip,
    choose_examples,
    clip_reader,
    confident_mistakes,
)
from sklearn_ser.report.run_page import write_report
from sklearn_ser.report.verdict import verdict
from sklearn_ser.runs import RunOptions, fit_run
from tests.conftest import SR, voice

SECTIONS = [
    *("confusion", "scores", "emotions", "by-speaker", "by-sex", "mistakes", "calibration"),
    *("importance", "data", "examples", "audit", "use", "card"),
]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="module")
def spoken_run(tmp_path_factory):
    """A run on a corpus with speakers, sexes and texts, on which mistakes are made."""
    folder = tmp_path_factory.mktemp("report")
    rng = np.random.default_rng(0)
    rows = []
    for speaker, sex in [("s<1>", "female"), ("s2", "male"), ("s3", "male")]:
        for emotion, pitch in [("angry", 190), ("neutral", 180), ("sad", 120)]:
            for text in range(6):
                path = folder / f"{speaker[:2]}-{emotion}-{text}.wav"
                y = voice(0.3 + 0.02 * text, pitch + rng.normal(0, 15), seed=len(rows))
                soundfile.write(path, y, SR)
                rows.append([path.name, emotion, speaker, sex, f"t{text}"])
    columns = ["path", "emotion", "speaker", "sex", "text"]
    pd.DataFrame(rows, columns=columns).to_csv(folder / "corpus.csv", index=False)
    options = RunOptions(
        str(folder / "corpus.csv"), clf="logreg", out=folder / "run", report_audio=True
    )
    return folder / "run", fit_run(options)


class Page(HTMLParser):
    """The tags of a page in their order, the cells of its tables, and its ids."""

    VOID = {"meta", "br", "img", "link", "input"}

    def __init__(self, text):
        super().__init__()
        self.tags, self.cells, self.open, self.text = [], [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag in ("td", "th"):
            self.cells.append("")
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if self.open and self.open[-1] == tag:
            self.open.pop()
        else:
            assert tag not in self.open, f"</{tag}> closes {self.open[-3:]}"

    def handle_data(self, data):
        if not {"style", "script"} & set(self.open):
            self.text += data
        if self.cells and {"td", "th"} & set(self.open):
            self.cells[-1] += data


@pytest.fixture(scope="module")
def page(spoken_run):
    return Page((spoken_run[0] / "report.html").read_text(encoding="utf-8"))


def test_sections(page, spoken_run):
    ids = [attributes["id"] for tag, attributes in page.tags if tag == "h2"]
    assert ids == SECTIONS
    assert page.text.count("the classifier gets it") == 1
    sounds = [a for tag, a in page.tags if tag == "audio"]
    table = pd.read_csv(spoken_run[0] / "predictions.csv")
    cells = table.groupby(["truth", "prediction"]).size()
    assert any(truth != prediction for truth, prediction in cells.index)
    assert len(sounds) == cells.clip(upper=6).sum() + 3
    assert all(a["src"].startswith("data:audio/mpeg;base64,") for a in sounds)


def test_self_contained_and_no_local_paths(spoken_run):
    text = (spoken_run[0] / "report.html").read_text(encoding="utf-8")
    bare = re.sub(r"data:[a-z/]+;base64,[A-Za-z0-9+/=\s]*", "", text)
    assert not re.findall(r"(?:src|href)=\"(?!#)[^\"]+\"", bare.replace('src=""', ""))
    assert "@import" not in bare
    assert str(spoken_run[0].parent) not in text
    assert "s&lt;1&gt;" in text  # what data is called is no markup
    assert "s<1>" not in text
    assert len(text) < 1_000_000


def test_accessibility(page):
    tags = page.tags
    assert ("html", {"lang": "en"}) in tags
    levels = [int(tag[1]) for tag, _ in tags if re.fullmatch(r"h\d", tag)]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    ids = [a["id"] for _, a in tags if "id" in a]
    assert len(ids) == len(set(ids))
    assert all(a.get("aria-label") for tag, a in tags if tag == "audio")
    assert all("aria-label" in a or "aria-hidden" in a for tag, a in tags if tag == "svg")
    assert all(a.get("scope") in ("row", "col") for tag, a in tags if tag == "th")
    links = [a["href"] for tag, a in tags if tag == "a"]
    cells = {f"#{a['id']}" for _, a in tags if a.get("class", "").startswith("cell")}
    assert len(cells) > 2
    assert {f"#{name}" for name in SECTIONS} | cells == set(links)
    assert "user-scalable" not in str(tags)


def test_page_agrees_with_metrics_and_predictions(page, spoken_run):
    folder, metrics = spoken_run
    table = pd.read_csv(folder / "predictions.csv")
    again = score(table["truth"], table["prediction"])
    assert metrics["uar"] == recall_score(table["truth"], table["prediction"], average="macro")
    for name in ("accuracy", "uar", "macro_f1"):
        assert metrics[name] == again[name]
        assert f"{again[name]:.3f}" in page.cells
    for row in again["per_emotion"].values():
        assert {f"{row[key]:.3f}" for key in ("precision", "recall", "f1")} <= set(page.cells)
    matrix = metrics["confusion_matrix"]
    counts = confusion_matrix(table["truth"], table["prediction"], labels=matrix["labels"])
    assert matrix["counts"] == counts.tolist()
    row = page.cells[page.cells.index(matrix["labels"][0], page.cells.index("truth") + 4) :]
    shares = [f"{100 * n / counts[0].sum():.0f}" if n else "·" for n in counts[0]]
    assert row[1:5] == [*shares, str(counts[0].sum())]
    assert f"{metrics['calibration']['ece']:.3f}" in page.text
    for row in metrics["coverage"]:
        assert f"{100 * row['coverage']:.1f}\xa0%" in page.cells
    for group in metrics["importance"]["groups"]:
        assert f"{group['mean']:.3f} ±\xa0{group['sd']:.3f}" in page.cells
    for group in metrics["by_speaker"]["groups"]:
        rows = table[table["path"].str.contains(f"/{group['name'][:2]}-", regex=False)]
        assert group["accuracy"] == (rows["truth"] == rows["prediction"]).mean()
    assert verdict(metrics) in page.text


def test_figure_files(spoken_run):
    names = sorted(path.name for path in (spoken_run[0] / "figures").iterdir())
    assert names == ["confusion_matrix.png", "coverage.svg", "durations.svg", "reliability.svg"]
    assert "var(--" not in (spoken_run[0] / "figures" / "coverage.svg").read_text()


def test_clip_reader_of_missing_and_long_clips(spoken_run, tmp_path):
    read = clip_reader(make_pipeline("svm"))
    assert read(str(tmp_path / "gone.wav")) is None
    (tmp_path / "long.wav").write_bytes(b"")
    soundfile.write(tmp_path / "long.wav", voice(5), SR)
    clip = read(str(tmp_path / "long.wav"))
    assert (len(clip.y), clip.cut) == (4 * SR, True)


def test_intervals_notes_and_audit(spoken_run, tmp_path):
    folder, metrics = spoken_run
    card = json.loads((folder / "card.json").read_text())
    metrics = metrics | {
        "accuracy_interval": [0.25, 0.875],
        "uar_interval": [0.5, 0.75],
        "interval": {"about": "95% intervals over 9 speakers"},
        "audit": {
            "sentences": ["Both sides share <all> texts."],
            "audio": {"n_groups": 41, "n_test": 42},
            "text": {"n": 43, "n_shared": 44, "n_test_clips": 45},
            "speaker": None,
        },
    }
    write_report(tmp_path / "r.html", "x", metrics, card, ["A note."])
    page = Page((tmp_path / "r.html").read_text())
    assert "(95% interval 25.0% to 87.5%)" in page.text
    assert "[0.500, 0.750]" in page.text
    assert "The voices may have been known" in page.text
    assert "In brackets: 95% intervals over 9 speakers." in page.text
    assert "Both sides share <all> texts." in page.text
    counts = page.cells[page.cells.index("identical sounds") :]
    assert counts[:8] == ["identical sounds", "41", "–", "42", "texts", "43", "44", "45"]
    assert "A note." in page.text
    assert "audit" in [a["id"] for tag, a in page.tags if tag == "h2"]


def test_page_json_csv_and_terminal_agree_and_are_reproducible(spoken_run, tmp_path):
    """Two runs of one seed in two processes, each with its own order of sets and dicts."""
    said, pages, documents, tables = [], [], [], []
    for name in ("a", "b"):
        done = subprocess.run(
            [sys.executable, "-m", "sklearn_ser", "fit", "--clf", "mlp", "--features", "mfcc",
             "--calibrate", "--data", spoken_run[0].parent / "corpus.csv", "--seed", "4",
             "--out", tmp_path / name],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        said.append(done.stdout)
        pages.append((tmp_path / name / "report.html").read_text())
        documents.append(json.loads((tmp_path / name / "metrics.json").read_text()))
        tables.append((tmp_path / name / "predictions.csv").read_bytes())
    metrics, table = documents[0], pd.read_csv(tmp_path / "a" / "predictions.csv")
    # The terminal
    for key in ("accuracy", "uar", "macro_f1"):
        assert f"{metrics[key]:.4f}" in said[0]
    about = metrics["calibration"]
    assert f"error {about['ece']:.4f}, {about['ece_before']:.4f} before" in said[0]
    # The table
    answers = table.filter(regex="^p_").to_numpy()
    classes = [name.removeprefix("p_") for name in table.filter(regex="^p_")]
    assert score_calibration(table["truth"], answers, classes)["ece"] == pytest.approx(about["ece"])
    assert score_coverage(table["truth"], answers, classes) == metrics["coverage"]
    assert score(table["truth"], table["prediction"])["per_emotion"] == metrics["per_emotion"]
    # The page
    shown = Page(pages[0])
    for row in metrics["per_emotion"].values():
        line = [f"{row[key]:.3f}" for key in ("precision", "recall", "f1")]
        assert "|".join([*line, str(row["support"])]) in "|".join(shown.cells)
    # A second time
    for document in documents:
        for key in ("run", "seconds", "seconds_fit"):
            del document[key]
    assert documents[0] == documents[1]
    assert tables[0] == tables[1]
    pages[1] = pages[1].replace('pipeline("b")', 'pipeline("a")')
    made = r"\d{4}-\d\d-\d\dT[0-9:+]+|[0-9a-f]{64}"  # the day it was made, and the checksum with it
    assert re.sub(made, "", pages[0]) == re.sub(made, "", pages[1])
    for figure in (tmp_path / "a" / "figures").iterdir():
        assert figure.read_bytes() == (tmp_path / "b" / "figures" / figure.name).read_bytes()


# In a browser


@pytest.mark.skipif(not CHROMIUM, reason="needs Chromium: apt-get install chromium")
def test_in_a_browser(spoken_run, tmp_path):
    api = pytest.importorskip("playwright.sync_api")
    screenshots = Path(tmp_path)
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        for name, width, scheme in [
            ("light", 1200, "light"),
            ("dark", 1200, "dark"),
            ("phone", 390, "light"),
        ]:
            context = browser.new_context(
                viewport={"width": width, "height": 800}, color_scheme=scheme
            )
            tab, said, asked = context.new_page(), [], []
            tab.on("console", lambda message, said=said: said.append(message.text))
            tab.on("pageerror", lambda error, said=said: said.append(str(error)))
            tab.on("request", lambda request, asked=asked: asked.append(request.url))
            tab.goto((spoken_run[0] / "report.html").as_uri())
            tab.evaluate("document.querySelectorAll('audio').forEach(a => { a.preload = 'auto'; })")
            tab.wait_for_function(
                "[...document.querySelectorAll('audio')].every(a => a.duration > 0.2)"
            )
            assert said == []
            assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
            assert tab.evaluate("document.documentElement.scrollWidth") <= width
            assert tab.evaluate(LEAST_CONTRAST) >= 4.5
            assert tab.evaluate(
                "[...document.querySelectorAll('.scroll')].every(e => e.scrollWidth <= innerWidth)"
            )
            tab.keyboard.press("Tab")
            assert tab.evaluate("getComputedStyle(document.activeElement).outlineWidth") == "3px"
            tab.screenshot(path=screenshots / f"{name}.png", full_page=True)
            assert (screenshots / f"{name}.png").stat().st_size > 20_000
        browser.close()


# The least contrast between a text and the nearest opaque ground under it, as WCAG defines it.
LEAST_CONTRAST = """() => {
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const rgb = colour => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const luminance = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map(v => v / 255)
      .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  let least = 21;
  for (const element of document.querySelectorAll('body *')) {
    const own = [...element.childNodes].some(n => n.nodeType == 3 && n.data.trim());
    if (!own || !element.getClientRects().length) continue;
    let ground = element;
    while (ground && rgb(getComputedStyle(ground).backgroundColor)[3] < 255)
      ground = ground.parentElement;
    const style = getComputedStyle(element);
    const ink = luminance(rgb(element.closest('svg') ? style.fill : style.color));
    const paper = luminance(rgb(getComputedStyle(ground || document.body).backgroundColor));
    least = Math.min(least, (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05));
  }
  return least;
}"""


def test_many_speakers_are_collapsed(spoken_run, tmp_path):
    folder, metrics = spoken_run
    many = [{"name": f"s{i}", "n_clips": 1, "accuracy": 1.0, "uar": 1.0} for i in range(10_000)]
    metrics = metrics | {"by_speaker": {"groups": many, "spread": 0.0, "sd": 0.0}}
    card = json.loads((folder / "card.json").read_text())
    write_report(tmp_path / "r.html", "x", metrics, card, [])
    text = (tmp_path / "r.html").read_text()
    assert text.index("<details><summary>All 10000") < text.index(">s9999<")


def test_examples_share_speaker_and_text():
    table = pd.DataFrame(
        [
            *[("a", "t1", e) for e in ("sad", "calm")],
            *[("b", "t1", e) for e in ("sad", "calm", "fear")],
            *[("b", "t2", e) for e in ("calm", "angry", "sad", "fear")],
        ],
        columns=["speaker", "text", "emotion"],
    )
    assert choose_examples(table) == {"angry": 6, "calm": 5, "fear": 8, "sad": 7}
    assert choose_examples(table.drop(columns=["speaker", "text"])) == {
        "angry": 6, "calm": 1, "fear": 4, "sad": 0
    }  # fmt: skip


def test_examples_of_many_emotions_are_the_twenty_most_frequent():
    table = pd.DataFrame({"emotion": [f"e{i:02}" for i in range(25) for _ in range(1 + i % 5)]})
    chosen = choose_examples(table)
    assert list(chosen) == [f"e{i:02}" for i in range(25) if i % 5]
    assert all(table["emotion"].iloc[row] == emotion for emotion, row in chosen.items())
    assert "20 with the most clips" in choose_examples.__doc__


def test_reliability_marks_bars_of_few_clips():
    def row(low, n):
        return {"low": low, "high": low + 0.1, "n": n, "confidence": low, "accuracy": 0.5}

    about = {"ece": 0.1, "n_bins": 10, "confidence": 0.9, "bins": [row(0.3, 1), row(0.9, 557)]}
    chart = draw_reliability(about)
    assert "1 of 2 bars stand for fewer than 10 clips" in chart.alt
    assert "Most clips (557 of 558) have a confidence between 0.90 and 1.00" in chart.alt
    assert "fewer than 10 clips" in chart.svg
    assert "fewer than 10 clips" not in draw_reliability(about | {"bins": [row(0.9, 557)]}).svg


def test_mistakes_by_confidence():
    table = pd.DataFrame(
        {"path": list("xyz"), "truth": list("abb"), "prediction": list("bba"),
         "p_a": [0.4, 0.1, 0.9], "p_b": [0.6, 0.9, 0.1]}
    )  # fmt: skip
    found = confident_mistakes(table)
    assert found["path"].tolist() == ["z", "x"]
    assert found["p_truth"].tolist() == [0.1, 0.4]


@pytest.mark.parametrize(
    ("y", "sr"),
    [
        (voice(0.3)[:1], SR),
        (np.zeros(8000, dtype=np.float32), SR),
        (voice(2, sr=1000), 1000),
        (voice(0.5, sr=96000), 96000),
    ],
)
def test_charts_and_sounds_of_odd_clips(y, sr):
    clip = ExampleClip(y, sr, cut=False)
    chart = draw_clip(clip, "odd", 'a "quoted" <emotion>', longest=2.0)
    assert "&quot;quoted&quot; &lt;emotion>" in chart.on_page()
    sound = base64.b64decode(clip.as_data_uri().removeprefix("data:audio/mpeg;base64,"))
    info = soundfile.info(io.BytesIO(sound))
    assert info.samplerate == 22050
    assert info.duration == pytest.approx(max(0.1, len(y) / sr), abs=0.11)  # whole frames


def test_durations_without_outliers():
    chart = draw_durations([*np.linspace(1, 3, 400), 3600.0])
    assert "1 longer than" in chart.alt
    assert "to 3600.00 s" in chart.alt
