"""Which word of a command line is the model, and what `demo` says where none is named."""

import glob
import os
from collections.abc import Sequence

from sklearn_ser.cli._app import notice
from sklearn_ser.exceptions import OptionError


def split_words(words: Sequence[str]) -> tuple[str, list[str]]:
    """Return the model and the sources that the words of a command name.

    The first word is the model if it is `demo`, the folder of a run, or ends as model files do;
    otherwise it is a source, and the model is `demo`.

    Raises
    ------
    OptionError
        If the first word is neither, or there is no source.
    """
    from sklearn_ser.persistence import DEMO, names_model

    first = words[0]
    if not names_model(first):
        check_source(first)
        return DEMO, list(words)
    if len(words) == 1:
        raise OptionError(f"{first} is the model: name the files to predict after it.")
    return first, list(words[1:])


def check_source(word: str) -> None:
    """Raise `OptionError` for a word that is neither a model nor a source."""
    from sklearn_ser.audio.opening import is_url

    if word == "-" or is_url(word) or glob.has_magic(word) or os.path.lexists(word):
        return
    raise OptionError(
        f"{word} is not there: neither a model (demo, the folder of a run, or a .joblib, .skops or "
        ".onnx file) nor audio (a file, a folder or a pattern such as 'calls/*.wav'). Check the "
        "path."
    )


def introduce(model: str) -> str | None:
    """Say on standard error what the card of a model tells to whoever uses it, and return it."""
    from sklearn_ser.persistence import read_card

    about = read_card(model).get("about")
    if about is not None:
        notice(about)
    return about
