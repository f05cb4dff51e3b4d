"""Random numbers in NumPy, by Philox4x32-10 (Salmon et al. 2011), and what is drawn by them."""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike

from fastmlp.engine.reference import Array, Pair

#: What draws numbers; of dropout, layer i has the stream 16 i further.
STREAMS = {"shuffle": 0, "augment": 1, "input_noise": 2, "input_dropout": 3, "dropout": 4}
STREAMS_PER_LAYER = 16


def philox4x32(counters: Array, key: tuple[int, int]) -> Array:
    """Return four random 32-bit words for each row of counters, (n, 4), under a key of two words."""
    c = [np.asarray(counters, dtype=np.uint64)[..., i] for i in range(4)]
    k = [np.uint64(key[0]), np.uint64(key[1])]
    low, word = np.uint64(0xFFFFFFFF), np.uint64(32)
    for _ in range(10):
        a, b = np.uint64(0xD2511F53) * c[0], np.uint64(0xCD9E8D57) * c[2]
        c = [(b >> word) ^ c[1] ^ k[0], b & low, (a >> word) ^ c[3] ^ k[1], a & low]
        k = [(k[0] + np.uint64(0x9E3779B9)) & low, (k[1] + np.uint64(0xBB67AE85)) & low]
    return np.stack(c, axis=-1).astype(np.uint32)


def set_step(seed: int, step: int) -> tuple[tuple[int, int], int]:
    """Return the key and the word of the counter; what a step has beyond 32 bits changes the key."""
    return (seed & 0xFFFFFFFF, seed >> 32 ^ step >> 32), step & 0xFFFFFFFF


#: The largest bound for which one word tells an index; for larger ones it takes two (csrc/random.c).
LARGEST_OF_ONE_WORD = 2**24


def swap_places(i: Array, n: int, seed: int, epoch: int) -> list[int]:
    """Return where a shuffle of n elements finds what its swaps i, an array, put at n - 1 - i."""
    key, word = set_step(seed, epoch)
    block = np.asarray(i, dtype=np.uint64) // np.uint64(4)
    counters = np.empty((2, len(block), 4), dtype=np.uint64)
    counters[..., 0], counters[..., 1] = block & np.uint64(0xFFFFFFFF), block >> np.uint64(32)
    counters[1, :, 1] |= np.uint64(2**31)
    counters[..., 2], counters[..., 3] = word, STREAMS["shuffle"]
    draws = philox4x32(counters, key)[:, np.arange(len(block)), np.asarray(i) % 4]
    return [
        first * (n - k) >> 32 if n - k <= LARGEST_OF_ONE_WORD else (first << 32 | second) * (n - k) >> 64
        for k, first, second in zip(np.asarray(i).tolist(), *draws.tolist(), strict=True)
    ]


def shuffle(order: Array, seed: int, epoch: int) -> None:
    """Shuffle in place as Fisher and Yates, by the stream keyed by (seed, epoch)."""
    n = len(order)
    for i, other in enumerate(swap_places(np.arange(max(n - 1, 0)), n, seed, epoch)):
        last = n - 1 - i
        order[last], order[other] = order[other], order[last]


def draw(first: Array, second: Array, seed: int, step: int, stream: int) -> Array:
    """Return the four words of each block whose counter begins with ``first`` and ``second``, (n, m, 4)."""
    counters = np.empty((len(first), len(second), 4), dtype=np.uint64)
    counters[..., 0], counters[..., 1] = first[:, None], second[None, :]
    key, counters[..., 2] = set_step(seed, step)
    counters[..., 3] = stream
    return philox4x32(counters, key)


def unit_words(n_units: int, n_samples: int, seed: int, step: int, stream: int) -> Array:
    """Return a word for each unit and sample: word u % 4 of the block (u // 4, s)."""
    words = draw(np.arange(-(-n_units // 4)), np.arange(n_samples), seed, step, stream)
    return words.transpose(0, 2, 1).reshape(-1, n_samples)[:n_units]


def feature_words(n_features: int, n_samples: int, seed: int, step: int, stream: int) -> Array:
    """Return a word for each feature and sample: feature 64 b + 16 w + k has word w of (16 b + k, s)."""
    n_blocks = -(-n_features // 64)
    words = draw(np.arange(16 * n_blocks), np.arange(n_samples), seed, step, stream)
    words = words.reshape(n_blocks, 16, n_samples, 4).transpose(0, 3, 1, 2)
    return words.reshape(-1, n_samples)[:n_features]


def kept(words: Array, rate: float, dtype: DTypeLike) -> Array:
    """Return 0 for the share ``rate`` of the words, 1 / (1 - rate) for the others."""
    return np.where(words < np.uint32(rate * 2.0**32), 0, 1 / (1 - rate)).astype(dtype)


def dropout_forward(y: Array, rate: float, seed: int, step: int, stream: int) -> Pair:
    """Return the outputs that are left, (units, samples), and the factors that made them."""
    n_units, n_samples = y.shape
    factors = kept(unit_words(n_units, n_samples, seed, step, stream), rate, y.dtype)
    return y * factors, factors


def dropout_backward(d: Array, factors: Array) -> Array:
    """Return the gradient of what was there before."""
    return d * factors


def input_dropout(x: Array, rate: float, seed: int, step: int, stream: int) -> Array:
    """Return the inputs that are left, (features, samples)."""
    n_features, n_samples = x.shape
    return x * kept(feature_words(n_features, n_samples, seed, step, stream), rate, x.dtype)


def input_noise(x: Array, deviation: float, seed: int, step: int, stream: int) -> Array:
    """Return x plus normal deviates, two of each two words by Box and Muller."""
    words = feature_words(64 * -(-len(x) // 64), x.shape[1], seed, step, stream).reshape(
        -1, 4, 16, x.shape[1]
    )
    u = (words[:, ::2].astype(x.dtype) + x.dtype.type(0.5)) * x.dtype.type(2.0**-32)
    radius, angle = np.sqrt(-2 * np.log(u)), words[:, 1::2] * (2 * np.pi / 2.0**32)
    noise = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=2)
    return x + x.dtype.type(deviation) * noise.reshape(-1, x.shape[1])[: len(x)].astype(x.dtype)
