"""
The table of a paper
====================

Several classifiers on the same folds, each score with its 95 % interval, as a table for LaTeX.
"""

from pathlib import Path
from tempfile import mkdtemp

from sklearn_ser.runs import RunOptions, compare_run

# %%
# ``compare_run`` is what ``sklearn-ser compare`` runs. Each speaker is left out once, and the
# intervals are drawn over speakers, because clips of one speaker are alike.
options = RunOptions("synthetic", folds="all", out=Path(mkdtemp()) / "comparison")
comparison = compare_run(options, ["svm", "logreg"], ["speaker"])

for row in comparison["rows"]:
    low, high = row["uar_interval"]
    print(rf"{row['clf']} & {row['uar']:.3f} & [{low:.3f}, {high:.3f}] \\")

# %%
# A difference that a paired test does not support is no difference to report.
for test in comparison["tests"]["speaker"]:
    print(test)
