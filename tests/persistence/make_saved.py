"""Writes the model files that later versions must load: one of each recipe and format, very small.

Run it at a release, `python tests/persistence/make_saved.py`; files of earlier releases stay.
"""

import json
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent / "saved"
FORMATS = ("joblib", "skops", "onnx")
FEW_MFCC = {"features__mfcc__n_mfcc": 8}
NETWORK = {"clf__epochs": 3, "clf__validation_fraction": 0}
SMALL: dict[str, dict] = {
    "svm": FEW_MFCC,
    "mlp": FEW_MFCC | {"clf__hidden_layer_sizes": (8,), "clf__max_iter": 60},
    "rf": FEW_MFCC | {"clf__n_estimators": 3, "clf__max_depth": 4},
    "logreg": FEW_MFCC,
    "ann": FEW_MFCC | NETWORK | {"clf__hidden_layer_sizes": (8, 4)},
    "cnn": NETWORK
    | {"features__logmel__n_mels": 16, "features__logmel__n_frames": 16}
    | {"clf__filters": (4,), "clf__dense_units": (4,)},
    "lstm": FEW_MFCC | NETWORK | {"clf__units": 4, "clf__dense_units": (4,)},
    "cnn-lstm": NETWORK
    | {"features__frames__n_mfcc": 8, "features__frames__n_frames": 16}
    | {"clf__filters": (4,), "clf__units": 4, "clf__dense_units": (4,)},
}


def clips() -> list[np.ndarray]:
    """Return two clips at 22,050 Hz, a low tone and a high one, that any version makes alike."""
    time = np.arange(22050) / 22050
    return [(0.3 * np.sin(2 * np.pi * hertz * time)).astype("float32") for hertz in (220, 880)]


def main() -> None:
    """Fit each recipe on a part of the synthetic corpus, and write it in each format."""
    from sklearn_ser import __version__, load_corpus, make_pipeline, save_pipeline

    version = __version__.removesuffix(".dev0")
    corpus = load_corpus("synthetic")
    corpus = corpus[corpus["emotion"].isin(["angry", "happy", "sad"])]
    corpus = corpus.groupby("emotion").head(16)
    HERE.mkdir(exist_ok=True)
    expected = {}
    for name, params in SMALL.items():
        features = ("mfcc",) if "features__mfcc__n_mfcc" in params else None
        pipe = make_pipeline(name, features, random_state=0, **params)
        pipe.fit(corpus["path"], corpus["emotion"])
        for suffix in FORMATS:
            save_pipeline(pipe, HERE / f"{version}-{name}.{suffix}")
        expected[name] = pipe.predict_proba(clips()).round(6).tolist()
        print(name, [round(max(row), 3) for row in expected[name]], file=sys.stderr)
    text = json.dumps({"classes": pipe.classes_.tolist(), "probabilities": expected}, indent=1)
    (HERE / f"{version}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
