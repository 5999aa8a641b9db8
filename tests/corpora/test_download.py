"""Downloads, from a server of the tests' own: cut, resumed, wrong, hostile, whole or not at all."""

import errno
import hashlib
import io
import shutil
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from sklearn_ser.corpora import Download, Reader, get_corpus, load_corpus
from sklearn_ser.corpora import _registry as registry
from sklearn_ser.corpora import download as module
from sklearn_ser.corpora.tess import parse
from sklearn_ser.exceptions import CorpusError, CorpusWarning, DownloadError


def zipped(*names, content=None):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name in names:
            file.writestr(name, hashlib.sha256(name.encode()).digest() * 4000 + b"end")
        if content is not None:
            file.writestr("silence.bin", content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


WHOLE = zipped("T/OAF_back_angry.wav", "T/YAF_back_ps.wav", "T/readme.txt")
HALF = len(WHOLE) // 2


class Server(ThreadingHTTPServer):
    """Serves `body`, and notes what it was asked and what it sent."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.body = WHOLE
        self.status = 200
        self.etag = '"one"'
        self.ranges = True  # whether it knows what a Range is
        self.chunked = False  # whether it does not say how much there is
        self.cut_after: int | None = None  # bytes
        self.requests: list[dict[str, str]] = []
        self.sent: list[int] = []

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/corpus.zip"

    def handle_error(self, request, client_address):
        """Keep quiet about connections that the tests cut."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        server = self.server
        server.requests.append(dict(self.headers))
        start, body = 0, server.body
        same = self.headers.get("If-Range", server.etag) == server.etag
        if server.ranges and "Range" in self.headers and same and server.status == 200:
            start = int(self.headers["Range"].removeprefix("bytes=").rstrip("-"))
            if start >= len(body):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(body)}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        else:
            self.send_response(server.status)
        body = body[start:]
        self.send_header("ETag", server.etag)
        if server.chunked:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if server.cut_after is not None:
            body = body[: server.cut_after]
        server.sent.append(len(body))
        if server.chunked:
            self.wfile.write(f"{len(body):x}\r\n".encode() + body + b"\r\n")
            if server.cut_after is None:
                self.wfile.write(b"0\r\n\r\n")
        else:
            self.wfile.write(body)
        self.close_connection = server.cut_after is not None

    def log_message(self, *args):
        """Keep quiet."""


@pytest.fixture
def server():
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    folder = tmp_path / "home"
    monkeypatch.setenv("SKLEARN_SER_DATA", str(folder))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.fixture
def offer(server, monkeypatch):
    """Make the server the official home of a corpus called mine."""

    def register(checksum=None, n_clips=2, url=None):
        reader = Reader(
            name="mine",
            title="My corpus",
            citation="Me (2024)",
            licence="CC0",
            homepage="https://example.org/mine",
            example="OAF_back_angry.wav",
            parse=parse,
            n_clips=n_clips,
            downloads=(Download(url or server.url, "corpus.zip", checksum),),
        )
        monkeypatch.setattr(registry, "BUILT_IN", (*registry.BUILT_IN, reader))

    return register


def md5(body):
    return f"md5:{hashlib.md5(body).hexdigest()}"


def nothing_but(home, *names):
    return sorted(path.name for path in home.iterdir()) == sorted(names) if home.exists() else True


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("checksum", [None, md5(WHOLE)])
def test_download(server, offer, home, capsys, checksum, chunked):
    offer(checksum)
    server.chunked = chunked
    folder = get_corpus("Mine")
    assert folder == home / "mine"
    assert nothing_but(home, "mine")
    assert list(load_corpus("mine")["emotion"]) == ["angry", "surprise"]
    said = capsys.readouterr()
    assert said.out == ""
    assert "Licence: CC0" in said.err
    assert "Me (2024)" in said.err
    assert get_corpus("mine") == folder  # there already
    assert len(server.requests) == 1


def test_quietly_into_another_folder(offer, home, tmp_path, capsys):
    offer()
    (tmp_path / "empty").mkdir()
    assert get_corpus("mine", tmp_path / "empty", progress=False) == tmp_path / "empty"
    assert (tmp_path / "empty" / "T" / "OAF_back_angry.wav").is_file()
    assert not home.exists()
    assert capsys.readouterr().err == ""


def cut(server, offer, home, checksum=None, **settings):
    """Let a first attempt get half of the archive."""
    offer(checksum)
    for name, value in settings.items():
        setattr(server, name, value)
    server.cut_after = HALF
    with pytest.raises(DownloadError, match=r"cut after 0\.\d( of 0\.\d)? MB.*same command again"):
        get_corpus("mine")
    assert nothing_but(home, ".mine.download")
    server.cut_after = None
    # What was on its way when the connection ended may be lost, but not more than that.
    assert HALF - 2**14 < kept(home) <= HALF
    return kept(home)


def kept(home):
    return (home / ".mine.download" / "corpus.zip.part").stat().st_size


@pytest.mark.parametrize("checksum", [None, md5(WHOLE)])
def test_cut_and_resumed(server, offer, home, checksum):
    size = cut(server, offer, home, checksum)
    assert get_corpus("mine") == home / "mine"
    assert "Range" not in server.requests[0]
    assert server.requests[1]["Range"] == f"bytes={size}-"
    assert server.requests[1]["If-Range"] == '"one"'
    assert server.sent == [HALF, len(WHOLE) - size]
    assert nothing_but(home, "mine")


def test_cut_twice_and_resumed(server, offer, home):
    first = cut(server, offer, home)
    server.cut_after = 50_000
    with pytest.raises(DownloadError, match="cut"):
        get_corpus("mine")
    server.cut_after = None
    second = kept(home)
    assert second > first
    get_corpus("mine")
    assert server.sent == [HALF, 50_000, len(WHOLE) - second]
    assert nothing_but(home, "mine")


def test_cut_where_the_length_is_not_known(server, offer, home):
    size = cut(server, offer, home, chunked=True)
    get_corpus("mine")
    assert server.sent == [HALF, len(WHOLE) - size]


def test_server_without_ranges_starts_again(server, offer, home):
    cut(server, offer, home, ranges=False)
    get_corpus("mine")
    assert "Range" in server.requests[1]
    assert server.sent == [HALF, len(WHOLE)]
    assert nothing_but(home, "mine")


def test_file_that_changed_meanwhile_starts_again(server, offer, home):
    cut(server, offer, home)
    server.etag, server.body = '"two"', zipped("new/OAF_back_sad.wav", "new/OAF_back_fear.wav")
    get_corpus("mine")
    assert server.sent == [HALF, len(server.body)]
    assert set(load_corpus("mine")["emotion"]) == {"sad", "fear"}


@pytest.mark.parametrize(("checksum", "resumed"), [(None, False), (md5(WHOLE), True)])
def test_without_a_usable_etag_only_a_checksum_allows_to_resume(
    server, offer, home, checksum, resumed
):
    cut(server, offer, home, checksum, etag='W/"weak"')
    get_corpus("mine")
    assert ("Range" in server.requests[1]) is resumed
    assert nothing_but(home, "mine")


def test_part_that_is_longer_than_the_file_starts_again(server, offer, home):
    cut(server, offer, home)
    part = home / ".mine.download" / "corpus.zip.part"
    part.write_bytes(WHOLE + b"more")
    get_corpus("mine")
    assert server.sent == [HALF, len(WHOLE)]
    assert nothing_but(home, "mine")


def test_wrong_checksum(server, offer, home):
    offer(md5(b"something else"))
    with pytest.raises(DownloadError, match="checksum its publisher states, and was removed"):
        get_corpus("mine")
    assert nothing_but(home, ".mine.download")
    assert nothing_but(home / ".mine.download")


@pytest.mark.parametrize(
    ("status", "words"), [(404, "HTTP 404: it is not there any more; get it"), (503, "try again")]
)
def test_http_errors(server, offer, home, status, words):
    offer()
    server.status = status
    with pytest.raises(DownloadError, match=words) as error:
        get_corpus("mine")
    assert "https://example.org/mine" in str(error.value)
    assert error.value.exit_code == 1
    assert nothing_but(home, ".mine.download")


def test_no_connection(server, offer):
    offer(url="http://127.0.0.1:1/corpus.zip")
    with pytest.raises(DownloadError, match=r"No connection to http://127.0.0.1:1/.*check the net"):
        get_corpus("mine")


@pytest.mark.parametrize("name", ["../evil_back_angry.wav", "/evil.wav", "..\\evil", "C:\\evil"])
def test_archive_that_would_write_elsewhere(server, offer, home, name):
    offer()
    server.body = zipped("OAF_back_angry.wav", name)
    with pytest.raises(DownloadError, match=r"not to be trusted .*outside its folder.*removed"):
        get_corpus("mine")
    assert not [path for path in home.rglob("*") if path.is_file()]
    assert not Path("/evil.wav").exists()


def test_archive_that_would_fill_the_disk(server, offer, home):
    offer()
    server.body = zipped(content=bytes(10_000_000))
    with pytest.raises(DownloadError, match=r"grow .*-fold"):
        get_corpus("mine")
    assert not [path for path in home.rglob("*") if path.is_file()]


@pytest.mark.parametrize("body", [b"<html>Please sign in</html>", WHOLE[:-100], b""])
def test_damaged_archive(server, offer, home, body):
    offer()
    server.body = body
    with pytest.raises(DownloadError, match=r"corpus.zip is damaged .*removed"):
        get_corpus("mine")
    server.body = WHOLE
    get_corpus("mine")  # nothing is left to trip over
    assert nothing_but(home, "mine")


def test_archive_of_something_else(server, offer, home):
    offer()
    server.body = zipped("song.wav")
    with pytest.raises(DownloadError, match="holds no file of My corpus"):
        get_corpus("mine")
    assert nothing_but(home, ".mine.download")


def test_clips_missing(offer):
    offer(n_clips=100)
    with pytest.warns(CorpusWarning, match="holds 2 of the 100 clips of My corpus"):
        get_corpus("mine")


def test_disk_too_small(offer, monkeypatch):
    offer()
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1000))
    with pytest.raises(DownloadError, match=r"disk is full .*Free some space"):
        get_corpus("mine")


def test_no_space_left_while_downloading(offer, monkeypatch):
    offer()

    def extractall(self, path):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(zipfile.ZipFile, "extractall", extractall)
    with pytest.raises(DownloadError, match="disk is full"):
        get_corpus("mine")


def test_folder_with_other_things(offer, tmp_path):
    offer()
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(CorpusError, match="holds no My corpus: name another folder"):
        get_corpus("mine", tmp_path)


@pytest.mark.parametrize(
    ("name", "words"),
    [("savee", "registration form"), ("crema-d", "git lfs clone"), ("ravdes", "Did you mean")],
)
def test_corpora_without_a_download(name, words):
    with pytest.raises(CorpusError, match=words) as error:
        get_corpus(name)
    assert error.value.exit_code == 2


def test_synthetic_is_made(monkeypatch, home):
    made = []
    monkeypatch.setattr(module, "make_synthetic", made.append)
    assert get_corpus("synthetic") == home / "synthetic"
    assert made == [home / "synthetic"]
