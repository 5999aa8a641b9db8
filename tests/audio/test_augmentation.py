"""Changed copies of training clips, and that nothing but training clips is changed."""

import json
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from sklearn_ser import AudioLoader, SVMClassifier, make_pipeline
from sklearn_ser.audio.augmentation import (
    EVERYDAY,
    AugmentedClips,
    Sources,
    apply_chain,
    draw_chain,
    list_copies,
    parse_augment,
)
from sklearn_ser.audio.degradations import DEGRADATIONS
from sklearn_ser.exceptions import OptionError
from sklearn_ser.model_selection import Subset
from sklearn_ser.model_selection.training_rows import RowOptions, make_rows
from tests.conftest import SR, run, voice


def subset(paths, speakers=None):
    """Some training clips, as a trainer is given them."""
    table = pd.DataFrame({"path": [str(path) for path in paths], "emotion": "sad"})
    if speakers is not None:
        table["speaker"] = speakers
    return Subset(np.arange(len(table)), table, lambda pipe: pipe[:2].transform(table["path"]))


def copies_of(clips, name, seed, speakers=None):
    return AugmentedClips(Sources(clips, speakers), list_copies([name]), seed)


def features_of_copies(pipe, train, names, seed):
    """The rows of the copies, and whose they are."""
    everyone = np.arange(len(train))
    X, clip, (rows,) = make_rows(pipe, train, [everyone], RowOptions(tuple(names), seed))
    np.testing.assert_array_equal(rows[: len(train)], everyone)
    return X[rows[len(train) :]], clip[rows[len(train) :]]


@pytest.mark.parametrize("name", ["noise", "pink", "room", "gain", "speed", EVERYDAY])
def test_a_changed_copy_is_the_same_every_time_and_of_every_clip_another(name):
    clips = AudioLoader(sr=SR).transform([voice(0.5), voice(0.5, seed=1)])
    changed = copies_of(clips, name, seed=3)
    first = changed[0]
    assert first.dtype == np.float32
    np.testing.assert_array_equal(first, changed[:1][0])
    assert not np.array_equal(first, copies_of(clips, name, seed=4)[0])
    n = min(len(first), len(clips[0]))
    assert not np.allclose(first[:n], clips[0][:n], atol=1e-4)
    assert changed.content(0).sha256 != copies_of(clips, name, seed=4).content(0).sha256


def test_speed_moves_the_pitch_by_a_tenth_at_most():
    clips = AudioLoader(sr=16000).transform([voice(1.0, 150, 16000)])
    for seed in range(3):
        changed = copies_of(clips, "speed", seed)
        ratio = 16000 / len(changed[0])
        assert 0.9 <= ratio <= 1.12
        pitch = make_pipeline("passthrough", "pitch", sr=16000)[:2].transform([changed[0]])[0, 0]
        assert pitch == pytest.approx(12 * np.log2(150 * ratio / 27.5), abs=0.1)


def test_features_of_copies_come_augmentation_by_augmentation(wav):
    pipe = make_pipeline("logreg", "mfcc")
    clips = [wav("0.wav", voice(0.4)), wav("1.wav", voice(0.4, 300))]
    train = subset(clips)
    X, clip = features_of_copies(pipe, train, ["gain", "noise"], seed=0)
    assert clip.tolist() == [0, 1, 0, 1]
    plain = pipe[:2].transform(train.path)
    assert X.shape == (4, 40)
    # Gain moves the coefficient of the level and no other.
    np.testing.assert_allclose(X[:2, 1:], plain[:, 1:], atol=0.05)
    assert np.abs(X[2:, 1:] - plain[:, 1:]).max() > 1


def test_wrong_names():
    assert parse_augment(None) == []
    for wrong in ("nose", "noise,noise"):
        with pytest.raises(OptionError, match="name each of everyday, noise, pink"):
            parse_augment(wrong)


def test_fit_with_copies_tests_on_clips_as_they_are(little_corpus, tmp_path):
    how = ("--data", little_corpus, "--clf", "svm", "--features", "mfcc", "--json")
    plain = json.loads(run("fit", *how, "--out", tmp_path / "a")[0])
    found = json.loads(run("fit", *how, "--augment", "noise,gain", "--out", tmp_path / "b")[0])
    for name in ("n_train", "n_validation", "n_test"):
        assert found[name] == plain[name]
    card = json.loads((tmp_path / "b" / "card.json").read_text())
    assert card["augmented"] == ["noise", "gain"]


def test_copies_are_never_parted_when_probabilities_are_fitted():
    """With copies apart, folds would test on what they were fitted on."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 30)), np.array(["a", "b"] * 20)  # nothing to learn
    X, y, groups = np.tile(X, (3, 1)), np.tile(y, 3), np.tile(np.arange(40), 3)
    apart = SVMClassifier().fit(X, y).predict_proba(X).max(axis=1).mean()
    together = SVMClassifier().fit(X, y, groups=groups).predict_proba(X).max(axis=1).mean()
    assert together < apart - 0.1


def five_clips(wav):
    return [wav(f"{i}.wav", voice(0.4, 100 + 20 * i, seed=i)) for i in range(5)]


def test_everyday_copies_differ_and_come_again(wav):
    pipe = make_pipeline("logreg", "mfcc")
    train = subset(five_clips(wav))
    X, clip = features_of_copies(pipe, train, [EVERYDAY], seed=0)
    assert X.shape == (20, 40)
    assert clip.tolist() == 4 * [0, 1, 2, 3, 4]
    assert len(np.unique(X.round(3), axis=0)) == 20
    np.testing.assert_array_equal(X, features_of_copies(pipe, train, [EVERYDAY], seed=0)[0])
    assert not np.array_equal(X, features_of_copies(pipe, train, [EVERYDAY], seed=1)[0])


def test_neither_workers_nor_the_order_of_clips_change_a_copy(wav):
    pipe = make_pipeline("logreg", "mfcc")
    paths = [wav(f"{i}.wav", voice(0.3, 100 + 9 * i, seed=i)) for i in range(12)]
    X, clip = features_of_copies(pipe, subset(paths), [EVERYDAY], seed=0)
    pipe.set_params(features__n_jobs=3)
    again, backwards = features_of_copies(pipe, subset(paths[::-1]), [EVERYDAY], seed=0)
    for i in range(12):
        np.testing.assert_array_equal(X[clip == i], again[backwards == 11 - i])


def test_copies_are_computed_once_and_kept(wav, tmp_path, monkeypatch):
    pipe = make_pipeline("logreg", "mfcc").set_params(features__cache_dir=tmp_path / "cache")
    train = subset(five_clips(wav), list("aabbc"))
    made = []
    decode = AugmentedClips.decode
    monkeypatch.setattr(
        AugmentedClips, "decode", lambda self, i, *how: made.append(i) or decode(self, i, *how)
    )
    X, _ = features_of_copies(pipe, train, [EVERYDAY, "noise", "babble"], seed=0)
    assert len(made) == 30
    again, _ = features_of_copies(pipe, train, [EVERYDAY, "noise", "babble"], seed=0)
    np.testing.assert_array_equal(X, again)
    assert len(made) == 30
    features_of_copies(pipe, train, [EVERYDAY], seed=1)
    assert len(made) == 50
    wav("4.wav", voice(0.5, 333))  # another clip under the same name, and another voice in babble
    features_of_copies(pipe, train, ["noise"], seed=0)
    assert len(made) == 51


def test_a_clip_that_is_changed_during_a_run_is_an_error(wav):
    train = subset(five_clips(wav))
    train = replace(train, checksums=np.array(5 * ["0" * 64]))
    with pytest.raises(OptionError, match="was changed during"):
        features_of_copies(make_pipeline("logreg", "mfcc"), train, ["gain"], seed=0)


def test_babble_is_made_of_other_speakers_of_the_training_set():
    clips = AudioLoader(sr=SR).transform([voice(0.1, seed=i) for i in range(40)])
    speakers = np.repeat(list("abcd"), 10)
    of = Sources(clips, speakers)
    without_d = Sources(clips[:30], speakers[:30])
    stayed = 0
    for i in range(30):
        voices = of.choose_voices(i, [0, i])
        assert 3 <= len(voices) <= 7
        assert len(set(voices)) == len(voices)
        assert not set(speakers[voices]) & {speakers[i]}
        fewer = without_d.choose_voices(i, [0, i])
        assert set(voices[voices < 30]) <= set(fewer)
        stayed += set(voices) == set(fewer)
    assert stayed < 30
    alone = Sources(clips[:10], speakers[:10]).choose_voices(3, [0, 3])
    assert 3 <= len(alone) <= 7
    assert 3 not in alone


def test_each_fold_has_babble_of_its_own_speakers_and_shares_all_other_copies(wav):
    pipe = make_pipeline("logreg", "mfcc")
    paths = [wav(f"{i}.wav", voice(0.3, 100 + 9 * i, seed=i)) for i in range(12)]
    train = subset(paths, np.repeat(list("abc"), 4))
    folds = [np.arange(8), np.arange(4, 12)]
    X, clip, rows = make_rows(pipe, train, folds, RowOptions((EVERYDAY,)))
    for fold, here in zip(folds, rows, strict=True):
        assert clip[here].tolist() == 5 * fold.tolist()
        alone, whose = features_of_copies(pipe, subset(np.array(paths)[fold], train.speaker[fold]),
                                          [EVERYDAY], seed=0)  # fmt: skip
        np.testing.assert_array_equal(X[here[8:]], alone)
        np.testing.assert_array_equal(fold[whose], clip[here[8:]])
    shared = set(rows[0]) & set(rows[1])
    assert 0 < len(shared - set(range(12))) < 16


def test_every_kind_of_everyday_keeps_length_and_type():
    y, rng = voice(0.4), np.random.default_rng(0)
    met = set()
    for _ in range(80):
        steps = draw_chain(rng, recorded=True)
        met.update(step.name for step in steps)
        changed = apply_chain(y, SR, steps, rng, lambda n_times: voice(0.4, seed=9)[:n_times])
        assert changed.shape == y.shape
        assert changed.dtype == np.float32
        assert np.isfinite(changed).all()
    assert met == set(DEGRADATIONS) - {"speed", "pitch"}


def test_what_copies_cost_is_said_before_they_are_made(wav):
    said = []
    paths = [wav(f"{i}.wav", voice(0.1, 100 + 9 * i, seed=i)) for i in range(20)]
    options = RowOptions((EVERYDAY,), on_copies=lambda *progress: said.append(progress))
    make_rows(make_pipeline("logreg", "mfcc"), subset(paths), [np.arange(20)], options)
    assert said[0][:2] == (0, 80)
    assert said[-1][:2] == (80, 80)
    words = r"4 copies of 20 clips: 80 more to extract, about [\d,]+ s"
    assert all(re.fullmatch(words, detail) for _, _, detail in said)


def test_a_clip_and_its_everyday_copies_weigh_one_clip(little_corpus, tmp_path, monkeypatch):
    weights = []
    fit = LogisticRegression.fit

    def record(self, X, y, sample_weight=None):
        weights.append(sample_weight)
        return fit(self, X, y, sample_weight)

    monkeypatch.setattr(LogisticRegression, "fit", record)
    run(
        "fit", "--data", little_corpus, "--clf", "logreg", "--features", "mfcc", "--augment",
        "everyday", "--out", tmp_path / "r",
    )  # fmt: skip
    metrics = json.loads((tmp_path / "r" / "metrics.json").read_text())
    assert len(weights[0]) == 5 * metrics["n_train"]
    np.testing.assert_allclose(weights[0], 0.2)
