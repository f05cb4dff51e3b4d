"""A program: train, while callbacks overwrite what the fit was given; the test that runs it finds a crash.

``python scribbles.py ENTRY`` exits with 0 if by every engine the network becomes what it does undisturbed.
What it prints last is where it was.
"""

import sys
import warnings
from contextlib import suppress

import numpy as np
import scipy.sparse as sp

import fastmlp
from fastmlp import MLPClassifier, MLPRegressor, Network, Trainer
from fastmlp.callbacks import EveryNSteps
from fastmlp.layers import Dense
from fastmlp.schedules import Constant
from fastmlp.training.data import TrainingData

N, N_FEATURES = 120, 30
FAR = 2**30  # as an index, some gigabytes beyond every buffer


class Data:
    """X, int32 labels and int64 rows, all of which the engine could index by, and ways to overwrite them."""

    def __init__(self, sparse):
        rng = np.random.default_rng(0)
        X = rng.random((N, N_FEATURES), dtype=np.float32) * (rng.random((N, N_FEATURES)) < 0.3)
        self.y = (X.sum(axis=1) * 2).astype(np.int32) % 3
        self.rows = rng.permutation(N)[: N - 20]
        self.X = sp.csr_array(X) if sparse else X
        self.weight, self.rates = rng.random(N), np.empty(N)
        if sparse:  # not in SciPy's order, with zeros and with elements that are there twice
            order = np.concatenate(
                [
                    rng.permutation(np.arange(a, b))
                    for a, b in zip(self.X.indptr, self.X.indptr[1:], strict=False)
                ]
            )
            self.X = sp.csr_array((self.X.data[order], self.X.indices[order], self.X.indptr), self.X.shape)
            self.X.data[::7] = 0
            self.X.indices[3] = self.X.indices[2]

    def labels(self):
        self.y[:] = FAR

    def negative_labels(self):
        self.y[:] = -FAR

    def rows_(self):
        self.rows[:] = FAR

    def schedule(self):
        self.rates[:] = np.nan

    def resized(self):
        """Give memory that the engine reads to others, who write to it; NumPy refuses what is held."""
        for array in (self.X, self.y, self.weight, self.rates):
            with suppress(ValueError):
                array.resize(1, refcheck=False)
        self.others = [np.full(n, np.nan) for n in (N // 2, N, N * N_FEATURES // 2) for _ in range(20)]

    def indices(self):
        self.X.indices[:] = FAR

    def indptr(self):
        self.X.indptr[:] = np.arange(N + 1) * (FAR // N)

    def in_order(self):
        """What SciPy does by itself now and then."""
        self.X.sort_indices()
        self.X.eliminate_zeros()
        self.X.sum_duplicates()


def network(engine):
    layers = [Dense(9, "relu"), Dense(3, "softmax")]
    return Network(layers, N_FEATURES, dtype="float32", engine=engine, random_state=0, n_threads=2)


def by_trainer(engine, data, callbacks, **options):
    trainer = Trainer(
        network(engine), "cross_entropy", batch_size=16, random_state=0, callbacks=callbacks, **options
    )
    trainer.fit(data.X, data.y, epochs=3, rows=data.rows)
    return trainer.network


class SameArray(Constant):
    """A schedule that returns one array for all epochs."""

    def __init__(self, array):
        object.__setattr__(self, "array", array)

    def rates(self, learning_rate, clock):
        if len(self.array) < clock.n_steps:  # somebody has resized it
            object.__setattr__(self, "array", np.empty(clock.n_steps))
        self.array[:] = learning_rate
        return self.array


def by_data(engine, data, callbacks, **options):
    """Train on arrays that nobody has copied."""
    if "optimizer" not in options:
        callbacks = [EveryNSteps(1, one) for one in callbacks]
        options["schedule"] = SameArray(data.rates)
    trainer = Trainer(
        network(engine), "cross_entropy", batch_size=16, random_state=0, callbacks=callbacks, **options
    )
    trainer.train(TrainingData(data.X, data.y, data.rows, data.weight), 3)
    return trainer.network


def by_estimator(engine, data, callbacks):
    return MLPClassifier((9,), max_iter=3, batch_size=16, random_state=0, engine=engine, callbacks=callbacks)


ENTRIES = {
    "epochs": by_trainer,
    "steps": lambda engine, data, callbacks: by_trainer(
        engine, data, [EveryNSteps(1, one) for one in callbacks]
    ),
    "lbfgs": lambda engine, data, callbacks: by_trainer(engine, data, callbacks, optimizer="lbfgs"),
    "data": by_data,
    "data by lbfgs": lambda *given: by_data(*given, optimizer="lbfgs"),
    "fit": lambda *given: by_estimator(*given).fit(given[1].X, given[1].y).network_,
    "warm_start": lambda *given: (
        by_estimator(*given).set_params(warm_start=True).fit(given[1].X, given[1].y).network_
    ),
    "partial_fit": lambda *given: (
        by_estimator(*given).partial_fit(given[1].X, given[1].y, classes=[0, 1, 2]).network_
    ),
    "early_stopping": lambda *given: (
        by_estimator(*given).set_params(early_stopping=True).fit(given[1].X, given[1].y).network_
    ),
    "validation": lambda *given: (
        by_estimator(*given)
        .fit(given[1].X[:60], given[1].y[:60], X_val=given[1].X, y_val=given[1].y)
        .network_
    ),
    "regressor": lambda engine, data, callbacks: (
        MLPRegressor(
            hidden_layer_sizes=(9,), max_iter=3, random_state=0, engine=engine, callbacks=callbacks
        )
        .fit(data.X, data.y)
        .network_
    ),
    "one line": lambda engine, data, callbacks: fastmlp.fit(
        data.X, data.y, max_iter=3, batch_size=16, random_state=0, engine=engine, callbacks=callbacks
    ).network_,
    # The second model begins when the first one's callbacks have been there.
    "fit_many": lambda *given: fastmlp.fit_many(
        [{}, {"random_state": 1, "early_stopping": True}], given[1].X, given[1].y,
        estimator=by_estimator(*given), n_jobs=1,
    )[1].network_,
}  # fmt: skip


# Only a trainer takes rows, or labels as they are; an estimator encodes them first.
OF_TRAINER = ("epochs", "steps", "lbfgs", "data", "data by lbfgs")
DENSE = ("labels", "negative_labels", "rows_", "schedule", "resized")
SPARSE = ("indices", "indptr", "in_order")


def main(entry):
    warnings.simplefilter("ignore")
    for engine in ("tile", "blas", "reference"):
        for what in (*(DENSE if entry in OF_TRAINER else ()), *SPARSE):
            print(engine, what, flush=True)
            found = []
            for is_disturbed in (False, True):
                data = Data(sparse=what in SPARSE)
                callbacks = (
                    [lambda event, data=data, what=what: getattr(data, what)()] if is_disturbed else []
                )
                found.append(ENTRIES[entry](engine, data, callbacks).parameters.copy())
            np.testing.assert_array_equal(*found)


if __name__ == "__main__":
    main(sys.argv[1])
