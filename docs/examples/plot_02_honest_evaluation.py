"""
Honest evaluation in ten lines
==============================

The same classifier is scored twice: on clips of speakers it knows, and on clips of speakers it does
not know. Only the second score says what to expect from a new speaker.
"""

from sklearn.metrics import recall_score
from sklearn.model_selection import LeaveOneGroupOut, StratifiedKFold, cross_val_predict

from sklearn_ser import load_corpus, make_pipeline

corpus = load_corpus("synthetic")
X, y, speaker = corpus["path"], corpus["emotion"], corpus["speaker"]
pipe = make_pipeline("logreg")

# %%
# Features do not depend on other clips, so they can be computed once, before the split. What learns
# from several clips (the scaler, the classifier) is fitted inside each fold.
features = pipe[:2].fit_transform(X)

for name, splitter in {
    "known speakers": StratifiedKFold(5, shuffle=True, random_state=0),
    "unseen speakers": LeaveOneGroupOut(),
}.items():
    predicted = cross_val_predict(pipe[2:], features, y, groups=speaker, cv=splitter)
    uar = recall_score(y, predicted, average="macro")
    print(f"{name}: UAR {uar:.3f} (chance level {1 / y.nunique():.3f})")

# %%
# ``sklearn-ser compare --clf logreg --split random,speaker`` prints both with 95 % intervals, and
# looks for clips that are on both sides of a split.
