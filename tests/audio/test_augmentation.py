"""Changed copies of training clips, and that nothing but training clips is changed."""

import json

import numpy as np
import pytest

from sklearn_ser import AudioLoader, SVMClassifier, make_pipeline
from sklearn_ser.audio.augmentation import AUGMENTATIONS, AugmentedClips, parse_augment
from sklearn_ser.exceptions import OptionError
from sklearn_ser.runs.store import augmented_features
from tests.conftest import SR, run, voice


@pytest.mark.parametrize("name", [name for name in AUGMENTATIONS if name != "pitch"])
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


def test_features_of_copies_come_augmentation_by_augmentation():
    pipe = make_pipeline("logreg", "mfcc")
    clips = [voice(0.4), voice(0.4, 300)]
    X = augmented_features(pipe, clips, ["gain", "noise"], seed=0)
    plain = pipe[:2].transform(clips)
    assert X.shape == (4, 40)
    # Gain moves the coefficient of the level and no other.
    np.testing.assert_allclose(X[:2, 1:], plain[:, 1:], atol=0.05)
    assert np.abs(X[2:, 1:] - plain[:, 1:]).max() > 1


def test_wrong_names():
    assert parse_augment(None) == []
    for wrong in ("nose", "noise,noise"):
        with pytest.raises(OptionError, match="name each of noise, gain"):
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
