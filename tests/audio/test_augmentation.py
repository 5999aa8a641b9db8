"""Changed copies of training clips, and that nothing but training clips is changed."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from sklearn_ser import AudioLoader, SVMClassifier, make_pipeline
from sklearn_ser.audio.augmentation import (
    EVERYDAY,
    AugmentedClips,
    degrade_at_random,
    parse_augment,
)
from sklearn_ser.exceptions import OptionError
from sklearn_ser.model_selection import Subset
from sklearn_ser.runs.store import augmented_features
from tests.conftest import SR, run, voice


def subset(paths, speakers=None):
    """Some training clips, as a trainer is given them."""
    table = pd.DataFrame({"path": [str(path) for path in paths], "emotion": "sad"})
    if speakers is not None:
        table["speaker"] = speakers
    return Subset(np.arange(len(table)), table, pytest.fail)


@pytest.mark.parametrize("name", ["noise", "pink", "room", "gain", "speed", EVERYDAY])
def test_a_changed_copy_is_the_same_every_time_and_of_every_clip_another(name):
    clips = AudioLoader(sr=SR).transform([voice(0.5), voice(0.5, seed=1)])
    changed = AugmentedClips(clips, name, seed=3)
    first = changed[0]
    assert first.dtype == np.float32
    np.testing.assert_array_equal(first, changed[:1][0])
    assert not np.array_equal(first, AugmentedClips(clips, name, seed=4)[0])
    n = min(len(first), len(clips[0]))
    assert not np.allclose(first[:n], clips[0][:n], atol=1e-4)
    assert changed.content(0) is None


def test_speed_moves_the_pitch_by_a_tenth_at_most():
    clips = AudioLoader(sr=16000).transform([voice(1.0, 150, 16000)])
    for seed in range(3):
        changed = AugmentedClips(clips, "speed", seed)
        ratio = 16000 / len(changed[0])
        assert 0.9 <= ratio <= 1.12
        pitch = make_pipeline("passthrough", "pitch", sr=16000)[:2].transform([changed[0]])[0, 0]
        assert pitch == pytest.approx(12 * np.log2(150 * ratio / 27.5), abs=0.1)


def test_features_of_copies_come_augmentation_by_augmentation(wav):
    pipe = make_pipeline("logreg", "mfcc")
    clips = [wav("0.wav", voice(0.4)), wav("1.wav", voice(0.4, 300))]
    train = subset(clips)
    X = augmented_features(pipe, train, ["gain", "noise"], seed=0)
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


def test_everyday_copies_differ_and_come_again(wav):
    pipe = make_pipeline("logreg", "mfcc")
    train = subset([wav(f"{i}.wav", voice(0.4, 100 + 20 * i, seed=i)) for i in range(5)])
    X = augmented_features(pipe, train, [EVERYDAY], seed=0)
    assert X.shape == (20, 40)
    assert len(np.unique(X.round(3), axis=0)) == 20
    np.testing.assert_array_equal(X, augmented_features(pipe, train, [EVERYDAY], seed=0))
    assert not np.array_equal(X, augmented_features(pipe, train, [EVERYDAY], seed=1))


def test_babble_is_made_of_other_speakers_of_the_training_set(wav):
    """Each voice is a constant of its own, so that what is in the babble can be told."""
    levels = {"a": [0.1, 0.11], "b": [0.2, 0.21]}
    paths = [
        wav(f"{speaker}{i}.wav", np.full(4000, level, dtype=np.float32))
        for speaker, both in levels.items()
        for i, level in enumerate(both)
    ]
    decoded = []

    class Recording(AugmentedClips):
        pass

    clips = AudioLoader(sr=SR).transform([str(path) for path in paths])
    changed = Recording(clips, EVERYDAY, 0, speakers=np.array(list("aabb")))
    decode = type(clips).decode
    changed_babble = changed._babble
    try:
        type(clips).decode = lambda self, i, *a: decoded.append(i) or decode(self, i, *a)
        changed_babble(0, 1000, np.random.default_rng(0))
    finally:
        type(clips).decode = decode
    assert set(decoded) == {2, 3}


def test_every_kind_of_everyday_keeps_length_and_type():
    y, rng = voice(0.4), np.random.default_rng(0)
    for _ in range(60):
        changed = degrade_at_random(y, SR, rng, lambda n_times: voice(0.4, seed=9)[:n_times])
        assert changed.shape == y.shape
        assert changed.dtype == np.float32
        assert np.isfinite(changed).all()


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
