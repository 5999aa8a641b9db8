"""Sources from names: files, folders, patterns, lists."""

import os

import pytest

from sklearn_ser.exceptions import CorpusError, CorpusWarning
from sklearn_ser.inference import find_sources


def test_sources(little_corpus, clips, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_sources([str(little_corpus)]) == clips
    assert find_sources([f"{little_corpus}/*/*.wav"]) == clips
    assert find_sources([f"{little_corpus}/**"]) == clips
    assert find_sources([f"{little_corpus}/sa*"]) == [c for c in clips if "/sad/" in c]
    assert find_sources(["no.wav", "https://host/x.wav"]) == ["no.wav", "https://host/x.wav"]
    lines = f"a.wav\n\n{little_corpus}/sad\r\n".encode()
    assert find_sources(["-"], lines)[::8] == ["a.wav", clips[-1]]
    (tmp_path / "a[1].wav").touch()
    assert find_sources(["a[1].wav"]) == ["a[1].wav"]
    for names, words in [(["*.ogg"], "matches no file"), (["-"], "is empty")]:
        with pytest.raises(CorpusError, match=words):
            find_sources(names, b"")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_named_pipes_are_sources_by_name_alone(tmp_path, wav):
    clip = str(wav("clip.wav"))
    os.mkfifo(tmp_path / "pipe.wav")
    assert find_sources([f"{tmp_path}/*.wav"]) == [clip]
    with pytest.warns(CorpusWarning, match="1 file in .* not being readable: pipe.wav"):
        assert find_sources([str(tmp_path)]) == [clip]
    assert find_sources([f"{tmp_path}/pipe.wav"]) == [f"{tmp_path}/pipe.wav"]


def test_lists_of_exact_names(tmp_path):
    """What `find -print0` writes: a name may hold anything, and is no pattern."""
    names = ["a\nb.wav", " *.wav", "[1].wav", "caf\udce9.wav"]
    data = b"".join(os.fsencode(name) + b"\0" for name in names * 3000)
    assert find_sources(["-"], data) == names * 3000
    assert find_sources(["-"], os.fsencode(names[-1]) + b"\n") == names[-1:]
    with pytest.raises(CorpusError, match="no pattern"):
        find_sources(["*/" * 5000])


def test_folders_through_links_and_what_is_left_out(tmp_path, wav, monkeypatch):
    (tmp_path / "real").mkdir()
    wav("real/clip.wav")
    (tmp_path / "real" / "._clip.wav").write_bytes(b"macOS")
    (tmp_path / "calls").mkdir()
    (tmp_path / "calls" / "linked").symlink_to(tmp_path / "real")
    (tmp_path / "calls" / "circle").symlink_to(tmp_path / "calls")
    (tmp_path / "calls" / "gone.wav").symlink_to(tmp_path / "nowhere.wav")
    for name in ("a.amr", "b.mka", "c.txt"):
        (tmp_path / "calls" / name).touch()
    monkeypatch.setattr("shutil.which", lambda program: None)  # no ffmpeg
    with pytest.warns(CorpusWarning, match=r"^2 files in .*: a\.amr, b\.mka\. ffmpeg -i a\.amr"):
        found = find_sources([str(tmp_path / "calls")])
    expected = [f"{tmp_path}/calls/gone.wav", f"{tmp_path}/calls/linked/clip.wav"]
    assert found == expected
    monkeypatch.setattr("shutil.which", lambda program: f"/usr/bin/{program}")
    found = find_sources([str(tmp_path / "calls")])
    assert found == [f"{tmp_path}/calls/a.amr", f"{tmp_path}/calls/b.mka", *expected]
