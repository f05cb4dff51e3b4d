"""`gradient_check`: right gradients fall with epsilon squared, wrong ones are seen."""

import numpy as np
import pytest

from fastmlp import Network, gradient_check
from fastmlp.layers import Dense

RNG = np.random.default_rng(0)
X, LABELS = RNG.normal(size=(10, 6)), np.arange(10) % 4


@pytest.mark.parametrize("engine", ["auto", "blas", "reference"])
@pytest.mark.parametrize(
    ("output", "y"),
    [("softmax", LABELS), ("logistic", np.eye(4)[LABELS]), ("identity", RNG.normal(size=(10, 4)))],
)
def test_differences_fall_with_epsilon_squared(output, y, engine):
    network = Network([Dense(7, "tanh"), Dense(4, output)], 6, engine=engine, random_state=0)
    before = network.parameters.copy()
    table = gradient_check(network, X, y, epsilons=(1e-2, 1e-3, 1e-4), n_per_layer=5)
    first, second, third = table.largest_differences
    assert first < 1e-3
    assert second == pytest.approx(first / 100, rel=0.1)
    assert third == pytest.approx(second / 100, rel=0.2)
    np.testing.assert_array_equal(network.parameters, before)


def test_each_layer_has_its_weights_and_biases():
    network = Network([Dense(3, "tanh"), Dense(2, "softmax")], 6, random_state=0)
    table = gradient_check(network, X, LABELS % 2, n_per_layer=4)
    counts = [(i, letter, sum(r.layer == i and r.name[0] == letter for r in table.rows)) for i in (0, 1)
              for letter in "Wb"]  # fmt: skip
    assert counts == [(0, "W", 4), (0, "b", 3), (1, "W", 4), (1, "b", 2)]
    _, gradient, _ = network.gradients(X, LABELS % 2, "cross_entropy")
    weights, biases = network.split(gradient)
    for row in table.rows:
        place = tuple(map(int, row.name[2:-1].split(",")))
        part = weights if row.name[0] == "W" else biases
        assert row.analytic == pytest.approx(part[row.layer][place], rel=1e-4, abs=1e-6)


def test_a_wrong_gradient_is_seen(monkeypatch):
    right = Network.gradients
    monkeypatch.setattr(
        Network, "gradients", lambda self, *args: (lambda v, d, x: (v, 1.01 * d, x))(*right(self, *args))
    )
    network = Network([Dense(3, "tanh"), Dense(2, "softmax")], 6, random_state=0)
    assert gradient_check(network, X, LABELS % 2).largest_differences[-1] > 1e-4


def test_it_prints_a_table_of_straight_columns():
    network = Network([Dense(3, "tanh"), Dense(2, "softmax")], 6, random_state=0)
    lines = str(gradient_check(network, X, LABELS % 2, epsilons=[1e-3])).splitlines()
    assert lines[0].split() == [
        "layer",
        "parameter",
        "analytic",
        "numerical,",
        "0.001",
        "difference,",
        "0.001",
    ]
    assert len(lines) == 1 + 3 + 3 + 3 + 2 + 1
    assert lines[-1].split()[0] == "largest"
    assert len({len(line) for line in lines}) == 1


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"epsilons": ()}, "epsilons"),
        ({"epsilons": [0]}, "epsilons=0"),
        ({"n_per_layer": 0}, "n_per_layer=0"),
    ],
)
def test_wrong_settings_are_refused(options, text):
    with pytest.raises(ValueError, match=text):
        gradient_check(Network([Dense(2, "softmax")], 6), X, LABELS % 2, **options)


@pytest.mark.parametrize("parameters", [[], ["W[0, 0]"], [(0,)], [(0, 3)], [(0.5, "b[1]")], [("a", "b[1]")]])
def test_what_is_no_layer_and_name_is_refused(parameters):
    network = Network([Dense(2, "softmax")], 3)
    with pytest.raises(ValueError, match=r"parameters.* a layer|parameters=.* one or more"):
        gradient_check(network, np.ones((4, 3)), [0, 1, 0, 1], parameters=parameters)
