"""Folds that others have published: EmoBox's lists, and CSVs."""

import json

import numpy as np
import pandas as pd
import pytest

from sklearn_ser.exceptions import CorpusError
from sklearn_ser.model_selection.published_folds import FoldList, assign_folds, read_folds
from tests.conftest import run

NAMES = ["03a01Fa", "03a01Wa", "08a01Fa", "08a01Wa", "11a01Fa", "11a01Wa"]


def write_list(folder, corpus, word, k, names):
    """Write a list as EmoBox publishes them."""
    lines = [
        {
            "key": f"{corpus}-{name}", "dataset": corpus, "wav": f"downloads/{corpus}/{name}.wav",
            "type": "raw", "sample_rate": 16000, "num_frame": 33978.0, "task": "category",
            "length": 2.123625, "emo": "anger", "channel": 1,
        }
        for name in names
    ]  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    text = "\n".join(map(json.dumps, lines)) + "\n"
    (folder / f"{corpus}_{word}_fold_{k}.jsonl").write_text(text)


@pytest.fixture
def emobox(tmp_path):
    """Three folds, each of which tests a speaker."""
    folder = tmp_path / "EmoBox" / "data" / "emodb"
    for k, test in enumerate((NAMES[:2], NAMES[2:4], NAMES[4:]), start=1):
        write_list(folder / f"fold_{k}", "emodb", "test", k, test)
        rest = [name for name in NAMES if name not in test]
        write_list(folder / f"fold_{k}", "emodb", "train", k, rest)
    (folder / "label_map.json").write_text("{}")
    return folder


@pytest.fixture
def table():
    return pd.DataFrame(
        {
            "path": [f"/home/me/emodb/wav/{name}.flac" for name in NAMES],
            "emotion": ["happy", "angry"] * 3,
            "speaker": [name[:2] for name in NAMES],
        }
    )


def test_folds_of_emobox(emobox, table):
    lists = read_folds(emobox)
    assert [one.name for one in lists] == ["fold_1", "fold_2", "fold_3"]
    folds = assign_folds(table, lists, "folds of emodb", validation_size=0)
    assert [fold.test.tolist() for fold in folds] == [[0, 1], [2, 3], [4, 5]]
    assert folds[1].train.tolist() == [0, 1, 4, 5]
    assert {fold.split for fold in folds} == {"folds of emodb"}
    (one,) = read_folds(emobox / "fold_2")
    assert [one] == read_folds(emobox / "fold_2" / "emodb_test_fold_2.jsonl") == lists[1:2]


def test_validation_keeps_speakers_apart_where_the_folds_do(emobox, table):
    folds = assign_folds(table, read_folds(emobox), "x", validation_size=0.5)
    for fold in folds:
        assert fold.validation_by == "speaker"
        sets = [
            set(table["speaker"].iloc[rows]) for rows in (fold.train, fold.validation, fold.test)
        ]
        assert len(set.union(*sets)) == sum(map(len, sets))


def test_published_validation_sets(tmp_path, table):
    write_list(tmp_path / "fold_1", "meld", "train", 1, NAMES[:2])
    write_list(tmp_path / "fold_1", "meld", "valid", 1, NAMES[2:4])
    write_list(tmp_path / "fold_1", "meld", "test", 1, NAMES[4:])
    lists = read_folds(tmp_path)
    (fold,) = assign_folds(table, lists, "x")
    assert (fold.train.tolist(), fold.validation.tolist()) == ([0, 1], [2, 3])
    assert fold.validation_by == "list"
    (fold,) = assign_folds(table, lists, "x", validation_size=0)
    assert (fold.train.tolist(), fold.validation.tolist()) == ([0, 1, 2, 3], [])


def test_the_list_named_as_its_folder_counts(emobox):
    """EmoBox's history holds lists of two names."""
    old = emobox / "fold_1" / "emodb_test_fold1.jsonl"
    old.write_text("no list")
    assert len(read_folds(emobox)[0].test) == 2


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_csv(tmp_path, table, separator):
    file = tmp_path / "folds.csv"
    rows = [f"wav\\{name}.wav{separator}{name[:2]}" for name in NAMES]
    file.write_text("\n".join([f"Path{separator}Fold", *rows]), encoding="utf-8-sig")
    folds = assign_folds(table, read_folds(file), "x", validation_size=0)
    assert [fold.test.tolist() for fold in folds] == [[0, 1], [2, 3], [4, 5]]
    assert folds[0].train.tolist() == [2, 3, 4, 5]


def test_equal_names_are_told_apart_by_their_folders():
    paths = ["/d/a/1.wav", "/d/b/1.wav", "/d/a/2.wav", "/d/b/2.wav"]
    table = pd.DataFrame({"path": paths, "emotion": ["sad", "angry"] * 2})
    lists = [FoldList("1", ["x/a/1.wav", "x/b/1.wav"]), FoldList("2", ["x/a/2.wav", "x/b/2.wav"])]
    folds = assign_folds(table, lists, "x", validation_size=0)
    assert [fold.test.tolist() for fold in folds] == [[0, 1], [2, 3]]
    with pytest.raises(CorpusError, match=r"1 paths may each be of several clips: 1.wav"):
        assign_folds(table, [FoldList("1", ["1.wav"])], "x")
    half = table.iloc[[0, 2]].reset_index(drop=True)
    with pytest.raises(CorpusError, match=r"2 clips of the folds are not in the data: x/b/1.wav"):
        assign_folds(half, lists, "x")


def test_clips_missing_on_either_side(emobox, table):
    lists = read_folds(emobox)
    with pytest.raises(CorpusError, match=r"1 clips of the folds are not in the data: .*03a01Fa"):
        assign_folds(table.iloc[1:].reset_index(drop=True), lists, "x")
    folds = assign_folds(
        table.iloc[1:].reset_index(drop=True), lists, "x", on_error="skip", validation_size=0
    )
    assert folds[0].test.tolist() == [0]
    more = pd.concat([table, table.iloc[:1].assign(path="/home/me/new.wav")], ignore_index=True)
    with pytest.raises(CorpusError, match=r"1 clips of the data are in no fold: /home/me/new.wav"):
        assign_folds(more, lists, "x")
    folds = assign_folds(more, lists, "x", on_error="skip", validation_size=0)
    used = np.concatenate([[*fold.train, *fold.test] for fold in folds])
    assert 6 not in used
    happy = table[table["emotion"] == "happy"].reset_index(drop=True)
    happy.attrs["other_emotions"] = table["path"][table["emotion"] == "angry"].tolist()
    folds = assign_folds(happy, lists, "x", validation_size=0)
    assert [fold.test.tolist() for fold in folds] == [[0], [1], [2]]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("none.csv", None, "there is no such file"),
        ("a.csv", "", "cannot be read"),
        ("a.csv", "path,emotion\na,b\n", "has no column fold"),
        ("a.csv", "path,fold\na,1\nb,\n", "no path or no fold in row 3"),
        ("a.csv", "path,fold\na,1\nb,1\n", "one fold only"),
        ("x_test_fold_1.jsonl", "{}", "line 1: it is no JSON object with the entry"),
        ("x_test_fold_1.jsonl", "[" * 100_000, "line 1: it is no JSON object"),
        ("x_test_fold_1.jsonl", "\n", "names no clip"),
        ("x.jsonl", "{}", "has no lists named like NAME_train_fold_1.jsonl"),
    ],
)
def test_wrong_files(tmp_path, name, text, message):
    if "_test_" in name:
        write_list(tmp_path, "x", "train", 1, NAMES)
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(CorpusError, match=message):
        read_folds(tmp_path / name)


def test_a_clip_in_two_sets_is_refused(table):
    lists = [FoldList("fold_1", ["03a01Fa.wav"], [f"{name}.wav" for name in NAMES])]
    with pytest.raises(CorpusError, match="in the train and in the test set of fold_1"):
        assign_folds(table, lists, "x")


def test_scores_of_published_folds_say_so(spoken, tmp_path):
    corpus = pd.read_csv(spoken)
    folds = corpus[["path"]].assign(fold=corpus["speaker"])
    folds.to_csv(tmp_path / "Mine.csv", index=False)
    how = ("--data", spoken, "--features", "mfcc", "--clf", "logreg")
    given = ("--folds-from", tmp_path / "Mine.csv")
    metrics = json.loads(run("fit", *how, *given, "--json", "--out", tmp_path / "r")[0])
    plain = ("--split", "speaker", "--folds", "all", "--json", "--out", tmp_path / "s")
    expected = json.loads(run("fit", *how, *plain)[0])
    assert metrics["split"] == "folds of mine"
    for name in ("uar", "accuracy", "n_test", "n_train"):
        assert metrics[name] == expected[name]
    card = json.loads((tmp_path / "r" / "card.json").read_text())
    assert card["split"]["kind"] == "folds of mine"
    text = " ".join(run("fit", *how, *given, "--out", tmp_path / "t")[0].split())
    assert "on the folds of mine" in text
    assert "mine split" not in text.casefold() + (tmp_path / "r" / "report.html").read_text()
    compared = run("compare", *how, *given, "--json", "--out", tmp_path / "c")[0]
    (row,) = json.loads(compared)["rows"]
    assert (row["split"], row["uar"], row["n_folds"]) == ("folds of mine", metrics["uar"], 4)
    assert "On the folds of mine" in json.loads(compared)["headline"]
    taken = json.loads(
        run("fit", *how, *given, "--emotions", "sad,angry", "--json", "--out", tmp_path / "e")[0]
    )
    assert taken["n_test"] == (corpus["emotion"] != "neutral").sum()
    for beside in (("--split", "speaker"), ("--folds", "3"), ("--test-size", "0.3")):
        _, err = run("fit", *how, *given, *beside, "--out", tmp_path / "no", code=2)
        assert f"--folds-from says what is tested: leave out {beside[0]}" in err
    folds.iloc[1:].to_csv(tmp_path / "less.csv", index=False)
    _, err = run(
        "fit", *how, "--folds-from", tmp_path / "less.csv", "--out", tmp_path / "n", code=2
    )
    assert "--folds-from: 1 clips of the data are in no fold" in err
    assert "--on-error skip" in err
    assert not (tmp_path / "n").exists()
