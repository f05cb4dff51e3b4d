"""From a plan to the operations of its layers (csrc/operations.h), each with pointers to what it reads and
writes.

A layer is a product, which applies the bias and mostly the activation while the sums are in registers, and
what else it does: a normalisation, an activation that looks at other units or follows a normalisation,
dropout. This module alone decides of what a layer consists.
"""

import numpy as np

from cpython.mem cimport PyMem_Calloc, PyMem_Free
from libc.stdint cimport int64_t, uint8_t

from fastmlp.engine.blas cimport blas_product
from fastmlp.engine.core cimport find_bfloat16_operations, find_operations
from fastmlp.engine.csrc cimport *

from fastmlp import activations
from fastmlp.engine.core import ACTIVATION_CODES
from fastmlp.engine.plan import padded
from fastmlp.layers import NORM_EPSILON

cdef enum:
    # Operations of a layer, and bytes of their structs: one allocation for all of them, since small networks
    # are walked in less time than many take.
    MOST_PER_LAYER = 9
    STRUCTS_PER_LAYER = 2048


cdef const operation_type_t *find_product(str name, const operations_t *kinds) except NULL:
    """Return the product by "blas", "bfloat16", or "tile", which is that of an instruction set."""
    if name == "blas":
        return blas_product()
    if name == "bfloat16":
        return find_bfloat16_operations().linear
    return kinds.linear


cdef class Memory:
    """Addresses of arrays that stay where they are for as long as this is there."""

    def __cinit__(self):
        self.views = []

    cdef char *writable(self, array) except NULL:
        cdef uint8_t[::1] view = array.view(np.uint8)
        self.views.append(view)
        return <char *>&view[0]

    cdef char *readable(self, array) except NULL:
        cdef const uint8_t[::1] view = array.view(np.uint8)
        self.views.append(view)
        return <char *>&view[0]


cdef class Operations:
    """The operations of a plan over the vectors of its parameters and a workspace that ``layout`` divides.

    With a gradient, batch normalisation is by the batch; with a loss there is a way back. Of the addresses
    ``gather``, of a gather_t, and ``sparse``, of a csr_t, one is 0: a batch is gathered, or the first product
    reads it itself.
    """

    def __cinit__(self, plan, *args, **kwargs):
        cdef size_t n_layers = len(plan.layers)
        self.memory = Memory()
        self.list = <operation_t *>PyMem_Calloc(MOST_PER_LAYER * n_layers + 1, sizeof(operation_t))
        self.products = <linear_t **>PyMem_Calloc(n_layers, sizeof(linear_t *))
        self.parameters = <parameters_t *>PyMem_Calloc(n_layers, sizeof(parameters_t))
        self.structs_end = n_layers * STRUCTS_PER_LAYER
        self.structs = <char *>PyMem_Calloc(self.structs_end, 1)
        if self.list == NULL or self.products == NULL or self.parameters == NULL or self.structs == NULL:
            raise MemoryError

    def __dealloc__(self):
        PyMem_Free(self.list)
        PyMem_Free(self.products)
        PyMem_Free(self.parameters)
        PyMem_Free(self.structs)

    def __init__(self, plan, layout, isa, workspace, values, gradient, moments, *, size_t gather,
                 size_t sparse, ends_at_logits, has_loss, training, to_inputs):
        cdef Py_ssize_t i, n_layers = len(plan.layers)
        cdef dtype_t dtype = DTYPE_F32 if plan.dtype == np.float32 else DTYPE_F64
        self.plan, self.layout = plan, layout
        self.learns, self.has_loss, self.training = gradient is not None, has_loss, training
        self.to_inputs = to_inputs
        self.workspace, self.values = self.memory.writable(workspace), self.memory.readable(values)
        if self.learns:
            self.gradient = self.memory.writable(gradient)
        for i, moment in enumerate(moments):
            self.moments[i] = self.memory.writable(moment)
        self.itemsize = plan.dtype.itemsize
        self.kinds = find_operations(isa, dtype)
        self.product_kind = find_product(plan.operations, self.kinds)
        # A product that reads sparse inputs has a gradient for all of them.
        self.sparse_kind = self.kinds.sparse_linear[0]
        self.sparse_kind.backward = self.product_kind.backward
        if plan.operations == "bfloat16":
            self.bf16 = find_bfloat16_operations()
        trained = [i for i, layer in enumerate(plan.layers) if layer.trainable or not training]
        lowest = 0 if to_inputs else trained[0] if trained else n_layers - 1
        if gather:
            self.add(self.kinds.gather, <void *>gather, 0)
        for i in range(n_layers):
            if i == lowest:
                self.first_trained = self.n
            self.add_layer(i, <csr_t *>sparse if i == 0 else NULL, ends_at_logits and i == n_layers - 1)
        for i in range(lowest + (not to_inputs)):  # nothing below has a use for a gradient
            self.products[i].d_inputs = NULL
        for i in range(self.n):
            is_product = (self.list[i].self == <void *>self.products[lowest]
                          and self.list[i].type.update.run != NULL)
            self.list[i].passes_gradient = to_inputs or not is_product

    cdef void *new(self, size_t size) except NULL:
        """Return a struct of zeros, which lives as long as the operations."""
        cdef char *struct = self.structs + self.structs_used
        self.structs_used += (size + 15) / 16 * 16
        if self.structs_used > self.structs_end:
            raise MemoryError(f"the structs of a layer take more than {STRUCTS_PER_LAYER} bytes.")
        return struct

    cdef int add(self, const operation_type_t *kind, const void *own, Py_ssize_t layer) noexcept:
        """Append an operation of a layer."""
        cdef operation_t *operation = &self.list[self.n]
        operation.type, operation.self = kind, own
        operation.n_units = operation.n_inputs = self.parameters[layer].n_units
        operation.is_trainable = self.parameters[layer].is_trainable
        self.n += 1
        return 0

    cdef char *place(self, int64_t offset) noexcept:
        """Return where this offset of the workspace is; NULL for -1."""
        return NULL if offset < 0 else self.workspace + <size_t>offset * self.itemsize

    cdef learned_t learned(self, int64_t offset, int64_t stride, bint is_penalised) noexcept:
        """Return the parameters that begin at this offset."""
        cdef learned_t learned
        cdef size_t skip = <size_t>offset * self.itemsize
        learned.value, learned.stride, learned.is_penalised = self.values + skip, stride, is_penalised
        learned.gradient = NULL if self.gradient == NULL else self.gradient + skip
        for k in range(2):
            learned.moments[k] = NULL if self.moments[k] == NULL else self.moments[k] + skip
        return learned

    cdef int add_layer(self, Py_ssize_t i, csr_t *sparse, bint ends_at_logits) except -1:
        """Append the operations of a layer: this is what it consists of."""
        cdef linear_t *product = self.new_product(i, sparse)
        cdef activation_t activation, none
        layer = self.plan.layers[i]
        kind, activation.parameter = activations.split(layer.activation)
        activation.kind = <activation_kind_t><int>ACTIVATION_CODES["identity" if ends_at_logits else kind]
        none.kind, none.parameter = ACTIVATION_IDENTITY, 0
        is_normed = layer.norm == "layer" or layer.norm == "batch" and self.learns
        # The product applies the activation, unless something comes between, it looks at all units of a
        # sample, it learns, or its outputs have to be known on the way back and would be dropped.
        is_applied = not (is_normed or activation.kind in (ACTIVATION_SOFTMAX, ACTIVATION_PRELU)
                          or self.layout.undropped[i] >= 0)
        product.activation = activation if is_applied else none
        if i > 0:
            product.input_activation = self.products[i - 1].activation
        if sparse == NULL:
            self.add_inputs(i, product)
        if layer.norm == "batch" and not self.learns:
            self.add_folded_norm(i, product)
        self.add(self.product_kind if sparse == NULL else &self.sparse_kind, product, i)
        self.list[self.n - 1].n_inputs = layer.n_in
        if self.bf16 != NULL:
            has_more = is_normed or not is_applied or self.layout.factors[i] >= 0
            self.place_copies(i, <bf16_linear_t *>product, has_more)
            if has_more or i == len(self.plan.layers) - 1:
                self.add(self.bf16.pack_gradient, product, i)
        if is_normed:
            self.add_norm(i, product)
        elif self.learns:
            self.add_bias(i, product)
        if not is_applied:
            self.add_activation(i, product, activation)
        if self.layout.factors[i] >= 0:
            self.add_dropout(i, product)
        if is_applied and self.has_loss and i == len(self.plan.layers) - 1:
            self.add_last_activation(i, product, activation)
        if self.bf16 != NULL and has_more and i < len(self.plan.layers) - 1:
            self.add(self.bf16.pack_outputs, product, i)
        return 0

    cdef linear_t *new_product(self, Py_ssize_t i, csr_t *sparse) except NULL:
        """Return the product of a layer, without its activation."""
        cdef linear_t *product
        layer, layout = self.plan.layers[i], self.layout
        if self.bf16 != NULL:
            product = <linear_t *>self.new(sizeof(bf16_linear_t))
        elif sparse != NULL:
            product = <linear_t *>self.new(sizeof(sparse_linear_t))
            (<sparse_linear_t *>product).x = sparse[0]
        else:
            product = <linear_t *>self.new(sizeof(linear_t))
        product.n_in, product.n_out = layer.n_in, layer.n_out
        product.weight = self.learned(layer.weight_offset, layer.weight_stride, True)
        product.bias = self.learned(layer.bias_offset, 1, False).value
        product.outputs, product.slopes = self.place(layout.outputs[i]), self.place(layout.slopes[i])
        if i > 0:
            product.inputs, product.input_slopes = self.products[i - 1].outputs, self.products[i - 1].slopes
        elif self.plan.operations != "blas":
            product.inputs = self.place(layout.inputs)
        if i < len(layout.inputs_rows):
            product.inputs_rows = self.place(layout.inputs_rows[i])
        if self.has_loss:
            product.d_outputs = self.place(layout.gradients[i])
            if i > 0:
                product.d_inputs = self.products[i - 1].d_outputs
            elif self.to_inputs:
                product.d_inputs = self.place(layout.d_inputs)
        self.products[i] = product
        self.parameters[i].n_units = layer.n_out
        self.parameters[i].is_trainable = layer.trainable or not self.training
        self.parameters[i].learned[0], self.parameters[i].n_learned = &product.weight, 1
        return product

    cdef int learn(self, Py_ssize_t i, const learned_t *vector) except -1:
        """Count a vector among the parameters of a layer."""
        self.parameters[i].learned[self.parameters[i].n_learned] = vector
        self.parameters[i].n_learned += 1
        return 0

    cdef learned_t vector(self, Py_ssize_t i, name) noexcept:
        """Return a layer's vector of this name."""
        return self.learned(self.plan.layers[i].offset_of(name), 1, False)

    cdef int add_inputs(self, Py_ssize_t i, linear_t *product) except -1:
        """Append what a product's inputs need before it."""
        cdef transposition_t *transposition
        if self.bf16 != NULL:
            if i == 0:
                self.add(self.bf16.pack_inputs, product, i)
        elif i > 0 and product.inputs_rows != NULL:
            transposition = <transposition_t *>self.new(sizeof(transposition_t))
            transposition.inputs, transposition.rows = product.inputs, <void *>product.inputs_rows
            transposition.n, transposition.row_stride = product.n_in, product.weight.stride
            self.add(self.kinds.transposition, transposition, i)
        return 0

    cdef int add_bias(self, Py_ssize_t i, linear_t *product) except -1:
        cdef bias_t *bias = <bias_t *>self.new(sizeof(bias_t))
        bias.bias = self.learned(self.plan.layers[i].bias_offset, 1, False)
        bias.d_outputs = product.d_outputs
        self.learn(i, &bias.bias)
        self.add(self.kinds.bias, bias, i)
        return 0

    cdef norm_t *new_norm(self, Py_ssize_t i, linear_t *product) except NULL:
        cdef norm_t *norm = <norm_t *>self.new(sizeof(norm_t))
        layer, layout = self.plan.layers[i], self.layout
        norm.n_units, norm.epsilon, norm.is_fixed = layer.n_out, NORM_EPSILON, not layer.trainable
        norm.bias, norm.scale = self.vector(i, "bias"), self.vector(i, "scale")
        norm.z, norm.d_z = product.outputs, product.d_outputs
        norm.normed, norm.inverse = self.place(layout.normed[i]), self.place(layout.inverse[i])
        if layer.norm == "batch":
            norm.mean, norm.variance = self.vector(i, "mean").value, self.vector(i, "variance").value
        return norm

    cdef int add_folded_norm(self, Py_ssize_t i, linear_t *product) except -1:
        """Append what makes one scale and bias of a batch normalisation, for the product to apply."""
        cdef norm_t *norm = self.new_norm(i, product)
        norm.folded_scale = self.place(self.layout.folded[i])
        norm.folded_bias = self.place(self.layout.folded[i] + padded(product.n_out))
        product.scale, product.bias = norm.folded_scale, norm.folded_bias
        self.add(self.kinds.fold_norm, norm, i)
        return 0

    cdef int add_norm(self, Py_ssize_t i, linear_t *product) except -1:
        cdef norm_t *norm = self.new_norm(i, product)
        product.bias = self.place(self.layout.zeros)
        self.learn(i, &norm.bias)
        self.learn(i, &norm.scale)
        if self.plan.layers[i].norm == "batch":
            self.add(self.kinds.batch_norm, norm, i)
        else:
            self.add(self.kinds.layer_norm, norm, i)
            self.add(self.kinds.norm_sums, norm, i)
        return 0

    cdef activation_operation_t *new_activation(self, Py_ssize_t i, linear_t *product,
                                                activation_t activation) except NULL:
        cdef activation_operation_t *operation = <activation_operation_t *>self.new(
            sizeof(activation_operation_t))
        operation.activation = activation
        operation.outputs, operation.slopes = product.outputs, product.slopes
        operation.d_outputs, operation.y = product.d_outputs, product.outputs
        if self.layout.undropped[i] >= 0:
            operation.y = self.place(self.layout.undropped[i])
        return operation

    cdef int add_activation(self, Py_ssize_t i, linear_t *product, activation_t activation) except -1:
        """Append an activation that the product does not apply."""
        if activation.kind == ACTIVATION_PRELU:
            return self.add_prelu(i, product)
        if activation.kind == ACTIVATION_SOFTMAX:
            self.add(self.kinds.softmax, self.new_activation(i, product, activation), i)
        elif activation.kind != ACTIVATION_IDENTITY:
            self.add(self.kinds.activation, self.new_activation(i, product, activation), i)
        return 0

    cdef int add_last_activation(self, Py_ssize_t i, linear_t *product, activation_t activation) except -1:
        """Append the way back through the activation that the last product applies.

        For other layers the product above does it, before their dropout; so it comes first here as well.
        """
        if activation.kind != ACTIVATION_IDENTITY:
            self.add(self.kinds.last_activation, self.new_activation(i, product, activation), i)
        return 0

    cdef int add_prelu(self, Py_ssize_t i, linear_t *product) except -1:
        cdef prelu_t *prelu = <prelu_t *>self.new(sizeof(prelu_t))
        prelu.slope, prelu.kept = self.vector(i, "slope"), product.slopes
        prelu.outputs, prelu.d_outputs = product.outputs, product.d_outputs
        self.learn(i, &prelu.slope)
        self.add(self.kinds.prelu, prelu, i)
        return 0

    cdef int add_dropout(self, Py_ssize_t i, linear_t *product) except -1:
        cdef dropout_t *dropout = <dropout_t *>self.new(sizeof(dropout_t))
        dropout.outputs, dropout.d_outputs = product.outputs, product.d_outputs
        dropout.factors = self.place(self.layout.factors[i])
        dropout.undropped = self.place(self.layout.undropped[i])
        dropout.rate, dropout.stream = self.plan.layers[i].dropout, STREAM_DROPOUT + N_STREAMS * i
        self.add(self.kinds.dropout, dropout, i)
        return 0

    cdef int place_copies(self, Py_ssize_t i, bf16_linear_t *product, bint has_more) except -1:
        """Point a product at its matrices in bfloat16, and at the product below."""
        cdef bf16_linear_t *below
        cdef pair_t *places[6]
        for k, place in enumerate(self.layout.copies[i]):
            places[<int>k] = <pair_t *>self.place(place)
        product.weight, product.weight_backward, product.inputs = places[0], places[1], places[2]
        product.inputs_samples, product.d_outputs, product.d_outputs_rows = places[3], places[4], places[5]
        # A product copies what it makes itself, unless other operations of the layer change it first.
        product.packs_outputs = not has_more
        if i > 0:
            below = <bf16_linear_t *>self.products[i - 1]
            product.below, below.above = below, product
            product.packs_gradient = below.packs_outputs
        return 0
