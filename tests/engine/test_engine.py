"""The compiled walk against its NumPy twin: whole trainings, predictions and gradients."""

import numpy as np
import pytest

from fastmlp import losses
from fastmlp.engine import core, native
from fastmlp.engine.plan import aligned_zeros
from fastmlp.engine.reference import native as reference
from fastmlp.engine.selection import choose_operations
from helpers.engine import HEADS, LIMIT, SOLVERS, assert_parity, both_operations, both_types, problem, train


@both_operations
@both_types
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize(("loss", "output"), HEADS)
@pytest.mark.parametrize("activation", ["identity", "relu", "tanh", "logistic", "softmax", "mish"])
def test_both_engines_agree_after_fifty_steps(activation, loss, output, solver, dtype, operations):
    plan, parameters, X, targets = problem(
        loss, dtype, activation=activation, output=output, operations=operations
    )
    actual, curve = train(native, plan, parameters, X, targets, loss, solver)
    expected, expected_curve = train(reference, plan, parameters, X, targets, loss, solver)
    assert np.abs(expected - parameters).max() > 1e-3  # it did learn
    assert_parity(actual, expected, dtype)
    np.testing.assert_allclose(curve, expected_curve, rtol=LIMIT[dtype])


@both_operations
@both_types
@pytest.mark.parametrize(("loss", "output"), HEADS)
def test_both_engines_agree_with_weights_and_averages(loss, output, dtype, operations):
    plan, parameters, X, targets = problem(loss, dtype, output=output, operations=operations)
    weights = np.random.default_rng(1).exponential(size=len(X))
    weights[::3] = 0
    options = {"sample_weight": weights, "l2": 0.01, "l1": 0.001, "ema_decay": 0.8}
    results = []
    for engine in (native, reference):
        average = parameters.copy()
        trained, curve = train(
            engine, plan, parameters, X, targets, loss, "nesterov", average=average, **options
        )
        results.append((trained, average, curve))
    for actual, expected in zip(*results, strict=True):
        assert_parity(actual, expected, dtype)
    assert np.abs(results[0][0] - results[0][1]).max() > 1e-4  # the average stays behind


@both_operations
@both_types
@pytest.mark.parametrize("n", [1, 2, 5, 8, 9, 31, 32, 33, 64, 65])
def test_both_engines_agree_on_remainder_batches(n, dtype, operations):
    plan, parameters, X, targets = problem("cross_entropy", dtype, n=n, operations=operations)
    actual, _ = train(native, plan, parameters, X, targets, "cross_entropy", "nesterov")
    expected, _ = train(reference, plan, parameters, X, targets, "cross_entropy", "nesterov")
    assert_parity(actual, expected, dtype)


@both_operations
@both_types
@pytest.mark.parametrize("batch_size", [1, 7, 16, 83])
@pytest.mark.parametrize("shuffle", [False, True])
def test_both_engines_take_the_samples_in_the_same_order(shuffle, batch_size, dtype, operations):
    plan, parameters, X, targets = problem("squared_error", dtype, output="identity", operations=operations)
    options = {
        "batch_size": batch_size,
        "shuffle": shuffle,
        "rows": np.array([80, 3, 3, 41, 7, 12, 0, 55, 9]),
    }
    actual, _ = train(native, plan, parameters, X, targets, "squared_error", "momentum", **options)
    expected, _ = train(reference, plan, parameters, X, targets, "squared_error", "momentum", **options)
    assert_parity(actual, expected, dtype)


@both_operations
@both_types
@pytest.mark.parametrize("hidden", [(), (1,), (40,), (3, 50, 2, 7)], ids=str)
def test_any_number_and_width_of_layers(hidden, dtype, operations):
    plan, parameters, X, targets = problem("cross_entropy", dtype, hidden=hidden, operations=operations)
    actual, _ = train(native, plan, parameters, X, targets, "cross_entropy", "adam")
    expected, _ = train(reference, plan, parameters, X, targets, "cross_entropy", "adam")
    assert_parity(actual, expected, dtype)


@both_operations
@pytest.mark.parametrize("isa", core.instruction_sets())
@both_types
def test_every_instruction_set_agrees_with_the_reference(isa, dtype, monkeypatch, operations):
    monkeypatch.setenv("FASTMLP_ISA", isa)
    plan, parameters, X, targets = problem(
        "binary_cross_entropy", dtype, activation="relu", output="logistic", operations=operations
    )
    actual, _ = train(native, plan, parameters, X, targets, "binary_cross_entropy", "adam")
    expected, _ = train(reference, plan, parameters, X, targets, "binary_cross_entropy", "adam")
    assert_parity(actual, expected, dtype)


@pytest.mark.parametrize("engine", [native, reference], ids=["native", "reference"])
def test_slices_of_an_epoch_change_nothing(engine):
    plan, parameters, X, targets = problem("cross_entropy", "float64")
    rates, momenta = np.full(11, 0.1), np.full(11, 0.9)
    results = []
    for budget in (0.0, 10.0):
        trained = parameters.copy()
        training = engine.Training(
            plan, trained, X, None, 8, loss="cross_entropy", targets=targets, targets_preparation=None,
            rows=np.arange(len(X)), optimizer={"solver": "sgd"}, moments=[np.zeros_like(parameters)],
            alpha=0.0, shuffle=True, seed=1, n_steps=0,
        )  # fmt: skip
        training.start_epoch(0, rates, momenta)
        slices = 1
        while not training.run(budget):
            slices += 1
        results.append((trained, slices))
    assert [slices for _, slices in results] == [11, 1]  # without time a slice is one batch
    np.testing.assert_array_equal(results[0][0], results[1][0])


@both_types
@pytest.mark.parametrize("engine", [native, reference], ids=["native", "reference"])
def test_a_batch_that_diverges_is_not_applied(engine, dtype):
    plan, parameters, X, targets = problem("squared_error", dtype, output="identity", activation="identity")
    X[40] = 1e30 if dtype == "float32" else 1e300
    trained = parameters.copy()
    training = engine.Training(
        plan, trained, X, None, 16, loss="squared_error", targets=targets, targets_preparation=None,
        rows=np.arange(len(X)), optimizer={"solver": "sgd"}, moments=[], alpha=0.0, shuffle=False, seed=1,
        n_steps=0,
    )  # fmt: skip
    training.start_epoch(0, np.full(6, 0.01), np.zeros(6))
    with np.errstate(over="ignore", invalid="ignore"):
        while not training.run(1.0):
            pass
    assert training.has_diverged
    assert training.n_steps == 2
    assert np.isfinite(trained).all()


@both_operations
@both_types
@pytest.mark.parametrize("n", [1, 255, 256, 257, 600])
def test_predictions_agree_at_every_slab_boundary(n, dtype, operations):
    plan, parameters, X, targets = problem("cross_entropy", dtype, n=n, operations=operations)
    results = []
    for engine in (native, reference):
        outs = [np.empty((n, layer.n_out), dtype) for layer in plan.layers]
        loss = engine.forward(plan, parameters, X, None, outs, loss="cross_entropy", targets=targets)
        results.append((loss, outs))
    np.testing.assert_allclose(results[0][0], results[1][0], rtol=LIMIT[dtype])
    for actual, expected in zip(results[0][1], results[1][1], strict=True):
        np.testing.assert_allclose(actual, expected, atol=LIMIT[dtype])


@both_operations
@both_types
@pytest.mark.parametrize(("loss", "output"), HEADS)
def test_gradients_agree_over_several_slabs(loss, output, dtype, operations):
    plan, parameters, X, targets = problem(loss, dtype, n=300, output=output, operations=operations)
    results = []
    for engine in (native, reference):
        d_parameters, d_inputs = aligned_zeros(plan.n_parameters, dtype), np.empty(X.shape, dtype)
        engine.gradients(
            plan,
            parameters,
            X,
            None,
            d_parameters,
            d_inputs,
            loss=loss,
            targets=targets,
            loss_options=losses.BY_NAME[loss]().options(),
        )
        results.append((d_parameters, d_inputs))
    for actual, expected in zip(*results, strict=True):
        np.testing.assert_allclose(actual, expected, atol=LIMIT[dtype] * np.abs(expected).max())


def test_denormals_are_flushed_only_inside_the_engine():
    plan, parameters, X, targets = problem("cross_entropy", "float32")
    train(native, plan, parameters, X, targets, "cross_entropy", "adam")
    assert np.float32(1e-38) * np.float32(0.1) > 0


@both_types
def test_tiles_give_the_same_bits_on_every_instruction_set_with_fused_multiply_add(dtype, monkeypatch):
    plan, parameters, X, targets = problem("cross_entropy", dtype, operations="tile", n=75, hidden=(40, 17))
    results = []
    for isa in core.instruction_sets():
        if isa != "portable":
            monkeypatch.setenv("FASTMLP_ISA", isa)
            results.append(train(native, plan, parameters, X, targets, "cross_entropy", "adam")[0])
    for other in results[1:]:
        np.testing.assert_array_equal(results[0], other)


def test_auto_takes_tiles_wherever_there_are_vectors_for_them():
    chosen = {isa: choose_operations(isa) for isa in ("portable", "neon", "avx2", "avx512")}
    assert chosen == {"portable": "blas", "neon": "tile", "avx2": "tile", "avx512": "tile"}
