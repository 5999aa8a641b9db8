import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.ensemble import VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import Pipeline
from sklearn.pipeline import make_pipeline as plain_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from sklearn_ser import MFCC, make_pipeline
from sklearn_ser.exceptions import OptionError
from sklearn_ser.pipelines import RECIPES, extract_features
from tests.conftest import SR, voice


@pytest.fixture(scope="module")
def corpus(little_corpus):
    from sklearn_ser.corpora import load_data

    return load_data(str(little_corpus))


def test_the_documented_example(corpus, tmp_path):
    import joblib

    pipe = make_pipeline("svm", features=("mfcc", "chroma", "mel", "contrast"))
    pipe.fit(corpus["path"], corpus["emotion"])
    waveform = voice(0.4, 300)
    assert pipe.predict([corpus["path"][0]]).tolist() == ["angry"]
    np.testing.assert_allclose(pipe.predict_proba([waveform]).sum(), 1)
    assert pipe.predict([waveform]).tolist() == ["angry"]
    joblib.dump(pipe, tmp_path / "pipeline.joblib")
    again = joblib.load(tmp_path / "pipeline.joblib")
    np.testing.assert_array_equal(
        again.predict_proba(corpus["path"]), pipe.predict_proba(corpus["path"])
    )


def test_a_ten_line_script_agrees(corpus):
    import librosa

    rows = []
    for path in corpus["path"]:
        y, sr = librosa.load(path, sr=SR)
        rows.append(librosa.feature.mfcc(y=y, sr=sr, n_mfcc=40).mean(axis=1))
    script = plain_pipeline(StandardScaler(), SVC(C=10, break_ties=True))
    script.fit(rows, corpus["emotion"])
    ours = make_pipeline("svm", "mfcc", clf__calibrate=False)
    ours.fit(corpus["path"], corpus["emotion"])
    assert ours.predict(corpus["path"]).tolist() == script.predict(rows).tolist()
    np.testing.assert_allclose(
        ours[2:].decision_function(rows) if hasattr(ours[-1], "decision_function") else
        ours[-1].estimator_.decision_function(ours[2].transform(rows)),
        script.decision_function(rows), atol=1e-3,
    )  # fmt: skip


@pytest.mark.parametrize("name", ["svm", "mlp", "rf", "logreg"])
def test_every_recipe(name, corpus):
    pipe = make_pipeline(name, random_state=0)
    assert list(pipe.named_steps) == ["audio", "features", "scale", "clf"]
    assert isinstance(pipe, Pipeline)
    for parameter in RECIPES[name].grid:
        assert parameter in pipe.get_params()
    scores = [
        clone(pipe).fit(corpus["path"], corpus["emotion"]).predict_proba(corpus["path"][:3])
        for _ in range(2)
    ]
    np.testing.assert_array_equal(*scores)
    assert pipe.fit(corpus["path"], corpus["emotion"]).score(corpus["path"], corpus["emotion"]) == 1


def test_cross_validation_grid_search_and_voting(corpus):
    pipe = make_pipeline("logreg", "mfcc,chroma")
    X, y = corpus["path"], corpus["emotion"]
    assert cross_val_score(pipe, X, y, cv=2).min() > 0.9
    search = GridSearchCV(pipe, {"features__mfcc__n_mfcc": [5, 20], "clf__C": [1]}, cv=2, n_jobs=2)
    assert search.fit(X, y).best_score_ > 0.9
    vote = VotingClassifier([("a", pipe), ("b", make_pipeline("rf", "mfcc"))], voting="soft")
    assert vote.fit(X, y).score(X, y) > 0.9
    batch = np.stack([voice(0.3, pitch) for pitch in (300, 180, 100)])
    assert pipe.fit(X, y).predict(batch).tolist() == ["angry", "neutral", "sad"]


def test_set_output_pandas(corpus):
    pipe = make_pipeline("svm", "mfcc").set_output(transform="pandas")
    pipe.fit(corpus["path"], corpus["emotion"])
    table = pipe[:3].transform(corpus["path"][3:6])
    assert isinstance(table, pd.DataFrame)
    assert table.columns[0] == "mfcc_0_mean"
    assert table.index.tolist() == [3, 4, 5]
    assert pipe[:3].get_feature_names_out()[-1] == "mfcc_39_mean"


def test_classifier_and_transformers_given_as_instances():
    pipe = make_pipeline(LogisticRegression(), [MFCC(n_mfcc=13), "chroma"])
    assert pipe["features"].transform([voice()]).shape == (1, 25)


def test_one_rate_for_all():
    for pipe in (make_pipeline(sr=16000), make_pipeline(audio__sr=16000)):
        rates = {v for k, v in pipe.get_params().items() if k.endswith("__sr")}
        assert rates == {16000}


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"clf": "smv"}, "Unknown classifier 'smv': did you mean svm"),
        ({"clf": "xyz"}, "there are svm, mlp"),
        ({"features": "mfc"}, "Unknown feature 'mfc': did you mean mfcc"),
        ({"features": ()}, "name at least one"),
        ({"features": "mfcc,mfcc"}, "each once"),
        ({"clf__c": 1}, "no parameter 'clf__c'. Did you mean clf__C"),
        ({"clf__C": -1}, "'C' parameter of SVMClassifier"),
        ({"audio__res_type": "best"}, "'res_type' parameter of AudioLoader"),
        ({"features__mfcc__n_mfcc": 0}, "'n_mfcc' parameter of MFCC"),
    ],
)
def test_mistakes_are_named(how, words):
    with pytest.raises(OptionError, match=words):
        make_pipeline(**how)


def test_extraction_goes_on_past_bad_clips(corpus):
    progress = []
    X, found, failures = extract_features(
        make_pipeline("svm", "mfcc"),
        [corpus["path"][0], "missing.wav", corpus["path"][1]],
        lambda done, total: progress.append((done, total)),
    )
    assert X.shape == (2, 40)
    assert failures == {1: "missing.wav does not exist: check the path."}
    assert progress == [(3, 3)]
    assert found.index.tolist() == [0, 2]
