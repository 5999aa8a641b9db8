"""Runs side by side: grouped, sorted, compared; damaged folders are named."""

import json
import re
import shutil

import pandas as pd
import pytest

from sklearn_ser import load_run
from sklearn_ser.exceptions import ModelError, OptionError
from sklearn_ser.runs import RunOptions, diff_runs, fit_run, list_runs
from tests.conftest import run


@pytest.fixture(scope="module")
def folder(spoken, tmp_path_factory):
    """Three runs: two under one split, one under another."""
    folder = tmp_path_factory.mktemp("runs")
    for name, clf, split in [
        ("a", "logreg", "speaker"),
        ("b", "rf", "speaker"),
        ("c & d", "logreg", "random"),
    ]:
        fit_run(RunOptions(str(spoken), clf=clf, split=split, features="mfcc", out=folder / name))
    return folder


@pytest.fixture
def copies(folder, tmp_path):
    """Give a function that copies a run and changes its documents."""

    def copy(name, of="a", metrics=None, card=None):
        shutil.copytree(folder / of, tmp_path / name)
        for file, changes in (("metrics.json", metrics), ("card.json", card)):
            document = json.loads((tmp_path / name / file).read_text()) | (changes or {})
            (tmp_path / name / file).write_text(json.dumps(document))

    copy.folder = tmp_path
    return copy


def test_other_splits_are_not_ranked_together(folder):
    groups = list_runs(folder)["groups"]
    assert [group["split"] for group in groups] == ["random", "speaker"]  # the newest run first
    assert [{row["run"] for row in group["runs"]} for group in groups] == [{"c & d"}, {"a", "b"}]
    assert all(group["same_test"] for group in groups)
    for group in groups:
        for row in group["runs"]:
            metrics = json.loads((folder / row["run"] / "metrics.json").read_text())
            assert row["uar"] == metrics["uar"]
            assert row["uar_interval"] == metrics["uar_interval"]


def test_groups_by_time_and_runs_by_score(copies):
    for name, uar, day in [("low", 0.2, 3), ("high", 0.9, 1), ("mid", 0.5, 2)]:
        copies(name, metrics={"uar": uar}, card={"created": f"2026-01-0{day}T00:00:00+00:00"})
    copies("newer", of="c & d", card={"created": "2026-01-04T00:00:00+00:00"})
    groups = list_runs(copies.folder)["groups"]
    assert [[row["run"] for row in group["runs"]] for group in groups] == [
        ["newer"],
        ["high", "mid", "low"],
    ]


def test_other_data_and_other_test_clips(copies):
    copies("a")
    document = json.loads((copies.folder / "a" / "card.json").read_text())
    copies("seed", card={"split": document["split"] | {"seed": 7}})
    copies("data", card={"data": document["data"] | {"fingerprint": "0" * 64}})
    groups = list_runs(copies.folder)["groups"]
    assert sorted(len(group["runs"]) for group in groups) == [1, 2]
    assert {len(group["runs"]): group["same_test"] for group in groups} == {1: True, 2: False}
    out, _ = run("runs", copies.folder)
    assert out.count("do not all test the same clips") == 1


def test_damaged_runs_are_named_and_others_shown(copies):
    folder = copies.folder
    for name in ("whole", "text", "nothing", "card", "kind", "list"):
        copies(name)
    (folder / "text" / "metrics.json").write_text("{")
    (folder / "nothing" / "metrics.json").unlink()
    (folder / "card" / "card.json").write_text('{"card_format": 1}')
    (folder / "kind" / "metrics.json").write_text('{"accuracy": "high"}')
    (folder / "list" / "metrics.json").write_text("[1]")
    (folder / "no run").mkdir()
    (folder / ".left.partial").mkdir()
    (folder / ".left.partial" / "options.json").write_text("{}")
    found = list_runs(folder)
    assert [row["run"] for group in found["groups"] for row in group["runs"]] == ["whole"]
    reasons = {row["run"]: row["reason"] for row in found["damaged"]}
    assert set(reasons) == {"text", "nothing", "card", "kind", "list"}
    assert "is not JSON" in reasons["text"]
    assert "has no metrics.json" in reasons["nothing"]
    assert "is not a whole card" in reasons["card"]
    assert "no accuracy of the right kind" in reasons["kind"]
    assert [row["run"] for row in found["unfinished"]] == ["left"]
    out, _ = run("runs", folder, "--html")
    page = (folder / "index.html").read_text()
    for text in (out, page):
        assert "damaged" in text.lower()
        assert "is not JSON" in text
    assert f"resume={folder / 'left'}" in page


def test_comparisons_and_evaluations_are_no_damaged_runs(copies):
    copies("a")
    for name, file in [("c", "comparison.json"), ("e", "evaluation.json")]:
        (copies.folder / name).mkdir()
        (copies.folder / name / file).write_text("{}")
        (copies.folder / name / "predictions.csv").write_text("path\n")
    (copies.folder / "e" / "report.html").write_text("")
    found = list_runs(copies.folder)
    assert found["damaged"] == []
    assert found["others"] == [
        {"run": "c", "kind": "comparison", "report": False},
        {"run": "e", "kind": "evaluation", "report": True},
    ]
    out, _ = run("runs", copies.folder, "--html")
    assert "Beside them: c (comparison), e (evaluation)." in out
    page = (copies.folder / "index.html").read_text()
    assert "e/report.html" in page
    assert "c/report.html" not in page


def test_the_page_links_to_the_reports(folder):
    out, _ = run("runs", folder, "--html")
    assert out.splitlines()[-1] == f"Page: {folder / 'index.html'}"
    page = (folder / "index.html").read_text()
    links = re.findall(r'href="([^"]*)"', page)
    assert sorted(links) == ["a/report.html", "b/report.html", "c%20%26%20d/report.html"]
    assert "c &amp; d" in page
    assert "default-src 'none'" in page
    assert page.index("random split") < page.index("speaker split")
    for group in list_runs(folder)["groups"]:
        for row in group["runs"]:
            assert f"<strong>{row['uar']:.3f}</strong>" in page
    shutil.copytree(folder / "a", folder / "e")  # the page in the folder is no run
    (folder / "e" / "report.html").unlink()
    run("runs", folder, "--html")
    assert "e/report.html" not in (folder / "index.html").read_text()
    shutil.rmtree(folder / "e")


def test_json_of_runs(folder):
    out, _ = run("runs", folder, "--json")
    assert json.loads(out) == list_runs(folder)


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_no_number_is_cut(folder, columns, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    out, _ = run("runs", folder)
    assert "…" not in out
    for group in list_runs(folder)["groups"]:
        for row in group["runs"]:
            assert "{:.3f} to {:.3f}".format(*row["uar_interval"]) in out
            assert f" {row['uar']:.3f} " in out
    assert max(len(line) for line in out.splitlines() if "│" in line) <= columns


def test_diff_of_two_runs(folder):
    found = diff_runs(folder / "a", folder / "b")
    assert found["options"]["clf"] == ["logreg", "rf"]
    assert set(found["options"]) == {"clf", "classifier"}
    a, b = (load_run(folder / name) for name in "ab")
    for name, (first, second, difference) in found["scores"].items():
        assert (first, second) == (a.metrics[name], b.metrics[name])
        assert difference == pytest.approx(second - first)
    right = [table["truth"] == table["prediction"] for table in (a.predictions, b.predictions)]
    clips = found["clips"]
    assert clips["n_common"] == len(a.predictions)
    assert clips["both_right"] == int((right[0] & right[1]).sum())
    assert {row["path"] for row in clips["only_first"]} == set(
        a.predictions["path"][right[0] & ~right[1]]
    )
    assert {row["path"] for row in clips["only_second"]} == set(
        a.predictions["path"][right[1] & ~right[0]]
    )
    assert found["test"]["difference"] == pytest.approx(b.metrics["uar"] - a.metrics["uar"])
    out, _ = run("runs", "diff", folder / "a", folder / "b")
    assert f"{clips['both_right']} right in both" in out
    assert json.loads(run("runs", "diff", folder / "a", folder / "b", "--json")[0]) == found


def test_diff_without_common_clips(folder, copies):
    copies("a")
    predictions = pd.read_csv(copies.folder / "a" / "predictions.csv")
    predictions["path"] = "other/" + predictions["path"]
    predictions.to_csv(copies.folder / "a" / "predictions.csv", index=False)
    found = diff_runs(folder / "a", copies.folder / "a")
    assert found["test"] is None
    assert found["options"] == {}
    out, _ = run("runs", "diff", folder / "a", copies.folder / "a")
    assert "no clip in common" in out
    assert "the same options" in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere"], "nowhere is no folder"),
        (["one", "two"], "one folder, or diff and two runs"),
        (["diff", "a"], "two runs behind diff"),
        (["diff", "a", "b"], "a does not exist"),
        (["diff", "a", "b", "--html"], "leave them out with diff"),
    ],
)
def test_mistakes(words, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert message in run("runs", *words, code=2)[1]


def test_a_run_is_no_folder_of_runs(folder):
    with pytest.raises(OptionError, match="is a run itself"):
        list_runs(folder / "a")


def test_load_run(folder):
    saved = load_run(str(folder / "a"))
    assert saved.metrics["uar"] == json.loads((folder / "a" / "metrics.json").read_text())["uar"]
    assert len(saved.predictions) == saved.metrics["n_test"]
    assert list(saved.pipeline.named_steps) == ["audio", "features", "scale", "clf"]
    assert saved.report.exists()
    assert "where guessing gets" in repr(saved)
    shown = saved._repr_html_()
    assert f">{saved.metrics['uar']:.3f}</span> UAR" in shown
    for row in saved.metrics["confusion_matrix"]["counts"]:
        assert all(f">{n}</td>" in shown for n in row)
    assert shown.count("<th scope") == 2 * len(saved.metrics["confusion_matrix"]["labels"])
    assert "<script" not in shown


def test_labels_are_text_in_a_notebook(copies):
    evil = "<img src=x onerror=alert(1)>"
    copies("evil", metrics={"confusion_matrix": {"labels": [evil], "counts": [[1]]}})
    shown = load_run(copies.folder / "evil")._repr_html_()
    assert "<img" not in shown
    assert "&lt;img" in shown


def test_load_run_refuses_what_is_no_run(folder, tmp_path):
    with pytest.raises(ModelError, match="does not exist"):
        load_run(tmp_path / "x")
    with pytest.raises(ModelError, match="is a file"):
        load_run(folder / "a" / "metrics.json")
    shutil.copytree(folder / "a", tmp_path / "run")
    (tmp_path / "run" / "predictions.csv").write_text("x\n1\n")
    with pytest.raises(ModelError, match="no column path, prediction, truth"):
        _ = load_run(tmp_path / "run").predictions
