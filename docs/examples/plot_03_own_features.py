"""
Features of your own
====================

A subclass of :class:`sklearn_ser.ClipTransformer` is a feature like any other: it shares the one
decoding of a clip, can be searched over, and is saved with the pipeline.
"""

import numpy as np
from sklearn.model_selection import GroupShuffleSplit, cross_val_score

from sklearn_ser import ClipTransformer, load_corpus, make_pipeline


class ZeroCrossings(ClipTransformer):
    """How often the waveform changes its sign, in thirds of the clip."""

    def __init__(self, sr=22050, n_sections=3):
        self.sr = sr
        self.n_sections = n_sections

    def compute(self, spectra):
        rows = []
        for y in spectra.clips:
            sections = np.array_split(np.signbit(y), self.n_sections)
            rows.append([np.mean(s[1:] != s[:-1]) for s in sections])
        return np.array(rows)

    def get_feature_names_out(self, input_features=None):
        return np.array([f"section_{i}" for i in range(self.n_sections)], dtype=object)


# %%
# ``make_pipeline`` takes instances beside names.
corpus = load_corpus("synthetic")
pipe = make_pipeline("logreg", features=["mfcc", ZeroCrossings(n_sections=5)])
print(pipe[1].fit(pipe[0].fit_transform(corpus["path"][:1])).get_feature_names_out()[-6:])

# %%
# Does it help on unseen speakers?
for features in (["mfcc"], ["mfcc", ZeroCrossings(n_sections=5)]):
    scores = cross_val_score(
        make_pipeline("logreg", features=features),
        corpus["path"],
        corpus["emotion"],
        groups=corpus["speaker"],
        cv=GroupShuffleSplit(4, test_size=0.25, random_state=0),
        scoring="balanced_accuracy",
    )
    print(f"{len(features)} feature(s), unseen speakers: UAR {scores.mean():.3f}")
