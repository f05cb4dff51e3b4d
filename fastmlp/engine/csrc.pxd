"""Declarations of the C core, csrc/*.h, where each name is explained."""

from libc.stddef cimport ptrdiff_t
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t


cdef extern from "fastmlp.h" nogil:
    enum: LANES
    ctypedef enum dtype_t: DTYPE_F32, DTYPE_F64
    ctypedef enum source_type_t: SOURCE_U8, SOURCE_F32, SOURCE_F64
    ctypedef enum isa_t: N_ISAS
    ctypedef enum activation_t:
        ACTIVATION_IDENTITY
        ACTIVATION_RELU
        ACTIVATION_TANH
        ACTIVATION_LOGISTIC
        ACTIVATION_SOFTMAX
        ACTIVATION_LEAKY_RELU
        ACTIVATION_ELU
        ACTIVATION_SELU
        ACTIVATION_GELU
        ACTIVATION_GELU_TANH
        ACTIVATION_SILU
        ACTIVATION_MISH
        ACTIVATION_SOFTPLUS
        ACTIVATION_PRELU
    ctypedef enum loss_t:
        LOSS_CROSS_ENTROPY
        LOSS_SOFT_CROSS_ENTROPY
        LOSS_BINARY_CROSS_ENTROPY
        LOSS_LOG_LIKELIHOOD
        LOSS_SQUARED_ERROR
        LOSS_ABSOLUTE_ERROR
        LOSS_HUBER
        LOSS_QUANTILE
        LOSS_POISSON
    ctypedef enum solver_t: SOLVER_SGD, SOLVER_ADAM, SOLVER_RMSPROP, SOLVER_ADAGRAD, SOLVER_ADADELTA

    ctypedef struct source_t:
        const char *data
        source_type_t type
        int64_t n_columns
        ptrdiff_t row_stride, column_stride

    ctypedef struct csr_t:
        const void *values
        const int32_t *columns
        const int64_t *starts

    ctypedef struct preparation_t:
        const void *center
        const void *scale
        const double *center_f64
        const double *scale_f64

    ctypedef struct augmentation_t:
        int64_t height, width, channels, pixels
        bint flip

    ctypedef struct random_t:
        uint32_t key[2]
        uint32_t step, stream

    ctypedef enum random_stream_t:
        STREAM_SHUFFLE, STREAM_AUGMENT, STREAM_INPUT_NOISE, STREAM_INPUT_DROPOUT, STREAM_DROPOUT, N_STREAMS

    ctypedef struct optimizer_t:
        solver_t solver
        bint nesterov
        double learning_rate, momentum, beta_1, beta_2, epsilon, l2, l1, shrink, scale, clip

    ctypedef struct kernels_t:
        void (*gather_rows)(void *, const source_t *, const int64_t *, const preparation_t *,
                            int64_t, int64_t) noexcept nogil
        void (*gather_columns)(void *, const source_t *, const int64_t *, const preparation_t *,
                               int64_t, int64_t) noexcept nogil
        void (*scatter_rows)(void *, const void *, int64_t, int64_t, int64_t) noexcept nogil
        void (*activation_forward)(void *, void *, const void *, const void *, int64_t, int64_t, int64_t,
                                   activation_t, double) noexcept nogil
        void (*activation_backward)(void *, const void *, const void *, int64_t, int64_t, int64_t,
                                    activation_t, double) noexcept nogil
        void (*cross_entropy)(void *, void *, const void *, const int32_t *,
                              int64_t, int64_t, int64_t, double, double) noexcept nogil
        void (*soft_cross_entropy)(void *, void *, const void *, const void *,
                                   int64_t, int64_t, int64_t, double, double) noexcept nogil
        void (*binary_cross_entropy)(void *, void *, const void *, const void *,
                                     int64_t, int64_t, int64_t, double) noexcept nogil
        void (*log_likelihood)(void *, void *, const void *, const void *,
                               int64_t, int64_t, int64_t, double) noexcept nogil
        void (*squared_error)(void *, void *, const void *, const void *,
                              int64_t, int64_t, int64_t, double) noexcept nogil
        void (*absolute_error)(void *, void *, const void *, const void *,
                               int64_t, int64_t, int64_t, double) noexcept nogil
        void (*huber)(void *, void *, const void *, const void *,
                      int64_t, int64_t, int64_t, double, double) noexcept nogil
        void (*quantile)(void *, void *, const void *, const void *, const double *,
                         int64_t, int64_t, int64_t, int64_t, double) noexcept nogil
        void (*poisson)(void *, void *, const void *, const void *,
                        int64_t, int64_t, int64_t, double) noexcept nogil
        void (*weigh)(void *, void *, const void *, int64_t, int64_t, int64_t) noexcept nogil
        void (*batch_norm_forward)(void *, void *, void *, void *, void *, const void *, const void *,
                                   int64_t, int64_t, int64_t, double, double, bint) noexcept nogil
        void (*batch_norm_backward)(void *, void *, void *, const void *, const void *, const void *,
                                    int64_t, int64_t, int64_t, bint, bint) noexcept nogil
        void (*fold_norm)(void *, void *, const void *, const void *, const void *, const void *,
                          int64_t, double) noexcept nogil
        void (*layer_norm_forward)(void *, void *, void *, const void *, const void *,
                                   int64_t, int64_t, int64_t, double) noexcept nogil
        void (*layer_norm_backward)(void *, const void *, const void *, const void *,
                                    int64_t, int64_t, int64_t) noexcept nogil
        void (*norm_sums)(void *, void *, const void *, const void *,
                          int64_t, int64_t, int64_t, bint) noexcept nogil
        void (*prelu_forward)(void *, void *, const void *, int64_t, int64_t, int64_t) noexcept nogil
        void (*prelu_backward)(void *, void *, const void *, const void *,
                               int64_t, int64_t, int64_t, bint) noexcept nogil
        void (*dropout_forward)(void *, void *, void *, const random_t *, int64_t, int64_t,
                                int64_t, int64_t, int64_t, double) noexcept nogil
        void (*dropout_backward)(void *, const void *, int64_t, int64_t, int64_t) noexcept nogil
        void (*input_dropout)(void *, const random_t *, int64_t, int64_t, int64_t, int64_t,
                              double) noexcept nogil
        void (*input_noise)(void *, const random_t *, int64_t, int64_t, int64_t, int64_t,
                            double) noexcept nogil
        void (*row_sums)(void *, const void *, int64_t, int64_t, int64_t, bint) noexcept nogil
        double (*sum)(const void *, int64_t) noexcept nogil
        double (*sum_of_squares)(const void *, int64_t) noexcept nogil
        double (*sum_of_magnitudes)(const void *, int64_t) noexcept nogil
        bint (*is_finite)(const void *, int64_t) noexcept nogil
        void (*solver_step)(void *, void *, void *, const void *, int64_t, int64_t, int64_t, int64_t,
                            const optimizer_t *) noexcept nogil
        void (*average)(void *, const void *, int64_t, double) noexcept nogil
        void (*transpose)(void *, const void *, int64_t, int64_t, int64_t, int64_t) noexcept nogil
        void (*sparse_forward)(void *, const void *, const csr_t *, const int64_t *, int64_t, int64_t,
                               int64_t, int64_t) noexcept nogil
        void (*sparse_gradient)(void *, const void *, const csr_t *, const int64_t *,
                                int64_t) noexcept nogil

    isa_t fastmlp_best_isa() noexcept
    const char *fastmlp_isa_name(isa_t) noexcept
    bint fastmlp_isa_available(isa_t) noexcept
    const kernels_t *fastmlp_kernels(isa_t, dtype_t) noexcept
    const char *fastmlp_compiler() noexcept
    uint64_t fastmlp_flush_denormals() noexcept
    void fastmlp_restore_denormals(uint64_t) noexcept
    double fastmlp_seconds() noexcept
    void fastmlp_philox4x32(uint32_t *, const uint32_t *, const uint32_t *) noexcept
    void fastmlp_shuffle(int64_t *, int64_t, uint64_t, uint64_t) noexcept
    int64_t fastmlp_swap_place(int64_t, int64_t, uint64_t, uint64_t) noexcept
    void fastmlp_set_step(random_t *, uint64_t, uint64_t) noexcept
    size_t fastmlp_source_size(source_type_t) noexcept
    void fastmlp_augment(void *, const source_t *, const int64_t *, int64_t, const augmentation_t *,
                         const random_t *, int64_t) noexcept


cdef extern from "team.h" nogil:
    """
    static const member_t ALONE = {0, 1, NULL}; /* who works without a team */
    """
    ctypedef struct member_t:
        int64_t index, count

    const member_t ALONE

    ctypedef struct flag_t:
        pass

    void flag_raise(flag_t *) noexcept
    bint flag_is_raised(const flag_t *) noexcept
    void flag_clear(flag_t *) noexcept

    int64_t share_begin(int64_t, const member_t *) noexcept
    int64_t share_end(int64_t, const member_t *) noexcept
    int fastmlp_run_team(int, bint, void (*)(void *, const member_t *) noexcept nogil, void *) noexcept
    void fastmlp_barrier(const member_t *) noexcept


cdef extern from "bfloat16.h" nogil:
    ctypedef uint32_t pair_t

    ctypedef struct bf16_layer_t:
        pair_t *weight
        pair_t *weight_backward
        pair_t *inputs
        pair_t *inputs_samples
        pair_t *d_outputs
        pair_t *d_outputs_rows


cdef extern from "walk.h" nogil:
    ctypedef enum norm_t: NORM_NONE, NORM_BATCH, NORM_LAYER

    ctypedef struct layer_t:
        int64_t n_in, n_out
        activation_t activation, input_activation
        double activation_parameter, input_parameter
        int64_t weight_stride
        void *weight
        void *d_weight
        void *moment_weight[2]
        const void *scale
        const void *bias
        const void *inputs
        const void *inputs_rows
        void *outputs
        void *slopes
        const void *input_slopes
        void *d_outputs
        void *d_inputs
        bf16_layer_t *forms
        bf16_layer_t *forms_above
        bf16_layer_t *forms_below
        bint is_plain
        norm_t norm
        bint norm_is_fixed
        void *normed
        void *inverse
        void *mean
        void *variance
        activation_t late_activation
        double dropout
        void *factors
        void *undropped
        uint32_t stream
        int64_t n_vectors, vector_stride
        void *vectors
        void *d_vectors
        void *moment_vectors[2]
        void *norm_scale
        void *d_norm_scale
        void *prelu_slope
        void *d_prelu_slope
        void *folded_scale
        void *folded_bias
        bint is_trainable

    ctypedef struct prefetch_t:
        const source_t *source
        const int64_t *rows
        int64_t n_rows, n_lines, row, byte

    ctypedef struct step_t:
        dtype_t dtype
        const kernels_t *kernels
        int64_t n_samples, stride
        const int64_t *rows
        bint accumulate
        optimizer_t optimizer
        prefetch_t *ahead
        random_t random
        double norm_momentum

    ctypedef struct operations_t:
        void (*linear_forward)(const layer_t *, const step_t *, const member_t *) noexcept nogil
        void (*linear_backward)(const layer_t *, const step_t *, const member_t *) noexcept nogil
        void (*linear_update)(const layer_t *, const step_t *, const member_t *) noexcept nogil
        void (*inputs_changed)(const layer_t *, const step_t *, const member_t *) noexcept nogil
        void (*outputs_changed)(const layer_t *, const step_t *, const member_t *) noexcept nogil
        void (*gradient_changed)(const layer_t *, const step_t *, const member_t *) noexcept nogil
        void (*weights_changed)(const layer_t *, const step_t *, const member_t *) noexcept nogil

    const operations_t *fastmlp_tile_operations(isa_t, dtype_t) noexcept
    const operations_t *fastmlp_bfloat16_operations() noexcept
