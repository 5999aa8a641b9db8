"""
Predict without scikit-learn or TensorFlow
==========================================

A fitted classifier can be written as ONNX, the exchange format that many runtimes read. Features
are still computed by this package.
"""

from pathlib import Path
from tempfile import mkdtemp

import numpy as np

from sklearn_ser import load_corpus, load_pipeline, make_pipeline, save_pipeline

folder = Path(mkdtemp())
corpus = load_corpus("synthetic")
pipe = make_pipeline("logreg").fit(corpus["path"], corpus["emotion"])
save_pipeline(pipe, folder / "pipeline.onnx")

# %%
# It is loaded like any other model, and its probabilities are the same but for rounding.
same = load_pipeline(folder / "pipeline.onnx")
difference = same.predict_proba(corpus["path"][:20]) - pipe.predict_proba(corpus["path"][:20])
print(f"greatest difference: {np.abs(difference).max():.1e}")
