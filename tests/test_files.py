"""Writing files and holding locks in folders that others can write to."""

import multiprocessing
import os
import socket

import pytest

from sklearn_ser._files import (
    locked,
    open_regular,
    open_to_append,
    read_regular,
    rename_folder,
    write_atomically,
)
from sklearn_ser.exceptions import OptionError, OutputError


@pytest.fixture
def precious(tmp_path):
    file = tmp_path / "precious.txt"
    file.write_text("do not touch")
    return file


def test_lock_is_exclusive_and_leaves_nothing(tmp_path):
    lock = tmp_path / ".lock"
    with locked(lock, "busy"):
        with pytest.raises(OptionError, match="busy"), locked(lock, "busy"):
            pass
        assert lock.exists()
    assert not lock.exists()
    with locked(lock, "busy"):
        pass


def test_lock_does_not_truncate(tmp_path):
    lock = tmp_path / ".lock"
    lock.write_text("do not touch")
    with locked(lock, "busy"):
        assert lock.read_text() == "do not touch"


@pytest.mark.parametrize("dangling", [False, True])
def test_planted_links_are_refused(tmp_path, precious, dangling):
    target = tmp_path / "nowhere.txt" if dangling else precious
    link = tmp_path / "link"
    link.symlink_to(target)
    with (
        pytest.raises(OutputError, match="link is a link or another special file"),
        locked(link, "busy"),
    ):
        pass
    with pytest.raises(OutputError, match="link is a link or another special file"):
        open_to_append(link)
    with open_to_append(link, new=True) as file:
        file.write(b"ours")
    assert link.read_bytes() == b"ours"
    assert not link.is_symlink()
    assert precious.read_text() == "do not touch"
    assert not (tmp_path / "nowhere.txt").exists()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_named_pipes_are_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OutputError, match="pipe is a link or another special file"):
        open_to_append(tmp_path / "pipe")
    with (
        pytest.raises(OutputError, match="pipe is a link or another special file"),
        locked(tmp_path / "pipe", "busy"),
    ):
        pass


def _count(folder, n):
    for _ in range(n):
        while True:
            try:
                with locked(folder / ".lock", "busy"):
                    value = int((folder / "count").read_text())
                    (folder / "count").write_text(str(value + 1))
                break
            except OptionError:
                continue


def test_lock_holds_between_processes_that_remove_it(tmp_path):
    (tmp_path / "count").write_text("0")
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_count, args=(tmp_path, 200)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert (tmp_path / "count").read_text() == "600"


@pytest.fixture
def places(tmp_path):
    """What a name may stand for, besides a file."""
    (tmp_path / "file").write_bytes(b"12345")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        yield tmp_path


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("pipe", "it is a pipe"),
        ("socket", "it is a pipe, a socket"),
        ("folder", "it is a folder"),
        ("/dev/zero", "a device"),
    ],
)
def test_read_regular_refuses_other_kinds_at_once(places, name, reason):
    with pytest.raises(OSError, match=reason):
        read_regular(places / name, 100)


def test_read_regular(places):
    assert read_regular(places / "file", 5) == b"12345"
    assert read_regular(places / "link", 5) == b"12345"
    with pytest.raises(OSError, match="larger than 4e-06 MB"):
        read_regular(places / "file", 4)
    with pytest.raises(OSError, match="symbolic"):
        open_regular(places / "link", follow=False)


@pytest.mark.usefixtures("like_windows")
def test_windows_keeps_what_is_open(tmp_path):
    """The stand-in for Windows refuses what Windows refuses, or the tests with it say nothing."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "empty").mkdir()
    with open(tmp_path / "folder" / "file", "w"):
        with pytest.raises(PermissionError):
            (tmp_path / "folder" / "file").unlink()
        with pytest.raises(PermissionError):
            os.replace(tmp_path / "folder", tmp_path / "other")
    with pytest.raises(PermissionError):
        os.replace(tmp_path / "folder", tmp_path / "empty")


@pytest.mark.usefixtures("like_windows")
def test_locks_of_windows(tmp_path):
    lock = tmp_path / ".lock"
    for _ in range(2):
        with locked(lock, "busy"):
            with pytest.raises(OptionError, match="busy"), locked(lock, "busy"):
                pass
            assert lock.exists()
        assert not lock.exists()


@pytest.mark.usefixtures("like_windows")
def test_files_and_folders_take_their_names_on_windows(tmp_path):
    for data in (b"one", b"two"):
        write_atomically(tmp_path / "file", data)
        assert (tmp_path / "file").read_bytes() == data
    for name in ("folder", "out"):
        (tmp_path / name).mkdir()
    (tmp_path / "folder" / "kept").touch()
    rename_folder(tmp_path / "folder", tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "out"]
    assert (tmp_path / "out" / "kept").exists()


def test_windows_says_of_a_folder_that_it_is_one(tmp_path, monkeypatch):
    (tmp_path / "file").touch()

    def refuse(path, flags):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(IsADirectoryError, match="it is a folder"):
        open_regular(tmp_path)
    with pytest.raises(PermissionError):
        open_regular(tmp_path / "file")
