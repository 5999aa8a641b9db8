"""How often a run opens the file of each clip."""

import re

import pytest

from sklearn_ser.audio import decoding
from tests.conftest import run


@pytest.mark.parametrize(
    "features", [("--features", "mfcc"), ("--clf", "cnn", "--param", "clf__epochs=1")]
)
def test_fit_reads_each_clip_once_and_those_in_its_report_once_more(
    little_corpus, clips, tmp_path, reads, monkeypatch, features
):
    decoded = []
    decode = decoding._decode
    monkeypatch.setattr(decoding, "_decode", lambda *a: decoded.append(a[2]) or decode(*a))
    for cache in ("cold", "warm"):
        reads.clear()
        decoded.clear()
        how = ("--report-audio", "--n-jobs", 1, "--out", tmp_path / cache)
        run("fit", "--data", little_corpus, *features, *how)
        assert set(reads) == set(clips)
        again = sorted(path for path, times in reads.items() if times > 1)
        assert set(reads.values()) == {1, 2}
        page = (tmp_path / cache / "report.html").read_text(encoding="utf-8")
        assert 0 < len(again) <= len(re.findall("<audio", page)) < len(clips)
        assert sorted(decoded) == sorted([*clips, *again] if cache == "cold" else again)


def test_compare_decodes_nothing_that_fit_has_decoded(
    little_corpus, clips, tmp_path, reads, monkeypatch
):
    how = ("--data", little_corpus, "--features", "mfcc", "--n-jobs", 1)
    run("fit", *how, "--out", tmp_path / "fit")
    reads.clear()
    with monkeypatch.context() as warm:
        warm.setattr(decoding, "_decode", pytest.fail)
        run("compare", *how, "--split", "random", "--clf", "logreg", "--out", tmp_path / "compare")
    assert reads == dict.fromkeys(clips, 1)
