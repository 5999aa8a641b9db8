"""Commands without a model, and with the one that comes with the package."""

import json

import numpy as np
import pytest

from sklearn_ser.persistence import load_pipeline, read_card
from sklearn_ser.server.served_model import ServedModel
from tests.conftest import melody, run

ABOUT = read_card("demo")["about"]


@pytest.fixture
def clip(wav):
    return wav("clip.wav", melody())


def test_a_recording_alone_is_answered_by_demo(clip):
    out, err = run("predict", clip, "--json")
    document = json.loads(out)
    assert document["about"] == ABOUT
    assert ABOUT in err
    row = document["rows"][0]
    pipe = load_pipeline("demo")
    expected = dict(zip(pipe.classes_, pipe.predict_proba([clip])[0], strict=True))
    assert {name: row[f"p_{name}"] for name in expected} == pytest.approx(expected, rel=1e-4)
    assert run("predict", "demo", clip, "--csv", "-") == run("predict", clip, "--csv", "-")


def test_standard_output_holds_rows_alone(clip):
    out, err = run("predict", clip, "--jsonl")
    assert [json.loads(line)["path"] for line in out.splitlines()] == [str(clip)]
    assert ABOUT in err


def test_a_model_of_ones_own_says_nothing_of_demo(mine, model, clip):
    out, err = run("predict", model, clip, "--json")
    assert "about" not in json.loads(out)
    assert "demo" not in err


def test_a_folder_is_a_source_unless_it_is_of_a_run(clip):
    rows = json.loads(run("predict", clip.parent, "--json")[0])["rows"]
    assert [row["path"] for row in rows] == [str(clip)]


def test_a_path_that_is_not_there_may_have_meant_either(tmp_path):
    for command in ("predict", "listen"):
        err = run(command, tmp_path / "nothing.wav", code=2)[1]
        assert "nothing.wav is not there" in err
        assert ".skops" in err
        assert "pattern" in err
    assert "does not exist" in run("predict", tmp_path / "a.joblib", tmp_path, code=2)[1]
    assert "does not exist" in run("serve", tmp_path / "nothing", code=2)[1]


def test_a_model_alone_is_not_enough(model):
    for name in (model, "demo"):
        assert "name the files to predict" in run("predict", name, code=2)[1]


def test_listen_plays_a_file_to_demo(clip):
    out, err = run("listen", clip, "--window", 1, "--jsonl")
    assert json.loads(out.splitlines()[0])["probabilities"].keys() == set(
        read_card("demo")["classes"]
    )
    assert ABOUT in err
    assert "choose one" in run("listen", clip, "--source", "-", "--rate", 8000, code=2)[1]


def test_its_card_and_its_export(tmp_path, monkeypatch, clip):
    monkeypatch.chdir(tmp_path)
    assert "10 German actors" in run("card", "demo")[0]
    run("export", "demo", "--to", "skops")
    assert (tmp_path / "demo.skops").is_file()
    out, _ = run("predict", "demo.skops", clip, "--json")
    assert json.loads(out)["about"] == ABOUT


def test_evaluate_takes_it(little_corpus):
    metrics = json.loads(run("evaluate", "demo", "--data", little_corpus, "--json")[0])
    assert metrics["n_test"] == 24
    assert metrics["split"] != "seen in training"


def test_it_says_nothing_of_what_is_unlike_speech(wav, clip):
    rng = np.random.default_rng(0)
    noise = wav("noise.wav", rng.normal(size=40000) / 10)
    tone = wav("tone.wav", np.sin(np.arange(40000) * 0.06) / 3)
    rows = json.loads(run("predict", noise, tone, clip, "--json")[0])["rows"]
    assert [row["emotion"] == "silence" for row in rows] == [True, True, False]
    assert [row["warning"] for row in rows[:2]] == ["unlike speech"] * 2
    out, _ = run("listen", noise, "--window", 1, "--hop", 1, "--jsonl")
    assert [json.loads(line)["speech"] for line in out.splitlines()] == [False]


def test_any_model_listens_for_a_voice_where_it_is_told_to(mine, model, wav, clip):
    tone = wav("tone.wav", np.sin(np.arange(40000) * 0.06) / 3)
    for how in ((), ("--window", 1, "--hop", 1)):
        words = ("predict", model, tone, clip, *how, "--json")
        told = {
            vad: [
                row["emotion"] == "silence"
                for row in json.loads(run(*words, "--vad", vad)[0])["rows"]
            ]
            for vad in ("pitch", "energy")
        }
        assert told["pitch"] == [True, False]
        assert told["energy"] == [False, False]


def test_demo_follows_the_voices_of_a_call_unless_told_not_to(wav):
    files = [wav(f"{i}.wav", melody(pitch=100 + 40 * i, seed=i)) for i in range(4)]

    def probabilities(*how):
        rows = json.loads(run("predict", *files, *how, "--json")[0])["rows"]
        return [[value for name, value in row.items() if name.startswith("p_")] for row in rows]

    followed, alone = probabilities(), probabilities("--adapt", "none")
    assert followed == probabilities("--adapt", "corpus")
    assert np.allclose(followed[0], alone[0], rtol=1e-4)  # nothing was heard before it
    assert not np.allclose(followed[1:], alone[1:], rtol=0.01)
    assert np.allclose(alone, load_pipeline("demo").predict_proba(files))


def test_listen_follows_a_voice_where_demo_answers(mine, model, wav):
    file = wav("long.wav", melody(2.5))

    def lines(*words):
        out, _ = run("listen", *words, "--source", file, "--window", 1, "--hop", 0.5, "--jsonl")
        return out.splitlines()

    assert lines("demo") == lines("demo", "--adapt") != lines("demo", "--no-adapt")
    assert lines(model) == lines(model, "--no-adapt") != lines(model, "--adapt")


def test_what_was_adapted_cannot_be_resumed(clip, tmp_path):
    table = tmp_path / "rows.csv"
    err = run("predict", clip, "-o", table, "--resume", code=2)[1]
    assert "--adapt corpus" in err
    run("predict", clip, "-o", table, "--resume", "--adapt", "none")
    assert table.is_file()


def test_the_server_says_what_it_is_on_its_card():
    served = ServedModel("demo", trust=False, abstain_below=0.0)
    assert served.card["about"] == ABOUT
    assert served.state == "as loaded"
    assert served.predictor.voice
