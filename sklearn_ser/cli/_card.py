"""`sklearn-ser card`: what a model is, without loading it."""

from typing import TYPE_CHECKING

from sklearn_ser.cli._app import JsonOption, command, print_json, say
from sklearn_ser.cli._options import ModelArgument

if TYPE_CHECKING:
    from sklearn_ser.persistence import Card


@command(name="card")
def card(model: ModelArgument, json: JsonOption = False) -> None:
    """Show the card of a model: classes, features, data, split, scores and versions.

    The model itself is not loaded, so this is safe with any file.
    """
    from sklearn_ser.persistence import read_card

    content = read_card(model)
    if json:
        print_json(content)
        return
    for line in describe(content):
        say(line)


def describe(card: "Card") -> list[str]:
    """Return the lines that show a card to a person."""
    from sklearn_ser.features import count_features, name_features

    counted = count_features(card["n_features"], card.get("n_frames"))
    lines = [
        f"Classifier  {card['classifier']}",
        f"Emotions    {', '.join(card['classes'])}",
        f"Features    {name_features(card['features'])} ({counted})",
        f"Audio       mono, {card['sampling_rate']} Hz, resampled by {card['resampler']}",
    ]
    if data := card.get("data"):
        lines.append(f"Data        {data['name']}, {data['n_clips']} clips")
        if data["skipped"]:
            lines.append(f"            {len(data['skipped'])} clips could not be read")
    scores, split = card.get("scores"), card.get("split")
    if scores and split:
        guessing = scores.get("chance", {}).get("uar")
        chance = "" if guessing is None else f" (chance {guessing:.3f})"
        lines.append(
            f"Scores      accuracy {scores['accuracy']:.4f}, UAR {scores['uar']:.4f}{chance}, "
            f"macro F1 {scores['macro_f1']:.4f} on a {split['kind']} split"
            f"{', transductive' if split.get('transductive') else ''} ({split['n_test']} test clips"
            + (f" in {split['n_folds']} folds)" if "n_folds" in split else ")")
        )
        if split["validation_by"]:
            lines.append(f"Validation  {split['n_validation']} clips by {split['validation_by']}")
        lines += [f"            {one}" for one in card.get("audit", {}).get("sentences", [])]
        if card.get("refit"):
            lines.append("            fitted again on every clip after these scores were taken")
    for test in card.get("tests", []):
        how = {
            "none": "",
            "running": ", adapted to each speaker's clips so far",
        }.get(test["adapt"], f", adapted by {test['adapt']} (transductive)")
        lines.append(
            f"Tested      {test['corpus']}, {test['language']}, {test['n_clips']} clips of "
            f"{test['n_speakers']} speakers: accuracy {test['accuracy']:.4f}, UAR "
            f"{test['uar']:.4f}{how}"
        )
    lines += [
        f"{label:10}  {text}"
        for name, label in (("about", "About"), ("attribution", "Credit"))
        if (text := card.get(name))
    ]
    versions = ", ".join(f"{name} {number}" for name, number in card["versions"].items())
    lines += [
        f"Made        {card['created']} with {versions}",
        f"File        {card['file']}, SHA-256 {card['sha256']}",
    ]
    return lines
