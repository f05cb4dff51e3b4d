"""The plan: how large everything is and where it lies, worked out before anything is allocated.

Pure arithmetic. Parameters are one flat vector of the compute type; the weights and biases of every
layer, and the moments of a solver, are slices of such vectors. A workspace is one flat vector too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from fastmlp import activations
from fastmlp.layers import learned_vectors, running_statistics

#: Samples are padded to whole groups of this many, and blocks of memory begin at such a multiple
#: (64 bytes in float32). The C core calls it LANES.
LANES = 16
#: The most rows of a prediction that threads share by units, each reading strips of them for all.
SHARED_ROWS = 64
#: Samples of a data set that a pass over it takes at once: products run at full speed, in little memory.
SLAB = 256

#: BLAS takes 32-bit sizes.
LARGEST_SIZE = 2**31 - 1


def padded(n: int) -> int:
    """Round ``n`` up to a multiple of `LANES`."""
    return -(-n // LANES) * LANES


def row_stride(n: int) -> int:
    """Return the elements from one row of ``n`` to the next, so that a column's do not share a cache set."""
    # Rows a multiple of 1 KB apart fall into few sets of a cache and push each other out.
    return padded(n) + LANES * (padded(n) % 256 == 0)


def aligned_zeros(n: int, dtype: np.dtype) -> np.ndarray:
    """Return ``n`` zeros whose memory begins at a multiple of 64 bytes, one cache line."""
    itemsize = np.dtype(dtype).itemsize
    raw = np.zeros(n * itemsize + 64, dtype=np.uint8)
    skip = -raw.ctypes.data % 64
    return raw[skip : skip + n * itemsize].view(dtype)


@dataclass(frozen=True)
class LayerPlan:
    """One dense layer: its sizes, what it does, and where its parameters begin in the vector.

    Behind the weights come vectors with a number for each unit: the biases, the ``scale`` of a normalisation,
    the ``slope`` of prelu, all of them learned; and the running ``mean`` and ``variance`` of a batch
    normalisation, which are not.
    """

    n_in: int
    n_out: int
    activation: str
    weight_offset: int
    bias_offset: int
    norm: str = ""  # "batch" or "layer"
    dropout: float = 0.0
    trainable: bool = True

    @property
    def weight_stride(self) -> int:
        """Elements from one row of weights to the next: n_in, padded with zeros that stay zero."""
        return row_stride(self.n_in)

    @property
    def weight(self) -> slice:
        """The rows of weights, with their padding, as a slice of a parameter vector."""
        return slice(self.weight_offset, self.weight_offset + self.n_out * self.weight_stride)

    @property
    def learned(self) -> tuple[str, ...]:
        """The names of the vectors that are learned."""
        return learned_vectors(self.activation, self.norm)

    @property
    def vectors(self) -> tuple[str, ...]:
        """The names of the vectors, one after the other."""
        return self.learned + running_statistics(self.norm)

    @property
    def parameters(self) -> slice:
        """All that belongs to the layer, as a slice of a parameter vector."""
        return slice(self.weight_offset, self.bias_offset + len(self.vectors) * padded(self.n_out))

    def offset_of(self, name: str) -> int:
        """Return where one of `vectors` begins in a parameter vector."""
        return self.bias_offset + self.vectors.index(name) * padded(self.n_out)

    def weight_of(self, vector: np.ndarray) -> np.ndarray:
        """Return this layer's (n_out, n_in) view of a vector of parameters, gradients or moments."""
        return vector[self.weight].reshape(self.n_out, self.weight_stride)[:, : self.n_in]

    def bias_of(self, vector: np.ndarray) -> np.ndarray:
        """Return this layer's (n_out,) view of a vector of parameters, gradients or moments."""
        return self.vector_of("bias", vector)

    def vector_of(self, name: str, vector: np.ndarray) -> np.ndarray:
        """Return the (n_out,) view of one of `vectors`."""
        offset = self.offset_of(name)
        return vector[offset : offset + self.n_out]


@dataclass(frozen=True)
class Plan:
    """A network's sizes, its types, and the layout of its parameter vector."""

    layers: tuple[LayerPlan, ...]
    dtype: np.dtype
    n_parameters: int  # with the padding, which stays zero
    operations: str  # who multiplies: "blas", "tile", or for training "bfloat16"

    @property
    def n_features(self) -> int:
        """The number of inputs."""
        return self.layers[0].n_in

    @property
    def n_outputs(self) -> int:
        """The number of outputs."""
        return self.layers[-1].n_out


def make_plan(
    n_features: int,
    units: tuple[int, ...],
    activations: tuple[str, ...],
    dtype: DTypeLike,
    operations: str,
    others: tuple[dict[str, Any], ...] = (),
) -> Plan:
    """Lay out the parameters of dense layers with these numbers of units and activations.

    ``others`` are the layers' norms, dropouts and whether they are trainable, by the names of `LayerPlan`.

    Raises
    ------
    ValueError
        If a layer has no units or is too large for 32-bit BLAS.
    """
    layers, offset, n_in = [], 0, n_features
    for index, (n_out, activation) in enumerate(zip(units, activations, strict=True)):
        if n_in < 1 or n_out < 1:
            raise ValueError(f"layer {index} would be {n_in} x {n_out}; every size must be at least 1.")
        if n_in * n_out > LARGEST_SIZE:
            raise ValueError(
                f"layer {index} has {n_in} x {n_out} weights; at most {LARGEST_SIZE} fit a layer."
            )
        bias_offset = offset + row_stride(n_in) * n_out
        more = others[index] if others else {}
        layers.append(LayerPlan(n_in, n_out, activation, offset, bias_offset, **more))
        offset, n_in = layers[-1].parameters.stop, n_out
    return Plan(tuple(layers), np.dtype(dtype), offset, operations)


@dataclass(frozen=True)
class WorkspacePlan:
    """Where the buffers of a walk over batches begin in one vector of the compute type.

    Attributes
    ----------
    stride : int
        Elements from one feature to the next in every (features, samples) buffer: the batch, padded.
    inputs_rows : tuple of int
        The inputs of a layer sample by sample, (n_samples, weight_stride): for the first the gathered
        batch, or where tiles predict a strip of it; for the others only where tiles train.
    inputs : int
        The gathered batch, (n_features, stride), for tiles only.
    outputs : tuple of int
        One (n_out, stride) buffer per layer.
    slopes : tuple of int
        For each layer another one for the derivative of its activation, where training needs it and the
        outputs do not tell it, or for what goes into prelu; -1 for the others.
    normed, inverse : tuple of int
        For each normalised layer, (n_out, stride) and (n_out,) or (stride,), where there is a way back.
    factors, undropped : tuple of int
        For each layer that drops outputs in training, (n_out, stride); the second where it has to be known.
    folded : tuple of int
        For each layer with a batch normalisation, two vectors (n_out), padded, that predictions make of it.
    zeros : int
        As many as the largest layer has units, that stay zero.
    gradients : tuple of int
        One per layer, (n_out, stride), for the gradient before its activation; empty for prediction.
        They take turns in three regions: while one thread still reads a layer's, others may be writing that
        of two layers below.
    d_inputs : int
        The gradient that flows out of the first layer, (n_features, stride); 0 where nobody asks.
    targets : int
        The gathered targets, (n_outputs, stride); for class labels only its beginning, as int32.
    losses : int
        Each sample's loss, (stride,).
    forms : tuple of tuple of int
        For each layer, where "bfloat16" keeps the six matrices of csrc/bfloat16.h; -1 for one it has not.
    size : int
        Elements in all.
    """

    stride: int
    inputs_rows: tuple[int, ...]
    inputs: int
    outputs: tuple[int, ...]
    slopes: tuple[int, ...]
    normed: tuple[int, ...]
    inverse: tuple[int, ...]
    factors: tuple[int, ...]
    undropped: tuple[int, ...]
    folded: tuple[int, ...]
    zeros: int
    gradients: tuple[int, ...]
    d_inputs: int
    targets: int
    losses: int
    forms: tuple[tuple[int, ...], ...]
    size: int


def _in_panels(n_pairs: int, n_columns: int) -> int:
    """Return the size of a matrix of pairs in panels of 32 columns, in elements of four bytes."""
    return n_pairs * -(-n_columns // 32) * 32


def plan_workspace(
    plan: Plan, batch_size: int, *, backward: bool, d_inputs: bool = False, training: bool = False,
    sparse: bool = False,
) -> WorkspacePlan:  # fmt: skip
    """Lay out the buffers for batches of up to ``batch_size`` samples; only ``training`` drops outputs.

    A ``sparse`` batch is read where it is, and needs no room.

    Raises
    ------
    ValueError
        If a batch is too large for 32-bit BLAS, or for random numbers that are keyed by 32 bits for a sample.
    """
    stride, offset = row_stride(batch_size), 0
    if stride > LARGEST_SIZE:
        raise ValueError(f"a batch of {batch_size} samples is too large; at most {LARGEST_SIZE} fit, padded.")

    def block(n: int) -> int:
        nonlocal offset
        start, offset = offset, offset + padded(n)
        return start

    tiles = plan.operations != "blas"
    by_rows = plan.layers if tiles and backward else plan.layers[:1]
    n_rows = batch_size if backward or not tiles else SHARED_ROWS
    inputs_rows = tuple(
        block(0 if sparse and layer is plan.layers[0] else n_rows * layer.weight_stride) for layer in by_rows
    )
    inputs = block(plan.n_features * stride) if tiles and not sparse else 0
    outputs = tuple(block(layer.n_out * stride) for layer in plan.layers)
    slopes = tuple(
        block(layer.n_out * stride) if backward and activations.has_slopes(layer.activation) else -1
        for layer in plan.layers
    )

    def per_layer(wanted: Callable[[LayerPlan], object], size: Callable[[LayerPlan], int]) -> tuple[int, ...]:
        return tuple(block(size(layer)) if wanted(layer) else -1 for layer in plan.layers)

    def matrix(layer: LayerPlan) -> int:
        return layer.n_out * stride

    normed = per_layer(lambda layer: backward and layer.norm, matrix)
    inverse = per_layer(lambda layer: backward and layer.norm, lambda layer: max(layer.n_out, stride))
    factors = per_layer(lambda layer: training and layer.dropout > 0, matrix)
    undropped = per_layer(
        lambda layer: training and layer.dropout > 0
        and activations.split(layer.activation)[0] in activations.BY_VALUE,
        matrix,
    )  # fmt: skip
    folded = per_layer(lambda layer: layer.norm == "batch", lambda layer: 2 * padded(layer.n_out))
    regions = []
    if backward:
        widths = [layer.n_out for layer in plan.layers]
        regions = [block(max(widths[turn::3], default=0) * stride) for turn in range(3)]
    forms = []
    if plan.operations == "bfloat16" and backward:
        for layer in plan.layers:
            in_pairs, out_pairs = -(-layer.n_in // 2), -(-layer.n_out // 2)
            first = layer is plan.layers[0]
            forms.append(
                (
                    block(layer.n_out * layer.weight_stride // 2),
                    -1 if first else block(_in_panels(out_pairs, layer.weight_stride)),
                    block(_in_panels(in_pairs, stride)),
                    block(_in_panels(stride // 2, layer.weight_stride)),
                    -1 if first else block(_in_panels(out_pairs, stride)),
                    block(layer.n_out * stride // 2),
                )
            )
    gradients = tuple(regions[i % 3] for i in range(len(plan.layers))) if backward else ()
    return WorkspacePlan(
        stride=stride,
        inputs_rows=inputs_rows,
        inputs=inputs,
        outputs=outputs,
        slopes=slopes,
        normed=normed,
        inverse=inverse,
        factors=factors,
        undropped=undropped,
        folded=folded,
        zeros=block(max(layer.n_out for layer in plan.layers)),
        gradients=gradients,
        d_inputs=block(plan.n_features * stride) if d_inputs else 0,
        targets=block(plan.n_outputs * stride),
        losses=block(stride),
        forms=tuple(forms),
        size=offset,
    )
