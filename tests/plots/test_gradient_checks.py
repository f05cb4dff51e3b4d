"""Pictures of a gradient check: its table, and how its differences fall with epsilon."""

import numpy as np
import pytest
from matplotlib.patches import Rectangle
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_iris

import fastmlp
from fastmlp import Network, plots
from fastmlp.layers import Dense
from fastmlp.training.gradient_check import CheckedGradient, GradientCheck

X, Y = load_iris(return_X_y=True)


def lines(ax):
    return {line.get_label(): line for line in ax.get_lines()}


def test_the_table_of_gradients_marks_the_largest_differences():
    network = Network([Dense(5, "tanh"), Dense(3, "softmax")], 4, random_state=0)
    check = fastmlp.gradient_check(network, X[:10], Y[:10], epsilons=(1e-2, 1e-3))
    (ax,) = plots.gradient_check_table(check).axes
    cells = [text.get_text() for text in ax.texts]
    assert cells[:3] == ["layer", "parameter", "analytic"]
    rows = np.reshape(cells[6:], (len(check.rows), 6))
    assert rows[:, 1].tolist() == [row.name for row in check.rows]
    assert rows[:, 4].tolist() == [f"{row.differences[0]:.1e}" for row in check.rows]
    bold = [text.get_text() for text in ax.texts if text.get_weight() == "bold"]
    assert sorted(abs(float(text)) for text in bold) == pytest.approx(
        sorted(check.largest_differences), rel=0.1
    )
    assert len([patch for patch in ax.patches if isinstance(patch, Rectangle)]) == 2


def test_only_a_gradient_check_has_a_table():
    with pytest.raises(TypeError, match="check is a str"):
        plots.gradient_check_table("table")


def test_the_errors_of_a_gradient_check_fall_with_epsilon_squared():
    network = Network([Dense(8, "tanh"), Dense(3, "softmax")], 4, random_state=0)
    check = fastmlp.gradient_check(network, X[::15], Y[::15], epsilons=(1e-2, 1e-1, 1e-3))
    (ax,) = plots.gradient_check_errors(check).axes
    *each, largest, squares = ax.get_lines()
    assert len(each) == len(check.rows)
    ax.get_figure().canvas.draw()
    assert [text.get_text() for text in ax.get_xticklabels()][1:-1] == ["0.001", "0.01", "0.1"]
    middle, high, low = check.largest_differences
    assert_array_equal(largest.get_xdata(), [1e-3, 1e-2, 1e-1])
    assert_allclose(largest.get_ydata(), [low, middle, high])
    assert_allclose(squares.get_ydata(), high * np.array([1e-4, 1e-2, 1]))
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        f"each of {len(check.rows)} parameters",
        "largest",
        "as ε²",
    ]


def test_errors_of_zero_are_left_out_and_what_has_none_is_refused():
    rows = tuple(CheckedGradient(0, f"b[{i}]", 1.0, (1.25, 1.0 + i)) for i in range(2))
    check = GradientCheck((0.5, 0.25), rows)
    (ax,) = plots.gradient_check_errors(check).axes
    assert_array_equal(ax.get_lines()[0].get_ydata(), [np.nan, 0.25])
    assert_array_equal(ax.get_lines()[2].get_ydata(), [1.0, 0.25])
    with pytest.raises(TypeError, match="check is a str"):
        plots.gradient_check_errors("check")
    with pytest.raises(ValueError, match="a line needs two or more"):
        plots.gradient_check_errors(GradientCheck((0.5,), rows))
    flat = tuple(CheckedGradient(0, "b", 1.0, (1.0, 1.0)) for _ in range(2))
    with pytest.raises(ValueError, match="no difference that is finite and not 0"):
        plots.gradient_check_errors(GradientCheck((0.5, 0.25), flat))
