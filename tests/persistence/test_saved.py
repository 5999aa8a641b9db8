"""Model files of earlier releases, of each recipe and format, still load and predict the same."""

import json
import warnings

import joblib
import numpy as np
import pytest
import sklearn
from sklearn.utils.fixes import parse_version

from sklearn_ser import load_pipeline
from sklearn_ser.persistence.card import read_card
from sklearn_ser.pipelines import RECIPES
from tests.persistence.make_saved import FORMATS, HERE, clips

SAVED = sorted(path for path in HERE.iterdir() if path.suffix.lstrip(".") in FORMATS)


def is_of_newer_sklearn(path):
    saved_by = read_card(path)["versions"]["scikit-learn"]
    return parse_version(saved_by) > parse_version(sklearn.__version__)


@pytest.mark.parametrize("path", SAVED, ids=lambda path: path.name)
def test_saved_model_predicts_the_same(path):
    if path.suffix != ".onnx" and is_of_newer_sklearn(path):
        pytest.skip("scikit-learn reads its own objects of the same or an earlier version")
    version, _, name = path.stem.partition("-")
    expected = json.loads((HERE / f"{version}.json").read_text(encoding="utf-8"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that another scikit-learn wrote the file
        pipe = load_pipeline(path, trust=True)
        plain = joblib.load(path) if path.suffix == ".joblib" else pipe
    assert pipe.classes_.tolist() == expected["classes"]
    for model in (pipe, plain):
        np.testing.assert_allclose(
            model.predict_proba(clips()), expected["probabilities"][name], rtol=0, atol=2e-4
        )


def test_every_recipe_and_format_is_saved():
    names = {path.name.partition("-")[2] for path in SAVED}
    assert names == {f"{recipe}.{suffix}" for recipe in RECIPES for suffix in FORMATS}
    assert sum(path.stat().st_size for path in HERE.iterdir()) < 300_000
