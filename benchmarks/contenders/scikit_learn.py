"""scikit-learn's MLPClassifier, an epoch being one `partial_fit`."""

import numpy as np
from sklearn.neural_network import MLPClassifier

from benchmarks.cases import LEARNING_RATE, MOMENTUM

LIBRARY = "scikit-learn"


def prepare(case, threads):
    """Return a function that trains for one epoch; the BLAS takes its threads from the environment."""
    X, y = case.data()
    model = MLPClassifier(
        hidden_layer_sizes=case.sizes[1:-1],
        solver=case.solver,
        alpha=0,
        batch_size=case.batch_size,
        learning_rate_init=LEARNING_RATE,
        momentum=MOMENTUM,
        nesterovs_momentum=False,
        random_state=0,
    )
    classes = np.arange(case.sizes[-1])

    def epoch():
        model.partial_fit(X, y, classes=classes)

    return epoch
