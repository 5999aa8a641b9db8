import hashlib
import json
import subprocess
import sys
import warnings

import numpy as np
import pytest

from sklearn_ser import load_pipeline, make_pipeline, save_pipeline
from sklearn_ser.classifiers.temperature import TemperatureScaledClassifier
from sklearn_ser.exceptions import ModelError, OptionError
from sklearn_ser.persistence.card import card_path
from tests.conftest import run

pytest.importorskip("skl2onnx")
pytest.importorskip("tf2onnx")

EMOTIONS = ["angry", "happy", "sad"] * 8
SMALL = {
    "svm": {"features__chroma__norm": np.inf},
    "mlp": {"clf__hidden_layer_sizes": (8,)},
    "rf": {"clf__n_estimators": 5},
    "logreg": {},
    "ann": {"clf__epochs": 2},
    "cnn": {"clf__filters": (4,), "clf__epochs": 1, "features__logmel__n_mels": 32},
    "lstm": {"clf__units": 8, "clf__epochs": 1},
    "cnn-lstm": {"clf__filters": (4,), "clf__units": 8, "clf__epochs": 1},
}


def tones(n_clips=24):
    rng = np.random.default_rng(0)
    t = np.arange(11025) / 22050
    return [
        np.sin(2 * np.pi * (200 + 200 * (i % 3)) * t) / 4 + rng.normal(size=len(t)) / 20
        for i in range(n_clips)
    ]


@pytest.mark.parametrize("clf", SMALL)
def test_every_recipe_predicts_alike(clf, tmp_path):
    pipe = make_pipeline(clf, random_state=0, **SMALL[clf]).fit(tones(), EMOTIONS)
    again = load_pipeline(save_pipeline(pipe, tmp_path / "pipeline.onnx"), trust=False)
    assert again.classes_.tolist() == pipe.classes_.tolist()
    assert again.named_steps["audio"].get_params() == pipe.named_steps["audio"].get_params()
    ours, theirs = (one.predict_proba(tones(7)) for one in (pipe, again))
    np.testing.assert_allclose(theirs, ours, rtol=0, atol=1e-4)
    assert again.predict(tones(7)).tolist() == pipe.predict(tones(7)).tolist()


def test_a_temperature_comes_along(tmp_path):
    pipe = make_pipeline("logreg").fit(tones(), EMOTIONS)
    X = pipe[:-1].transform(tones())
    scaled = TemperatureScaledClassifier(pipe.named_steps["clf"])
    scaled.calibrate(pipe.named_steps["clf"], X, np.array(EMOTIONS))
    pipe.steps[-1] = ("clf", scaled)
    again = load_pipeline(save_pipeline(pipe, tmp_path / "scaled.onnx"))
    assert scaled.temperature_ != 1
    np.testing.assert_allclose(
        again.predict_proba(tones(4)), pipe.predict_proba(tones(4)), rtol=0, atol=1e-4
    )


def test_a_network_predicts_where_there_is_no_tensorflow(tmp_path):
    pipe = make_pipeline("ann", random_state=0, clf__epochs=2).fit(tones(), EMOTIONS)
    path = save_pipeline(pipe, tmp_path / "pipeline.onnx")
    program = (
        "import sys\n"
        "for name in ('tensorflow', 'keras'): sys.modules[name] = None  # as if not installed\n"
        "import numpy as np\n"
        "from sklearn_ser import load_pipeline\n"
        f"pipe = load_pipeline({str(path)!r})\n"
        "print(pipe.predict([np.sin(np.arange(11025) / 20)])[0])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    expected = pipe.predict([np.sin(np.arange(11025) / 20)])[0]
    assert (done.stdout.strip(), done.stderr) == (expected, "")


def test_what_cannot_be_exported_is_named(tmp_path):
    uncalibrated = make_pipeline("svm", "mfcc", clf__calibrate=False).fit(tones(), EMOTIONS)
    with pytest.raises(ModelError, match="clf__calibrate=True"):
        save_pipeline(uncalibrated, tmp_path / "pipeline.onnx")
    from sklearn.ensemble import HistGradientBoostingClassifier

    boosting = make_pipeline(HistGradientBoostingClassifier(max_iter=2), "mfcc")
    with pytest.raises(ModelError, match=r"HistGradientBoostingClassifier has no counterpart"):
        save_pipeline(boosting.fit(tones(), EMOTIONS), tmp_path / "pipeline.onnx")
    assert not list(tmp_path.iterdir())


def test_files_that_are_none_of_ours(tmp_path):
    from sklearn_ser.persistence.onnx import read_onnx

    with pytest.raises(ModelError, match=r"bad\.onnx is not a model that sklearn-ser export"):
        read_onnx(b"\x00" * 100, "bad.onnx")
    pipe = make_pipeline("logreg", "mfcc").fit(tones(), EMOTIONS)
    path = save_pipeline(pipe, tmp_path / "pipeline.onnx")
    import onnx

    model = onnx.load(path)
    onnx.helper.set_model_props(model, {"sklearn_ser": '{"format": 99}'})
    with pytest.raises(ModelError, match="format 99"):
        read_onnx(model.SerializeToString(), "new.onnx")


def test_an_untrusted_file_names_no_checkpoint(tmp_path):
    """The metadata build transformers: one that opens folders or downloads is not among them."""
    import onnx

    from sklearn_ser.persistence.onnx import read_onnx

    pipe = make_pipeline("logreg", "mfcc").fit(tones(), EMOTIONS)
    model = onnx.load(save_pipeline(pipe, tmp_path / "pipeline.onnx"))
    document = json.loads(model.metadata_props[0].value)
    document["features"] = [["mfcc", "embedding", {"model": "owner/name", "download": True}]]
    onnx.helper.set_model_props(model, {"sklearn_ser": json.dumps(document)})
    with pytest.raises(ModelError, match="is not a model that sklearn-ser export has written"):
        read_onnx(model.SerializeToString(), "forged.onnx")


def test_an_exported_model_is_finished(tmp_path):
    pipe = make_pipeline("logreg", "mfcc").fit(tones(), EMOTIONS)
    again = load_pipeline(save_pipeline(pipe, tmp_path / "pipeline.onnx"))
    with pytest.raises(ModelError, match="cannot be fitted again"):
        again.fit(tones(), EMOTIONS)


def test_without_onnx_runtime_the_mend_is_named(tmp_path, monkeypatch):
    pipe = make_pipeline("logreg", "mfcc").fit(tones(), EMOTIONS)
    path = save_pipeline(pipe, tmp_path / "pipeline.onnx")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(OptionError, match=r"sklearn-ser\[onnx\]"):
        load_pipeline(path)


def constant_model(path, rows, **metadata):
    """Make an exported model give one row of numbers for zeros, and another for all else."""
    import onnx
    from onnx import TensorProto, helper

    exported = onnx.load(path)
    document = json.loads(exported.metadata_props[0].value) | metadata
    n_features = exported.graph.input[0].type.tensor_type.shape.dim[1].dim_value
    zeros, others = (np.asarray(row, dtype=np.float32).reshape(1, -1) for row in rows)
    nodes = [
        helper.make_node("ReduceMax", ["X"], ["largest"], axes=[1], keepdims=1),
        helper.make_node("Equal", ["largest", "zero"], ["equal"]),
        helper.make_node("Where", ["equal", "zeros", "others"], ["probabilities"]),
    ]
    values = {"zero": np.zeros((1, 1), np.float32), "zeros": zeros, "others": others}
    graph = helper.make_graph(
        nodes,
        "constant",
        [helper.make_tensor_value_info("X", TensorProto.FLOAT, [None, n_features])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [None, zeros.shape[1]])],
        [onnx.numpy_helper.from_array(value, name) for name, value in values.items()],
    )
    opset = [helper.make_opsetid("", 13)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=8)
    helper.set_model_props(model, {"sklearn_ser": json.dumps(document)})
    path.write_bytes(model.SerializeToString())
    card = json.loads(card_path(path).read_text())
    card["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    card_path(path).write_text(json.dumps(card))


WHOLE = [0.5, 0.25, 0.25]
WRONG = {
    "not finite": [np.nan, 0.5, 0.5],
    "infinite": [np.inf, 0, 0],
    "negative": [-0.5, 0.75, 0.75],
    "more than one": [2.0, 0, 0],
    "sum": [0.9, 0.9, 0.9],
    "nothing": [0, 0, 0],
}


@pytest.fixture(scope="module")
def logreg():
    return make_pipeline("logreg", "mfcc").fit(tones(), EMOTIONS)


@pytest.fixture
def exported(logreg, tmp_path):
    return save_pipeline(logreg, tmp_path / "pipeline.onnx")


def test_a_constant_model_is_loaded(exported, wav):
    constant_model(exported, [WHOLE, WHOLE])
    assert load_pipeline(exported).predict_proba(tones(2)).tolist() == [WHOLE, WHOLE]
    assert "angry" in run("predict", exported, wav())[0]


@pytest.mark.parametrize("wrong", [*WRONG.values(), WHOLE[:2], [0.25] * 4], ids=str)
def test_a_model_whose_numbers_are_no_probabilities_is_refused(exported, wav, wrong):
    constant_model(exported, [wrong, wrong])
    with pytest.raises(ModelError, match="is not a model that sklearn-ser export has written: it"):
        load_pipeline(exported)
    assert "Error: " in run("predict", exported, wav(), code=2)[1]


@pytest.mark.parametrize("wrong", WRONG.values(), ids=str)
def test_what_is_no_probability_for_some_clips_alone(exported, wav, wrong):
    constant_model(exported, [WHOLE, wrong])
    pipe = load_pipeline(exported)
    with pytest.raises(ModelError, match="numbers that are no probabilities"):
        pipe.predict(tones(2))
    out, _ = run("predict", exported, wav(), "--json", code=1)
    (row,) = json.loads(out)["rows"]
    assert row["emotion"] is None
    assert "no probabilities" in row["error"]


@pytest.mark.parametrize("temperature", [-1, 0, float("nan"), float("inf"), "hot", None, [1]])
def test_a_temperature_is_a_positive_number(exported, temperature):
    constant_model(exported, [WHOLE, WHOLE], temperature=temperature)
    with pytest.raises(ModelError, match=r"temperature|is not a model that sklearn-ser export"):
        load_pipeline(exported)


@pytest.mark.parametrize("classes", [["angry", "sad"], ["sad", "happy", "angry"], [], "abc", None])
def test_other_classes_than_those_of_the_card(exported, classes):
    constant_model(exported, [WHOLE, WHOLE], classes=classes)
    with pytest.raises(ModelError, match=r"do not belong together|is not a model that"):
        load_pipeline(exported)


@pytest.mark.parametrize("clf", ["svm", "rf", "ann"])
def test_export_says_nothing_of_its_own_accord(tmp_path, clf):
    params = {"rf": {"clf__n_estimators": 3}, "ann": {"clf__epochs": 1}}.get(clf, {})
    pipe = make_pipeline(clf, "mfcc", random_state=0, **params).fit(tones(), EMOTIONS)
    path = save_pipeline(pipe, tmp_path / "pipeline.joblib")
    out, err = run("export", path)
    assert out.splitlines()[-1] == f"Model: {tmp_path / 'pipeline.onnx'}"
    assert len(out.splitlines()) == 2
    assert err == ""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        save_pipeline(pipe, tmp_path / "again.onnx")
