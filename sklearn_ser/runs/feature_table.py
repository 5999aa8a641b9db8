"""The command `features`: a corpus as a table of features on disk."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
from sklearn.pipeline import Pipeline

from sklearn_ser._files import as_text, check_writable, locked, write_atomically
from sklearn_ser.exceptions import OptionError, OutputError, UnfinishedError
from sklearn_ser.pipelines import drop_failures, extract_features

__all__ = ["write_feature_table"]


def write_feature_table(
    pipeline: Pipeline,
    table: pd.DataFrame,
    out: Path,
    *,
    on_error: str = "stop",
    on_batch: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Write a row per clip: path, emotion, speaker and each feature.

    A run that was stopped, however rudely, goes on where it was: what it had computed is in the
    cache, or, where there is none, in a folder beside the file that is there until it is whole.

    Parameters
    ----------
    pipeline : Pipeline
        What `make_pipeline` returned; its loader and features are used.
    table : DataFrame
        The corpus.
    out : Path
        A file that ends in .parquet or .csv.
    on_error : {"stop", "skip"}, default="stop"
        Whether clips that cannot be read are an error, or left out.
    on_batch : callable, default=None
        Called after each batch with the number of clips done and their total.

    Returns
    -------
    summary : dict
        n_clips, n_features, file, and skipped, a list of messages.

    Raises
    ------
    OptionError
        If the name of the file ends otherwise, or the features have no table form.
    AudioError
        If clips cannot be read, listing them all.
    OutputError
        If the file cannot be written.
    """
    out = out.expanduser()
    if out.suffix not in (".parquet", ".csv") or out.is_dir():
        raise OptionError(f"`out={out}`: give a file that ends in .parquet or .csv.")
    check_writable(out)
    features = pipeline.named_steps["features"]
    if len(features.feature_shape()) > 1:
        raise OptionError("Sequences of frames have no table form: choose other `features`.")
    partial = out.with_name(f".{out.name}.partial")
    busy = f"Another process is writing {out}: wait for it, or give another file."
    if features.cache_dir is None:
        features.set_params(cache_dir=partial)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with locked(out.with_name(f".{out.name}.lock"), busy):
            matrix, _, failures = extract_features(pipeline, table["path"].tolist(), on_batch)
            table, skipped = drop_failures(table, failures, on_error)
            columns = [name for name in ("path", "emotion", "speaker") if name in table]
            rows = pd.concat(
                [
                    table[columns].assign(path=table["path"].map(as_text)).reset_index(drop=True),
                    pd.DataFrame(matrix, columns=features.get_feature_names_out()),
                ],
                axis=1,
            )
            write = rows.to_parquet if out.suffix == ".parquet" else rows.to_csv
            write_atomically(out, lambda path: write(path, index=False))
            shutil.rmtree(partial, ignore_errors=True)
    except KeyboardInterrupt as error:
        raise UnfinishedError(
            "Stopped. The same command goes on where it was: the features so far are kept."
        ) from error
    except OSError as error:
        if isinstance(error, OutputError):
            raise
        raise OutputError(f"{out} cannot be written: {error.strerror or error}.") from error
    return {
        "n_clips": len(rows),
        "n_features": matrix.shape[1],
        "file": str(out),
        "skipped": skipped,
    }
