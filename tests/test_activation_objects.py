"""Activations as objects: what they are called, where they are taken, and that they mean what names do."""

import copy
import pickle
from dataclasses import FrozenInstanceError, fields

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone

import fastmlp
from fastmlp import MLPClassifier, MLPRegressor, Network, Trainer, activations
from fastmlp.activations import ELU, Activation, LeakyReLU, Logistic, PReLU, ReLU, Softmax, Softplus, Tanh
from fastmlp.layers import Dense

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 4))
Y = np.arange(60) % 3
FEW = {"hidden_layer_sizes": (5, 4), "max_iter": 3, "random_state": 0}
CASES = [
    *((kind(), name) for name, kind in activations.BY_NAME.items()),
    (LeakyReLU(0.2), "leaky_relu(0.2)"),
    (LeakyReLU(np.float32(0.5)), "leaky_relu(0.5)"),
    (ELU(2), "elu(2.0)"),
    (PReLU(-0.0), "prelu(0.0)"),
]
HIDDEN = [case for case in CASES if case[1] != "softmax"]

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.mark.parametrize(("activation", "name"), CASES)
def test_a_layer_keeps_the_name(activation, name):
    layer = Dense(4, activation)
    assert type(layer.activation) is str
    assert layer.activation == str(activation) == activations.canonical(name) == name
    assert layer == Dense(4, name)
    assert repr(layer) == f"Dense(units=4, activation={name!r})"
    assert pickle.loads(pickle.dumps(layer)) == copy.deepcopy(layer) == layer


def test_the_parameters_are_those_of_the_classes():
    of_classes = {
        name: (field.name, getattr(kind(), field.name))
        for name, kind in activations.BY_NAME.items()
        for field in fields(kind)
    }
    assert of_classes == activations.PARAMETERS
    assert {activations.split(name)[1] for name in activations.NAMES if name not in of_classes} == {0.0}


@pytest.mark.parametrize(("activation", "name"), CASES)
def test_a_network_of_objects_is_that_of_names_to_the_bit(activation, name):
    networks = [
        Network([Dense(7, one), Dense(3, "softmax")], 4, random_state=0) for one in (activation, name)
    ]
    for network in networks:
        Trainer(network, "cross_entropy", random_state=0).fit(X, Y, epochs=2)
    assert_array_equal(networks[0].parameters, networks[1].parameters)
    assert_array_equal(networks[0].predict(X), networks[1].predict(X))


@pytest.mark.parametrize(
    ("given", "names"),
    [*HIDDEN, ([Tanh(), PReLU(0.1)], ["tanh", "prelu(0.1)"]), ((ReLU(), "elu"), ["relu", "elu"])],
)
def test_a_classifier_takes_objects(given, names, tmp_path):
    model, by_name = (MLPClassifier(activation=one, **FEW).fit(X, Y) for one in (given, names))
    assert_array_equal(model.network_.parameters, by_name.network_.parameters)
    assert clone(model).activation == given
    model.save(tmp_path / "model.safetensors")
    loaded = fastmlp.load(tmp_path / "model.safetensors")
    assert loaded.activation == by_name.activation
    assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    twin = pickle.loads(pickle.dumps(model))
    expected = model.partial_fit(X, Y).predict_proba(X)
    for one in (by_name, twin):
        assert_array_equal(one.partial_fit(X, Y).predict_proba(X), expected)


def test_outputs_take_objects():
    y = np.abs(X[:, 0])
    models = [MLPRegressor(output_activation=one, **FEW).fit(X, y) for one in (Softplus(), "softplus")]
    assert models[0].out_activation_ == "softplus"
    assert_array_equal(models[0].predict(X), models[1].predict(X))
    assert MLPClassifier(output_activation=Logistic(), **FEW).fit(X, Y).out_activation_ == "logistic"


@pytest.mark.parametrize("kind", [LeakyReLU, PReLU, ELU])
@pytest.mark.parametrize("value", [-0.1, np.nan, np.inf, "0.2", None])
def test_parameters_out_of_range_are_named(kind, value):
    with pytest.raises((TypeError, ValueError), match=f"{fields(kind)[0].name}={value!r} must be"):
        kind(value)


def test_an_activation_does_not_change():
    with pytest.raises(FrozenInstanceError):
        LeakyReLU(0.2).slope = 0.3
    assert len({LeakyReLU(0.2), LeakyReLU(0.2), LeakyReLU()}) == 2


class Swoosh(Activation):
    """A user's own."""


class Leakier(LeakyReLU):
    """A user's own that has a name of ours."""


@pytest.mark.parametrize("activation", [Swoosh(), Leakier(0.2), LeakyReLU, np.tanh, Activation()])
def test_activations_of_a_users_own_are_refused(activation):
    says = r"activation=.* is not an activation; choose one of identity, .* or an instance of .*LeakyReLU"
    with pytest.raises(ValueError, match=says):
        Dense(4, activation)
    with pytest.raises(ValueError, match=f"output_{says}"):
        activations.canonical(activation, "output_activation")
    with pytest.raises(ValueError, match=r"activation=.* is not (an activation|one for hidden layers)"):
        MLPClassifier(activation=[activation, "relu"], **FEW).fit(X, Y)
    with pytest.raises(ValueError, match="The 'activation' parameter of MLPClassifier must be"):
        MLPClassifier(activation=activation, **FEW).fit(X, Y)
    with pytest.raises(ValueError, match="The 'output_activation' parameter of MLPRegressor must be"):
        MLPRegressor(output_activation=activation, **FEW).fit(X, X[:, 0])


def test_what_hidden_and_output_layers_may_not_have_is_refused_as_an_object_too():
    for given in (Softmax(), [Softmax(), "relu"]):
        with pytest.raises(ValueError, match="activation"):
            MLPClassifier(activation=given, **FEW).fit(X, Y)
    with pytest.raises(ValueError, match="output_activation"):
        MLPRegressor(output_activation=PReLU(), **FEW).fit(X, X[:, 0])
