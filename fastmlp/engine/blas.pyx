"""The three matrix operations over SciPy's BLAS: float32 and float64, every platform, any shape.

Each is one product, with its bias and activation or its solver in a pass of their own. BLAS threads
the products itself. kernels.pyx has the faces of these functions that tests and lessons call.
"""

from cython cimport floating
from libc.stdint cimport int64_t
from scipy.linalg.cython_blas cimport dgemm, sgemm

from fastmlp.engine.csrc cimport (
    DTYPE_F32,
    SOLVER_SGD,
    kernels_t,
    layer_t,
    member_t,
    operations_t,
    optimizer_t,
    step_t,
)


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


cdef void forward(const layer_t *layer, const step_t *step, floating one) noexcept nogil:
    """outputs (n_out, n_samples) = weight (n_out, n_in) inputs (n_in, n_samples)."""
    cdef bint by_rows = layer.inputs == NULL
    gemm[floating](False, by_rows, layer.n_out, step.n_samples, layer.n_in,
                   one, <floating *>layer.weight, layer.weight_stride,
                   <floating *>(layer.inputs_rows if by_rows else layer.inputs),
                   layer.weight_stride if by_rows else step.stride,
                   0, <floating *>layer.outputs, step.stride)


cdef void backward(const layer_t *layer, const step_t *step, floating one) noexcept nogil:
    """d_inputs (n_in, n_samples) = weight^T d_outputs (n_out, n_samples)."""
    gemm[floating](True, False, layer.n_in, step.n_samples, layer.n_out,
                   one, <floating *>layer.weight, layer.weight_stride,
                   <floating *>layer.d_outputs, step.stride,
                   0, <floating *>layer.d_inputs, step.stride)


cdef void product(void *out, const layer_t *layer, const step_t *step,
                  floating alpha, floating beta) noexcept nogil:
    """out (n_out, n_in) = alpha d_outputs inputs^T + beta out."""
    cdef bint by_rows = layer.inputs == NULL
    gemm[floating](False, not by_rows, layer.n_out, layer.n_in, step.n_samples,
                   alpha, <floating *>layer.d_outputs, step.stride,
                   <floating *>(layer.inputs_rows if by_rows else layer.inputs),
                   layer.weight_stride if by_rows else step.stride,
                   beta, <floating *>out, layer.weight_stride)


cdef void weight_product(void *out, const layer_t *layer, const step_t *step,
                         double alpha, double beta) noexcept nogil:
    if step.dtype == DTYPE_F32:
        product[float](out, layer, step, <float>alpha, <float>beta)
    else:
        product[double](out, layer, step, alpha, beta)


cdef void linear_forward(const layer_t *layer, const step_t *step, const member_t *member) noexcept nogil:
    if step.dtype == DTYPE_F32:
        forward[float](layer, step, 1)
    else:
        forward[double](layer, step, 1)
    step.kernels.activation_forward(layer.outputs, layer.slopes, layer.scale, layer.bias, layer.n_out,
                                    step.n_samples, step.stride, layer.activation, layer.activation_parameter)


cdef void linear_backward(const layer_t *layer, const step_t *step, const member_t *member) noexcept nogil:
    if step.dtype == DTYPE_F32:
        backward[float](layer, step, 1)
    else:
        backward[double](layer, step, 1)
    step.kernels.activation_backward(layer.d_inputs, layer.inputs, layer.input_slopes, layer.n_in,
                                     step.n_samples, step.stride, layer.input_activation,  # identity for data
                                     layer.input_parameter)


cdef void linear_update(const layer_t *layer, const step_t *step, const member_t *member) noexcept nogil:
    """The gradient and the solver's step; for plain SGD both are one product, into the weights."""
    # With momentum the product could go straight into the velocity, V = momentum V - rate D X^T, but
    # BLAS then scales V in a pass of its own: 1 to 8 % more per step than d_weight and one fused pass
    # over weights and velocity (four nets, one and two threads, paired).
    cdef:
        int64_t n_weights = layer.n_out * layer.weight_stride  # the padding stays zero
        const kernels_t *kernels = step.kernels
        const optimizer_t *solver = &step.optimizer
        bint plain = (solver.solver == SOLVER_SGD and layer.moment_weight[0] == NULL and solver.l1 == 0
                      and solver.scale == 1 and solver.clip == 0)
    if step.accumulate:
        weight_product(layer.d_weight, layer, step, 1, 1)
        return
    if plain:
        # W = (shrink - rate l2) W - rate D X^T
        weight_product(layer.weight, layer, step,
                       -solver.learning_rate, solver.shrink - solver.learning_rate * solver.l2)
    else:
        weight_product(layer.d_weight, layer, step, 1, 0)
    if not plain:
        kernels.solver_step(layer.weight, layer.moment_weight[0], layer.moment_weight[1], layer.d_weight, 1,
                            n_weights, 0, 0, solver)


cdef operations_t table
table.linear_forward = linear_forward
table.linear_backward = linear_backward
table.linear_update = linear_update


cdef const operations_t *blas_operations() noexcept nogil:
    return &table
