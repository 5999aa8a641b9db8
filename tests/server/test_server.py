"""`serve` as strangers meet it: a real server on loopback, with a worker's processes behind it."""

import io
import itertools
import json
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sklearn_ser import EmotionStream, load_pipeline
from sklearn_ser.inference import load_predictor
from tests.conftest import SR, run, voice

httpx = pytest.importorskip("httpx")
pytest.importorskip("fastapi")
connect = pytest.importorskip("websockets.sync.client").connect

from sklearn_ser.server import Limits  # noqa: E402
from sklearn_ser.server.guard import Gate, allowed_origin, host_name, same_token  # noqa: E402
from sklearn_ser.server.websocket import check_windows  # noqa: E402

pytestmark = pytest.mark.usefixtures("mine")


@pytest.fixture
def url(server):
    return server[0]


def encode(y, sr=SR, form="WAV", **how):
    file = io.BytesIO()
    soundfile.write(file, y, sr, format=form, **how)
    return file.getvalue()


def post(url, data, **how):
    fields = {name: how.pop(name) for name in ("window", "hop") if name in how}
    return httpx.post(f"{url}/predict", files={"file": ("x", data)}, data=fields, timeout=60, **how)


# Answers


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
    # The same over the socket, in pieces.
    with connect(f"{url.replace('http', 'ws')}/stream") as socket:
        socket.send(json.dumps({"rate": SR, "window": 1, "hop": 0.5}))
        ready = json.loads(socket.recv())
        assert (ready["type"], ready["emotions"]) == ("ready", ["angry", "neutral", "sad"])
        raw = y.astype("<f4").tobytes()
        for start in range(0, len(raw), 50_001):  # not even whole samples
            socket.send(raw[start : start + 50_001])
        socket.send("end")
        told = [json.loads(message) for message in socket]
    assert told[-1]["type"] == "end"
    segments = []
    for message in told[:-1]:
        assert message.pop("type") == "event"
        segments[-1:] = message.pop("segments")
    assert told[:-1] == answer["windows"]
    assert segments == answer["segments"]


def test_integers_over_the_socket(url, model):
    y = (voice(2.5, 100) * 20000).astype("<i2")
    with connect(f"{url.replace('http', 'ws')}/stream") as socket:
        socket.send(json.dumps({"rate": SR, "encoding": "s16le"}))
        socket.recv()
        socket.send(y.tobytes())
        event = json.loads(socket.recv())
    expected = load_pipeline(model).predict_proba([y[: 2 * SR].astype(np.float32) / 32768])[0]
    assert list(event["probabilities"].values()) == expected.tolist()


def test_what_else_it_tells(url):
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
    response = httpx.get(url)
    assert "default-src 'self'" in response.headers["content-security-policy"]
    for path in ("/", "/page/app.js", "/page/style.css", "/page/recorder.js"):
        answer = httpx.get(url + path)
        assert answer.status_code == 200
        assert "http://" not in answer.text
        assert "https://" not in answer.text
    for path in ("/page/../app.py", "/page/%2e%2e/app.py", "/page/app.py", "/../../etc/passwd"):
        assert httpx.get(url + path).status_code == 404


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
        refused(httpx.get(f"{url}/card", headers={"host": host}), 400, "--allow-host")
    for origin in ("https://evil.example", "null", f"http://localhost.evil:{port}"):
        refused(httpx.get(f"{url}/card", headers={"origin": origin}), 403, "--allow-origin")
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
    for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": "Basic s3cret"}):
        answer = refused(post(url, data, headers=headers), 401, "Authorization: Bearer")
        assert answer.headers["www-authenticate"] == "Bearer"
    for path in ("/card", "/metrics", "/docs", "/openapi.json"):
        assert httpx.get(url + path).status_code == 401
    assert httpx.get(f"{url}/health").status_code == 200
    assert post(url, data, headers={"authorization": "bearer s3cret"}).json()["emotion"] == "sad"
    for first, words in [
        ({"rate": SR}, "A token is needed"),
        ({"rate": SR, "token": "x"}, "A token"),
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
        (["{"], "Expecting"),
        (["[]"], "Begin with JSON"),
        ([bytes(100)], "Begin with JSON"),
        (['{"rate": "fast"}'], "rate='fast'"),
        (['{"rate": 10}'], "rate=10"),
        (['{"rate": 16000, "encoding": "mp3"}'], "encoding='mp3'"),
        (['{"rate": 16000, "window": 1e9}'], "give a window of 0.1"),
        (['{"rate": 16000, "window": "x"}'], "numbers of seconds"),
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


def test_a_worker_that_dies_is_replaced(server):
    url, process = server
    workers = grandchildren(process.pid)
    assert workers
    for pid in workers:
        os.kill(pid, signal.SIGKILL)
    time.sleep(0.5)
    data = encode(voice(0.4, 100))
    assert [post(url, data).status_code for _ in range(4)] == [200] * 4
    assert process.poll() is None


def grandchildren(pid):
    def children(of):
        listed = Path(f"/proc/{of}/task/{of}/children").read_text().split()
        return [int(child) for child in listed]

    return [grandchild for child in children(pid) for grandchild in children(child)]


def test_the_gate_counts():
    gate = Gate(total=3, per_client=2)
    assert [gate.enter("a"), gate.enter("a"), gate.enter("a")] == [0, 0, 429]
    assert [gate.enter("b"), gate.enter("b")] == [0, 503]
    gate.leave("a")
    assert gate.enter("b") == 0
    for client in "abb":
        gate.leave(client)
    assert not gate.inside


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
    assert "add --trust" in run("serve", model, code=2)[1]
    run("serve", model, "--per-client", 0, code=2)
