import json
import subprocess
import sys

import numpy as np
import pytest

from sklearn_ser import load_pipeline, make_pipeline, save_pipeline
from sklearn_ser.classifiers.temperature import TemperatureScaledClassifier
from sklearn_ser.exceptions import ModelError, OptionError

pytest.importorskip("skl2onnx")
pytest.importorskip("tf2onnx")
pytestmark = pytest.mark.filterwarnings("ignore")  # the converters' own warnings

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


def test_a_strangers_file_names_no_checkpoint(tmp_path):
    """The metadata build transformers: one that opens folders or downloads is not among them."""
    import onnx

    from sklearn_ser.persistence.onnx import read_onnx

    pipe = make_pipeline("logreg", "mfcc").fit(tones(), EMOTIONS)
    model = onnx.load(save_pipeline(pipe, tmp_path / "pipeline.onnx"))
    told = json.loads(model.metadata_props[0].value)
    told["features"] = [["mfcc", "embedding", {"model": "owner/name", "download": True}]]
    onnx.helper.set_model_props(model, {"sklearn_ser": json.dumps(told)})
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
