"""Random numbers in NumPy, by Philox4x32-10 (Salmon et al. 2011), and what is drawn by them."""

from __future__ import annotations

import numpy as np


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
