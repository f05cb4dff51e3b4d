"""Problems for the tests of L-BFGS against scikit-learn's."""

import numpy as np


def problem(kind):
    """Targets that no plane separates: scikit-learn cuts the loss of a sample at 36, ours goes on."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(150, 4))
    z = X[:, :3] + 0.5 * X[:, 1:] ** 2 + rng.normal(size=(150, 3))
    return X, {"binary": z[:, 0] > 0, "classes": z.argmax(axis=1), "labels": (z > 0) * 1, "number": z[:, 0]}[
        kind
    ]
