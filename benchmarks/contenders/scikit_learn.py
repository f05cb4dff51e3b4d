"""scikit-learn's MLPClassifier: `fit`, `predict_proba` and GridSearchCV.

Its BLAS takes the threads from the environment.
"""

import warnings

import numpy as np
from joblib import parallel_config
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier

from benchmarks.kinds import LEARNING_RATE, MOMENTUM, NotHere

#: GridSearchCV wants to score each net: on so few of the rows that it does not matter.
N_SCORED = 10


def training(case, threads, X, y):
    """Return a function that trains for a turn: a `fit` that goes on from the last one's weights."""
    if case.solver not in ("sgd", "adam") or case.dropout or case.batch_norm:
        raise NotHere("its MLP has SGD and Adam, and no dropout or batch normalisation")
    model = MLPClassifier(
        hidden_layer_sizes=case.sizes[1:-1],
        solver=case.solver,
        alpha=0,
        batch_size=case.batch_size,
        learning_rate_init=LEARNING_RATE,
        momentum=MOMENTUM,
        nesterovs_momentum=False,
        random_state=0,
        warm_start=True,
        max_iter=case.n_epochs,
        n_iter_no_change=case.n_epochs + 1,
    )

    def turn():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # so few epochs are what is asked for
            model.fit(X, y)

    return turn


def prediction(case, threads, X):
    """Return a function that predicts over and over, in float32."""
    model = MLPClassifier(case.sizes[1:-1], random_state=0)
    classes = np.arange(case.sizes[-1])
    model.partial_fit(np.zeros((len(classes), case.sizes[0]), dtype=X.dtype), classes, classes=classes)
    return case.repeated(lambda: model.predict_proba(X))


def grid(case, threads, X, y):
    """Return a function that fits all the nets, in as many processes as there are threads.

    Each process has one thread, and they are kept from one turn to the next. There is one split: all rows
    to train on, a few of them to score.
    """
    rows = np.arange(len(X))
    search = GridSearchCV(
        MLPClassifier(**case.common),
        case.parameters,
        n_jobs=threads,
        refit=False,
        cv=[(rows, rows[:N_SCORED])],
    )

    def turn():
        with parallel_config(backend="loky", inner_max_num_threads=1):
            search.fit(X, y)

    return turn
