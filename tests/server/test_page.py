"""The page of `serve`, in a real browser with a microphone that plays a file."""

import contextlib
import shutil
import signal

import numpy as np
import pytest
import soundfile
import soxr

from tests.conftest import SR, serving, voice

pytest.importorskip("fastapi")
sync_playwright = pytest.importorskip("playwright.sync_api").sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")


@pytest.fixture(scope="module")
def talk(tmp_path_factory):
    """A recording of eight seconds: sad, then silence, then angry."""
    path = tmp_path_factory.mktemp("page") / "talk.wav"
    parts = [voice(3, 100), np.zeros(2 * SR, np.float32), voice(3, 310)]
    # The browser's own resampling to the rate of its sound card is not as clean as ours.
    soundfile.write(path, soxr.resample(np.concatenate(parts), SR, 48_000), 48_000)
    return path


@pytest.fixture(scope="module")
def browser(talk):
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=[
                "--no-sandbox",
                "--use-fake-device-for-media-stream",
                f"--use-file-for-fake-audio-capture={talk}",
            ],
        )
        yield browser
        browser.close()


@pytest.fixture
def visit(browser):
    """Open a page, as a person who allows the microphone or not; nothing may go wrong in it."""
    contexts, wrong = [], []

    def open_page(url, *permissions, **how):
        context = browser.new_context(permissions=permissions, **how)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
        page.goto(url)
        page.locator("#bars li").first.wait_for()
        return page

    yield open_page
    for context in contexts:
        context.close()
    expected = ("Failed to load resource", "WebSocket connection")
    assert not [text for text in wrong if not any(words in text for words in expected)]


def wait_for_text(page, place, *words):
    for word in words:
        page.locator(place).filter(has_text=word).wait_for(timeout=20_000)


def test_a_file(server, visit, talk, tmp_path):
    page = visit(server[0])
    assert "SVMClassifier" in page.inner_text("#model")
    assert page.inner_text("#answer") == "No audio yet."
    page.set_input_files("#file", talk)
    wait_for_text(page, "#status", "talk.wav: 8.0 s")
    emotions = page.locator("#rows td:nth-child(3)").all_text_contents()
    # Windows on both sides of the pause overlap it, and may sound like anything.
    assert [emotions[0], emotions[-1]] == ["sad", "angry"]
    assert "sad from 0.0" in page.get_attribute("#timeline", "aria-label")
    short = tmp_path / "short.flac"
    soundfile.write(short, voice(0.4, 180), SR)
    page.set_input_files("#file", short)
    wait_for_text(page, "#answer", "neutral")
    assert page.locator("#bars li.best").inner_text().split()[0] == "neutral"
    assert page.locator("#problem").inner_text() == ""
    bad = tmp_path / "bad.wav"
    bad.write_text("no audio")
    page.set_input_files("#file", bad)
    wait_for_text(page, "#problem", "The file is not audio")
    page.set_input_files("#file", short)
    wait_for_text(page, "#answer", "neutral")
    assert page.locator("#problem").inner_text() == ""


def test_by_keyboard_alone(server, visit):
    page = visit(server[0], "microphone")
    order = []
    for _ in range(4):
        page.keyboard.press("Tab")
        order.append(page.locator(":focus").get_attribute("id") or "skip")
    assert order[:3] == ["skip", "file", "speak"]
    page.locator("#speak").focus()
    page.keyboard.press("Space")
    wait_for_text(page, "#status", "Listening")
    page.keyboard.press("Space")
    wait_for_text(page, "#status", "Stopped")


def test_live(server, visit):
    page = visit(server[0], "microphone")
    page.click("#speak")
    wait_for_text(page, "#status", "Listening")
    assert page.get_attribute("#speak", "aria-pressed") == "true"
    wait_for_text(page, "#answer", "sad")  # what it hears is played over and over
    wait_for_text(page, "#answer", "angry")
    page.click("#speak")
    assert page.get_attribute("#speak", "aria-pressed") == "false"
    assert page.locator("#rows tr").count() >= 1


def test_a_refused_microphone(server, visit):
    page = visit(server[0])
    page.click("#speak")
    wait_for_text(page, "#problem", "The microphone may not be used")
    assert page.get_attribute("#speak", "aria-pressed") == "false"


def test_a_server_that_goes_and_comes_back(model, visit, talk):
    with serving(model) as (url, process):
        page = visit(url, "microphone")
        page.click("#speak")
        wait_for_text(page, "#status", "Listening")
        process.send_signal(signal.SIGKILL)
        process.wait()
        wait_for_text(page, "#status", "The server is gone")
    port = url.rsplit(":", 1)[1]
    with serving(model, "--port", port):
        wait_for_text(page, "#status", "Listening")
        page.click("#speak")
        page.set_input_files("#file", talk)
        wait_for_text(page, "#status", "talk.wav: 8.0 s")


def test_a_token_is_asked_for(closed, browser, talk):
    with contextlib.closing(browser.new_context()) as context:
        page = context.new_page()
        page.goto(closed[0])
        page.locator("#token-form").wait_for()
        page.fill("#token", "wrong")
        page.keyboard.press("Enter")
        wait_for_text(page, "#problem", "A token is needed")
        page.fill("#token", "s3cret")
        page.keyboard.press("Enter")
        page.locator("#bars li").first.wait_for()
        page.set_input_files("#file", talk)
        wait_for_text(page, "#status", "talk.wav: 8.0 s")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone(server, visit, talk, scheme):
    page = visit(server[0], viewport={"width": 360, "height": 740}, color_scheme=scheme)
    page.set_input_files("#file", talk)
    wait_for_text(page, "#status", "talk.wav: 8.0 s")
    width = max(box["x"] + box["width"] for box in boxes(page))
    assert width <= 360  # nothing to scroll sideways
    for button in ("#speak", "label.button"):
        assert page.locator(button).bounding_box()["height"] >= 44  # fingers are not needles


def boxes(page):
    found = (place.bounding_box() for place in page.locator("main *:visible").all())
    return [box for box in found if box]
