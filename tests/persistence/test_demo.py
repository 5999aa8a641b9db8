"""`demo`, the model that comes with the package."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from sklearn_ser.classifiers import unwrap_classifier
from sklearn_ser.exceptions import ModelError
from sklearn_ser.persistence import find_model, load_pipeline, names_model, read_card
from sklearn_ser.persistence.demo import DEMO_FOLDER, renew
from tests.conftest import melody


def test_its_card_says_what_it_is_and_how_often_it_is_right():
    card = read_card("demo")
    tests = {(one["corpus"], one["adapt"]): one for one in card["tests"]}
    assert card["classes"] == ["angry", "happy", "neutral", "sad"]
    assert card["data"]["corpora"] == ["emodb"]
    assert tests["tess", "none"]["uar"] >= 0.55
    assert tests["nemo", "none"]["uar"] >= 0.35
    assert tests["tess", "speaker"]["uar"] >= 0.65
    assert tests["nemo", "speaker"]["uar"] >= 0.5
    # What it says of itself is what was measured.
    for corpus in ("emodb", "tess", "nemo"):
        assert f"{tests[corpus, 'none']['accuracy']:.0%}" in card["about"]
    assert tests["tess", "none"]["abstained"] <= 0.01
    assert tests["nemo", "none"]["abstained"] <= 0.01
    assert "Burkhardt" in card["attribution"]


def test_it_is_small_and_holds_no_audio():
    sizes = {file.name: file.stat().st_size for file in DEMO_FOLDER.iterdir()}
    assert set(sizes) == {"pipeline.skops", "pipeline.skops.card.json", "seen_clips.txt"}
    assert sum(sizes.values()) < 400_000


def test_it_loads_as_any_model_and_predicts():
    pipe = load_pipeline("demo", trust=False)
    probabilities = pipe.predict_proba([melody(1.0, sr=16000)])
    assert probabilities.shape == (1, 4)
    assert probabilities.sum() == pytest.approx(1)


def test_it_predicts_the_same_with_the_classifier_of_another_scikit_learn():
    pipe = load_pipeline("demo")
    clf = unwrap_classifier(pipe.named_steps["clf"])
    X = np.random.default_rng(0).normal(size=(3, clf.n_features_in_))
    before = pipe.named_steps["clf"].predict_proba(X)
    clf.multi_class = "what only another version knows"
    again = renew(pipe).named_steps["clf"]
    assert "multi_class" not in vars(unwrap_classifier(again))
    assert np.array_equal(again.predict_proba(X), before)
    pipe.set_params(clf=LogisticRegression().fit(X, ["a", "b", "a"]))
    assert renew(pipe).named_steps["clf"].classes_.tolist() == ["a", "b"]


def test_only_the_plain_word_means_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_model("demo").parent == DEMO_FOLDER
    with pytest.raises(ModelError, match="does not exist"):
        find_model("./demo")
    assert names_model("demo")
    assert not names_model("./demo")


def test_what_names_a_model(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "pipeline.skops").touch()
    (tmp_path / "calls").mkdir()
    assert names_model(str(tmp_path / "run"))
    assert not names_model(str(tmp_path / "calls"))
    assert [names_model(f"a.{kind}") for kind in ("joblib", "skops", "onnx")] == [True] * 3
    assert not names_model("a.wav")
