"""Trainers: they are given the training and validation set of a fold, and nothing else.

`fit` and `compare` use a recipe, `grid-search` a search over recipes; all else is the same.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import joblib
import numpy as np
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from sklearn_ser.audio.augmentation import parse_augment
from sklearn_ser.audio.noise import Noise
from sklearn_ser.classifiers import (
    TemperatureScaledClassifier,
    fit_arguments,
    uses_validation_set,
)
from sklearn_ser.exceptions import OptionError, SearchStopped
from sklearn_ser.features import GroupNormalizer, SequenceScaler
from sklearn_ser.features.scalers import GROUPS
from sklearn_ser.model_selection import Subset
from sklearn_ser.model_selection.search import (
    SearchOptions,
    SearchResult,
    grid_search,
    list_candidates,
)
from sklearn_ser.model_selection.training_rows import RowOptions, make_rows
from sklearn_ser.pipelines import (
    RECIPES,
    check_on_error,
    find_name,
    make_pipeline,
    set_pipeline_params,
    with_tail,
)
from sklearn_ser.runs.background import training_noise
from sklearn_ser.runs.options import Progress, RunOptions, silent

__all__ = [
    "RecipeTrainer",
    "SearchTrainer",
    "Trained",
    "Trainer",
    "adapts",
    "scale",
]


@dataclass(frozen=True)
class Trained:
    """What a trainer returns.

    Attributes
    ----------
    pipeline : Pipeline
        Fitted.
    recipe : RecipeTrainer
        What fits the same again, on other clips.
    search : SearchResult or None
        How the recipe was found, where it was searched for.
    """

    pipeline: Pipeline
    recipe: "RecipeTrainer"
    search: SearchResult | None = None


class Trainer(Protocol):
    """What turns a training and a validation set into a fitted pipeline."""

    @property
    def pipeline(self) -> Pipeline:
        """A pipeline, not fitted, in whose setting every clip must be readable."""

    @property
    def validates(self) -> bool:
        """Whether something is chosen on the validation set: an epoch, or a temperature."""

    def fit(self, train: Subset, validation: Subset) -> Trained:
        """Fit on the training set; the validation set may be empty."""


@dataclass(frozen=True)
class RecipeTrainer:
    """Scaler and classifier of a pipeline, and a temperature where probabilities are calibrated.

    Parameters
    ----------
    pipeline : Pipeline
        Not fitted.
    augment : tuple of str
        Names of augmentations, each of which adds a changed copy of every training clip.
    calibrate : bool
        Whether to find a temperature on the validation set.
    seed : int
        Of the augmentations.
    progress : callable
    checkpoints : Path or None
        Folder for the states of networks in training, from which a fit of the same clips goes on.
    balance : bool
        Whether each emotion of each corpus counts alike, however many clips it has.
    noise : Noise or None
        Recordings that augmentation takes noise from.
    """

    pipeline: Pipeline
    augment: tuple[str, ...] = ()
    calibrate: bool = False
    seed: int = 0
    progress: Progress = silent
    checkpoints: Path | None = None
    balance: bool = False
    noise: Noise | None = None

    @classmethod
    def from_options(cls, options: RunOptions, progress: Progress = silent) -> "RecipeTrainer":
        """Return the trainer that a run's options describe."""
        check_on_error(options.on_error)
        augment = tuple(parse_augment(options.augment))
        noise = training_noise(
            options.noise, augment, stress=options.stress, on_error=options.on_error
        )
        pipeline = make_pipeline(
            options.clf,
            options.features,
            n_jobs=options.n_jobs,
            random_state=options.seed,
            **options.params,
        )
        if options.adapt != "none":
            by = find_name(options.adapt, ("none", *GROUPS), "`adapt`")
            if isinstance(pipeline.named_steps["scale"], SequenceScaler):
                raise OptionError(
                    f"`adapt={by}` takes a row of features for each clip, and "
                    f"{options.clf} takes sequences: choose another `clf` or other `features`."
                )
            pipeline.set_params(scale=GroupNormalizer(by, unknown="own"))
        pipeline.named_steps["features"].set_params(cache_dir=options.cache)
        balance = options.split == "corpus"
        return cls(
            pipeline, augment, options.calibrate, options.seed, progress, None, balance, noise
        )

    @property
    def validates(self) -> bool:
        """Whether something is chosen on the validation set: an epoch, or a temperature."""
        return self.calibrate or uses_validation_set(self.pipeline.named_steps["clf"])

    def fit(self, train: Subset, validation: Subset) -> Trained:
        """Fit scaler and classifier on the training set, a temperature on the validation set.

        A network goes on from its checkpoint, if there is one.
        """
        steps = self.pipeline.named_steps
        scaler, clf = clone(steps["scale"]), clone(steps["clf"])
        if self.balance and isinstance(scaler, StandardScaler):
            scaler = GroupNormalizer("corpus", unknown="global")
        rows = self.row_options
        X, clip, (order,) = make_rows(self.pipeline, train, [np.arange(len(train))], rows)
        X, clip = X[order], clip[order]
        X = scaler.fit_transform(X, **_groups_for(scaler, train, clip))
        X_val, y_val = validation.X(self.pipeline), validation.y
        if len(validation):
            X_val = scaler.transform(X_val, **_groups_for(scaler, validation))
        weights = rows.weigh(train)
        how = fit_arguments(
            clf,
            sample_weight=None if weights is None else weights[clip],
            X_val=X_val,
            y_val=y_val,
            groups=clip,  # with its copies
            on_epoch=self._show_epoch,
            checkpoint=self._checkpoint(train, validation),
        )
        if "on_epoch" not in how:
            self.progress("fit", 0, 1, "")
        # Two BLAS threads on two busy cores can take a minute for what one does in a second.
        with threadpool_limits(1, user_api="blas"):
            clf.fit(X, train.y[clip], **how)
        if "on_epoch" not in how:
            self.progress("fit", 1, 1, "")
        if self.calibrate:
            clf = TemperatureScaledClassifier(clone(clf)).calibrate(clf, X_val, y_val)
        return Trained(with_tail(self.pipeline, scaler, clf), self)

    @property
    def row_options(self) -> RowOptions:
        """What is fitted on beside the clips as recorded, and how much each counts."""

        def show(done: int, total: int, detail: str) -> None:
            self.progress("copies", done, total, detail)

        return RowOptions(self.augment, self.seed, self.noise, self.balance, show)

    def _checkpoint(self, train: Subset, validation: Subset) -> Path | None:
        """Return the file for the state of this fit, named by what it is fitted on."""
        if self.checkpoints is None:
            return None
        # Neither workers nor cache change what is fitted, and a fit may go on with others.
        params = {
            name: repr(value)
            for name, value in self.pipeline.get_params().items()
            if name.rpartition("__")[2] not in ("n_jobs", "cache_dir", "steps", "transformer_list")
            and not hasattr(value, "get_params")
        }
        heard = self.noise and self.noise.checksums
        belongs_to = joblib.hash([train.path, validation.path, params, self.augment, heard])
        return self.checkpoints / f"checkpoint-{belongs_to}.npz"

    def _show_epoch(self, row: dict) -> None:
        detail = f"accuracy {row['accuracy']:.3f}"
        if "val_loss" in row:
            detail += f", validation {row['val_accuracy']:.3f}, loss {row['val_loss']:.3f}"
        self.progress("epochs", row["epoch"], self.pipeline.named_steps["clf"].epochs, detail)


@dataclass(frozen=True)
class SearchTrainer:
    """A search over candidates on the training and validation set, then the best one's recipe.

    Parameters
    ----------
    recipe : RecipeTrainer
        What the candidates are variants of.
    options : SearchOptions
        With a grid.
    n_jobs : int or None
        Candidates to fit at once.
    keep_in : Path or None
        Folder for the journals of searches that are stopped.
    """

    recipe: RecipeTrainer
    options: SearchOptions
    n_jobs: int | None = None
    keep_in: Path | None = None

    @classmethod
    def from_options(
        cls, options: RunOptions, how: SearchOptions, progress: Progress = silent
    ) -> "SearchTrainer":
        """Return the trainer that the options of a run and of its search describe."""
        recipe = RecipeTrainer.from_options(options, progress)
        how = replace(how, grid=how.grid or RECIPES[options.clf].grid, split=options.split)
        list_candidates(recipe.pipeline, how, options.seed)  # what is wrong is said before the work
        keep_in = None if options.cache is None else options.cache / "searches"
        return cls(recipe, how, options.n_jobs, keep_in)

    @property
    def noise(self) -> Noise | None:
        """Recordings that augmentation takes noise from."""
        return self.recipe.noise

    @property
    def pipeline(self) -> Pipeline:
        """The pipeline in the first setting of the grid."""
        first = {name: values[0] for name, values in (self.options.grid or {}).items()}
        return set_pipeline_params(clone(self.recipe.pipeline), first)

    @property
    def validates(self) -> bool:
        """Whether something is chosen on the validation set: an epoch, or a temperature."""
        return self.recipe.validates

    def fit(self, train: Subset, validation: Subset) -> Trained:
        """Search all clips that are given, then fit as the best candidate does."""
        progress = self.recipe.progress
        result = grid_search(
            self.recipe.pipeline,
            train | validation,
            self.options,
            rows=self.recipe.row_options,
            n_jobs=self.n_jobs,
            seed=self.recipe.seed,
            keep_in=self.keep_in,
            on_progress=lambda done, total: progress("candidates", done, total, ""),
        )
        best = set_pipeline_params(clone(self.recipe.pipeline), result.best_params)
        try:
            trained = replace(self.recipe, pipeline=best).fit(train, validation)
        except KeyboardInterrupt:
            words = "Stopped while the best candidate was fitted. "
            if self.keep_in is None or self.options.strategy == "halving":
                raise SearchStopped(words + "Of the search nothing is kept.") from None
            raise SearchStopped(
                words + "The candidates are kept: the same search again goes on from there."
            ) from None
        return replace(trained, search=result)


def scale(pipeline: Pipeline, clips: Subset) -> np.ndarray:
    """Return the features of clips as the classifier of a fitted pipeline takes them."""
    scaler = pipeline.named_steps["scale"]
    if not adapts(pipeline):
        return scaler.transform(clips.X(pipeline))
    return scaler.transform(clips.X(pipeline), **_groups_for(scaler, clips))


def adapts(pipeline: Pipeline) -> bool:
    """Say whether a pipeline z-scores clips by statistics of their own group."""
    scaler = pipeline.named_steps["scale"]
    return isinstance(scaler, GroupNormalizer) and scaler.unknown == "own"


def _groups_for(
    scaler: Any, clips: Subset, rows: np.ndarray | slice = np.s_[:]
) -> dict[str, np.ndarray]:
    """Return what a scaler is given beside features: the group of each row's clip."""
    if not isinstance(scaler, GroupNormalizer):
        return {}
    return {"groups": clips.table[scaler.by].to_numpy()[rows]}
