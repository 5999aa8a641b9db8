"""The table that `predict` writes: whole after any interruption, and nobody else's file."""

import contextlib
import errno
import json
import os
from pathlib import Path

import pandas as pd
import pytest

from sklearn_ser.exceptions import OptionError, OutputError
from sklearn_ser.inference.rows import RowFile, as_csv, as_json_line

resource = pytest.importorskip("resource")  # limits that stand for a full disk

LABELS = ("sad", "грустный", "حزين", "悲伤", "दुखी", "λυπημένος")


def rows_of(n, label="sad"):
    return [{"path": f"{label} é\udce9\n{i}.wav", f"p_{label}": i / 7} for i in range(n)]


def begin(path, sources=("a", "b"), model="m", **how):
    return RowFile(path, ["path", "p_sad"], list(sources), {"model": model}, **how)


def begun(path, n=1):
    """Leave a table with `n` rows unfinished."""
    file = begin(path)
    for row in rows_of(n):
        file.add([row])
        file.done()
        file.commit()
    file.close()


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize(("cut", "label"), zip([0, 1, 7, 40, 300, 10_000], LABELS, strict=True))
def test_resume_after_an_interruption(tmp_path, suffix, cut, label):
    rows = rows_of(30, label)
    sources = [row["path"] for row in rows]

    def write(path, n_then_lost=None, **how):
        file = RowFile(path, list(rows[0]), sources, {"model": "m"}, **how)
        for i in range(file.n_done, 30):
            if i == n_then_lost:
                file.close()
                return
            file.add([rows[i]])
            file.done(failed=i % 2 == 1)
            if i % 5 == 0:
                file.commit()
        file.finish()
        assert (file.n_rows, file.n_failed) == (30, 15)

    write(tmp_path / f"whole.{suffix}")
    broken = tmp_path / f"broken.{suffix}"
    write(broken, n_then_lost=23)
    assert not broken.exists()
    partial = broken.with_name(f"{broken.name}.partial")
    data = partial.read_bytes()
    partial.write_bytes(data[: max(0, len(data) - cut)] + (b"" if cut else b'"half a ro'))
    journal = broken.with_name(f"{broken.name}.partial.journal")
    with open(journal, "ab") as lines:
        lines.write(b'{"bytes": 99')
    write(broken, resume=True)
    assert broken.read_bytes() == (tmp_path / f"whole.{suffix}").read_bytes()
    assert len(list(tmp_path.iterdir())) == 2


def test_resume_with_another_model_or_sources(tmp_path):
    path = tmp_path / "rows.csv"
    begun(path)
    with pytest.raises(OptionError, match="another model"):
        begin(path, ["a", "b"], "n", resume=True)
    with pytest.raises(OptionError, match="other sources"):
        begin(path, ["b", "a"], resume=True)
    again = begin(path, ["a", "b", "c"], resume=True)  # more of them may follow
    assert again.n_done == 1
    again.close()
    anew = begin(path, ["b"])
    assert anew.n_done == 0
    anew.close()


def test_lock(tmp_path):
    file = begin(tmp_path / "rows.csv")
    for resume in (False, True):
        with pytest.raises(OptionError, match="Another process is writing"):
            begin(tmp_path / "rows.csv", resume=resume)
    file.close()
    begin(tmp_path / "rows.csv").close()


@pytest.mark.parametrize("name", ["rows.csv.partial", "rows.csv.partial.journal", ".rows.csv.lock"])
@pytest.mark.parametrize("resume", [False, True])
def test_symbolic_links_are_not_followed(tmp_path, name, resume):
    precious = tmp_path / "precious.txt"
    precious.write_text("do not touch\n" * 100)
    begun(tmp_path / "rows.csv")
    (tmp_path / name).unlink(missing_ok=True)
    (tmp_path / name).symlink_to(precious)
    with contextlib.suppress(OutputError, OptionError):
        file = begin(tmp_path / "rows.csv", resume=resume)
        file.add(rows_of(1))
        file.done()
        file.close()
    assert precious.read_text() == "do not touch\n" * 100


@pytest.mark.parametrize(
    "journal",
    [
        b"[]\n[]\n",
        b"3\n{}\n",
        b'{"a": 1}\n{"bytes": "1"}\n',
        b'{}\n{"bytes": -1, "done": 0, "rows": 0, "failed": 0, "sources": ""}\n',
        b'{}\n{"bytes": true, "done": 0, "rows": 0, "failed": 0, "sources": ""}\n',
        b"\xff\xfe\n\xff\n",
        b"[" * 100_000 + b"\n\n",
    ],
)
def test_damaged_journal(tmp_path, journal):
    begun(tmp_path / "rows.csv")
    kept = (tmp_path / "rows.csv.partial").read_bytes()
    (tmp_path / "rows.csv.partial.journal").write_bytes(journal)
    with pytest.raises(OptionError, match=r"journal is damaged.*leave out `resume`"):
        begin(tmp_path / "rows.csv", resume=True)
    assert (tmp_path / "rows.csv.partial").read_bytes() == kept


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_named_pipe_as_journal(tmp_path):
    begun(tmp_path / "rows.csv")
    (tmp_path / "rows.csv.partial.journal").unlink()
    os.mkfifo(tmp_path / "rows.csv.partial.journal")
    with pytest.raises(OptionError, match=r"journal cannot be read .* a pipe"):
        begin(tmp_path / "rows.csv", resume=True)


@pytest.mark.parametrize("damage", [b"[]\n", b"\xff\n", b"null\n", b"\0" * 50])
def test_damaged_end_of_the_journal(tmp_path, damage):
    begun(tmp_path / "rows.csv", 2)
    with open(tmp_path / "rows.csv.partial.journal", "ab") as journal:
        journal.write(damage)
    file = begin(tmp_path / "rows.csv", resume=True)
    assert file.n_done == 2
    file.finish()
    file.close()
    assert len(pd.read_csv(tmp_path / "rows.csv")) == 2


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_no_space_left(tmp_path, suffix):
    """A limit on the size of files stands for a full disk: writing fails in the middle of a row."""
    rows = rows_of(200)
    sources = [row["path"] for row in rows]
    path = tmp_path / f"rows.{suffix}"

    def write(file):
        for row in rows[file.n_done :]:
            file.add([row])
            file.done()
            file.commit()
        file.finish()

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3001, limits[1]))
    try:
        file = RowFile(path, list(rows[0]), sources, {})
        with pytest.raises(OutputError, match=r"rows of \d+ of 200 sources are kept.*`resume`"):
            write(file)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        file.close()
    file = RowFile(path, list(rows[0]), sources, {}, resume=True)
    assert 0 < file.n_done < 200
    write(file)
    file.close()
    whole = tmp_path / f"whole.{suffix}"
    file = RowFile(whole, list(rows[0]), sources, {})
    write(file)
    file.close()
    assert path.read_bytes() == whole.read_bytes()


def test_no_space_left_for_the_parquet_file(tmp_path, monkeypatch):
    begun(tmp_path / "rows.parquet", 2)
    file = begin(tmp_path / "rows.parquet", resume=True)

    def full(path):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(file, "_write_parquet", full)
        with pytest.raises(OutputError, match=r"No space .* 2 of 2 sources are kept.*`resume`"):
            file.finish()
    file.close()
    file = begin(tmp_path / "rows.parquet", resume=True)
    file.finish()
    file.close()
    assert len(pd.read_parquet(tmp_path / "rows.parquet")) == 2


@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="needs a folder of no writing")
@pytest.mark.parametrize("folder", ["/proc", "/sys"])
def test_unwritable_output(folder):
    with pytest.raises(OutputError, match="cannot be written"):
        begin(Path(folder) / "rows.csv")


def test_quoting_of_cells(tmp_path):
    odd = 'a\r\n"b";, 😀\udce9=1'
    (tmp_path / "t.csv").write_text(as_csv(["x"]) + as_csv([odd]) + as_csv(["\r"]), newline="")
    table = pd.read_csv(tmp_path / "t.csv")
    assert table["x"].tolist() == [odd.replace("\udce9", "\\xe9"), "\r"]
    line = as_json_line({"x": odd, "y": float("nan")})
    assert json.loads(line) == {"x": odd.replace("\udce9", "\\xe9"), "y": None}


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
@pytest.mark.usefixtures("like_windows")
def test_table_takes_its_name_on_windows(tmp_path, suffix):
    path = tmp_path / f"rows.{suffix}"
    path.write_text("an older table")
    begun(path)
    file = begin(path, resume=True)
    with pytest.raises(OptionError, match="Another process"):
        begin(path)
    file.add(rows_of(1))
    file.done()
    file.finish()
    file.close()
    assert (file.n_rows, [one.name for one in tmp_path.iterdir()]) == (2, [path.name])
