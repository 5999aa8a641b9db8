"""Z-scores speaker by speaker, against scikit-learn's scaler on each speaker's clips."""

import json

import numpy as np
import pytest
import sklearn
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.preprocessing import StandardScaler

from sklearn_ser import SpeakerNormalizer, make_pipeline
from sklearn_ser.corpora import load_data
from sklearn_ser.exceptions import OptionError
from sklearn_ser.features import name_features
from tests.conftest import run, voice

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


def test_unseen_speakers_are_refused_by_default():
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
    with pytest.raises(OptionError, match="know who speaks: pass"):
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


HOW = ("--clf", "logreg", "--features", "mfcc", "--normalize-speakers", "--no-cache")


@pytest.fixture(scope="module")
def normalized_run(spoken, tmp_path_factory):
    """A run on unseen speakers, and what its command printed."""
    out = tmp_path_factory.mktemp("normalized") / "run"
    how = ("--split", "speaker", "--folds", "all", "--json")
    printed, _ = run("fit", *HOW, *how, "--data", spoken, "--out", out)
    return out, json.loads(printed)


def test_fit_scores_what_a_script_scores(normalized_run, spoken):
    _, metrics = normalized_run
    corpus = load_data(str(spoken))
    X = make_pipeline("logreg", "mfcc")[:2].transform(corpus["path"].tolist())
    y, speaker = corpus["emotion"].to_numpy(), corpus["speaker"].to_numpy()
    for name in set(speaker):
        X[speaker == name] = StandardScaler().fit_transform(X[speaker == name])
    predicted = y.copy()
    for name in set(speaker):
        plain = LogisticRegression(C=0.05, max_iter=3000).fit(
            X[speaker != name], y[speaker != name]
        )
        predicted[speaker == name] = plain.predict(X[speaker == name])
    assert metrics["uar"] == pytest.approx(balanced_accuracy_score(y, predicted))
    assert metrics["transductive"] is True


def test_what_is_transductive_is_called_so(normalized_run, spoken):
    out, _ = normalized_run
    assert "on a speaker split, transductive (" in run("card", out)[0]
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "on a speaker split, transductive:" in page
    assert "Transductive: the features of test speakers" in page
    printed, notes = run("evaluate", out, "--trust", "--data", spoken, "--no-cache", "--json")
    assert json.loads(printed)["transductive"] is False  # the pipeline saved has heard all of them
    assert "Transductive" not in notes


def test_many_parameters_are_left_out_of_a_line():
    assert name_features(["MFCC(n_mfcc=20)", "Chroma()"]) == "MFCC(n_mfcc=20), Chroma()"
    long = f"MFCC(statistics=({', '.join(['median'] * 40)}))"
    assert name_features([long, long, "Rhythm()"]) == "MFCC, Rhythm"


def test_evaluate_on_an_unseen_speaker_is_transductive(normalized_run, spoken, tmp_path):
    renamed = tmp_path / "renamed.csv"
    load_data(str(spoken)).assign(speaker="stranger").to_csv(renamed, index=False)
    printed, notes = run(
        "evaluate", normalized_run[0], "--trust", "--data", renamed, "--no-cache", "--json"
    )
    assert json.loads(printed)["transductive"] is True
    assert "Transductive" in notes


def test_speakers_on_both_sides_are_not_transductive(spoken, tmp_path):
    out = tmp_path / "comparison"
    how = ("--split", "random,speaker", "--test-size", "0.25", "--out", out)
    printed, _ = run("compare", *HOW, *how, "--data", spoken)
    assert "speaker* " in printed
    assert "* Transductive" in printed
    assert "random* " not in printed
    told = json.loads((out / "comparison.json").read_text(encoding="utf-8"))
    assert [row["transductive"] for row in told["rows"]] == [False, True]
    assert told["headline"].startswith("On unseen speakers (transductive) ")


def test_files_without_speakers_are_refused(normalized_run, little_corpus, spoken):
    out, _ = normalized_run
    clip = little_corpus / "sad" / "0.wav"
    assert "do not tell who speaks" in run("predict", out, "--trust", clip, code=2)[1]
    assert "do not tell who speaks" in run("listen", out, "--trust", "--source", clip, code=2)[1]
    assert "cannot be exported" in run("export", out, "--trust", "--to", "onnx", code=2)[1]
    said = run("evaluate", out, "--trust", "--data", spoken, "--stress", "--no-cache", code=2)[1]
    assert "--stress changes single clips" in said
    assert "with the column speaker" in run("fit", *HOW, "--data", little_corpus, code=2)[1]
    said = run("evaluate", out, "--trust", "--data", little_corpus, "--no-cache", code=2)[1]
    assert "with the column speaker" in said
    said = run("fit", "--clf", "cnn", "--normalize-speakers", "--data", spoken, code=2)[1]
    assert "cnn takes sequences" in said
