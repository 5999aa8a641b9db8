"""`sklearn-ser export`: a fitted pipeline for other runtimes."""

from pathlib import Path
from typing import Annotated

import typer

from sklearn_ser.cli._app import JsonOption, command, print_json, say
from sklearn_ser.cli._ending import print_path
from sklearn_ser.cli._options import ModelArgument, TrustOption


@command(name="export")
def export(
    model: ModelArgument,
    to: Annotated[
        str, typer.Option(help="The format: onnx, or skops to share with others.")
    ] = "onnx",
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help="The file to write. Without it: pipeline.onnx or pipeline.skops beside the model; "
            "of demo demo.onnx or demo.skops here.",
            show_default=False,
        ),
    ] = None,
    trust: TrustOption = False,
    json: JsonOption = False,
) -> None:
    """Write a model as ONNX, to predict with neither TensorFlow nor scikit-learn's version.

    Every command that takes a MODEL takes the file, where sklearn-ser and onnxruntime are
    installed (pip install 'sklearn-ser[onnx]'). The graph in it goes from a row of features to
    probabilities; loader and features are kept as their parameters. The conversion itself needs
    sklearn-ser[export].
    """
    from sklearn_ser.exceptions import OptionError
    from sklearn_ser.persistence import DEMO, load_pipeline, read_model, save_pipeline

    if to not in ("onnx", "skops"):
        raise OptionError(f"Unknown format `to={to}`: there are onnx and skops.")
    source = read_model(model)
    beside = Path(f"{DEMO}.{to}") if model == DEMO else source.path.with_name(f"pipeline.{to}")
    out = (out or beside).expanduser()
    if out.suffix != f".{to}":
        raise OptionError(f"`out={out}`: give a file name that ends in .{to}.")
    if out.resolve() == source.path.resolve():
        raise OptionError(f"{out} is in that format already.")
    written = save_pipeline(load_pipeline(source, trust=trust), out, source.card)
    if json:
        print_json({"file": str(written), "bytes": written.stat().st_size})
        return
    say(f"{written.stat().st_size / 1000:.0f} kB, with a card beside it.")
    print_path("Model", written)
