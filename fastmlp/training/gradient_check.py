"""`gradient_check`: backpropagation beside numerical differences, parameter by parameter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from numbers import Integral

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_random_state

from fastmlp._support.checks import number, shown
from fastmlp.losses import Loss
from fastmlp.network.network import Network
from fastmlp.training.data import Matrix

#: The loss that goes with the last activation, where the caller names none.
_LOSSES = {"softmax": "cross_entropy", "logistic": "binary_cross_entropy"}


@dataclass(frozen=True)
class CheckedGradient:
    """One parameter of the table.

    Attributes
    ----------
    layer : int
    name : str
        "W[i, j]", from input i to unit j, as in ``coefs_``, or "b[j]"; "scale[j]" of a normalisation,
        "slope[j]" of prelu.
    analytic : float
        The derivative of the loss by backpropagation.
    numerical : tuple of float
        By central differences, for each epsilon.
    """

    layer: int
    name: str
    analytic: float
    numerical: tuple[float, ...]

    @property
    def differences(self) -> tuple[float, ...]:
        """Numerical less analytic, for each epsilon."""
        return tuple(value - self.analytic for value in self.numerical)


@dataclass(frozen=True, repr=False)
class GradientCheck:
    """What `gradient_check` found; ``print`` shows it as a table.

    Attributes
    ----------
    epsilons : tuple of float
    rows : tuple of CheckedGradient
    """

    epsilons: tuple[float, ...]
    rows: tuple[CheckedGradient, ...]

    @property
    def largest_differences(self) -> tuple[float, ...]:
        """The largest magnitude of a difference, for each epsilon."""
        differences = np.abs([row.differences for row in self.rows])
        return tuple(float(largest) for largest in differences.max(axis=0))

    def __repr__(self) -> str:
        largest = f", largest difference {min(self.largest_differences):.2g}" if self.rows else ""
        return f"<GradientCheck of {len(self.rows)} parameters{largest}>"

    def __str__(self) -> str:
        heads = ["layer", "parameter", "analytic", f"numerical, {self.epsilons[-1]:g}"]
        heads += [f"difference, {epsilon:g}" for epsilon in self.epsilons]
        table = [heads]
        for row in self.rows:
            numbers = (row.analytic, row.numerical[-1])
            table.append(
                [str(row.layer), row.name]
                + [f"{value:.8f}" for value in numbers]
                + [f"{value:.2e}" for value in row.differences]
            )
        largest = [f"{value:.2e}" for value in self.largest_differences]
        table.append(["", "largest", "", "", *largest])
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        return "\n".join(
            "  ".join(
                cell.ljust(width) if i == 1 else cell.rjust(width)
                for i, (cell, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in table
        )


def gradient_check(
    network: Network,
    X: Matrix,
    y: ArrayLike,
    loss: str | Loss | None = None,
    *,
    epsilons: Sequence[float] = (1e-2, 1e-3, 1e-4),
    n_per_layer: int = 3,
    parameters: Sequence[tuple[int, str]] | None = None,
    random_state: int | np.random.RandomState | None = 0,
) -> GradientCheck:
    """Compare backpropagation with (L(w + epsilon) - L(w - epsilon)) / (2 epsilon) for a few parameters.

    The error of these central differences is of the order of epsilon^2, so that the differences should fall a
    hundredfold from one epsilon to the next. All is computed in float64, whatever the network's type, and as
    in a step of training that drops nothing: batch normalisation is by the samples of X.

    Parameters
    ----------
    network : Network
        Not changed.
    X, y : array-like
        As for `Network.gradients`.
    loss : str or object, optional
        See `fastmlp.losses`; by default the one that goes with the last activation.
    epsilons : sequence of float, default=(1e-2, 1e-3, 1e-4)
    n_per_layer : int, default=3
        Weights, and as many biases and so on, that are drawn from each layer; all where there are no more.
    parameters : sequence of (layer, name), optional
        The parameters to check instead, layers counted from 0 and names as in `CheckedGradient`, such as
        ``[(0, "W[21, 9]"), (1, "b[5]")]``.
    random_state : int, RandomState instance or None, default=0
        For that draw.

    Returns
    -------
    GradientCheck
        Print it.

    Examples
    --------
    >>> from fastmlp import Network, datasets, gradient_check
    >>> from fastmlp.layers import Dense
    >>> X, y, *_ = datasets.load_digits()
    >>> network = Network([Dense(8, "tanh"), Dense(10, "softmax")], 64, random_state=0)
    >>> table = gradient_check(network, X[:10] / 16, y[:10])
    >>> max(table.largest_differences) < 1e-4 and table.largest_differences[-1] < 1e-8
    True
    """
    epsilons = tuple(epsilons)
    if not epsilons:
        raise ValueError("epsilons=() must hold one or more numbers.")
    for epsilon in epsilons:
        number("epsilons", epsilon, above=0)
    number("n_per_layer", n_per_layer, at_least=1, whole=True)
    generator = check_random_state(random_state)
    double = _in_double(network)
    checked_loss = double.check_loss(loss or _LOSSES.get(network.layers[-1].activation, "squared_error"))
    X = double.read_sparse(double.check_inputs(X))  # once for all evaluations

    def evaluate() -> float:
        return double.gradients(X, y, checked_loss)[0]

    _, d_parameters, _ = double.gradients(X, y, checked_loss)
    wanted = None if parameters is None else _checked(parameters)
    rows = {}
    for i, layer in enumerate(double.plan.layers):
        parts, gradients = (double.split_layer(layer, vector) for vector in (None, d_parameters))
        for part in ("weight", *layer.learned):
            letter = {"weight": "W", "bias": "b"}.get(part, part)
            values, gradient = parts[part].T, gradients[part].T  # W as in coefs_
            if wanted is None:
                drawn = np.sort(generator.permutation(values.size)[:n_per_layer])
                indices = [tuple(map(int, np.unravel_index(flat, values.shape))) for flat in drawn]
            else:
                named = (_index(name, letter, values.shape) for at, name in wanted if at == i)
                indices = [index for index in named if index is not None]
            for index in indices:
                numerical = tuple(_difference(evaluate, values, index, epsilon) for epsilon in epsilons)
                name = f"{letter}[{', '.join(map(str, index))}]"
                rows[i, name] = CheckedGradient(i, name, float(gradient[index]), numerical)
    for one in wanted or ():
        if one not in rows:
            raise ValueError(
                f"parameters: there is no {shown(one)}; layers are 0 to {i}, names such as 'W[2, 3]'."
            )
    return GradientCheck(epsilons, tuple(rows.values()))


def _checked(parameters: Sequence[tuple[int, str]]) -> list[tuple[int, str]]:
    """Return the pairs of layer and name; refuse all else."""
    for one in parameters:
        is_pair = isinstance(one, tuple | list) and len(one) == 2
        if not is_pair or not isinstance(one[0], Integral) or not isinstance(one[1], str):
            raise ValueError(
                f"parameters: {shown(one)} must be a layer, counted from 0, and a name, as (0, 'W[2, 3]')."
            )
    if not parameters:
        raise ValueError(f"parameters={shown(parameters)} must hold one or more pairs of layer and name.")
    return [(int(layer), name) for layer, name in parameters]


def _index(name: str, letter: str, shape: tuple[int, ...]) -> tuple[int, ...] | None:
    """Return the index that a name has, such as "W[2, 3]", or None if it is not of this letter and shape."""
    head, _, rest = name.removesuffix("]").partition("[")
    try:
        index = tuple(int(part) for part in rest.split(","))
    except ValueError:
        return None
    within = len(index) == len(shape) and all(0 <= i < n for i, n in zip(index, shape, strict=True))
    return index if head == letter and within else None


def _difference(
    loss: Callable[[], float], values: NDArray[np.float64], index: tuple[int, ...], epsilon: float
) -> float:
    """Return the central difference of the loss when one parameter is moved."""
    here = values[index]
    values[index] = here + epsilon
    above = loss()
    values[index] = here - epsilon
    below = loss()
    values[index] = here
    return (above - below) / (2 * epsilon)


def _in_double(network: Network) -> Network:
    """Return a copy that computes in float64."""
    double = Network(
        network.layers,
        network.n_features,
        dtype="float64",
        engine=network.engine,
        preparation=network.preparation,
        n_threads=network.n_threads,
    )
    double.parameters[:] = network.parameters  # they lie alike in every type
    return double
