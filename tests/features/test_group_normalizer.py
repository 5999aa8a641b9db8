"""Z-scores group by group, against scikit-learn's scaler on each speaker's clips."""

import json

import numpy as np
import pytest
import sklearn
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.pipeline import make_pipeline as make_sklearn_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_ser import GroupNormalizer, load_pipeline, make_pipeline
from sklearn_ser.corpora import load_data
from sklearn_ser.exceptions import OptionError
from sklearn_ser.features import name_features
from sklearn_ser.features.scalers import as_standard_scaler
from tests.conftest import run, voice

RNG = np.random.default_rng(0)
X = RNG.normal(size=(30, 4)) * [1, 5, 0.1, 0] + np.repeat([[0], [10], [-4]], 10, axis=0)
SPEAKER = np.repeat(["A", "B", "C"], 10)


def test_each_speaker_as_the_standard_scaler_would():
    found = GroupNormalizer().fit_transform(X, groups=SPEAKER)
    for s in "ABC":
        own = s == SPEAKER
        np.testing.assert_allclose(
            found[own], StandardScaler().fit_transform(X[own]), atol=1e-9, err_msg=s
        )


def test_known_speakers_keep_what_was_learned():
    normalizer = GroupNormalizer().fit(X, groups=SPEAKER)
    expected = StandardScaler().fit(X[SPEAKER == "B"]).transform(X[:3])
    np.testing.assert_allclose(normalizer.transform(X[:3], groups=["B"] * 3), expected)


def test_unseen_speakers_are_refused_by_default():
    known = SPEAKER != "C"
    new, theirs = X[~known], SPEAKER[~known]
    fitted = {
        how: GroupNormalizer(unknown=how).fit(X[known], groups=SPEAKER[known])
        for how in ("error", "own", "global")
    }
    with pytest.raises(OptionError, match=r"not fitted with speaker C.*transductive"):
        fitted["error"].transform(new, groups=theirs)
    own = fitted["own"].transform(new, groups=theirs)
    np.testing.assert_allclose(own, StandardScaler().fit_transform(new), atol=1e-9)
    overall = fitted["global"].transform(new, groups=theirs)
    np.testing.assert_allclose(overall, StandardScaler().fit(X[known]).transform(new), atol=1e-9)


def test_without_speakers():
    with pytest.raises(OptionError, match="know the speaker of each clip: pass"):
        GroupNormalizer().fit(X)
    with pytest.raises(OptionError, match="of every clip"):
        GroupNormalizer(unknown="own").fit(X, groups=[None, *SPEAKER[1:]])
    with pytest.raises(OptionError, match="30 clips and 2 groups"):
        GroupNormalizer().fit(X, groups=["A", "B"])
    plain = GroupNormalizer(unknown="global").fit_transform(X)
    np.testing.assert_allclose(plain, StandardScaler().fit_transform(X), atol=1e-9)


def test_a_pipeline_routes_speakers():
    pitches = [100, 120, 200, 240, 110, 130]
    clips = [voice(0.3, pitch, 16000) for pitch in pitches]
    speaker, emotions = ["A", "A", "B", "B"], ["sad", "angry"] * 2
    pipe = make_pipeline("logreg", "pitch", sr=16000).set_params(
        scale=GroupNormalizer(unknown="own")
    )
    with sklearn.config_context(enable_metadata_routing=True):
        pipe.fit(clips[:4], emotions, groups=speaker)
        found = pipe.predict_proba(clips[4:], groups=["C", "C"])
    features = pipe[:2].transform(clips)
    scaled = [StandardScaler().fit_transform(features[i : i + 2]) for i in (0, 2, 4)]
    plain = LogisticRegression(C=0.05, max_iter=3000).fit(np.vstack(scaled[:2]), emotions)
    np.testing.assert_allclose(found, plain.predict_proba(scaled[2]), atol=1e-4)


HOW = ("--clf", "logreg", "--features", "mfcc", "--adapt", "speaker", "--no-cache")


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
    assert "Transductive: the features of test clips" in page
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


def test_without_groups_the_statistics_of_training_are_taken(
    normalized_run, little_corpus, tmp_path
):
    out, _ = normalized_run
    clip = little_corpus / "sad" / "0.wav"
    pipe = load_pipeline(out, trust=True)
    plain = make_sklearn_pipeline(as_standard_scaler(pipe["scale"]), pipe["clf"])
    expected = plain.predict_proba(pipe[:2].transform([clip]))
    np.testing.assert_allclose(pipe.predict_proba([clip]), expected, atol=1e-6)
    row = json.loads(run("predict", out, "--trust", clip, "--jsonl")[0])
    assert row["confidence"] == pytest.approx(expected.max(), abs=1e-6)
    run("export", out, "--trust", "--to", "onnx", "--out", tmp_path / "model.onnx")
    exported = load_pipeline(tmp_path / "model.onnx")
    np.testing.assert_allclose(exported.predict_proba([clip]), expected, atol=1e-5)


def test_what_adaptation_needs(normalized_run, little_corpus, spoken):
    out, _ = normalized_run
    said = run("evaluate", out, "--trust", "--data", spoken, "--stress", "--no-cache", code=2)[1]
    assert "--stress changes single clips" in said
    assert "with the column speaker" in run("fit", *HOW, "--data", little_corpus, code=2)[1]
    said = run("evaluate", out, "--trust", "--data", little_corpus, "--no-cache", code=2)[1]
    assert "with the column speaker" in said
    said = run("fit", "--clf", "cnn", "--adapt", "speaker", "--data", spoken, code=2)[1]
    assert "cnn takes sequences" in said
    said = run("fit", *HOW[:4], "--adapt", "speakers", "--data", spoken, code=2)[1]
    assert "--adapt" in said
    assert "speaker" in said


def test_evaluate_adapts_any_model_with_a_scaler(spoken, tmp_path):
    out = tmp_path / "plain"
    run("fit", *HOW[:4], "--no-cache", "--data", spoken, "--out", out)
    scores = {}
    for by in ("none", "speaker", "corpus"):
        how = ("--trust", "--data", spoken, "--adapt", by, "--no-cache", "--json")
        scores[by] = json.loads(run("evaluate", out, *how)[0])
    assert [scores[by]["transductive"] for by in scores] == [False, True, True]
    assert [scores[by]["adapt"] for by in scores] == ["none", "speaker", "corpus"]
    table, pipe = load_data(str(spoken)), load_pipeline(out, trust=True)
    X = pipe[:2].transform(table["path"].tolist())
    whole = pipe["clf"].predict(StandardScaler().fit_transform(X))
    assert scores["corpus"]["accuracy"] == pytest.approx(np.mean(whole == table["emotion"]))


def test_a_search_normalizes_by_groups(spoken, tmp_path):
    out = tmp_path / "searched"
    how = ("--cv", "speaker", "--folds", "2", "--param", "clf__C=0.01,1", "--out", out, "--json")
    metrics = json.loads(run("grid-search", *HOW, *how, "--data", spoken)[0])
    assert metrics["adapt"] == "speaker"
    assert metrics["transductive"] is True
    assert load_pipeline(out, trust=True)["scale"].by == "speaker"
