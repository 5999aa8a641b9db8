"""Transformers and classifiers that somebody else wrote, in this package's pipelines."""

import joblib
import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.utils.estimator_checks import parametrize_with_checks
from sklearn.utils.validation import check_is_fitted, validate_data
from threadpoolctl import ThreadpoolController

from sklearn_ser import (
    MFCC,
    AudioFeatureUnion,
    ClipTransformer,
    FrameTransformer,
    load_pipeline,
    make_pipeline,
    save_pipeline,
)
from sklearn_ser.audio import decoding
from sklearn_ser.exceptions import OptionError, SerError
from sklearn_ser.features import Spectra
from sklearn_ser.features._extraction import one_blas_thread
from sklearn_ser.inference import Predictor
from sklearn_ser.persistence import read_card
from sklearn_ser.pipelines import extract_features
from tests.conftest import SR, voice


class Extremes(ClipTransformer):
    """A transformer that needs no spectrum and has no parameter but the one that all need."""

    def __init__(self, sr=22050):
        self.sr = sr

    def compute(self, spectra: Spectra):
        return np.array([(y.min(), y.max()) for y in spectra.clips], dtype=np.float64)

    def get_feature_names_out(self, input_features=None):
        return np.array(["lowest", "highest"], dtype=object)


class Energy(FrameTransformer):
    """Statistics of a contour, with some of the parameters that this package's have."""

    def __init__(self, sr=22050, *, hop_length=512, statistics=("mean", "std")):
        self.sr = sr
        self.hop_length = hop_length
        self.statistics = statistics

    def frames(self, spectra: Spectra):
        return np.log(spectra.power(self.stft()).sum(axis=1, keepdims=True) + 1e-9)

    def channels(self):
        return ["energy"]


class Nearest(ClassifierMixin, BaseEstimator):
    """A small classifier of nobody's, written as LightGBM's and its like are."""

    def __init__(self, power=2.0, random_state=None):
        self.power = power
        self.random_state = random_state

    def fit(self, X, y):
        X, y = validate_data(self, X, y)
        self.classes_ = np.unique(y)
        self.centres_ = np.stack([X[y == name].mean(axis=0) for name in self.classes_])
        return self

    def predict_proba(self, X):
        check_is_fitted(self)
        X = validate_data(self, X, reset=False)
        distances = np.abs(X[:, np.newaxis] - self.centres_).mean(axis=2)
        closeness = (distances + 1e-9) ** -self.power
        return closeness / closeness.sum(axis=1, keepdims=True)

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


@pytest.fixture
def clips(wav):
    emotions = ["sad", "happy"] * 6
    pitches = {"sad": 120, "happy": 240}
    paths = [
        str(wav(f"{i}.wav", voice(0.3, pitches[emotion] + i, seed=i)))
        for i, emotion in enumerate(emotions)
    ]
    return paths, emotions


def test_a_pipeline_of_other_peoples_parts(clips, tmp_path, monkeypatch):
    paths, emotions = clips
    pipeline = make_pipeline(Nearest(), features=["mfcc", Extremes(), Energy()], random_state=3)
    assert pipeline.named_steps["clf"].random_state == 3
    assert dict(pipeline.named_steps["features"].transformer_list).keys() == {
        *("mfcc", "extremes", "energy")
    }
    pipeline.set_params(features__cache_dir=tmp_path / "cache", features__energy__hop_length=256)
    pipeline.fit(paths, emotions)
    assert pipeline.score(paths, emotions) == 1
    names = pipeline[:2].get_feature_names_out()
    assert names[-4:].tolist() == ["lowest", "highest", "energy_mean", "energy_std"]

    extract_features(pipeline, paths)
    with monkeypatch.context() as warm:
        warm.setattr(decoding, "_decode", pytest.fail)
        X, _, failures = extract_features(pipeline, paths)
    assert not failures
    assert X.dtype == np.float32
    np.testing.assert_allclose(X[:, 40], [clip.min() for clip in pipeline[:1].transform(paths)])

    joblib.dump(pipeline, tmp_path / "plain.joblib")
    path = save_pipeline(pipeline, tmp_path / "saved.joblib")
    card = read_card(path)
    assert card["n_features"] == 44
    assert card["features"][1:] == ["Extremes()", "Energy(hop_length=256)"]
    for model in (joblib.load(tmp_path / "plain.joblib"), load_pipeline(path, trust=True)):
        found = list(Predictor(model).iter_predictions(paths))
        assert [one.emotion for one in found] == emotions
        np.testing.assert_array_equal(
            [one.probabilities for one in found], pipeline.predict_proba(paths)
        )


@pytest.mark.parametrize(
    ("features", "clf", "words"),
    [
        ([Extremes()], LogisticRegression(), "Extremes is not one of the features that an .onnx"),
        ("mfcc", Nearest(), "Nearest has no counterpart in ONNX"),
    ],
)
def test_what_cannot_be_exported_says_so(clips, tmp_path, features, clf, words):
    pytest.importorskip("skl2onnx")
    pipeline = make_pipeline(clf, features).fit(*clips)
    with pytest.raises(SerError, match=words):
        save_pipeline(pipeline, tmp_path / "model.onnx")
    assert not list(tmp_path.glob("model*"))


def test_skops_files_with_foreign_parts_are_refused(clips, tmp_path):
    pytest.importorskip("skops")
    pipeline = make_pipeline(Nearest(), [Energy()]).fit(*clips)
    with pytest.raises(SerError, match=r"Energy|Nearest"):
        load_pipeline(save_pipeline(pipeline, tmp_path / "model.skops"))


def test_a_search_over_a_foreign_transformers_parameters(clips):
    grid = {"features__energy__statistics": [("mean",), ("mean", "p95")], "clf__power": [1, 2]}
    search = GridSearchCV(make_pipeline(Nearest(), [Energy()]), grid, cv=3)
    assert search.fit(*clips).best_score_ > 0.5


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks(
    [Extremes(), Energy()],
    expected_failed_checks=lambda _: dict.fromkeys(
        ("check_n_features_in", "check_n_features_in_after_fitting"),
        "clips have no fixed width: each has its own length",
    ),
)
def test_scikit_learns_checks_of_subclasses(estimator, check):
    check(estimator)


def test_a_clips_features_do_not_depend_on_its_neighbours():
    batch = [voice(0.2, seed=i) for i in range(3)]
    for transformer in (Extremes(), Energy()):
        alone = np.concatenate([transformer.transform([one]) for one in batch])
        np.testing.assert_array_equal(transformer.transform(batch), alone)


class Miscounted(Extremes):
    def compute(self, spectra):
        return super().compute(spectra)[:, :1]


class WithoutRate(ClipTransformer):
    def compute(self, spectra):
        return np.zeros((len(spectra.clips), 1))

    def get_feature_names_out(self, input_features=None):
        return np.array(["nothing"], dtype=object)


@pytest.mark.parametrize("cached", [False, True])
def test_promises_that_are_not_kept(tmp_path, cached):
    cache_dir = tmp_path if cached else None
    union = AudioFeatureUnion([("miscounted", Miscounted())], cache_dir=cache_dir)
    with pytest.raises(OptionError, match=r"Miscounted has computed .* \(1, 1\) .* names 2"):
        union.transform([voice()])
    with pytest.raises(OptionError, match="WithoutRate has no parameter `sr`"):
        WithoutRate().transform([voice()])


def test_parameters_that_went_wrong_are_found_however_often_they_were_right():
    pipe = make_pipeline("svm", features=["mfcc"])
    for _ in range(2):
        pipe[:2].transform([voice()])
    pipe.set_params(audio__offset=-1)
    with pytest.raises(ValueError, match="offset"):
        pipe[:2].transform([voice()])
    pipe.set_params(audio__offset=0.0, audio__max_duration="long")
    with pytest.raises(ValueError, match="max_duration"):
        pipe[:2].transform([voice()])
    union = AudioFeatureUnion([("mfcc", MFCC())])
    union.transform([voice()])
    union.transformer_list.append(("mfcc", MFCC(n_mfcc=20)))
    with pytest.raises(ValueError, match="not unique"):
        union.transform([voice()])
    union.transformer_list[1] = ("other", BaseEstimator())
    with pytest.raises(TypeError, match="implement fit and transform"):
        union.transform([voice()])


def test_matrix_products_take_one_thread_and_give_the_others_back():
    libraries = ThreadpoolController().select(user_api="blas")
    with libraries.limit(limits=2):
        with one_blas_thread():
            assert {library["num_threads"] for library in libraries.info()} == {1}
        with pytest.raises(KeyError), one_blas_thread():
            raise KeyError
        assert {library["num_threads"] for library in libraries.info()} == {2}


def test_instances_among_the_features():
    two = make_pipeline("svm", [MFCC(sr=16000, n_mfcc=13), MFCC(sr=16000, deltas=1)])
    assert list(dict(two.named_steps["features"].transformer_list)) == ["mfcc-1", "mfcc-2"]
    assert two.named_steps["audio"].sr == 16000
    assert make_pipeline("svm", MFCC(), sr=SR).get_params()["features__mfcc__sr"] == SR
    for features, words in [
        ([MFCC], "write MFCC()"),
        ([BaseEstimator()], "neither the name of a feature nor a transformer"),
        ([MFCC(sr=16000), Extremes()], "different rates"),
        (["mfcc", MFCC()], "each once"),
    ]:
        with pytest.raises(OptionError, match=words.replace("(", r"\(").replace(")", r"\)")):
            make_pipeline("svm", features)
