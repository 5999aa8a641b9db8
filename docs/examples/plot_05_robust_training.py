"""
Training for noise and telephones
=================================

A classifier that was trained on clean clips fails in noise. Four changed copies of each training
clip (rooms, noise, telephones, codecs, chained at random) mend most of it.
"""

from pathlib import Path
from tempfile import mkdtemp

from sklearn_ser import RobustnessDisplay
from sklearn_ser.runs import RunOptions, fit_run

# %%
# ``fit_run`` is what ``sklearn-ser fit`` runs; ``stress`` scores the test clips degraded, too. The
# speakers of the test set are not in the training set.
folder = Path(mkdtemp())
options = {"clf": "logreg", "split": "speaker", "emotions": "angry,happy,sad", "stress": True}
clean = fit_run(RunOptions("synthetic", **options, out=folder / "clean"))
robust = fit_run(RunOptions("synthetic", **options, augment="everyday", out=folder / "robust"))

# %%
# Trained on clean clips only:
RobustnessDisplay(clean["stress"]).plot()

# %%
# Trained with changed copies, too:
RobustnessDisplay(robust["stress"]).plot()
