"""The public names: what can be imported from where is a promise, see CONTRIBUTING, "A public name goes"."""

import ast
import importlib
import inspect
import io
import pickle
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import fastmlp
from fastmlp._support.former_modules import FORMER_MODULES

ROOT = Path(__file__).parents[1]

# Written out, so that a name that goes or moves is seen here.
PUBLIC = {
    "fastmlp": """
        DivergenceWarning FittedModels FormatError GradientCheck History MLPClassifier MLPRegressor Network
        Preparation Trainer __version__ activations augmentations callbacks datasets fit fit_many from_sklearn
        gradient_check initializers layers load losses optimizers plots schedules show_config studies
    """,
    "fastmlp.activations": "ALIASES NAMES",
    "fastmlp.augmentations": "Augmentation Flip Shift",
    "fastmlp.callbacks": "CSVLog EpochEnd EveryNSteps PrintEpoch StepEnd StopAtScore",
    "fastmlp.datasets": "Dataset FASHION_MNIST_CLASSES load_digits load_fashion_mnist load_mnist",
    "fastmlp.engine.blas": "linear_backward linear_forward linear_update",
    "fastmlp.estimators": "MLPClassifier MLPRegressor load",
    "fastmlp.initializers": """
        GlorotNormal GlorotUniform HeNormal HeUniform Initializer LecunNormal LecunUniform Normal TorchDefault
        Zeros
    """,
    "fastmlp.layers": "Dense",
    "fastmlp.losses": """
        AbsoluteError BinaryCrossEntropy CrossEntropy Huber LogLikelihood Loss Poisson Quantile SquaredError
    """,
    "fastmlp.network": "Network",
    "fastmlp.optimizers": "AdaDelta AdaGrad Adam AdamW LBFGS RMSprop SGD",
    "fastmlp.plots": """
        comparison confusion_matrix curves decision_boundary first_layer gradient_check_errors
        gradient_check_table heat_map misclassified style
    """,
    "fastmlp.schedules": """
        Adaptive Clock Constant Cosine CosineRestarts Exponential HalveOnDrop InverseScaling OnPlateau
        OneCycle Schedule Step
    """,
    "fastmlp.studies": """
        Record Results Study StudyError VERDICTS Verdict check_installed draw_figures gaps judge load_study
        located published readable run_study table_frame write_report write_tables
    """,
}
# By these names pickles and skops's files of this version find their classes, besides the public modules
# of layers, losses and so on. They stay as long as such files are to be read.
IN_FILES = {
    "fastmlp.estimators.classifier": "MLPClassifier",
    "fastmlp.estimators.fitted_models": "FittedModels Outcome",
    "fastmlp.estimators.regressor": "MLPRegressor",
    "fastmlp.network.network": "Network",
    "fastmlp.network.preparation": "Preparation",
    "fastmlp.training.gradient_check": "CheckedGradient GradientCheck",
    "fastmlp.training.history": "History",
}
# By these names files of versions 0.1 and 0.2 find theirs, and users' code imports.
FORMER = {
    "fastmlp.classifier.MLPClassifier": "fastmlp.MLPClassifier",
    "fastmlp.config.show_config": "fastmlp.show_config",
    "fastmlp.divergence.DivergenceWarning": "fastmlp.DivergenceWarning",
    "fastmlp.gradients.GradientCheck": "fastmlp.GradientCheck",
    "fastmlp.gradients.gradient_check": "fastmlp.gradient_check",
    "fastmlp.history.History": "fastmlp.History",
    "fastmlp.many.fit_many": "fastmlp.fit_many",
    "fastmlp.preparation.Preparation": "fastmlp.Preparation",
    "fastmlp.recipe.fit": "fastmlp.fit",
    "fastmlp.regressor.MLPRegressor": "fastmlp.MLPRegressor",
    "fastmlp.stopping.Watch": "fastmlp.training.watch.Watch",
    "fastmlp.storage.FormatError": "fastmlp.FormatError",
    "fastmlp.sweeps.FittedModels": "fastmlp.FittedModels",
    "fastmlp.sweeps.Outcome": "fastmlp.estimators.fitted_models.Outcome",
    "fastmlp.trainer.Trainer": "fastmlp.Trainer",
}
UNMOVED = ("fastmlp.network.Network", "fastmlp.engine.plan.LayerPlan", "fastmlp.engine.plan.Plan")


def paths(*tables):
    return [f"{module}.{name}" for table in tables for module in table for name in table[module].split()]


def imported(path):
    """Return what ``from module import name`` gives."""
    module, _, name = path.rpartition(".")
    names = {}
    exec(f"from {module} import {name}", names)
    return names[name]


def run(script, *options):
    """Run a script in a fresh process, and return what it prints."""
    command = [sys.executable, "-W", "error", *options, "-c", script]
    process = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert process.returncode == 0, process.stderr
    return process.stdout


# ---------------------------------------------------------------------------------------- what is where


@pytest.mark.parametrize("path", paths(PUBLIC, IN_FILES))
def test_a_public_name_is_where_it_was(path):
    module, _, name = path.rpartition(".")
    assert imported(path) is getattr(importlib.import_module(module), name)


def test_the_list_has_every_public_name():
    assert sorted(fastmlp.__all__) == sorted(PUBLIC["fastmlp"].split())
    for name in ("datasets", "plots", "studies"):
        assert sorted(getattr(fastmlp, name).__all__) == sorted(PUBLIC[f"fastmlp.{name}"].split())


def test_type_checkers_see_the_names_where_python_finds_them():
    tree = ast.parse((ROOT / "fastmlp" / "__init__.py").read_text(encoding="utf-8"))
    (block,) = (
        one for one in tree.body if isinstance(one, ast.If) and ast.unparse(one.test) == "TYPE_CHECKING"
    )
    seen = {alias.name: node.module for node in block.body for alias in node.names}
    assert sorted(seen) == sorted(fastmlp.__all__)
    for name, module in seen.items():
        found = importlib.import_module(f"fastmlp.{name}" if module == "fastmlp" else module)
        assert (found if module == "fastmlp" else getattr(found, name)) is getattr(fastmlp, name)


def test_type_checkers_are_tried_on_every_name():
    tree = ast.parse((ROOT / "tests" / "typed_script.py").read_text(encoding="utf-8"))
    imported = {
        one.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module == "fastmlp"
        for one in node.names
    }
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} & imported
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "fastmlp":
            used.add(node.attr)
    assert used == set(fastmlp.__all__)


def test_what_documents_name_is_there():
    files = [ROOT / "README.md", *sorted((ROOT / "fastmlp").rglob("*.py"))]
    named = [
        (file.relative_to(ROOT), path)
        for file in files
        for path in re.findall(r"`(fastmlp(?:\.\w+)+)`", file.read_text(encoding="utf-8"))
    ]
    assert len(named) > 20
    wrong = []
    for file, path in named:
        try:
            pkgutil.resolve_name(path)
        except (AttributeError, ImportError, DeprecationWarning) as error:
            wrong.append(f"{file} names {path}: {error}")
    assert wrong == []


# -------------------------------------------------------------------------------------- when it is imported


def test_only_what_needs_it_loads_scikit_learn():
    loaded = "print(*(one for one in ('numpy', 'scipy', 'sklearn') if one in sys.modules))"
    leaves = "activations, augmentations, callbacks, initializers, layers, losses, optimizers, schedules"
    script = (
        f"import sys, fastmlp; {loaded}; dir(fastmlp); from fastmlp import {leaves}; {loaded}; "
        f"fastmlp.fit; {loaded}"
    )
    alone, written_down, fit = run(script).splitlines()
    assert alone == ""
    assert "sklearn" not in written_down
    assert fit == "numpy scipy sklearn"


def test_the_first_access_may_come_from_anywhere():
    # Each in a process of its own: there nothing was imported before it.
    run("import fastmlp; fastmlp.environment.config, fastmlp.network.Network, fastmlp.training")
    run("from fastmlp import MLPRegressor, plots, fit; MLPRegressor, plots.curves, fit")
    run("from fastmlp import *; MLPClassifier, Network, losses.Quantile, studies.run_study")
    run("import pickle; print(pickle.loads(b'cfastmlp\\nMLPClassifier\\n.'))")


def test_what_is_not_there_is_no_attribute():
    with pytest.raises(AttributeError, match=r"module 'fastmlp' has no attribute 'MLPClasifier'"):
        fastmlp.MLPClasifier  # noqa: B018
    with pytest.raises(ImportError, match=r"cannot import name 'MLPClasifier' from 'fastmlp'"):
        imported("fastmlp.MLPClasifier")
    assert not hasattr(fastmlp, "_private")


def test_dir_lists_what_is_public_before_it_is_imported():
    names = run("import fastmlp; print(*(name for name in dir(fastmlp) if not name.startswith('_')))").split()
    assert names == [name for name in sorted(PUBLIC["fastmlp"].split()) if not name.startswith("_")]


# -------------------------------------------------------------------------------------------- former names


@pytest.mark.parametrize("path", FORMER)
def test_a_former_name_is_the_same_object_and_warns(path):
    sentence = re.escape(f"{path} is deprecated since fastmlp 0.3; use {FORMER[path]}.")
    with pytest.warns(DeprecationWarning, match=f"^{sentence}$") as warned:
        former = imported(path)
    assert former is imported(FORMER[path])
    assert {one.filename for one in warned} == {"<string>"}  # the line that imports


def test_every_former_module_is_in_the_list():
    assert {path.rpartition(".")[0] for path in FORMER} == set(FORMER_MODULES)


@pytest.mark.parametrize("path", UNMOVED)
def test_names_in_old_files_that_did_not_move_do_not_warn(path):
    assert inspect.isclass(imported(path))


def test_a_former_module_has_no_other_names():
    module = importlib.import_module("fastmlp.classifier")
    with pytest.raises(AttributeError, match=r"'fastmlp\.estimators\.classifier' has no attribute 'Nothing'"):
        module.Nothing  # noqa: B018
    assert not hasattr(module, "__wrapped__")
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("fastmlp.classifiers")


def test_an_old_pickle_finds_its_class():
    script = "import pickle; print(pickle.loads(b'cfastmlp.classifier\\nMLPClassifier\\n.').__module__)"
    assert run(script, "-W", "ignore::DeprecationWarning") == "fastmlp.estimators.classifier\n"


# ------------------------------------------------------------------------------------------------ files


def names_in_pickle(value):
    """Return the names by which a pickle finds the classes and functions of this package."""
    found = set()

    class Reader(pickle.Unpickler):
        def find_class(self, module, name):
            found.add(f"{module}.{name}")
            return super().find_class(module, name)

    Reader(io.BytesIO(pickle.dumps(value))).load()
    return {path for path in found if path.startswith("fastmlp")}


def test_pickles_hold_only_public_names():
    from fastmlp import augmentations, callbacks, initializers, losses, optimizers, schedules

    rng = np.random.default_rng(0)
    X, y = rng.random((60, 16)), np.arange(60) % 3
    classifier = fastmlp.MLPClassifier(
        4, loss=losses.CrossEntropy(), solver=optimizers.SGD(0.1), learning_rate=schedules.OneCycle(),
        augmentation=[augmentations.Shift(1)], image_shape=(4, 4), weight_init=initializers.HeNormal(),
        callbacks=[callbacks.StopAtScore(0.99)], batch_norm=True, max_iter=2, tol=0,
    )  # fmt: skip
    regressor = fastmlp.MLPRegressor(
        losses.Quantile([0.1, 0.9]), prepare="table", learning_rate="one_cycle", max_iter=2
    )
    classifier.fit(X, y, X_val=X, y_val=y)
    regressor.fit(X, X[:, 0])
    several = fastmlp.fit_many([{"alpha": 1}], X, y, X, y, estimator=classifier)
    check = fastmlp.gradient_check(classifier.network_, X[:4], y[:4], "cross_entropy")
    allowed = set(paths(PUBLIC, IN_FILES))
    for value in (classifier, regressor, several, classifier.network_, regressor.preparation_, check):
        assert names_in_pickle(value) <= allowed, type(value)
