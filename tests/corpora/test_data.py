"""`DATA`: names, folders, CSVs and several of them; what is said when something is wrong."""

import os
from pathlib import Path

import pandas as pd
import pytest

from sklearn_ser.corpora import COLUMNS, load_data
from sklearn_ser.exceptions import CorpusError, CorpusWarning

TESS = ("OAF_back_angry.wav", "OAF_bite_neutral.wav", "YAF_back_ps.wav", "YAF_germ_fear.wav")


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """An empty data folder, and an empty folder to be in."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("SKLEARN_SER_DATA", str(folder))
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    return folder


def make(folder, *names, content=None):
    """Write files that differ from each other, unless their content is given."""
    for name in names:
        path = Path(folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(str(path) if content is None else content)
    return Path(folder)


# -- load_data ------------------------------------------------------------------------------------


def test_known_corpus_is_recognised_by_most_of_its_names():
    make("x/y", *TESS, "odd.wav")
    with pytest.warns(CorpusWarning, match="odd.wav"):
        assert set(load_data("x")["corpus"]) == {"tess"}


def test_path_object(tmp_path):
    make(tmp_path / "rec", "sad/1.wav")
    assert len(load_data(tmp_path / "rec")) == 1


def test_a_name_means_the_corpus_where_it_is_on_this_machine(home):
    make("tess", "OAF_back_angry.wav")
    assert len(load_data("tess")) == 1  # nothing in the data folder: the folder here
    make(home / "tess", *TESS)
    assert len(load_data("tess")) == 4
    assert len(load_data("TESS")) == 4
    assert len(load_data("./tess")) == 1
    assert len(load_data("tess/")) == 1


def test_own_folder_in_the_data_folder(home):
    make(home / "mine", "sad/1.wav")
    assert list(load_data("mine")["emotion"]) == ["sad"]


def test_one_subfolder_per_emotion():
    make("rec", "Anger/anna/1.wav", "train/sadness/2.wav", "grumpy/3.flac", "loose.wav")
    with pytest.warns(CorpusWarning, match="1 file .* in an emotion's subfolder: loose.wav"):
        table = load_data("rec")
    assert dict(zip(table["label"], table["emotion"], strict=True)) == {
        "Anger": "angry",
        "sadness": "sad",
        "grumpy": "grumpy",
    }
    assert set(table["corpus"]) == {"rec"}
    assert table[["speaker", "text"]].isna().all(axis=None)


def test_folder_without_subfolders():
    make("rec", "1.wav", "2.wav")
    with pytest.raises(CorpusError, match=r"no subfolder per emotion.*rec/angry"):
        load_data("rec")


def test_several_joined_by_commas(home):
    make(home / "tess", *TESS)
    make("rec", "sad/1.wav")
    make("e", "03a01Fa.wav", "08a01Fa.wav")
    Path("own.csv").write_text("path,emotion,speaker,loudness\ne/03a01Fa.wav,joy,03,7\n")
    with pytest.warns(CorpusWarning, match="1 files are in more than one of the corpora"):
        table = load_data("tess, rec,./e,own.csv")
    assert list(table["corpus"]) == ["tess"] * 4 + ["rec"] + ["emodb"] * 2
    assert list(table["speaker"].dropna().unique()) == [
        "tess:OAF",
        "tess:YAF",
        "emodb:03",
        "emodb:08",
    ]
    assert tuple(table.columns[:8]) == COLUMNS
    assert list(table.index) == list(range(7))


def test_joined_tables_keep_what_was_left_out():
    make("a", *TESS, "odd.wav")
    make("b", "sad/1.wav", "odd.wav")
    with pytest.warns(CorpusWarning):
        table = load_data("a,b")
    assert len(table.attrs["left_out"]) == 2


def test_comma_in_a_path():
    make("me, myself", "sad/1.wav")
    assert len(load_data("me, myself")) == 1


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("", ["No data is named"]),
        (" , ", ["No data is named"]),
        ("gone/", ["no folder"]),
        ("gone.csv", ["no file", "gone.csv"]),
        ("nothing-of-that-name", ["no corpus named", "path of their folder"]),
        ("ravdes", ["Did you mean ravdess?"]),
        ("tess,qqq", ["'qqq'"]),
        ("one.wav", ["neither a folder nor a CSV"]),
        ("x" * 5000, ["no corpus named"]),
    ],
)
def test_errors_of_load_data(home, data, words):
    make(home / "tess", *TESS)
    make(".", "one.wav")
    with pytest.raises(CorpusError) as error:
        load_data(data)
    assert all(word in str(error.value) for word in words), str(error.value)


# -- CSV ------------------------------------------------------------------------------------------


def write_csv(text, encoding="utf-8"):
    make("data/clips", "a.wav", "b.wav", "c.wav")
    Path("data/own.csv").write_text(text, encoding=encoding)
    return "data/own.csv"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_csv(encoding):
    absolute = Path("data/clips/b.wav").absolute()
    text = f"path,emotion,speaker,text,take\nclips/a.wav,Ärger,007,NA,1\n{absolute},joy,,hi,2\n"
    table = load_data(write_csv(text, encoding))
    assert list(table.columns) == [*COLUMNS, "take"]
    assert list(table["path"]) == [str(absolute.with_name("a.wav")), str(absolute)]
    assert list(table["emotion"]) == ["angry", "happy"]
    assert list(table["label"]) == ["Ärger", "joy"]
    assert table["speaker"][0] == "007"
    assert pd.isna(table["speaker"][1])
    assert table["text"][0] == "NA"
    assert list(table["take"]) == [1, 2]
    assert set(table["corpus"]) == {"own"}
    assert table["sex"].isna().all()


def test_csv_written_by_to_csv(home):
    make(home / "tess", *TESS)
    make(home / "emodb", "03a01Fa.wav")
    table = load_data("tess,emodb")
    table.to_csv("both.csv", index=False)
    again = load_data("both.csv")
    pd.testing.assert_frame_equal(again, table)


@pytest.mark.parametrize(
    ("names", "emotions"),
    [
        (("dataset/foo/1.wav", "dataset/bar/2.wav"), {"foo", "bar"}),
        (("a/b/foo/x/1.wav", "a/b/bar/x/2.wav"), {"foo", "bar"}),
        (("train/sad/1.wav", "train/foo/2.wav", "test/happy/3.wav"), {"sad", "foo", "happy"}),
        (("foo/1.wav", "bar/anna/2.wav"), {"foo", "bar"}),
        (("data/sad/1.wav",), {"sad"}),
    ],
)
def test_the_level_of_the_emotions_folders(names, emotions):
    make("rec", *names)
    assert set(load_data("rec")["emotion"]) == emotions


def test_single_folder_without_the_name_of_an_emotion():
    make("rec", "dataset/1.wav", "dataset/2.wav")
    with pytest.warns(CorpusWarning, match="in the one subfolder dataset, which is taken for"):
        assert set(load_data("rec")["emotion"]) == {"dataset"}


def test_csv_with_urls():
    table = load_data(write_csv("path,emotion\nhttps://example.org/a.wav,sad\n"))
    assert list(table["path"]) == ["https://example.org/a.wav"]


@pytest.mark.parametrize(
    "url",
    ["reference://x::file:///etc/passwd", "file:///etc/passwd", "zip://a.wav::https://host/a.zip"],
)
def test_csv_with_urls_that_are_not_read(url):
    csv = write_csv(f"path,emotion\nclips/a.wav,sad\n{url},sad\n")
    with pytest.raises(CorpusError, match=r"row 3: .*URL"):
        load_data(csv)


def test_csv_with_a_file_twice():
    text = "path,emotion,text\nclips/a.wav,sad,one\nclips/../clips/a.wav,sadness,two\n"
    with pytest.warns(CorpusWarning, match="more than once.*a.wav"):
        assert list(load_data(write_csv(text))["text"]) == ["one"]


GONE = "path,emotion\n" + "".join(f"{i}.wav,sad\n" for i in range(7)) + "clips/a.wav,sad\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("file,emotion\na.wav,sad\n", ["no column path", "it has: file, emotion"]),
        ("path|emotion\na.wav|sad\n", ["no column path and no column emotion", "path|emotion"]),
        ("Path,path,emotion\na,b,sad\n", ["more than one column path"]),
        ('"path","emotion\n"clips/a.wav","sad"\n', ["cannot be read as a CSV"]),
        (GONE, ["7 of 8 files", "0.wav (row 2)", "4.wav (row 6) and 2 more", "count from"]),
        ("", ["is empty"]),
        ("path,emotion\n", ["no rows"]),
        ("path,emotion\nclips/a.wav,\nclips/b.wav,sad\nclips/c.wav,\n", ["no emotion in row 2, r"]),
        ("path,emotion\n,sad\n", ["no path in row 2"]),
        ("path,emotion\nclips/a.wav,sad,extra\n", ["cannot be read as a CSV"]),
        ("path,emotion\nclips/a.wav,sad\nb.wav,sad,x,y\n", ["cannot be read as a CSV"]),
        ("path,emotion\nclips/a.wav,sad\nclips/a.wav,joy\n", ["different emotions", "a.wav"]),
    ],
)
def test_errors_of_a_csv(text, words):
    with pytest.raises(CorpusError) as error:
        load_data(write_csv(text))
    assert "own.csv" in str(error.value)
    assert all(word in str(error.value) for word in words), str(error.value)


@pytest.mark.parametrize(
    "data",
    [
        "path;emotion;speaker\nclips/a.wav;Ärger;07\n".encode("utf-8-sig"),
        "path\temotion\tspeaker\nclips/a.wav\tÄrger\t07\n".encode("utf-16"),
        "sep=;\r\nPath;Emotion;Speaker\r\nclips\\a.wav;Ärger;07\r\n".encode(),
        '"PATH","EMOTION","SPEAKER"\r\n"clips\\a.wav","Ärger","07"\r\n'.encode(),
        " Path , Emotion , Speaker \n clips/a.wav , Ärger,07\n".encode().replace(b" ,", b","),
    ],
)
def test_csv_as_spreadsheets_write_it(data):
    path = write_csv("")
    Path(path).write_bytes(data)
    table = load_data(path)
    assert table["emotion"].tolist() == ["angry"]
    assert table["speaker"].tolist() == ["07"]
    assert table["path"].tolist() == [str(Path("data/clips/a.wav").absolute())]


def test_csv_with_a_name_that_no_file_can_have(tmp_path):
    """Found by the fuzzer: a tilde and a null byte."""
    Path("own.csv").write_bytes(b"path,emotion\n~mo\xe4\x00,sad\n")
    words = r"1 of 1 files are not there: .*~moä. \(row 2\)"
    with pytest.warns(CorpusWarning, match="not UTF-8"), pytest.raises(CorpusError, match=words):
        load_data("own.csv")


def test_csv_in_latin_1():
    path = write_csv("path,emotion,note\nclips/a.wav,Ärger,ü\n", encoding="latin-1")
    with pytest.warns(CorpusWarning, match="not UTF-8, and was read as Windows-1252"):
        table = load_data(path)
    assert table[["emotion", "label", "note"]].to_numpy().tolist() == [["angry", "Ärger", "ü"]]


def test_csv_with_names_that_are_not_utf8():
    path = Path(write_csv(""))
    name = os.fsencode(path.parent.absolute() / "clips") + b"/caf\xe9.wav"
    Path(os.fsdecode(name)).touch()
    for cell in (b"clips/caf\xe9.wav", rb"clips/caf\xe9.wav"):
        path.write_bytes(b"path,emotion\n" + cell + b",sad\n")
        assert os.fsencode(load_data(path)["path"][0]) == name


def test_missing_files_of_a_csv_may_be_skipped():
    path = write_csv("path,emotion\nclips/a.wav,sad\ngone.wav,happy\n")
    with pytest.raises(CorpusError, match="`on_error=skip` goes on without them"):
        load_data(path)
    assert load_data(path, on_error="skip")["emotion"].tolist() == ["sad", "happy"]


def test_some_emotions(home):
    make(home / "tess", *TESS)
    table = load_data("tess", emotions="SURPRISED, angry")
    assert sorted(table["emotion"].unique()) == ["angry", "surprise"]
    assert table.index.tolist() == list(range(len(table)))
    assert table.equals(load_data("tess", emotions=["angry", "surprise"]))
    for emotions, words in (("joyful", "no clip is 'happy'; there are ang"), (" ,", "names none")):
        with pytest.raises(CorpusError, match=words):
            load_data("tess", emotions=emotions)


def test_rows_are_numbered_as_in_a_spreadsheet(tmp_path):
    """Blank rows and rows of separators alone count, and hold no clip."""
    csv = tmp_path / "c.csv"
    (tmp_path / "a.wav").write_bytes(b"")
    csv.write_text("path,emotion,age\n\na.wav,sad,31\n,,\nno.wav,sad,32\n,,\n")
    with pytest.raises(CorpusError, match=r"1 of 2 files .*no.wav \(row 5\)"):
        load_data(csv)
    csv.write_text("path;emotion;age\n\na.wav;sad;31\n;;\n")
    assert load_data(csv)["age"].tolist() == [31]
