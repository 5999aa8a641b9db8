"""Options that several commands share, and how their values are read."""

import ast
import os
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sklearn_ser.cli._app import notice
from sklearn_ser.exceptions import OptionError

if TYPE_CHECKING:
    from sklearn_ser.runs import RunOptions

DataOption = Annotated[
    str | None,
    typer.Option(
        help="A corpus, a folder, a CSV with the columns path and emotion, or several joined by "
        "commas. Without it: TESS where it is on this machine, else the built-in synthetic corpus.",
        show_default=False,
    ),
]
EmotionsOption = Annotated[
    str | None,
    typer.Option(
        help="The emotions to take, joined by commas, such as happy,sad. Without it: all.",
        metavar="LIST",
        show_default=False,
    ),
]
MapOption = Annotated[
    str | None,
    typer.Option(
        help="Other emotions for some labels, such as calm=neutral,boredom=sad: on the left an "
        "emotion, or a corpus's own label. Done before --emotions takes some.",
        metavar="LABEL=EMOTION,...",
        show_default=False,
    ),
]
ClfOption = Annotated[
    str,
    typer.Option(
        help="The classifier: svm, mlp, rf, logreg, ann, cnn, lstm or cnn-lstm.", metavar="NAME"
    ),
]
FEATURES_HELP = (
    "Features joined by commas, out of mfcc, chroma, mel and contrast; functionals, a set "
    "made for unseen speakers; embedding, a network trained on much speech (docs/features.md "
    "says how to name it); or for cnn and cnn-lstm logmel and frames."
)
FeaturesOption = Annotated[
    str | None,
    typer.Option(
        help=f"{FEATURES_HELP} Without it: those of the classifier's recipe.",
        metavar="LIST",
        show_default=False,
    ),
]
TestSizeOption = Annotated[
    float, typer.Option(help="Share of the clips (speakers, texts) in the test set.")
]
FoldsOption = Annotated[
    str | None,
    typer.Option(
        help="Test every clip, in so many folds in turn, or all: each speaker (text) left out "
        "once. Without it: one test set.",
        metavar="K|all",
        show_default=False,
    ),
]
FoldsFromOption = Annotated[
    str | None,
    typer.Option(
        help="Published folds, in the place of --split and --folds: a folder of EmoBox such as "
        "EmoBox/data/emodb, or a CSV with the columns path and fold.",
        metavar="FILE",
        show_default=False,
    ),
]
ValidationSizeOption = Annotated[
    float, typer.Option(help="Share of the rest in the validation set; 0 for none.")
]
SeedOption = Annotated[
    int, typer.Option(help="Seed of the split and of the classifier.", min=0, max=2**32 - 1)
]
OutOption = Annotated[
    Path | None,
    typer.Option(help="The run's folder. Without it: a new one in artifacts/.", show_default=False),
]
JobsOption = Annotated[
    int,
    typer.Option(
        "--n-jobs",
        help="How many workers at once; -1 is one per core.",
        callback=lambda n: check_jobs(n),
    ),
]
OnErrorOption = Annotated[
    str,
    typer.Option(help="What to do with clips that cannot be read: stop, or skip them."),
]
CacheOption = Annotated[
    Path | None,
    typer.Option(
        "--cache",
        help="Folder that keeps computed features. Without it: SKLEARN_SER_CACHE, else a folder of "
        "your own.",
        show_default=False,
    ),
]
NoCacheOption = Annotated[
    bool, typer.Option("--no-cache", help="Compute every feature anew and keep none.")
]
SchedulerOption = Annotated[
    str | None,
    typer.Option(
        help="Work on the Dask cluster of this scheduler, such as tcp://host:8786.",
        metavar="ADDRESS",
        show_default=False,
    ),
]
ParamOption = Annotated[
    list[str] | None,
    typer.Option(
        help="A parameter of a step, such as clf__C=1 or audio__res_type=kaiser_fast. May be "
        "repeated.",
        metavar="STEP__NAME=VALUE",
        show_default=False,
    ),
]
TrustOption = Annotated[
    bool,
    typer.Option(
        "--trust",
        help="Load a joblib file that was not written here by you. It can run any code: only for "
        "files of people you trust.",
    ),
]
AbstainOption = Annotated[
    float,
    typer.Option(
        "--abstain-below",
        help="Predict unsure where the greatest probability is below this.",
        metavar="P",
        min=0,
        max=1,
        show_default=False,
    ),
]
SmoothOption = Annotated[
    int, typer.Option(help="Over how many windows to smooth the emotion.", min=1)
]
SilenceOption = Annotated[
    float,
    typer.Option(
        "--silence-db",
        help="A clip or window holds speech where a tenth of it is louder, in dB below full scale.",
    ),
]
VadOption = Annotated[
    str,
    typer.Option(
        help="How speech is distinguished from silence: energy; pitch, which also distinguishes it "
        "from noise, tones and music (demo has it always); or webrtc (extra vad), from some noises."
    ),
]
ModelArgument = Annotated[
    str,  # not a path, for which ./demo would be demo
    typer.Argument(
        help="A run's folder, a .joblib, .skops or .onnx file, or demo, the small model that comes "
        "with the package.",
        metavar="MODEL",
    ),
]
RefitOption = Annotated[
    bool,
    typer.Option("--refit", help="After scoring, fit again on all clips, and save that."),
]
ReportAudioOption = Annotated[
    bool | None,
    typer.Option(
        "--report-audio/--no-audio",
        help="Let clips be heard in the report, or none. Without it: where the licence of the "
        "corpus lets anybody pass them on.",
        show_default=False,
    ),
]
OpenOption = Annotated[
    bool, typer.Option("--open", help="Show the report in the browser when all is done.")
]
AugmentOption = Annotated[
    str | None,
    typer.Option(
        help="Train with changed copies of the training clips too: everyday makes four of each "
        "(rooms, noise, telephones, codecs, at random); noise, pink, brown, babble, room, "
        "telephone, mulaw, alaw, rate, mp3, vorbis, opus, clipping, gain, speed and pitch one "
        "each; join names by commas. Other clips stay as they are.",
        metavar="LIST",
        show_default=False,
    ),
]
StressOption = Annotated[
    bool,
    typer.Option(
        "--stress",
        help="Score the test clips also with noise, in rooms, through telephones and codecs, "
        "clipped, louder and softer, each at several strengths.",
    ),
]
NoiseOption = Annotated[
    Path | None,
    typer.Option(
        help="Folder of recorded noise: for changed copies (everyday, real), and for degraded test "
        "clips, which get recordings that training did not use.",
        metavar="DIR",
        show_default=False,
    ),
]
CalibrateOption = Annotated[
    bool,
    typer.Option(
        "--calibrate",
        help="Calibrate the probabilities on the validation set (temperature scaling). No "
        "prediction changes.",
    ),
]
AdaptOption = Annotated[
    str,
    typer.Option(
        help="Z-score the features of each speaker, corpus or recording by its own clips: none, "
        "speaker, corpus or recording. Scores on unseen ones are transductive then.",
        metavar="GROUP",
    ),
]


def check_jobs(n_jobs: int) -> int:
    """Return the number of workers, which is anything but 0."""
    if n_jobs == 0:
        raise typer.BadParameter("0 workers do nothing: give 1 or more, or -1 for one per core.")
    return n_jobs


def refuse_options_beside(context: typer.Context, option: str, allowed: Sequence[str]) -> None:
    """Raise `OptionError` for options on the command line that contradict another."""
    given = [
        f"--{name.replace('_', '-')}"
        for name in context.params
        if name not in (option, *allowed) and _is_given(context, name)
    ]
    if given:
        raise OptionError(
            f"--{option} brings the options of its run with it: leave out {', '.join(given)}."
        )


def refuse_splits_beside_folds(context: typer.Context) -> None:
    """Raise `OptionError` where options of a split stand beside published folds."""
    given = [name for name in ("split", "folds", "test_size") if _is_given(context, name)]
    if given and _is_given(context, "folds_from"):
        listed = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise OptionError(f"--folds-from says what is tested: leave out {listed}.")


def _is_given(context: typer.Context, name: str) -> bool:
    """Say whether a parameter is on the command line."""
    return str(context.get_parameter_source(name)).endswith("COMMANDLINE")


def run_options(given: Mapping[str, Any], **more: Any) -> "RunOptions":
    """Return the options of a run: arguments of a command that have the names of its fields.

    Parameters
    ----------
    given : mapping of str to object
        All arguments of the command.
    **more
        Fields that the command has under other names, or not as they are.
    """
    from sklearn_ser.runs import RunOptions

    same = {field.name for field in fields(RunOptions)} & set(given)
    more = {
        "data": choose_data(given["data"]),
        "cache": choose_cache(given["cache"], given["no_cache"]),
    } | more
    return RunOptions(**{name: given[name] for name in same} | more)


def choose_data(data: str | None) -> str:
    """Return the data to use, with a notice where the user named none."""
    if data is not None:
        return data
    from sklearn_ser.corpora import default_data

    data = default_data()
    if data == "tess":
        notice("No --data given: using TESS, which is on this machine.")
    else:
        notice(
            "No --data given and TESS is not on this machine: using the built-in synthetic corpus. "
            "For real speech: sklearn-ser corpora get tess"
        )
    return data


def choose_cache(cache: Path | None, no_cache: bool) -> Path | None:
    """Return the folder of the feature cache, or None where there is to be none."""
    if no_cache:
        if cache is not None:
            raise OptionError("--cache and --no-cache contradict each other: choose one.")
        return None
    if cache is not None:
        return cache
    import platformdirs

    return Path(os.environ.get("SKLEARN_SER_CACHE") or platformdirs.user_cache_dir("sklearn-ser"))


def parse_folds(folds: str | None) -> int | str | None:
    """Return a number of folds, "all", or None for one test set."""
    if folds is None or folds == "all":
        return folds
    if not folds.isdecimal() or int(folds) < 2:
        raise OptionError(
            f"--folds {folds}: give a number from 2 on, or all, which leaves each speaker or text "
            "out once."
        )
    return int(folds)


def parse_value(text: str) -> Any:
    """Return the Python value of a word: a number, a tuple, true, none; else the word itself."""
    word = {"true": "True", "false": "False", "none": "None"}.get(text.strip().lower(), text)
    try:
        return ast.literal_eval(word.strip())
    except (ValueError, SyntaxError):
        return text.strip()


def parse_values(text: str) -> list[Any]:
    """Return the values of a comma-separated list, whose items may be tuples in brackets."""
    parts, depth, start = [], 0, 0
    for i, character in enumerate(text + ","):
        depth += (character in "([{") - (character in ")]}")
        if character == "," and depth == 0:
            parts.append(text[start:i])
            start = i + 1
    return [parse_value(part) for part in parts if part.strip()]


def parse_params(params: Sequence[str] | None) -> dict[str, Any]:
    """Return the parameters of `--param STEP__NAME=VALUE`, each with one value."""
    pairs = _pairs(params)
    names = [name for name, _ in pairs]
    for name in names:
        if names.count(name) > 1:
            raise OptionError(f"--param {name} is given {names.count(name)} times: choose one.")
    return {name: parse_value(value) for name, value in pairs}


def parse_grid(params: Sequence[str] | None) -> dict[str, list[Any]]:
    """Return the grid of `--param STEP__NAME=VALUE,VALUE`, each with a list of values."""
    grid: dict[str, list[Any]] = {}
    for name, value in _pairs(params):
        grid.setdefault(name, []).extend(parse_values(value))
    for name, values in grid.items():
        if not values:
            raise OptionError(f"--param {name}=: give at least one value.")
    return grid


def _pairs(params: Sequence[str] | None) -> list[tuple[str, str]]:
    pairs = []
    for param in params or ():
        name, separator, value = param.partition("=")
        if not separator or "__" not in name:
            raise OptionError(f"--param {param}: write STEP__NAME=VALUE, such as clf__C=10.")
        pairs.append((name.strip(), value))
    return pairs
