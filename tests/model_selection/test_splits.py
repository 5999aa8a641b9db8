"""Splits: what training, validation and test set share, and what they do not."""

import numpy as np
import pandas as pd
import pytest

from sklearn_ser.classifiers._holdout import hold_out
from sklearn_ser.exceptions import CorpusError, OptionError
from sklearn_ser.model_selection import split_corpus, split_folds


def table(n_speakers=6, n_texts=5, emotions=("angry", "happy", "sad")):
    rows = [
        {"path": f"{s}-{t}-{e}.wav", "emotion": e, "speaker": f"s{s}", "text": f"t{t}"}
        for s in range(n_speakers)
        for t in range(n_texts)
        for e in emotions
    ]
    return pd.DataFrame(rows)


@pytest.mark.parametrize("split", ["random", "speaker", "text", "speaker+text"])
@pytest.mark.parametrize("seed", range(5))
def test_train_validation_and_test_share_nothing(split, seed):
    corpus = table()
    fold = split_corpus(corpus, split, seed=seed)
    train, validation, test = (
        corpus.iloc[rows] for rows in (fold.train, fold.validation, fold.test)
    )
    positions = np.concatenate([fold.train, fold.validation, fold.test])
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
        assert fold.validation_by == "random"
    else:
        by = "speaker" if "speaker" in split else "text"
        assert fold.validation_by == by
        assert not set(train[by]) & set(validation[by])


def test_same_seed_same_split():
    first, again, other = (split_corpus(table(), seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.test, again.test)
    assert not np.array_equal(first.test, other.test)


def test_validation_by_text_with_one_training_speaker():
    fold = split_corpus(table(n_speakers=2), "speaker")
    assert fold.validation_by == "text"
    assert (
        split_corpus(table(n_speakers=2).drop(columns="text"), "speaker").validation_by == "random"
    )


def test_no_validation_set():
    fold = split_corpus(table(), validation_size=0)
    assert (len(fold.validation), fold.validation_by) == (0, None)


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
         "speaker", "fall into the test set"),
    ],
)  # fmt: skip
def test_corpora_that_cannot_be_split(corpus, split, words):
    with pytest.raises(CorpusError, match=words):
        split_corpus(corpus, split)


@pytest.mark.parametrize("how", [{"split": "fold"}, {"test_size": 0}, {"validation_size": 1}])
def test_invalid_sizes_and_splits(how):
    with pytest.raises(OptionError):
        split_corpus(table(), **how)


def test_hold_out_of_very_few():
    kept, aside = hold_out(list("ab"), 0.5, random_state=0)
    assert (len(kept), len(aside)) == (2, 0)
    kept, aside = hold_out(list("aabbb"), 0.2, random_state=0)
    assert sorted(kept.tolist() + aside.tolist()) == [0, 1, 2, 3, 4]
    assert len(aside) == 2


def corpora(*sizes, emotions="ab"):
    """A table of corpora, each with two speakers who say everything twice."""
    rows = [
        {"path": f"{c}{i}.wav", "emotion": emotions[i % 2], "speaker": f"{c}{i // 2 % 2}"}
        | {"text": None, "corpus": f"c{c}"}
        for c, size in enumerate(sizes)
        for i in range(size)
    ]
    return pd.DataFrame(rows)


def test_corpus_split_leaves_each_corpus_out_once():
    table = corpora(8, 12, 16)
    folds = split_folds(table, "corpus", "all", validation_size=0.5)
    assert [set(table["corpus"].iloc[fold.test]) for fold in folds] == [{"c0"}, {"c1"}, {"c2"}]
    for fold in folds:
        assert set(fold.train) | set(fold.validation) == set(range(36)) - set(fold.test)
        assert fold.validation_by == "speaker"


def test_corpus_split_of_one_corpus():
    with pytest.raises(CorpusError, match="two or more"):
        split_folds(corpora(8), "corpus", "all")


def test_corpus_split_without_a_common_emotion():
    table = pd.concat([corpora(8), corpora(8, emotions="cd").assign(corpus="other")])
    with pytest.raises(CorpusError, match="no emotion in training and test set both"):
        split_folds(table.reset_index(drop=True), "corpus", "all")
