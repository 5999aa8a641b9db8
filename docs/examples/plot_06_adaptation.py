"""
A voice becomes better known
============================

Running adaptation scales each clip by those that came before it. What it needs is time, not labels.
"""

import numpy as np
from sklearn.metrics import recall_score

from sklearn_ser import load_corpus, make_pipeline
from sklearn_ser.inference import Predictor
from sklearn_ser.inference.adaptation import RunningScaler

corpus = load_corpus("synthetic")

# %%
# Each speaker in turn is new to the classifier, and is heard clip by clip, in random order.
rng = np.random.default_rng(0)
truth, plain, adapted = [], [], []
for speaker, clips in corpus.groupby("speaker"):
    train = corpus[corpus["speaker"] != speaker]
    predictor = Predictor(make_pipeline("logreg").fit(train["path"], train["emotion"]))
    clips = clips.iloc[rng.permutation(len(clips))]
    paths = clips["path"].tolist()
    truth += clips["emotion"].tolist()
    plain += [one.emotion for one in predictor.iter_predictions(paths)]
    scaler = RunningScaler(predictor.pipeline)
    adapted += [one.emotion for one in predictor.iter_predictions(paths, scaler)]

# %%
for name, predicted in {"single clips": plain, "running adaptation": adapted}.items():
    print(f"unseen speakers, {name}: UAR {recall_score(truth, predicted, average='macro'):.3f}")

# %%
# In a stream it is one argument: ``EmotionStream(pipe, adapt=True)``; on the command line,
# ``sklearn-ser listen --adapt`` and ``sklearn-ser predict --adapt corpus``.
