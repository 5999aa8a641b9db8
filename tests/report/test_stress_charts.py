"""The curves of degraded clips, and their section in the report."""

import json

import pytest

from sklearn_ser.report.run_page import write_report
from sklearn_ser.report.stress_charts import draw_stress


@pytest.fixture
def stress():
    def row(kind, strength=None, uar=0.5):
        unit = None if strength is None else "dB"
        return {
            "name": kind if strength is None else f"{kind}, {strength:g} dB",
            "degradation": kind, "strength": strength, "unit": unit, "n": 40,
            "accuracy": uar, "accuracy_interval": [uar, uar], "uar": uar, "macro_f1": uar,
            "uar_interval": [uar - 0.1, uar + 0.1], "changed": 0.1, "most_predicted": "<calm>",
            "most_predicted_share": 0.95 if uar < 0.3 else 0.3,
        }  # fmt: skip

    noises = [
        row(f"{kind} noise", strength, 0.8 - (30 - strength) / 50)
        for kind in ("white", "real")
        for strength in (30.0, 10.0, 0.0)
    ]
    others = [row("telephone band", uar=0.25), row("MP3", uar=0.75)]
    return {
        "n_clips": 40, "seed": 0, "chance": {"accuracy": 0.3, "uar": 0.25},
        "seen_in_training": False, "noise": {"n": 7, "n_clips": 0},
        "conditions": [row("as recorded", uar=0.815), *noises, *others],
    }  # fmt: skip


def test_curves_begin_with_the_clips_as_recorded_and_show_chance(stress):
    noise, others = draw_stress(stress)
    assert "0.815 as recorded; from 30 to 0 dB white noise from 0.800 to 0.200" in noise.alt
    assert "real noise from" in noise.alt
    assert "brown" not in noise.svg
    assert "guessing" in noise.svg
    assert "under 2 other degradations: the worst is telephone band with 0.250" in others.alt
    assert "MP3" in others.svg
    assert "white noise" not in others.svg
    assert draw_stress(stress)[0].svg == noise.svg


def test_runs_of_an_older_version_have_no_curves():
    rows = [{"name": "noise at 10 dB", "accuracy": 0.5, "uar": 0.5, "changed": 0.1}]
    assert draw_stress({"n_clips": 3, "conditions": rows}) == []


def test_the_report_has_the_section_where_clips_were_degraded(stress, model, tmp_path):
    metrics = json.loads((model / "metrics.json").read_text())
    card = json.loads((model / "card.json").read_text())
    page = tmp_path / "report.html"
    charts = write_report(page, "x", metrics | {"stress": stress}, card, [])
    assert [chart.name for chart in charts] == ["robustness_noise", "robustness_others"]
    text = page.read_text()
    assert '<h2 id="robustness">Robustness</h2>' in text
    assert "It gives one answer (&lt;calm&gt;) to nearly everything in" in text
    assert "<calm>" not in text
    assert "Real noise: 7 recordings that training did not use." in text
    assert text.count('<th scope="row">white noise, ') == 3
    write_report(page, "x", metrics, card, [])
    assert "robustness" not in page.read_text()
    old = {"n_clips": 3, "seen_in_training": True, "conditions": [
        {"name": "noise at 10 dB", "accuracy": 0.5, "uar": 0.5, "changed": 0.1}]}  # fmt: skip
    write_report(page, "x", metrics | {"stress": old}, card, [])
    assert "noise at 10 dB" in page.read_text()
