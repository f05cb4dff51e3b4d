"""Declarations of the C core, csrc/*.h, where each name is explained."""

from libc.stddef cimport ptrdiff_t
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t


cdef extern from "fastmlp.h" nogil:
    enum: LANES
    ctypedef enum dtype_t: DTYPE_F32, DTYPE_F64
    ctypedef enum source_type_t: SOURCE_U8, SOURCE_F32, SOURCE_F64
    ctypedef int isa_t
    # Of the choices by name only those that the walk or a fit treats in a way of their own; core.pyx has all.
    ctypedef enum activation_kind_t:
        ACTIVATION_IDENTITY
        ACTIVATION_LOGISTIC
        ACTIVATION_SOFTMAX
        ACTIVATION_PRELU
    ctypedef enum loss_kind_t: LOSS_CROSS_ENTROPY, LOSS_SOFT_CROSS_ENTROPY
    ctypedef enum solver_t: SOLVER_SGD, SOLVER_ADAM

    ctypedef struct activation_t:
        activation_kind_t kind
        double parameter

    ctypedef struct loss_t:
        loss_kind_t kind
        const double *numbers
        int64_t n_numbers

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

    bint fastmlp_is_plain(const optimizer_t *) noexcept
    int fastmlp_n_isas() noexcept
    const char *fastmlp_isa_name(isa_t) noexcept
    bint fastmlp_isa_available(isa_t) noexcept
    bint fastmlp_has_bfloat16() noexcept
    const char *fastmlp_activation_name(int) noexcept
    const char *fastmlp_loss_name(int) noexcept
    const char *fastmlp_solver_name(int) noexcept
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
    ctypedef struct team_t
    ctypedef struct member_t:
        int64_t index, count
        team_t *team

    ctypedef struct flag_t:
        pass

    void flag_clear(flag_t *) noexcept
    void flag_raise(flag_t *) noexcept
    bint flag_is_raised(const flag_t *) noexcept
    int64_t share_begin(int64_t, const member_t *) noexcept
    int64_t share_end(int64_t, const member_t *) noexcept
    int fastmlp_run_team(int, bint, void (*)(void *, const member_t *) noexcept nogil, void *) noexcept
    void fastmlp_barrier(const member_t *) noexcept


cdef extern from "operations.h" nogil:
    ctypedef struct kernels_t  # see the end

    ctypedef struct prefetch_t:
        const source_t *source
        const int64_t *rows
        int64_t n_rows, n_lines, row, byte

    ctypedef struct batch_t:
        dtype_t dtype
        const kernels_t *kernels
        int64_t n_samples, stride
        const int64_t *rows
        bint accumulate
        optimizer_t optimizer
        prefetch_t *ahead
        random_t random
        double norm_momentum, weight
        bint is_finite

    ctypedef struct block_t:
        int64_t unit, n_units, sample, n_samples, member

    ctypedef enum sharing_t: BY_UNITS, BY_PAIRS, BY_STRIPS, BY_EITHER
    ctypedef enum access_t: READS_OWN, READS_ALL, READS_NONE

    ctypedef struct pass_t:
        void (*run)(const void *, batch_t *, const block_t *) noexcept nogil
        sharing_t sharing
        access_t reads
        bint makes_matrix

    ctypedef struct operation_type_t:
        pass_t forward, backward, update, refresh

    ctypedef struct operation_t:
        const operation_type_t *type
        const void *self
        int64_t n_units, n_inputs
        bint is_trainable, passes_gradient

    ctypedef struct stage_t:
        const void *self

    int64_t fastmlp_plan_forward(stage_t *, const operation_t *, int64_t) noexcept
    int64_t fastmlp_plan_backward(stage_t *, const operation_t *, int64_t) noexcept
    int64_t fastmlp_plan_refresh(stage_t *, const operation_t *, int64_t) noexcept
    void fastmlp_run_stages(const stage_t *, int64_t, batch_t *, const member_t *) noexcept
    int64_t strip_begin(int64_t, const member_t *) noexcept
    int64_t strip_end(int64_t, const member_t *) noexcept

    ctypedef struct learned_t:
        void *value
        void *gradient
        void *moments[2]
        int64_t stride
        bint is_penalised

    ctypedef struct parameters_t:
        int64_t n_units, n_learned
        const learned_t *learned[4]
        bint is_trainable

    ctypedef struct gather_t:
        source_t source
        preparation_t preparation
        int64_t n_features, row_stride
        void *rows
        void *columns
        bint keeps_rows, is_checked, in_place
        double noise, dropout
        augmentation_t augmentation
        void *augmented
        const int64_t *in_order

    void fastmlp_look_ahead(prefetch_t *, const gather_t *, const member_t *, const int64_t *,
                            int64_t) noexcept

    ctypedef struct linear_t:
        int64_t n_in, n_out
        learned_t weight
        const void *scale
        const void *bias
        activation_t activation, input_activation
        const void *inputs
        const void *inputs_rows
        void *outputs
        void *slopes
        const void *input_slopes
        void *d_outputs
        void *d_inputs

    ctypedef struct sparse_linear_t:
        linear_t linear
        csr_t x

    ctypedef struct transposition_t:
        const void *inputs
        void *rows
        int64_t n, row_stride

    ctypedef struct bias_t:
        learned_t bias
        const void *d_outputs

    ctypedef struct activation_operation_t:
        activation_t activation
        void *outputs
        void *slopes
        void *d_outputs
        const void *y

    ctypedef struct dropout_t:
        void *outputs
        void *d_outputs
        void *factors
        void *undropped
        double rate
        uint32_t stream

    ctypedef struct objective_t:
        loss_t loss
        int64_t n_outputs
        const void *outputs
        void *d_outputs
        const int32_t *labels
        source_t targets
        preparation_t preparation
        source_t sample_weight
        void *batch_targets
        void *batch_weights
        void *losses


cdef extern from "kernels/norms.h" nogil:
    ctypedef struct norm_t:
        int64_t n_units
        learned_t scale, bias
        void *z
        void *d_z
        void *normed
        void *inverse
        void *mean
        void *variance
        bint is_fixed
        double epsilon
        void *folded_scale
        void *folded_bias

    ctypedef struct prelu_t:
        learned_t slope
        void *outputs
        void *d_outputs
        void *kept


# What follows lists every kernel and operation; setup.py makes it from csrc/kernels.def.
include "kernels.pxi"


cdef extern from "operations.h" nogil:
    const kernels_t *fastmlp_kernels(isa_t, dtype_t) noexcept
    const operations_t *fastmlp_operations(isa_t, dtype_t) noexcept


cdef extern from "bfloat16.h" nogil:
    ctypedef uint32_t pair_t

    ctypedef struct bf16_linear_t:
        linear_t linear
        pair_t *weight
        pair_t *weight_backward
        pair_t *inputs
        pair_t *inputs_samples
        pair_t *d_outputs
        pair_t *d_outputs_rows
        const bf16_linear_t *above
        const bf16_linear_t *below
        bint packs_outputs, packs_gradient

    ctypedef struct bf16_operations_t:
        const operation_type_t *linear
        const operation_type_t *pack_inputs
        const operation_type_t *pack_outputs
        const operation_type_t *pack_gradient

    const bf16_operations_t *fastmlp_bfloat16_operations() noexcept
