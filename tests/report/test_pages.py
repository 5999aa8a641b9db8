"""What all pages share: their policy, their script, and that nothing is cut or out of reach."""

import base64
import hashlib
import re
import shutil

import numpy as np
import pandas as pd
import pytest
import soundfile

from sklearn_ser.report.cell_clips import MOST_BYTES, cells_of, embed_sounds, licences_of
from sklearn_ser.report.cell_clips import may_be_heard as heard
from sklearn_ser.report.example_clips import ExampleClip
from sklearn_ser.report.first_screen import chips_of, describe_voices, strip_of
from sklearn_ser.report.search_page import draw_candidates
from sklearn_ser.runs import RunOptions, SearchOptions, fit_run, search_run
from tests.conftest import SR, voice

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
EMOTIONS = [
    *("angry", "boredom", "calm", "disgust", "disappointment", "fear", "happy"),
    *("neutral", "sad", "surprise", "tired", "worried"),
]


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """A run of twelve emotions on a folder of one's own, one of them with a long name."""
    folder = tmp_path_factory.mktemp("many")
    for i, emotion in enumerate(EMOTIONS):
        (folder / "my voices" / emotion).mkdir(parents=True)
        for take in range(6):
            path = folder / "my voices" / emotion / f"{take}.wav"
            soundfile.write(path, voice(0.2, 90 + 25 * i, seed=100 * i + take), SR)
    fit_run(
        RunOptions(str(folder / "my voices"), "rf", "mfcc", test_size=0.5, out=folder / "run",
                   params={"clf__n_estimators": 10})
    )  # fmt: skip
    return folder / "run" / "report.html"


@pytest.fixture(scope="module")
def text(many):
    return many.read_text(encoding="utf-8")


def test_the_policy_allows_the_own_style_and_script_and_nothing_else(text):
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["img-src"] == rules["media-src"] == "data:"
    for tag in ("style", "script"):
        (content,) = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert rules[f"{tag}-src"] == f"'sha256-{digest}'"
    assert set(rules) == {"default-src", "img-src", "media-src", "style-src", "script-src"}


def test_no_style_attributes_and_no_handlers(text):
    body = re.sub(r"<(style|script)>.*?</\1>", "", text, flags=re.DOTALL)
    assert "<svg" in body
    assert not re.findall(r"<[^>]*\sstyle=", body)
    assert not re.findall(r"<[^>]*\son\w+=", body)
    assert "javascript:" not in body


def test_a_folder_of_ones_own_is_silent_and_the_page_says_why(text, many):
    assert "<audio" not in text
    assert "no licence that is known here" in text
    assert "--report-audio" in text
    assert "sklearn-ser fit --data &#39;my voices&#39; --clf rf" in text.replace('"', "&#39;")
    assert "load_pipeline(&#34;run&#34;)" in text.replace('"', "&#34;")
    assert str(many.parent.parent) not in text


@pytest.mark.parametrize(
    ("corpus", "file", "free"),
    [
        ("synthetic", "syn-f01-bamoli-angry-1.wav", True),
        ("synthetic", "mine.wav", False),  # a folder of that name
        ("emodb", "03a01Fa.wav", True),
        ("tess", "OAF_back_ps.wav", False),
        ("nemo", "1_a.wav", False),
        ("my voices", "1.wav", False),
    ],
)
def test_licences_decide_what_is_heard_unless_the_user_does(corpus, file, free):
    table = pd.DataFrame({"path": [f"/x/{file}"], "corpus": [corpus]})
    licences = licences_of(table)
    assert heard(licences, None) == free
    assert heard(licences, True)
    assert not heard(licences, False)
    both = pd.DataFrame({"path": [f"/x/{file}", "/y/OAF_back_ps.wav"], "corpus": [corpus, "tess"]})
    assert not heard(licences_of(both), None)


def test_a_cell_has_its_six_surest_clips():
    confidence = np.linspace(0.9, 0.5, 9)
    table = pd.DataFrame(
        {"path": [f"a/{i}.wav" for i in range(9)], "truth": "sad", "prediction": "calm",
         "p_calm": confidence, "p_sad": 1 - confidence}
    )[::-1]  # fmt: skip
    (cell,) = cells_of(table, ["calm", "happy", "sad"])
    assert (cell["id"], cell["n"]) == ("cell-2-0", 9)
    assert [clip["name"] for clip in cell["clips"]] == [f"{i}.wav" for i in range(6)]
    assert cell["clips"][1]["about"] == "calm 85\xa0%, sad 15\xa0%"
    assert [share["start"] for share in cell["clips"][1]["shares"]] == [0, pytest.approx(0.85)]


def test_sounds_fill_a_page_to_its_limit_one_of_each_cell_first(monkeypatch):
    monkeypatch.setattr("sklearn_ser.report.cell_clips.MOST_BYTES", 40_000)
    assert MOST_BYTES < 3_000_000
    lists = [[{"path": f"{cell}{n}", "sound": None} for n in range(6)] for cell in "ab"]
    clip = ExampleClip(voice(1.0), SR, cut=False)
    n_silent = embed_sounds(lists, lambda path: None if path == "a1" else clip)
    sounds = [clip["sound"] for clips in lists for clip in clips]
    assert sum(len(sound) for sound in sounds if sound) <= 40_000
    assert lists[0][0]["sound"]
    assert lists[1][0]["sound"]
    assert lists[0][1]["sound"] is None
    assert 0 < n_silent < 11
    assert n_silent == sum(sound is None for sound in sounds) - 1  # one could not be read


def test_a_sound_is_what_was_heard():
    import io

    y = voice(1.0)
    uri = ExampleClip(y, SR, cut=False).as_data_uri()
    sound, sr = soundfile.read(io.BytesIO(base64.b64decode(uri.partition(",")[2])))
    assert sr == SR
    lag = int(np.argmax(np.correlate(sound, y, "valid"))) if len(sound) > len(y) else 0
    assert np.corrcoef(sound[lag : lag + len(y)], y)[0, 1] > 0.95


def test_chips_and_voices():
    audit = {
        "speaker": {"n": 4, "n_test": 4, "n_shared": 3},
        "text": {"n": 9, "n_test": 5, "n_shared": 0},
        "audio": {"n_groups": 1, "n_test": 2},
    }
    metrics = {"split": "random", "audit": audit, "folds": [1, 2], "skipped": ["x"]}
    assert chips_of(metrics) == [
        ("warn", "3 of 4 speakers known from training"),
        ("good", "unseen texts"),
        ("warn", "2 test clips are copies of training clips"),
        ("plain", "random split, 2 folds"),
        ("warn", "1 clips could not be read"),
    ]
    assert describe_voices(audit).startswith("The voices were known: 3 of the 4 speakers")
    assert describe_voices(audit | {"speaker": {"n_shared": 0}}) is None
    assert "may have been known" in describe_voices({"speaker": None})


@pytest.mark.parametrize("score", [0.0, 0.1, 0.5, 0.9, 1.0])
def test_words_of_the_strip_stay_on_the_page(score):
    strip = strip_of(score, [score, score], 0.1, 1.0)
    assert strip["score_anchor"] == ("start" if score < 0.3 else "end" if score > 0.7 else "middle")
    assert strip_of(0.5, None, 0.5, 0.9)["training_below"]


# In a browser


@pytest.fixture(scope="module")
def browser():
    api = pytest.importorskip("playwright.sync_api")
    if not CHROMIUM:
        pytest.skip("needs Chromium: apt-get install chromium")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        yield browser
        browser.close()


def open_page(browser, path, **how):
    tab, said = browser.new_context(**how).new_page(), []
    tab.on("console", lambda message: said.append(message.text))
    tab.on("pageerror", lambda error: said.append(str(error)))
    tab.goto(path.as_uri())
    return tab, said


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_message_no_violation_and_nothing_cut(browser, many, width, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    tab, said = open_page(
        browser, many, viewport={"width": width, "height": 844}, color_scheme=scheme
    )
    found = axe.run(tab)
    assert found.violations_count == 0, found.generate_report()
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    assert said == []


def test_the_matrix_by_keyboard(browser, many):
    tab, _ = open_page(browser, many, viewport={"width": 1440, "height": 900})
    tab.locator(".matrix a[tabindex='0']").focus()
    first = tab.evaluate("document.activeElement.hash")
    for key in ("ArrowDown", "ArrowRight", "ArrowUp", "ArrowLeft"):
        tab.keyboard.press(key)
    tab.locator(".matrix a").last.focus()
    wanted = tab.evaluate("document.activeElement.hash")
    assert wanted != first
    tab.keyboard.press("Enter")
    shown = tab.locator(".cell:visible")
    assert shown.count() == 1
    assert f"#{shown.get_attribute('id')}" == wanted
    assert tab.evaluate("document.activeElement.tagName") == "H3"
    assert tab.locator(".matrix a[aria-current]").count() == 1


def test_tables_are_sorted_by_numbers(browser, many):
    tab, _ = open_page(browser, many)
    table = tab.locator("section:has(> #emotions) table")
    recall = table.locator("th button", has_text="Recall")
    orders = []
    for _ in range(2):
        recall.click()
        orders.append([float(x) for x in table.locator("tbody td:nth-child(3)").all_inner_texts()])
    assert orders[0] == sorted(orders[0])
    assert orders[1] == sorted(orders[1], reverse=True)
    assert table.locator("th[aria-sort]").get_attribute("aria-sort") == "descending"


def test_without_scripts_a_cell_still_shows_its_clips(browser, many):
    tab, said = open_page(browser, many, java_script_enabled=False)
    assert said == []
    link = tab.locator(".matrix a").first
    target = link.get_attribute("href")
    link.click()
    assert tab.locator(".cell:visible").count() == 1
    assert tab.locator(target).is_visible()
    assert tab.locator("th button").count() == 0


# The search


def candidates(**grid):
    params = [dict(zip(grid, values, strict=True)) for values in zip(*grid.values(), strict=True)]
    scores = np.linspace(0.8, 0.5, len(params))
    return pd.DataFrame(
        {"params": params, "mean_test_score": scores, "std_test_score": scores / 10}
    )


def test_candidates_are_lines_to_their_score():
    (chart,) = draw_candidates(candidates(clf__C=[10, 2, 1], clf__kernel=["rbf", "rbf", "rbf"]))
    assert chart.alt == (
        "3 candidates as lines from their parameters to their UAR, from 0.500 to 0.800. Bold: the "
        "best, with C 10."
    )
    assert "kernel" not in chart.svg  # it has one value
    assert chart.svg.index(">1<") < chart.svg.index(">2<") < chart.svg.index(">10<")
    assert draw_candidates(candidates(clf__C=[1])) == []


def test_the_search_stands_beside_the_test_set(spoken, tmp_path, browser):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    options = RunOptions(str(spoken), "logreg", "mfcc", test_size=0.4, out=tmp_path / "run")
    metrics = search_run(options, SearchOptions({"clf__C": [0.01, 1.0]}, n_folds=2))
    tab, said = open_page(browser, tmp_path / "run" / "report.html")
    section = tab.locator("section:has(> #search)")
    assert section.locator("tbody tr").count() == 2
    chosen = section.locator("tr.best").inner_text().split()
    assert chosen[2] == metrics["search"]["best_params"]["clf__C"]
    assert chosen[3] == f"{metrics['search']['best_uar']:.3f}"
    alt = section.locator("svg.strip").get_attribute("aria-label")
    assert alt.startswith(f"UAR {metrics['uar']:.3f}")
    assert alt.endswith(f"search {metrics['search']['best_uar']:.3f}.")
    assert "sklearn-ser grid-search" in tab.inner_text("main")
    assert "--param clf__C=0.01,1.0 --folds 2" in tab.inner_text("main")
    assert axe.run(tab).violations_count == 0
    assert said == []
