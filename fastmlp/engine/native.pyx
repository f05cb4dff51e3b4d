"""The walk of a training step over the plan, compiled. reference.py tells the same, name for name.

Design. A `Walk` owns typed memoryviews of everything it touches and takes their addresses once; from
then on a slice of an epoch is one ``nogil`` call over C structs, which allocates nothing and touches no
Python object. The three matrix operations go through a table (csrc/walk.h), the rest through the kernels
of the instruction set (csrc/fastmlp.h).
"""

import numpy as np

from cpython.exc cimport PyErr_CheckSignals
from cpython.mem cimport PyMem_Calloc, PyMem_Free
from libc.math cimport isfinite, pow, sqrt
from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t

from fastmlp.engine.core cimport (
    borrow,
    fill_preparation,
    find_kernels,
    find_operations,
    flush_denormals,
    restore_denormals,
    seconds,
)
from fastmlp.engine.csrc cimport *

from fastmlp.engine import core
from fastmlp.engine.core import ACTIVATION_CODES, LOSS_CODES, SOLVER_CODES
from fastmlp.engine.plan import aligned_zeros, plan_workspace

cdef double SLICE_SECONDS = 0.05  # of a prediction, between two looks at signals such as Ctrl-C

cdef enum:
    SLAB = 256  # samples in a batch of a prediction: products run at full speed, in little memory


cdef class Walk:
    """The buffers and pointers of one plan over one data set; arguments as in reference.py."""

    cdef:
        layer_t *layers
        Py_ssize_t n_layers
        step_t step
        const operations_t *operations
        source_t inputs, targets
        preparation_t inputs_preparation, targets_preparation
        const int32_t *labels
        void *batch_targets
        void *losses
        loss_t loss
        activation_t output_activation
        list keep_alive

    def __cinit__(self, plan, *args, **kwargs):
        self.n_layers = len(plan.layers)
        self.layers = <layer_t *>PyMem_Calloc(self.n_layers, sizeof(layer_t))
        if self.layers == NULL:
            raise MemoryError
        self.keep_alive = []

    def __dealloc__(self):
        PyMem_Free(self.layers)

    def __init__(self, plan, parameters, X, preparation, batch_size, *, loss=None, targets=None,
                 targets_preparation=None, gradient=None, moments=(), d_inputs=False):
        cdef layer_t *layer
        cdef char *memory
        cdef char *parameter_memory
        cdef char *gradient_memory = NULL
        cdef char *moment_memory
        cdef size_t itemsize = plan.dtype.itemsize
        cdef Py_ssize_t i

        self.step.dtype = DTYPE_F32 if plan.dtype == np.float32 else DTYPE_F64
        isa = core.instruction_set()
        self.step.kernels = find_kernels(isa, self.step.dtype)
        self.operations = find_operations(plan.operations, isa, self.step.dtype)
        layout = plan_workspace(plan, batch_size, backward=loss is not None, d_inputs=d_inputs)
        self.step.stride = layout.stride
        memory = self.writable(aligned_zeros(layout.size, plan.dtype))
        parameter_memory = self.readable(parameters)
        if gradient is not None:
            gradient_memory = self.writable(gradient)

        self.keep_alive.append(borrow(&self.inputs, X))
        self.keep_alive.append(fill_preparation(&self.inputs_preparation, preparation, plan.dtype))
        self.batch_targets = memory + <size_t>layout.targets * itemsize
        self.losses = memory + <size_t>layout.losses * itemsize
        if loss is not None:
            self.loss = LOSS_CODES[loss]
            self.set_targets(targets, targets_preparation, plan.dtype)

        for i in range(self.n_layers):
            layer_plan = plan.layers[i]
            layer = &self.layers[i]
            layer.n_in, layer.n_out = layer_plan.n_in, layer_plan.n_out
            layer.weight_stride = layer_plan.weight_stride
            layer.activation = ACTIVATION_CODES[layer_plan.activation]
            layer.weight = parameter_memory + <size_t>layer_plan.weight_offset * itemsize
            layer.bias = parameter_memory + <size_t>layer_plan.bias_offset * itemsize
            layer.outputs = memory + <size_t>layout.outputs[i] * itemsize
            if i < len(layout.inputs_rows):
                layer.inputs_rows = memory + <size_t>layout.inputs_rows[i] * itemsize
            if i == 0:
                if plan.operations == "tile":
                    layer.inputs = memory + <size_t>layout.inputs * itemsize
                layer.input_activation = ACTIVATION_IDENTITY
            else:
                self.layers[i - 1].outputs_rows = <void *>layer.inputs_rows
                layer.inputs = self.layers[i - 1].outputs
                layer.input_activation = self.layers[i - 1].activation
            if loss is not None:
                layer.d_outputs = memory + <size_t>layout.gradients[i] * itemsize
                if i > 0:
                    layer.d_inputs = self.layers[i - 1].d_outputs
                elif d_inputs:
                    layer.d_inputs = memory + <size_t>layout.d_inputs * itemsize
            if gradient_memory != NULL:
                layer.d_weight = gradient_memory + <size_t>layer_plan.weight_offset * itemsize
                layer.d_bias = gradient_memory + <size_t>layer_plan.bias_offset * itemsize
        layer = &self.layers[self.n_layers - 1]
        self.output_activation = layer.activation
        if loss is not None and self.loss != LOSS_SQUARED_ERROR:
            # These losses begin at the logits; the activation is part of their kernel.
            layer.activation = ACTIVATION_IDENTITY
        for k, moment in enumerate(moments):
            moment_memory = self.writable(moment)
            for i, layer_plan in enumerate(plan.layers):
                self.layers[i].moment_weight[<int>k] = (
                    moment_memory + <size_t>layer_plan.weight_offset * itemsize)
                self.layers[i].moment_bias[<int>k] = (
                    moment_memory + <size_t>layer_plan.bias_offset * itemsize)

    cdef char *writable(self, array) except NULL:
        cdef uint8_t[::1] view = array.view(np.uint8)
        self.keep_alive.append(view)
        return <char *>&view[0]

    cdef char *readable(self, array) except NULL:
        cdef const uint8_t[::1] view = array.view(np.uint8)
        self.keep_alive.append(view)
        return <char *>&view[0]

    cdef int set_targets(self, targets, preparation, dtype) except -1:
        if self.loss == LOSS_CROSS_ENTROPY:
            self.labels = <const int32_t *>self.readable(targets)
        else:
            self.keep_alive.append(borrow(&self.targets, targets))
            self.keep_alive.append(fill_preparation(&self.targets_preparation, preparation, dtype))
        return 0

    cdef void forward(self, const int64_t *rows, int64_t n_samples) noexcept nogil:
        """Gather the rows and walk up the layers."""
        cdef Py_ssize_t i
        cdef layer_t *first = &self.layers[0]
        self.step.n_samples = n_samples
        self.step.kernels.gather_rows(<void *>first.inputs_rows, &self.inputs, rows,
                                      &self.inputs_preparation, n_samples, first.weight_stride)
        if first.inputs != NULL:
            self.step.kernels.transpose(<void *>first.inputs, first.inputs_rows, n_samples, first.n_in,
                                        self.step.stride, first.weight_stride)
        for i in range(self.n_layers):
            self.operations.linear_forward(&self.layers[i], &self.step)

    cdef double loss_gradient(self, const int64_t *rows, double weight) noexcept nogil:
        """Return the sum of the samples' losses, and leave the gradient of weight times it in the
        last layer's d_outputs, before the layer's activation."""
        cdef layer_t *last = &self.layers[self.n_layers - 1]
        cdef const kernels_t *kernels = self.step.kernels
        cdef int64_t n = self.step.n_samples, stride = self.step.stride, i
        cdef int32_t *batch_labels = <int32_t *>self.batch_targets
        if self.loss == LOSS_CROSS_ENTROPY:
            for i in range(n):
                batch_labels[i] = self.labels[rows[i]]
            kernels.cross_entropy(last.d_outputs, self.losses, last.outputs, batch_labels,
                                  last.n_out, n, stride, weight)
        else:
            kernels.gather_columns(self.batch_targets, &self.targets, rows,
                                   &self.targets_preparation, n, stride)
            if self.loss == LOSS_BINARY_CROSS_ENTROPY:
                kernels.binary_cross_entropy(last.d_outputs, self.losses, last.outputs,
                                             self.batch_targets, last.n_out, n, stride, weight)
            else:
                kernels.squared_error(last.d_outputs, self.losses, last.outputs,
                                      self.batch_targets, last.n_out, n, stride, weight)
        kernels.activation_backward(last.d_outputs, last.outputs, last.n_out, n, stride,
                                    last.activation)
        return kernels.sum(self.losses, n)

    cdef void finish_outputs(self) noexcept nogil:
        """Turn the logits that a loss left in the last layer's outputs into its real outputs."""
        cdef layer_t *last = &self.layers[self.n_layers - 1]
        if last.activation != self.output_activation:
            self.step.kernels.activation_forward(last.outputs, NULL, last.n_out, self.step.n_samples,
                                                 self.step.stride, self.output_activation)

    cdef void write_outputs(self, const size_t *addresses, int64_t start) noexcept nogil:
        """Copy the outputs of each layer whose array has an address into it, from row ``start`` on."""
        cdef Py_ssize_t i
        cdef layer_t *layer
        cdef size_t itemsize = 4 if self.step.dtype == DTYPE_F32 else 8
        for i in range(self.n_layers):
            layer = &self.layers[i]
            if addresses[i]:
                self.step.kernels.scatter_rows(
                    <char *>addresses[i] + <size_t>(start * layer.n_out) * itemsize, layer.outputs,
                    layer.n_out, self.step.n_samples, self.step.stride)

    cdef void backward(self) noexcept nogil:
        """Walk down the layers; each passes its gradient on before its weights change."""
        cdef Py_ssize_t i
        for i in range(self.n_layers - 1, -1, -1):
            if self.layers[i].d_inputs != NULL:
                self.operations.linear_backward(&self.layers[i], &self.step)
            self.operations.linear_update(&self.layers[i], &self.step)


cdef class Training(Walk):
    """A fit in progress: `start_epoch`, then `run` until it returns True."""

    cdef:
        const int64_t[::1] rows
        int64_t[::1] order
        const double[::1] rates
        const double[::1] momenta
        int64_t batch_size, batch, n_batches
        double alpha, learning_rate_scale, loss_sum
        uint64_t seed
        bint shuffle, diverged
        readonly int64_t n_steps

    def __init__(self, plan, parameters, X, preparation, batch_size, *, loss, targets,
                 targets_preparation, rows, optimizer, moments, alpha, shuffle, seed, n_steps):
        super().__init__(plan, parameters, X, preparation, batch_size, loss=loss, targets=targets,
                         targets_preparation=targets_preparation, moments=moments,
                         gradient=aligned_zeros(plan.n_parameters, plan.dtype))
        self.writable(parameters)
        self.rows = rows
        self.order = np.array(rows)
        self.batch_size, self.alpha, self.shuffle, self.seed = batch_size, alpha, shuffle, seed
        self.n_batches = -(-len(rows) // batch_size)
        self.n_steps = n_steps
        self.step.optimizer.solver = SOLVER_CODES[optimizer["solver"]]
        self.step.optimizer.nesterov = optimizer.get("nesterov", False)
        self.step.optimizer.beta_1 = optimizer.get("beta_1", 0)
        self.step.optimizer.beta_2 = optimizer.get("beta_2", 0)
        self.step.optimizer.epsilon = optimizer.get("epsilon", 0)

    def start_epoch(self, epoch, rates, momenta):
        """Set the order of the samples, and the rate and momentum of each of the epoch's batches."""
        self.rates, self.momenta = rates, momenta
        self.order[:] = self.rows
        if self.shuffle:
            core.shuffle(self.order, self.seed, epoch)
        self.batch, self.loss_sum, self.diverged = 0, 0.0, False

    def run(self, double budget):
        """Train on batches until the epoch or the time is over; return whether the epoch is."""
        cdef uint64_t state
        cdef double stop = seconds() + budget
        with nogil:
            state = flush_denormals()
            while self.batch < self.n_batches and not self.diverged:
                self.train_batch()
                if seconds() >= stop:
                    break
            restore_denormals(state)
        return self.batch >= self.n_batches or self.diverged

    def predicts_finite(self):
        """Return whether the last batch's loss is finite under the present parameters."""
        cdef int64_t start = max(self.batch - 1, 0) * self.batch_size
        cdef double loss
        with nogil:
            self.forward(&self.order[start], min(self.batch_size, self.order.shape[0] - start))
            loss = self.loss_gradient(&self.order[start], 1.0)
        return isfinite(loss)

    cdef void train_batch(self) noexcept nogil:
        cdef int64_t start = self.batch * self.batch_size
        cdef int64_t n_samples = min(self.batch_size, self.order.shape[0] - start)
        cdef const int64_t *rows = &self.order[start]
        cdef optimizer_t *optimizer = &self.step.optimizer
        cdef double loss
        self.forward(rows, n_samples)
        loss = self.loss_gradient(rows, 1.0 / n_samples) + self.penalty()
        if not isfinite(loss):
            self.diverged = True
            return
        self.n_steps += 1
        optimizer.learning_rate = self.rates[self.batch]
        optimizer.momentum = self.momenta[self.batch]
        if optimizer.solver == SOLVER_ADAM:
            optimizer.learning_rate *= (sqrt(1 - pow(optimizer.beta_2, self.n_steps))
                                        / (1 - pow(optimizer.beta_1, self.n_steps)))
        optimizer.l2 = self.alpha / n_samples
        self.backward()
        self.loss_sum += loss
        self.batch += 1

    cdef double penalty(self) noexcept nogil:
        """Half of alpha times the squared norm of the weights: scikit-learn's L2 term of a batch's loss."""
        cdef double total = 0
        cdef Py_ssize_t i
        if self.alpha == 0:
            return 0
        for i in range(self.n_layers):
            total += self.step.kernels.sum_of_squares(
                self.layers[i].weight, self.layers[i].weight_stride * self.layers[i].n_out)
        return 0.5 * self.alpha * total

    @property
    def n_samples_seen(self):
        """Samples of this epoch trained on so far."""
        return min(self.batch * self.batch_size, self.order.shape[0])

    @property
    def mean_loss(self):
        """The mean loss of this epoch's samples so far, each before its batch's update."""
        return self.loss_sum / max(self.n_samples_seen, 1)

    @property
    def has_diverged(self):
        """Whether a batch's loss was infinite or not a number; its update was not made."""
        return self.diverged


def forward(plan, parameters, X, preparation, outs, *, loss=None, targets=None,
            targets_preparation=None):
    """Run X through the layers; write the outputs of those that ``outs`` has an array for.

    With a loss and targets, also return the mean loss.
    """
    cdef Walk walk = Walk(plan, parameters, X, preparation, min(len(X), SLAB), loss=loss,
                          targets=targets, targets_preparation=targets_preparation)
    cdef int64_t[::1] rows = np.arange(len(X))
    cdef size_t[::1] addresses = np.array(
        [0 if out is None else <size_t>walk.writable(out.reshape(-1)) for out in outs], dtype=np.uintp)
    cdef bint with_loss = loss is not None
    cdef double loss_sum = 0, stop
    cdef int64_t start = 0, n
    while start < rows.shape[0]:
        stop = seconds() + SLICE_SECONDS
        with nogil:
            while start < rows.shape[0] and seconds() < stop:
                n = min(<int64_t>SLAB, rows.shape[0] - start)
                walk.forward(&rows[start], n)
                if with_loss:
                    loss_sum += walk.loss_gradient(&rows[start], 1.0)
                    walk.finish_outputs()
                walk.write_outputs(&addresses[0], start)
                start += n
        PyErr_CheckSignals()
    return loss_sum / len(X) if with_loss else None


def gradients(plan, parameters, X, preparation, d_parameters, d_inputs, *, loss, targets,
              targets_preparation=None):
    """Return the mean loss; write its gradient with respect to the parameters (a vector like them)
    and to the prepared inputs, (n_samples, n_features)."""
    cdef Walk walk = Walk(plan, parameters, X, preparation, min(len(X), SLAB), loss=loss,
                          targets=targets, targets_preparation=targets_preparation,
                          gradient=d_parameters, d_inputs=True)
    cdef int64_t[::1] rows = np.arange(len(X))
    cdef layer_t *first = &walk.layers[0]
    cdef char *out = walk.writable(d_inputs.reshape(-1))
    cdef size_t row_bytes = d_inputs.itemsize * first.n_in
    cdef double loss_sum = 0, weight = 1.0 / rows.shape[0], stop
    cdef int64_t start = 0, n
    d_parameters[:] = 0
    walk.step.accumulate = True
    while start < rows.shape[0]:
        stop = seconds() + SLICE_SECONDS
        with nogil:
            while start < rows.shape[0] and seconds() < stop:
                n = min(<int64_t>SLAB, rows.shape[0] - start)
                walk.forward(&rows[start], n)
                loss_sum += walk.loss_gradient(&rows[start], weight)
                walk.backward()
                walk.step.kernels.scatter_rows(out + <size_t>start * row_bytes, first.d_inputs, first.n_in, n,
                                               walk.step.stride)
                start += n
        PyErr_CheckSignals()
    return loss_sum / rows.shape[0]
