"""Tests of models and data in memory that is read-only, as joblib's memory maps and Ray's objects are."""

import copy
import pickle

import joblib
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy.sparse import csr_matrix
from sklearn.model_selection import GridSearchCV

import fastmlp
from fastmlp import MLPClassifier, MLPRegressor, Network, Trainer
from fastmlp.layers import Dense
from helpers.estimators import go_on, ignore_convergence

pytestmark = ignore_convergence

X = np.random.default_rng(0).normal(size=(60, 16))
Y = (X[:, 0] > 0).astype(int)
VALIDATION = {"X_val": X, "y_val": Y}


def mapped(mode):
    def load(model, folder):
        joblib.dump(model, folder / "model.joblib")
        return joblib.load(folder / "model.joblib", mmap_mode=mode)

    return load


def from_shared_memory(model, folder):
    """Return the model as pickle's protocol 5 gives it where others hold its buffers, as in Ray."""
    buffers = []
    data = pickle.dumps(model, protocol=5, buffer_callback=buffers.append)
    return pickle.loads(data, buffers=[bytes(buffer) for buffer in buffers])


ORIGINS = {
    "mapped": mapped("r"),
    "mapped for writing": mapped("r+"),
    "mapped and copied": mapped("c"),
    "shared": from_shared_memory,
    "a copy of one": lambda model, folder: copy.deepcopy(mapped("r")(model, folder)),
    "pickled again": lambda model, folder: pickle.loads(pickle.dumps(mapped("r")(model, folder))),
}
# All that has a state of its own.
MODELS = {
    "adam": {},
    "momentum": {"solver": "sgd"},
    "rmsprop": {"solver": "rmsprop"},
    "adadelta": {"solver": "adadelta"},
    "averages": {"ema_decay": 0.9},
    "batch norm": {"batch_norm": True, "prepare": "table"},
    "float32": {"dtype": "float32", "activation": "prelu"},
    "blas": {"engine": "blas"},
    "reference": {"engine": "reference", "batch_norm": True, "ema_decay": 0.9},
    "best of calls": {"early_stopping": True, "ema_decay": 0.5, "n_iter_no_change": 1, "tol": 9.0},
}
TRAIN = {
    "partial_fit": lambda model: model.partial_fit(X, Y, **VALIDATION),
    "warm start": lambda model: model.set_params(warm_start=True).fit(X, Y, **VALIDATION),
    "L-BFGS": lambda model: model.set_params(
        warm_start=True, solver="lbfgs", ema_decay=None, early_stopping=False
    ).fit(X, Y),
    "fit": lambda model: model.fit(X, Y),
}


def trained(**params):
    model = MLPClassifier((8,), max_iter=2, random_state=0, **params)
    return model.partial_fit(X, Y, classes=[0, 1], **VALIDATION).partial_fit(X, Y, **VALIDATION)


@pytest.mark.parametrize(
    ("kind", "origin", "way"),
    [(kind, origin, "partial_fit") for kind in MODELS for origin in ORIGINS]
    + [("best of calls", origin, way) for origin in ("mapped", "shared") for way in list(TRAIN)[1:]],
)
def test_such_a_model_trains_on_as_any_other_and_leaves_the_file_alone(kind, origin, way, tmp_path):
    model = trained(**MODELS[kind])
    twin = ORIGINS[origin](model, tmp_path)
    file = tmp_path / "model.joblib"
    before = file.read_bytes() if file.exists() else b""
    assert_array_equal(twin.predict_proba(X), model.predict_proba(X))
    for one in (model, twin):
        for _ in range(4):
            TRAIN[way](one)
    assert_array_equal(twin.network_.parameters, model.network_.parameters)
    assert twin.loss_curve_ == model.loss_curve_
    assert twin.stopped_early_ == model.stopped_early_
    del twin
    assert (file.read_bytes() if file.exists() else b"") == before


@pytest.mark.parametrize("origin", ORIGINS)
def test_such_a_model_does_all_else(origin, tmp_path):
    model = trained(prepare="table")
    twin = ORIGINS[origin](model, tmp_path)
    assert_array_equal(twin.compile()(X), model.predict_proba(X))
    assert_array_equal(twin.hidden_activations(X, 0), model.hidden_activations(X, 0))
    assert twin.score(X, Y) == model.score(X, Y)
    twin.save(tmp_path / "model.safetensors")
    assert_array_equal(fastmlp.load(tmp_path / "model.safetensors").predict_proba(X), model.predict_proba(X))
    assert_array_equal(twin.to_sklearn().predict(X), model.predict(X))
    twin.coefs_[0][:] = 0  # its own
    assert not np.array_equal(twin.predict_proba(X), model.predict_proba(X))


@pytest.mark.parametrize("origin", ["mapped", "shared"])
def test_a_prepared_regressor_trains_on(origin, tmp_path):
    model = MLPRegressor(hidden_layer_sizes=(8,), max_iter=2, random_state=0, prepare="table").fit(
        X, X[:, :2]
    )
    twin = ORIGINS[origin](model, tmp_path)
    for one in (model, twin):
        one.partial_fit(X, X[:, :2])
    assert_array_equal(twin.predict(X), model.predict(X))


@pytest.mark.parametrize("origin", ["mapped", "shared"])
def test_a_trainer_trains_on(origin, tmp_path):
    network = Network([Dense(8), Dense(2, "softmax")], 16, random_state=0)
    trainer = Trainer(network, "cross_entropy", ema_decay=0.9, random_state=0)
    trainer.fit(X, Y, epochs=1)
    twin = ORIGINS[origin](trainer, tmp_path)
    for one in (trainer, twin):
        one.fit(X, Y, epochs=2)
    assert_array_equal(twin.network.parameters, network.parameters)


# ---------------------------------------------------------------------------------------------------- data


def read_only(array):
    array = array.copy()
    for part in (array.data, array.indices, array.indptr) if hasattr(array, "indptr") else (array,):
        part.flags.writeable = False
    return array


@pytest.mark.parametrize(
    "params", [{}, {"solver": "lbfgs"}, {"early_stopping": True}, {"engine": "reference"}]
)
@pytest.mark.parametrize("cls", [MLPClassifier, MLPRegressor])
@pytest.mark.parametrize("kind", ["float64", "float32", "uint8", "columns", "csr"])
def test_data_may_be_read_only(kind, cls, params):
    inputs = {
        "float32": X.astype(np.float32),
        "uint8": (X * 20 + 128).astype(np.uint8),
        "columns": np.asfortranarray(X),
        "csr": csr_matrix(X * (X > 0)),
    }
    inputs = read_only(inputs.get(kind, X))
    y = read_only(Y.astype(np.int32) if cls is MLPClassifier else X[:, 0])
    weights = read_only(np.linspace(0.1, 1, len(X)))
    models = [cls(hidden_layer_sizes=(8,), max_iter=2, random_state=0, **params) for _ in range(2)]
    models[0].fit(inputs, y, weights)
    models[1].fit(inputs.copy(), y.copy(), weights.copy())
    for one in (inputs, inputs.copy()):
        assert_array_equal(models[0].predict(one), models[1].predict(one))
    (many,) = fastmlp.fit_many([models[0]], inputs, y, sample_weight=weights)
    assert_array_equal(many.predict(inputs), models[0].predict(inputs))
    if params == {}:
        models[0].partial_fit(inputs, y, weights, X_val=inputs, y_val=y)


def test_a_search_in_processes_maps_large_data():
    large = np.random.default_rng(0).normal(size=(4000, 40))  # 1.3 MB, which joblib maps
    y = (large[:, 0] > 0).astype(int)
    model = MLPClassifier((8,), max_iter=2, random_state=0)
    with joblib.parallel_config(backend="loky", max_nbytes="100K"):
        search = GridSearchCV(model, {"early_stopping": [False, True]}, cv=2, n_jobs=2).fit(large, y)
    alone = GridSearchCV(model, {"early_stopping": [False, True]}, cv=2).fit(large, y)
    assert_array_equal(search.cv_results_["mean_test_score"], alone.cv_results_["mean_test_score"])


def test_large_models_go_on_in_processes():
    model = MLPClassifier((400,), max_iter=1, random_state=0).fit(X, Y)
    found = joblib.Parallel(n_jobs=2, backend="loky", max_nbytes=100)(
        joblib.delayed(go_on)(model, X, Y) for _ in range(2)
    )
    expected = go_on(model, X, Y)
    for one in found:
        assert_array_equal(one, expected)
