"""The walk of a training step over the plan, compiled. reference/walk.py tells the same, name for name.

Design. A `Walk` owns typed memoryviews of everything it touches and takes their addresses once; from
then on everything is C structs, which any thread may read. The functions of the step are called by every
member of a team (csrc/team.h), each for its share of units or, where all units of a sample are looked at, of
strips of samples; a barrier stands where the next operation reads what others wrote. The three matrix
operations go through a table (csrc/walk.h), the rest through the kernels of the instruction set
(csrc/fastmlp.h). Nothing here allocates, or touches a Python object, after a `Walk` is made.
"""

import numpy as np

from cpython.mem cimport PyMem_Calloc, PyMem_Free
from libc.stdint cimport int32_t, int64_t, uint8_t

from fastmlp.engine.core cimport (
    barrier,
    borrow,
    fill_preparation,
    find_kernels,
    find_operations,
)
from fastmlp.engine.csrc cimport *
from fastmlp.engine.finish cimport finish, fold, unfinish
from fastmlp.engine.gathering cimport gather
from fastmlp.engine.shares cimport itemsize_of, strip_begin, strip_end
from fastmlp.engine.sparse cimport borrow_csr, sparse_forward, sparse_update
from fastmlp.engine.update cimport update_vectors

from fastmlp import activations
from fastmlp.engine import core
from fastmlp.engine.core import ACTIVATION_CODES, LOSS_CODES
from fastmlp.engine.plan import aligned_zeros, padded, plan_workspace
from fastmlp.engine.sparse_rows import is_sparse
from fastmlp.layers import NORM_MOMENTUM

# The last layer's activation is part of these losses.
FROM_LOGITS = {"cross_entropy", "binary_cross_entropy", "log_likelihood"}


cdef class Walk:
    """The buffers and pointers of one plan over one data set; arguments as in engine/reference/walk.py."""

    def __cinit__(self, plan, *args, **kwargs):
        self.walk.n_layers = len(plan.layers)
        self.walk.layers = <layer_t *>PyMem_Calloc(self.walk.n_layers, sizeof(layer_t))
        self.walk.forms = <bf16_layer_t *>PyMem_Calloc(self.walk.n_layers, sizeof(bf16_layer_t))
        if self.walk.layers == NULL or self.walk.forms == NULL:
            raise MemoryError
        self.keep_alive = []

    def __dealloc__(self):
        PyMem_Free(self.walk.layers)
        PyMem_Free(self.walk.forms)

    def __init__(self, plan, parameters, X, preparation, batch_size, *, loss=None, loss_options=None,
                 targets=None, targets_preparation=None, sample_weight=None, gradient=None, moments=(),
                 d_inputs=False, training=False):
        cdef layer_t *layer
        cdef layer_t *below
        cdef char *memory
        cdef char *parameter_memory
        cdef double[::1] penalties
        cdef size_t itemsize = plan.dtype.itemsize
        cdef Py_ssize_t i

        self.step.dtype = DTYPE_F32 if plan.dtype == np.float32 else DTYPE_F64
        isa = core.instruction_set()
        self.step.kernels = find_kernels(isa, self.step.dtype)
        self.step.accumulate, self.step.ahead = False, NULL
        self.step.norm_momentum = NORM_MOMENTUM if training else 0
        self.walk.operations = find_operations(plan.operations, isa, self.step.dtype)
        layout = plan_workspace(plan, batch_size, backward=loss is not None, d_inputs=d_inputs,
                                training=training, sparse=is_sparse(X))
        self.step.stride = layout.stride
        memory = self.writable(aligned_zeros(layout.size, plan.dtype))
        parameter_memory = self.readable(parameters)
        self.walk.learns = gradient is not None
        penalties = aligned_zeros(sum(layer_plan.n_out for layer_plan in plan.layers), np.float64)
        self.keep_alive.append(penalties)
        self.walk.penalties = &penalties[0]

        self.set_inputs(X, plan.dtype)
        self.keep_alive.append(fill_preparation(
            &self.walk.inputs_preparation, preparation, plan.n_features, plan.dtype))
        self.walk.batch_targets = memory + <size_t>layout.targets * itemsize
        self.walk.losses = memory + <size_t>layout.losses * itemsize
        if loss is not None:
            self.set_loss(loss, loss_options or {}, targets, targets_preparation, plan.dtype)
        if sample_weight is not None:
            self.keep_alive.append(borrow(&self.walk.sample_weight, sample_weight[:, None]))
            self.walk.batch_weights = self.writable(aligned_zeros(layout.stride, plan.dtype))

        for i in range(self.walk.n_layers):
            layer_plan = plan.layers[i]
            layer = &self.walk.layers[i]
            layer.n_in, layer.n_out = layer_plan.n_in, layer_plan.n_out
            layer.weight_stride = layer_plan.weight_stride
            kind, layer.activation_parameter = activations.split(layer_plan.activation)
            layer.activation = ACTIVATION_CODES[kind]
            if i == self.walk.n_layers - 1 and loss in FROM_LOGITS:
                # These losses begin at the logits; the activation is part of their kernel.
                self.walk.last_is_logits, layer.activation = True, ACTIVATION_IDENTITY
            layer.weight = parameter_memory + <size_t>layer_plan.weight_offset * itemsize
            self.place_vectors(layer, layer_plan, parameter_memory, itemsize)
            self.place_finish(i, layer_plan, layout, memory, itemsize)
            layer.is_trainable = layer_plan.trainable or not training
            layer.outputs = memory + <size_t>layout.outputs[i] * itemsize
            if layout.slopes[i] >= 0:
                layer.slopes = memory + <size_t>layout.slopes[i] * itemsize
            if i < len(layout.inputs_rows):
                layer.inputs_rows = memory + <size_t>layout.inputs_rows[i] * itemsize
            if i == 0:
                if plan.operations != "blas":
                    layer.inputs = memory + <size_t>layout.inputs * itemsize
                layer.input_activation = ACTIVATION_IDENTITY
            else:
                below = &self.walk.layers[i - 1]
                layer.inputs = below.outputs
                layer.input_slopes = below.slopes
                layer.input_activation, layer.input_parameter = below.activation, below.activation_parameter
            if loss is not None:
                layer.d_outputs = memory + <size_t>layout.gradients[i] * itemsize
                if i > 0:
                    layer.d_inputs = self.walk.layers[i - 1].d_outputs
                elif d_inputs:
                    layer.d_inputs = memory + <size_t>layout.d_inputs * itemsize
        self.walk.keeps_rows = loss is not None or plan.operations == "blas"
        for i, places in enumerate(layout.forms):
            self.place_forms(i, memory, places)
        self.place_learning(plan, gradient, moments, itemsize)
        self.walk.first_trained = 0
        if not d_inputs:
            while (self.walk.first_trained < self.walk.n_layers - 1
                   and not self.walk.layers[self.walk.first_trained].is_trainable):
                self.walk.first_trained += 1
            for i in range(self.walk.first_trained + 1):  # nobody below has a use for it
                self.walk.layers[i].d_inputs = NULL

    cdef int place_vectors(self, layer_t *layer, layer_plan, char *parameters, size_t itemsize) except -1:
        """Point a layer at what it has beside its weights."""
        vectors = layer_plan.vectors
        cdef char *first = parameters + <size_t>layer_plan.bias_offset * itemsize
        layer.vector_stride, layer.n_vectors = padded(layer_plan.n_out), len(layer_plan.learned)
        layer.vectors = layer.bias = first
        cdef size_t row_bytes = <size_t>layer.vector_stride * itemsize
        if "scale" in vectors:
            layer.norm_scale = first + <size_t>vectors.index("scale") * row_bytes
        if "slope" in vectors:
            layer.prelu_slope = first + <size_t>vectors.index("slope") * row_bytes
        if "mean" in vectors:
            layer.mean = first + <size_t>vectors.index("mean") * row_bytes
            layer.variance = first + <size_t>vectors.index("variance") * row_bytes
        return 0

    cdef int place_finish(self, Py_ssize_t i, layer_plan, layout, char *memory, size_t itemsize) except -1:
        """Decide what the walk does when a layer's operations are done, and give it room."""
        cdef layer_t *layer = &self.walk.layers[i]
        layer.dropout, layer.stream = layer_plan.dropout, STREAM_DROPOUT + N_STREAMS * i
        if layout.factors[i] >= 0:
            layer.factors = memory + <size_t>layout.factors[i] * itemsize
        if layout.undropped[i] >= 0:
            layer.undropped = memory + <size_t>layout.undropped[i] * itemsize
        if layout.normed[i] >= 0:
            layer.normed = memory + <size_t>layout.normed[i] * itemsize
            layer.inverse = memory + <size_t>layout.inverse[i] * itemsize
        layer.norm, layer.norm_is_fixed = NORM_NONE, not layer_plan.trainable
        if layer_plan.norm == "layer":
            layer.norm = NORM_LAYER
        elif layer_plan.norm == "batch" and self.walk.learns:
            layer.norm = NORM_BATCH
        elif layer_plan.norm == "batch":  # part of the product
            layer.folded_scale = memory + <size_t>layout.folded[i] * itemsize
            layer.folded_bias = <char *>layer.folded_scale + <size_t>layer.vector_stride * itemsize
            layer.scale, layer.bias = layer.folded_scale, layer.folded_bias
        if layer.norm != NORM_NONE:
            layer.bias = memory + <size_t>layout.zeros * itemsize
        layer.late_activation = ACTIVATION_IDENTITY
        if (layer.norm != NORM_NONE or layer.activation in (ACTIVATION_SOFTMAX, ACTIVATION_PRELU)
                or layer.undropped != NULL):
            layer.late_activation, layer.activation = layer.activation, ACTIVATION_IDENTITY
        layer.is_plain = (layer.norm == NORM_NONE and layer.late_activation == ACTIVATION_IDENTITY
                          and layer.factors == NULL)
        return 0

    cdef int place_learning(self, plan, gradient, moments, size_t itemsize) except -1:
        """Point the layers at their gradients and at the solver's moments."""
        cdef layer_t *layer
        cdef char *vectors
        cdef char *memory
        cdef Py_ssize_t i
        for k, vector in enumerate([gradient, *moments], -1):
            if vector is None:
                continue
            memory = self.writable(vector)
            for i, layer_plan in enumerate(plan.layers):
                layer = &self.walk.layers[i]
                vectors = memory + <size_t>layer_plan.bias_offset * itemsize
                if k >= 0:
                    layer.moment_weight[<int>k] = memory + <size_t>layer_plan.weight_offset * itemsize
                    layer.moment_vectors[<int>k] = vectors
                    continue
                layer.d_weight = memory + <size_t>layer_plan.weight_offset * itemsize
                layer.d_vectors = vectors
                if layer.norm_scale != NULL:
                    layer.d_norm_scale = vectors + (<char *>layer.norm_scale - <char *>layer.vectors)
                if layer.prelu_slope != NULL:
                    layer.d_prelu_slope = vectors + (<char *>layer.prelu_slope - <char *>layer.vectors)
        return 0

    cdef int place_forms(self, Py_ssize_t i, char *memory, places) except -1:
        """Point a layer at its matrices in bfloat16, and its neighbours at them."""
        cdef bf16_layer_t *forms = &self.walk.forms[i]
        cdef pair_t *addresses[6]
        for k, place in enumerate(places):
            addresses[<int>k] = NULL if place < 0 else <pair_t *>memory + <size_t>place
        forms.weight, forms.weight_backward, forms.inputs = addresses[0], addresses[1], addresses[2]
        forms.inputs_samples, forms.d_outputs, forms.d_outputs_rows = addresses[3], addresses[4], addresses[5]
        self.walk.layers[i].forms = forms
        if i > 0:
            self.walk.layers[i - 1].forms_above = forms
            self.walk.layers[i].forms_below = &self.walk.forms[i - 1]
        return 0

    cdef char *writable(self, array) except NULL:
        cdef uint8_t[::1] view = array.view(np.uint8)
        self.keep_alive.append(view)
        return <char *>&view[0]

    cdef char *readable(self, array) except NULL:
        cdef const uint8_t[::1] view = array.view(np.uint8)
        self.keep_alive.append(view)
        return <char *>&view[0]

    cdef int set_inputs(self, X, dtype) except -1:
        if is_sparse(X):
            self.keep_alive.append(borrow_csr(&self.walk.sparse, X, dtype))
        else:
            self.keep_alive.append(borrow(&self.walk.inputs, X))
        return 0

    cdef int set_loss(self, loss, options, targets, preparation, dtype) except -1:
        if loss in ("huber", "quantile") and not options:
            raise TypeError(f"loss={loss!r} needs its numbers as loss_options.")
        cdef double[::1] numbers = np.array(
            [number for value in options.values() for number in np.ravel(value)] or [0.0])
        self.keep_alive.append(numbers)
        self.walk.loss_numbers, self.walk.n_loss_numbers = &numbers[0], len(numbers)
        if loss == "cross_entropy" and np.ndim(targets) == 2:
            loss = "soft_cross_entropy"
        self.walk.loss = LOSS_CODES[loss]
        if self.walk.loss == LOSS_CROSS_ENTROPY:
            self.walk.labels = <const int32_t *>self.readable(targets)
        else:
            self.keep_alive.append(borrow(&self.walk.targets, targets))
            self.keep_alive.append(fill_preparation(
                &self.walk.targets_preparation, preparation, self.walk.targets.n_columns, dtype))
        return 0


cdef bint forward(const walk_t *walk, step_t *step, const member_t *member, const int64_t *rows,
                  int64_t n_samples) noexcept nogil:
    """Gather the rows and walk up the layers; the outputs can be read when it returns.

    Return False if inputs are checked and the member's are not finite; who is alone then does not walk on.
    """
    cdef:
        bint is_finite
        Py_ssize_t i
        layer_t *layer
        int64_t start, end
        size_t itemsize = itemsize_of(step)
    step.n_samples, step.rows = n_samples, rows
    start, end = strip_begin(step, member), strip_end(step, member)
    is_finite = True
    if walk.sparse.values == NULL:
        is_finite = gather(walk, step, member, rows)
        if not is_finite and member.count == 1:
            return False
        barrier(member)
    for i in range(walk.n_layers):
        layer = &walk.layers[i]
        if i > 0 and layer.inputs_rows != NULL and walk.operations.inputs_changed == NULL:
            step.kernels.transpose(
                <char *>layer.inputs_rows + <size_t>(start * layer.weight_stride) * itemsize,
                <char *>layer.inputs + <size_t>start * itemsize, layer.n_in, end - start,
                layer.weight_stride, step.stride)
        if layer.folded_scale != NULL:
            fold(layer, step, member)
        if i == 0 and walk.sparse.values != NULL:
            sparse_forward(walk, step, member)
        else:
            walk.operations.linear_forward(layer, step, member)
        if not layer.is_plain:
            if walk.operations.outputs_changed != NULL:
                barrier(member)  # these operations deal units out in twos, to others than `finish` does
            finish(layer, step, member)
            if walk.operations.outputs_changed != NULL:
                barrier(member)
                walk.operations.outputs_changed(layer, step, member)
        barrier(member)
    return is_finite


cdef double weight_of_batch(const walk_t *walk, const int64_t *rows, int64_t n_samples) noexcept nogil:
    """Return the sum of the samples' weights; without weights, how many they are."""
    cdef const double *weights = <const double *>walk.sample_weight.data
    cdef double total = 0
    cdef int64_t i
    if weights == NULL:
        return n_samples
    for i in range(n_samples):
        total += weights[rows[i]]
    return total


cdef double loss_gradient(const walk_t *walk, const step_t *step, const member_t *member,
                          const int64_t *rows, double weight) noexcept nogil:
    """Return the sum of the samples' losses, each times its own weight, and leave the gradient of ``weight``
    times it in the last layer's d_outputs, before the layer's activation."""
    cdef:
        layer_t *last = &walk.layers[walk.n_layers - 1]
        const kernels_t *kernels = step.kernels
        int64_t start = strip_begin(step, member), end = strip_end(step, member), n = end - start, i
        int64_t stride = step.stride
        size_t skip = <size_t>start * itemsize_of(step)
        char *d_outputs = <char *>last.d_outputs + skip
        char *outputs = <char *>last.outputs + skip
        char *slopes = <char *>last.slopes + skip if last.slopes != NULL else NULL
        char *losses = <char *>walk.losses + skip
        char *targets = <char *>walk.batch_targets + skip
        char *weights = <char *>walk.batch_weights + skip
        preparation_t unprepared
        int32_t *labels = <int32_t *>walk.batch_targets + start
        int64_t n_out = last.n_out
    if n > 0:
        if walk.loss == LOSS_CROSS_ENTROPY:
            for i in range(n):
                labels[i] = walk.labels[rows[start + i]]
            kernels.cross_entropy(d_outputs, losses, outputs, labels, n_out, n, stride, weight,
                                  walk.loss_numbers[0])
        else:
            kernels.gather_columns(targets, &walk.targets, rows + start, &walk.targets_preparation, n, stride)
            if walk.loss == LOSS_SOFT_CROSS_ENTROPY:
                kernels.soft_cross_entropy(d_outputs, losses, outputs, targets, n_out, n, stride, weight,
                                           walk.loss_numbers[0])
            elif walk.loss == LOSS_BINARY_CROSS_ENTROPY:
                kernels.binary_cross_entropy(d_outputs, losses, outputs, targets, n_out, n, stride, weight)
            elif walk.loss == LOSS_LOG_LIKELIHOOD:
                kernels.log_likelihood(d_outputs, losses, outputs, targets, n_out, n, stride, weight)
            elif walk.loss == LOSS_SQUARED_ERROR:
                kernels.squared_error(d_outputs, losses, outputs, targets, n_out, n, stride, weight)
            elif walk.loss == LOSS_ABSOLUTE_ERROR:
                kernels.absolute_error(d_outputs, losses, outputs, targets, n_out, n, stride, weight)
            elif walk.loss == LOSS_HUBER:
                kernels.huber(d_outputs, losses, outputs, targets, n_out, n, stride, weight,
                              walk.loss_numbers[0])
            elif walk.loss == LOSS_QUANTILE:
                kernels.quantile(d_outputs, losses, outputs, targets, walk.loss_numbers, n_out,
                                 walk.n_loss_numbers, n, stride, weight)
            else:
                kernels.poisson(d_outputs, losses, outputs, targets, n_out, n, stride, weight)
        if walk.sample_weight.data != NULL:
            unprepared.center = NULL
            kernels.gather_columns(weights, &walk.sample_weight, rows + start, &unprepared, n, stride)
            kernels.weigh(d_outputs, losses, weights, n_out, n, stride)
        kernels.activation_backward(d_outputs, outputs, slopes, last.n_out, n, stride, last.activation,
                                    last.activation_parameter)
    barrier(member)
    if walk.learns and not last.is_plain:
        unfinish(last, step, member)
        barrier(member)
    if walk.operations.gradient_changed != NULL:
        walk.operations.gradient_changed(last, step, member)
        barrier(member)
    return kernels.sum(walk.losses, step.n_samples)  # each member for itself, in one order


cdef void backward(const walk_t *walk, const step_t *step, const member_t *member) noexcept nogil:
    """Walk down the layers; each passes its gradient on before its weights change."""
    cdef Py_ssize_t i
    cdef layer_t *layer
    for i in range(walk.n_layers - 1, walk.first_trained - 1, -1):
        layer = &walk.layers[i]
        if layer.d_inputs != NULL:
            walk.operations.linear_backward(layer, step, member)
            if i > 0 and not walk.layers[i - 1].is_plain:
                if walk.operations.gradient_changed != NULL:
                    barrier(member)  # see forward
                unfinish(&walk.layers[i - 1], step, member)
                if walk.operations.gradient_changed != NULL:
                    barrier(member)
                    walk.operations.gradient_changed(&walk.layers[i - 1], step, member)
            barrier(member)
        if layer.is_trainable:
            if i == 0 and walk.sparse.values != NULL:
                sparse_update(walk, step, member)
            else:
                walk.operations.linear_update(layer, step, member)
            update_vectors(layer, step, member)


cdef void write_outputs(const walk_t *walk, const step_t *step, const size_t *addresses,
                        int64_t start) noexcept nogil:
    """Copy the outputs of each layer whose array has an address into it, from row ``start`` on."""
    cdef Py_ssize_t i
    cdef layer_t *layer
    for i in range(walk.n_layers):
        layer = &walk.layers[i]
        if addresses[i]:
            step.kernels.scatter_rows(
                <char *>addresses[i] + <size_t>(start * layer.n_out) * itemsize_of(step), layer.outputs,
                layer.n_out, step.n_samples, step.stride)
