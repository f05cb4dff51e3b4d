"""The engine in NumPy: the twin of native.pyx, walk.pyx and csrc/, function for function.

It is what the compiled engine is tested against, and the place to read how a multilayer perceptron
learns. Arrays are feature-major as in the engine: activations x are (features, samples), weights W are
(out, in), and a gradient is named ``d_`` and what it belongs to.

A training step, in full::

    x = gather(X, rows)                       a batch, prepared, one column per sample
    y = linear_forward(W, b, x, activation)   layer by layer upwards
    loss, d = cross_entropy(y, labels)        the loss, and its gradient
    d = linear_backward(W, d, x, activation)  layer by layer downwards
    linear_step(layer, parameters, ...)       the solver's step along the way

This module has a fit, predictions and gradients; the walk up and down the layers is in walk.py, what a
layer consists of in operations.py, and the kernels, which can all be had from here, in the modules named
after them.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from fastmlp.engine import given
from fastmlp.engine.plan import SLAB, LayerPlan, Plan
from fastmlp.engine.reference import Array, Options, Pair
from fastmlp.engine.reference.activations import (
    SELU_ALPHA,
    SELU_SCALE,
    activation_backward,
    activation_forward,
    activation_slopes,
    elu,
    gelu_tanh_exponent,
    logistic,
    prelu_backward,
    prelu_forward,
    softmax,
    softplus,
)
from fastmlp.engine.reference.data import augment, gather, is_finite
from fastmlp.engine.reference.losses import (
    FROM_LOGITS,
    LOSSES,
    absolute_error,
    binary_cross_entropy,
    cross_entropy,
    huber,
    log_likelihood,
    poisson,
    quantile,
    soft_cross_entropy,
    squared_error,
    weigh,
)
from fastmlp.engine.reference.norms import (
    batch_norm_backward,
    batch_norm_forward,
    fold_norm,
    layer_norm_backward,
    layer_norm_forward,
)
from fastmlp.engine.reference.products import (
    linear_backward,
    linear_forward,
    linear_gradient,
    round_bfloat16,
    sparse_forward,
    sparse_gradient,
)
from fastmlp.engine.reference.random import (
    STREAMS,
    STREAMS_PER_LAYER,
    draw,
    dropout_backward,
    dropout_forward,
    feature_words,
    input_dropout,
    input_noise,
    kept,
    philox4x32,
    set_step,
    shuffle,
    swap_places,
    unit_words,
)
from fastmlp.engine.reference.solvers import (
    CLIP_EPSILON,
    NO_PENALTY,
    STEPS,
    adadelta_step,
    adagrad_step,
    adam_step,
    average,
    linear_step,
    mean_square,
    penalised,
    rmsprop_step,
    sgd_step,
)
from fastmlp.engine.reference.walk import Walk
from fastmlp.layers import NORM_MOMENTUM

# Every operation has its twin under its own name here, also those that the fit below does not call itself.
__all__ = [
    "CLIP_EPSILON", "FROM_LOGITS", "LOSSES", "NO_PENALTY", "SELU_ALPHA", "SELU_SCALE", "SLAB", "STEPS",
    "STREAMS", "STREAMS_PER_LAYER", "Training", "Walk", "absolute_error", "activation_backward",
    "activation_forward", "activation_slopes", "adadelta_step", "adagrad_step", "adam_step", "augment",
    "average", "batch_norm_backward", "batch_norm_forward", "binary_cross_entropy", "cross_entropy", "draw",
    "dropout_backward", "dropout_forward", "elu", "feature_words", "fold_norm", "forward", "gather",
    "gelu_tanh_exponent", "gradients", "huber", "input_dropout", "input_noise", "is_finite", "kept",
    "layer_norm_backward", "layer_norm_forward", "linear_backward", "linear_forward", "linear_gradient",
    "linear_step", "log_likelihood", "logistic", "mean_square", "penalised", "philox4x32", "poisson",
    "prelu_backward", "prelu_forward", "quantile", "rmsprop_step", "round_bfloat16", "set_step", "sgd_step",
    "shuffle", "soft_cross_entropy", "softmax", "softplus", "sparse_forward", "sparse_gradient",
    "squared_error", "swap_places", "unit_words", "weigh",
]  # fmt: skip


class Training(Walk):
    """A fit in progress: `start_epoch`, then `run` until it returns True."""

    def __init__(
        self, plan: Plan, parameters: Array, X: Any, preparation: Pair | None, batch_size: int, *, loss: str,
        targets: Array, targets_preparation: Pair | None, rows: Array, optimizer: Options,
        moments: Sequence[Array], alpha: float, shuffle: bool, seed: int, n_steps: int,
        loss_options: Options | None = None, sample_weight: Array | None = None, l2: float = 0.0,
        l1: float = 0.0, clip_value: float = 0.0, clip_norm: float = 0.0, input_noise: float = 0.0,
        input_dropout: float = 0.0, average: Array | None = None, ema_decay: float = 0.0,
        augmentation: Options | None = None, n_threads: int = 1,
    ) -> None:  # fmt: skip
        X, targets, sample_weight = given.samples(
            plan, X, targets, sample_weight, loss=loss, loss_options=loss_options
        )
        rows = given.rows(rows, X.shape[0])
        given.check_vectors(plan, parameters, average, *moments)
        self.held = given.hold(X, targets, sample_weight, parameters, average, *moments)
        preparation, targets_preparation = (
            given.preparation(preparation), given.preparation(targets_preparation),
        )  # fmt: skip
        super().__init__(
            plan,
            parameters,
            X,
            preparation,
            loss=loss,
            loss_options=loss_options,
            targets=targets,
            targets_preparation=targets_preparation,
            sample_weight=sample_weight,
            learns=True,
            drops=True,
            input_noise=input_noise,
            input_dropout=input_dropout,
            norm_momentum=NORM_MOMENTUM,
            seed=seed,
        )
        self.batch_size, self.rows = batch_size, rows
        self.alpha, self.l2, self.l1 = alpha, l2, l1
        self.clip_value, self.clip_norm = clip_value, clip_norm
        self.optimizer = {"nesterov": False, **optimizer}
        self.average, self.ema_decay, self.augmentation = average, ema_decay, augmentation
        self.moments, self.shuffle, self.n_steps = moments, shuffle, n_steps

    def batch_of(self, rows: Any) -> Array:
        """Return the chosen samples, changed if there is an augmentation, and prepared."""
        if self.augmentation is None:
            return super().batch_of(rows)
        X = augment(self.X, rows, self.augmentation, self.seed, self.n_steps)
        return gather(X, slice(None), self.preparation, self.plan.dtype)

    def start_epoch(self, epoch: int, rates: Array, momenta: Array) -> None:
        """Set the order of the samples, and the rate and momentum of each of the epoch's batches."""
        n_batches = -(-len(self.rows) // self.batch_size)
        self.rates, self.momenta = given.rates_and_momenta(rates, momenta, n_batches)
        self.order = np.array(self.rows)
        if self.shuffle:
            shuffle(self.order, self.seed, epoch)
        self.order.setflags(write=False)
        self.batch, self.loss_sum, self.n_skipped, self.has_diverged = 0, 0.0, 0, False

    def run(self, budget: float, n_batches: int | None = None) -> bool:
        """Train on batches until the epoch, the time or their number is over; return whether the epoch is."""
        stop = time.monotonic() + budget
        end_batch = np.inf if n_batches is None else self.batch + n_batches
        with np.errstate(over="ignore", invalid="ignore"):  # `has_diverged` tells
            while self.n_samples_seen < len(self.order) and not self.has_diverged:
                self.train_batch()
                if time.monotonic() >= stop or self.batch >= end_batch:
                    break
        return self.n_samples_seen >= len(self.order) or self.has_diverged

    def predicts_finite(self) -> bool:
        """Return whether the last batch's loss is finite under the present parameters."""
        rows = self.order[max(self.batch - 1, 0) * self.batch_size :][: self.batch_size]
        self.norm_momentum = 0.0
        loss = self.loss_gradient(rows, self.forward(rows)[-1], 1.0)[0]
        self.norm_momentum = NORM_MOMENTUM
        return bool(np.isfinite(loss))

    def train_batch(self) -> None:
        """Walk up and down once, with the solver's step on the way down."""
        rows = self.order[self.batch * self.batch_size :][: self.batch_size]
        total = self.weight_of_batch(rows)
        if total == 0:
            self.n_skipped += len(rows)
            self.batch += 1
            return
        self.step = self.n_steps
        xs = self.forward(rows)
        loss, d = self.loss_gradient(rows, xs[-1], 1 / total)
        loss += self.penalty(total)
        if not np.isfinite(loss):
            self.has_diverged = True
            return
        self.n_steps += 1
        rate = self.rates[self.batch]
        optimizer = {
            **self.optimizer,
            "learning_rate": rate,
            "momentum": self.momenta[self.batch],
            "l2": self.alpha / total + 2 * self.l2,
            "l1": self.l1,
            "shrink": 1 - rate * self.optimizer.get("weight_decay", 0),
            "clip": self.clip_value,
        }
        if self.optimizer["solver"] == "adam":
            beta_1, beta_2 = self.optimizer["beta_1"], self.optimizer["beta_2"]
            correction = np.sqrt(1 - beta_2**self.n_steps)
            optimizer["learning_rate"] *= correction / (1 - beta_1**self.n_steps)
            if self.optimizer.get("corrects_epsilon"):
                optimizer["epsilon"] *= correction

        gradients: list[tuple[LayerPlan, Array, dict[str, Array]]] = []

        def update(layer: LayerPlan, d_weight: Array, d_vectors: dict[str, Array]) -> None:
            if not layer.trainable:
                return
            if self.clip_norm:  # first the whole gradient
                gradients.append((layer, d_weight, d_vectors))
            else:
                linear_step(layer, self.parameters, self.moments, d_weight, d_vectors, optimizer)

        self.backward(d, update)
        if self.clip_norm:
            parts = [part for _, d_weight, d_vectors in gradients for part in (d_weight, *d_vectors.values())]
            norm = np.sqrt(sum((part.astype(np.float64) ** 2).sum() for part in parts))
            if not np.isfinite(norm):
                self.has_diverged = True
                return
            optimizer["scale"] = min(1.0, self.clip_norm / (norm + CLIP_EPSILON))
            for layer, d_weight, d_vectors in gradients:
                linear_step(layer, self.parameters, self.moments, d_weight, d_vectors, optimizer)
        if self.average is not None:
            # TensorFlow's way to begin: a few steps do not count for less than the initial parameters.
            decay = min(self.ema_decay, (1 + self.n_steps) / (10 + self.n_steps))
            average(self.average, self.parameters, 1 - decay)
        self.loss_sum += loss * (len(rows) / total)
        self.batch += 1

    def penalty(self, n_samples: float) -> float:
        """Return what the penalties on the weights add to the sum of a batch's losses.

        That is alpha / 2 |W|^2, scikit-learn's term, and for every sample l2 |W|^2 and l1 |W|_1, where
        ``n_samples`` is the sum of the samples' own weights if they have any.
        """
        trained = [layer for layer in self.plan.layers if layer.trainable]
        weights = [layer.weight_of(self.parameters).astype(np.float64) for layer in trained]
        squares = sum(np.square(weight).sum() for weight in weights)
        magnitudes = sum(np.abs(weight).sum() for weight in weights)
        return (0.5 * self.alpha + n_samples * self.l2) * squares + n_samples * self.l1 * magnitudes

    @property
    def n_samples_seen(self) -> int:
        """Samples of this epoch trained on so far."""
        return min(self.batch * self.batch_size, len(self.order))

    @property
    def mean_loss(self) -> float:
        """The mean of this epoch's batches' losses so far, each before its update."""
        return self.loss_sum / max(self.n_samples_seen - self.n_skipped, 1)


def forward(
    plan: Plan, parameters: Array, X: Any, preparation: Pair | None, outs: Sequence[Array | None], *,
    loss: str | None = None, loss_options: Options | None = None, targets: Array | None = None,
    targets_preparation: Pair | None = None, sample_weight: Array | None = None, n_threads: int = 1,
) -> float | None:  # fmt: skip
    """Run X through the layers; write the outputs of those that ``outs`` has an array for.

    With a loss and targets, also return the mean loss, weighted if there are weights.
    """
    X, targets, sample_weight = given.samples(
        plan, X, targets, sample_weight, loss=loss, loss_options=loss_options
    )
    walk = Walk(
        plan, parameters, X, preparation, loss=loss, loss_options=loss_options, targets=targets,
        targets_preparation=targets_preparation, sample_weight=sample_weight,
    )  # fmt: skip
    loss_sum = 0.0
    for start in range(0, X.shape[0], SLAB):
        rows = np.arange(start, min(start + SLAB, X.shape[0]))
        xs = walk.forward(rows)
        if loss is not None:
            loss_sum += walk.loss_gradient(rows, xs[-1], 1.0)[0]
            if loss in FROM_LOGITS:
                xs[-1] = activation_forward(xs[-1], plan.layers[-1].activation)
        for out, x in zip(outs, xs[1:], strict=True):
            if out is not None:
                out[rows] = x.T
    return loss_sum / walk.weight_of_batch(np.arange(X.shape[0])) if loss is not None else None


def gradients(
    plan: Plan, parameters: Array, X: Any, preparation: Pair | None, d_parameters: Array,
    d_inputs: Array | None, *, loss: str, targets: Array, loss_options: Options | None = None,
    targets_preparation: Pair | None = None, sample_weight: Array | None = None, rows: Array | None = None,
    n_threads: int = 1, is_checked: bool = False,
) -> float:  # fmt: skip
    """Return the mean loss, weighted if there are weights; write its gradient with respect to the parameters
    (a vector like them) and, unless ``d_inputs`` is None, to the prepared inputs, (n_samples, n_features).

    With ``rows``, of these rows of X only. ``is_checked``: X, targets, weights and rows are as given.samples
    and given.rows have returned them.
    """
    if not is_checked:
        X, targets, sample_weight = given.samples(
            plan, X, targets, sample_weight, loss=loss, loss_options=loss_options
        )
        rows = None if rows is None else given.rows(rows, X.shape[0])
    rows = given.all_rows(X.shape[0]) if rows is None else rows
    walk = Walk(
        plan, parameters, X, preparation, loss=loss, loss_options=loss_options, targets=targets,
        targets_preparation=targets_preparation, sample_weight=sample_weight, learns=True,
        to_inputs=d_inputs is not None,
    )  # fmt: skip
    xs = walk.forward(rows)
    total = walk.weight_of_batch(rows)
    loss_sum, d = walk.loss_gradient(rows, xs[-1], 1 / total)
    d_parameters[:] = 0

    def keep(layer: LayerPlan, d_weight: Array, d_vectors: dict[str, Array]) -> None:
        layer.weight_of(d_parameters)[:] = d_weight
        for name, gradient in d_vectors.items():
            layer.vector_of(name, d_parameters)[:] = gradient

    d_x = walk.backward(d, keep)
    if d_inputs is not None:
        d_inputs[:] = d_x.T
    return loss_sum / total
