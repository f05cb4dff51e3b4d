"""The three matrix operations over SciPy's BLAS: float32 and float64, every platform, any shape.

Each is one product, with its bias and activation or its solver in a pass of their own. BLAS threads
the products itself. kernels.pyx has the faces of these functions that tests and lessons call.
"""

from cython cimport floating
from libc.stdint cimport int64_t
from scipy.linalg.cython_blas cimport dgemm, sgemm

from fastmlp.engine.csrc cimport *


cdef inline void gemm(bint transpose_a, bint transpose_b, int64_t m, int64_t n, int64_t k,
                      floating alpha, const floating *a, int64_t stride_a,
                      const floating *b, int64_t stride_b,
                      floating beta, floating *c, int64_t stride_c) noexcept nogil:
    """c (m, n) = alpha op(a) op(b) + beta c, all row-major; the plan keeps sizes within an int."""
    # BLAS is column-major: it sees each matrix transposed, so c^T = op(b)^T op(a)^T.
    cdef:
        char op_a = b'T' if transpose_a else b'N'
        char op_b = b'T' if transpose_b else b'N'
        int rows = <int>n, columns = <int>m, inner = <int>k
        int ld_a = <int>stride_a, ld_b = <int>stride_b, ld_c = <int>stride_c
    # SciPy's declarations lack const; BLAS does not write a and b.
    if floating is float:
        sgemm(&op_b, &op_a, &rows, &columns, &inner, &alpha, <float *>b, &ld_b, <float *>a, &ld_a,
              &beta, c, &ld_c)
    else:
        dgemm(&op_b, &op_a, &rows, &columns, &inner, &alpha, <double *>b, &ld_b, <double *>a, &ld_a,
              &beta, c, &ld_c)


cdef void forward(const linear_t *layer, const batch_t *batch, floating one) noexcept nogil:
    """outputs (n_out, n_samples) = weight (n_out, n_in) inputs (n_in, n_samples)."""
    cdef bint by_rows = layer.inputs == NULL
    gemm[floating](False, by_rows, layer.n_out, batch.n_samples, layer.n_in,
                   one, <floating *>layer.weight.value, layer.weight.stride,
                   <floating *>(layer.inputs_rows if by_rows else layer.inputs),
                   layer.weight.stride if by_rows else batch.stride,
                   0, <floating *>layer.outputs, batch.stride)


cdef void backward(const linear_t *layer, const batch_t *batch, floating one) noexcept nogil:
    """d_inputs (n_in, n_samples) = weight^T d_outputs (n_out, n_samples)."""
    gemm[floating](True, False, layer.n_in, batch.n_samples, layer.n_out,
                   one, <floating *>layer.weight.value, layer.weight.stride,
                   <floating *>layer.d_outputs, batch.stride,
                   0, <floating *>layer.d_inputs, batch.stride)


cdef void product(void *out, const linear_t *layer, const batch_t *batch,
                  floating alpha, floating beta) noexcept nogil:
    """out (n_out, n_in) = alpha d_outputs inputs^T + beta out."""
    cdef bint by_rows = layer.inputs == NULL
    gemm[floating](False, not by_rows, layer.n_out, layer.n_in, batch.n_samples,
                   alpha, <floating *>layer.d_outputs, batch.stride,
                   <floating *>(layer.inputs_rows if by_rows else layer.inputs),
                   layer.weight.stride if by_rows else batch.stride,
                   beta, <floating *>out, layer.weight.stride)


cdef void weight_product(void *out, const linear_t *layer, const batch_t *batch,
                         double alpha, double beta) noexcept nogil:
    if batch.dtype == DTYPE_F32:
        product[float](out, layer, batch, <float>alpha, <float>beta)
    else:
        product[double](out, layer, batch, alpha, beta)


cdef void linear_forward(const void *operation, batch_t *batch, const block_t *block) noexcept nogil:
    cdef const linear_t *layer = <const linear_t *>operation
    if batch.dtype == DTYPE_F32:
        forward[float](layer, batch, 1)
    else:
        forward[double](layer, batch, 1)
    batch.kernels.activation_forward(layer.outputs, layer.slopes, layer.scale, layer.bias, layer.n_out,
                                     batch.n_samples, batch.stride, layer.activation)


cdef void linear_backward(const void *operation, batch_t *batch, const block_t *block) noexcept nogil:
    cdef const linear_t *layer = <const linear_t *>operation
    if batch.dtype == DTYPE_F32:
        backward[float](layer, batch, 1)
    else:
        backward[double](layer, batch, 1)
    batch.kernels.activation_backward(layer.d_inputs, layer.inputs, layer.input_slopes, layer.n_in,
                                      batch.n_samples, batch.stride, layer.input_activation)


cdef void linear_update(const void *operation, batch_t *batch, const block_t *block) noexcept nogil:
    """The gradient and the solver's step; for plain SGD both are one product, into the weights."""
    # With momentum the product could go straight into the velocity, V = momentum V - rate D X^T, but
    # BLAS then scales V in a pass of its own: 1 to 8 % more per step than d_weight and one fused pass
    # over weights and velocity (four nets, one and two threads, paired).
    cdef:
        const linear_t *layer = <const linear_t *>operation
        int64_t n_weights = layer.n_out * layer.weight.stride  # the padding stays zero
        const optimizer_t *solver = &batch.optimizer
    if batch.accumulate:
        weight_product(layer.weight.gradient, layer, batch, 1, 1)
    elif (solver.solver == SOLVER_SGD and layer.weight.moments[0] == NULL and fastmlp_is_plain(solver)):
        # W = (shrink - rate l2) W - rate D X^T
        weight_product(layer.weight.value, layer, batch,
                       -solver.learning_rate, solver.shrink - solver.learning_rate * solver.l2)
    else:
        weight_product(layer.weight.gradient, layer, batch, 1, 0)
        batch.kernels.solver_step(layer.weight.value, layer.weight.moments[0], layer.weight.moments[1],
                                  layer.weight.gradient, 1, n_weights, 0, 0, solver)


cdef operation_type_t product_type
product_type.forward.run, product_type.backward.run = linear_forward, linear_backward
product_type.update.run = linear_update
product_type.forward.sharing = product_type.backward.sharing = product_type.update.sharing = BY_UNITS
product_type.forward.reads = product_type.backward.reads = READS_ALL
product_type.update.reads = READS_OWN
product_type.forward.makes_matrix = product_type.backward.makes_matrix = True


cdef const operation_type_t *blas_product() noexcept nogil:
    return &product_type
