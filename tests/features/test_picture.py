"""The picture of a pipeline in a notebook: our own documentation, and no wider than the page."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest
from sklearn.base import BaseEstimator

from sklearn_ser import MFCC, ClipTransformer, SVMClassifier, make_pipeline


class Rows(HTMLParser):
    """The number of items side by side in each row of a picture."""

    def __init__(self, html):
        super().__init__()
        self.open, self.rows = [], []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        if tag != "div":
            return
        names = (dict(attributes).get("class") or "").split()
        if "sk-parallel" in names:
            self.rows.append(0)
            self.open.append(len(self.rows) - 1)
        else:
            if "sk-parallel-item" in names:
                self.rows[[row for row in self.open if row is not None][-1]] += 1
            self.open.append(None)

    def handle_endtag(self, tag):
        if tag == "div":
            self.open.pop()


def test_functionals_are_shown_in_rows():
    pipe = make_pipeline("svm", features="functionals")
    noise = np.random.default_rng(0).normal(size=(4, 8000)) / 10
    pipe.fit(noise, ["a", "b"] * 2)
    html = pipe._repr_html_()
    n_features = len(pipe["features"].get_feature_names_out())
    assert f"{n_features:,} features" in html
    names = [name for name, _ in pipe["features"].transformer_list]
    rows = Rows(html).rows
    assert sum(rows) == len(names)
    assert max(rows) <= 4
    places = [html.index(f"<label>{name}</label>") for name in names]
    assert places == sorted(places)


def test_few_features_stay_side_by_side():
    assert Rows(make_pipeline("svm", features="mfcc,chroma")._repr_html_()).rows == [2]


def test_links_lead_to_our_own_documentation(monkeypatch):
    monkeypatch.setenv("SKLEARN_SER_SITE", "https://example.org/ser/")
    html = make_pipeline("svm", features="mfcc,chroma")._repr_html_()
    links = set(re.findall(r'href="(https://example\.org[^"#]*)', html))
    names = ("AudioLoader", "AudioFeatureUnion", "MFCC", "Chroma", "SVMClassifier")
    assert links == {f"https://example.org/ser/reference/sklearn_ser.{name}.html" for name in names}
    assert "scikit-learn.org" in html  # of the pipeline itself


def test_without_an_address_and_for_others_there_is_no_link(monkeypatch):
    monkeypatch.delenv("SKLEARN_SER_SITE", raising=False)
    monkeypatch.setattr("sklearn_ser._sklearn.metadata", lambda name: _Metadata())
    assert MFCC()._get_doc_link() == ""
    monkeypatch.setattr(
        "sklearn_ser._sklearn.metadata",
        lambda name: _Metadata("Documentation, https://example.org"),
    )
    assert SVMClassifier()._get_doc_link().startswith("https://example.org/reference/")
    own = type("Own", (ClipTransformer,), {"__module__": "theirs"})
    assert own._get_doc_link(object.__new__(own)) == ""


class _Metadata:
    def __init__(self, *urls):
        self.urls = list(urls)

    def get_all(self, name):
        assert name == "Project-URL"
        return self.urls


@pytest.mark.parametrize("estimator", [MFCC(), SVMClassifier()])
def test_a_link_changes_no_estimator(estimator):
    assert isinstance(estimator, BaseEstimator)
    assert not [name for name in vars(estimator) if "doc" in name]
