"""`sklearn-ser card`: what a model is, without loading it."""

from sklearn_ser.cli._app import JsonOption, command, print_json, say
from sklearn_ser.cli._options import ModelArgument


@command(name="card")
def card(model: ModelArgument, json: JsonOption = False) -> None:
    """Show the card of a model: classes, features, data, split, scores and versions.

    The model itself is not loaded, so this is safe with any file.
    """
    from sklearn_ser.persistence.card import read_card

    content = read_card(model)
    if json:
        print_json(content)
        return
    for line in describe(content):
        say(line)


def describe(content: dict) -> list[str]:
    """Return the lines that show a card to a person."""
    from sklearn_ser.features import name_features

    features = name_features(content["features"])
    lines = [
        f"Classifier  {content['classifier']}",
        f"Emotions    {', '.join(content['classes'])}",
        f"Features    {features} ({content['n_features']} numbers a clip)",
        f"Audio       mono, {content['sampling_rate']} Hz, resampled by {content['resampler']}",
    ]
    if "data" in content:
        data = content["data"]
        lines.append(f"Data        {data['name']}, {data['n_clips']} clips")
        if data["skipped"]:
            lines.append(f"            {len(data['skipped'])} clips could not be read")
    if "scores" in content:
        scores, split = content["scores"], content["split"]
        lines.append(
            f"Scores      accuracy {scores['accuracy']:.4f}, UAR {scores['uar']:.4f}, macro F1 "
            f"{scores['macro_f1']:.4f} on a {split['kind']} split"
            f"{', transductive' if split.get('transductive') else ''} ({split['n_test']} test clips"
            + (f" in {split['n_folds']} folds)" if "n_folds" in split else ")")
        )
        if split["validation_by"]:
            lines.append(f"Validation  {split['n_validation']} clips by {split['validation_by']}")
        lines += [
            f"            {sentence}" for sentence in content.get("audit", {}).get("sentences", [])
        ]
        if content.get("refit"):
            lines.append("            fitted again on every clip after these scores were taken")
    versions = ", ".join(f"{name} {number}" for name, number in content["versions"].items())
    lines += [
        f"Made        {content['created']} with {versions}",
        f"File        {content['file']}, SHA-256 {content['sha256']}",
    ]
    return lines
