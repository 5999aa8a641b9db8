"""Text for a paper: a table of the scores for LaTeX, and a paragraph of methods with references."""

import inspect
import re
from collections.abc import Iterable, Mapping
from typing import Any

import sklearn_ser
from sklearn_ser.corpora._registry import find_reader
from sklearn_ser.features import count_features, name_features
from sklearn_ser.metrics import chance_level
from sklearn_ser.model_selection.splits import SPLITS, TRANSDUCTIVE

__all__ = ["write_methods", "write_results"]

SCIKIT_LEARN = (
    'Pedregosa, F. et al. "Scikit-learn: Machine learning in Python", Journal of Machine Learning '
    "Research 12, 2011, 2825-2830."
)
LIBROSA = (
    'McFee, B. et al. "librosa: Audio and music signal analysis in Python", Proc. 14th Python in '
    "Science Conference, 2015, 18-24."
)
SPECIAL = {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    **{letter: f"\\{letter}" for letter in "&%$#_{}"},
}  # fmt: skip


def write_results(metrics: Mapping[str, Any], card: Mapping[str, Any]) -> str:
    """Return the scores of a run as a table for LaTeX, with the rules of the package booktabs.

    Parameters
    ----------
    metrics, card : mapping
        What is in metrics.json and card.json.
    """
    rows = [
        f"{_tex(name)} & {row['precision']:.3f} & {row['recall']:.3f} & {row['f1']:.3f} & "
        f"{row['support']} \\\\"
        for name, row in metrics["per_emotion"].items()
    ]
    names = {"accuracy": "Accuracy", "uar": "UAR", "macro_f1": "Macro F1"}
    scores = []
    for name, heading in names.items():
        low, high = metrics[f"{name}_interval"]
        chance = metrics["chance"].get(name)
        guessing = "" if chance is None else f", chance {chance:.3f}"
        scores.append(
            f"{heading} & \\multicolumn{{4}}{{r}}{{{metrics[name]:.3f} [{low:.3f}, {high:.3f}]"
            f"{guessing}}} \\\\"
        )
    caption = (
        f"{_tex(card.get('recipe', 'Classifier'))} on {_tex(_data_name(card))}, "
        f"{_tex(metrics['split'])} split, {metrics['n_test']} test clips. In brackets: "
        f"{_tex(metrics['interval']['about'])}."
    )
    return "\n".join(
        [
            r"% \usepackage{booktabs} in the preamble",
            r"\begin{table}",
            r"\centering",
            f"\\caption{{{caption}}}",
            r"\begin{tabular}{lrrrr}",
            r"\toprule",
            r"Emotion & Precision & Recall & F1 & Clips \\",
            r"\midrule",
            *rows,
            r"\midrule",
            *scores,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def _tex(text: object) -> str:
    """Return text as LaTeX prints it."""
    return "".join(SPECIAL.get(letter, letter) for letter in " ".join(str(text).split()))


def _data_name(card: Mapping[str, Any]) -> str:
    return str(card.get("data", {}).get("name", "the corpus"))


class _References:
    """Numbered references, in the order in which they are cited."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def cite(self, texts: Iterable[str]) -> str:
        """Return the numbers of references in brackets, with a space before."""
        numbers = []
        for text in texts:
            if text not in self.texts:
                self.texts.append(text)
            numbers.append(self.texts.index(text) + 1)
        return f" [{', '.join(map(str, sorted(set(numbers))))}]" if numbers else ""


def write_methods(metrics: Mapping[str, Any], card: Mapping[str, Any]) -> str:
    """Return the paragraph of methods for a paper, filled in from a run, and its references.

    Parameters
    ----------
    metrics, card : mapping
        What is in metrics.json and card.json.
    """
    references = _References()
    sentences = [
        *_say_data(card, references),
        *_say_features(card, references),
        *_say_split(metrics, card),
        *_say_scores(metrics),
        _say_software(card, references),
    ]
    numbered = [f"[{number}] {text}" for number, text in enumerate(references.texts, 1)]
    return "\n\n".join([" ".join(sentences), "\n".join(numbered)]) + "\n"


def _say_data(card: Mapping[str, Any], references: _References) -> list[str]:
    data = card.get("data")
    if not data:
        return []
    cited = [reader.citation for name in data.get("corpora", []) if (reader := find_reader(name))]
    counts = ", ".join(f"{name} {n}" for name, n in data.get("emotions", {}).items())
    sentences = [
        f"The data were {data['n_clips']} clips of {data['name']}{references.cite(cited)} in "
        f"{len(card['classes'])} emotions ({counts})."
    ]
    if data.get("skipped"):
        sentences.append(f"{len(data['skipped'])} clips could not be read and were left out.")
    return sentences


def _say_features(card: Mapping[str, Any], references: _References) -> list[str]:
    names = list(dict.fromkeys(one.partition("(")[0] for one in card["features"]))
    described = name_features(card["features"]).replace("()", "")
    cited = [LIBROSA, *(text for name in names for text in _cited_by(name))]
    recipe = card["classifier"].partition("(")[0]
    sentences = [
        f"Clips were converted to mono at {card['sampling_rate']} Hz (resampler "
        f"{card['resampler']}). Of each clip, {described} were extracted: "
        f"{count_features(card['n_features'], card.get('n_frames'))}{references.cite(cited)}.",
        f"Features were {_say_scale(card)} and classified by {' '.join(card['classifier'].split())}"
        f"{references.cite([SCIKIT_LEARN, *_cited_by(recipe)])}.",
    ]
    if card.get("calibrated"):
        sentences.append("Probabilities were calibrated by temperature scaling.")
    if augmented := card.get("augmented"):
        named = augmented if isinstance(augmented, str) else ", ".join(map(str, augmented))
        sentences.append(f"Training clips were augmented with changed copies ({named}).")
    return sentences


def _say_scale(card: Mapping[str, Any]) -> str:
    if card.get("split", {}).get("transductive"):
        return "normalised by the clips of the same group, of the test set too,"
    if any(name.startswith("scale") for name in card.get("parameters", {})):
        return "scaled"
    return "scaled by their mean and standard deviation in the training set"


def _cited_by(name: str) -> list[str]:
    """Return the references in the documentation of one of our estimators."""
    estimator = getattr(sklearn_ser, name, None) if name in sklearn_ser.__all__ else None
    text = inspect.getdoc(estimator) or "" if estimator is not None else ""
    section = re.search(r"\nReferences\n-+\n(.*?)(?:\n\n\w[\w ]*\n-+\n|\Z)", text, re.DOTALL)
    if section is None:
        return []
    found = re.split(r"\.\. \[\d+\] ", section[1])[1:]
    return [" ".join(one.split()) for one in found]


def _say_split(metrics: Mapping[str, Any], card: Mapping[str, Any]) -> list[str]:
    split = card.get("split", {})
    meaning = SPLITS.get(metrics["split"], metrics["split"])
    seed = f", seed {split['seed']}" if "seed" in split else ""
    if "folds" in metrics:
        sentence = (
            f"Scores are of {len(metrics['folds'])} folds ({metrics['split']} split: {meaning}"
            f"{seed}), whose predictions are pooled."
        )
    else:
        sentence = (
            f"A {metrics['split']} split ({meaning}{seed}) gave {metrics['n_train']} clips for "
            f"training, {metrics['n_validation']} for validation and {metrics['n_test']} for "
            "testing."
        )
    sentences = [sentence]
    if "search" in metrics:
        found = metrics["search"]
        chosen = ", ".join(f"{name}={value}" for name, value in found["best_params"].items())
        sentences.append(
            f"Parameters were chosen among {found['n_candidates']} candidates by the UAR in folds "
            f"of the training set ({chosen})."
        )
    if metrics.get("transductive"):
        sentences.append(TRANSDUCTIVE)
    return [*sentences, *(metrics.get("audit") or {}).get("sentences", [])]


def _say_scores(metrics: Mapping[str, Any]) -> list[str]:
    def span(name: str) -> str:
        low, high = metrics[f"{name}_interval"]
        return f"{metrics[name]:.3f} [{low:.3f}, {high:.3f}]"

    return [
        "The unweighted average recall (UAR, the recall averaged over emotions) was "
        f"{span('uar')}, where guessing gets {chance_level(metrics):.3f}; accuracy was "
        f"{span('accuracy')} and macro F1 {span('macro_f1')}. In brackets are "
        f"{metrics['interval']['about']}."
    ]


def _say_software(card: Mapping[str, Any], references: _References) -> str:
    versions = dict(card["versions"])
    own = versions.pop("sklearn-ser", sklearn_ser.__version__)
    cited = (
        "The sklearn-ser developers. sklearn-ser: speech emotion recognition the scikit-learn way, "
        f"version {own}."
    )
    others = ", ".join(f"{name} {number}" for name, number in versions.items())
    return f"The software was sklearn-ser {own}{references.cite([cited])} with {others}."
