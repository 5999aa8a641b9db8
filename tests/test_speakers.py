"""Z-scores speaker by speaker, against scikit-learn's scaler on each speaker's clips."""

import numpy as np
import pytest
import sklearn
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from sklearn_ser import SpeakerNormalizer, make_pipeline
from sklearn_ser.exceptions import OptionError
from tests.conftest import voice

RNG = np.random.default_rng(0)
X = RNG.normal(size=(30, 4)) * [1, 5, 0.1, 0] + np.repeat([[0], [10], [-4]], 10, axis=0)
SPEAKER = np.repeat(["A", "B", "C"], 10)


def test_each_speaker_as_the_standard_scaler_would():
    found = SpeakerNormalizer().fit_transform(X, speaker=SPEAKER)
    for s in "ABC":
        own = s == SPEAKER
        np.testing.assert_allclose(
            found[own], StandardScaler().fit_transform(X[own]), atol=1e-9, err_msg=s
        )


def test_known_speakers_keep_what_was_learned():
    normalizer = SpeakerNormalizer().fit(X, speaker=SPEAKER)
    expected = StandardScaler().fit(X[SPEAKER == "B"]).transform(X[:3])
    np.testing.assert_allclose(normalizer.transform(X[:3], speaker=["B"] * 3), expected)


def test_a_stranger_is_refused_unless_told_what_to_do():
    known = SPEAKER != "C"
    new, theirs = X[~known], SPEAKER[~known]
    fitted = {
        how: SpeakerNormalizer(how).fit(X[known], speaker=SPEAKER[known])
        for how in ("error", "own", "global")
    }
    with pytest.raises(OptionError, match=r"not fitted with the speakers C.*transductive"):
        fitted["error"].transform(new, speaker=theirs)
    own = fitted["own"].transform(new, speaker=theirs)
    np.testing.assert_allclose(own, StandardScaler().fit_transform(new), atol=1e-9)
    overall = fitted["global"].transform(new, speaker=theirs)
    np.testing.assert_allclose(overall, StandardScaler().fit(X[known]).transform(new), atol=1e-9)


def test_without_speakers():
    with pytest.raises(OptionError, match="told who speaks"):
        SpeakerNormalizer().fit(X)
    with pytest.raises(OptionError, match="in every clip"):
        SpeakerNormalizer("own").fit(X, speaker=[None, *SPEAKER[1:]])
    with pytest.raises(OptionError, match="30 clips and 2 speakers"):
        SpeakerNormalizer().fit(X, speaker=["A", "B"])
    plain = SpeakerNormalizer("global").fit_transform(X)
    np.testing.assert_allclose(plain, StandardScaler().fit_transform(X), atol=1e-9)


def test_a_pipeline_routes_speakers():
    pitches = [100, 120, 200, 240, 110, 130]
    clips = [voice(0.3, pitch, 16000) for pitch in pitches]
    speaker, emotions = ["A", "A", "B", "B"], ["sad", "angry"] * 2
    pipe = make_pipeline("logreg", "pitch", sr=16000).set_params(scale=SpeakerNormalizer("own"))
    with sklearn.config_context(enable_metadata_routing=True):
        pipe.fit(clips[:4], emotions, speaker=speaker)
        found = pipe.predict_proba(clips[4:], speaker=["C", "C"])
    features = pipe[:2].transform(clips)
    scaled = [StandardScaler().fit_transform(features[i : i + 2]) for i in (0, 2, 4)]
    plain = LogisticRegression(C=0.05, max_iter=3000).fit(np.vstack(scaled[:2]), emotions)
    np.testing.assert_allclose(found, plain.predict_proba(scaled[2]), atol=1e-4)
