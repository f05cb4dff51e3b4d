"""Tests of Network in threads, of its copies, and of parameters that cannot be written."""

import copy
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor

import joblib
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from fastmlp import Trainer
from fastmlp.engine.selection import ENGINES
from helpers.network import (
    CHOSEN,
    PREPARATION,
    make_inputs,
    make_network,
)

# --------------------------------------------------------------------------------------------------- threads


@pytest.mark.parametrize("engine", CHOSEN)
def test_one_network_predicts_in_many_threads_at_once(engine):
    network = make_network(hidden=(64, 64), n_features=50, engine=engine)
    inputs = [make_inputs(300 + i, 50, seed=i) for i in range(8)]
    expected = [network.predict(X) for X in inputs]
    start = threading.Barrier(len(inputs))

    def predict_often(X):
        start.wait()
        return [network.predict(X) for _ in range(4)]

    with ThreadPoolExecutor(len(inputs)) as pool:
        results = list(pool.map(predict_often, inputs))
    for many, once in zip(results, expected, strict=True):
        for outputs in many:
            assert_array_equal(outputs, once)


def test_gradients_in_many_threads_at_once_are_those_of_one():
    network = make_network(hidden=(64, 64), n_features=50)
    inputs = [make_inputs(300, 50, seed=i) for i in range(6)]
    y = np.arange(300) % 3
    expected = [network.gradients(X, y, "cross_entropy") for X in inputs]
    with ThreadPoolExecutor(len(inputs)) as pool:
        results = list(pool.map(lambda X: network.gradients(X, y, "cross_entropy"), inputs))
    for (loss, d_parameters, d_inputs), once in zip(results, expected, strict=True):
        assert loss == once[0]
        assert_array_equal(d_parameters, once[1])
        assert_array_equal(d_inputs, once[2])


# ----------------------------------------------------------------------------------------------------- copies


def through_joblib(network, tmp_path, **options):
    joblib.dump(network, tmp_path / "network.joblib")
    return joblib.load(tmp_path / "network.joblib", **options)


COPIES = {
    "pickle": lambda network, _: pickle.loads(pickle.dumps(network)),
    "deepcopy": lambda network, _: copy.deepcopy(network),
    "joblib": through_joblib,
    "joblib, mapped": lambda network, tmp_path: through_joblib(network, tmp_path, mmap_mode="r"),
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("way", COPIES)
def test_copies_are_whole_and_independent(way, engine, tmp_path):
    network = make_network(preparation=PREPARATION, engine=engine, dtype="float64")
    X, y = make_inputs(), np.arange(40) % 3
    expected = network.predict(X)
    twin = COPIES[way](network, tmp_path)
    assert_array_equal(twin.predict(X), expected)
    assert (twin.engine, twin.dtype, twin.layers) == (network.engine, network.dtype, network.layers)
    Trainer(twin, "cross_entropy").fit(X, y, epochs=1)
    assert not np.array_equal(twin.predict(X), expected)
    assert_array_equal(network.predict(X), expected)


def test_a_network_is_copied_while_it_trains():
    network = make_network()
    copies = []
    trainer = Trainer(
        network, "cross_entropy", callbacks=[lambda event: copies.append(copy.deepcopy(event.network))]
    )
    trainer.fit(make_inputs(), np.arange(40) % 3, epochs=2)
    assert not np.array_equal(copies[0].parameters, copies[1].parameters)
    Trainer(copies[0], "cross_entropy").fit(make_inputs(), np.arange(40) % 3, epochs=1)


@pytest.mark.parametrize("engine", ENGINES)
def test_read_only_parameters_predict_and_differentiate(engine, tmp_path):
    network = make_network(engine=engine)
    X, y = make_inputs(), np.arange(40) % 3
    expected, gradients = network.predict(X), network.gradients(X, y, "cross_entropy")
    np.save(tmp_path / "parameters.npy", network.parameters)
    network.parameters = np.load(tmp_path / "parameters.npy", mmap_mode="r")
    assert_array_equal(network.predict(X), expected)
    assert_array_equal(network.gradients(X, y, "cross_entropy")[1], gradients[1])


@pytest.mark.parametrize("engine", ENGINES)
def test_read_only_parameters_cannot_be_trained(engine):
    network = make_network(engine=engine)
    before = network.parameters.copy()
    network.parameters.setflags(write=False)
    with pytest.raises(ValueError, match="read-only"):
        Trainer(network, "cross_entropy").fit(make_inputs(), np.arange(40) % 3, epochs=1)
    assert_array_equal(network.parameters, before)
    network.parameters.setflags(write=True)
    Trainer(network, "cross_entropy").fit(make_inputs(), np.arange(40) % 3, epochs=1)
