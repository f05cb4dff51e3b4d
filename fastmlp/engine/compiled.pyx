"""A network as a function: for serving, where a row takes about as long as a call in Python.

What stands between the call and the walk is this much: is it an array of the right width and type, and where
do the outputs go. What a model makes of its network's outputs, if it is simple, happens here as well.
"""

import numpy as np

cimport numpy as cnp
from libc.stdint cimport int64_t
from libc.string cimport memcpy

from fastmlp.engine.csrc cimport *
from fastmlp.engine.prediction cimport Predictor

from fastmlp._support.dates import refuse_columns
from fastmlp._support.values import plain

cnp.import_array()


cdef void complement(char *memory, int64_t n, size_t itemsize) noexcept:
    """Spread n probabilities in the upper half of 2 n places to pairs of 1 - p and p."""
    cdef int64_t i
    if itemsize == sizeof(float):
        for i in range(n):
            (<float *>memory)[2 * i], (<float *>memory)[2 * i + 1] = (
                1 - (<float *>memory)[n + i], (<float *>memory)[n + i])
    else:
        for i in range(n):
            (<double *>memory)[2 * i], (<double *>memory)[2 * i + 1] = (
                1 - (<double *>memory)[n + i], (<double *>memory)[n + i])


cdef void restore(char *memory, int64_t n_rows, int64_t n_columns, const double *center, const double *scale,
                  size_t itemsize) noexcept:
    """Give standardised outputs their units back, in float64: x / scale + center, a pair for each column.

    Outputs in float32 are in the upper half of the memory. Each is read before its place is written over; by
    memcpy, because the same memory holds two types.
    """
    cdef:
        int64_t i, k, n = n_rows * n_columns
        const char *outputs = memory + <size_t>n * (sizeof(double) - itemsize)
        double *restored = <double *>memory
        float narrow
        double x
    for i in range(n):
        k = i % n_columns
        if itemsize == sizeof(float):
            memcpy(&narrow, outputs + i * sizeof(float), sizeof(float))
            x = narrow
        else:
            x = restored[i]
        restored[i] = x / scale[k] + center[k]


cdef class Compiled:
    """What a network predicts for one row or a batch.

    Parameters
    ----------
    predictor : Predictor
    n_threads : int or None
    shape : tuple of int
        Of what is returned for one row; () for a number.
    pairs : bool
        Whether the one output is a probability, and both are wanted.
    restored : (center, scale) or None
        Arrays of (n_outputs,), by which outputs are restored; the predictions are then float64.
    finish : callable or None
        What makes predictions of the outputs, (n_samples, n_numbers), of the same shape.
    """

    cdef:
        Predictor predictor
        object n_threads, finish
        tuple shape
        int n_dimensions, type_number
        int64_t n_numbers  # of a row
        bint pairs, is_restored
        object dtype  # of the predictions
        const double[::1] center, scale

    def __cinit__(self, Predictor predictor not None, n_threads, shape, *, pairs=False, restored=None,
                  finish=None):
        self.predictor, self.n_threads, self.shape = predictor, n_threads, tuple(shape)
        self.n_numbers, self.n_dimensions = np.prod(self.shape, dtype=int), len(self.shape)
        self.pairs, self.finish, self.is_restored = pairs, finish, restored is not None
        self.dtype, self.type_number = predictor.dtype, predictor.type_number
        if self.is_restored:
            self.dtype, self.type_number = np.dtype(np.float64), cnp.NPY_DOUBLE
            self.center, self.scale = (np.ascontiguousarray(part, dtype=np.float64) for part in restored)

    def __reduce__(self):
        raise TypeError(
            "a compiled model is neither pickled nor copied: pickle the model, and compile it there.")

    def __repr__(self):
        return (f"<Compiled network of {self.predictor.n_features} features, {self.shape} for each row, "
                f"{self.predictor.dtype}>")

    def __call__(self, X, cnp.ndarray out=None):
        """Return the predictions.

        Parameters
        ----------
        X : array-like of shape (n_features,) or (n_samples, n_features)
            uint8, float32 and float64 are read in place, in any strides.
        out : ndarray, optional
            Where the predictions go: C-contiguous, of their type (the network's, or float64 if targets are
            standardised), and of as many elements.

        Returns
        -------
        ndarray, or a float for one row and one output
            ``out`` itself if it is given.

        Raises
        ------
        ValueError
            If X has another shape, NaN or infinity, or if ``out`` is not fit to take the predictions.
        """
        cdef:
            cnp.ndarray array
            source_t source
            int64_t n_rows
            bint is_row, returns_number = False
            char *memory
            size_t itemsize = self.predictor.itemsize, offset = 0
        if type(X) is not np.ndarray:
            refuse_columns("X", X)
            X = np.asarray(X)
        array = X
        is_row = cnp.PyArray_NDIM(array) == 1
        if not (is_row or cnp.PyArray_NDIM(array) == 2) or not self.predictor.can_read(&source, array):
            array = self.readable(X)
            is_row = cnp.PyArray_NDIM(array) == 1
            self.predictor.can_read(&source, array)
        n_rows = 1 if is_row else cnp.PyArray_DIM(array, 0)
        if n_rows < 1:
            raise ValueError(f"X has shape {X.shape}; it needs at least one row.")
        if out is None:
            returns_number = is_row and self.n_dimensions == 0
            if self.n_dimensions == 0:
                out = np.empty(n_rows, self.dtype)
            else:
                out = np.empty(self.shape if is_row else (n_rows, *self.shape), self.dtype)
        elif (cnp.PyArray_TYPE(out) != self.type_number or not cnp.PyArray_ISCARRAY(out)
                or cnp.PyArray_SIZE(out) != n_rows * self.n_numbers):
            raise ValueError(
                f"out, {out.dtype} of shape {np.shape(out)}, must be a C-contiguous, writable array of "
                f"{self.dtype} with {n_rows * self.n_numbers} elements.")
        memory = cnp.PyArray_BYTES(out)
        if self.pairs:
            offset = n_rows * itemsize
        elif self.is_restored:
            offset = n_rows * self.n_numbers * (sizeof(double) - itemsize)
        if not self.predictor.run(&source, n_rows, memory + offset, self.n_threads):
            raise ValueError(
                f"X contains NaN, infinity, or a value too large for {self.predictor.dtype}.")
        if self.pairs:
            complement(memory, n_rows, itemsize)
        if self.is_restored:
            restore(memory, n_rows, self.predictor.n_outputs, &self.center[0], &self.scale[0], itemsize)
        if self.finish is not None:
            outputs = out.reshape(n_rows, self.n_numbers)  # a view: it is contiguous
            outputs[...] = self.finish(outputs)
        return out[0] if returns_number else out

    cdef cnp.ndarray readable(self, X):
        """Return X as an array that can be read; say what is wrong with it if it cannot be."""
        X = np.asarray(X)
        n_features = self.predictor.n_features
        if X.ndim not in (1, 2) or X.shape[X.ndim - 1] != n_features:
            raise ValueError(
                f"X has shape {X.shape}; it must be a row ({n_features},) or rows (n_samples, {n_features}).")
        refuse_columns("X", X)
        X = plain(X)
        if X.dtype.kind not in "biuf":
            raise ValueError(f"X is {X.dtype}; it must be of numbers.")
        return X.astype(np.float64)
