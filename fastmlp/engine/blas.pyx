"""The matrix operations of a layer over SciPy's BLAS: float32 and float64, every platform, any shape.

Forward, backward and the fused step of stochastic gradient descent, as functions over typed memoryviews that
Python can call, and as the product of the compiled walk (engine "blas"), which calls the same bodies.
Matrices are feature-major, (units, samples): a column is a sample, as vectors of a processor run over the
samples. docs/matrix-operations.md trains a network with nothing else.
"""

import numpy as np

from cython cimport floating
from libc.stdint cimport int64_t
from libc.string cimport memset
from scipy.linalg.cython_blas cimport dgemm, sgemm

from fastmlp.engine.core cimport find_kernels
from fastmlp.engine.csrc cimport *

from fastmlp import activations
from fastmlp._support.checks import number
from fastmlp.engine import core, given
from fastmlp.engine.core import ACTIVATION_CODES
from fastmlp.engine.plan import LARGEST_SIZE, padded

ctypedef struct matrix_t:
    void *data
    int64_t n_rows, n_columns, stride  # elements from row to row


cdef inline matrix_t matrix(const void *data, int64_t n_rows, int64_t n_columns,
                            int64_t stride) noexcept nogil:
    cdef matrix_t out
    out.data, out.n_rows, out.n_columns, out.stride = <void *>data, n_rows, n_columns, stride
    return out


cdef inline void gemm(floating alpha, matrix_t a, bint transpose_a, matrix_t b, bint transpose_b,
                      floating beta, matrix_t c) noexcept nogil:
    """c = alpha op(a) op(b) + beta c, all row-major; sizes fit into an int."""
    # BLAS is column-major: it sees each matrix transposed, so c^T = op(b)^T op(a)^T.
    cdef:
        char op_a = b'T' if transpose_a else b'N'
        char op_b = b'T' if transpose_b else b'N'
        int rows = <int>c.n_columns, columns = <int>c.n_rows
        int inner = <int>(a.n_rows if transpose_a else a.n_columns)
        int ld_a = <int>a.stride, ld_b = <int>b.stride, ld_c = <int>c.stride
    if floating is float:
        sgemm(&op_b, &op_a, &rows, &columns, &inner, &alpha, <float *>b.data, &ld_b, <float *>a.data, &ld_a,
              &beta, <float *>c.data, &ld_c)
    else:
        dgemm(&op_b, &op_a, &rows, &columns, &inner, &alpha, <double *>b.data, &ld_b, <double *>a.data, &ld_a,
              &beta, <double *>c.data, &ld_c)


# The bodies. `by_rows`: the inputs lie sample by sample, (n_samples, n_in). The first argument is 1; it tells
# the type.

cdef void forward(floating one, matrix_t outputs, matrix_t weight, matrix_t inputs,
                  bint by_rows) noexcept nogil:
    """outputs (n_out, n_samples) = weight (n_out, n_in) inputs (n_in, n_samples)."""
    gemm(one, weight, False, inputs, by_rows, <floating>0, outputs)


cdef void backward(floating one, matrix_t d_inputs, matrix_t weight, matrix_t d_outputs) noexcept nogil:
    """d_inputs (n_in, n_samples) = weight^T d_outputs (n_out, n_samples)."""
    gemm(one, weight, True, d_outputs, False, <floating>0, d_inputs)


cdef void add_gradient(floating one, matrix_t gradient, matrix_t d_outputs, matrix_t inputs,
                       bint by_rows) noexcept nogil:
    """gradient (n_out, n_in) += d_outputs inputs^T."""
    gemm(one, d_outputs, False, inputs, not by_rows, one, gradient)


cdef void update(floating one, matrix_t weight, void *const *moments, matrix_t gradient, matrix_t d_outputs,
                 matrix_t inputs, bint by_rows, const optimizer_t *solver,
                 const kernels_t *kernels) noexcept nogil:
    """The gradient and the solver's step; plain gradient descent is one product, into the weights."""
    # With momentum the product could go straight into the velocity, V = momentum V - rate D X^T, but
    # BLAS then scales V in a pass of its own: 1 to 8 % more per step than a gradient and one fused pass
    # over weights and velocity (four nets, one and two threads, paired).
    if solver.solver == SOLVER_SGD and moments[0] == NULL and fastmlp_is_plain(solver):
        # W = (shrink - rate l2) W - rate D X^T
        gemm(<floating>-solver.learning_rate, d_outputs, False, inputs, not by_rows,
             <floating>(solver.shrink - solver.learning_rate * solver.l2), weight)
    else:
        gemm(one, d_outputs, False, inputs, not by_rows, <floating>0, gradient)
        kernels.solver_step(weight.data, moments[0], moments[1], gradient.data, weight.n_rows,
                            weight.n_columns, weight.stride, gradient.stride, solver)


# The operation of the walk. A team has one member: BLAS has threads of its own.

cdef inline matrix_t weights_of(const linear_t *linear) noexcept nogil:
    return matrix(linear.weight.value, linear.n_out, linear.n_in, linear.weight.stride)


cdef inline matrix_t inputs_of(const linear_t *linear, const batch_t *batch) noexcept nogil:
    if linear.inputs == NULL:  # by rows: the first layer's
        return matrix(linear.inputs_rows, batch.n_samples, linear.n_in, linear.weight.stride)
    return matrix(linear.inputs, linear.n_in, batch.n_samples, batch.stride)


cdef void product_forward(const void *operation, batch_t *batch, const block_t *block) noexcept nogil:
    cdef const linear_t *linear = <const linear_t *>operation
    cdef matrix_t outputs = matrix(linear.outputs, linear.n_out, batch.n_samples, batch.stride)
    cdef matrix_t weight = weights_of(linear), inputs = inputs_of(linear, batch)
    if batch.dtype == DTYPE_F32:
        forward[float](1, outputs, weight, inputs, linear.inputs == NULL)
    else:
        forward[double](1, outputs, weight, inputs, linear.inputs == NULL)
    batch.kernels.activation_forward(linear.outputs, linear.slopes, linear.scale, linear.bias, linear.n_out,
                                     batch.n_samples, batch.stride, linear.activation)


cdef void product_backward(const void *operation, batch_t *batch, const block_t *block) noexcept nogil:
    cdef const linear_t *linear = <const linear_t *>operation
    cdef matrix_t d_inputs = matrix(linear.d_inputs, linear.n_in, batch.n_samples, batch.stride)
    cdef matrix_t d_outputs = matrix(linear.d_outputs, linear.n_out, batch.n_samples, batch.stride)
    if batch.dtype == DTYPE_F32:
        backward[float](1, d_inputs, weights_of(linear), d_outputs)
    else:
        backward[double](1, d_inputs, weights_of(linear), d_outputs)
    batch.kernels.activation_backward(linear.d_inputs, linear.inputs, linear.input_slopes, linear.n_in,
                                      batch.n_samples, batch.stride, linear.input_activation)


cdef void product_update(const void *operation, batch_t *batch, const block_t *block) noexcept nogil:
    cdef:
        const linear_t *linear = <const linear_t *>operation
        bint by_rows = linear.inputs == NULL
        matrix_t weight = weights_of(linear), inputs = inputs_of(linear, batch)
        matrix_t gradient = matrix(linear.weight.gradient, linear.n_out, linear.n_in, linear.weight.stride)
        matrix_t d_outputs = matrix(linear.d_outputs, linear.n_out, batch.n_samples, batch.stride)
    if batch.dtype == DTYPE_F32 and batch.accumulate:
        add_gradient[float](1, gradient, d_outputs, inputs, by_rows)
    elif batch.accumulate:
        add_gradient[double](1, gradient, d_outputs, inputs, by_rows)
    elif batch.dtype == DTYPE_F32:
        update[float](1, weight, linear.weight.moments, gradient, d_outputs, inputs, by_rows,
                      &batch.optimizer, batch.kernels)
    else:
        update[double](1, weight, linear.weight.moments, gradient, d_outputs, inputs, by_rows,
                       &batch.optimizer, batch.kernels)


cdef operation_type_t product
product.forward.run, product.backward.run = product_forward, product_backward
product.update.run = product_update
product.forward.sharing = product.backward.sharing = product.update.sharing = BY_UNITS
product.forward.reads, product.backward.reads, product.update.reads = READS_ALL, READS_ALL, READS_OWN
product.forward.makes_matrix = product.backward.makes_matrix = True


cdef const operation_type_t *blas_product() noexcept nogil:
    return &product


# The public functions.

cdef const kernels_t *kernels_for(floating one) except NULL:
    return find_kernels(core.instruction_set(), DTYPE_F32 if floating is float else DTYPE_F64)


cdef matrix_t rows_of(const floating[:, :] x, name) except *:
    """Return a matrix whose rows are contiguous and lie one after the other, as BLAS reads them."""
    cdef int64_t itemsize = sizeof(floating), stride = x.strides[0]
    if x.shape[0] < 1 or x.shape[1] < 1 or max(x.shape[0], x.shape[1], stride) > LARGEST_SIZE:
        raise ValueError(f"{name} has shape ({x.shape[0]}, {x.shape[1]}); sizes go from 1 to {LARGEST_SIZE}.")
    if (x.shape[1] > 1 and x.strides[1] != itemsize
            or x.shape[0] > 1 and (stride < x.shape[1] * itemsize or stride % itemsize)):
        raise ValueError(
            f"the rows of {name} must be contiguous; numpy.ascontiguousarray({name}) makes them so.")
    return matrix(&x[0, 0], x.shape[0], x.shape[1], stride // itemsize if x.shape[0] > 1 else x.shape[1])


cdef activation_t activation_from(name) except *:
    cdef activation_t activation
    kind, activation.parameter = activations.split(activations.canonical(name))
    if kind == "prelu":
        raise ValueError(f"activation={name!r} learns its slope, and is an operation of its own.")
    activation.kind = <activation_kind_t><int>ACTIVATION_CODES[kind]
    return activation


def linear_forward(weight, bias, x, activation="identity"):
    """Return the outputs of a dense layer, activation(W x + b).

    Parameters
    ----------
    weight : ndarray of shape (n_out, n_in), float32 or float64
    bias : ndarray of shape (n_out,)
    x : ndarray of shape (n_in, n_samples)
        A column is a sample. All arrays have one type, and contiguous rows; they may be read-only.
    activation : str, default="identity"
        Any name of `fastmlp.activations` but "prelu".

    Returns
    -------
    ndarray of shape (n_out, n_samples)
        A view of a larger array: its rows are padded.

    Raises
    ------
    TypeError, ValueError
        If types or shapes do not go together, rows are not contiguous, or the activation is not known.

    Examples
    --------
    >>> import numpy as np
    >>> from fastmlp.engine.blas import linear_forward
    >>> linear_forward(np.array([[1.0, -2.0]]), np.array([0.5]), np.array([[1.0, 3.0], [2.0, 0.0]]), "relu")
    array([[0. , 3.5]])
    """
    given.one_type(weight=weight, bias=bias, x=x)
    given.shape("x", x.shape, (weight.shape[1], x.shape[1]), f"weight has {weight.shape[1]} columns")
    given.shape("bias", bias.shape, weight.shape[:1], f"weight has {weight.shape[0]} rows")
    return _forward(weight, bias, x, activation)


def _forward(const floating[:, :] weight, const floating[:] bias, const floating[:, :] x, activation):
    cdef:
        matrix_t w = rows_of(weight, "weight"), inputs = rows_of(x, "x"), outputs
        activation_t kind = activation_from(activation)
        const kernels_t *kernels = kernels_for(<floating>1)
    cdef const floating[::1] b = np.ascontiguousarray(bias)
    dtype = np.float32 if floating is float else np.float64
    out = np.zeros((weight.shape[0], padded(x.shape[1])), dtype=dtype)
    cdef floating[:, ::1] view = out
    outputs = matrix(&view[0, 0], weight.shape[0], x.shape[1], view.shape[1])
    with nogil:
        forward(<floating>1, outputs, w, inputs, False)
        kernels.activation_forward(outputs.data, NULL, NULL, &b[0], outputs.n_rows, outputs.n_columns,
                                   outputs.stride, kind)
    return out[:, : x.shape[1]]


def linear_backward(weight, d_y, x=None, activation="identity"):
    """Return the gradient of a dense layer's inputs, W^T d_y, or before the activation that made them.

    Parameters
    ----------
    weight : ndarray of shape (n_out, n_in), float32 or float64
    d_y : ndarray of shape (n_out, n_samples)
        The gradient of the loss with respect to W x + b.
    x : ndarray of shape (n_in, n_samples), optional
        The inputs x = activation(z). With them, the gradient with respect to z is returned,
        (W^T d_y) activation'(z).
    activation : str, default="identity"
        One whose values tell its derivative: not "prelu", "gelu", "gelu_tanh", "silu" or "mish".

    Returns
    -------
    ndarray of shape (n_in, n_samples)

    Raises
    ------
    TypeError, ValueError
        If types or shapes do not go together, rows are not contiguous, or the activation is not one of these.

    Examples
    --------
    >>> import numpy as np
    >>> from fastmlp.engine.blas import linear_backward
    >>> linear_backward(np.array([[1.0, -2.0]]), np.array([[3.0]]))
    array([[ 3.],
           [-6.]])
    """
    given.one_type(weight=weight, d_y=d_y, **({} if x is None else {"x": x}))
    given.shape("d_y", d_y.shape, (weight.shape[0], d_y.shape[1]), f"weight has {weight.shape[0]} rows")
    if x is not None:
        given.shape("x", x.shape, (weight.shape[1], d_y.shape[1]), "it is as the gradient that is returned")
    return _backward(weight, d_y, x, activation)


def _backward(const floating[:, :] weight, const floating[:, :] d_y, x, activation):
    cdef:
        matrix_t w = rows_of(weight, "weight"), d_outputs = rows_of(d_y, "d_y"), d_inputs
        activation_t kind = activation_from(activation)
        const kernels_t *kernels = kernels_for(<floating>1)
    dtype = np.float32 if floating is float else np.float64
    if activations.split(activations.canonical(activation))[0] in activations.WITH_SLOPES:
        raise ValueError(f"activation={activation!r}: its values do not tell its derivative.")
    if x is None and kind.kind != ACTIVATION_IDENTITY:
        raise ValueError(f"activation={activation!r} made x; its derivative needs x.")
    out = np.zeros((weight.shape[1], padded(d_y.shape[1])), dtype=dtype)
    values = np.zeros((0, 0), dtype=dtype)
    if x is not None:
        values = np.zeros_like(out)
        values[:, : d_y.shape[1]] = x
    cdef floating[:, ::1] view = out, y = values
    d_inputs = matrix(&view[0, 0], weight.shape[1], d_y.shape[1], view.shape[1])
    with nogil:
        backward(<floating>1, d_inputs, w, d_outputs)
        if y.shape[0]:
            kernels.activation_backward(d_inputs.data, &y[0, 0], NULL, d_inputs.n_rows, d_inputs.n_columns,
                                        d_inputs.stride, kind)
    return out[:, : d_y.shape[1]]


def linear_update(weight, bias, d_y, x, *, learning_rate, momentum=0.0, nesterov=False, velocity=None,
                  l2=0.0):
    """Make a step of stochastic gradient descent on a dense layer, in place.

    With G = d_y x^T + l2 W it is W <- W - learning_rate G: one product, straight into the weights. With a
    velocity V it is V <- momentum V - learning_rate G, W <- W + V, or with Nesterov's momentum W <- W +
    momentum V - learning_rate G (I. Sutskever et al., "On the importance of initialization and momentum in
    deep learning", 2013): a product, and one pass over W and V. The same for b, whose gradient is the sum of
    d_y over the samples, without l2.

    Parameters
    ----------
    weight : ndarray of shape (n_out, n_in), float32 or float64
        Overwritten.
    bias : ndarray of shape (n_out,)
        Overwritten.
    d_y : ndarray of shape (n_out, n_samples)
        The gradient of the loss with respect to W x + b.
    x : ndarray of shape (n_in, n_samples)
        The inputs.
    learning_rate : float
    momentum : float, default=0.0
        From 0 to 1; above 0 it takes a velocity.
    nesterov : bool, default=False
    velocity : (ndarray, ndarray), optional
        Like weight and bias; zeros at first. Overwritten.
    l2 : float, default=0.0
        The gradient of the weights gains l2 times them.

    Raises
    ------
    TypeError, ValueError
        If types or shapes do not go together, rows are not contiguous, arrays overlap, or a number is out of
        range.

    Examples
    --------
    >>> import numpy as np
    >>> from fastmlp.engine.blas import linear_update
    >>> weight, bias = np.ones((1, 2)), np.zeros(1)
    >>> linear_update(weight, bias, np.array([[1.0]]), np.array([[1.0], [2.0]]), learning_rate=0.5)
    >>> weight, bias
    (array([[0.5, 0. ]]), array([-0.5]))
    """
    given.one_type(weight=weight, bias=bias, d_y=d_y, x=x)
    given.shape("x", x.shape, (weight.shape[1], x.shape[1]), f"weight has {weight.shape[1]} columns")
    given.shape("bias", bias.shape, weight.shape[:1], f"weight has {weight.shape[0]} rows")
    given.shape("d_y", d_y.shape, (weight.shape[0], x.shape[1]), "it is as the outputs")
    number("learning_rate", learning_rate, at_least=0)
    number("momentum", momentum, at_least=0, at_most=1)
    number("l2", l2, at_least=0)
    written = {"weight": weight, "bias": bias}
    if velocity is not None:
        given.one_type(weight=weight, velocity_weight=velocity[0], velocity_bias=velocity[1])
        given.shape("velocity[0]", velocity[0].shape, weight.shape, "it is like weight")
        given.shape("velocity[1]", velocity[1].shape, bias.shape, "it is like bias")
        written |= {"velocity[0]": velocity[0], "velocity[1]": velocity[1]}
    elif momentum > 0:
        raise ValueError(f"momentum={momentum} needs a velocity: two arrays of zeros like weight and bias.")
    given.apart(written, {"d_y": d_y, "x": x})
    _update(weight, bias, d_y, x, velocity, learning_rate, momentum, nesterov, l2)


def _update(floating[:, :] weight, floating[::1] bias, const floating[:, :] d_y, const floating[:, :] x,
            velocity, double learning_rate, double momentum, bint nesterov, double l2):
    cdef:
        matrix_t w = rows_of(weight, "weight"), d_outputs = rows_of(d_y, "d_y"), inputs = rows_of(x, "x")
        matrix_t gradient
        const kernels_t *kernels = kernels_for(<floating>1)
        floating[:, ::1] gradient_view
        floating[:, :] velocity_weight
        floating[::1] d_bias, velocity_bias
        optimizer_t solver
        void *moments[2]
        void *bias_moment = NULL
    memset(&solver, 0, sizeof(solver))
    memset(moments, 0, sizeof(moments))
    solver.solver, solver.nesterov = SOLVER_SGD, nesterov
    solver.learning_rate, solver.momentum = learning_rate, momentum
    solver.l2, solver.shrink, solver.scale = l2, 1, 1
    dtype = np.float32 if floating is float else np.float64
    d_bias = np.empty(weight.shape[0], dtype=dtype)
    gradient = matrix(NULL, w.n_rows, w.n_columns, w.n_columns)
    if velocity is not None:
        velocity_weight, velocity_bias = velocity
        if rows_of(velocity_weight, "velocity[0]").stride != w.stride:
            raise ValueError("weight and velocity[0] must have the same strides.")
        moments[0], bias_moment = &velocity_weight[0, 0], &velocity_bias[0]
        gradient_view = np.empty((weight.shape[0], weight.shape[1]), dtype=dtype)
        gradient.data = &gradient_view[0, 0]
    with nogil:
        update(<floating>1, w, moments, gradient, d_outputs, inputs, False, &solver, kernels)
        kernels.row_sums(&d_bias[0], d_outputs.data, d_outputs.n_rows, d_outputs.n_columns,
                         d_outputs.stride, False)
        solver.l2 = 0  # penalties are for weights
        kernels.solver_step(&bias[0], bias_moment, NULL, &d_bias[0], 1, w.n_rows, 0, 0, &solver)
