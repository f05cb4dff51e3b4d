"""Tests of Trainer's memory: what an epoch allocates, and data that are never copied whole."""

import os
import subprocess
import sys
import textwrap
import tracemalloc

import numpy as np
import pytest

from fastmlp import Network, Trainer
from fastmlp.layers import Dense
from fastmlp.network.preparation import Preparation
from helpers.trainer import make_data, make_trainer


def test_what_an_epoch_allocates_does_not_depend_on_its_batches():
    X, y = make_data(n=16_000)
    peaks = {}

    def train(n_batches):
        measured = []

        def measure(event):
            current, peak = tracemalloc.get_traced_memory()
            measured.append(peak - current)
            tracemalloc.reset_peak()

        trainer = make_trainer(batch_size=16, callbacks=[measure])
        trainer.fit(X, y, rows=np.arange(16 * n_batches), epochs=4)
        return min(measured[1:])

    tracemalloc.start()
    try:
        peaks = {n_batches: train(n_batches) for n_batches in (10, 1000)}
    finally:
        tracemalloc.stop()
    # An epoch's rates and momenta are two numbers a batch, the old ones and the new ones.
    assert peaks[1000] - peaks[10] < 2 * 2 * 8 * 1000 + 4096


def mapped(X, folder):
    np.save(folder / "x.npy", X)
    return np.load(folder / "x.npy", mmap_mode="r")


STORED = {
    "uint8": lambda X, folder: X.astype(np.uint8),
    "float32, Fortran": lambda X, folder: np.asfortranarray(X, dtype=np.float32),
    "float64, strided": lambda X, folder: np.repeat(X, 2, axis=1)[:, ::2],
    "float32, mapped": lambda X, folder: mapped(X.astype(np.float32), folder),
}


@pytest.mark.parametrize("kind", STORED)
def test_the_data_are_never_copied_whole(kind, tmp_path):
    X = STORED[kind](np.random.default_rng(0).integers(0, 255, size=(20_000, 100)).astype(float), tmp_path)
    y = np.arange(20_000) % 3
    network = Network([Dense(8), Dense(3, "softmax")], 100, preparation=Preparation.fit(X[:99], "table"))
    trainer = Trainer(network, "cross_entropy", batch_size=64)
    tracemalloc.start()
    try:
        trainer.fit(X, y, X, y, epochs=1)
        network.predict(X)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # Rows, their order, labels, class scores: a few numbers per sample, and not its 100 features.
    assert peak < 100 * len(X)


COUNTER = """
    #define _GNU_SOURCE
    #include <dlfcn.h>
    #include <errno.h>
    #include <stdatomic.h>
    #include <stddef.h>
    #include <string.h>

    /* Counted apart from what the BLAS library asks for: OpenBLAS makes a list of jobs for every product
     * that it gives to its threads. */
    static atomic_int counting;
    static atomic_long count;
    void start_counting(void) { atomic_store(&counting, 1); }
    long allocations(void) { return atomic_load(&count); }
    static void add(const void *caller)
    {
        Dl_info from;
        if (!atomic_load(&counting))
            return;
        if (!dladdr(caller, &from) || !from.dli_fname || !strstr(from.dli_fname, "blas"))
            atomic_fetch_add(&count, 1);
    }

    /* What dlsym itself asks for while it looks up the real functions; never given back. */
    static char early[65536];
    static atomic_size_t used;
    static void *from_early(size_t size)
    {
        return early + atomic_fetch_add(&used, (size + 15) / 16 * 16);
    }
    static int is_early(const void *p)
    {
        return (const char *)p >= early && (const char *)p < early + sizeof early;
    }

    static _Thread_local int looking;
    #define REAL(result, name, types)                        \\
        static result (*real) types;                         \\
        if (!real && !looking) {                             \\
            looking = 1;                                     \\
            real = (result (*) types)dlsym(RTLD_NEXT, name); \\
            looking = 0;                                     \\
        }                                                    \\
        add(__builtin_return_address(0))

    void *malloc(size_t size)
    {
        REAL(void *, "malloc", (size_t));
        return real ? real(size) : from_early(size);
    }
    void *calloc(size_t n, size_t size)
    {
        REAL(void *, "calloc", (size_t, size_t));
        return real ? real(n, size) : from_early(n * size);
    }
    void *realloc(void *p, size_t size)
    {
        REAL(void *, "realloc", (void *, size_t));
        if (is_early(p)) {
            void *moved = malloc(size);
            return moved ? memcpy(moved, p, size) : NULL;
        }
        return real ? real(p, size) : from_early(size);
    }
    void *aligned_alloc(size_t alignment, size_t size)
    {
        REAL(void *, "aligned_alloc", (size_t, size_t));
        return real(alignment, size);
    }
    void *memalign(size_t alignment, size_t size)
    {
        REAL(void *, "memalign", (size_t, size_t));
        return real(alignment, size);
    }
    int posix_memalign(void **out, size_t alignment, size_t size)
    {
        REAL(int, "posix_memalign", (void **, size_t, size_t));
        return real(out, alignment, size);
    }
    void free(void *p)
    {
        static void (*real)(void *);
        if (is_early(p))
            return;
        if (!real)
            real = (void (*)(void *))dlsym(RTLD_NEXT, "free");
        real(p);
    }
"""

COUNTED = """
    import ctypes, sys
    import numpy as np
    import fastmlp.training.fit
    from fastmlp import Network, Trainer
    from fastmlp.layers import Dense

    # An epoch in one slice: between slices, on a slow machine many, Python runs a few lines.
    fastmlp.training.fit.SLICE_SECONDS = 3600.0
    loss, optimizer = sys.argv[1:]
    library = ctypes.CDLL(None)
    library.allocations.restype = ctypes.c_long
    X = np.random.default_rng(0).normal(size=(64 * 300, 100)).astype(np.float32)
    y = np.arange(len(X)) % 10
    targets = y if loss == "cross_entropy" else np.eye(10)[y]
    ends = {"cross_entropy": "softmax", "binary_cross_entropy": "logistic", "squared_error": "identity"}
    network = Network([Dense(100), Dense(100, "tanh"), Dense(10, ends[loss])], 100, random_state=0)

    def count(n_batches):
        trainer = Trainer(network, loss, optimizer=optimizer, batch_size=64, alpha=0.1)
        rows = np.arange(64 * n_batches)
        trainer.fit(X, targets, rows=rows, epochs=1)
        before = library.allocations()
        trainer.fit(X, targets, rows=rows, epochs=1)
        return library.allocations() - before

    library.start_counting()
    count(50)
    print(count(50), count(300))
"""


@pytest.fixture(scope="module")
def counter(tmp_path_factory):
    """Compile a library that counts every call for memory, to be loaded before the C library."""
    folder = tmp_path_factory.mktemp("counter")
    (folder / "counter.c").write_text(textwrap.dedent(COUNTER))
    command = ["cc", "-O1", "-shared", "-fPIC", "-fno-builtin", "counter.c", "-o", "counter.so", "-ldl"]
    subprocess.run(command, cwd=folder, check=True)
    return folder / "counter.so"


@pytest.mark.parametrize(
    ("loss", "optimizer", "blas_threads"),
    [("cross_entropy", "sgd", 1), ("binary_cross_entropy", "adam", 1), ("squared_error", "adam", 2)],
)
def test_nothing_is_allocated_per_batch(loss, optimizer, blas_threads, counter):
    environment = os.environ | {
        "LD_PRELOAD": str(counter), "OPENBLAS_NUM_THREADS": str(blas_threads), "PYTHONMALLOC": "malloc",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(COUNTED), loss, optimizer],
        env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    few, many = map(int, done.stdout.split())
    assert few > 100  # the counter does count: Python itself asks for memory in every fit
    assert many - few < 50  # one for each of the 250 batches more would be 250
