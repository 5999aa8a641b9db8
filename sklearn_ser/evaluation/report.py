"""The page a person opens: one file that needs nothing else."""

import base64
import json
from pathlib import Path
from typing import Any

from sklearn_ser.evaluation.splits import SPLITS

__all__ = ["verdict", "write_report"]

FIGURES = {
    "confusion_matrix.png": ("Confusion matrix", "How often each emotion was taken for each other"),
    "training_curves.png": ("Training", "Loss and accuracy by epoch, the kept epoch marked"),
}


def verdict(metrics: dict[str, Any]) -> str:
    """Say in one sentence what the scores mean."""
    meaning = SPLITS.get(metrics["split"], metrics["split"])
    return (
        f"{metrics['accuracy']:.1%} of {metrics['n_test']} unseen clips are recognised "
        f"(UAR {metrics['uar']:.3f}) on a {metrics['split']} split: {meaning}."
    )


def write_report(path: Path, title: str, metrics: dict, card: dict, notes: list[str]) -> None:
    """Write the page of a run.

    Parameters
    ----------
    path : Path
        The HTML file; the run's figures lie in the folder `figures` beside it.
    title : str
    metrics : dict
        What is in metrics.json.
    card : dict
        What is in card.json.
    notes : list of str
        Sentences that belong under the verdict.
    """
    import jinja2

    template = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True
    ).get_template("report.html")
    figures = []
    for name, (heading, alt) in FIGURES.items():
        file = path.parent / "figures" / name
        if file.exists():
            data = base64.b64encode(file.read_bytes()).decode()
            figures.append({"title": heading, "alt": alt, "data": data})
    parts = [("test", metrics["n_test"], metrics)]
    parts += [
        (name, metrics[f"n_{name}"], metrics[name])
        for name in ("validation", "train")
        if metrics[name]
    ]
    page = template.render(
        title=title,
        verdict=verdict(metrics),
        notes=notes,
        metrics=metrics,
        parts=parts,
        figures=figures,
        card=json.dumps(card, indent=2, ensure_ascii=False),
    )
    path.write_text(page, encoding="utf-8")
