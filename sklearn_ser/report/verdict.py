"""What scores mean, in sentences: for the end of a command, and the top of a report."""

from collections.abc import Mapping, Sequence
from typing import Any

from sklearn_ser.metrics import (
    Calibration,
    Metrics,
    chance_level,
    constant_prediction,
    is_better_than_chance,
)
from sklearn_ser.metrics.schema import Stress
from sklearn_ser.model_selection.splits import SPLITS, TRANSDUCTIVE

__all__ = [
    "describe_audit",
    "describe_calibration",
    "describe_corpora",
    "describe_guessing",
    "describe_map",
    "describe_relation",
    "describe_run",
    "describe_stress",
    "headline",
    "name_split",
    "order_splits",
    "verdict",
]

# What a test set of each split holds that the training set does not.
UNSEEN = {
    "random": "On a random split",
    "speaker": "On unseen speakers",
    "text": "On unseen texts",
    "speaker+text": "On unseen speakers and texts",
    "corpus": "On unseen corpora",
}


def verdict(metrics: Metrics | Mapping[str, Any]) -> str:
    """Say what the scores of a run mean.

    Parameters
    ----------
    metrics : mapping
        What is in metrics.json.

    Returns
    -------
    sentences : str
        First whether the classifier is better than guessing, then accuracy, UAR, chance level and
        split.
    """
    interval = metrics.get("accuracy_interval")
    between = f" (95% interval {interval[0]:.1%} to {interval[1]:.1%})" if interval else ""
    how = ", transductive" if metrics.get("transductive") else ""
    where = name_split(metrics["split"])
    if "n_seen" in metrics:
        split = describe_relation(metrics) + how
    elif meaning := SPLITS.get(metrics["split"]):
        split = f"on a {where}{how}: {meaning}"
    else:
        split = f"on the {where}{how}"
    scores = (
        f"{metrics['accuracy']:.1%}{between} of {metrics['n_test']} test clips are recognised, UAR "
        f"{metrics['uar']:.3f} where guessing gets {chance_level(metrics):.3f}, {split}."
    )
    return " ".join(sentence for sentence in (describe_guessing(metrics), scores) if sentence)


def describe_relation(metrics: Metrics | Mapping[str, Any]) -> str:
    """Say what the clips of an evaluation are to the model.

    Examples
    --------
    >>> from sklearn_ser.report.verdict import describe_relation
    >>> describe_relation({"split": "seen in training", "n_seen": 7})
    '7 of them seen in training'
    """
    return {
        "none": "no clip seen in training",
        "cross-corpus": "a cross-corpus score",
        "seen in training": f"{metrics['n_seen']} of them seen in training",
    }[metrics["split"]]


def describe_guessing(metrics: Metrics | Mapping[str, Any]) -> str | None:
    """Say that a classifier is no better than guessing, where the interval of its UAR says so.

    Examples
    --------
    >>> from sklearn_ser.report.verdict import describe_guessing
    >>> describe_guessing({"uar_interval": [0.4, 0.6], "chance": {"uar": 0.5}})
    'No better than guessing.'
    """
    if is_better_than_chance(metrics):
        return None
    if chance_level(metrics) == 1:
        return "With one emotion in the test set nothing can be better than guessing it."
    constant = constant_prediction(metrics.get("confusion_matrix"))
    if constant is None:
        if metrics.get("uar", 0) > (1 + chance_level(metrics)) / 2:  # nearer to perfect
            return "Too few clips to say whether it is better than guessing."
        return "No better than guessing."
    emotion, n_clips = constant
    clips = "every clip" if n_clips == metrics["n_test"] else f"{n_clips} clips"
    return f"It predicts {emotion} for {clips}: no better than guessing."


def describe_run(metrics: Metrics | Mapping[str, Any]) -> list[str]:
    """Return the sentences before the verdict of a fit: sets, calibration, duration, corpora.

    Parameters
    ----------
    metrics : mapping
        What is in metrics.json of a fit or a search.
    """
    sizes = (
        f"{metrics['n_train']} clips in the training set, {metrics['n_validation']} in the "
        f"validation set, {metrics['n_test']} in the test set."
    )
    if "folds" in metrics:
        sizes = (
            f"{len(metrics['folds'])} folds, whose predictions are pooled: {sizes} The saved "
            "pipeline is fitted on all clips; the scores are those of the folds' pipelines."
        )
    return [
        f"{name_split(metrics['split'])}: {sizes}",
        *([TRANSDUCTIVE] if metrics["transductive"] else []),
        *([describe_map(metrics["map"])] if "map" in metrics else []),
        *([calibrated] if (calibrated := describe_calibration(metrics["calibration"])) else []),
        f"{metrics['seconds']:.1f} s. Run: {metrics['run']}",
        *([by_corpus] if (by_corpus := describe_corpora(metrics)) else []),
    ]


def describe_map(mapping: Mapping[str, str]) -> str:
    """Say which labels count as another emotion.

    Examples
    --------
    >>> from sklearn_ser.report.verdict import describe_map
    >>> describe_map({"calm": "neutral", "boredom": "sad"})
    'Mapped labels: calm counts as neutral, boredom as sad.'
    """
    (label, emotion), *others = mapping.items()
    more = "".join(f", {label} as {emotion}" for label, emotion in others)
    return f"Mapped labels: {label} counts as {emotion}{more}."


def describe_stress(stress: Stress | Mapping[str, Any]) -> list[str]:
    """Say what the scores of degraded clips are, and where every clip gets the same prediction.

    Parameters
    ----------
    stress : mapping
        As under stress in metrics.json.
    """
    seen = "all" if stress.get("seen_in_training") else "none of them"
    sentences = [f"{stress['n_clips']} clips, {seen} seen in training."]
    if "chance" in stress:
        sentences[0] += f" Guessing gets a UAR of {stress['chance']['uar']:.3f}."
    for emotion, names in one_prediction(stress).items():
        sentences.append(f"It gives one answer ({emotion}) to nearly everything in: {names}.")
    noise = stress.get("noise")
    if noise and noise["n"]:
        sentences.append(f"Real noise: {noise['n']} recordings that training did not use.")
        if noise["n_clips"]:
            sentences.append(
                f"{noise['n_clips']} of them are clips of the corpus: remove them from the folder "
                "of noise."
            )
    elif noise:
        sentences.append("Real noise was not tested: training has used all recordings.")
    elif "noise" in stress:
        sentences.append("Real noise was not tested: `noise=DIR` names a folder of recordings.")
    return sentences


def one_prediction(stress: Stress | Mapping[str, Any]) -> dict[str, str]:
    """Return, by emotion, the conditions where nine of ten clips or more are predicted alike."""
    found: dict[str, dict[str, list[str]]] = {}
    for row in stress["conditions"]:
        if row.get("most_predicted_share", 0) < ONE_ANSWER:
            continue
        kind = found.setdefault(row["most_predicted"], {}).setdefault(row["degradation"], [])
        if row["strength"] is not None:
            kind.append(f"{row['strength']:g}")
    units = {row.get("degradation"): row.get("unit") for row in stress["conditions"]}
    return {
        emotion: "; ".join(
            f"{name} of {', '.join(strengths)} {units[name]}" if strengths else name
            for name, strengths in kinds.items()
        )
        for emotion, kinds in found.items()
    }


ONE_ANSWER = 0.9  # of the predictions


def describe_audit(audit: Mapping[str, Any] | None) -> list[tuple[bool, str]]:
    """Return what the audit of a split found: whether it is good, and a sentence.

    Parameters
    ----------
    audit : mapping or None
        As in metrics.json.

    Examples
    --------
    >>> from sklearn_ser.report.verdict import describe_audit
    >>> describe_audit({"sentences": ["No copies.", "One text."], "warnings": ["One text."]})
    [(True, 'No copies.'), (False, 'One text.')]
    """
    audit = audit or {}
    sentences = audit.get("sentences", [])
    warnings = audit.get("warnings")
    if warnings is None:  # a run of an earlier version
        warnings = [sentence for sentence in sentences if not sentence.startswith("No ")]
    return [(sentence not in warnings, sentence) for sentence in sentences]


def describe_corpora(metrics: Metrics | Mapping[str, Any]) -> str | None:
    """Say how each corpus was recognised by what the others taught; None for other splits.

    Examples
    --------
    >>> from sklearn_ser.report.verdict import describe_corpora
    >>> folds = [{"test_corpora": ["tess"], "uar": 0.7}, {"test_corpora": ["emodb"], "uar": 0.6}]
    >>> describe_corpora({"folds": folds, "uar_mean_over_corpora": 0.65})
    'UAR of each corpus, fitted on the others: tess 0.700, emodb 0.600; mean 0.650.'
    """
    if "uar_mean_over_corpora" not in metrics:
        return None
    each = ", ".join(
        f"{', '.join(fold['test_corpora'])} {fold['uar']:.3f}" for fold in metrics["folds"]
    )
    mean = metrics["uar_mean_over_corpora"]
    return f"UAR of each corpus, fitted on the others: {each}; mean {mean:.3f}."


def describe_calibration(calibration: Calibration | Mapping[str, Any]) -> str | None:
    """Say what calibration has changed, for the better or the worse; None where there was none.

    Examples
    --------
    >>> from sklearn_ser.report.verdict import describe_calibration
    >>> describe_calibration({"ece": 0.02, "ece_before": 0.08})
    'Calibrated: expected calibration error 0.0200, 0.0800 before.'
    """
    if "ece_before" not in calibration:
        return None
    after, before = calibration["ece"], calibration["ece_before"]
    errors = f"expected calibration error {after:.4f}, {before:.4f} before"
    if after <= before:
        return f"Calibrated: {errors}."
    return (
        f"Calibration made the confidence worse: {errors}. Leave out `calibrate`, or give it more "
        "validation clips."
    )


def name_split(split: str) -> str:
    """Return what sentences call a split, or the published folds in the place of one.

    Examples
    --------
    >>> from sklearn_ser.report.verdict import name_split
    >>> name_split("speaker"), name_split("folds of emodb")
    ('speaker split', 'folds of emodb')
    """
    return f"{split} split" if split in SPLITS else split


def order_splits(splits: Sequence[str]) -> list[str]:
    """Return splits with those first that test unseen speakers: they say what a score is worth."""
    return sorted(dict.fromkeys(splits), key=lambda split: "speaker" not in split)


def headline(
    rows: Sequence[Mapping[str, Any]], tests: Mapping[str, Sequence[Mapping[str, Any]]]
) -> str:
    """Say which classifier is best under each split, if any is; unseen speakers come first.

    Parameters
    ----------
    rows : sequence of dict
        The rows of a comparison: clf, split, uar, uar_interval and chance.
    tests : mapping of str to sequence of dict
        By split, what `compare_pairs` returned.

    Returns
    -------
    sentences : str

    Examples
    --------
    >>> from sklearn_ser.report.verdict import headline
    >>> row = {"split": "speaker", "chance": {"uar": 0.5}}
    >>> rows = [row | {"clf": "svm", "uar": 0.8, "uar_interval": [0.7, 0.9]},
    ...         row | {"clf": "mlp", "uar": 0.7, "uar_interval": [0.6, 0.8]}]
    >>> pair = {"better": "svm", "worse": "mlp", "within_noise": True}
    >>> headline(rows, {"speaker": [pair]})
    'On unseen speakers no clear best: svm 0.800 and mlp 0.700 UAR are within noise (chance 0.500).'
    """
    return " ".join(
        _say_best([row for row in rows if row["split"] == split], tests.get(split, ()))
        for split in order_splits([row["split"] for row in rows])
    )


def _say_best(rows: Sequence[Mapping[str, Any]], pairs: Sequence[Mapping[str, Any]]) -> str:
    """Return the sentence of one split."""
    ranked = sorted(rows, key=lambda row: -row["uar"])
    best = ranked[0]
    where = UNSEEN.get(best["split"], f"On the {name_split(best['split'])}")
    if any(row.get("transductive") for row in rows):
        where += " (transductive)"
    uar, chance = f"{best['uar']:.3f}", f"chance {best['chance']['uar']:.3f}"
    if not any(is_better_than_chance(row) for row in rows):
        if len(rows) == 1:
            return f"{where} {best['clf']} is no better than guessing: UAR {uar} ({chance})."
        return f"{where} no classifier is better than guessing: the best UAR is {uar} ({chance})."
    noise = [{pair["better"], pair["worse"]} for pair in pairs if pair["within_noise"]]
    tied = [row for row in ranked[1:] if {best["clf"], row["clf"]} in noise]
    if not tied:
        words = "is best, with" if len(rows) > 1 else "has"
        return f"{where} {best['clf']} {words} a UAR of {uar} ({chance})."
    *others, last = [f"{row['clf']} {row['uar']:.3f}" for row in [best, *tied]]
    return f"{where} no clear best: {', '.join(others)} and {last} UAR are within noise ({chance})."
