"""The page of `serve`, in a real browser with a microphone that plays a file."""

import base64
import contextlib
import json
import shutil
import signal

import httpx
import numpy as np
import pandas as pd
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

    def open_page(url, *permissions, routes=None, **how):
        context = browser.new_context(permissions=permissions, **how)
        contexts.append(context)
        page = context.new_page()
        for pattern, handler in (routes or {}).items():
            page.route(pattern, handler)
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


def assert_no_result(page, headline):
    """Check that the page shows nothing of any prediction."""
    assert page.inner_text("#answer") == headline
    assert page.inner_text("#warning") == ""
    assert set(page.locator("#bars .figure").all_text_contents()) == {"–"}
    assert page.locator("#bars .best").count() == 0
    assert page.locator("#rows tr").count() == 0
    assert page.get_attribute("#timeline", "aria-label") == "Timeline of emotions: empty"


@pytest.fixture
def short(tmp_path):
    path = tmp_path / "short.flac"
    soundfile.write(path, voice(0.4, 180), SR)
    return path


def test_a_file(server, visit, talk, short):
    page = visit(server[0])
    assert "SVMClassifier" in page.inner_text("#model")
    assert page.inner_text("#answer") == "No audio yet."
    page.set_input_files("#file", talk)
    wait_for_text(page, "#status", "talk.wav: 8.0 s")
    emotions = page.locator("#rows td:nth-child(3)").all_text_contents()
    # Windows on both sides of the pause overlap it, and may sound like anything.
    assert [emotions[0], emotions[-1]] == ["sad", "angry"]
    assert "no speech" in emotions
    assert "sad from 0.0" in page.get_attribute("#timeline", "aria-label")
    page.set_input_files("#file", short)
    wait_for_text(page, "#answer", "neutral")
    assert page.locator("#bars li.best").inner_text().split()[0] == "neutral"
    assert page.locator("#problem").inner_text() == ""


def test_a_result_does_not_stay_under_the_next_file(server, visit, talk, short, tmp_path):
    page = visit(server[0])
    page.set_input_files("#file", short)
    wait_for_text(page, "#answer", "neutral")
    held = []
    page.route("**/predict", lambda route: held.append(route))
    page.set_input_files("#file", talk)
    wait_for_text(page, "#status", "Working on talk.wav")
    assert_no_result(page, "Working on talk.wav…")
    held[0].continue_()
    wait_for_text(page, "#status", "talk.wav: 8.0 s")
    page.unroute("**/predict")
    bad = tmp_path / "bad.wav"
    bad.write_text("no audio")
    page.set_input_files("#file", bad)
    wait_for_text(page, "#problem", "The file is not audio")
    assert_no_result(page, "No result for bad.wav.")
    page.set_input_files("#file", short)
    wait_for_text(page, "#answer", "neutral")
    assert page.locator("#problem").inner_text() == ""


@pytest.mark.parametrize("seconds", [1, 5])
def test_of_a_silent_file_no_emotion_is_shown(server, visit, talk, tmp_path, seconds):
    page = visit(server[0])
    silent = tmp_path / "silent.wav"
    soundfile.write(silent, np.zeros(seconds * SR), SR)
    page.set_input_files("#file", talk)
    wait_for_text(page, "#status", "talk.wav: 8.0 s")
    page.set_input_files("#file", silent)
    wait_for_text(page, "#status", f"silent.wav: {seconds}.0 s")
    assert page.inner_text("#answer").startswith("No speech")
    assert set(page.locator("#bars .figure").all_text_contents()) == {"–"}
    assert page.locator("#bars .best").count() == 0
    rows = page.locator("#rows tr").all_text_contents()
    assert rows == [f"0.00{seconds}.00no speech–"]  # and nothing beside it
    assert "%" not in page.locator("main").inner_text()


@pytest.mark.parametrize(
    ("accuracy", "speaker", "sentence"),
    [
        (0.4743, {"n_shared": 0}, "of unseen speakers: 47 % right (guessing: 14 %)."),
        (
            0.9996,
            {"n_shared": 2},
            "of the speakers of its training set: over 99 % right (guessing: 14 %). Expect fewer "
            "for other speakers.",
        ),
        (
            1.0,
            None,
            "whose speakers may be in its training set: all right (guessing: 14 %). Expect fewer "
            "for other speakers.",
        ),
    ],
)
def test_the_header_says_on_whose_voices_it_was_tested(server, visit, accuracy, speaker, sentence):
    card = httpx.get(f"{server[0]}/card").json()
    card["scores"] |= {"accuracy": accuracy, "chance": {"accuracy": 1 / 7, "uar": 1 / 7}}
    card["split"]["n_test"] = 560
    card["audit"]["speaker"] = speaker
    card["data"]["name"] = "tess"
    page = visit(server[0], routes={"**/card": lambda route: route.fulfill(json=card)})
    assert page.inner_text("#model") == f"SVMClassifier. Tested on 560 clips of tess, {sentence}"


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
    messages = []
    page.on(
        "websocket",
        lambda socket: socket.on("framereceived", lambda data: messages.append(json.loads(data))),
    )
    page.click("#speak")
    wait_for_text(page, "#status", "Listening")
    assert page.get_attribute("#speak", "aria-pressed") == "true"
    wait_for_text(page, "#answer", "sad")  # what it hears is played over and over
    wait_for_text(page, "#answer", "angry")
    page.click("#speak")
    assert page.get_attribute("#speak", "aria-pressed") == "false"
    wait_for_text(page, "#status", "Stopped after")
    segments = []
    for event in messages:
        if event["type"] == "event":
            segments[-1:] = event["segments"]
    assert len(segments) >= 2
    rows = page.locator("#rows tr").all()
    assert [shown(row) for row in rows] == [expected_row(one) for one in reversed(segments)]
    # The very samples that were sent, as a file, have the same segments.
    recording = save(page, "recording").read_bytes()
    page.set_input_files("#file", {"name": "x.wav", "mimeType": "", "buffer": recording})
    wait_for_text(page, "#status", "x.wav: ")
    rows = page.locator("#rows tr").all()
    assert [shown(row) for row in rows] == [expected_row(one) for one in segments]


def shown(row):
    """Return the words of a row, without its button."""
    return row.locator("td").all_text_contents()[:4]


def expected_row(segment):
    emotion = segment["emotion"].replace("silence", "no speech")
    times = [f"{segment[name]:.2f}" for name in ("start", "end")]
    return [*times, emotion, percent(segment["confidence"])]


def save(page, what):
    """Return the path of what a button saves."""
    with page.expect_download() as download:
        page.click(f"#save-{what}")
    return download.value.path()


def test_each_row_names_the_most_probable_emotion(server, visit, talk):
    page = visit(server[0])
    page.set_input_files("#file", talk)
    wait_for_text(page, "#status", "talk.wav: 8.0 s")
    document = json.loads(save(page, "json").read_text())
    segments = document["segments"]
    for row, segment in zip(page.locator("#rows tr").all(), segments, strict=True):
        assert shown(row) == expected_row(segment)
        if segment["confidence"] is not None:
            best = max(segment["probabilities"], key=segment["probabilities"].get)
            assert shown(row)[2] == best
    assert document["emotion"] == page.locator("#bars .best").get_attribute("data-emotion")
    assert len(document["windows"]) == 13
    table = pd.read_csv(save(page, "csv"))
    assert list(table["emotion"]) == [segment["emotion"] for segment in segments]
    spoken = table.dropna(subset="confidence")
    p = spoken.filter(regex="^p_")
    assert list(p.idxmax(axis=1).str.removeprefix("p_")) == list(spoken["emotion"])
    assert np.allclose(p.max(axis=1), spoken["confidence"])


def test_a_segment_is_played_and_followed(server, visit, talk):
    page = visit(server[0])
    assert not page.is_visible("#player")
    page.set_input_files("#file", talk)
    wait_for_text(page, "#status", "talk.wav: 8.0 s")
    first = page.locator("#playhead").bounding_box()["x"]
    last = page.locator("#rows tr").last
    last.get_by_role("button").focus()
    page.keyboard.press("Enter")
    audio = page.locator("#audio")
    started = float(last.locator("td").first.inner_text())
    page.wait_for_timeout(300)
    assert started < audio.evaluate("audio => audio.currentTime") < 8
    stage = page.locator("#stage").bounding_box()
    there = page.locator("#playhead").bounding_box()["x"]
    assert first + 0.5 * started / 8 * (stage["width"] - 76) < there < stage["x"] + stage["width"]
    box = page.locator("#wave").bounding_box()
    page.locator("#wave").click(position={"x": 76 + (box["width"] - 76) / 4, "y": 10})
    page.wait_for_timeout(200)
    assert 1.9 < audio.evaluate("audio => audio.currentTime") < 3
    assert not audio.evaluate("audio => audio.paused")
    # The next file does not go on with the sound of this one.
    page.set_input_files("#file", {"name": "bad", "mimeType": "", "buffer": b"no audio"})
    wait_for_text(page, "#problem", "The file is not audio")
    assert audio.evaluate("audio => audio.paused")
    assert not page.is_visible("#player")
    assert not page.is_visible("#playhead")


def test_what_only_the_browser_decodes_is_sent_as_wav(server, visit, talk):
    page = visit(server[0])
    # A WebM as the browser itself records it.
    page.evaluate(
        """async (text) => {
          const context = new AudioContext();
          const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
          const sound = await context.decodeAudioData(bytes.buffer);
          const source = new AudioBufferSourceNode(context, {buffer: sound});
          const to = context.createMediaStreamDestination();
          source.connect(to);
          const recorder = new MediaRecorder(to.stream, {mimeType: "audio/webm"});
          const blocks = [];
          recorder.ondataavailable = ({data}) => blocks.push(data);
          const ended = new Promise((done) => { recorder.onstop = done; });
          recorder.start();
          source.start();
          setTimeout(() => recorder.stop(), 2800);
          await ended;
          const files = new DataTransfer();
          files.items.add(new File(blocks, "voice.webm"));
          const input = document.getElementById("file");
          input.files = files.files;
          input.dispatchEvent(new Event("change"));
        }""",
        base64.b64encode(talk.read_bytes()[: 44 + 6 * 48_000]).decode(),
    )
    wait_for_text(page, "#status", "voice.webm: 2.")
    assert page.locator("#bars .best").count() == 1
    assert page.is_visible("#player")
    file = soundfile.info(save(page, "recording"))
    assert (file.samplerate, file.channels, file.subtype) == (48_000, 1, "PCM_16")


def test_what_is_too_much_is_said_before_it_is_sent(server, visit, tmp_path):
    page = visit(server[0])
    long, large = tmp_path / "long.flac", tmp_path / "large.wav"
    soundfile.write(long, np.zeros(61 * 8000, np.int16), 8000)
    large.write_bytes(b"RIFF0000WAVE" + bytes(2_100_000))
    page.set_input_files("#file", long)
    wait_for_text(page, "#problem", "lasts 61.0 s, and this server takes 60.0 s")
    page.set_input_files("#file", large)
    wait_for_text(page, "#problem", "has 3 MB, and this server takes 2 MB")


def test_a_large_file_is_made_smaller(server, visit, tmp_path):
    page = visit(server[0])
    large = tmp_path / "large.wav"
    y = soxr.resample(voice(6, 100), SR, 48_000)
    soundfile.write(large, np.stack([y, y], 1), 48_000, subtype="FLOAT")
    assert large.stat().st_size > 2_000_000
    page.set_input_files("#file", large)
    wait_for_text(page, "#status", "large.wav: 6.0 s")
    wait_for_text(page, "#answer", "sad")


def percent(confidence):
    """Return what the page shows of a confidence."""
    if confidence is None:
        return "–"
    return "over 99 %" if 0.995 <= confidence < 1 else f"{int(100 * confidence + 0.5)} %"


def test_the_live_headline_keeps_up_with_the_bars(server, visit):
    page = visit(server[0], "microphone")
    page.evaluate(
        """() => {
          window.pairs = [];
          new MutationObserver(() => {
            const best = document.querySelector("#bars li.best");
            const pair = [document.querySelector("#answer").textContent,
              best && `${best.dataset.emotion}, ${best.querySelector(".figure").textContent}`];
            window.pairs.push(pair);
          }).observe(document.querySelector("#bars"), {subtree: true, childList: true,
            characterData: true});
        }"""
    )
    page.click("#speak")
    wait_for_text(page, "#answer", "sad")
    wait_for_text(page, "#answer", "angry")
    page.wait_for_timeout(2000)  # figures that change while the emotion stays the same
    pairs = [pair for pair in page.evaluate("window.pairs") if pair[1]]
    assert len({headline for headline, _ in pairs}) >= 4
    assert all(headline.replace("over ", ">") == best for headline, best in pairs)


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
        assert page.inner_text("#answer") == "Nothing heard now."
        assert set(page.locator("#bars .figure").all_text_contents()) == {"–"}
    port = url.rsplit(":", 1)[1]
    with serving(model, "--port", port):
        wait_for_text(page, "#status", "Listening")
        page.click("#speak")
        page.set_input_files("#file", talk)
        wait_for_text(page, "#status", "talk.wav: 8.0 s")


def test_a_result_does_not_stay_when_the_server_is_away(server, visit, talk, short):
    page = visit(server[0])
    page.set_input_files("#file", short)
    wait_for_text(page, "#answer", "neutral")
    page.context.set_offline(True)
    page.set_input_files("#file", talk)
    wait_for_text(page, "#problem", "The server does not answer")
    wait_for_text(page, "#status", "The server is gone; waiting")
    assert_no_result(page, "No result for talk.wav.")
    page.context.set_offline(False)
    wait_for_text(page, "#status", "The server is back")
    assert page.locator("#problem").inner_text() == ""
    page.set_input_files("#file", talk)
    wait_for_text(page, "#status", "talk.wav: 8.0 s")


def test_a_token_is_asked_for(closed, browser, talk):
    with contextlib.closing(browser.new_context()) as context:
        page = context.new_page()
        said = []
        page.on("console", lambda message: said.append(message.text))
        page.goto(closed[0])
        wait_for_text(page, "#problem", "A token is needed")
        assert "Bearer" not in page.inner_text("body")
        page.fill("#token", "wrong")
        page.keyboard.press("Enter")
        wait_for_text(page, "#problem", "The token is wrong: ask whoever runs this server")
        page.fill("#token", "s3cret")
        page.keyboard.press("Enter")
        page.locator("#bars li").first.wait_for()
        page.set_input_files("#file", talk)
        wait_for_text(page, "#status", "talk.wav: 8.0 s")
        assert said == []


def test_an_example_is_tried(server, visit):
    page = visit(server[0])
    assert page.locator("#example-buttons button").all_text_contents() == [
        "angry",
        "neutral",
        "sad",
    ]
    page.locator("#example-buttons button").last.focus()
    page.keyboard.press("Enter")
    wait_for_text(page, "#status", "example 3, sad.wav: ")
    wait_for_text(page, "#answer", "sad")
    assert page.is_visible("#player")


def test_the_documentation_takes_a_token(closed, browser):
    with contextlib.closing(browser.new_context()) as context:
        page = context.new_page()
        said = []
        page.on("console", lambda message: said.append(message.text))
        page.goto(f"{closed[0]}/docs")
        page.get_by_role("heading", name="WebSocket /stream").wait_for()
        page.get_by_role("button", name="Authorize").first.click()
        page.locator(".modal-ux input").fill("s3cret")
        page.locator(".modal-ux button[type=submit]").click()
        page.locator(".modal-ux .btn-done").click()
        page.locator("#operations-Model-card_card_get button").first.click()
        page.get_by_role("button", name="Try it out").click()
        page.get_by_role("button", name="Execute").click()
        page.locator(".live-responses-table").filter(has_text="SVMClassifier").wait_for()
        assert said == []


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
