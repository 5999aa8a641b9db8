import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score

from sklearn_ser.classifiers._holdout import hold_out
from sklearn_ser.exceptions import CorpusError, OptionError
from sklearn_ser.metrics import score
from sklearn_ser.model_selection import divide


def table(n_speakers=6, n_texts=5, emotions=("angry", "happy", "sad")):
    rows = [
        {"path": f"{s}-{t}-{e}.wav", "emotion": e, "speaker": f"s{s}", "text": f"t{t}"}
        for s in range(n_speakers)
        for t in range(n_texts)
        for e in emotions
    ]
    return pd.DataFrame(rows)


def test_scores_are_scikit_learns():
    rng = np.random.default_rng(0)
    truth, predicted = rng.choice(["a", "b", "c"], size=(2, 200))
    scores = score(truth, predicted)
    assert scores["accuracy"] == accuracy_score(truth, predicted)
    assert scores["uar"] == pytest.approx(balanced_accuracy_score(truth, predicted))
    assert scores["macro_f1"] == pytest.approx(f1_score(truth, predicted, average="macro"))
    assert sum(row["support"] for row in scores["per_emotion"].values()) == 200


def test_an_emotion_that_is_only_predicted_does_not_dilute_the_recall():
    assert score(["a", "a"], ["a", "b"])["uar"] == 0.5


@pytest.mark.parametrize("split", ["random", "speaker", "text", "speaker+text"])
@pytest.mark.parametrize("seed", range(5))
def test_parts_keep_apart_what_they_say(split, seed):
    corpus = table()
    parts = divide(corpus, split, seed=seed)
    train, validation, test = (
        corpus.iloc[rows] for rows in (parts.train, parts.validation, parts.test)
    )
    positions = np.concatenate([parts.train, parts.validation, parts.test])
    assert len(set(positions)) == len(positions)
    if split != "speaker+text":
        assert len(positions) == len(corpus)
    for column in ("speaker", "text"):
        if column in split:
            assert not set(test[column]) & set(pd.concat([train, validation])[column])
    assert len(test)
    assert len(validation)
    if split == "random":
        assert test["emotion"].value_counts().tolist() == [6, 6, 6]
        assert parts.validation_by == "random"
    else:
        by = "speaker" if "speaker" in split else "text"
        assert parts.validation_by == by
        assert not set(train[by]) & set(validation[by])


def test_same_seed_same_parts():
    first, again, other = (divide(table(), seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.test, again.test)
    assert not np.array_equal(first.test, other.test)


def test_with_one_training_speaker_the_validation_part_is_by_text():
    parts = divide(table(n_speakers=2), "speaker")
    assert parts.validation_by == "text"
    assert divide(table(n_speakers=2).drop(columns="text"), "speaker").validation_by == "random"


def test_no_validation_part():
    parts = divide(table(), validation_size=0)
    assert (len(parts.validation), parts.validation_by) == (0, None)


@pytest.mark.parametrize(
    ("corpus", "split", "words"),
    [
        (table(emotions=("sad",)), "random", "one emotion only, 'sad'"),
        (pd.concat([table(), pd.DataFrame({"path": ["x"], "emotion": ["calm"]})]), "random",
         "Only one clip is there of 'calm'"),
        (table().drop(columns="speaker"), "speaker", "no speakers"),
        (table().assign(speaker=None), "speaker", "no speakers"),
        (table().drop(columns="text"), "text", "no texts"),
        (table(n_speakers=1), "speaker", "one speaker only"),
        (table().assign(speaker=[None] + ["a", "b"] * 44 + ["a"]), "speaker",
         "1 clips have no speaker.*0-0-angry.wav"),
        (pd.DataFrame({"path": list("abcd"), "emotion": list("aabb"), "speaker": list("xxyy")}),
         "speaker", "fall into the test part"),
    ],
)  # fmt: skip
def test_corpora_that_cannot_be_divided(corpus, split, words):
    with pytest.raises(CorpusError, match=words):
        divide(corpus, split)


@pytest.mark.parametrize("how", [{"split": "fold"}, {"test_size": 0}, {"validation_size": 1}])
def test_options_that_make_no_sense(how):
    with pytest.raises(OptionError):
        divide(table(), **how)


def test_hold_out_of_very_few():
    kept, aside = hold_out(list("ab"), 0.5, random_state=0)
    assert (len(kept), len(aside)) == (2, 0)
    kept, aside = hold_out(list("aabbb"), 0.2, random_state=0)
    assert sorted(kept.tolist() + aside.tolist()) == [0, 1, 2, 3, 4]
    assert len(aside) == 2
