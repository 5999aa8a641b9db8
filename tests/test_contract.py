"""What every estimator and the package as a whole promise."""

import ast
import importlib
import inspect
import re
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.utils.estimator_checks import parametrize_with_checks

import sklearn_ser
import sklearn_ser.features
from sklearn_ser import (
    MFCC,
    ANNClassifier,
    AudioFeatureUnion,
    AudioLoader,
    BarkSpectrum,
    Chroma,
    ClipTransformer,
    CNNClassifier,
    CNNLSTMClassifier,
    FrameFeatures,
    GroupNormalizer,
    LogMelSpectrogram,
    LSTMClassifier,
    MelSpectrogram,
    PretrainedEmbedding,
    SequenceScaler,
    SpectralContrast,
    SpectralShape,
    SVMClassifier,
)
from sklearn_ser.classifiers import NetworkClassifier
from sklearn_ser.classifiers._keras import load_keras
from sklearn_ser.classifiers.temperature import TemperatureScaledClassifier
from sklearn_ser.pipelines import FEATURES

PACKAGE = Path(sklearn_ser.__file__).parent


def is_abstract(kind):
    return any(getattr(getattr(kind, n, None), "__isabstractmethod__", False) for n in dir(kind))


def find_estimators():
    """Yield every estimator that is defined in the package and not a base class."""
    for package in ("audio", "features", "classifiers"):
        for file in sorted((PACKAGE / package).glob("*.py")):
            module = importlib.import_module(f"sklearn_ser.{package}.{file.stem}")
            for name, kind in vars(module).items():
                own = inspect.isclass(kind) and kind.__module__ == module.__name__
                if own and issubclass(kind, BaseEstimator) and not is_abstract(kind):
                    assert not name.startswith("_"), "estimators are public: people pickle them"
                    yield kind


# Estimators are checked as they are without parameters, save these.
SETTINGS = {
    AudioFeatureUnion: [AudioFeatureUnion([("mfcc", MFCC(n_mfcc=4)), ("chroma", Chroma())])],
    BarkSpectrum: [BarkSpectrum(), BarkSpectrum(scale="rasta", statistics=("std", "p5"), deltas=1)],
    SpectralShape: [SpectralShape(over="voiced")],
    LogMelSpectrogram: [LogMelSpectrogram(n_frames=3)],
    FrameFeatures: [FrameFeatures(n_frames=3)],
    SVMClassifier: [SVMClassifier(), SVMClassifier(calibrate=False)],
    TemperatureScaledClassifier: [
        TemperatureScaledClassifier(LogisticRegression(), random_state=0)
    ],
    GroupNormalizer: [GroupNormalizer(unknown="global")],
    # Small networks show the manners, in one epoch where learning is not what is checked.
    ANNClassifier: [ANNClassifier(epochs=1)],
    CNNClassifier: [CNNClassifier((8,), dense_units=(8,), dropout=0, learning_rate=0.02, epochs=8)],
    LSTMClassifier: [LSTMClassifier(8, dense_units=(), dropout=0, learning_rate=0.05, epochs=8)],
    CNNLSTMClassifier: [
        CNNLSTMClassifier((8,), units=8, dense_units=(), dropout=0, learning_rate=0.02, epochs=8)
    ],
}
# Not for scikit-learn's checks: takes paths; needs a checkpoint.
UNCHECKED = (AudioLoader, PretrainedEmbedding)
FOUND = list(find_estimators())
ESTIMATORS = [
    estimator
    for kind in FOUND
    if kind not in UNCHECKED
    for estimator in SETTINGS.get(kind) or [kind()]
]


# Where one epoch does not teach enough for what a check asks.
LEARNING = {
    CNNClassifier: ("check_classifiers_train", "check_class_weight_classifiers"),
    CNNLSTMClassifier: ("check_classifiers_train", "check_class_weight_classifiers"),
    LSTMClassifier: ("check_classifiers_train", "check_class_weight_classifiers"),
}


def expected_failures(estimator):
    if isinstance(estimator, NetworkClassifier):
        return {
            "check_sample_weight_equivalence_on_dense_data": "two half steps of stochastic "
            "gradient descent are not one whole step"
        }
    if isinstance(estimator, SequenceScaler | GroupNormalizer | TemperatureScaledClassifier):
        return {}
    if isinstance(estimator, SVMClassifier):
        if not estimator.calibrate:
            return {
                "check_sample_weight_equivalence_on_dense_data": "gamma='scale' takes the variance "
                "of the clips without their weights, as in SVC"
            }
        return {
            "check_sample_weight_equivalence_on_dense_data": "calibration folds divide repeated "
            "clips, where a weighted clip stays whole"
        }
    reason = "clips have no fixed width: each has its own length"
    return dict.fromkeys(("check_n_features_in", "check_n_features_in_after_fitting"), reason)


@pytest.mark.filterwarnings("ignore")  # scikit-learn's checks provoke warnings on purpose
@parametrize_with_checks(ESTIMATORS, expected_failed_checks=expected_failures)
def test_scikit_learns_checks(estimator, check):
    learns = check.func.__name__ in LEARNING.get(type(estimator), ())
    again = check.keywords.get("readonly_memmap", False)  # the same once more on read-only arrays
    if isinstance(estimator, NetworkClassifier) and (not learns or again):
        pickles = check.func.__name__ == "check_estimators_pickle"  # which needs a class by name
        kind = unscored(type(estimator)) if again and not pickles else type(estimator)
        with eager_tensorflow():
            check(kind(**estimator.get_params()).set_params(epochs=1))
    else:
        check(estimator)


def unscored(network):
    """A network whose accuracy the checks do not ask for, as they did so before."""

    def tags(self):
        tags = network.__sklearn_tags__(self)
        tags.classifier_tags.poor_score = True
        return tags

    return type(network.__name__, (network,), {"__sklearn_tags__": tags})


@contextmanager
def eager_tensorflow():
    """Trace no graphs, which takes a second for each of a hundred networks."""
    _, tensorflow = load_keras()
    tensorflow.config.run_functions_eagerly(True)
    yield
    tensorflow.config.run_functions_eagerly(False)


@pytest.mark.parametrize(
    "estimator", [*ESTIMATORS, AudioLoader(), PretrainedEmbedding()], ids=lambda e: type(e).__name__
)
def test_parameters_are_constrained_and_documented(estimator):
    parameters = set(estimator._get_param_names())
    if not isinstance(estimator, AudioFeatureUnion):  # scikit-learn validates a union otherwise
        assert set(estimator._parameter_constraints) == parameters
    documented = inspect.getdoc(type(estimator))
    assert all(f"{name} : " in documented for name in parameters)
    assert "Examples\n" in documented


@pytest.mark.parametrize(
    "transformer",
    [MFCC(), Chroma(), MelSpectrogram(), SpectralContrast()],
    ids=lambda e: type(e).__name__,
)
def test_defaults_are_librosas(transformer):
    import librosa

    functions = {
        "MFCC": (librosa.feature.mfcc, librosa.feature.melspectrogram, librosa.filters.mel),
        "Chroma": (librosa.feature.chroma_stft,),
        "MelSpectrogram": (librosa.feature.melspectrogram, librosa.filters.mel),
        "SpectralContrast": (librosa.feature.spectral_contrast,),
    }[type(transformer).__name__]
    theirs = {}
    for function in reversed(functions):
        theirs |= {n: p.default for n, p in inspect.signature(function).parameters.items()}
    differ = {
        name
        for name, value in transformer.get_params().items()
        if name in theirs and value != theirs[name] and theirs[name] is not inspect.Parameter.empty
    }
    assert differ == ({"n_mfcc"} if isinstance(transformer, MFCC) else set())


def test_every_estimator_is_where_people_look_for_it():
    features = {kind for kind in FOUND if issubclass(kind, ClipTransformer)}
    assert features == set(FEATURES.values())
    public = {getattr(sklearn_ser, name) for name in sklearn_ser.__all__}
    assert set(FOUND) - public <= {TemperatureScaledClassifier}
    assert features <= {getattr(sklearn_ser.features, n) for n in sklearn_ser.features.__all__}
    assert set(SETTINGS) <= set(FOUND)


def test_public_names_resolve():
    for name in sklearn_ser.__all__:
        assert getattr(sklearn_ser, name) is not None
    assert set(sklearn_ser.__all__) == {*sklearn_ser._HOMES, "__version__"}
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        sklearn_ser.nonsense  # noqa: B018


# The way data flows, and the only direction imports go. A module stands with the names before it.
ORDER = [
    {"exceptions"},
    {"_files", "_sklearn"},
    {"audio"},
    {"corpora"},
    {"features"},
    {"classifiers"},
    {"pipelines"},
    {"model_selection"},
    {"metrics"},
    {"report"},
    {"persistence"},
    {"inference"},
    {"runs"},
    {"server"},
    {"cli"},
]
PLACE = {name: place for place, names in enumerate(ORDER) for name in names}


def imports_of(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


@pytest.mark.parametrize(
    "path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE))
)
def test_imports_go_one_way(path):
    own = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    if own in ("__init__", "__main__"):
        return  # the doors of the package know every room
    assert own in PLACE, f"say in ORDER where {own} stands"
    for module in imports_of(path):
        parts = module.split(".")
        if parts[0] == "sklearn_ser" and len(parts) > 1 and parts[1] != own:
            assert PLACE[parts[1]] < PLACE[own], f"{own} must not import {module}"


def test_private_parts_of_scikit_learn_are_in_one_file():
    """They change without notice; where there is one file, there is one to mend."""
    private = [
        f"{path.relative_to(PACKAGE)}: {name}"
        for path in PACKAGE.rglob("*.py")
        if path.name != "_sklearn.py"
        for name in names_imported(path)
        if name.startswith("sklearn.") and any(part.startswith("_") for part in name.split("."))
    ]
    private += [
        f"{path.relative_to(PACKAGE)}: {name}"
        for path in PACKAGE.rglob("*.py")
        if path.name != "_sklearn.py"
        for name in ("_validate_params", "_iter()", "_validate_transformer", "_get_output_config")
        if name in path.read_text()
    ]
    assert private == []


def names_imported(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def test_every_module_has_its_package_and_a_name_of_its_own():
    top = {path.name for path in PACKAGE.glob("*.py")}
    assert top == {
        *("__init__.py", "__main__.py", "exceptions.py", "pipelines.py", "_files.py"),
        "_sklearn.py",
    }
    names = [path.name for path in PACKAGE.rglob("*.py") if path.name != "__init__.py"]
    assert [name for name in set(names) if names.count(name) > 1] == []


def test_no_function_shadows_a_submodule():
    for package in PACKAGE.iterdir():
        if (package / "__init__.py").exists() and package.name != "cli":
            public = getattr(importlib.import_module(f"sklearn_ser.{package.name}"), "__all__", [])
            modules = {path.stem for path in package.glob("*.py")}
            assert modules.isdisjoint(public), package.name


def test_functions_fit_on_a_screen():
    """Bodies of fewer than 60 lines, and at most 8 parameters but for estimators and commands."""
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            body = node.body[1:] if ast.get_docstring(node) else node.body
            where = f"{path.relative_to(PACKAGE)}, {node.name}"
            if body:
                assert body[-1].end_lineno - body[0].lineno + 1 < 60, where
            if node.name != "__init__" and path.parent.name != "cli":
                arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
                assert sum(arg.arg not in ("self", "cls") for arg in arguments) <= 8, where


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import sklearn_ser", "numpy pandas sklearn librosa tensorflow matplotlib"),
        ("import sklearn_ser.cli", "numpy pandas sklearn librosa tensorflow matplotlib"),
        ("from sklearn_ser import make_pipeline; make_pipeline('ann')", "tensorflow matplotlib"),
        (
            "import numpy; from sklearn_ser import make_pipeline; "
            "make_pipeline('svm').fit(numpy.random.default_rng(0).normal(size=(8, 4000)) / 10, "
            "['a', 'b'] * 4)",
            "tensorflow matplotlib numba scipy.signal",
        ),
        (
            "import sklearn_ser.runs.predict",
            "tensorflow matplotlib scipy.signal sklearn_ser.metrics sklearn_ser.runs.compare",
        ),
    ],
)
def test_what_is_not_loaded(statement, absent):
    program = f"{statement}\nimport sys\nprint(*(set({absent.split()!r}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.stdout.strip(), done.returncode) == ("", 0), done.stderr


def test_no_name_of_a_package_shadows_a_module_of_it():
    for init in PACKAGE.rglob("__init__.py"):
        modules = {path.stem for path in init.parent.glob("*.py")} - {"__init__"}
        modules |= {path.parent.name for path in init.parent.glob("*/__init__.py")}
        package = init.parent.relative_to(PACKAGE.parent).as_posix().replace("/", ".")
        for name in modules & set(dir(importlib.import_module(package))):
            assert inspect.ismodule(getattr(sys.modules[package], name)), f"{package}.{name}"


def test_modules_below_the_command_line_name_no_options():
    """Messages of the library name parameters in backticks, which the command line translates."""
    for path in PACKAGE.rglob("*.py"):
        if path.parent.name != "cli":
            found = re.findall(r"(?<![\w(-])--[a-z][a-z-]+", path.read_text(encoding="utf-8"))
            assert not found, f"{path.relative_to(PACKAGE)}: {found}"
