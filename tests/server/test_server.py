"""`serve` as untrusted clients meet it: a real server on loopback, with its worker processes."""

import contextlib
import inspect
import io
import itertools
import json
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from sklearn_ser import EmotionStream, load_pipeline
from sklearn_ser.inference import load_predictor
from sklearn_ser.persistence.card import card_path
from tests.conftest import SR, run, voice

httpx = pytest.importorskip("httpx")
pytest.importorskip("fastapi")
connect = pytest.importorskip("websockets.sync.client").connect

from sklearn_ser.server import Limits  # noqa: E402
from sklearn_ser.server.guard import Gate, allowed_origin, host_name, same_token  # noqa: E402
from sklearn_ser.server.page_files import PAGE  # noqa: E402
from sklearn_ser.server.server_log import LogLine, OnceAMinute  # noqa: E402
from sklearn_ser.server.websocket import FIELDS, check_windows  # noqa: E402

pytestmark = pytest.mark.usefixtures("mine")


@pytest.fixture
def url(server):
    return server[0]


def encode(y, sr=SR, form="WAV", **how):
    file = io.BytesIO()
    soundfile.write(file, y, sr, format=form, **how)
    return file.getvalue()


def post(url, data, **how):
    fields = {name: how.pop(name) for name in ("window", "hop", "channels") if name in how}
    return httpx.post(f"{url}/predict", files={"file": ("x", data)}, data=fields, timeout=60, **how)


# Predictions


@pytest.mark.parametrize("form", ["WAV", "FLAC", "OGG"])
def test_an_upload_is_answered_as_the_pipeline_does(url, model, form):
    data = encode(voice(0.4, 180, seed=9), form=form)
    answer = post(url, data).json()
    expected = load_pipeline(model).predict_proba([data])[0]
    assert list(answer["probabilities"].values()) == expected.tolist()
    assert answer["emotion"] == "neutral"
    assert answer["confidence"] == expected.max()
    assert answer["seconds"] == pytest.approx(0.4, abs=0.001)
    assert answer["warning"] is None
    silent = post(url, encode(np.zeros(SR))).json()
    assert (silent["emotion"], silent["confidence"]) == ("silence", None)
    assert silent["warning"] == "silent"


def test_windows_are_answered_as_the_stream_does(url, model):
    y = np.concatenate([voice(3, 100), np.zeros(2 * SR), voice(2, 300)]).astype(np.float32)
    data = encode(y, subtype="FLOAT")
    answer = post(url, data, window=1, hop=0.5).json()
    events = EmotionStream(load_predictor(model), 1, 0.5).push(y)
    assert [w["probabilities"] for w in answer["windows"]] == [e.probabilities for e in events]
    assert [w["smoothed"] for w in answer["windows"]] == [e.smoothed for e in events]
    assert [w["warning"] for w in answer["windows"]] == [e.warning for e in events]
    assert [s["emotion"] for s in answer["segments"]][-2] == "silence"
    mean = np.mean([list(e.probabilities.values()) for e in events if e.speech], axis=0)
    assert list(answer["probabilities"].values()) == mean.tolist()
    assert answer["confidence"] == mean.max()
    # The same over the socket, in pieces.
    with connect(f"{url.replace('http', 'ws')}/stream") as socket:
        socket.send(json.dumps({"rate": SR, "window": 1, "hop": 0.5}))
        ready = json.loads(socket.recv())
        assert (ready["type"], ready["emotions"]) == ("ready", ["angry", "neutral", "sad"])
        raw = y.astype("<f4").tobytes()
        for start in range(0, len(raw), 50_001):  # not even whole samples
            socket.send(raw[start : start + 50_001])
        socket.send("end")
        messages = [json.loads(message) for message in socket]
    assert messages[-1]["type"] == "end"
    segments = []
    for message in messages[:-1]:
        assert message.pop("type") == "event"
        segments[-1:] = message.pop("segments")
    assert messages[:-1] == answer["windows"]
    assert segments == answer["segments"]


@pytest.mark.parametrize("how", [{}, {"window": 1}])
def test_channels_are_answered_as_files_of_their_own(url, how):
    both = [voice(2, 100), voice(2, 300)]
    answer = post(url, encode(np.stack(both, axis=1)), channels="split", **how).json()
    alone = [post(url, encode(y), **how).json() for y in both]
    assert answer == {"seconds": alone[0]["seconds"], "channels": alone}
    assert [one["emotion"] for one in alone] == ["sad", "angry"]
    mono = post(url, encode(both[0]), channels="split", **how).json()
    assert mono["channels"] == alone[:1]
    refused(post(url, encode(both[0]), channels="left"), 422, "channels: give mix or split")
    y = np.stack(both * 5, axis=1)[:2000]
    refused(post(url, encode(y), channels="split"), 422, "10 channels")


def test_integers_over_the_socket(url, model):
    y = (voice(2.5, 100) * 20000).astype("<i2")
    with connect(f"{url.replace('http', 'ws')}/stream") as socket:
        socket.send(json.dumps({"rate": SR, "encoding": "s16le"}))
        socket.recv()
        socket.send(y.tobytes())
        event = json.loads(socket.recv())
    expected = load_pipeline(model).predict_proba([y[: 2 * SR].astype(np.float32) / 32768])[0]
    assert list(event["probabilities"].values()) == expected.tolist()


def test_responses_are_as_documented(url):
    from sklearn_ser.server.schemas import Health, ModelCard, Prediction, Recording, Refusal

    data = encode(voice(3, 100))
    Prediction(**post(url, data).json())
    Prediction(**post(url, encode(np.zeros(SR))).json())
    assert len(Recording(**post(url, data, window=1).json()).windows) == 9
    Refusal(**post(url, b"").json())
    Health(**httpx.get(f"{url}/health").json())
    described = httpx.get(f"{url}/openapi.json").json()
    answered = described["paths"]["/card"]["get"]["responses"]["200"]["content"]
    assert answered["application/json"]["schema"]["$ref"].endswith("/ModelCard")
    ModelCard(**httpx.get(f"{url}/card").json())
    # The button Authorize, for what asks for a token; and a guide to what OpenAPI cannot describe.
    (scheme,) = described["components"]["securitySchemes"].values()
    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")
    asks = {
        path
        for path, methods in described["paths"].items()
        if any("security" in method for method in methods.values())
    }
    assert asks == {"/predict", "/card", "/metrics", "/examples", "/examples/{place}"}
    assert "## WebSocket `/stream`" in described["info"]["description"]
    schemas = described["components"]["schemas"]
    assert set(schemas["Prediction"]["properties"]) >= {"emotion", "confidence", "probabilities"}
    for name in ("Prediction", "Window", "Segment", "Health", "ModelCard"):
        for field in schemas[name]["properties"].values():
            assert "examples" in field or "items" in field


def test_the_guide_names_all_of_a_stream(url):
    """Each field of the first message and of an event is in the documentation of /stream."""
    guide = httpx.get(f"{url}/openapi.json").json()["info"]["description"]
    for field in FIELDS:
        assert f"`{field}`" in guide
    with connect(f"{url.replace('http', 'ws')}/stream") as socket:
        socket.send(json.dumps({"rate": SR}))
        ready = json.loads(socket.recv())
        socket.send(voice(2.1, 100).astype("<f4").tobytes())
        socket.send("end")
        messages = [ready, *map(json.loads, socket)]
    assert {message["type"] for message in messages} == {"ready", "event", "end"}
    for message in messages:
        for field in message:
            assert f'"{field}"' in guide


def test_other_endpoints(url):
    assert httpx.get(f"{url}/health").json()["status"] == "ok"
    card = httpx.get(f"{url}/card").json()
    assert card["classes"] == ["angry", "neutral", "sad"]
    assert "skipped" not in card["data"]
    text = httpx.get(f"{url}/metrics").text
    assert 'sklearn_ser_requests_total{status="200"}' in text
    paths = httpx.get(f"{url}/openapi.json").json()["paths"]
    assert {"/predict", "/card", "/health", "/metrics"} <= set(paths)
    for path in ("/docs", "/docs/start.js", "/docs/swagger-ui-bundle.js", "/docs/swagger-ui.css"):
        assert httpx.get(url + path).status_code == 200


def test_the_page_needs_nothing_from_elsewhere(url):
    scripts = sorted(file.name for file in PAGE.glob("*.js") if file.name != "docs.js")
    for path in ("/", "/page/palette.css", "/page/style.css", *(f"/page/{s}" for s in scripts)):
        answer = httpx.get(url + path)
        assert answer.status_code == 200
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'self'; object-src 'none'")
        assert "unsafe" not in policy
        assert "http://" not in answer.text
        assert "https://" not in answer.text
    for path in ("/page/../app.py", "/page/%2e%2e/app.py", "/page/app.py", "/../../etc/passwd"):
        assert httpx.get(url + path).status_code == 404


# Clips to try


def test_examples_are_clips_of_the_test_set(url, model):
    clips = httpx.get(f"{url}/examples").json()
    assert [clip["emotion"] for clip in clips] == ["angry", "neutral", "sad"]
    assert [clip["place"] for clip in clips] == [1, 2, 3]
    tested = pd.read_csv(model / "predictions.csv")
    for clip in clips:
        answer = httpx.get(f"{url}/examples/{clip['place']}")
        assert answer.headers["content-type"].startswith("audio/")
        paths = tested["path"][tested["truth"] == clip["emotion"]]
        assert answer.content in [Path(path).read_bytes() for path in paths]
    for place, status in (("0", 404), ("4", 404), ("x", 404), ("../card", 200)):
        assert httpx.get(f"{url}/examples/{place}").status_code == status


def test_a_model_without_clips_has_no_examples(model, tmp_path, mine):
    for file in (model / "pipeline.joblib", card_path(model / "pipeline.joblib")):
        shutil.copy(file, tmp_path)
    err = run("serve", tmp_path / "pipeline.joblib", "--port", 0, "--examples", 2, code=2)[1]
    assert "--examples 2: no clip of the model's run or corpus" in err


# What is refused


def refused(response, status, words):
    assert (response.status_code, response.headers["content-type"]) == (status, "application/json")
    assert words in response.json()["detail"]
    assert "Traceback" not in response.text
    assert str(Path.home()) not in response.text
    return response


def test_bad_audio(url):
    refused(post(url, b"no audio"), 422, "the file is not audio that can be decoded")
    refused(post(url, b""), 422, "the file")
    whole = encode(voice(1))
    refused(post(url, whole[: len(whole) // 2]), 422, "the file is cut short")
    refused(post(url, encode(voice(), 400_000)), 422, "400000 Hz: 192000 is allowed")
    refused(post(url, encode(np.zeros((100, 9)))), 422, "9 channels: 8 are allowed")
    assert httpx.post(f"{url}/predict", data={"file": "/etc/passwd"}).status_code == 422
    assert httpx.post(f"{url}/predict", content=b"x").status_code == 422


def test_kinds_of_files(url, model):
    y = voice(0.4, 100)
    opus = {"subtype": "OPUS"}
    for form, how in [("WAVEX", {}), ("AIFF", {}), ("MP3", {}), ("OGG", opus)]:
        rate = 16000 if how else SR
        data = encode(y, rate, form=form, **how)
        for whole in (data, b"ID3\4\0\0\0\0\0\x05\0\0\0\0\0" + data):
            if whole is data or form == "MP3":
                assert post(url, whole).status_code == 200, form
    for form in ("AU", "CAF", "W64", "RF64", "NIST", "VOC", "PAF", "SVX", "IRCAM"):
        data = encode(y, form=form)
        refused(post(url, data), 422, "allowed are AIFF, FLAC")
        refused(post(url, b"ID3\4\0\0\0\0\0\0" + data), 422, "allowed are AIFF, FLAC")
    with small_server(model, formats=("AU", "WAV")) as (other, _):
        assert post(other, encode(y, form="AU")).status_code == 200
        refused(post(other, encode(y, form="FLAC")), 422, "allowed are AU, WAV")


def test_days_of_silence_in_a_small_file(url):
    data = encode(np.zeros(SR * 61, dtype=np.int16), form="FLAC")
    assert len(data) < 20_000
    for how in ({}, {"window": 2}):
        refused(post(url, data, **how), 422, "61.0 s long, more than the 60 s")


def test_windows_that_are_too_much_work(url):
    for window, hop in [(0.01, 1), (2, 0.01), (100, 1), ("nan", 1), (60, 0.1), (2, "inf")]:
        refused(post(url, encode(voice()), window=window, hop=hop), 422, "give a window of 0.1")
    refused(post(url, encode(voice()), hop=1), 422, "needs a window")


def test_uploads_that_are_too_large(url):
    refused(post(url, bytes(2_100_000)), 413, "larger than 2 MB")

    def endless():
        for _ in range(100):
            yield bytes(100_000)

    kind = {"content-type": "multipart/form-data; boundary=x"}
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    content = itertools.chain([head], endless())
    try:
        response = httpx.post(f"{url}/predict", content=content, headers=kind)
        refused(response, 413, "larger than 2 MB")
    except httpx.WriteError:
        pass  # hung up on while it was still talking
    assert post(url, encode(voice(0.4, 100))).json()["emotion"] == "sad"


def test_hosts_and_origins(url, closed):
    port = url.rsplit(":", 1)[1]
    for host in ("evil.example", f"127.0.0.1.evil.example:{port}", "user@127.0.0.1", ""):
        refused(httpx.get(f"{url}/card", headers={"host": host}), 400, "`allow_host=NAME`")
    for origin in ("https://evil.example", "null", f"http://localhost.evil:{port}"):
        refused(httpx.get(f"{url}/card", headers={"origin": origin}), 403, "`allow_origin=ORIGIN`")
        with (
            pytest.raises(Exception, match="403"),
            connect(f"{url.replace('http', 'ws')}/stream", origin=origin),
        ):
            pass
    own = httpx.get(f"{url}/card", headers={"origin": url})
    assert own.status_code == 200
    assert "access-control-allow-origin" not in own.headers  # CORS is off
    mine = {"authorization": "Bearer s3cret", "origin": "https://example.org"}
    allowed = httpx.get(f"{closed[0]}/card", headers={**mine, "host": "ser.example"})
    assert allowed.headers["access-control-allow-origin"] == "https://example.org"


def test_tokens(closed):
    url = closed[0]
    data = encode(voice(0.4, 100))
    for given, words in [
        (None, "send Authorization: Bearer TOKEN"),
        ("Basic s3cret", "send Authorization: Bearer TOKEN"),
        ("Bearer wrong", "The token is wrong"),
    ]:
        headers = {} if given is None else {"authorization": given}
        answer = refused(post(url, data, headers=headers), 401, words)
        assert answer.headers["www-authenticate"] == "Bearer"
    for path in ("/card", "/metrics"):
        assert httpx.get(url + path).status_code == 401
    for path in ("/", "/docs", "/openapi.json", "/health"):  # a browser asks for the token there
        assert httpx.get(url + path).status_code == 200
    for given, authorized in ((None, False), ("Bearer wrong", False), ("Bearer s3cret", True)):
        headers = {} if given is None else {"authorization": given}
        assert httpx.get(f"{url}/health", headers=headers).json()["authorized"] is authorized
    assert post(url, data, headers={"authorization": "bearer s3cret"}).json()["emotion"] == "sad"
    for first, words in [
        ({"rate": SR}, "A token is needed"),
        ({"rate": SR, "token": "x"}, "The token is wrong"),
    ]:
        assert words in reason(url, json.dumps(first))
    with connect(f"{url.replace('http', 'ws')}/stream") as socket:
        socket.send(json.dumps({"rate": SR, "token": "s3cret"}))
        assert json.loads(socket.recv())["type"] == "ready"


def reason(url, *messages):
    """Return why a socket is closed after these messages."""
    from websockets.exceptions import ConnectionClosed

    with connect(f"{url.replace('http', 'ws')}/stream") as socket:
        for message in messages:
            socket.send(message)
        try:
            while True:
                socket.recv(5)
        except ConnectionClosed as error:
            return error.rcvd.reason


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        (["{"], "Begin with JSON"),
        ([2000 * "[" + 2000 * "]"], "Begin with JSON"),
        (['{"rate": 16000, "smooth": 3}'], "'smooth' is none of encoding"),
        (["[]"], "Begin with JSON"),
        ([bytes(100)], "Begin with JSON"),
        (['{"rate": "fast"}'], "rate='fast'"),
        (['{"rate": 10}'], "rate=10"),
        (['{"rate": 16000, "encoding": "mp3"}'], "encoding='mp3'"),
        (['{"rate": 16000, "window": 1e9}'], "give a window of 0.1"),
        (['{"rate": 16000, "window": "x"}'], "numbers of seconds"),
        (['{"rate": 16000, "window": 1' + 400 * "0" + "}"], "give a window of 0.1"),
        (['{"rate": 16000, "hop": 1' + 400 * "0" + "}"], "a hop of"),
        (['{"rate": 1' + 3000 * "0" + "}"], "rate=1000"),
        (['{"rate": true}'], "rate=True"),
        (['{"rate": 16000, "encoding": []}'], "encoding=[]"),
        (['{"rate": 16000, "token": "' + 5000 * "x" + '"}'], "may have 4096 characters"),
        (['{"rate": 16000}', "begin"], "binary messages"),
        (['{"rate": 16000}', b""], "binary messages"),
        (['{"rate": 16000}', np.full(10, np.nan, "<f4").tobytes()], "NaN"),
    ],
)
def test_what_a_socket_refuses(url, messages, words):
    assert words in reason(url, *messages)


def test_one_at_a_time(closed):
    url = closed[0]
    mine = {"authorization": "Bearer s3cret"}
    data = encode(voice(120, 100), form="FLAC")
    with ThreadPoolExecutor(4) as pool:
        answers = list(
            pool.map(lambda _: post(url, data, window=2, hop=0.5, headers=mine), range(4))
        )
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses[0] == 200
    assert statuses[-1] == 429
    busy = next(answer for answer in answers if answer.status_code == 429)
    assert busy.headers["retry-after"] == "1"


# Processes


@pytest.fixture(scope="module")
def quick(model):
    """A server with small limits, of its own: its address and its process."""
    with small_server(model) as started:
        yield started


@contextlib.contextmanager
def small_server(model, prepare="", **limits):
    limits = {
        "workers": 2,
        "time_limit": 5.0,
        "per_client": 40,
        "head_seconds": 1.0,
        "idle_seconds": 2.0,
        "stall_seconds": 1.0,
        "connections": 20,
        "connections_per_client": 16,
        **limits,
    }
    program = (
        f"import socket\n{prepare}\n"
        "from sklearn_ser.server import Limits\n"
        "from sklearn_ser.server.app import make_app\n"
        "from sklearn_ser.server.connections import make_server\n"
        "listener = socket.create_server(('127.0.0.1', 0))\n"
        f"limits = Limits(**{limits!r})\n"
        f"app = make_app({str(model)!r}, trust=True, limits=limits)\n"
        "say = lambda port: print(port, flush=True)\n"
        "make_server(app, limits, on_started=say).run([listener])\n"
    )
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=log, text=True
        )
        process.log = lambda: Path(f"/proc/self/fd/{log.fileno()}").read_text()
        try:
            port = process.stdout.readline().strip()
            assert port, process.log()
            yield f"http://127.0.0.1:{port}", process
        finally:
            process.kill()
            process.wait(20)
            process.stdout.close()


def children(pid):
    """The processes that any thread of a process has started."""
    listed = [
        task.joinpath("children").read_text().split()
        for task in Path(f"/proc/{pid}/task").iterdir()
    ]
    return [int(child) for each in listed for child in each]


def workers_of(pid):
    return [worker for child in children(pid) for worker in children(child)]


def wait_until(true, seconds=30):
    """Wait for a state that must come; the time is a bound, not a measurement."""
    for _ in range(int(seconds / 0.05)):
        if true():
            return
        time.sleep(0.05)
    raise AssertionError("it did not come")


def healthy(url):
    return httpx.get(f"{url}/health").json()["workers"] == 2


def test_a_worker_that_dies_is_replaced(quick):
    url, process = quick
    wait_until(lambda: healthy(url))
    killed = workers_of(process.pid)
    assert len(killed) == 2
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: healthy(url))
    assert post(url, encode(voice(0.4, 100))).status_code == 200
    assert not set(killed) & set(workers_of(process.pid))
    assert process.poll() is None


def test_health_fails_while_nothing_can_be_answered(quick):
    url, process = quick
    wait_until(lambda: healthy(url))
    before = open_files(process.pid)
    (fork_server,) = (child for child in children(process.pid) if children(child))
    os.kill(fork_server, signal.SIGSTOP)  # so that no worker can follow
    for pid in children(fork_server):
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: httpx.get(f"{url}/health").status_code == 503)
    assert httpx.get(f"{url}/health").json()["status"] == "no worker is ready"
    answer = post(url, encode(voice(0.4, 100)))  # it waits for its turn, and no longer
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    os.kill(fork_server, signal.SIGCONT)
    wait_until(lambda: healthy(url))
    assert post(url, encode(voice(0.4, 100))).status_code == 200
    assert open_files(process.pid) <= before + 2


def open_files(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def test_every_request_ends_while_workers_are_killed(quick):
    url, process = quick
    wait_until(lambda: healthy(url))
    data = encode(voice(2, 100))
    stop = threading.Event()

    def kill():
        for _ in range(int(os.environ.get("SKLEARN_SER_KILLS", 25))):
            for pid in workers_of(process.pid)[:1]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.1)
        stop.set()

    def ask(_):
        statuses = []
        while not stop.is_set():
            statuses.append(post(url, data).status_code)
        return statuses

    with ThreadPoolExecutor(9) as pool:
        killing = pool.submit(kill)
        statuses = [status for each in pool.map(ask, range(8)) for status in each]
        killing.result()
    assert set(statuses) <= {200, 503}
    wait_until(lambda: healthy(url))
    answers = [post(url, data) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200] * 4
    assert len(workers_of(process.pid)) == 2


def test_the_death_of_the_fork_server_costs_nothing(quick):
    url, process = quick
    wait_until(lambda: healthy(url))
    (fork_server,) = (child for child in children(process.pid) if children(child))
    orphans = children(fork_server)
    os.kill(fork_server, signal.SIGKILL)
    assert post(url, encode(voice(0.4, 100))).status_code == 200
    for pid in orphans:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: healthy(url) and len(workers_of(process.pid)) == 2)
    assert post(url, encode(voice(0.4, 100))).status_code == 200


@pytest.mark.parametrize("first", ["fork server", "server"])
def test_no_process_outlives_the_server(model, first):
    with small_server(model) as (url, process):
        wait_until(lambda: healthy(url))
        (fork_server,) = (child for child in children(process.pid) if children(child))
        everyone = [fork_server, *children(fork_server)]
        if first == "fork server":
            os.kill(fork_server, signal.SIGKILL)
        process.kill()
        process.wait()
        wait_until(lambda: not any(map(runs, everyone)))


def runs(pid):
    try:
        return ") Z" not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


def test_a_server_that_is_told_to_stop_finishes_or_says_so(model):
    data = encode(voice(40, 100), form="FLAC")
    with small_server(model) as (url, process), ThreadPoolExecutor(10) as pool:
        wait_until(lambda: healthy(url))
        asked = [pool.submit(post, url, data, window=1, hop=0.05) for _ in range(10)]
        wait_until(lambda: any(answer.done() for answer in asked))
        process.terminate()
        answers = [answer.result() for answer in asked]
        process.wait(20)
        statuses = {answer.status_code for answer in answers}
        assert statuses == {200, 503}
        assert {a.json()["detail"] for a in answers if a.status_code == 503} <= {
            "The server is stopping."
        }
        assert "Traceback" not in process.log()


def test_what_a_worker_may_take(quick):
    url, process = quick
    wait_until(lambda: healthy(url))
    for pid in workers_of(process.pid):
        (line,) = (
            line
            for line in Path(f"/proc/{pid}/limits").read_text().splitlines()
            if line.startswith("Max data size")
        )
        assert Limits().worker_memory < int(line.split()[3]) < 2 * Limits().worker_memory


def test_a_worker_without_memory_says_so(model):
    with small_server(model, worker_memory=30_000_000) as (url, _):
        refused(post(url, encode(voice(300, 100))), 422, "takes more memory")
        assert post(url, encode(voice(0.4, 100))).status_code == 200


# The model and the disk


def test_the_model_is_held_whatever_becomes_of_its_folder(model, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(model, folder)
    data = encode(voice(0.4, 100))
    with small_server(folder) as (url, process):
        expected = post(url, data).json()
        card = httpx.get(f"{url}/card").json()
        state = lambda: httpx.get(f"{url}/health").json()["model"]  # noqa: E731
        assert state() == "as loaded"
        (folder / "pipeline.joblib").write_bytes(b"another model")
        (folder / "card.json").write_text("{}")
        wait_until(lambda: state() == "changed")
        shutil.rmtree(folder)
        wait_until(lambda: state() == "missing")
        for pid in workers_of(process.pid):
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: healthy(url))
        assert post(url, data).json() == expected
        assert httpx.get(f"{url}/card").json() == card
        assert httpx.get(f"{url}/health").status_code == 200
        assert "pipeline.joblib is missing" in process.log()


def test_a_full_temporary_folder(model):
    small_files = "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (100000, 100000))"
    with small_server(model, small_files) as (url, process):
        for _ in range(3):
            refused(post(url, bytes(1_500_000)), 507, "no room")
        assert post(url, encode(voice(0.4, 100))).status_code == 200
        assert process.log().count("temporary folder") == 1  # and not each time


# Connections


def talk(url, data, wait=20):
    """Send raw bytes, and return what comes back until the server closes."""
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), wait) as connection:
        connection.sendall(data)
        received = b""
        while more := connection.recv(65536):
            received += more
        return received.decode("latin-1")


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ("POST /predict HTTP/1.1\r\nHost: {}\r\nContent-Length: 4\r\n"
         "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        ("GET /card HTTP/1.1\r\nHost: {}\r\nContent-Length: 0\r\n"
         "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        ("GET /card HTTP/1.1\r\nHost: {}\r\nHost: {}\r\n\r\n", 400),
        ("GET /card HTTP/1.1\r\nHost: {}\r\nX: " + 100_000 * "x" + "\r\n\r\n", 431),
        ("GET /card HTTP/1.1\r\nHost: {}\r\n" + 20_000 * "X: y\r\n" + "\r\n", 431),
        ("nonsense\r\n\r\n", 400),
    ],
)  # fmt: skip
def test_requests_that_are_refused_end_the_connection(url, lines, status):
    answer = talk(url, lines.replace("{}", url.removeprefix("http://")).encode())
    assert answer.startswith(f"HTTP/1.1 {status} ")
    assert answer.count("HTTP/1.1") == 1
    assert "connection: close" in answer
    assert "x-content-type-options: nosniff" in answer


@pytest.mark.parametrize("origin", ["http://[", "http://[::1", "//", "\u00fc", "http://]["])
def test_origins_that_are_no_addresses(url, origin):
    headers = [(b"origin", origin.encode())]
    answer = refused(httpx.get(f"{url}/card", headers=headers), 403, "`allow_origin=ORIGIN`")
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_fault_of_the_server_is_a_sentence(model):
    broken = (
        "from sklearn_ser.server import app\n"
        "def health(self): raise RuntimeError('a\\nsecret\\x1b')\n"
        "app.Service.health = health"
    )
    with small_server(model, broken) as (url, process):
        for _ in range(3):
            answer = refused(httpx.get(f"{url}/health"), 500, "Something went wrong")
            assert answer.headers["x-content-type-options"] == "nosniff"
        log = process.log()
        assert log.count("Traceback") == 1
        assert "\\x1b" in log
        assert "\nsecret" not in log


def test_silent_connections_are_closed(quick):
    url, _ = quick
    host = url.removeprefix("http://")
    assert talk(url, b"") == ""
    assert talk(url, f"GET /card HTTP/1.1\r\nHost: {host}\r\nX-".encode()) == ""
    # After a response as well, and whatever of the next request has come.
    whole = f"GET /health HTTP/1.1\r\nHost: {host}\r\n\r\n"
    assert talk(url, (whole + "GET").encode()).count("HTTP/1.1 200") == 1


def test_too_many_connections_cost_nobody_else_anything(quick):
    url, process = quick
    host, port = url.removeprefix("http://").split(":")
    before = open_files(process.pid)
    held = []
    try:
        for address in ("127.0.0.2", "127.0.0.3"):
            for _ in range(20):
                held.append(socket.create_connection((host, int(port)), 20, (address, 0)))
        assert httpx.get(f"{url}/health").status_code == 200
        assert open_files(process.pid) <= before + 22
        held[19].settimeout(20)
        assert held[19].recv(100).startswith(b"HTTP/1.1 503")  # more than one address may have
    finally:
        for one in held:
            one.close()
    assert process.log().count("Connections are refused") == 1


def test_without_files_to_open_the_log_stays_short(model):
    few = "import resource\nresource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))"
    with small_server(model, few, connections=1000, connections_per_client=1000) as (url, process):
        host, port = url.removeprefix("http://").split(":")
        held = [socket.create_connection((host, int(port)), 20) for _ in range(100)]
        wait_until(lambda: httpx.get(f"{url}/health").status_code == 200)
        for one in held:
            one.close()
        assert len(process.log().splitlines()) < 20


def test_a_client_that_reads_nothing_is_cut(quick):
    url, process = quick
    host, port = url.removeprefix("http://").split(":")
    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect((host, int(port)))
        asked = f"GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n"
        deaf.sendall(8 * asked.encode())
        mine = deaf.getsockname()[1]
        established = lambda: peers(process.pid, mine)  # noqa: E731
        wait_until(established)
        wait_until(lambda: not established())


def peers(pid, port):
    """Whether a process has a connection to a port."""
    inodes = {os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")}
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, _, remote, *rest = line.split()
        if int(remote.split(":")[1], 16) == port and f"socket:[{rest[6]}]" in inodes:
            return True
    return False


# Forms


def test_an_upload_that_does_not_arrive(quick):
    host = quick[0].removeprefix("http://")
    head = f"POST /predict HTTP/1.1\r\nHost: {host}\r\nContent-Length: 1000\r\n"
    answer = talk(
        quick[0], (head + "Content-Type: multipart/form-data; boundary=x\r\n\r\n--").encode()
    )
    assert answer.startswith("HTTP/1.1 408 ")
    assert "The upload took too long" in answer
    assert "connection: close" in answer


def test_a_file_in_the_place_of_a_number(url):
    whole = encode(voice(0.4, 100))
    answer = httpx.post(f"{url}/predict", files={"file": ("x", whole), "window": ("w", b"2")})
    assert refused(answer, 422, "window: give a number of seconds.").text.count("UploadFile") == 0
    answer = httpx.post(f"{url}/predict", files={"file": ("x", whole)}, data={"hop": "soon"})
    refused(answer, 422, "hop: give a number of seconds.")
    answer = httpx.post(f"{url}/predict", data={"file": "text", "window": "x"})
    refused(answer, 422, "curl -F file=@clip.wav")


def test_forms_with_too_many_parts(url):
    two = [("file", ("x", encode(voice(0.4, 100))))] * 2
    refused(httpx.post(f"{url}/predict", files=two), 400, "Send one file")
    part = '--x\r\nContent-Disposition: form-data; name="a{}"{}\r\n\r\n\r\n'
    kind = {"content-type": "multipart/form-data; boundary=x"}
    for file in ("", '; filename="b"'):
        form = "".join(part.format(i, file) for i in range(500)) + "--x--\r\n"
        answer = httpx.post(f"{url}/predict", content=form, headers=kind)
        refused(answer, 400, "Too many")
    head = part.format(1, "").replace("\r\n\r\n\r\n", "\r\nX: " + 100_000 * "y" + "\r\n\r\n")
    refused(httpx.post(f"{url}/predict", content=head, headers=kind), 400, "")
    big = part.format(1, "").removesuffix("\r\n") + 100_000 * "y" + "\r\n--x--\r\n"
    refused(httpx.post(f"{url}/predict", content=big, headers=kind), 400, "maximum size")


# WebSockets


def test_the_token_comes_before_a_place(closed):
    url = closed[0].replace("http", "ws") + "/stream"
    with contextlib.ExitStack() as stack:
        silent = [stack.enter_context(connect(url)) for _ in range(20)]
        assert len(silent) == 20
        owner = stack.enter_context(connect(url))
        owner.send(json.dumps({"rate": SR, "token": "s3cret"}))
        assert json.loads(owner.recv())["type"] == "ready"


def test_places_are_limited_by_address(quick):
    url = quick[0].replace("http", "ws") + "/stream"
    with contextlib.ExitStack() as stack:
        for _ in range(Limits().streams_per_client):
            socket_ = stack.enter_context(connect(url))
            socket_.send('{"rate": 16000}')
            assert json.loads(socket_.recv())["type"] == "ready"
        assert "Too many streams" in reason(quick[0], '{"rate": 16000}')
    wait_until(lambda: "sklearn_ser_streams 0.0" in httpx.get(f"{quick[0]}/metrics").text)


def test_a_silent_socket_loses_its_place(quick):
    url = quick[0]
    assert "for too long" in reason(url)
    assert "for too long" in reason(url, '{"rate": 16000}')
    # What trickles in is not a stream either.
    from websockets.exceptions import ConnectionClosed

    def trickle(socket_):
        while True:
            socket_.send(b"\0\0")
            time.sleep(0.1)

    with connect(url.replace("http", "ws") + "/stream") as socket_:
        socket_.send('{"rate": 16000}')
        with pytest.raises(ConnectionClosed):
            trickle(socket_)


def test_a_socket_that_reads_nothing_loses_its_place(quick):
    url = quick[0]
    host, port = url.removeprefix("http://").split(":")
    streams = lambda n: f"sklearn_ser_streams {n}" in httpx.get(f"{url}/metrics").text  # noqa: E731
    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect((host, int(port)))
        open_socket(deaf, host, port)
        deaf.sendall(frame(1, b'{"rate": 1000, "window": 0.1, "hop": 0.05}'))
        wait_until(lambda: streams(1.0))
        deaf.settimeout(0.2)
        with contextlib.suppress(OSError):
            for _ in range(200):
                deaf.sendall(frame(2, bytes(4 * 1000)))
        wait_until(lambda: streams(0.0))


def test_messages_in_endless_pieces(quick):
    host, port = quick[0].removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), 20) as connection:
        open_socket(connection, host, port)
        connection.sendall(b"\x01\x80" + bytes(4))
        pieces = itertools.repeat((b"\x00\x80" + bytes(4)) * 1000, 1000)
        with pytest.raises(ConnectionError):
            list(map(connection.sendall, pieces))


def open_socket(connection, host, port):
    connection.sendall(
        f"GET /stream HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n".encode()
    )
    assert b" 101 " in connection.recv(4096)


def frame(kind, data):
    """A masked frame of a WebSocket; a mask of zeros changes nothing."""
    return bytes([0x80 | kind, 0x80 | 126]) + len(data).to_bytes(2, "big") + bytes(4) + data


def test_how_much_audio_a_message_may_hold(url):
    ready = '{"rate": 1000}'
    assert "at most 30 seconds" in reason(url, ready, bytes(4 * 30_001))


def test_the_clock_holds_a_stream_back(quick):
    """More than half a minute ahead it waits, and others are answered meanwhile."""
    url = quick[0].replace("http", "ws") + "/stream"
    with connect(url) as eager, connect(url) as other:
        for socket_ in (eager, other):
            socket_.send('{"rate": 1000, "window": 1, "hop": 1}')
            assert json.loads(socket_.recv())["type"] == "ready"
        for _ in range(2):
            eager.send(bytes(4 * 30_000))
        for _ in range(30):
            assert json.loads(eager.recv(20))["type"] == "event"
        other.send(bytes(4 * 1000))
        other.send("end")
        assert [json.loads(message)["type"] for message in other][-1] == "end"


def test_the_gate_counts():
    gate = Gate(total=3, per_client=2)
    assert [gate.enter("a"), gate.enter("a"), gate.enter("a")] == [0, 0, 429]
    assert [gate.enter("b"), gate.enter("b")] == [0, 503]
    gate.leave("a")
    assert gate.enter("b") == 0
    for client in "abb":
        gate.leave(client)
    assert not gate.inside


def test_the_log_cannot_be_flooded_or_forged():
    record = lambda text: logging.LogRecord("x", logging.ERROR, "", 1, text, (), None)  # noqa: E731
    seldom = OnceAMinute(seconds=1e9)
    assert [seldom.filter(record("a")) for _ in range(5)] == [True, False, False, False, False]
    assert seldom.filter(record("b"))
    often = OnceAMinute(seconds=0)
    often.last[("x", "a", None)] = (0.0, 4)
    again = record("a")
    assert often.filter(again)
    assert again.getMessage() == "a (4 more like it before)"
    assert LogLine("%(message)s").format(record("a\n2026 \x1b]52;\x9bq")) == (
        "a\n    2026 \\x1b]52;\\x9bq"
    )


def test_little_helpers():
    assert [host_name(h) for h in ("a:1", "[::1]:8", "a/b", "[", "")] == ["a", "::1", "", "", ""]
    assert allowed_origin("http://a:1", "A:1", [])
    assert not allowed_origin("file://a:1", "a:1", [])
    assert same_token("ü", "ü")
    assert not same_token("", "x")
    check_windows(None, None)
    check_windows(2, None)
    assert Limits().workers >= 1


def test_the_command(model, tmp_path, monkeypatch):
    monkeypatch.setenv("SKLEARN_SER_CONFIG", str(tmp_path / "somebody"))
    assert "add --trust" in run("serve", model, "--port", 0, code=2)[1]
    run("serve", model, "--per-client", 0, code=2)
    assert "--formats holds FAX" in run("serve", model, "--formats", "wav,fax", code=2)[1]
    from sklearn_ser.cli._serve import _parse_formats, serve

    usual = inspect.signature(serve).parameters["formats"].default
    assert set(_parse_formats(usual)) == set(Limits().formats)
    assert _parse_formats("all") is None


def test_a_port_that_is_taken(model):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = run("serve", model, "--port", port, code=2)[1]
    assert said == (
        f"Error: Port {port} of 127.0.0.1 is in use by another program: give another --port, or 0 "
        "for any that is free.\n"
    )
    assert (
        "cannot listen on nowhere.invalid"
        in run("serve", model, "--host", "nowhere.invalid", code=2)[1]
    )
