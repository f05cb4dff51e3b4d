/* driver.c: a small network trained by the C core alone, without Python, and a hash of its parameters.
 *
 *   driver ISA THREADS
 *
 * prints a line for each type and batch. It is built for another processor and run in an emulator, and
 * built with a sanitizer; the walk here follows fastmlp/engine/walk.pyx.
 */
#include "operations.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_LAYERS = 3, N_NETS = 3, N_STEPS = 4, MAX_BATCH = 50, STRIDE = 64, N_ROWS = 64 };

static const int64_t sizes[N_LAYERS + 1] = {37, 45, 18, 5};
static const activation_t activations[N_NETS][N_LAYERS] = {
    {ACTIVATION_RELU, ACTIVATION_TANH, ACTIVATION_IDENTITY},
    {ACTIVATION_GELU, ACTIVATION_ELU, ACTIVATION_IDENTITY},
    {ACTIVATION_MISH, ACTIVATION_SOFTPLUS, ACTIVATION_IDENTITY},
};

typedef struct {
    layer_t layers[N_LAYERS];
    step_t step;
    const operations_t *operations;
    source_t source;
    preparation_t preparation;
    int64_t rows[MAX_BATCH];
    int32_t labels[MAX_BATCH];
    void *losses;
    size_t itemsize;
} net_t;

static void *zeros(size_t n, size_t itemsize)
{
    void *memory = NULL;
    if (posix_memalign(&memory, 64, (n * itemsize + 63) / 64 * 64))
        exit(2);
    return memset(memory, 0, (n * itemsize + 63) / 64 * 64);
}

static double draw(uint32_t counter)
{
    uint32_t out[4];
    fastmlp_philox4x32(out, (uint32_t[4]){counter, 0, 0, 0}, (uint32_t[2]){7, 7});
    return (double)out[0] / 4294967296.0 - 0.5;
}

static void set(void *array, size_t i, double value, size_t itemsize)
{
    if (itemsize == sizeof(float))
        ((float *)array)[i] = (float)value;
    else
        ((double *)array)[i] = value;
}

static void train(void *context, const member_t *member)
{
    net_t *net = context;
    step_t step = net->step;
    const kernels_t *kernels = step.kernels;
    const int64_t n_strips = (step.n_samples + LANES - 1) / LANES;
    const int64_t start = LANES * share_begin(n_strips, member);
    int64_t end = LANES * share_end(n_strips, member);
    end = end < step.n_samples ? end : step.n_samples;
    const size_t skip = (size_t)start * net->itemsize;
    for (int i = 0; i < N_STEPS; i++) {
        for (int l = 0; l < N_LAYERS; l++) {
            layer_t *layer = &net->layers[l];
            char *inputs_rows = (char *)layer->inputs_rows + skip * (size_t)layer->weight_stride;
            if (l == 0) {
                kernels->gather_rows(inputs_rows, &net->source, net->rows + start, &net->preparation, end - start,
                                     layer->weight_stride);
                kernels->transpose((char *)layer->inputs + skip, inputs_rows, end - start, layer->n_in,
                                   step.stride, layer->weight_stride);
                fastmlp_barrier(member);
            } else {
                kernels->transpose(inputs_rows, (const char *)layer->inputs + skip, layer->n_in, end - start,
                                   layer->weight_stride, step.stride);
            }
            net->operations->linear_forward(layer, &step, member);
            fastmlp_barrier(member);
        }
        layer_t *last = &net->layers[N_LAYERS - 1];
        if (end > start)
            kernels->loss_gradient((char *)last->d_outputs + skip, (char *)net->losses + skip,
                                   (char *)last->outputs + skip, net->labels + start, last->n_out, end - start,
                                   step.stride, 1.0 / (double)step.n_samples,
                                   &(loss_t){LOSS_CROSS_ENTROPY, &(double){0}, 1});
        fastmlp_barrier(member);
        for (int l = N_LAYERS - 1; l >= 0; l--) {
            layer_t *layer = &net->layers[l];
            if (layer->d_inputs) {
                net->operations->linear_backward(layer, &step, member);
                fastmlp_barrier(member);
            }
            net->operations->linear_update(layer, &step, member);
        }
        fastmlp_barrier(member);
    }
}

static void run(isa_t isa, dtype_t dtype, int kind, solver_t solver, int64_t n_samples, int n_threads)
{
    net_t net = {.itemsize = dtype == DTYPE_F32 ? sizeof(float) : sizeof(double)};
    const size_t itemsize = net.itemsize;
    float *X = zeros(N_ROWS * (size_t)sizes[0], sizeof *X);
    for (size_t i = 0; i < N_ROWS * (size_t)sizes[0]; i++)
        X[i] = (float)draw((uint32_t)i);
    net.source = (source_t){(const char *)X, SOURCE_F32, sizes[0], (ptrdiff_t)sizeof(float) * sizes[0], sizeof(float)};
    net.step = (step_t){.dtype = dtype, .kernels = fastmlp_kernels(isa, dtype), .n_samples = n_samples, .stride = STRIDE,
                        .optimizer = {.solver = solver, .learning_rate = 0.1, .momentum = 0.9, .beta_1 = 0.9,
                                      .beta_2 = 0.999, .epsilon = 1e-8, .l2 = 0.01, .shrink = 1, .scale = 1, .nesterov = n_samples % 2}};
    net.operations = fastmlp_tile_operations(isa, dtype);
    net.losses = zeros(STRIDE, itemsize);
    for (int64_t i = 0; i < MAX_BATCH; i++) {
        net.rows[i] = (i * 29) % N_ROWS;
        net.labels[i] = (int32_t)(i % sizes[N_LAYERS]);
    }
    for (int l = 0; l < N_LAYERS; l++) {
        layer_t *layer = &net.layers[l];
        layer->n_in = sizes[l], layer->n_out = sizes[l + 1];
        layer->weight_stride = (layer->n_in + LANES - 1) / LANES * LANES;
        const size_t n_weights = (size_t)(layer->n_out * layer->weight_stride), n_out = (size_t)layer->n_out;
        layer->activation = activations[kind][l];
        layer->input_activation = l ? activations[kind][l - 1] : ACTIVATION_IDENTITY;
        layer->activation_parameter = layer->input_parameter = 0.5;
        layer->slopes = zeros(n_out * STRIDE, itemsize);
        layer->input_slopes = l ? net.layers[l - 1].slopes : NULL;
        layer->weight = zeros(n_weights, itemsize), layer->bias = zeros(n_out + LANES, itemsize);
        layer->d_weight = zeros(n_weights, itemsize);
        for (int m = 0; m < 2; m++)
            layer->moment_weight[m] = zeros(n_weights, itemsize);
        for (int64_t o = 0; o < layer->n_out; o++)
            for (int64_t k = 0; k < layer->n_in; k++)
                set(layer->weight, (size_t)(o * layer->weight_stride + k),
                    draw((uint32_t)(1000000 * (l + 1) + o * layer->n_in + k)), itemsize);
        layer->inputs = l ? net.layers[l - 1].outputs : zeros((size_t)layer->n_in * STRIDE, itemsize);
        layer->inputs_rows = zeros(STRIDE * (size_t)layer->weight_stride, itemsize);
        layer->outputs = zeros(n_out * STRIDE, itemsize);
        layer->d_outputs = zeros(n_out * STRIDE, itemsize);
        layer->d_inputs = l ? net.layers[l - 1].d_outputs : NULL;
    }
    fastmlp_run_team(n_threads, 1, train, &net);
    uint64_t hash = 14695981039346656037u; /* FNV-1a */
    for (int l = 0; l < N_LAYERS; l++)
        for (size_t i = 0; i < (size_t)(sizes[l + 1] * net.layers[l].weight_stride) * itemsize; i++)
            hash = (hash ^ ((const unsigned char *)net.layers[l].weight)[i]) * 1099511628211u;
    printf("%s net %d solver %d batch %d %016llx\n", dtype == DTYPE_F32 ? "float32" : "float64", kind, (int)solver,
           (int)n_samples, (unsigned long long)hash);
}

/* What the walk does to a layer's outputs, and what it does on the way back, for 33 units and 50 samples. */
static void finish(isa_t isa, dtype_t dtype)
{
    enum { N_UNITS = 33, N_SAMPLES = 50, N_BUFFERS = 5, N_VECTORS = 8 };
    const kernels_t *kernels = fastmlp_kernels(isa, dtype);
    const size_t itemsize = dtype == DTYPE_F32 ? sizeof(float) : sizeof(double);
    const random_t random = {{12345, 6789}, 3, STREAM_DROPOUT};
    void *matrix[N_BUFFERS], *vector[N_VECTORS];
    for (int m = 0; m < N_BUFFERS; m++) {
        matrix[m] = zeros(N_UNITS * STRIDE, itemsize);
        for (size_t i = 0; i < N_UNITS * STRIDE; i++)
            if (i % STRIDE < N_SAMPLES)
                set(matrix[m], i, 3 * draw((uint32_t)(5000000 + 100000 * m + i)), itemsize);
    }
    for (int v = 0; v < N_VECTORS; v++) {
        vector[v] = zeros(STRIDE, itemsize);
        for (size_t i = 0; i < STRIDE; i++)
            set(vector[v], i, 1 + draw((uint32_t)(9000000 + 100 * v + i)), itemsize);
    }
    void *z = matrix[0], *d = matrix[1], *normed = matrix[2], *factors = matrix[3], *rows = matrix[4];
    void *inverse = vector[0], *mean = vector[1], *variance = vector[2], *scale = vector[3], *bias = vector[4];
    void *slope = vector[5], *d_scale = vector[6], *d_bias = vector[7];
    kernels->batch_norm_forward(z, normed, inverse, mean, variance, scale, bias, N_UNITS, N_SAMPLES, STRIDE, 1e-5,
                                0.1, 0);
    kernels->batch_norm_backward(d, d_scale, d_bias, normed, inverse, scale, N_UNITS, N_SAMPLES, STRIDE, 0, 0);
    kernels->layer_norm_forward(z, normed, inverse, scale, bias, N_UNITS, N_SAMPLES, STRIDE, 1e-5);
    kernels->norm_sums(d_scale, d_bias, d, normed, N_UNITS, N_SAMPLES, STRIDE, 1);
    kernels->layer_norm_backward(d, normed, inverse, scale, N_UNITS, N_SAMPLES, STRIDE);
    kernels->prelu_forward(z, normed, slope, N_UNITS, N_SAMPLES, STRIDE);
    kernels->prelu_backward(d, slope, normed, slope, N_UNITS, N_SAMPLES, STRIDE, 1);
    kernels->dropout_forward(z, factors, NULL, &random, 5, 16, N_UNITS, N_SAMPLES, STRIDE, 0.3);
    kernels->dropout_backward(d, factors, N_UNITS, N_SAMPLES, STRIDE);
    kernels->input_dropout(rows, &random, 0, N_UNITS, N_SAMPLES, STRIDE, 0.3);
    kernels->input_noise(rows, &random, 0, N_UNITS, N_SAMPLES, STRIDE, 0.3);
    uint64_t hash = 14695981039346656037u;
    for (int m = 0; m < N_BUFFERS; m++)
        for (size_t i = 0; i < N_UNITS * STRIDE; i++)
            for (size_t k = 0; k < itemsize && i % STRIDE < N_SAMPLES; k++)
                hash = (hash ^ ((const unsigned char *)matrix[m])[i * itemsize + k]) * 1099511628211u;
    for (int v = 0; v < N_VECTORS; v++)
        for (size_t i = 0; i < N_UNITS * itemsize; i++)
            hash = (hash ^ ((const unsigned char *)vector[v])[i]) * 1099511628211u;
    printf("%s finish %016llx\n", dtype == DTYPE_F32 ? "float32" : "float64", (unsigned long long)hash);
    for (int m = 0; m < N_BUFFERS; m++)
        free(matrix[m]);
    for (int v = 0; v < N_VECTORS; v++)
        free(vector[v]);
}

int main(int n_arguments, char **arguments)
{
    if (n_arguments != 3)
        return 2;
    for (int isa = 0; isa < N_ISAS; isa++)
        if (!strcmp(fastmlp_isa_name((isa_t)isa), arguments[1]) && fastmlp_isa_available((isa_t)isa)) {
            const int64_t batches[] = {1, 7, 33, 50};
            for (int dtype = 0; dtype < 2; dtype++)
                for (int kind = 0; kind < N_NETS; kind++)
                    for (int solver = 0; solver < 2; solver++)
                        for (size_t b = 0; b < 4; b++)
                            run((isa_t)isa, (dtype_t)dtype, kind, (solver_t)solver, batches[b], atoi(arguments[2]));
            for (int dtype = 0; dtype < 2; dtype++)
                finish((isa_t)isa, (dtype_t)dtype);
            return 0;
        }
    fprintf(stderr, "%s is not available here\n", arguments[1]);
    return 1;
}
