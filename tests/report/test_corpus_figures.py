"""The figures of a corpus: what they count, and that nothing odd in a corpus stops them."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from matplotlib.image import imread
from typer.testing import CliRunner

from sklearn_ser.cli import app
from sklearn_ser.corpora import load_data
from sklearn_ser.report.corpus_figures import MOST_BARS, explore
from sklearn_ser.report.example_clips import durations


def show(*words, code=0):
    result = CliRunner().invoke(app, ["corpora", "show", *map(str, words)])
    assert result.exit_code == code, result.output
    return result


@pytest.fixture
def odd_corpus(little_corpus, tmp_path):
    """The little corpus with a file that is no audio, and one whose header is all there is."""
    folder = tmp_path / "odd"
    shutil.copytree(little_corpus, folder)
    (folder / "angry" / "0.wav").write_text("no audio")
    header = (folder / "sad" / "0.wav").read_bytes()[:44]
    (folder / "sad" / "0.wav").write_bytes(header)
    return folder


def test_corpora_show_plots(odd_corpus, tmp_path):
    result = show(odd_corpus, "--plots", tmp_path / "new" / "plots", "--json")
    paths = json.loads(result.stdout)["plots"]
    names = ["emotions", "durations", "waveforms", "spectrograms"]  # speakers are not known
    assert paths == [str(tmp_path / "new" / "plots" / f"{name}.png") for name in names]
    assert all(imread(path).std() > 0.05 for path in paths)
    assert "figures: emotions.png" in show(odd_corpus, "--plots", tmp_path / "again").stdout


def test_a_folder_that_cannot_be_written(little_corpus, tmp_path):
    (tmp_path / "file").touch()
    result = show(little_corpus, "--plots", tmp_path / "file" / "x", code=1)
    assert "emotions.png cannot be written: Not a directory" in result.stderr


def test_bars_count_clips():
    table = pd.DataFrame(
        {
            "path": "x.wav",
            "emotion": ["sad"] * 3 + ["calm"] * 2,
            "speaker": ["a", "a", "b", "b", "b"],
            "text": None,
        }
    )
    figures = dict(explore(table, pd.Series(np.nan, index=table.index)))
    assert list(figures) == ["emotions", "speakers"]  # no file can be read
    bars = figures["emotions"].axes[0].patches
    assert sorted((bar.get_x().round(), bar.get_height()) for bar in bars) == [
        (0, 0), (0, 2), (1, 1), (1, 2)
    ]  # fmt: skip


def test_many_speakers_are_limited():
    table = pd.DataFrame(
        {"path": "x.wav", "emotion": "sad", "speaker": [f"s{i}" for i in range(99)], "text": None}
    )
    axes = dict(explore(table, pd.Series(np.nan, index=table.index)))["speakers"].axes[0]
    assert len(axes.patches) == MOST_BARS
    assert "the 60 largest of 99" in axes.get_title()


def test_durations_are_those_of_the_files(little_corpus):
    table = load_data(str(little_corpus))
    seconds = durations(table["path"])
    np.testing.assert_allclose(seconds, 0.4)
    figure = dict(explore(table, seconds))["durations"]
    assert sum(bar.get_height() for bar in figure.axes[0].patches) == 24
