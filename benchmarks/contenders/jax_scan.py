"""JAX: an epoch is one jitted function, a `lax.scan` over shuffled batches; a prediction is another.

XLA, which computes for JAX, sizes its pool of threads by the processors that the process may use, or by
the variable NPROC if that is set; the runner sets it. ``XLA_FLAGS`` cannot: with
``--xla_cpu_multi_thread_eigen=false`` and ``intra_op_parallelism_threads=1`` a product still kept two cores
busy, with NPROC=1 one (jaxlib 0.10).
"""

from functools import partial
from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.kinds import LEARNING_RATE, MOMENTUM


def make_parameters(sizes, dtype):
    """Return a list of weights and biases."""
    rng = np.random.default_rng(0)
    return [
        (
            jnp.asarray(rng.standard_normal((n_in, n_out)) / np.sqrt(n_in), dtype),
            jnp.zeros(n_out, dtype),
        )
        for n_in, n_out in pairwise(sizes)
    ]


def logits(parameters, X):
    """Return the outputs before the softmax."""
    *hidden, last = parameters
    for weight, bias in hidden:
        X = jax.nn.relu(X @ weight + bias)
    return X @ last[0] + last[1]


def loss(parameters, X, y):
    """Return the mean cross-entropy."""
    log_probabilities = jax.nn.log_softmax(logits(parameters, X))
    return -jnp.take_along_axis(log_probabilities, y[:, None], axis=1).mean()


def sgd(parameters, moments, gradients, t):
    """Return parameters and velocities after a step."""
    moments = jax.tree.map(lambda v, g: MOMENTUM * v + g, moments, gradients)
    return jax.tree.map(lambda p, v: p - LEARNING_RATE * v, parameters, moments), moments


def adam(parameters, moments, gradients, t):
    """Return parameters and both moments after step ``t``, the first being 1."""
    rate = LEARNING_RATE * jnp.sqrt(1 - 0.999**t) / (1 - 0.9**t)
    first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, moments[0], gradients)
    second = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, moments[1], gradients)
    step = partial(jax.tree.map, lambda p, m, v: p - (rate * m / (jnp.sqrt(v) + 1e-8)).astype(p.dtype))
    return step(parameters, first, second), (first, second)


def training(case, threads, X, y):
    """Return a function that trains for a turn."""
    jax.config.update("jax_enable_x64", case.dtype == "float64")
    solver = {"sgd": sgd, "adam": adam}[case.solver]
    X, y = jnp.asarray(X), jnp.asarray(y, jnp.int32)

    @partial(jax.jit, donate_argnums=0)
    def epoch(state, X, y):
        def step(state, rows):
            parameters, moments, t = state
            gradients = jax.grad(loss)(parameters, X[rows], y[rows])
            return (*solver(parameters, moments, gradients, t), t + 1), None

        *state, key = state
        key, shuffling = jax.random.split(key)
        batches = jax.random.permutation(shuffling, len(X)).reshape(case.n_batches, case.batch_size)
        state, _ = jax.lax.scan(step, tuple(state), batches)
        return (*state, key)

    parameters = make_parameters(case.sizes, X.dtype)

    def zeros():
        return jax.tree.map(jnp.zeros_like, parameters)

    moments = zeros() if case.solver == "sgd" else (zeros(), zeros())
    state = (parameters, moments, jnp.ones((), jnp.float32), jax.random.key(0))

    def turn():
        nonlocal state
        for _ in range(case.n_epochs):
            state = epoch(state, X, y)
        jax.block_until_ready(state)

    return turn


def prediction(case, threads, X):
    """Return a function that predicts over and over, each time until the result is there."""
    X, parameters = jnp.asarray(X), make_parameters(case.sizes, X.dtype)
    predict = jax.jit(lambda parameters, X: jax.nn.softmax(logits(parameters, X)))
    return case.repeated(lambda: predict(parameters, X).block_until_ready())
