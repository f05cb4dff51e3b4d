"""State dicts for PyTorch: a Sequential that takes them computes what the estimators do."""

import inspect
import sys
import textwrap

import numpy as np
import pytest
from numpy.testing import assert_allclose

from fastmlp import MLPClassifier, MLPRegressor, activations
from fastmlp.formats.torch import state_arrays
from fastmlp.losses import Quantile
from helpers.estimators import data, quietly

DTYPES = ["float32", "float64"]
TOLERANCE = {"float32": 1e-5, "float64": 1e-12}
HIDDEN = [name for name in activations.NAMES if name != "softmax"]
NORMS = [{}, {"batch_norm": [True, False]}, {"layer_norm": [True, True]}]


def fitted(task, dtype="float64", **parameters):
    X, y = data(task, dtype)
    defaults = {"hidden_layer_sizes": (9, 6), "max_iter": 15, "learning_rate_init": 0.02, "random_state": 0}
    cls = MLPRegressor if task in ("regression", "several outputs", "counts") else MLPClassifier
    X = (4 * X + 2).astype(dtype)
    return X, quietly(cls(**{**defaults, **parameters}).fit, X, y)


def activation(nn, layer):
    kind, parameter = activations.split(layer.activation)
    plain = {
        "identity": nn.Identity, "relu": nn.ReLU, "tanh": nn.Tanh, "logistic": nn.Sigmoid, "selu": nn.SELU,
        "gelu": nn.GELU, "silu": nn.SiLU, "mish": nn.Mish, "softplus": nn.Softplus,
    }  # fmt: skip
    if kind in plain:
        return plain[kind]()
    if kind == "softmax":
        return nn.Softmax(dim=1)
    if kind == "prelu":
        return nn.PReLU(layer.units)
    return (
        nn.GELU("tanh")
        if kind == "gelu_tanh"
        else {"leaky_relu": nn.LeakyReLU, "elu": nn.ELU}[kind](parameter)
    )


def module_of(torch, model):
    """The Sequential that the docstring of to_torch_state_dict describes, with the model's state dict."""
    nn, modules, n_in = torch.nn, [], model.n_features_in_
    for layer in model.network_.layers:
        modules.append(nn.Linear(n_in, layer.units))
        if layer.norm:
            modules.append((nn.BatchNorm1d if layer.batch_norm else nn.LayerNorm)(layer.units))
        modules.append(activation(nn, layer))
        n_in = layer.units
    module = nn.Sequential(*modules).to(
        torch.float64 if model.network_.dtype == np.float64 else torch.float32
    )
    module.load_state_dict(model.to_torch_state_dict(), strict=True)
    return module.eval()


def assert_same(model, X, expected):
    torch = pytest.importorskip("torch")
    with torch.no_grad():
        outputs = module_of(torch, model)(torch.from_numpy(X)).numpy()
    tolerance = TOLERANCE[model.network_.dtype.name] * max(1, np.abs(expected).max())
    assert_allclose(outputs, expected.reshape(outputs.shape), rtol=0, atol=tolerance)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("prepare", [None, "table"])
@pytest.mark.parametrize("norms", NORMS, ids=["plain", "batch norm", "layer norm"])
@pytest.mark.parametrize("name", [*HIDDEN, "leaky_relu(0.2)", "elu(0.5)"])
def test_every_activation_and_norm_in_pytorch(name, norms, prepare, dtype):
    X, model = fitted("multiclass", dtype, activation=name, prepare=prepare, dropout=0.1, **norms)
    assert_same(model, X, model.predict_proba(X))


@pytest.mark.parametrize("task", ["binary", "multilabel"])
def test_logistic_outputs_in_pytorch(task):
    X, model = fitted(task)
    assert_same(model, X, model.predict_proba(X)[:, -model.n_outputs_ :])


@pytest.mark.parametrize("loss", [None, Quantile((0.1, 0.5, 0.9))])
@pytest.mark.parametrize("task", ["regression", "several outputs"])
def test_targets_in_their_units_in_pytorch(task, loss):
    X, model = fitted(task, prepare="table", loss=loss)
    assert_same(model, X, model.predict(X))


def test_the_example_of_the_docstring_runs_in_pytorch():
    torch = pytest.importorskip("torch")
    code = textwrap.dedent(inspect.getdoc(MLPClassifier.to_torch_state_dict).split("takes it::\n")[1])
    found = {}
    exec(code, found)
    assert isinstance(found["module"], torch.nn.Sequential)
    expected = found["model"].predict_proba(found["X_test"])
    assert_allclose(found["probabilities"].detach(), expected, rtol=0, atol=1e-5)


def test_names_and_shapes():
    _, model = fitted("multiclass", activation=["prelu", "tanh"], batch_norm=[True, False])
    shapes = {name: values.shape for name, values in state_arrays(model.model_).items()}
    assert shapes == {
        "0.weight": (9, 7), "0.bias": (9,), "1.weight": (9,), "1.bias": (9,), "1.running_mean": (9,),
        "1.running_var": (9,), "2.weight": (9,), "3.weight": (6, 9), "3.bias": (6,), "5.weight": (3, 6),
        "5.bias": (3,),
    }  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES)
def test_arrays_are_copies_that_numpy_can_predict_by(dtype):
    X, model = fitted("regression", dtype, activation="tanh", prepare="table")
    arrays = state_arrays(model.model_)
    z = X
    for place in (0, 2, 4):
        z = z @ arrays[f"{place}.weight"].T + arrays[f"{place}.bias"]
        z = np.tanh(z) if place < 4 else z
    assert_allclose(z[:, 0], model.predict(X), rtol=0, atol=TOLERANCE[dtype])
    for values in arrays.values():
        assert values.dtype == dtype
        assert values.flags.c_contiguous
        assert not np.shares_memory(values, model.network_.parameters)


def test_without_pytorch(monkeypatch):
    _, model = fitted("regression")
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ImportError, match=r"to_torch_state_dict needs torch.*pip install torch"):
        model.to_torch_state_dict()
    with pytest.raises(ValueError, match="not fitted"):
        MLPRegressor().to_torch_state_dict()
