"""Clips that a page shows and plays: one of each emotion, and the most confident mistakes."""

import base64
import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from sklearn_ser.audio.header import read_header
from sklearn_ser.exceptions import AudioError

__all__ = ["ExampleClip", "choose_examples", "clip_reader", "confident_mistakes", "durations"]

MOST_SECONDS = 4.0  # of a clip on a page
MOST_MISTAKES = 8
MOST_EXAMPLES = 20  # emotions, the most frequent first
MP3_LEVEL = 0.84  # libsndfile's scale from 160 down to 8 kbit/s has 32 kbit/s there
MP3_RATES = (16_000, 24_000, 22_050)  # in Hz, that 32 kbit/s suit; others take the last


@dataclass(frozen=True)
class ExampleClip:
    """A waveform to show, at most the first four seconds of its clip.

    Attributes
    ----------
    y : ndarray of shape (n_times,)
    sr : int
        Sampling rate in Hz.
    cut : bool
        Whether the clip goes on after that.
    """

    y: np.ndarray
    sr: int
    cut: bool

    def as_data_uri(self) -> str:
        """Return the sound as MP3 of 32 kbit/s in a data URI, for a player that needs no file."""
        import soundfile
        import soxr

        y, sr = self.y, self.sr
        if sr not in MP3_RATES:
            y, sr = soxr.resample(y, sr, MP3_RATES[-1]), MP3_RATES[-1]
        y = np.pad(y, (0, max(0, sr // 10 - len(y))))  # an MP3 of a few samples cannot be read
        file = io.BytesIO()
        soundfile.write(
            file, y.clip(-1, 1), sr, format="MP3", subtype="MPEG_LAYER_III",
            bitrate_mode="CONSTANT", compression_level=MP3_LEVEL,
        )  # fmt: skip
        return f"data:audio/mpeg;base64,{base64.b64encode(file.getvalue()).decode()}"


def choose_examples(table: pd.DataFrame) -> dict[str, int]:
    """Choose a clip of each emotion, of the same speaker and text where there are such.

    Parameters
    ----------
    table : DataFrame
        A corpus.

    Returns
    -------
    examples : dict of str to int
        The position of a clip by its emotion, in alphabetical order; of more than 20 emotions the
        20 with the most clips. Differences are easiest to see between clips that differ in
        emotion alone.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn_ser.report.example_clips import choose_examples
    >>> table = pd.DataFrame({"emotion": ["sad", "sad", "calm"], "speaker": ["a", "b", "b"]})
    >>> choose_examples(table)
    {'calm': 2, 'sad': 1}
    """
    table = table.reset_index(drop=True)
    counts = table["emotion"].value_counts(sort=False).sort_index()
    frequent = counts.sort_values(ascending=False, kind="stable").index[:MOST_EXAMPLES]
    table = table[table["emotion"].isin(frequent)]
    pool, others = table, pd.DataFrame(index=table.index)
    for column in ("speaker", "text"):
        if column in table and table[column].notna().any():
            richest = pool.groupby(column)["emotion"].nunique().idxmax()
            others[column] = table[column] != richest
            pool = pool[pool[column] == richest]
    if len(others.columns):
        table = table.loc[others.sort_values(list(others.columns), kind="stable").index]
    first = table.reset_index().drop_duplicates("emotion").sort_values("emotion")
    return {
        str(emotion): int(i) for emotion, i in zip(first["emotion"], first["index"], strict=True)
    }


def confident_mistakes(predictions: pd.DataFrame, n_most: int = MOST_MISTAKES) -> pd.DataFrame:
    """Return the wrong predictions of the highest confidence, the highest first.

    Parameters
    ----------
    predictions : DataFrame
        As in predictions.csv: the columns path, truth, prediction, and p_EMOTION for each emotion.
    n_most : int, default=8

    Returns
    -------
    mistakes : DataFrame of at most n_most rows
        With two more columns: confidence, and p_truth, the probability of the truth.
    """
    probabilities = predictions.filter(regex="^p_")
    shown = predictions.assign(confidence=probabilities.max(axis=1))
    shown["p_truth"] = [
        row.get(f"p_{truth}", 0.0)
        for truth, row in zip(predictions["truth"], probabilities.to_dict("records"), strict=True)
    ]
    wrong = shown[shown["truth"] != shown["prediction"]]
    return wrong.sort_values("confidence", ascending=False, kind="stable").head(n_most)


def clip_reader(pipeline: Pipeline) -> Callable[[str], ExampleClip | None]:
    """Return a function that reads a clip at the pipeline's rate, or returns None if it cannot.

    A finished run must not fail for a clip that cannot be shown.
    """
    audio = pipeline.named_steps["audio"]

    @cache  # a clip may be an example and a mistake
    def read(path: str) -> ExampleClip | None:
        try:
            y = audio.transform([path])[0]
        except AudioError:
            return None
        most = int(MOST_SECONDS * audio.sr)
        return ExampleClip(y[:most], audio.sr, len(y) > most)

    return read


def durations(paths: pd.Series) -> pd.Series:
    """Return how long clips are by their headers, in seconds; NaN for what cannot be read.

    Parameters
    ----------
    paths : Series of n_clips paths

    Returns
    -------
    seconds : Series of n_clips floats
        With the index of the paths.
    """
    headers = [read_header(path) for path in paths]
    seconds = [np.nan if header is None else header.seconds for header in headers]
    return pd.Series(seconds, index=paths.index, dtype=float)
