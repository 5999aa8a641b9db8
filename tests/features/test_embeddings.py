"""Embeddings of tiny random checkpoints, against PyTorch and transformers by themselves."""

import json
import pickle
import shutil
import subprocess
import sys
from itertools import pairwise

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from typer.testing import CliRunner

from sklearn_ser import (
    AudioFeatureUnion,
    AudioLoader,
    PretrainedEmbedding,
    load_pipeline,
    make_pipeline,
    save_pipeline,
)
from sklearn_ser.cli import app
from sklearn_ser.exceptions import AudioError, ModelError, OptionError, SerError
from sklearn_ser.features import _pretrained
from sklearn_ser.features._keys import describe_setting
from tests.conftest import voice

torch = pytest.importorskip("torch", reason="pip install 'sklearn-ser[embeddings]'")
transformers = pytest.importorskip("transformers", reason="pip install 'sklearn-ser[embeddings]'")

KINDS = {"wav2vec2": "Wav2Vec2", "hubert": "Hubert", "wavlm": "WavLM"}
CLIPS = [voice(seconds, pitch, 16000) for seconds, pitch in [(0.3, 200), (0.11, 90), (0.7, 150)]]


def write_checkpoint(folder, kind="wav2vec2", seed=0, rate=16000):
    torch.manual_seed(seed)
    config = getattr(transformers, f"{KINDS[kind]}Config")(
        hidden_size=16,
        num_hidden_layers=3,
        num_attention_heads=2,
        intermediate_size=20,
        conv_dim=(8, 8),
        conv_kernel=(10, 8),
        conv_stride=(20, 16),
        num_conv_pos_embeddings=8,
        num_conv_pos_embedding_groups=2,
        initializer_range=0.3,
    )
    getattr(transformers, f"{KINDS[kind]}Model")(config).save_pretrained(folder)
    transformers.Wav2Vec2FeatureExtractor(sampling_rate=rate).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkpoints")
    return {kind: write_checkpoint(folder / kind, kind) for kind in KINDS}


@pytest.fixture
def checkpoint(checkpoints):
    return checkpoints["wav2vec2"]


def hidden_states(folder, kind, y):
    """What ten lines without this package make of a clip, of shape (n_layers + 1, n_frames, 16)."""
    network = getattr(transformers, f"{KINDS[kind]}Model").from_pretrained(folder).eval()
    y = (y - y.mean()) / np.sqrt(y.var() + 1e-7)
    with torch.no_grad():
        states = network(torch.tensor(y)[None], output_hidden_states=True).hidden_states
    return np.stack([state[0].numpy() for state in states])


@pytest.mark.parametrize("kind", KINDS)
def test_equals_transformers(checkpoints, kind):
    folder = checkpoints[kind]
    states = [hidden_states(folder, kind, y) for y in CLIPS]
    for layer in (-1, 0, 2, -3):
        expected = np.stack([clip[layer].mean(axis=0) for clip in states])
        X = PretrainedEmbedding(folder, layer=layer).fit_transform(CLIPS)
        assert X.dtype == np.float32
        np.testing.assert_allclose(X, expected, rtol=1e-4, atol=1e-5)
    expected = np.stack([clip[1:].mean(axis=(0, 1)) for clip in states])
    X = PretrainedEmbedding(folder, layer=None).fit_transform(CLIPS)
    np.testing.assert_allclose(X, expected, rtol=1e-4, atol=1e-5)


def test_layers_differ(checkpoint):
    layers = [PretrainedEmbedding(checkpoint, layer=k).transform(CLIPS) for k in (0, 1, 2, 3)]
    assert all(np.abs(a - b).max() > 0.01 for a, b in pairwise(layers))
    np.testing.assert_array_equal(layers[3], PretrainedEmbedding(checkpoint).transform(CLIPS))


@pytest.mark.parametrize("kind", KINDS)
def test_a_clip_alone_is_the_same(checkpoints, kind):
    embedding = PretrainedEmbedding(checkpoints[kind])
    together = embedding.transform(CLIPS)
    alone = np.concatenate([embedding.transform([y]) for y in CLIPS])
    np.testing.assert_array_equal(together, alone)


def test_threads_change_nothing(checkpoint):
    clips = [CLIPS[i % 3] for i in range(70)]
    union = AudioFeatureUnion([("embedding", PretrainedEmbedding(checkpoint))])
    one, two = union.transform(clips), clone(union).set_params(n_jobs=2).transform(clips)
    np.testing.assert_allclose(one, two, atol=1e-6)


def test_names(checkpoint):
    names = PretrainedEmbedding(checkpoint).get_feature_names_out()
    assert list(names) == [f"embedding_{i}" for i in range(16)]


def test_clone_and_pickle(checkpoint):
    embedding = PretrainedEmbedding(str(checkpoint), layer=1)
    unused = pickle.dumps(embedding)
    expected = embedding.transform(CLIPS)
    assert pickle.dumps(embedding) == unused
    assert len(unused) < 500 + len(str(checkpoint))
    for again in (clone(embedding), pickle.loads(unused)):
        np.testing.assert_array_equal(again.transform(CLIPS), expected)


def test_a_saved_pipeline(checkpoint, tmp_path):
    clips = [voice(0.2, pitch, 16000, seed) for pitch in (100, 300) for seed in range(6)]
    emotions = np.repeat(["sad", "angry"], 6)
    pipe = make_pipeline("logreg", PretrainedEmbedding(str(checkpoint)), clf__C=10)
    assert pipe["audio"].sr == 16000
    assert pipe.fit(clips, emotions).score(clips, emotions) == 1
    joblib.dump(pipe, tmp_path / "pipe.joblib")
    again = joblib.load(tmp_path / "pipe.joblib")
    np.testing.assert_array_equal(again.predict_proba(clips), pipe.predict_proba(clips))
    for suffix in ("skops", "onnx"):
        with pytest.raises(SerError, match=r"save as \.joblib"):
            save_pipeline(pipe, tmp_path / f"pipe.{suffix}")


def test_a_saved_pipeline_keeps_to_its_checkpoint(tmp_path):
    folder = write_checkpoint(tmp_path / "checkpoint")
    clips = [voice(0.2, pitch, 16000) for pitch in (100, 110, 300, 310)]
    pipe = make_pipeline("logreg", PretrainedEmbedding(str(folder))).fit(clips, list("aabb"))
    path = save_pipeline(pipe, tmp_path / "pipe.joblib")
    assert load_pipeline(path).predict(clips).tolist() == pipe.predict(clips).tolist()
    shutil.rmtree(folder)
    moved = load_pipeline(path)  # the checkpoint may lie elsewhere on this machine
    with pytest.raises(ModelError, match="no such folder"):
        moved.predict(clips)
    write_checkpoint(folder, seed=1)
    with pytest.raises(ModelError, match=r"fitted with another checkpoint.*put the old one back"):
        load_pipeline(path)


def test_cache_knows_the_checkpoint(checkpoint, tmp_path, wav):
    folder = tmp_path / "checkpoint"
    shutil.copytree(checkpoint, folder)
    embedding = PretrainedEmbedding(str(folder))
    union = AudioFeatureUnion([("embedding", embedding)], cache_dir=tmp_path / "cache")
    clips = AudioLoader(sr=16000).transform([wav(y=CLIPS[0], sr=16000)])
    before, X = describe_setting(embedding), union.transform(clips)
    np.testing.assert_array_equal(union.transform(clips), X)
    assert describe_setting(clone(embedding)) == before
    write_checkpoint(folder, seed=1)
    assert describe_setting(embedding) != before
    assert np.abs(union.transform(clips) - X).max() > 0.01


def test_from_the_command_line(checkpoint, little_corpus, tmp_path):
    words = ["fit", "--data", little_corpus, "--clf", "logreg", "--features", "embedding"]
    words += ["--out", tmp_path / "run"]
    param = f"features__embedding__model={checkpoint}"
    done = CliRunner().invoke(app, [str(word) for word in [*words, "--param", param]])
    assert done.exit_code == 0, done.output
    clip = next(little_corpus.rglob("*.wav"))
    done = CliRunner().invoke(app, ["predict", str(tmp_path / "run"), str(clip)])
    assert done.exit_code == 0, done.output
    card = json.loads((tmp_path / "run" / "card.json").read_text())
    assert card["sampling_rate"] == 16000
    assert card["n_features"] == 16
    assert len(card["checkpoints"]["embedding"]) == 64
    words[-1] = tmp_path / "other"
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == 2
    assert "features__embedding__model" in done.output


def test_what_is_loaded_when():
    program = (
        "from sklearn_ser import PretrainedEmbedding, make_pipeline; import sys;"
        "make_pipeline('svm', PretrainedEmbedding('folder'));"
        "print(*({'torch', 'transformers', 'huggingface_hub'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.stdout.strip(), done.returncode) == ("", 0), done.stderr


@pytest.mark.parametrize(
    ("name", "mend"), [("nobody/nothing", "download=True"), ("./nothing", "Name the folder")]
)
def test_missing_model(name, mend, monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ModelError, match=mend):
        PretrainedEmbedding(name).transform(CLIPS)


def test_missing_libraries(checkpoint, monkeypatch):
    _pretrained._load.cache_clear()
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(OptionError, match=r"sklearn-ser\[embeddings\]"):
        PretrainedEmbedding(checkpoint).transform(CLIPS)


def damage(folder, how):
    if how == "no weights":
        weights = torch.nn.Linear(2, 2).state_dict()
        (folder / "model.safetensors").unlink()
        torch.save(weights, folder / "pytorch_model.bin")
    elif how == "half":
        data = (folder / "model.safetensors").read_bytes()
        (folder / "model.safetensors").write_bytes(data[: len(data) // 2])
    elif how == "no extractor":
        (folder / "preprocessor_config.json").unlink()
    elif how == "other kind":
        (folder / "config.json").write_text('{"model_type": "bert", "hidden_size": 2}')
    elif how == "more layers":
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 5}))
    else:
        write_checkpoint(folder, rate=8000)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("no weights", "safetensors"),
        ("half", "cannot be loaded"),
        ("no extractor", "preprocessor_config.json"),
        ("other kind", "config"),
        ("more layers", "lacks .* of its model's weights"),
        ("other rate", "8000 Hz"),
    ],
)
def test_damaged_checkpoints(checkpoint, tmp_path, how, message):
    folder = tmp_path / "checkpoint"
    shutil.copytree(checkpoint, folder)
    damage(folder, how)
    with pytest.raises(ModelError, match=message):
        PretrainedEmbedding(folder).transform(CLIPS)


def test_wrong_settings(checkpoint):
    with pytest.raises(OptionError, match="needs a model"):
        PretrainedEmbedding().fit(CLIPS)
    with pytest.raises(OptionError, match="sr=22050"):
        PretrainedEmbedding(checkpoint, sr=22050).fit(CLIPS)
    with pytest.raises(OptionError, match="has 3 layers"):
        PretrainedEmbedding(checkpoint, layer=4).transform(CLIPS)
    with pytest.raises(ValueError, match="layer"):
        PretrainedEmbedding(checkpoint, layer="last").fit(CLIPS)


def test_shortest_clip(checkpoint):
    embedding = PretrainedEmbedding(checkpoint)
    shortest = 10 + 7 * 20
    assert embedding.transform([CLIPS[0][:shortest]]).shape == (1, 16)
    with pytest.raises(AudioError, match=f"fewer than the {shortest}"):
        embedding.transform([CLIPS[0], CLIPS[0][: shortest - 1]])


def test_half_precision_weights_compute_in_single(checkpoint, tmp_path):
    network = transformers.Wav2Vec2Model.from_pretrained(checkpoint)
    shutil.copytree(checkpoint, tmp_path / "half")
    network.half().save_pretrained(tmp_path / "half")
    X = PretrainedEmbedding(tmp_path / "half").transform(CLIPS)
    assert X.dtype == np.float32
    np.testing.assert_allclose(X, PretrainedEmbedding(checkpoint).transform(CLIPS), atol=0.02)


def test_pandas_output(checkpoint):
    embedding = PretrainedEmbedding(checkpoint).set_output(transform="pandas")
    assert isinstance(embedding.fit_transform(CLIPS), pd.DataFrame)
