"""A small stand-in for MNIST, for the tests of fastmlp.datasets.

It takes MNIST's place in the table of sources, with the files and the SHA-256 of this module's own writing.
"""

import gzip
import hashlib
import struct

import numpy as np

from fastmlp import datasets


def idx(values):
    """Return the bytes of an IDX file of unsigned bytes."""
    header = struct.pack(f">BBBB{values.ndim}I", 0, 0, 8, values.ndim, *values.shape)
    return header + values.tobytes()


def small_arrays():
    """Return 30 + 10 images of 5 x 7 pixels and their labels; random, so that gzip cannot shrink them."""
    rng = np.random.default_rng(0)
    arrays = {}
    for part, n in ("train", 30), ("t10k", 10):
        arrays[f"{part}-images-idx3-ubyte"] = rng.integers(256, size=(n, 5, 7), dtype=np.uint8)
        arrays[f"{part}-labels-idx1-ubyte"] = rng.integers(10, size=n, dtype=np.uint8)
    return arrays


ARRAYS = small_arrays()
RAW = {name: idx(values) for name, values in ARRAYS.items()}
ZIPPED = {f"{name}.gz": gzip.compress(raw) for name, raw in RAW.items()}
FIRST = "train-images-idx3-ubyte"


def small_source(urls=(), system_folders=()):
    """Return the stand-in for MNIST's row of the table."""
    files = tuple(
        datasets._IdxFile(name, values.shape, hashlib.sha256(RAW[name]).hexdigest())
        for name, values in ARRAYS.items()
    )
    return datasets._Source("MNIST", tuple(urls), tuple(system_folders), files)


def check_small(data):
    """Assert that this is the stand-in, whole."""
    for values, expected in zip(data, ARRAYS.values(), strict=True):
        assert np.array_equal(values, expected.reshape(len(expected), -1).squeeze())
    for X, y in (data.X_train, data.y_train), (data.X_test, data.y_test):
        assert X.dtype == np.uint8
        assert X.shape == (len(y), 35)
        assert X.flags.c_contiguous
        assert X.flags.writeable
        assert y.dtype == np.int64
        assert y.shape == (len(y),)


def write(folder, files):
    """Write these files (a dictionary from names to bytes) into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)


def flipped(content, position):
    """Return these bytes with one bit changed."""
    changed = bytearray(content)
    changed[position] ^= 1
    return bytes(changed)


GOOD = RAW[FIRST]


def use_stand_in(tmp_path, monkeypatch):
    """Put the stand-in into the table, hide the machine's own folders, and return the cache's folder."""
    monkeypatch.setitem(datasets._SOURCES, "mnist", small_source())
    monkeypatch.delenv("FASTMLP_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("no_proxy", "*")
    return tmp_path / "xdg" / "fastmlp" / "mnist"
