"""
A first pipeline
================

Files and their emotions go in, a fitted scikit-learn pipeline comes out.
"""

import matplotlib.pyplot as plt
from sklearn.metrics import ConfusionMatrixDisplay
from sklearn.model_selection import train_test_split

from sklearn_ser import load_corpus, make_pipeline

# %%
# A corpus is a table with a row for each clip.
corpus = load_corpus("synthetic")
corpus[["emotion", "speaker", "text"]].head()

# %%
# ``svm`` is a recipe: four features of librosa, a scaler, and a support vector machine whose
# probabilities are calibrated. Click on a step to see its parameters.
pipe = make_pipeline("svm")
train, test = train_test_split(corpus, test_size=0.25, stratify=corpus["emotion"], random_state=0)
pipe.fit(train["path"], train["emotion"])

# %%
# Test clips are predicted from their files. All speakers of the test set are also in the training
# set, so this score says nothing about new speakers; the example on honest evaluation does.
print(f"random split, accuracy: {pipe.score(test['path'], test['emotion']):.3f}")
ConfusionMatrixDisplay.from_estimator(pipe, test["path"], test["emotion"], xticks_rotation=45)
plt.tight_layout()
