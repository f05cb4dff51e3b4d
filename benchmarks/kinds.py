"""The kinds of case: what is measured, on which data, and in which unit its times are told.

A contender has a function for each kind that it takes part in, named as ``kind`` says; see `contenders`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np

#: The same for every contender that trains.
MOMENTUM = 0.9

#: Small, so that no network leaves the range of numbers in which it began, however long it is trained.
LEARNING_RATE = 1e-3

#: Batches below this are the group "small-batches": a vector over the samples would be half empty.
SMALL_BATCH = 16


class NotHere(Exception):
    """Something that a case or a contender needs is not on this machine; the text says what."""


class Case:
    """The base of the kinds.

    Attributes
    ----------
    kind : str
        The function of a contender's module that takes part.
    unit : str
        What a time is for: "step", "call", "grid" or "fit".
    scale, symbol : float and str
        Times are shown as seconds times ``scale``, in ``symbol``.
    n_units : int
        Units in a turn, which is what is timed as one.
    warms_up : bool
        Whether a contender has a turn that does not count before the first round.
    flops : int or None
        Floating-point operations of the matrix products in one unit; None if they are not known beforehand.
    dtype : str
        What is computed in.
    """

    kind: ClassVar[str]
    unit: ClassVar[str]
    scale: ClassVar[float] = 1.0
    symbol: ClassVar[str] = "s"
    n_units: int = 1
    warms_up: ClassVar[bool] = True
    flops: int | None = None
    dtype: str = "float32"

    @property
    def name(self) -> str:
        """What the command line and the tables call it."""
        raise NotImplementedError

    @property
    def group(self) -> str:
        """What ``--group`` calls it and others like it."""
        return self.kind

    def data(self) -> tuple[np.ndarray, ...]:
        """Return the arrays that every contender is given after the threads."""
        raise NotImplementedError

    def as_dict(self) -> dict[str, Any]:
        """Return the fields and the kind, from which `from_dict` makes the case again."""
        return {"kind": self.kind, **asdict(self)}


def weights_of(sizes: tuple[int, ...]) -> list[int]:
    """Return how many weights each layer has."""
    return [n_in * n_out for n_in, n_out in pairwise(sizes)]


def training_flops(sizes: tuple[int, ...], n_samples: int) -> int:
    """Return the floating-point operations of the products in training steps on so many samples.

    Two for each weight and sample in the forward pass and in the gradient of the weights, and, in
    all layers but the first, in the gradient of the inputs.
    """
    weights = weights_of(sizes)
    return 2 * n_samples * (3 * sum(weights) - weights[0])


def named(sizes: tuple[int, ...]) -> str:
    """Return the sizes as a network's name: 784-50-10."""
    return "-".join(map(str, sizes))


@dataclass(frozen=True)
class Training(Case):
    """Fits of a classifier, each a turn: ReLU, softmax and cross-entropy, on random numbers.

    Parameters
    ----------
    sizes : tuple of int
        Inputs, hidden units of each layer, classes.
    batch_size : int
    n_batches : int
        Training steps in an epoch.
    solver : {"sgd", "adam", "adamw", "rmsprop", "adagrad", "adadelta"}, default="sgd"
        "sgd" has a momentum of `MOMENTUM`, not Nesterov's; there is no penalty on the weights.
    dtype : {"float32", "float64"}, default="float32"
    n_epochs : int, default=3
        Epochs in a turn, so that what a fit does once counts as it does for those who train.
    dropout : float, default=0
        Of the hidden layers' outputs.
    batch_norm : bool, default=False
        Of the hidden layers, before their ReLU.
    """

    sizes: tuple[int, ...]
    batch_size: int
    n_batches: int
    solver: str = "sgd"
    dtype: str = "float32"
    n_epochs: int = 3
    dropout: float = 0.0
    batch_norm: bool = False

    kind, unit, scale, symbol = "training", "step", 1e6, "µs"

    @property
    def name(self) -> str:
        """The net, the batch, and what is not the usual."""
        unusual = [word for word in (self.solver, self.dtype) if word not in ("sgd", "float32")]
        unusual += [f"dropout {self.dropout:g}"] * (self.dropout > 0) + ["batch norm"] * self.batch_norm
        return " ".join([f"{named(self.sizes)} batch {self.batch_size}", *unusual])

    @property
    def group(self) -> str:
        """By what sets the case off from plain training."""
        if self.dtype != "float32":
            return self.dtype
        if self.batch_size < SMALL_BATCH:
            return "small-batches"
        if self.dropout or self.batch_norm:
            return "layers"
        return {"sgd": "training", "adam": "adam"}.get(self.solver, "optimizers")

    @property
    def n_units(self) -> int:
        """Steps in a turn."""
        return self.n_batches * self.n_epochs

    @property
    def flops(self) -> int:
        """Of one step."""
        return training_flops(self.sizes, self.batch_size)

    def data(self) -> tuple[np.ndarray, np.ndarray]:
        """Return random X (n_samples, sizes[0]) and random class labels y, int64."""
        rng = np.random.default_rng(0)
        n_samples = self.batch_size * self.n_batches
        X = rng.standard_normal((n_samples, self.sizes[0]), dtype=self.dtype)
        return X, rng.integers(self.sizes[-1], size=n_samples)


@dataclass(frozen=True)
class Prediction(Case):
    """Calls that return the class probabilities of so many rows: float32, ReLU and softmax.

    Parameters
    ----------
    sizes : tuple of int
    n_rows : int
        In one C-contiguous array, the same in every call, made before the clock starts.
    n_calls : int
        In a turn.
    """

    sizes: tuple[int, ...]
    n_rows: int
    n_calls: int

    kind, unit, scale, symbol = "prediction", "call", 1e6, "µs"

    @property
    def name(self) -> str:
        """The net and the rows."""
        return f"{named(self.sizes)} predict {self.n_rows}"

    @property
    def n_units(self) -> int:
        """Calls in a turn."""
        return self.n_calls

    @property
    def flops(self) -> int:
        """Of one call."""
        return 2 * self.n_rows * sum(weights_of(self.sizes))

    def data(self) -> tuple[np.ndarray]:
        """Return random X, float32 (n_rows, sizes[0])."""
        return (np.random.default_rng(0).standard_normal((self.n_rows, self.sizes[0]), dtype=np.float32),)

    def repeated(self, call: Callable[[], Any]) -> Callable[[], None]:
        """Return the turn that makes this call over and over."""

        def turn():
            for _ in range(self.n_calls):
                call()

        return turn


@dataclass(frozen=True)
class Grid(Case):
    """A search over learning rates and penalties: as many small nets trained on the same rows, by SGD.

    Parameters
    ----------
    sizes : tuple of int
    n_rows : int
        Of `sklearn.datasets.make_classification`; every net is trained on all of them.
    batch_size : int
    n_epochs : int
    n_rates, n_penalties : int
        Of which every combination is one net.
    """

    sizes: tuple[int, ...]
    n_rows: int
    batch_size: int
    n_epochs: int
    n_rates: int
    n_penalties: int

    kind, unit = "grid", "grid"

    @property
    def n_nets(self) -> int:
        """How many are trained."""
        return self.n_rates * self.n_penalties

    @property
    def name(self) -> str:
        """The nets and the rows."""
        return f"{self.n_nets} nets {named(self.sizes)} batch {self.batch_size}"

    @property
    def flops(self) -> int:
        """Of all nets together."""
        return self.n_nets * training_flops(self.sizes, self.n_rows * self.n_epochs)

    @property
    def parameters(self) -> dict[str, list[float]]:
        """The values to combine, under the parameter names that scikit-learn and fastmlp share."""
        return {
            "learning_rate_init": np.geomspace(1e-3, 1e-1, self.n_rates).tolist(),
            "alpha": np.geomspace(1e-5, 1e-2, self.n_penalties).tolist(),
        }

    @property
    def common(self) -> dict[str, Any]:
        """The parameters that all nets have; none stops before its last epoch."""
        return {
            "hidden_layer_sizes": self.sizes[1:-1],
            "solver": "sgd",
            "batch_size": self.batch_size,
            "max_iter": self.n_epochs,
            "n_iter_no_change": self.n_epochs + 1,
            "random_state": 0,
        }

    def data(self) -> tuple[np.ndarray, np.ndarray]:
        """Return X, float32 (n_rows, sizes[0]), and y."""
        from sklearn.datasets import make_classification

        n_features, n_classes = self.sizes[0], self.sizes[-1]
        X, y = make_classification(
            self.n_rows, n_features, n_informative=n_features // 2, n_classes=n_classes, random_state=0
        )
        return X.astype(np.float32), y


@dataclass(frozen=True)
class Accuracy(Case):
    """A fit by fastmlp's recipe for images, until the test images are told apart this well.

    Counted from the bytes in memory to the end of the first epoch that is good enough; the time of
    looking, after each epoch, is not. The seed is another one in each round.

    Parameters
    ----------
    data_set : {"mnist", "fashion-mnist"}
    percent : float
        Of the test images that must be classified correctly.
    """

    data_set: str
    percent: float

    kind, unit, warms_up = "accuracy", "fit", False

    @property
    def name(self) -> str:
        """The data set and the mark."""
        return f"{self.data_set} to {self.percent:g} %"

    def is_reached(self, predicted: np.ndarray, y: np.ndarray) -> bool:
        """Return whether enough of the classes are right."""
        return bool(100 * np.mean(predicted == y) >= self.percent)

    def data(self) -> tuple[np.ndarray, ...]:
        """Return X_train, uint8, y_train, X_test and y_test; raise NotHere if they cannot be had."""
        from fastmlp import datasets

        load = {"mnist": datasets.load_mnist, "fashion-mnist": datasets.load_fashion_mnist}[self.data_set]
        try:
            return tuple(load())
        except (OSError, ValueError) as error:
            raise NotHere(f"no {self.data_set}: {error}") from error


#: The kinds by name.
KINDS = {kind.kind: kind for kind in (Training, Prediction, Grid, Accuracy)}


def from_dict(fields: dict[str, Any]) -> Case:
    """Return the case that `Case.as_dict` described, also after a way through JSON."""
    fields = {name: tuple(value) if name == "sizes" else value for name, value in fields.items()}
    return KINDS[fields.pop("kind")](**fields)
