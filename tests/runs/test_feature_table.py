"""A corpus as a table of features."""

import pytest

from sklearn_ser.corpora import load_data
from sklearn_ser.exceptions import OptionError, UnfinishedError
from sklearn_ser.pipelines import make_pipeline
from sklearn_ser.runs.feature_table import write_feature_table


def test_keyboard_interrupt_keeps_the_features(little_corpus, tmp_path):
    def stop(done, total):
        raise KeyboardInterrupt

    table, out = load_data(little_corpus), tmp_path / "t.csv"
    with pytest.raises(UnfinishedError, match="same command goes on"):
        write_feature_table(make_pipeline("passthrough", "mfcc"), table, out, on_batch=stop)
    assert not out.exists()
    summary = write_feature_table(make_pipeline("passthrough", "mfcc"), table, out)
    assert summary["n_clips"] == 24
    assert [path.name for path in tmp_path.glob("*t.csv*")] == ["t.csv"]


def test_lock(little_corpus, tmp_path):
    table, out = load_data(little_corpus), tmp_path / "t.csv"

    def write_too(done, total):
        with pytest.raises(OptionError, match="Another process is writing"):
            write_feature_table(make_pipeline("passthrough", "mfcc"), table, out)

    pipeline = make_pipeline("passthrough", "mfcc")
    assert write_feature_table(pipeline, table, out, on_batch=write_too)["n_clips"] == 24


def test_sequences_are_refused_before_the_work(little_corpus, tmp_path):
    def work(done, total):
        raise AssertionError("the work was begun")

    pipeline = make_pipeline("passthrough", "logmel")
    with pytest.raises(OptionError, match="no table form"):
        write_feature_table(pipeline, load_data(little_corpus), tmp_path / "t.csv", on_batch=work)
