"""The cases: which network is trained, on batches of which size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

#: The same for every contender and case.
MOMENTUM = 0.9

#: Small, so that no network leaves the range of numbers in which it began, however long it is trained.
LEARNING_RATE = 1e-3


@dataclass(frozen=True)
class Case:
    """Epochs of training a classifier: float32, ReLU, softmax and cross-entropy.

    Parameters
    ----------
    sizes : tuple of int
        Inputs, hidden units of each layer, classes.
    batch_size : int
    n_batches : int
        Training steps in an epoch.
    solver : {"sgd", "adam"}, default="sgd"
        "sgd" has a momentum of `MOMENTUM`, not Nesterov's; there is no penalty on the weights.
    """

    sizes: tuple[int, ...]
    batch_size: int
    n_batches: int
    solver: str = "sgd"

    @property
    def name(self) -> str:
        """What the command line and the tables call it."""
        name = f"{'-'.join(map(str, self.sizes))} batch {self.batch_size}"
        return name if self.solver == "sgd" else f"{name} {self.solver}"

    @property
    def n_samples(self) -> int:
        """Samples in an epoch."""
        return self.batch_size * self.n_batches

    @property
    def flops(self) -> int:
        """Floating-point operations of the products in one step.

        Two for each weight and sample in the forward pass and in the gradient of the weights, and, in
        all layers but the first, in the gradient of the inputs.
        """
        weights = [n_in * n_out for n_in, n_out in zip(self.sizes, self.sizes[1:], strict=False)]
        return 2 * self.batch_size * (3 * sum(weights) - weights[0])

    def data(self) -> tuple[np.ndarray, np.ndarray]:
        """Return random X, float32 (n_samples, sizes[0]), and random class labels y, int64."""
        rng = np.random.default_rng(0)
        X = rng.standard_normal((self.n_samples, self.sizes[0]), dtype=np.float32)
        return X, rng.integers(self.sizes[-1], size=self.n_samples)


# The epochs are long enough to make the start of one no matter, and the larger inputs do not fit a
# cache of 32 MB, as real data sets would not.
CASES = (
    Case((784, 256, 128, 10), batch_size=128, n_batches=100),
    Case((784, 1000, 10), batch_size=128, n_batches=100),
    Case((784, 50, 50, 10), batch_size=128, n_batches=200),
    Case((20, 32, 32, 3), batch_size=32, n_batches=5000),
    Case((784, 128, 10), batch_size=512, n_batches=50),
    Case((100, 100, 10), batch_size=200, n_batches=500),
    Case((784, 1024, 1024, 10), batch_size=256, n_batches=40),
    Case((784, 50, 50, 10), batch_size=1, n_batches=2000),
)
