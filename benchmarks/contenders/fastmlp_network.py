"""fastmlp: its network and trainer, its grid and its one-line fit, with any engine and type."""

from itertools import count

import fastmlp
from benchmarks.contenders import Outcome, Stopwatch
from benchmarks.kinds import LEARNING_RATE, MOMENTUM, NotHere
from fastmlp.layers import Dense
from fastmlp.optimizers import BY_NAME, SGD


def make_network(sizes, dtype, engine="auto", **settings):
    """Return a new network; an engine or a type that this fastmlp or this machine has not is `NotHere`."""
    n_features, *hidden, n_classes = sizes
    layers = [*(Dense(units, "relu", **settings) for units in hidden), Dense(n_classes, "softmax")]
    try:
        return fastmlp.Network(layers, n_features, dtype=dtype, engine=engine, random_state=0)
    except ValueError as error:
        raise NotHere(str(error)) from error


def training(case, threads, X, y, engine="auto", dtype=None):
    """Return a function that trains for a turn; the threads come from the environment."""
    # An earlier revision, which knows neither, is asked for neither.
    settings = {"dropout": case.dropout} if case.dropout else {}
    settings |= {"batch_norm": True} if case.batch_norm else {}
    optimizer = BY_NAME[case.solver](LEARNING_RATE)
    if case.solver == "sgd":
        optimizer = SGD(LEARNING_RATE, MOMENTUM, nesterov=False)
    trainer = fastmlp.Trainer(
        make_network(case.sizes, dtype or case.dtype, engine, **settings),
        "cross_entropy",
        optimizer=optimizer,
        batch_size=case.batch_size,
        random_state=0,
        progress=False,
    )
    return lambda: trainer.fit(X, y, epochs=case.n_epochs)


def prediction(case, threads, X, engine="auto", dtype="float32"):
    """Return a function that predicts over and over; the threads come from the environment."""
    network = make_network(case.sizes, dtype, engine)
    return case.repeated(lambda: network.predict(X))


def grid(case, threads, X, y, n_jobs=None):
    """Return a function that fits all the nets; as many at a time as there are threads, or ``n_jobs``."""
    from sklearn.model_selection import ParameterGrid

    from fastmlp import fit_many

    configurations = [case.common | varied for varied in ParameterGrid(case.parameters)]
    return lambda: fit_many(configurations, X, y, n_jobs=n_jobs or threads, progress=False)


def accuracy(case, threads, X, y, X_test, y_test, engine="auto", dtype="auto"):
    """Return a function that fits, as `fastmlp.fit` does it, until the test accuracy is reached."""
    if dtype != "auto":
        make_network((X.shape[1], 10), dtype, engine)  # to find out whether the type is here
    seeds = count()

    def turn():
        watch, reached = Stopwatch(), False

        def look(epoch_end):
            nonlocal reached
            with watch.paused():
                reached = case.is_reached(epoch_end.network.predict(X_test).argmax(axis=1), y_test)
            return reached

        fastmlp.fit(
            X, y, callbacks=[look], engine=engine, dtype=dtype, random_state=next(seeds), progress=False
        )
        return Outcome(watch.seconds, reached)

    return turn
