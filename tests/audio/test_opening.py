"""What may be a source: URLs of a few kinds, files, and pipes, each within bounds."""

import contextlib
import gzip
import io
import os
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from sklearn_ser.audio import opening
from sklearn_ser.audio.decoding import SERVED_FORMATS, AudioSettings, load_audio, read_source
from sklearn_ser.audio.degradations import code_mp3
from sklearn_ser.audio.opening import check_source, readable_suffixes
from sklearn_ser.exceptions import AudioError
from tests.conftest import SR, run, voice


def refused(source, words):
    with pytest.raises(AudioError, match=words):
        load_audio(source)


# URLs


@pytest.mark.parametrize(
    "url",
    [
        "reference://secret::file:///etc/hostname",
        "simplecache::http://127.0.0.1:9/clip.wav",
        "http://127.0.0.1:9/clip.zip::file:///etc/hostname",
        "zip://clip.wav::http://127.0.0.1:9/a.zip",
        "reference://",
        "file:///etc/hostname",
        "FILE:///etc/hostname",
        "local:///etc/hostname",
        "memory://clip.wav",
        "data://clip.wav",
        "ftp://127.0.0.1/clip.wav",
        "jupyter://127.0.0.1/clip.wav",
    ],
)
def test_urls_that_fsspec_never_sees(url, monkeypatch):
    fsspec = pytest.importorskip("fsspec")
    monkeypatch.setattr(fsspec, "open", lambda *a, **k: pytest.fail("fsspec saw it"))
    with pytest.raises(AudioError):
        check_source(url)
    refused(url, "://")


def test_a_chained_url_reads_no_file_of_this_machine(model, mine, tmp_path):
    secret = tmp_path / "secret.json"
    secret.write_text('{"clip.wav": "a secret"}')
    url = f"reference://clip.wav::file://{secret}"
    out, err = run("predict", model, url, "-o", tmp_path / "rows.csv", code=1)
    text = out + err + (tmp_path / "rows.csv").read_text()
    assert "is a chain of URLs" in text
    assert "a secret" not in text


class Handler(BaseHTTPRequestHandler):
    """Serves a clip, and a body and a header without end."""

    clip = b""

    def log_message(self, *args):
        """Say nothing."""

    def do_HEAD(self):
        self.begin()

    def begin(self):
        if self.path == "/missing.wav":
            self.send_error(404)
            return False
        self.send_response(200)
        if self.path == "/clip.wav":
            self.send_header("Content-Length", str(len(self.clip)))
        if self.path == "/ranges.wav":  # and then it does not care for them
            self.send_header("Content-Length", "4000000000")
            self.send_header("Accept-Ranges", "bytes")
        self.end_headers()
        return True

    def do_GET(self):
        if not self.begin():
            return
        with contextlib.suppress(OSError):
            self.wfile.write(self.clip if self.path == "/clip.wav" else self.clip[:4096])
            while self.path in ("/endless.wav", "/ranges.wav"):
                self.wfile.write(bytes(1 << 16))
            while self.path == "/slow.wav":
                time.sleep(0.05)
                self.wfile.write(b"\0")


@pytest.fixture
def web(wav):
    pytest.importorskip("fsspec")
    pytest.importorskip("aiohttp")
    Handler.clip = wav("web.wav").read_bytes()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_urls(web):
    np.testing.assert_array_equal(load_audio(f"{web}/clip.wav"), load_audio(Handler.clip))
    np.testing.assert_array_equal(
        load_audio(f"{web}/clip.wav".replace("http", "HTTP")), load_audio(Handler.clip)
    )
    refused(f"{web}/missing.wav", r"missing\.wav cannot be fetched")
    refused("http://127.0.0.1:9/a.wav", r"a\.wav cannot be fetched: .*onnect")


@pytest.mark.parametrize("path", ["endless", "ranges"])
def test_a_body_without_end(web, path, monkeypatch):
    monkeypatch.setattr(opening, "MAX_BYTES", 3_000_000)
    refused(f"{web}/{path}.wav", r"sends more than 3 MB: save it as wav or flac first")


def test_a_body_that_never_comes(web, monkeypatch):
    monkeypatch.setattr(opening, "MAX_SECONDS", 0.5)
    refused(f"{web}/slow.wav", r"not come to its end within 0\.5 s: save it to a file first")


# Files and what is none

not_windows = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")


@not_windows
@pytest.mark.parametrize(
    ("name", "words"), [("/dev/zero", "a device"), ("socket", "a socket"), (".", "is a folder")]
)
def test_what_is_no_file(tmp_path, name, words):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        refused(tmp_path / name, words)


@not_windows
def test_a_named_pipe(wav, tmp_path):
    data = wav().read_bytes()
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(data,))
    writer.start()
    np.testing.assert_array_equal(load_audio(pipe), load_audio(data))
    writer.join()


@not_windows
def test_a_pipe_that_nobody_writes_to(tmp_path, monkeypatch):
    monkeypatch.setattr(opening, "MAX_SECONDS", 0.3)
    os.mkfifo(tmp_path / "pipe")
    refused(tmp_path / "pipe", r"within 0\.3 s: save it to a file")


@not_windows
def test_a_pipe_without_end(tmp_path, monkeypatch):
    monkeypatch.setattr(opening, "MAX_BYTES", 1_000_000)
    with subprocess.Popen(["cat", "/dev/zero"], stdout=subprocess.PIPE) as process:
        refused(f"/dev/fd/{process.stdout.fileno()}", "sends more than 1 MB")
        process.kill()


@not_windows
def test_predict_reads_what_a_shell_substitutes(model, mine, wav, tmp_path):
    path, table = wav(), tmp_path / "rows.csv"
    command = f"{sys.executable} -m sklearn_ser predict {model} <(cat {path}) <(true) -o {table}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=120)
    first, second = table.read_text().splitlines()[1:]
    run("predict", model, path, "-o", tmp_path / "whole.csv")
    whole = (tmp_path / "whole.csv").read_text().splitlines()[1]
    assert first.split(",")[1:] == whole.split(",")[1:]
    assert "is empty (0 bytes)" in second
    assert done.returncode == 1


def test_standard_input_as_an_open_file(wav):
    data = wav().read_bytes()
    with subprocess.Popen(["cat", wav()], stdout=subprocess.PIPE) as process:
        np.testing.assert_array_equal(load_audio(process.stdout), load_audio(data))


@pytest.mark.parametrize("name", ["a.wav", "a.mp3"])
def test_a_file_that_is_unpacked_as_it_is_read(wav, tmp_path, name):
    path = wav(name)
    with gzip.open(tmp_path / "a.gz", "wb") as file:
        file.write(path.read_bytes())
    with gzip.open(tmp_path / "a.gz") as file:
        for source in (file, io.BufferedReader(file)):
            np.testing.assert_array_equal(load_audio(source), load_audio(path))


# Which formats are allowed, and how much memory a clip may take


def test_formats_that_a_server_allows(wav):
    served = AudioSettings(formats=SERVED_FORMATS)
    for name, how in [("a.wav", {}), ("a.flac", {}), ("a.ogg", {}), ("a.mp3", {}), ("a.aiff", {})]:
        assert len(read_source(wav(name, **how).read_bytes(), served, name))
    for name, form in [("a.au", "AU"), ("a.caf", "CAF"), ("a.w64", "W64")]:
        with pytest.raises(AudioError, match=f"is of the format {form}; allowed are WAV"):
            read_source(wav(name).read_bytes(), served, name)


def test_a_rate_at_which_a_clip_would_fill_the_memory():
    """A file of a few hundred bytes can hold ten minutes at 192 kHz."""
    import soundfile

    file = io.BytesIO()
    with soundfile.SoundFile(file, "w", 192_000, 1, format="FLAC") as flac:
        for _ in range(200):
            flac.write(np.zeros(192_000, dtype=np.float32))
    refused(file.getvalue(), r"holds 38400000 samples at 192000 Hz, as many as 800\.0 s at 48000")
    assert len(load_audio(file.getvalue(), duration=1)) == SR


def test_too_long_a_clip_names_the_window():
    refused(np.zeros(601 * SR, dtype=np.float32), r"`window=SECONDS` reads recordings of any")


def test_suffixes(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert {".wav", ".flac", ".mp3"} <= readable_suffixes()
    assert ".webm" not in readable_suffixes()
    (tmp_path / "ffmpeg").touch(0o755)
    assert ".webm" in readable_suffixes()


# What libmpg123 writes


def test_mp3_decoding_writes_nothing_to_standard_error(wav, capfd):
    data = wav("a.mp3", voice(1.0)).read_bytes()
    data = data[:1000] + os.urandom(1000) + data[1000:]
    with contextlib.suppress(AudioError):
        load_audio(data)
    assert capfd.readouterr().err == ""


def test_other_messages_are_not_lost_while_mp3_is_decoded(capfd):
    from sklearn_ser.audio.mpg123 import without_messages

    with without_messages():
        os.write(2, b"\nNote: Illegal Audio-MPEG-Header 0x678476f6 at offset 16554.\nours\n")
        with without_messages():
            os.write(2, b"[src/libmpg123/parse.c:wetwork():1349] error: Giving up\n")
    os.write(2, b"later\n")
    assert capfd.readouterr().err == "ours\nlater\n"


def test_mp3_in_many_threads(wav, capfd):
    data = wav("a.mp3", voice(0.3)).read_bytes()
    expected = load_audio(data)
    before = os.fstat(2)
    with ThreadPoolExecutor(4) as pool:
        for y in pool.map(load_audio, [data] * 60):
            np.testing.assert_array_equal(y, expected)
    assert os.path.samestat(os.fstat(2), before)
    os.write(2, b"still here\n")
    assert capfd.readouterr().err == "still here\n"


def test_the_telephone_codec_writes_nothing_to_standard_error(capfd):
    for sr in (16000, SR, 44100):
        code_mp3(voice(1.0, sr=sr), sr)
    assert capfd.readouterr().err == ""
