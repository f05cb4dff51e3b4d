"""The walk of a training step in NumPy: the twin of native.pyx and csrc/, function for function.

It is what the compiled engine is tested against, and the place to read how a multilayer perceptron
learns. Arrays are feature-major as in the engine: activations x are (features, samples), weights W are
(out, in), and a gradient is named ``d_`` and what it belongs to.

A training step, in full::

    x = gather(X, rows)                       a batch, prepared, one column per sample
    y = linear_forward(W, b, x, activation)   layer by layer upwards
    loss, d = cross_entropy(y, labels)        the loss, and its gradient
    d = linear_backward(W, d, x, activation)  layer by layer downwards
    linear_step(layer, parameters, ...)       the solver's step along the way
"""

from __future__ import annotations

import math
import time

import numpy as np
from scipy.special import ndtr

from fastmlp import activations
from fastmlp.layers import NORM_EPSILON, NORM_MOMENTUM

#: Samples in a batch of a prediction.
SLAB = 256

# --- Activations: forward from z = W x + b, backward from y = activation(z) or from the slopes kept ---

#: selu: with these a layer keeps mean 0 and variance 1.
SELU_ALPHA, SELU_SCALE = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946


def softmax(z):
    """exp(z) / sum(exp(z)) over the units of each sample, shifted so that nothing overflows."""
    e = np.exp(z - z.max(axis=0))
    return e / e.sum(axis=0)


def logistic(z):
    """1 / (1 + exp(-z)), by exp(-|z|), so that nothing overflows."""
    e = np.exp(-np.abs(z))
    return np.where(z < 0, e, 1) / (1 + e)


def elu(z, alpha):
    """Return z where it is positive, alpha (exp(z) - 1) below."""
    return np.where(z < 0, alpha * np.expm1(np.minimum(z, 0)), z)


def softplus(z):
    """log(1 + exp(z)), by exp(-|z|), so that nothing overflows."""
    return np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))


def gelu_tanh_exponent(z):
    """Return u and its derivative: gelu_tanh(z) = z (1 + tanh(u / 2)) / 2 = z logistic(u)."""
    z = np.clip(z, -32, 32)  # beyond, logistic(u) is 0 or 1 for every type
    factor = 2 * math.sqrt(2 / math.pi)
    return factor * (z + 0.044715 * z**3), factor * (1 + 3 * 0.044715 * z * z)


def activation_slopes(z, activation):
    """Return activation'(z) of those whose derivative does not follow from y."""
    match activation:
        case "gelu":
            return ndtr(z) + z * (np.exp(-np.square(np.clip(z, -64, 64)) / 2) / math.sqrt(2 * math.pi))
        case "gelu_tanh":
            u, d_u = gelu_tanh_exponent(z)
            return logistic(u) + np.clip(z, -32, 32) * d_u * logistic(u) * logistic(-u)
        case "silu":
            return logistic(z) * (1 + z * logistic(-z))
        case "mish":
            t = np.tanh(softplus(z))
            return t + z * ((1 - t * t) * logistic(z))
    raise ValueError(f"unknown activation {activation!r}")


def activation_forward(z, activation, slopes=None):
    """Return activation(z) for z (units, samples); leave activation'(z) in ``slopes``, an array like z."""
    kind, parameter = activations.split(activation)
    if slopes is not None:
        slopes[:] = activation_slopes(z, kind)
    match kind:
        case "identity":
            return z
        case "relu":
            return np.where(z < 0, 0, z).astype(z.dtype)
        case "tanh":
            return np.tanh(z)
        case "logistic":
            return logistic(z)
        case "softmax":
            return softmax(z)
        case "leaky_relu":
            return np.where(z < 0, parameter * z, z)
        case "elu":
            return elu(z, parameter)
        case "selu":
            return SELU_SCALE * elu(z, SELU_ALPHA)
        case "gelu":
            return z * ndtr(z)  # the normal distribution, (1 + erf(z / sqrt(2))) / 2
        case "gelu_tanh":
            return z * logistic(gelu_tanh_exponent(z)[0])
        case "silu":
            return z * logistic(z)
        case "mish":
            return z * np.tanh(softplus(z))
        case "softplus":
            return softplus(z)
    raise ValueError(f"unknown activation {activation!r}")


def activation_backward(d, y, activation, slopes=None):
    """Return the gradient with respect to z, given d with respect to y = activation(z)."""
    if slopes is not None:
        return d * slopes
    kind, parameter = activations.split(activation)
    match kind:
        case "identity":
            return d
        case "relu":
            return d * (y > 0)
        case "tanh":
            return d * (1 - y * y)
        case "logistic":
            return d * (y * (1 - y))
        case "softmax":
            return y * (d - (y * d).sum(axis=0))
        case "leaky_relu":
            return np.where(y > 0, d, parameter * d)
        case "elu":
            return np.where(y > 0, d, (y + parameter) * d)
        case "selu":
            return np.where(y > 0, SELU_SCALE * d, (y + SELU_SCALE * SELU_ALPHA) * d)
        case "softplus":
            return d * -np.expm1(-y)
    raise ValueError(f"unknown activation {activation!r}")


# --- Normalisation: n = (z - mean) / deviation, then scale n + bias; and PReLU ---


def batch_norm_forward(z, mean, variance, scale, bias, epsilon, momentum, is_fixed=False):
    """Normalise each unit over the samples; the running mean and variance move towards those of the batch.

    Return the outputs, the normed and 1 / deviation of each unit; if ``is_fixed``, by the running ones.
    """
    dtype, n = z.dtype.type, z.shape[1]
    of_batch, squares = z.mean(axis=1), np.square(z - z.mean(axis=1, keepdims=True)).sum(axis=1)
    center, spread = (mean.copy(), variance) if is_fixed else (of_batch, squares / dtype(n))
    if momentum and not is_fixed:
        mean += dtype(momentum) * (of_batch - mean)
        if n > 1:
            variance += dtype(momentum) * (squares / dtype(n - 1) - variance)
    inverse = 1 / np.sqrt(spread + dtype(epsilon))
    normed = (z - center[:, None]) * inverse[:, None]
    return scale[:, None] * normed + bias[:, None], normed, inverse


def batch_norm_backward(d, normed, inverse, scale, is_fixed=False):
    """Return the gradient before it, and those of the scale and the bias."""
    d_scale, d_bias = (d * normed).sum(axis=1), d.sum(axis=1)
    if not is_fixed:
        n = d.dtype.type(d.shape[1])
        d = d - (d_bias / n)[:, None] - normed * (d_scale / n)[:, None]
    return (scale * inverse)[:, None] * d, d_scale, d_bias


def fold_norm(scale, bias, mean, variance, epsilon):
    """Return the scale and bias that normalise by the running mean and variance: scale z + bias."""
    factor = scale / np.sqrt(variance + scale.dtype.type(epsilon))
    return factor, bias - factor * mean


def layer_norm_forward(z, scale, bias, epsilon):
    """Normalise each sample over the units; return the outputs, the normed, 1 / deviation of each sample."""
    inverse = 1 / np.sqrt(z.var(axis=0) + z.dtype.type(epsilon))
    normed = (z - z.mean(axis=0)) * inverse
    return scale[:, None] * normed + bias[:, None], normed, inverse


def layer_norm_backward(d, normed, inverse, scale):
    """Return the gradient before it, and those of the scale and the bias."""
    g = scale[:, None] * d
    d_z = inverse * (g - g.mean(axis=0) - normed * (g * normed).mean(axis=0))
    return d_z, (d * normed).sum(axis=1), d.sum(axis=1)


def prelu_forward(z, slope):
    """Return z where it is positive, slope z below, with a slope for each unit."""
    return np.where(z > 0, z, slope[:, None] * z)


def prelu_backward(d, z, slope):
    """Return the gradient before it, and that of the slopes."""
    return np.where(z > 0, d, slope[:, None] * d), (d * np.where(z > 0, 0, z)).sum(axis=1)


# --- Losses: each sample's loss, and the gradient of weight * sum(losses) ---


def cross_entropy(z, labels, weight, label_smoothing=0.0):
    """Cross-entropy of softmax(z) against class labels, from the logits z.

    The true class has the probability 1 - label_smoothing, and every class an equal share of the rest.
    """
    dtype = z.dtype.type
    rest, share = dtype(1 - label_smoothing), dtype(label_smoothing / len(z))
    shifted = z - z.max(axis=0)
    samples = np.arange(z.shape[1])
    losses = np.log(np.exp(shifted).sum(axis=0)) - rest * shifted[labels, samples]
    losses -= (share * shifted).sum(axis=0)
    d_z = (softmax(z) - share) * dtype(weight)
    d_z[labels, samples] -= rest * dtype(weight)
    return losses, d_z


def soft_cross_entropy(z, targets, weight, label_smoothing=0.0):
    """Cross-entropy of softmax(z) against probabilities (classes, samples), from the logits z.

    The gradient is that of the loss also where a sample's probabilities do not quite sum to 1.
    """
    dtype = z.dtype.type
    targets = dtype(1 - label_smoothing) * targets + dtype(label_smoothing / len(z))
    shifted = z - z.max(axis=0)
    total = targets.sum(axis=0)
    losses = total * np.log(np.exp(shifted).sum(axis=0)) - (targets * shifted).sum(axis=0)
    return losses, (total * softmax(z) - targets) * dtype(weight)


def binary_cross_entropy(z, targets, weight):
    """Cross-entropy of logistic(z) against targets in [0, 1], summed over the outputs."""
    losses = (np.maximum(z, 0) - z * targets + np.log1p(np.exp(-np.abs(z)))).sum(axis=0)
    return losses, (logistic(z) - targets) * z.dtype.type(weight)


def squared_error(y, targets, weight):
    """Half the squared difference, summed over the outputs."""
    error = y - targets
    return 0.5 * (error * error).sum(axis=0), error * y.dtype.type(weight)


def log_likelihood(z, targets, weight):
    """-t log p for p = logistic(z), summed over the outputs: the half of the binary cross-entropy with t."""
    losses = (targets * (np.maximum(-z, 0) + np.log1p(np.exp(-np.abs(z))))).sum(axis=0)
    return losses, -targets * logistic(-z) * z.dtype.type(weight)


def absolute_error(y, targets, weight):
    """The magnitude of the difference, summed over the outputs; its derivative at 0 is taken for 0."""
    error = y - targets
    return np.abs(error).sum(axis=0), np.sign(error) * y.dtype.type(weight)


def huber(y, targets, weight, delta):
    """Half the squared difference up to delta, and beyond it a straight line, summed over the outputs."""
    error = y - targets
    clipped = np.clip(error, -y.dtype.type(delta), y.dtype.type(delta))
    return (clipped * (error - 0.5 * clipped)).sum(axis=0), clipped * y.dtype.type(weight)


def quantile(y, targets, weight, quantiles):
    """The pinball loss q (t - y), or (1 - q) (y - t) where the output y is above the target t, summed.

    Each row of targets has an output for every quantile q, one after the other.
    """
    q = np.tile(np.array(quantiles, dtype=y.dtype), len(targets))[:, None]
    error = y - np.repeat(targets, len(quantiles), axis=0)
    side = np.where(error > 0, 1 - q, -q)
    return (side * error).sum(axis=0), side * (error != 0) * y.dtype.type(weight)


def poisson(x, targets, weight):
    """Poisson's negative log likelihood for the mean e^x, less log t!, which does not depend on x."""
    mean = np.exp(x)
    return (mean - targets * x).sum(axis=0), (mean - targets) * x.dtype.type(weight)


def weigh(d, losses, weights):
    """Return d and losses with each sample's times its weight."""
    return d * weights, losses * weights


LOSSES = {
    "cross_entropy": cross_entropy,
    "soft_cross_entropy": soft_cross_entropy,
    "binary_cross_entropy": binary_cross_entropy,
    "log_likelihood": log_likelihood,
    "squared_error": squared_error,
    "absolute_error": absolute_error,
    "huber": huber,
    "quantile": quantile,
    "poisson": poisson,
}
#: These begin at the logits: the last layer's activation is part of them.
FROM_LOGITS = {"cross_entropy", "soft_cross_entropy", "binary_cross_entropy", "log_likelihood"}

# --- Data ---


def gather(X, rows, preparation, dtype):
    """Return the chosen rows of X (samples, features) as columns, (X - center) * scale if prepared."""
    x = X[rows]
    if x.dtype != np.float64:
        x = x.astype(dtype)
    if preparation is not None:
        center, scale = (np.asarray(part, dtype=x.dtype) for part in preparation)
        x = (x - center) * scale
    return x.astype(dtype).T


def is_finite(x):
    """Return whether no element of x is infinite or not a number."""
    return bool(np.isfinite(x).all())


# --- The three matrix operations ---


def round_bfloat16(x):
    """Round float32 to bfloat16, the upper half of its bits, to nearest even; kept as float32."""
    bits = np.ascontiguousarray(x, dtype=np.float32).view(np.uint32)
    rounded = bits + np.uint32(0x7FFF) + (bits >> np.uint32(16) & np.uint32(1))
    return (rounded & np.uint32(0xFFFF0000)).view(np.float32)


def linear_forward(weight, bias, x, activation, slopes=None):
    """Return activation(W x + b), (n_out, samples)."""
    return activation_forward(weight @ x + bias[:, None], activation, slopes)


def linear_backward(weight, d_y, x, input_activation, input_slopes=None):
    """Return the gradient before the activation that made x, (n_in, samples)."""
    return activation_backward(weight.T @ d_y, x, input_activation, input_slopes)


def linear_gradient(d_y, x):
    """Return the gradients of weight and bias: D X^T and the sums of D over the samples."""
    return d_y @ x.T, d_y.sum(axis=1)


def linear_step(layer, parameters, moments, d_weight, d_vectors, optimizer):
    """Make the solver's step on one layer by these gradients; only weights are penalised."""
    step = STEPS[optimizer["solver"]]
    step(layer.weight_of(parameters), [layer.weight_of(m) for m in moments], d_weight, optimizer)
    for name, gradient in d_vectors.items():
        vectors = [layer.vector_of(name, vector) for vector in (parameters, *moments)]
        step(vectors[0], vectors[1:], gradient, optimizer | NO_PENALTY)


# --- Solvers: w changes in place, and so do its moments ---

CLIP_EPSILON = 1e-6  # PyTorch's, when it cuts a gradient to a norm
NO_PENALTY = {"l2": 0.0, "l1": 0.0, "shrink": 1.0}


def penalised(w, gradient, optimizer):
    """Return the gradient, scaled and cut, with those of the penalties; multiply w by ``shrink``."""
    dtype = w.dtype.type
    gradient = gradient * dtype(optimizer.get("scale", 1))
    if optimizer.get("clip", 0):
        gradient = np.clip(gradient, -dtype(optimizer["clip"]), dtype(optimizer["clip"]))
    gradient = gradient + dtype(optimizer["l2"]) * w + dtype(optimizer.get("l1", 0)) * np.sign(w)
    w *= dtype(optimizer.get("shrink", 1))
    return gradient


def sgd_step(w, moments, gradient, optimizer):
    """V = momentum v - rate g, w += v; with Nesterov w += momentum v - rate g; no moments: w -= rate g."""
    dtype = w.dtype.type
    rate, momentum = dtype(optimizer["learning_rate"]), dtype(optimizer["momentum"])
    gradient = penalised(w, gradient, optimizer)
    if not moments:
        w -= rate * gradient
        return
    (velocity,) = moments
    velocity *= momentum
    velocity -= rate * gradient
    w += momentum * velocity - rate * gradient if optimizer["nesterov"] else velocity


def adam_step(w, moments, gradient, optimizer):
    """Adam, its bias corrections already in the learning rate."""
    dtype = w.dtype.type
    m, v = moments
    beta_1, beta_2 = optimizer["beta_1"], optimizer["beta_2"]
    gradient = penalised(w, gradient, optimizer)
    m *= dtype(beta_1)
    m += dtype(1 - beta_1) * gradient
    v *= dtype(beta_2)
    v += dtype(1 - beta_2) * gradient * gradient
    w -= dtype(optimizer["learning_rate"]) * m / (np.sqrt(v) + dtype(optimizer["epsilon"]))


def mean_square(v, gradient, optimizer):
    """Move v, the mean square of the gradient that forgets by beta_2."""
    dtype = v.dtype.type
    v *= dtype(optimizer["beta_2"])
    v += dtype(1 - optimizer["beta_2"]) * gradient * gradient


def rmsprop_step(w, moments, gradient, optimizer):
    """Divide the gradient by the root of its mean square; with momentum, gather it in a velocity."""
    dtype = w.dtype.type
    v, *velocities = moments
    gradient = penalised(w, gradient, optimizer)
    mean_square(v, gradient, optimizer)
    step = gradient / (np.sqrt(v) + dtype(optimizer["epsilon"]))
    for velocity in velocities:
        velocity *= dtype(optimizer["momentum"])
        velocity += step
        step = velocity
    w -= dtype(optimizer["learning_rate"]) * step


def adagrad_step(w, moments, gradient, optimizer):
    """Divide the gradient by the root of the sum of its squares."""
    dtype = w.dtype.type
    (total,) = moments
    gradient = penalised(w, gradient, optimizer)
    total += gradient * gradient
    w -= dtype(optimizer["learning_rate"]) * gradient / (np.sqrt(total) + dtype(optimizer["epsilon"]))


def adadelta_step(w, moments, gradient, optimizer):
    """As RMSprop, and multiply by the root of the mean square of the steps."""
    dtype = w.dtype.type
    v, moved = moments
    epsilon = dtype(optimizer["epsilon"])
    gradient = penalised(w, gradient, optimizer)
    mean_square(v, gradient, optimizer)
    step = np.sqrt(moved + epsilon) / np.sqrt(v + epsilon) * gradient
    mean_square(moved, step, optimizer)
    w -= dtype(optimizer["learning_rate"]) * step


def average(mean, w, rest):
    """Move the mean of the parameters by the share ``rest`` towards the present ones."""
    mean += mean.dtype.type(rest) * (w - mean)


STEPS = {
    "sgd": sgd_step,
    "adam": adam_step,
    "rmsprop": rmsprop_step,
    "adagrad": adagrad_step,
    "adadelta": adadelta_step,
}

# --- Random numbers: Philox4x32-10 (Salmon et al. 2011) ---


def philox4x32(counters, key):
    """Return four random 32-bit words for each row of counters, (n, 4), under a key of two words."""
    c = [np.asarray(counters, dtype=np.uint64)[..., i] for i in range(4)]
    k = [np.uint64(key[0]), np.uint64(key[1])]
    low, word = np.uint64(0xFFFFFFFF), np.uint64(32)
    for _ in range(10):
        a, b = np.uint64(0xD2511F53) * c[0], np.uint64(0xCD9E8D57) * c[2]
        c = [(b >> word) ^ c[1] ^ k[0], b & low, (a >> word) ^ c[3] ^ k[1], a & low]
        k = [(k[0] + np.uint64(0x9E3779B9)) & low, (k[1] + np.uint64(0xBB67AE85)) & low]
    return np.stack(c, axis=-1).astype(np.uint32)


def shuffle(order, seed, epoch):
    """Shuffle in place as Fisher and Yates, by the stream keyed by (seed, epoch)."""
    n = len(order)
    blocks = np.arange(-(-(n - 1) // 4), dtype=np.uint64)
    counters = np.zeros((len(blocks), 4), dtype=np.uint64)
    counters[:, 0], counters[:, 1] = blocks & np.uint64(0xFFFFFFFF), blocks >> np.uint64(32)
    counters[:, 2] = epoch
    draws = philox4x32(counters, (seed & 0xFFFFFFFF, seed >> 32)).ravel().tolist()
    for i in range(n - 1):
        last = n - 1 - i
        other = draws[i] * (last + 1) >> 32
        order[last], order[other] = order[other], order[last]


#: What draws numbers; of dropout, layer i has the stream 16 i further.
STREAMS = {"shuffle": 0, "augment": 1, "input_noise": 2, "input_dropout": 3, "dropout": 4}
STREAMS_PER_LAYER = 16


def draw(first, second, seed, step, stream):
    """Return the four words of each block whose counter begins with ``first`` and ``second``, (n, m, 4)."""
    counters = np.empty((len(first), len(second), 4), dtype=np.uint64)
    counters[..., 0], counters[..., 1] = first[:, None], second[None, :]
    counters[..., 2], counters[..., 3] = step, stream
    return philox4x32(counters, (seed & 0xFFFFFFFF, seed >> 32))


def unit_words(n_units, n_samples, seed, step, stream):
    """Return a word for each unit and sample: word u % 4 of the block (u // 4, s)."""
    words = draw(np.arange(-(-n_units // 4)), np.arange(n_samples), seed, step, stream)
    return words.transpose(0, 2, 1).reshape(-1, n_samples)[:n_units]


def feature_words(n_features, n_samples, seed, step, stream):
    """Return a word for each feature and sample: feature 64 b + 16 w + k has word w of (16 b + k, s)."""
    n_blocks = -(-n_features // 64)
    words = draw(np.arange(16 * n_blocks), np.arange(n_samples), seed, step, stream)
    words = words.reshape(n_blocks, 16, n_samples, 4).transpose(0, 3, 1, 2)
    return words.reshape(-1, n_samples)[:n_features]


def kept(words, rate, dtype):
    """Return 0 for the share ``rate`` of the words, 1 / (1 - rate) for the others."""
    return np.where(words < np.uint32(rate * 2.0**32), 0, 1 / (1 - rate)).astype(dtype)


def dropout_forward(y, rate, seed, step, stream):
    """Return the outputs that are left, (units, samples), and the factors that made them."""
    factors = kept(unit_words(*y.shape, seed, step, stream), rate, y.dtype)
    return y * factors, factors


def dropout_backward(d, factors):
    """Return the gradient of what was there before."""
    return d * factors


def input_dropout(x, rate, seed, step, stream):
    """Return the inputs that are left, (features, samples)."""
    return x * kept(feature_words(*x.shape, seed, step, stream), rate, x.dtype)


def input_noise(x, deviation, seed, step, stream):
    """Return x plus normal deviates, two of each two words by Box and Muller."""
    words = feature_words(64 * -(-len(x) // 64), x.shape[1], seed, step, stream).reshape(
        -1, 4, 16, x.shape[1]
    )
    u = (words[:, ::2].astype(x.dtype) + x.dtype.type(0.5)) * x.dtype.type(2.0**-32)
    radius, angle = np.sqrt(-2 * np.log(u)), words[:, 1::2] * (2 * np.pi / 2.0**32)
    noise = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=2)
    return x + x.dtype.type(deviation) * noise.reshape(-1, x.shape[1])[: len(x)].astype(x.dtype)


def augment(X, rows, options, seed, step):
    """Return the chosen rows of X as images that are moved and mirrored at random, 0 where nothing is."""
    height, width, farthest = options["height"], options["width"], options["pixels"]
    counters = np.zeros((len(rows), 4), dtype=np.uint64)
    counters[:, 0], counters[:, 3] = np.arange(len(rows)), STREAMS["augment"]
    counters[:, 1], counters[:, 2] = step & 0xFFFFFFFF, step >> 32
    draws = philox4x32(counters, (seed & 0xFFFFFFFF, seed >> 32)).astype(np.int64)
    down, right = ((draws[:, k] * (2 * farthest + 1) >> 32) - farthest for k in (0, 1))
    flip = options["flip"] * (draws[:, 2] >> 31)
    images = X[rows].reshape(len(rows), height, width, options["channels"])
    out = np.zeros_like(images)
    for i, image in enumerate(images):
        y, x = down[i], right[i]
        seen = image[:, ::-1] if flip[i] else image
        seen = seen[max(0, -y) : height - max(0, y), max(0, -x) : width - max(0, x)]
        out[i, max(0, y) : height - max(0, -y), max(0, x) : width - max(0, -x)] = seen
    return out.reshape(len(rows), -1)


# --- The walk ---


class Walk:
    """One plan over one data set: up the layers, the loss, and down again."""

    def __init__(
        self, plan, parameters, X, preparation, *, loss=None, loss_options=None, targets=None,
        targets_preparation=None, sample_weight=None, learns=False,
    ):  # fmt: skip
        self.learns = learns  # batch normalisation is by the batch
        #: What training does to its inputs and outputs, and to running statistics.
        self.seed, self.step, self.drops, self.norm_momentum = 0, 0, False, 0.0
        self.input_noise = self.input_dropout = 0.0
        self.plan, self.parameters, self.X, self.preparation = plan, parameters, X, preparation
        if loss == "cross_entropy" and np.ndim(targets) == 2:
            loss = "soft_cross_entropy"
        self.loss, self.loss_options = loss, loss_options or {}
        self.targets, self.targets_preparation = targets, targets_preparation
        self.sample_weight = sample_weight
        self.activations = [layer.activation for layer in plan.layers]
        if loss in FROM_LOGITS:
            self.activations[-1] = "identity"
        #: What each layer keeps of the last batch for the way back: activation'(z) where its outputs do not
        #: tell it, or for prelu z; the normed and 1 / deviation; dropout's factors and the outputs before it.
        self.slopes = [None] * len(plan.layers)
        self.normed = [None] * len(plan.layers)
        self.dropped = [None] * len(plan.layers)
        #: What enters the products.
        self.operand = round_bfloat16 if plan.operations == "bfloat16" else np.asarray

    def batch_of(self, rows):
        """Return the chosen samples, prepared, (features, samples)."""
        return gather(self.X, rows, self.preparation, self.plan.dtype)

    def forward(self, rows):
        """Return the gathered batch and every layer's outputs, each (features, samples)."""
        x = self.batch_of(rows)
        if self.input_noise:
            x = input_noise(x, self.input_noise, self.seed, self.step, STREAMS["input_noise"])
        if self.input_dropout:
            x = input_dropout(x, self.input_dropout, self.seed, self.step, STREAMS["input_dropout"])
        xs = [x]
        for i, layer in enumerate(self.plan.layers):
            weight = self.operand(layer.weight_of(self.parameters))
            bias = layer.bias_of(self.parameters)
            if layer.norm:
                z = self.norm_forward(i, weight @ self.operand(xs[-1]))
                xs.append(self.activate(i, z))
            elif activations.split(self.activations[i])[0] == "prelu":
                xs.append(self.activate(i, weight @ self.operand(xs[-1]) + bias[:, None]))
            else:
                slopes = self.room_for_slopes(i, len(rows))
                xs.append(linear_forward(weight, bias, self.operand(xs[-1]), self.activations[i], slopes))
            if self.drops and layer.dropout:
                stream = STREAMS["dropout"] + STREAMS_PER_LAYER * i
                y = xs[-1]
                xs[-1], factors = dropout_forward(y, layer.dropout, self.seed, self.step, stream)
                self.dropped[i] = factors, y
        return xs

    def weight_of_batch(self, rows):
        """Return the sum of the samples' weights; without weights, how many they are."""
        return len(rows) if self.sample_weight is None else self.sample_weight[rows].sum()

    def room_for_slopes(self, i, n_samples):
        """Return an array for activation'(z) if a layer's outputs do not tell it."""
        if self.loss is None or not activations.has_slopes(self.activations[i]):
            return None
        self.slopes[i] = np.empty((self.plan.layers[i].n_out, n_samples), dtype=self.plan.dtype)
        return self.slopes[i]

    def norm_forward(self, i, z):
        """Normalise what a layer's product made."""
        layer = self.plan.layers[i]
        vectors = {name: layer.vector_of(name, self.parameters) for name in layer.vectors}
        scale, bias = vectors["scale"], vectors["bias"]
        if layer.norm == "layer":
            z, *self.normed[i] = layer_norm_forward(z, scale, bias, NORM_EPSILON)
        elif self.learns:
            statistics = vectors["mean"], vectors["variance"]
            z, *self.normed[i] = batch_norm_forward(
                z, *statistics, scale, bias, NORM_EPSILON, self.norm_momentum, not layer.trainable
            )
        else:
            scale, bias = fold_norm(scale, bias, vectors["mean"], vectors["variance"], NORM_EPSILON)
            z = scale[:, None] * z + bias[:, None]
        return z

    def activate(self, i, z):
        """Apply a layer's activation."""
        if activations.split(self.activations[i])[0] == "prelu":
            self.slopes[i] = z
            return prelu_forward(z, self.plan.layers[i].vector_of("slope", self.parameters))
        return activation_forward(z, self.activations[i], self.room_for_slopes(i, z.shape[1]))

    def unfinish(self, i, d, y):
        """Return the gradient before a layer's product, from that of its outputs y, and its vectors' own."""
        layer, d_vectors = self.plan.layers[i], {}
        if self.dropped[i]:
            factors, y = self.dropped[i]
            d = dropout_backward(d, factors)
        if activations.split(self.activations[i])[0] == "prelu":
            slope = layer.vector_of("slope", self.parameters)
            d, d_vectors["slope"] = prelu_backward(d, self.slopes[i], slope)
        else:
            d = activation_backward(d, y, self.activations[i], self.slopes[i])
        if layer.norm:
            scale = layer.vector_of("scale", self.parameters)
            if layer.norm == "layer":
                d, *gradients = layer_norm_backward(d, *self.normed[i], scale)
            else:
                d, *gradients = batch_norm_backward(d, *self.normed[i], scale, not layer.trainable)
            d_vectors["scale"], d_vectors["bias"] = gradients
        else:
            d_vectors["bias"] = d.sum(axis=1)
        return d, d_vectors

    def loss_gradient(self, rows, outputs, weight):
        """Return the sum of the samples' losses, each times its own weight, and the gradient of ``weight``
        times it with respect to the outputs (or logits).
        """
        if self.loss == "cross_entropy":
            targets = self.targets[rows]
        else:
            targets = gather(self.targets, rows, self.targets_preparation, self.plan.dtype)
        losses, d = LOSSES[self.loss](outputs, targets, weight, **self.loss_options)
        if self.sample_weight is not None:
            d, losses = weigh(d, losses, self.sample_weight[rows].astype(self.plan.dtype))
        return losses.astype(np.float64).sum(), d

    def backward(self, xs, d, update, to_inputs=False):
        """Walk down; ``update(layer, d_weight, d_vectors)`` comes after the layer has passed its gradient on.

        Return the gradient of the inputs, if ``to_inputs``: training has no use for it.
        """
        for i in reversed(range(len(self.plan.layers))):
            layer = self.plan.layers[i]
            d, d_vectors = self.unfinish(i, d, xs[i + 1])
            d_x = None
            if i > 0 or to_inputs:
                weight = layer.weight_of(self.parameters)
                d_x = linear_backward(self.operand(weight), self.operand(d), xs[i], "identity")
            # The factors of a product are the operand's, such as `round_bfloat16`; sums are not.
            update(layer, linear_gradient(self.operand(d), self.operand(xs[i]))[0], d_vectors)
            d = d_x
        return d


class Training(Walk):
    """A fit in progress: `start_epoch`, then `run` until it returns True."""

    def __init__(
        self, plan, parameters, X, preparation, batch_size, *, loss, targets, targets_preparation, rows,
        optimizer, moments, alpha, shuffle, seed, n_steps, loss_options=None, sample_weight=None, l2=0.0,
        l1=0.0, clip_value=0.0, clip_norm=0.0, input_noise=0.0, input_dropout=0.0, average=None,
        ema_decay=0.0, augmentation=None, n_threads=1,
    ):  # fmt: skip
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
        )
        self.input_noise, self.input_dropout = input_noise, input_dropout
        self.drops, self.norm_momentum = True, NORM_MOMENTUM
        self.batch_size, self.rows = batch_size, rows
        self.alpha, self.l2, self.l1 = alpha, l2, l1
        self.clip_value, self.clip_norm = clip_value, clip_norm
        self.optimizer = {"nesterov": False, **optimizer}
        self.average, self.ema_decay, self.augmentation = average, ema_decay, augmentation
        self.moments, self.shuffle, self.seed, self.n_steps = moments, shuffle, seed, n_steps

    def batch_of(self, rows):
        """Return the chosen samples, changed if there is an augmentation, and prepared."""
        if self.augmentation is None:
            return super().batch_of(rows)
        X = augment(self.X, rows, self.augmentation, self.seed, self.n_steps)
        return gather(X, slice(None), self.preparation, self.plan.dtype)

    def start_epoch(self, epoch, rates, momenta):
        """Set the order of the samples, and the rate and momentum of each of the epoch's batches."""
        self.rates, self.momenta = rates, momenta
        self.order = np.array(self.rows)
        if self.shuffle:
            shuffle(self.order, self.seed, epoch)
        self.batch, self.loss_sum, self.n_skipped, self.has_diverged = 0, 0.0, 0, False

    def run(self, budget, n_batches=None):
        """Train on batches until the epoch, the time or their number is over; return whether the epoch is."""
        stop = time.monotonic() + budget
        end_batch = np.inf if n_batches is None else self.batch + n_batches
        with np.errstate(over="ignore", invalid="ignore"):  # `has_diverged` tells
            while self.n_samples_seen < len(self.order) and not self.has_diverged:
                self.train_batch()
                if time.monotonic() >= stop or self.batch >= end_batch:
                    break
        return self.n_samples_seen >= len(self.order) or self.has_diverged

    def predicts_finite(self):
        """Return whether the last batch's loss is finite under the present parameters."""
        rows = self.order[max(self.batch - 1, 0) * self.batch_size :][: self.batch_size]
        self.norm_momentum = 0.0
        loss = self.loss_gradient(rows, self.forward(rows)[-1], 1.0)[0]
        self.norm_momentum = NORM_MOMENTUM
        return np.isfinite(loss)

    def train_batch(self):
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

        gradients = []

        def update(layer, d_weight, d_vectors):
            if not layer.trainable:
                return
            if self.clip_norm:  # first the whole gradient
                gradients.append((layer, d_weight, d_vectors))
            else:
                linear_step(layer, self.parameters, self.moments, d_weight, d_vectors, optimizer)

        self.backward(xs, d, update)
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

    def penalty(self, n_samples):
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
    def n_samples_seen(self):
        """Samples of this epoch trained on so far."""
        return min(self.batch * self.batch_size, len(self.order))

    @property
    def mean_loss(self):
        """The mean of this epoch's batches' losses so far, each before its update."""
        return self.loss_sum / max(self.n_samples_seen - self.n_skipped, 1)


def forward(
    plan, parameters, X, preparation, outs, *, loss=None, loss_options=None, targets=None,
    targets_preparation=None, sample_weight=None, n_threads=1,
):  # fmt: skip
    """Run X through the layers; write the outputs of those that ``outs`` has an array for.

    With a loss and targets, also return the mean loss, weighted if there are weights.
    """
    walk = Walk(
        plan, parameters, X, preparation, loss=loss, loss_options=loss_options, targets=targets,
        targets_preparation=targets_preparation, sample_weight=sample_weight,
    )  # fmt: skip
    loss_sum = 0.0
    for start in range(0, len(X), SLAB):
        rows = np.arange(start, min(start + SLAB, len(X)))
        xs = walk.forward(rows)
        if loss is not None:
            loss_sum += walk.loss_gradient(rows, xs[-1], 1.0)[0]
            if loss in FROM_LOGITS:
                xs[-1] = activation_forward(xs[-1], plan.layers[-1].activation)
        for out, x in zip(outs, xs[1:], strict=True):
            if out is not None:
                out[rows] = x.T
    return loss_sum / walk.weight_of_batch(np.arange(len(X))) if loss is not None else None


def gradients(
    plan, parameters, X, preparation, d_parameters, d_inputs, *, loss, targets, loss_options=None,
    targets_preparation=None, sample_weight=None, rows=None, n_threads=1,
):  # fmt: skip
    """Return the mean loss, weighted if there are weights; write its gradient with respect to the parameters
    (a vector like them) and, unless ``d_inputs`` is None, to the prepared inputs, (n_samples, n_features).

    With ``rows``, of these rows of X only.
    """
    walk = Walk(
        plan, parameters, X, preparation, loss=loss, loss_options=loss_options, targets=targets,
        targets_preparation=targets_preparation, sample_weight=sample_weight, learns=True,
    )  # fmt: skip
    rows = np.arange(len(X)) if rows is None else rows
    xs = walk.forward(rows)
    total = walk.weight_of_batch(rows)
    loss_sum, d = walk.loss_gradient(rows, xs[-1], 1 / total)
    d_parameters[:] = 0

    def keep(layer, d_weight, d_vectors):
        layer.weight_of(d_parameters)[:] = d_weight
        for name, gradient in d_vectors.items():
            layer.vector_of(name, d_parameters)[:] = gradient

    d = walk.backward(xs, d, keep, to_inputs=d_inputs is not None)
    if d_inputs is not None:
        d_inputs[:] = d.T
    return loss_sum / total
