"""Scores of each speaker and each sex."""

import numpy as np
import pandas as pd
import pytest

from sklearn_ser.metrics import score, score_by_group


def test_speakers_and_sexes():
    table = pd.DataFrame({"speaker": list("xxyyz"), "sex": ["male", None, "male", "male", "male"]})
    found = score_by_group(table, list("ababa"), list("abaaa"))
    assert [g["name"] for g in found["speaker"]["groups"]] == ["y", "x", "z"]
    assert found["speaker"]["spread"] == 0.5
    assert found["sex"] is None


def test_groups_are_scored_like_all_clips():
    rng = np.random.default_rng(0)
    speakers, truth, predicted = (
        rng.choice(list(letters), 300) for letters in ("xyz", "abc", "abc")
    )
    found = score_by_group(pd.DataFrame({"speaker": speakers}), truth, predicted)["speaker"]
    for group in found["groups"]:
        own = speakers == group["name"]
        scores = score(truth[own], predicted[own])
        assert group["n_clips"] == own.sum()
        assert group["accuracy"] == pytest.approx(scores["accuracy"])
        assert group["uar"] == pytest.approx(scores["uar"])
    uars = [group["uar"] for group in found["groups"]]
    assert uars == sorted(uars)
    assert found["sd"] == pytest.approx(np.std(uars))
