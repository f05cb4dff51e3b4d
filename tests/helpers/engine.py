"""Problems that both engines train on, and how far they may be apart."""

import numpy as np
import pytest

from fastmlp import losses
from fastmlp.engine.plan import aligned_zeros, make_plan

# Largest difference of a parameter after 50 steps, over the largest parameter.
LIMIT = {"float32": 1e-5, "float64": 1e-11}

SOLVERS = {
    "plain": ({"solver": "sgd"}, 0.0),
    "momentum": ({"solver": "sgd"}, 0.9),
    "nesterov": ({"solver": "sgd", "nesterov": True}, 0.9),
    "adam": ({"solver": "adam", "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-8}, 0.0),
}

# Every loss with an output activation that it goes with; and squared error, which stands for all losses that
# take any outputs, with every one.
HEADS = [
    *((loss.name, (loss.output_activations or ("identity",))[0]) for loss in losses.BY_NAME.values()),
    *(
        ("squared_error", activation)
        for activation in ("relu", "tanh", "logistic", "softmax", "leaky_relu(0.2)", "gelu")
    ),
]

both_types = pytest.mark.parametrize("dtype", ["float32", "float64"])

both_operations = pytest.mark.parametrize("operations", ["blas", "tile"])


def problem(
    loss,
    dtype,
    n=83,
    n_features=9,
    n_outputs=4,
    hidden=(19, 11),
    activation="tanh",
    output="softmax",
    operations="blas",
):
    """A plan, its parameters, inputs and targets."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, n_features))
    if loss == "cross_entropy":
        targets = rng.integers(0, n_outputs, n).astype(np.int32)
    else:
        targets = (rng.random((n, n_outputs)) < 0.5).astype(np.float64)
    units = (*hidden, n_outputs)
    plan = make_plan(n_features, units, (activation,) * len(hidden) + (output,), dtype, operations)
    parameters = aligned_zeros(plan.n_parameters, dtype)
    for layer in plan.layers:
        bound = np.sqrt(6 / (layer.n_in + layer.n_out))
        layer.weight_of(parameters)[:] = rng.uniform(-bound, bound, (layer.n_out, layer.n_in))
        layer.bias_of(parameters)[:] = rng.uniform(-bound, bound, layer.n_out)
    return plan, parameters, X, targets


def train(
    engine, plan, parameters, X, targets, loss, solver, n_steps=50, batch_size=32, rate=0.002, **options
):
    """Train a copy of the parameters by a solver of `SOLVERS` or an optimizer; return them and the losses."""
    parameters = parameters.copy()
    if isinstance(solver, str):
        optimizer, momentum = SOLVERS[solver]
        n_moments = 2 if optimizer["solver"] == "adam" else int(momentum > 0)
    else:
        optimizer, momentum, n_moments = solver.options(), solver.momentum, solver.n_moments
    options = {
        "rows": np.arange(len(X)), "alpha": 0.01, "shuffle": True, "targets_preparation": None, "n_steps": 0,
        "seed": 5, "loss_options": losses.BY_NAME[loss]().options(), **options,
    }  # fmt: skip
    training = engine.Training(
        plan, parameters, X, None, batch_size, loss=loss, targets=targets, optimizer=optimizer,
        moments=[aligned_zeros(plan.n_parameters, plan.dtype) for _ in range(n_moments)], **options,
    )  # fmt: skip
    n_batches = -(-len(options["rows"]) // batch_size)
    curve = []
    for epoch in range(-(-n_steps // n_batches)):
        training.start_epoch(epoch, np.full(n_batches, rate), np.full(n_batches, momentum))
        while not training.run(0.05):
            pass
        assert training.n_samples_seen == len(options["rows"])
        curve.append(training.mean_loss)
    return parameters, np.array(curve)


def assert_parity(native_parameters, reference_parameters, dtype):
    difference = np.abs(native_parameters - reference_parameters).max() / np.abs(reference_parameters).max()
    assert difference <= LIMIT[dtype]
