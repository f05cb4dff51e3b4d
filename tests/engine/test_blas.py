"""The public matrix operations over BLAS: formulas, layouts, refusals; and the page that shows them.

Their bodies are the walk's, which test_products.py compares with the twin for every activation and solver.
"""

import re
from pathlib import Path

import numpy as np
import pytest

from fastmlp.engine.blas import linear_backward, linear_forward, linear_update
from fastmlp.engine.reference import products

PAGE = Path(__file__).parents[2] / "docs" / "matrix-operations.md"
both_types = pytest.mark.parametrize("dtype", ["float32", "float64"])
shapes = pytest.mark.parametrize(
    ("n_out", "n_in", "n_samples"), [(1, 1, 1), (5, 1, 17), (1, 9, 3), (19, 33, 16), (7, 20, 50)]
)


def arrays(dtype, *shapes, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=shape).astype(dtype) for shape in shapes]


def limit(dtype):
    return {"rtol": 64 * np.finfo(dtype).eps, "atol": 256 * np.finfo(dtype).eps}


@both_types
@shapes
@pytest.mark.parametrize("activation", ["identity", "leaky_relu(0.2)", "softmax"])
def test_forward_and_backward_are_the_twins(n_out, n_in, n_samples, activation, dtype):
    weight, bias, x, d_y = arrays(dtype, (n_out, n_in), (n_out,), (n_in, n_samples), (n_out, n_samples))
    y = linear_forward(weight, bias, x, activation)
    assert y.dtype == dtype
    np.testing.assert_allclose(y, products.linear_forward(weight, bias, x, activation), **limit(dtype))
    d_x = linear_backward(weight, d_y, x, activation)
    np.testing.assert_allclose(d_x, products.linear_backward(weight, d_y, x, activation), **limit(dtype))
    np.testing.assert_allclose(linear_backward(weight, d_y), weight.T @ d_y, **limit(dtype))


@both_types
@shapes
@pytest.mark.parametrize(("momentum", "nesterov", "l2"), [(0, False, 0.1), (0.9, False, 0), (0.8, True, 0.1)])
def test_updates_are_those_of_the_formula(n_out, n_in, n_samples, momentum, nesterov, l2, dtype):
    weight, bias, x, d_y = arrays(dtype, (n_out, n_in), (n_out,), (n_in, n_samples), (n_out, n_samples))
    w, b, rate = weight.copy(), bias.copy(), 0.01
    velocity = (np.zeros_like(w), np.zeros_like(b)) if momentum else None
    options = {"learning_rate": rate, "momentum": momentum, "nesterov": nesterov, "l2": l2}
    expected, moved = [weight.astype(float), bias.astype(float)], [0.0, 0.0]
    for _ in range(3):
        linear_update(w, b, d_y, x, velocity=velocity, **options)
        gradients = d_y @ x.T.astype(float) + l2 * expected[0], d_y.sum(axis=1, dtype=float)
        for k, gradient in enumerate(gradients):
            moved[k] = momentum * moved[k] - rate * gradient
            expected[k] += momentum * moved[k] - rate * gradient if nesterov else moved[k]
    np.testing.assert_allclose(w, expected[0], **limit(dtype))
    np.testing.assert_allclose(b, expected[1], **limit(dtype))


def test_a_step_goes_down_the_gradient_that_finite_differences_find():
    weight, bias, x, target = arrays("float64", (3, 4), (3,), (4, 6), (3, 6))

    def loss(w, b):
        return 0.5 * ((np.tanh(w @ x + b[:, None]) - target) ** 2).sum()

    y = linear_forward(weight, bias, x, "tanh")
    d_y = linear_backward(np.eye(3), y - target, y, "tanh")
    w, b = weight.copy(), bias.copy()
    linear_update(w, b, d_y, x, learning_rate=1.0)
    for array, moved in ((weight, w), (bias, b)):
        for place in np.ndindex(array.shape):
            was = array[place]
            array[place] = was + 1e-6
            above = loss(weight, bias)
            array[place] = was - 1e-6
            slope = (above - loss(weight, bias)) / 2e-6
            array[place] = was
            assert was - moved[place] == pytest.approx(slope, abs=1e-6)


def test_rows_may_be_part_of_longer_ones_and_read_only():
    weight, bias, x, d_y = arrays("float64", (5, 9), (5,), (9, 40), (5, 40))
    whole = np.full((5, 16), np.nan)
    whole[:, :9] = weight
    part, samples, d = whole[:, :9], x[:, 3:20], d_y[:, 3:20]
    for array in (samples, d, bias):
        array.flags.writeable = False
    y = linear_forward(part, bias, samples, "relu")
    np.testing.assert_allclose(y, np.maximum(weight @ samples + bias[:, None], 0), atol=1e-13)
    np.testing.assert_allclose(linear_backward(part, d), weight.T @ d, atol=1e-13)
    linear_update(part, bias.copy(), d, samples, learning_rate=0.5)
    np.testing.assert_allclose(part, weight - 0.5 * d @ samples.T, atol=1e-12)
    assert np.isnan(whole[:, 9:]).all()


W, B, X, D = arrays("float64", (3, 4), (3,), (4, 6), (3, 6))
CALLS = {
    "forward": lambda **other: linear_forward(**{"weight": W, "bias": B, "x": X, **other}),
    "backward": lambda **other: linear_backward(**{"weight": W, "d_y": D, **other}),
    "update": lambda **other: linear_update(
        **{"weight": W.copy(), "bias": B.copy(), "d_y": D, "x": X, "learning_rate": 0.1, **other}
    ),
}


@pytest.mark.parametrize(
    ("call", "wrong", "message"),
    [
        ("forward", {"x": X[:3]}, r"x has shape \(3, 6\), but weight has 4 columns: it must be \(4, 6\)"),
        ("forward", {"bias": B[:2]}, r"bias has shape \(2,\)"),
        ("forward", {"weight": np.asfortranarray(W)}, "rows of weight must be contiguous"),
        ("forward", {"x": X[:, ::-1]}, "rows of x must be contiguous"),
        ("forward", {"x": X[:, :0]}, r"x has shape \(4, 0\); sizes go from 1"),
        ("forward", {"activation": "prelu"}, "learns its slope"),
        ("forward", {"activation": "sin"}, "activation='sin' is not an activation"),
        ("backward", {"d_y": D[:2]}, r"d_y has shape \(2, 6\)"),
        ("backward", {"x": X[:, :5], "activation": "tanh"}, r"x has shape \(4, 5\)"),
        ("backward", {"activation": "tanh"}, "its derivative needs x"),
        ("backward", {"x": X, "activation": "gelu"}, "do not tell its derivative"),
        ("update", {"d_y": D[:, :5]}, r"d_y has shape \(3, 5\)"),
        ("update", {"learning_rate": np.nan}, "learning_rate=nan must be at least 0"),
        ("update", {"momentum": 0.9}, "needs a velocity"),
        ("update", {"momentum": 1.5}, "momentum=1.5 must be at least 0 and at most 1"),
        ("update", {"momentum": 0.9, "velocity": (W[:2].copy(), B.copy())}, r"velocity\[0\] has shape"),
        ("update", {"weight": X[:3, :4], "x": X}, "weight and x overlap"),
        ("forward", {"x": np.broadcast_to(X[:1], X.shape)}, "rows of x must be contiguous"),
        ("forward", {"bias": W}, r"bias has shape \(3, 4\); it must have 1 dimensions"),
    ],
)
def test_what_does_not_go_together_is_refused_by_name(call, wrong, message):
    with pytest.raises(ValueError, match=message):
        CALLS[call](**wrong)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"x": X.astype("float32")}, "x is float32, and weight float64; all must have one type"),
        ({"weight": W.astype(int)}, "weight is int64; it must be an array of float32 or float64"),
        ({"bias": [0.0, 0.0, 0.0]}, "bias is list"),
    ],
)
def test_other_types_are_refused_by_name(wrong, message):
    with pytest.raises(TypeError, match=message):
        CALLS["forward"](**wrong)


def test_read_only_weights_are_not_updated():
    weight = W.copy()
    weight.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        CALLS["update"](weight=weight)


def test_the_page_trains_a_network_to_the_accuracy_it_states(capsys):
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    exec(compile(code, str(PAGE), "exec"), {})
    assert float(capsys.readouterr().out.split()[-1]) > 0.95
