"""Tests of numbers that have no limit, layers and threads, and of memory that has one."""

import gc
import tracemalloc
import weakref
from itertools import pairwise

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from fastmlp.engine import native, prediction
from fastmlp.engine.plan import aligned_zeros, make_plan
from helpers.engine import problem, train


def drawn(*sizes):
    """Return a plan for tiles, and parameters under which outputs neither vanish nor grow."""
    plan = make_plan(sizes[0], sizes[1:], ("tanh",) * (len(sizes) - 1), "float32", "tile")
    parameters, rng = aligned_zeros(plan.n_parameters, "float32"), np.random.default_rng(0)
    for layer in plan.layers:
        layer.weight_of(parameters)[:] = rng.normal(size=(layer.n_out, layer.n_in)) / np.sqrt(layer.n_in)
    return plan, parameters


@pytest.mark.parametrize(
    ("sizes", "n_samples", "n_threads"),
    [((50,) * 101, 900, 3), ((1000, 1000), 1700, 100), ((1000, 1000), 4900, 300)],
    ids=["100 layers", "100 threads", "more threads than there are"],
)
def test_predictions_in_slabs_by_any_number_of_threads(sizes, n_samples, n_threads, monkeypatch):
    plan, parameters = drawn(*sizes)
    monkeypatch.setattr(prediction, "count_threads", lambda n: n)
    X = np.random.default_rng(0).random((n_samples, sizes[0]), dtype=np.float32)
    outputs = prediction.Predictor(plan, parameters, None).predict(X, n_threads)
    expected = np.empty_like(outputs)
    native.forward(plan, parameters, X, None, [*[None] * (len(plan.layers) - 1), expected])
    assert expected.std() > 0.01
    assert_array_equal(outputs, expected)


def test_training_by_a_hundred_threads():
    plan, parameters, X, targets = problem("cross_entropy", "float32", operations="tile")
    given = plan, parameters, X, targets, "cross_entropy", "adam"
    alone, many = (train(native, *given, n_steps=4, n_threads=n, measure=False)[0] for n in (1, 100))
    assert_array_equal(many, alone)


def test_the_workspaces_that_a_predictor_keeps_have_a_bound(monkeypatch):
    plan, parameters = drawn(10, 4000, 4000, 10)
    monkeypatch.setattr(prediction, "count_threads", lambda n: n)
    predictor = prediction.Predictor(plan, parameters, None)
    X, kept = np.zeros((400, 10), dtype=np.float32), []
    tracemalloc.start()
    try:
        for n_threads in (1, 25):  # each with a workspace of 8 MB
            predictor.predict(X, n_threads)
            kept.append(tracemalloc.get_traced_memory()[0])
        predictor.predict(X, 25)
        kept.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert all(later >= earlier for earlier, later in pairwise(kept[:2]))
    assert 2**25 < kept[1] < 2**26 + 2**20
    assert abs(kept[2] - kept[1]) < 2**20


def test_a_fit_that_has_measured_its_threads_keeps_no_plan():
    plan, parameters, X, targets = problem("cross_entropy", "float32", operations="tile")
    train(native, plan, parameters, X, targets, "cross_entropy", "adam", n_steps=3000, n_threads=2)
    found = weakref.ref(plan)
    del plan
    gc.collect()
    assert found() is None
