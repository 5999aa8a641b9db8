import json

import librosa
import numpy as np
import pandas as pd
import pytest
import sklearn

from sklearn_ser import (
    MFCC,
    AudioFeatureUnion,
    CNNClassifier,
    CNNLSTMClassifier,
    FrameFeatures,
    LogMelSpectrogram,
    LSTMClassifier,
    SequenceScaler,
    make_pipeline,
)
from sklearn_ser.exceptions import OptionError
from sklearn_ser.features._spectrum import STFT, Spectra
from tests.conftest import SR, real_corpus, run, voice

DEFAULT = STFT(2048, 512, 2048, "hann", True, "constant")


def test_log_mel_is_librosas():
    y = voice(3.0)
    expected = librosa.power_to_db(librosa.feature.melspectrogram(y=y, sr=SR)).T[:87]
    found = LogMelSpectrogram().transform([y])[0]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-3)


def test_frames_are_librosas():
    y = voice(3.0)
    tuning = Spectra([y], SR, ["y"]).tuning(DEFAULT, 12)[0]
    expected = np.vstack(
        [
            librosa.feature.mfcc(y=y, sr=SR, n_mfcc=40),
            librosa.feature.chroma_stft(y=y, sr=SR, tuning=tuning),
            librosa.feature.spectral_contrast(y=y, sr=SR)[:-1],
        ]
    ).T[:87]
    found = FrameFeatures().transform([y])[0]
    assert found.shape == (87, 59)
    np.testing.assert_allclose(found[:, :58], expected, rtol=1e-3, atol=2e-3)
    names = FrameFeatures().get_feature_names_out()
    assert names[[0, 40, 52]].tolist() == ["mfcc_0", "chroma_0", "contrast_0"]


def test_short_clips_hold_their_last_frame_and_long_ones_are_cut():
    short, long = LogMelSpectrogram(n_frames=40).transform([voice(0.3), voice(3.0)])
    n = 1 + int(0.3 * SR) // 512
    assert short.shape == long.shape == (40, 128)
    assert (short[n:] == short[n - 1]).all()
    assert (short[n - 2] != short[n - 1]).any()


def test_z_scores_per_clip():
    frames = LogMelSpectrogram(n_frames=87, normalize="clip").transform([voice(2.0)])[0]
    np.testing.assert_allclose(frames.mean(axis=0), 0, atol=1e-3)
    np.testing.assert_allclose(frames.std(axis=0), 1, atol=1e-3)


def test_sequences_join_along_channels_and_neighbours_change_nothing():
    clips = [voice(0.4 + 0.1 * i, seed=i) for i in range(9)]
    union = AudioFeatureUnion([("logmel", LogMelSpectrogram()), ("frames", FrameFeatures())])
    together = union.transform(clips)
    assert together.shape == (9, 87, 187)
    alone = np.concatenate([union.transform([clip]) for clip in clips])
    np.testing.assert_array_equal(together, alone)


@pytest.mark.parametrize(
    "features",
    [
        [("logmel", LogMelSpectrogram()), ("mfcc", MFCC())],
        [("logmel", LogMelSpectrogram()), ("frames", FrameFeatures(n_frames=10))],
    ],
)
def test_features_of_different_shapes_do_not_join(features):
    with pytest.raises(OptionError, match="same n_frames"):
        AudioFeatureUnion(features).fit([voice()])


def test_sequences_have_no_table_form(little_corpus, tmp_path):
    with pytest.raises(OptionError, match="no table form"):
        make_pipeline("cnn").set_output(transform="pandas")
    assert (
        "no table form"
        in run("features", little_corpus, "--features", "frames", "-o", tmp_path / "t.csv", code=2)[
            1
        ]
    )
    with pytest.raises(OptionError, match="must not all be 0"):
        FrameFeatures(n_mfcc=0, n_chroma=0, n_bands=0).fit([voice()])


@pytest.mark.parametrize("recipe", ["cnn", "lstm"])
def test_networks_under_a_global_set_output(recipe):
    features = {"lstm": "logmel"}.get(recipe)
    clips, emotions = [voice(0.2, seed=i) for i in range(8)], ["sad", "happy"] * 4
    how = {"clf__epochs": 1, "random_state": 0}
    expected = make_pipeline(recipe, features, **how).fit(clips, emotions)
    with sklearn.config_context(transform_output="pandas"):
        pipeline = make_pipeline(recipe, features, **how).fit(clips, emotions)
        found = pipeline.predict_proba(clips)
        assert isinstance(pipeline[:2].fit_transform(clips), np.ndarray)
    np.testing.assert_array_equal(found, expected.predict_proba(clips))


def test_features_of_one_row_are_tables_under_a_global_set_output():
    with sklearn.config_context(transform_output="pandas"):
        table = make_pipeline("svm", "mfcc")[:2].fit_transform(pd.Series([voice()], index=["a"]))
    assert table.columns.tolist()[:2] == ["mfcc_0_mean", "mfcc_1_mean"]
    assert table.index.tolist() == ["a"]


def test_tables_of_sequences_are_refused_where_they_are_asked_for():
    union = AudioFeatureUnion([("mfcc", MFCC())]).set_output(transform="pandas")
    union.set_params(transformer_list=[("logmel", LogMelSpectrogram())])
    scaler = SequenceScaler().set_output(transform="pandas")
    for transformer, X in [(union, [voice()]), (scaler, np.zeros((2, 3, 4)))]:
        with pytest.raises(OptionError, match="no table form"):
            transformer.fit_transform(X)
    assert isinstance(scaler.fit_transform(np.zeros((2, 3))), pd.DataFrame)


def test_sequence_scaler_is_the_standard_scaler_per_channel():
    X = np.random.default_rng(0).normal(3, 2, size=(5, 7, 4)).astype(np.float32)
    X[..., 3] = 1
    scaler = SequenceScaler().fit(X)
    scaled = scaler.transform(X)
    np.testing.assert_allclose(scaler.mean_, X.reshape(-1, 4).mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(scaled.mean(axis=(0, 1)), 0, atol=1e-5)
    np.testing.assert_allclose(scaled.std(axis=(0, 1)), [1, 1, 1, 0], atol=1e-5)
    assert scaled.dtype == np.float32


@pytest.mark.parametrize(
    ("network", "shape"),
    [
        (CNNClassifier((4, 4), dense_units=(4,)), (128, 87)),
        (CNNClassifier((4, 4), dense_units=(4,), axis="time"), (87, 128)),
        (LSTMClassifier(4, dense_units=(4,)), (87, 128)),
        (CNNLSTMClassifier((4,), units=4), (87, 128)),
    ],
)
def test_what_the_networks_run_over(network, shape):
    X = np.random.default_rng(0).normal(size=(12, 87, 128)).astype(np.float32)
    network.set_params(epochs=1, random_state=0).fit(X, ["a", "b"] * 6)
    assert network.model_.input_shape == (None, *shape)
    rows = network.fit(X[:, 0], ["a", "b"] * 6)
    assert rows.model_.input_shape == (None, 128, 1)


def layers(network):
    return [
        (layer["class_name"], layer["config"].get("units") or layer["config"].get("filters"))
        for layer in json.loads(network.model_.to_json())["config"]["layers"][1:]
    ]


def test_the_networks_are_the_described_ones():
    X = np.random.default_rng(0).normal(size=(12, 40)).astype(np.float32)
    y = ["a", "b", "c"] * 4
    dropout = ("Dropout", None)
    convolutions = [
        part
        for n in (64, 128, 128, 64)
        for part in (("Conv1D", n), ("MaxPooling1D", None), dropout)
    ]
    assert layers(CNNClassifier(epochs=1, random_state=0).fit(X, y)) == [
        *convolutions, ("Flatten", None), ("Dense", 128), dropout, ("Dense", 64), dropout,
        ("Dense", 3),
    ]  # fmt: skip
    assert layers(LSTMClassifier(epochs=1, random_state=0).fit(X, y)) == [
        ("LSTM", 256), dropout, *(3 * [("Dense", 256), dropout]), ("Dense", 3),
    ]  # fmt: skip


@pytest.mark.parametrize("clf", ["cnn", "lstm", "cnn-lstm"])
def test_each_is_one_command(clf, little_corpus, tmp_path):
    out, _ = run(
        "fit", "--clf", clf, "--data", little_corpus, "--param", "clf__epochs=2", "--json",
        "--out", tmp_path / "r",
    )  # fmt: skip
    assert json.loads(out)["n_test"] == 5
    clip = little_corpus / "sad" / "0.wav"
    rows = json.loads(run("predict", tmp_path / "r", clip, "--json")[0])["rows"]
    assert rows[0]["error"] is None
    size = {
        "cnn": "87 frames of 128 features",
        "lstm": "40 features",
        "cnn-lstm": "87 frames of 59 features",
    }[clf]
    assert f"({size}" in run("card", tmp_path / "r")[0]
    assert size in (tmp_path / "r" / "report.html").read_text(encoding="utf-8")
    err = run("fit", "--clf", "svm", "--features", "logmel", "--data", little_corpus, code=2)[1]
    assert "logmel gives sequences" in err


@pytest.mark.real
@pytest.mark.parametrize("corpus", ["tess"])
def test_a_cnn_of_few_epochs_on_real_speech(corpus, tmp_path):
    out, _ = run(
        "fit", "--clf", "cnn", "--data", real_corpus(corpus), "--param", "clf__epochs=6", "--json",
        "--out", tmp_path / "r",
    )  # fmt: skip
    assert json.loads(out)["accuracy"] > 0.95
