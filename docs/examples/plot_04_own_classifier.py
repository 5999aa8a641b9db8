"""
A classifier of your own
========================

Any scikit-learn classifier can be the last step.
"""

from pathlib import Path
from tempfile import mkdtemp

from sklearn.ensemble import ExtraTreesClassifier
from sklearn.model_selection import GridSearchCV, GroupKFold

from sklearn_ser import load_corpus, load_pipeline, make_pipeline, save_pipeline

corpus = load_corpus("synthetic")
unseen = corpus["speaker"] == corpus["speaker"].iloc[0]
train, test = corpus[~unseen], corpus[unseen]

# %%
# A search over one of its parameters, with folds that keep speakers apart. The features are
# computed once and kept in a cache.
pipe = make_pipeline(ExtraTreesClassifier(100, random_state=0), features=("mfcc", "contrast"))
pipe.set_params(features__cache_dir=mkdtemp())
search = GridSearchCV(
    pipe, {"clf__min_samples_leaf": [1, 5, 20]}, cv=GroupKFold(4), scoring="balanced_accuracy"
)
search.fit(train["path"], train["emotion"], groups=train["speaker"])
print(search.best_params_)
print(f"an unseen speaker: accuracy {search.score(test['path'], test['emotion']):.3f}")

# %%
# The pipeline is saved with a card that says what it is. A ``.skops`` file runs no code when it is
# loaded, so it can be given away.
folder = Path(mkdtemp())
save_pipeline(search.best_estimator_, folder / "trees.skops")
print(load_pipeline(folder / "trees.skops").predict(test["path"][:3]))
