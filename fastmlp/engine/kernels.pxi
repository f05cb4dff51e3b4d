cdef extern from "operations.h" nogil:
    ctypedef struct kernels_t:
        void (*gather_rows)(void *out, const source_t *source, const int64_t *rows, const preparation_t *preparation, int64_t n_rows, int64_t stride) noexcept nogil
        void (*gather_columns)(void *out, const source_t *source, const int64_t *rows, const preparation_t *preparation, int64_t n_rows, int64_t stride) noexcept nogil
        void (*scatter_rows)(void *out, const void *x, int64_t n_rows, int64_t n_samples, int64_t stride) noexcept nogil
        void (*activation_forward)(void *z, void *slopes, const void *scale, const void *bias, int64_t n_rows, int64_t n_samples, int64_t stride, activation_t activation) noexcept nogil
        void (*activation_backward)(void *d, const void *y, const void *slopes, int64_t n_rows, int64_t n_samples, int64_t stride, activation_t activation) noexcept nogil
        void (*loss_gradient)(void *d_x, void *losses, const void *x, const void *targets, int64_t n_rows, int64_t n_samples, int64_t stride, double weight, const loss_t *loss) noexcept nogil
        void (*weigh)(void *d, void *losses, const void *weights, int64_t n_rows, int64_t n_samples, int64_t stride) noexcept nogil
        void (*input_dropout)(void *x, const random_t *random, int64_t first_sample, int64_t n_samples, int64_t n_features, int64_t stride, double rate) noexcept nogil
        void (*input_noise)(void *x, const random_t *random, int64_t first_sample, int64_t n_samples, int64_t n_features, int64_t stride, double deviation) noexcept nogil
        void (*row_sums)(void *out, const void *x, int64_t n_rows, int64_t n_samples, int64_t stride, int accumulate) noexcept nogil
        double (*sum)(const void *x, int64_t n) noexcept nogil
        double (*sum_of_squares)(const void *x, int64_t n) noexcept nogil
        double (*sum_of_magnitudes)(const void *x, int64_t n) noexcept nogil
        int (*is_finite)(const void *x, int64_t n) noexcept nogil
        void (*solver_step)(void *w, void *moment_1, void *moment_2, const void *g, int64_t n_rows, int64_t n, int64_t stride, int64_t g_stride, const optimizer_t *optimizer) noexcept nogil
        void (*average)(void *mean, const void *w, int64_t n, double rest) noexcept nogil
        void (*transpose)(void *out, const void *x, int64_t n_rows, int64_t n_columns, int64_t out_stride, int64_t x_stride) noexcept nogil
        void (*sparse_forward)(void *z, const void *weight, const csr_t *x, const int64_t *rows, int64_t n_units, int64_t n_samples, int64_t stride, int64_t weight_stride) noexcept nogil
        void (*sparse_gradient)(void *g, const void *d, const csr_t *x, const int64_t *rows, int64_t n_samples) noexcept nogil
        void (*clear_gradient)(const parameters_t *layer, int64_t unit, int64_t n_units) noexcept nogil
        void (*penalise)(double *penalties, const parameters_t *layer, int64_t unit, int64_t n_units, double of_squares, double of_magnitudes) noexcept nogil
        void (*gradient_squares)(double *squares, const parameters_t *layer, int64_t unit, int64_t n_units) noexcept nogil
        void (*step_parameters)(const parameters_t *layer, int64_t unit, int64_t n_units, const optimizer_t *optimizer) noexcept nogil
    ctypedef struct operations_t:
        const operation_type_t *gather
        const operation_type_t *transposition
        const operation_type_t *linear
        const operation_type_t *sparse_linear
        const operation_type_t *bias
        const operation_type_t *batch_norm
        const operation_type_t *fold_norm
        const operation_type_t *layer_norm
        const operation_type_t *norm_sums
        const operation_type_t *activation
        const operation_type_t *softmax
        const operation_type_t *last_activation
        const operation_type_t *prelu
        const operation_type_t *dropout
        const operation_type_t *loss
