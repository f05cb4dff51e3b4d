"""Tests of pickles and skops's files: plain data but for the estimator, and equal to the bit."""

import copy
import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

import fastmlp
from fastmlp import MLPClassifier, MLPRegressor
from fastmlp.augmentations import Flip, Shift
from fastmlp.callbacks import PrintEpoch
from fastmlp.initializers import HeNormal
from fastmlp.losses import Quantile
from fastmlp.optimizers import AdamW
from fastmlp.schedules import OneCycle, Schedule

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 4))
LABELS = np.array(["a", "bc", "def"])[np.arange(60) % 3]
FRAME = pd.DataFrame(X, columns=list("wxyz"))
FEW = {"max_iter": 3, "hidden_layer_sizes": (5, 4), "random_state": 0}

MODELS = {
    "classifier": lambda: MLPClassifier(**FEW).fit(X, LABELS),
    "columns with names": lambda: MLPClassifier(**FEW).fit(FRAME, LABELS),
    "label indicators": lambda: MLPClassifier(**FEW).fit(X, np.eye(3, dtype=int)[np.arange(60) % 3]),
    "early stopping": lambda: MLPClassifier(**FEW, early_stopping=True, scoring="f1_macro").fit(X, LABELS),
    "objects": lambda: MLPClassifier(
        **FEW, learning_rate=OneCycle(), solver=AdamW(), weight_init=[HeNormal()] * 3, image_shape=(2, 2),
        augmentation=(Shift(1), Flip()),
    ).fit(X, LABELS),
    "layers": lambda: MLPClassifier(**FEW, batch_norm=[True, False], dropout=0.1).fit(X, LABELS),
    "averaged": lambda: MLPClassifier(**FEW, solver="sgd", ema_decay=0.9).fit(X, LABELS),
    "regressor": lambda: MLPRegressor(**FEW).fit(X, X[:, 0]),
    "quantiles": lambda: MLPRegressor(**FEW, loss=Quantile((0.1, 0.9)), prepare="table").fit(X, X[:, :2]),
    "L-BFGS": lambda: MLPRegressor(**FEW, solver="lbfgs").fit(X, X[:, 0]),
    "fit": lambda: fastmlp.fit(X, LABELS, X, LABELS, **FEW),
    "fit, regression": lambda: fastmlp.fit(X, X[:, 0], **FEW),
    "fit_many": lambda: fastmlp.fit_many([FEW], X, LABELS)[0],
    "one step": lambda: MLPClassifier(**FEW).partial_fit(X, LABELS, classes=np.unique(LABELS)),
    "not fitted": lambda: MLPClassifier(learning_rate=OneCycle()),
}  # fmt: skip
#: What skops takes without asking.
TRUSTED = (bool, int, float, str, type(None), np.ndarray, np.generic, np.random.RandomState)


def made(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return MODELS[name]()


def types_in(value):
    """Yield the types of all that is in a state, but those that are trusted."""
    if isinstance(value, dict):
        assert all(isinstance(key, str) for key in value)
        value = list(value.values())
    if isinstance(value, list | tuple):
        for one in value:
            yield from types_in(one)
    elif not isinstance(value, TRUSTED) or (isinstance(value, np.ndarray) and value.dtype == object):
        yield type(value)


@pytest.mark.parametrize("name", [name for name in MODELS if name != "columns with names"])
def test_the_state_is_plain_data(name):
    assert set(types_in(made(name).__getstate__())) == set()


def test_what_is_a_users_own_stays_an_object():
    class Mine(Schedule):
        pass

    state = MLPClassifier(callbacks=[PrintEpoch()], learning_rate=Mine()).__getstate__()
    assert set(types_in(state)) == {PrintEpoch, Mine}


def by_state(model):
    """Make a copy as skops does, of data that is written and read."""
    twin = object.__new__(type(model))
    twin.__setstate__(copy.deepcopy(model.__getstate__()))
    return twin


@pytest.mark.parametrize("way", [by_state, copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
@pytest.mark.parametrize("name", [name for name in MODELS if name != "not fitted"])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_copy_predicts_and_trains_on_as_the_model_does(name, way):
    model = made(name)
    data = FRAME if name == "columns with names" else X
    twin = way(model)
    assert_array_equal(twin.predict(data), model.predict(data))
    assert twin.network_ is not model.network_
    assert twin._session is None or twin._session.trainer.network is twin.network_
    assert repr(twin) == repr(model)
    assert twin.__dict__.keys() == model.__dict__.keys()
    if name not in ("early stopping", "L-BFGS"):  # which have no partial_fit
        y = X[:, :2] if name == "quantiles" else model.predict(data)
        for one in (model, twin):
            one.partial_fit(data, y)
        assert_array_equal(twin.predict(data), model.predict(data))
        assert_array_equal(twin.network_.parameters, model.network_.parameters)


def test_a_shallow_copy_shares_the_network():
    model = made("classifier")
    assert copy.copy(model).network_ is model.network_


def test_the_state_of_a_later_version_is_refused():
    state = MLPClassifier().__getstate__()
    (entry,) = (name for name, value in state.items() if "pickle" in name and value == 1)
    with pytest.raises(ValueError, match=r"another version of fastmlp.*2, not 1"):
        MLPClassifier().__setstate__(state | {entry: 2})
