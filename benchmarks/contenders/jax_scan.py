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

from benchmarks.kinds import LEARNING_RATE, MOMENTUM, NotHere


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
    return learning_logits(parameters, X, None, 0.0)[0]


def learning_logits(parameters, X, key, dropout):
    """Return the logits in training, and the mean and variance of the units of the layers that normalise.

    These layers have a scale between their weight and their bias.
    """
    *hidden, last = parameters
    statistics = []
    for weight, *scale, bias in hidden:
        X = X @ weight
        if scale:
            statistics.append((X.mean(axis=0), X.var(axis=0)))
            X = scale[0] * (X - statistics[-1][0]) * jax.lax.rsqrt(statistics[-1][1] + 1e-5)
        X = jax.nn.relu(X + bias)
        if dropout:
            key, own = jax.random.split(key)
            X = jnp.where(jax.random.bernoulli(own, 1 - dropout, X.shape), X / (1 - dropout), 0)
    return X @ last[0] + last[1], statistics


def loss(parameters, X, y, key, dropout):
    """Return the mean cross-entropy, and the statistics of `learning_logits`."""
    outputs, statistics = learning_logits(parameters, X, key, dropout)
    log_probabilities = jax.nn.log_softmax(outputs)
    return -jnp.take_along_axis(log_probabilities, y[:, None], axis=1).mean(), statistics


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
    if case.solver not in ("sgd", "adam"):
        raise NotHere("JAX has no optimizers of its own; SGD and Adam are written out here")
    solver = {"sgd": sgd, "adam": adam}[case.solver]
    X, y = jnp.asarray(X), jnp.asarray(y, jnp.int32)

    @partial(jax.jit, donate_argnums=0)
    def epoch(state, X, y):
        def step(state, rows):
            parameters, moments, running, t, key = state
            key, dropping = jax.random.split(key) if case.dropout else (key, None)
            gradients, seen = jax.grad(loss, has_aux=True)(
                parameters, X[rows], y[rows], dropping, case.dropout
            )
            running = jax.tree.map(lambda a, b: 0.9 * a + 0.1 * b, running, seen)
            return (*solver(parameters, moments, gradients, t), running, t + 1, key), None

        *state, key = state
        key, shuffling = jax.random.split(key)
        batches = jax.random.permutation(shuffling, len(X)).reshape(case.n_batches, case.batch_size)
        state, _ = jax.lax.scan(step, (*state, key), batches)
        return state

    parameters, running = make_parameters(case.sizes, X.dtype), []
    if case.batch_norm:
        hidden = case.sizes[1:-1]
        parameters[:-1] = [(weight, jnp.ones_like(bias), bias) for weight, bias in parameters[:-1]]
        running = [(jnp.zeros(units, X.dtype), jnp.ones(units, X.dtype)) for units in hidden]

    def zeros():
        return jax.tree.map(jnp.zeros_like, parameters)

    moments = zeros() if case.solver == "sgd" else (zeros(), zeros())
    state = (parameters, moments, running, jnp.ones((), jnp.float32), jax.random.key(0))

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
