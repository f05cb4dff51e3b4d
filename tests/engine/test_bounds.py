"""What the engine indexes by is checked and copied, and what several threads write waits for the others."""

import numpy as np
import pytest
import scipy.sparse as sp

from fastmlp.engine import native
from fastmlp.engine.core import instruction_set
from fastmlp.engine.plan import aligned_zeros, make_plan
from fastmlp.engine.selection import choose_operations

OPERATIONS = choose_operations(instruction_set())


def network(n_features, units, dtype="float32", others=()):
    """Return a plan and parameters drawn at random."""
    plan = make_plan(
        n_features, units, ("relu",) * (len(units) - 1) + ("softmax",), dtype, OPERATIONS, others
    )
    parameters = aligned_zeros(plan.n_parameters, dtype)
    rng = np.random.default_rng(0)
    for layer in plan.layers:
        layer.weight_of(parameters)[:] = rng.normal(size=(layer.n_out, layer.n_in)) / np.sqrt(layer.n_in)
        for name in layer.vectors:
            layer.vector_of(name, parameters)[:] = 1
    return plan, parameters


def training(plan, parameters, X, labels, rows=None, **options):
    return native.Training(
        plan, parameters, X, None, 16, loss="cross_entropy", targets=labels, targets_preparation=None,
        rows=np.arange(X.shape[0]) if rows is None else rows, optimizer={"solver": "sgd"}, moments=[],
        alpha=0.0, shuffle=True, seed=0, n_steps=0, loss_options={"label_smoothing": 0.0}, **options,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"rows": np.array([0, 40])}, "rows must be from 0 to 39; they go from 0 to 40"),
        ({"rows": np.array([3, -1])}, "they go from -1 to 3"),
        ({"labels": np.full(40, 3, np.int32)}, "labels are integers from 0 to 2; they go from 3 to 3"),
        ({"labels": np.full(40, -1, np.int32)}, "they go from -1 to -1"),
    ],
)
def test_what_points_out_of_bounds_is_refused(wrong, message):
    plan, parameters = network(5, (4, 3))
    X = np.zeros((40, 5), dtype=np.float32)
    with pytest.raises(ValueError, match=message):
        training(plan, parameters, X, **{"labels": np.zeros(40, np.int32), **wrong})


def test_what_is_changed_after_the_beginning_is_not_read():
    plan, parameters = network(5, (4, 3))
    rng = np.random.default_rng(1)
    X = rng.normal(size=(40, 5)).astype(np.float32)
    results = []
    for is_disturbed in (False, True):
        own, labels, rows = parameters.copy(), np.arange(40, dtype=np.int32) % 3, np.arange(40)
        rates = np.full(3, 0.1)
        fit = training(plan, own, X, labels, rows)
        fit.start_epoch(0, rates, np.zeros(3))
        fit.run(1.0, n_batches=1)
        if is_disturbed:
            labels[:], rows[:], rates[:] = 2**30, 2**40, np.nan
        assert fit.run(10.0)
        fit.start_epoch(1, np.full(3, 0.1), np.zeros(3))
        assert fit.run(10.0)
        results.append(own)
    np.testing.assert_array_equal(*results)


def test_the_average_is_done_before_running_statistics_move_again():
    # Nothing is gathered before the first layer of a sparse batch; so nothing else makes its members wait.
    plan, parameters = network(30, (64, 3), others=({"norm": "batch"}, {}))
    rng = np.random.default_rng(3)
    X = sp.csr_array(np.where(rng.random((400, 30)) < 0.2, rng.normal(size=(400, 30)), 0).astype(np.float32))
    labels, averages = rng.integers(0, 3, 400).astype(np.int32), []
    for n_threads in (1, 3):
        for _ in range(5):
            averages.append(parameters.copy())
            fit = training(
                plan, parameters.copy(), X, labels, average=averages[-1], ema_decay=0.9, n_threads=n_threads,
                measure=False,
            )  # fmt: skip
            fit.start_epoch(0, np.full(25, 0.1), np.zeros(25))
            assert fit.run(60.0)
    for average in averages[1:]:
        np.testing.assert_array_equal(average, averages[0])
