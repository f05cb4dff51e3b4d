"""Meta-estimators of scikit-learn that skl2onnx converts with our estimators in them."""

import subprocess
import sys
import textwrap

import numpy as np
import onnxruntime
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from skl2onnx import to_onnx
from sklearn.base import is_classifier
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import (
    AdaBoostClassifier,
    AdaBoostRegressor,
    BaggingClassifier,
    BaggingRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.linear_model import LogisticRegression, RANSACRegressor, Ridge
from sklearn.model_selection import GridSearchCV, TunedThresholdClassifierCV
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier, MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fastmlp import MLPClassifier, MLPRegressor
from fastmlp.losses import Huber
from helpers.estimators import data, quietly

TOLERANCE = {"float32": 2e-5, "float64": 1e-6}  # skl2onnx's own parts compute in float32 here and there
PARAMETERS = {"hidden_layer_sizes": (6,), "max_iter": 10, "learning_rate_init": 0.02, "random_state": 0}


class Own(MLPClassifier):
    """A class of a user's own."""


def scaled(model):
    return make_pipeline(StandardScaler(), model)


CLASSIFIERS = {
    "bagging": lambda model: BaggingClassifier(model, 2, random_state=0),
    "bagging of some columns": lambda model: BaggingClassifier(model, 2, max_features=0.6, random_state=0),
    "bagging of pipelines": lambda model: BaggingClassifier(scaled(model), 2, random_state=0),
    "stacking": lambda model: StackingClassifier([("a", model), ("b", LogisticRegression())], cv=2),
    "stacking on top": lambda model: StackingClassifier([("a", LogisticRegression())], model, cv=2),
    "calibrated": lambda model: CalibratedClassifierCV(model, cv=2),
    "calibrated pipelines": lambda model: CalibratedClassifierCV(scaled(model), cv=2),
    "one versus rest": OneVsRestClassifier,
    "one versus rest of searches": lambda model: OneVsRestClassifier(GridSearchCV(model, {}, cv=2)),
    "search": lambda model: GridSearchCV(model, {"alpha": [0.01]}, cv=2),
    "search of pipelines": lambda model: GridSearchCV(scaled(model), {}, cv=2),
    "search in a pipeline": lambda model: scaled(GridSearchCV(model, {}, cv=2)),
    "soft voting": lambda model: VotingClassifier(
        [("a", model), ("b", LogisticRegression())], voting="soft", flatten_transform=False
    ),
    "hard voting": lambda model: VotingClassifier(
        [(name, MLPClassifier(**PARAMETERS).set_params(random_state=i)) for i, name in enumerate("abc")],
        flatten_transform=False,
    ),
}
REGRESSORS = {
    "bagging": lambda model: BaggingRegressor(model, 2, random_state=0),
    "bagging of some columns": lambda model: BaggingRegressor(model, 2, max_features=0.6, random_state=0),
    "stacking": lambda model: StackingRegressor([("a", model), ("b", Ridge())], cv=2),
    "stacking on top": lambda model: StackingRegressor([("a", Ridge())], model, cv=2),
    "search": lambda model: GridSearchCV(model, {"alpha": [0.01]}, cv=2),
    "voting": lambda model: VotingRegressor([("a", scaled(model)), ("b", Ridge())]),
    "boosting": lambda model: AdaBoostRegressor(model, n_estimators=2, random_state=0),
    "one per target": MultiOutputRegressor,
    "consensus": lambda model: RANSACRegressor(model, min_samples=0.8, random_state=0),
}
dtypes = pytest.mark.parametrize("dtype", list(TOLERANCE))


def run(model, X):
    options = {"zipmap": False} if is_classifier(model) else None
    file = to_onnx(model, X[:1], options=options).SerializeToString()
    return onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"]).run(None, {"X": X})


def assert_same_classes(model, X):
    labels, probabilities = run(model, X)
    assert_array_equal(labels.reshape(len(X)), model.predict(X))  # skl2onnx's OneVsOne adds an axis
    if hasattr(model, "predict_proba"):
        tolerance = TOLERANCE[X.dtype.name]
        assert_allclose(probabilities, model.predict_proba(X), rtol=0, atol=tolerance)


@dtypes
@pytest.mark.parametrize("labels", ["binary", "strings"])
@pytest.mark.parametrize("make", CLASSIFIERS.values(), ids=CLASSIFIERS)
def test_classifiers(make, labels, dtype):
    X, y = data("binary" if labels == "binary" else "multiclass", dtype)
    y = 3 * y if labels == "binary" else np.array(["a", "bc", "def"])[y]
    model = make(MLPClassifier(**PARAMETERS, batch_norm=True, prepare="table"))
    assert_same_classes(quietly(model.fit, X, y), X)


@pytest.mark.parametrize("meta", [AdaBoostClassifier, OneVsOneClassifier])
def test_what_skl2onnx_converts_of_float32_and_integers_only(meta):
    X, y = data("multiclass", "float32")
    assert_same_classes(quietly(meta(MLPClassifier(**PARAMETERS)).fit, X, y), X)


def test_a_tuned_threshold():
    X, y = data("binary", "float32")
    model = quietly(TunedThresholdClassifierCV(MLPClassifier(**PARAMETERS), cv=2).fit, X, y)
    _, probabilities = run(model, X)  # skl2onnx's labels are those of the threshold 0.5
    assert_allclose(probabilities, model.predict_proba(X), rtol=0, atol=TOLERANCE["float32"])


@dtypes
@pytest.mark.parametrize("task", ["multilabel", "several classes"])
def test_classifiers_of_several_outputs(task, dtype):
    X, y = data("multilabel", dtype)
    y = y if task == "multilabel" else np.stack([y.sum(axis=1), 5 * y[:, 0]], axis=1)
    model = quietly(MultiOutputClassifier(MLPClassifier(**PARAMETERS)).fit, X, y)
    labels, probabilities = run(model, X)
    assert_array_equal(labels, model.predict(X))
    for ours, theirs in zip(probabilities, model.predict_proba(X), strict=True):
        assert_allclose(ours, theirs, rtol=0, atol=TOLERANCE[dtype])


@dtypes
def test_one_versus_rest_of_label_indicators(dtype):
    X, y = data("multilabel", dtype)
    model = quietly(OneVsRestClassifier(MLPClassifier(**PARAMETERS)).fit, X, y)
    labels, probabilities = run(model, X)
    assert_array_equal(labels, model.predict(X))
    assert_allclose(probabilities, model.predict_proba(X), rtol=0, atol=TOLERANCE[dtype])


@dtypes
@pytest.mark.parametrize("make", REGRESSORS.values(), ids=REGRESSORS)
def test_regressors(make, dtype):
    X, y = data("several outputs" if make is MultiOutputRegressor else "regression", dtype)
    model = make(MLPRegressor(**PARAMETERS, loss=Huber(), prepare="table"))
    (values,) = run(quietly(model.fit, X, 50 + 9 * y), X)
    expected = model.predict(X)
    assert values.dtype == dtype
    assert_allclose(values.reshape(expected.shape), expected, rtol=TOLERANCE[dtype])


def test_a_class_of_ones_own_that_is_made_after_both_imports():
    X, y = data("multiclass", "float32")
    assert_same_classes(quietly(BaggingClassifier(Own(**PARAMETERS), 2, random_state=0).fit, X, y), X)


FIT = "model = BaggingClassifier(fastmlp.MLPClassifier((3,), max_iter=2), 2).fit(X, X[:, 0] > 0)"
ORDERS = {
    "skl2onnx first": ["import skl2onnx", "import fastmlp", FIT],
    "fastmlp first": ["import fastmlp", "import skl2onnx", FIT],
    "skl2onnx last, and looked for before": [
        "import fastmlp", FIT, "import importlib.util", "importlib.util.find_spec('skl2onnx')",
    ],
}  # fmt: skip


@pytest.mark.parametrize("lines", ORDERS.values(), ids=ORDERS)
def test_either_package_may_be_imported_first(lines):
    script = """
        import warnings
        warnings.simplefilter("ignore")
        import numpy as np
        from sklearn.ensemble import BaggingClassifier
        X = np.random.default_rng(0).normal(size=(20, 3))
    """
    end = "from skl2onnx import to_onnx\nprint(len(to_onnx(model, X[:1]).graph.node))"
    whole = "\n".join([textwrap.dedent(script), *lines, end])
    done = subprocess.run([sys.executable, "-c", whole], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 0


def test_importing_fastmlp_imports_neither_skl2onnx_nor_onnx():
    script = "import sys, fastmlp; print({'skl2onnx', 'onnx'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=300)
    assert done.stdout.strip() == "set()", done.stderr


@pytest.mark.parametrize(
    "make",
    [
        lambda part: StackingRegressor([("a", part), ("b", part)]),
        lambda part: BaggingRegressor(make_pipeline(StandardScaler(), part), n_estimators=2),
        lambda part: VotingRegressor([("a", part)]),
    ],
    ids=["stacking", "bagging of pipelines", "voting"],
)
def test_targets_that_float32_cannot_hold_need_inputs_of_float64(make):
    X = np.random.default_rng(0).normal(size=(120, 3))
    part = MLPRegressor(prepare="table", **PARAMETERS)
    model = quietly(make(part).fit, X.astype(np.float32), 1.7e9 + 60 * X[:, 0])
    with pytest.raises(ValueError, match=r"inputs of float64"):
        to_onnx(model, X[:1].astype(np.float32))
    session = onnxruntime.InferenceSession(to_onnx(model, X[:1]).SerializeToString())
    assert_allclose(session.run(None, {"X": X})[0].ravel(), model.predict(X), rtol=0, atol=0.01)
