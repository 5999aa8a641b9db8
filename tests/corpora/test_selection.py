"""Labels mapped to other emotions, and some emotions taken."""

import json
import warnings

import pandas as pd
import pytest

from sklearn_ser.corpora import load_data, map_emotions, parse_map
from sklearn_ser.exceptions import CorpusError, CorpusWarning
from sklearn_ser.runs import RunOptions, read_options
from sklearn_ser.runs.run_folder import write_options
from tests.conftest import run


@pytest.fixture
def table():
    labels = ["ps", "happy", "calm", "Ruhe", "high intensity"]
    emotions = ["surprise", "happy", "calm", "calm", "high intensity"]
    return pd.DataFrame({"path": list("abcde"), "emotion": emotions, "label": labels})


@pytest.mark.parametrize(
    ("mapping", "expected"),
    [
        (None, ["surprise", "happy", "calm", "calm", "high intensity"]),
        ("calm=neutral", ["surprise", "happy", "neutral", "neutral", "high intensity"]),
        ("Relaxed = Normal", ["surprise", "happy", "neutral", "neutral", "high intensity"]),
        ("ruhe=neutral", ["surprise", "happy", "calm", "neutral", "high intensity"]),
        ({"PS": "joy"}, ["happy", "happy", "calm", "calm", "high intensity"]),
        ("happy=calm,calm=happy", ["surprise", "calm", "happy", "happy", "high intensity"]),
        ("high intensity=angry", ["surprise", "happy", "calm", "calm", "angry"]),
        ("happy=aroused,ps=aroused", ["aroused", "aroused", "calm", "calm", "high intensity"]),
    ],
)
def test_emotions_and_own_labels_are_mapped(table, mapping, expected):
    before = table.copy()
    mapped = map_emotions(table, mapping)
    assert mapped["emotion"].tolist() == expected
    assert mapped["label"].tolist() == before["label"].tolist()
    pd.testing.assert_frame_equal(table, before)


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ("clam=neutral", r"no clip is 'clam'. Did you mean calm.*There are calm, happy, high"),
        ("calm", "write LABEL=EMOTION"),
        ("calm=", "write LABEL=EMOTION"),
        ("calm=sad,Calm=neutral", "two emotions for 'Calm'"),
        ("calm=sad,ruhe=neutral", "two emotions for the same clips, which are 'calm' and 'ruhe'"),
        ("ps=sad,surprised=happy", "two emotions for the same clips"),
    ],
)
def test_wrong_mappings(table, mapping, message):
    with pytest.raises(CorpusError, match=message):
        map_emotions(table, mapping)


def test_a_misspelt_emotion_is_warned_of(table):
    with pytest.warns(CorpusWarning, match=r"new emotion, 'neutrl'. Did you mean neutral"):
        map_emotions(table, "calm=neutrl")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        map_emotions(table, "calm=negative")


def test_mapping_comes_before_the_choice_of_emotions(little_corpus):
    taken = load_data(little_corpus, map="angry=sad", emotions="sad")
    assert (len(taken), set(taken["emotion"]), set(taken["label"])) == (
        16,
        {"sad"},
        {"angry", "sad"},
    )
    with pytest.raises(CorpusError, match="no clip is 'angry'; there are neutral, sad"):
        load_data(little_corpus, map="angry=sad", emotions="angry")


def test_every_command_maps_and_evaluate_remembers(little_corpus, tmp_path):
    def command(*words):
        return json.loads(run(*words, "--no-cache", "--json")[0])

    data = ("--data", little_corpus, "--features", "mfcc", "--clf", "logreg", "--n-jobs", 1)
    how = (*data, "--map", "angry=sad")
    metrics = command("fit", *how, "--out", tmp_path / "run")
    assert (set(metrics["per_emotion"]), metrics["map"]) == ({"neutral", "sad"}, {"angry": "sad"})
    card = json.loads((tmp_path / "run" / "card.json").read_text())
    assert card["data"]["map"] == {"angry": "sad"}
    assert "angry counts as sad" in (tmp_path / "run" / "report.html").read_text()
    again = command("evaluate", tmp_path / "run", "--data", little_corpus)
    assert (again["n_test"], again["map"], again["left_out"]["data"]) == (24, {"angry": "sad"}, {})
    other = command("evaluate", tmp_path / "run", "--data", little_corpus, "--map", "angry=neutral")
    assert other["per_emotion"]["neutral"]["support"] == 16
    compared = command("compare", *how, "--split", "random", "--out", tmp_path / "c")
    assert (compared["emotions"], compared["map"]) == (["neutral", "sad"], {"angry": "sad"})
    grid = ("--param", "clf__C=1", "--folds", 2, "--out", tmp_path / "grid")
    assert set(command("grid-search", *how, *grid)["per_emotion"]) == {"neutral", "sad"}
    command("features", little_corpus, "--map", "angry=sad", "-o", tmp_path / "t.csv")
    counts = pd.read_csv(tmp_path / "t.csv")["emotion"].value_counts()
    assert counts.to_dict() == {"sad": 16, "neutral": 8}
    shown = json.loads(run("corpora", "show", little_corpus, "--map", "angry=sad", "--json")[0])
    assert shown["emotions"] == {"neutral": 8, "sad": 16}


def test_errors_name_the_option(little_corpus, tmp_path):
    how = ("fit", "--data", little_corpus, "--out", tmp_path / "run")
    assert (
        "--map: no clip is 'angr'. Did you mean angry" in run(*how, "--map", "angr=sad", code=2)[1]
    )
    assert "--map sad: write LABEL=EMOTION" in run(*how, "--map", "sad", code=2)[1]
    assert not (tmp_path / "run").exists()


def test_an_unfinished_run_remembers_its_mapping(tmp_path):
    options = RunOptions("tess", map="calm=neutral", out=tmp_path / "run")
    (tmp_path / ".run.partial").mkdir()
    write_options(tmp_path / ".run.partial", options)
    assert read_options(options.out) == options


def test_parse_map_keeps_a_mapping():
    assert parse_map({"calm": "Normal"}) == {"calm": "neutral"}
    assert parse_map(None) == {}
