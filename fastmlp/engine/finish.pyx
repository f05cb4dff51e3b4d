"""What a layer does between its product and its outputs: normalise, activate, drop out; and the way back.

A plain layer has nothing of this: its operations apply the activation while the sums are in registers. Batch
normalisation, PReLU and dropout go by units, as the product does: each member of a team goes on with what it
made itself. Softmax and layer normalisation look across the units, and go by strips of samples, with a
barrier before and after.
"""

from libc.stdint cimport int64_t

from fastmlp.engine.core cimport barrier
from fastmlp.engine.csrc cimport *
from fastmlp.engine.shares cimport at, block_t, itemsize_of, own_strips, own_units

from fastmlp.layers import NORM_EPSILON

cdef double EPSILON = NORM_EPSILON


cdef void finish(const layer_t *layer, const step_t *step, const member_t *member) noexcept nogil:
    """Make a layer's outputs of what its product left there; all members' are done after a barrier."""
    cdef:
        const kernels_t *kernels = step.kernels
        size_t itemsize = itemsize_of(step)
        block_t block = own_units(layer, step, member)
        random_t random
    if layer.norm == NORM_BATCH:
        kernels.batch_norm_forward(
            at(layer.outputs, block.skip), at(layer.normed, block.skip),
            at(layer.inverse, block.unit * itemsize), at(layer.mean, block.unit * itemsize),
            at(layer.variance, block.unit * itemsize),
            at(layer.norm_scale, block.unit * itemsize), at(layer.vectors, block.unit * itemsize),
            block.n_units, step.n_samples, step.stride, EPSILON, step.norm_momentum, layer.norm_is_fixed)
    if layer.norm == NORM_LAYER or layer.late_activation == ACTIVATION_SOFTMAX:
        barrier(member)
        block = own_strips(layer, step, member)
    if layer.norm == NORM_LAYER:
        kernels.layer_norm_forward(
            at(layer.outputs, block.skip), at(layer.normed, block.skip), at(layer.inverse, block.skip),
            layer.norm_scale, layer.vectors, layer.n_out, block.n_samples, step.stride, EPSILON)
    if layer.late_activation == ACTIVATION_PRELU:
        kernels.prelu_forward(
            at(layer.outputs, block.skip), at(layer.slopes, block.skip),
            at(layer.prelu_slope, block.unit * itemsize), block.n_units, block.n_samples, step.stride)
    elif layer.late_activation != ACTIVATION_IDENTITY:
        kernels.activation_forward(
            at(layer.outputs, block.skip), at(layer.slopes, block.skip), NULL, NULL, block.n_units,
            block.n_samples, step.stride, layer.late_activation, layer.activation_parameter)
    if layer.factors != NULL:
        random = step.random
        random.stream = layer.stream
        kernels.dropout_forward(
            at(layer.outputs, block.skip), at(layer.factors, block.skip), at(layer.undropped, block.skip),
            &random, block.unit, block.sample, block.n_units, block.n_samples, step.stride, layer.dropout)


cdef void unfinish(const layer_t *layer, const step_t *step, const member_t *member) noexcept nogil:
    """Take a layer's d_outputs, of which each member has made its units, back to its product.

    The gradients of a normalisation's and of PReLU's vectors come on the way. All is done after a barrier.
    """
    cdef:
        const kernels_t *kernels = step.kernels
        size_t itemsize = itemsize_of(step)
        block_t units = own_units(layer, step, member), block = units
        bint is_softmax = layer.late_activation == ACTIVATION_SOFTMAX
        const void *y = layer.outputs if layer.undropped == NULL else layer.undropped
    if is_softmax:
        barrier(member)
        block = own_strips(layer, step, member)
    if layer.factors != NULL:
        kernels.dropout_backward(at(layer.d_outputs, block.skip), at(layer.factors, block.skip),
                                 block.n_units, block.n_samples, step.stride)
    if layer.late_activation == ACTIVATION_PRELU:
        kernels.prelu_backward(
            at(layer.d_outputs, units.skip), at(layer.d_prelu_slope, units.unit * itemsize),
            at(layer.slopes, units.skip), at(layer.prelu_slope, units.unit * itemsize), units.n_units,
            step.n_samples, step.stride, step.accumulate)
    elif layer.late_activation != ACTIVATION_IDENTITY:
        kernels.activation_backward(
            at(layer.d_outputs, block.skip), at(y, block.skip), at(layer.slopes, block.skip), block.n_units,
            block.n_samples, step.stride, layer.late_activation, layer.activation_parameter)
    if layer.norm == NORM_NONE:
        return
    if is_softmax:
        barrier(member)
    if layer.norm == NORM_BATCH:
        kernels.batch_norm_backward(
            at(layer.d_outputs, units.skip), at(layer.d_norm_scale, units.unit * itemsize),
            at(layer.d_vectors, units.unit * itemsize), at(layer.normed, units.skip),
            at(layer.inverse, units.unit * itemsize), at(layer.norm_scale, units.unit * itemsize),
            units.n_units, step.n_samples, step.stride, layer.norm_is_fixed, step.accumulate)
    else:
        kernels.norm_sums(
            at(layer.d_norm_scale, units.unit * itemsize), at(layer.d_vectors, units.unit * itemsize),
            at(layer.d_outputs, units.skip), at(layer.normed, units.skip), units.n_units, step.n_samples,
            step.stride, step.accumulate)
        barrier(member)
        block = own_strips(layer, step, member)
        kernels.layer_norm_backward(
            at(layer.d_outputs, block.skip), at(layer.normed, block.skip), at(layer.inverse, block.skip),
            layer.norm_scale, layer.n_out, block.n_samples, step.stride)


cdef void fold(const layer_t *layer, const step_t *step, const member_t *member) noexcept nogil:
    """Make one scale and bias of a batch normalisation for the member's units; its product applies them.

    For each batch anew: it takes as long as one sample's outputs, and never tells of parameters of long ago.
    """
    cdef int64_t begin = share_begin(layer.n_out, member), n = share_end(layer.n_out, member) - begin
    cdef size_t skip = <size_t>begin * itemsize_of(step)
    step.kernels.fold_norm(at(layer.folded_scale, skip), at(layer.folded_bias, skip),
                           at(layer.norm_scale, skip), at(layer.vectors, skip), at(layer.mean, skip),
                           at(layer.variance, skip), n, EPSILON)
