/* driver.c: small networks trained by the C core alone, without Python, and a hash of their parameters.
 *
 *   driver ISA THREADS
 *
 * prints a line for each network, type, solver and batch. It is built for another processor and run in an emulator,
 * and built with a sanitizer. The lists of operations are made as in fastmlp/engine/operations.pyx, and every member
 * of a team runs them as fastmlp/engine/walk.pyx and native.pyx do.
 */
#define _POSIX_C_SOURCE 200809L
#include "kernels/norms.h"
#include "operations.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    N_LAYERS = 3,
    N_STEPS = 4,
    MAX_BATCH = 50,
    STRIDE = 64,
    N_ROWS = 64,
    MOST_OPERATIONS = 30,
    MOST_ARRAYS = 200
};

typedef enum { NO_NORM, BATCH_NORM, LAYER_NORM } normalisation_t;

typedef struct {
    activation_kind_t activation;
    normalisation_t norm;
    double dropout;
    int is_frozen;
} layer_t;

typedef struct {
    layer_t layers[N_LAYERS];
    int has_bias, is_sparse, is_disturbed;
    int steps_at_once; /* the whole gradient first, then the step */
} network_t;

static const int64_t sizes[N_LAYERS + 1] = {37, 45, 18, 5};
static const network_t networks[] = {
    {{{ACTIVATION_RELU}, {ACTIVATION_TANH}, {ACTIVATION_IDENTITY}}},
    {{{ACTIVATION_GELU}, {ACTIVATION_ELU}, {ACTIVATION_IDENTITY}}},
    {{{ACTIVATION_MISH}, {ACTIVATION_SOFTPLUS}, {ACTIVATION_IDENTITY}}},
    {{{ACTIVATION_GELU, BATCH_NORM, 0.3}, {ACTIVATION_RELU, LAYER_NORM, 0.2}, {ACTIVATION_IDENTITY}}, 1},
    {{{ACTIVATION_PRELU, LAYER_NORM}, {ACTIVATION_SOFTMAX, BATCH_NORM, 0.4}, {ACTIVATION_IDENTITY}}, 1, 0, 1},
    {{{ACTIVATION_SOFTMAX}, {ACTIVATION_PRELU, NO_NORM, 0.3}, {ACTIVATION_IDENTITY, LAYER_NORM}}, 1, 1},
    {{{ACTIVATION_TANH, BATCH_NORM}, {ACTIVATION_RELU}, {ACTIVATION_IDENTITY, BATCH_NORM}}, 1, 1},
    {{{ACTIVATION_RELU, NO_NORM, 0, 1}, {ACTIVATION_SELU, BATCH_NORM, 0.1}, {ACTIVATION_TANH}}, 1, 0, 1, 1},
};
enum { N_NETWORKS = sizeof networks / sizeof *networks, N_PLAIN = 3 };

/* A network with everything that its operations point at. */
typedef struct {
    gather_t gather;
    union {
        linear_t linear;
        sparse_linear_t sparse;
    } products[N_LAYERS];
    transposition_t transpositions[N_LAYERS];
    bias_t biases[N_LAYERS];
    norm_t norms[N_LAYERS];
    activation_operation_t activations[N_LAYERS];
    prelu_t prelus[N_LAYERS];
    dropout_t dropouts[N_LAYERS];
    parameters_t parameters[N_LAYERS];
    objective_t objective;
    operation_t operations[MOST_OPERATIONS], loss;
    operation_type_t sparse_kind;
    int64_t n_operations;
    stage_t forward[MOST_OPERATIONS], backward[2 * MOST_OPERATIONS], losses[1];
    int64_t n_forward, n_backward;
    batch_t batch;
    int steps_at_once;
    int64_t rows[MAX_BATCH];
    int32_t labels[N_ROWS];
    void *arrays[MOST_ARRAYS];
    int n_arrays;
    size_t itemsize;
} net_t;

/* Zeros from the beginning of a cache line, which live as long as the net. */
static void *zeros(net_t *net, size_t n, size_t itemsize)
{
    void *memory = NULL;
    const size_t size = (n * itemsize + 63) / 64 * 64;
    if (net->n_arrays == MOST_ARRAYS || posix_memalign(&memory, 64, size))
        exit(2);
    net->arrays[net->n_arrays++] = memory;
    return memset(memory, 0, size);
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

static learned_t learned(net_t *net, size_t n_rows, size_t stride, int is_penalised)
{
    const size_t n = n_rows * stride + LANES;
    return (learned_t){zeros(net, n, net->itemsize),
                       zeros(net, n, net->itemsize),
                       {zeros(net, n, net->itemsize), zeros(net, n, net->itemsize)},
                       (int64_t)stride,
                       is_penalised};
}

static void add(net_t *net, const operation_type_t *type, const void *self, int64_t n_units, int64_t n_inputs,
                int is_trainable)
{
    net->operations[net->n_operations++] = (operation_t){type, self, n_units, n_inputs, is_trainable, 1};
}

static void learn(parameters_t *parameters, const learned_t *vector, double first, size_t itemsize)
{
    for (int64_t i = 0; i < parameters->n_units; i++)
        set(vector->value, (size_t)i, first + draw((uint32_t)(7000000 + i)), itemsize);
    parameters->learned[parameters->n_learned++] = vector;
}

static int lowest_trained(const network_t *network)
{
    int l = 0;
    while (network->layers[l].is_frozen)
        l++;
    return l;
}

static void add_layer(net_t *net, const network_t *network, const operations_t *kinds, int l)
{
    const layer_t *layer = &network->layers[l];
    const size_t itemsize = net->itemsize, n_out = (size_t)sizes[l + 1], n_in = (size_t)sizes[l];
    const size_t stride = (n_in + LANES - 1) / LANES * LANES;
    const int64_t units = (int64_t)n_out;
    const int trains = !layer->is_frozen, is_sparse = l == 0 && network->is_sparse;
    linear_t *linear = &net->products[l].linear, *below = l ? &net->products[l - 1].linear : NULL;
    parameters_t *parameters = &net->parameters[l];
    const activation_t identity = {ACTIVATION_IDENTITY, 0}, activation = {layer->activation, 0.5};
    const int is_applied = layer->norm == NO_NORM && layer->activation != ACTIVATION_SOFTMAX &&
                           layer->activation != ACTIVATION_PRELU && layer->dropout == 0;
    linear->n_in = sizes[l], linear->n_out = units;
    linear->weight = learned(net, n_out, stride, 1);
    for (size_t o = 0; o < n_out; o++)
        for (size_t k = 0; k < n_in; k++)
            set(linear->weight.value, o * stride + k,
                draw((uint32_t)(1000000 * (l + 1) + (int)(o * n_in + k))), itemsize);
    linear->activation = is_applied ? activation : identity;
    linear->input_activation = below ? below->activation : identity;
    linear->slopes = zeros(net, n_out * STRIDE, itemsize);
    linear->input_slopes = below ? below->slopes : NULL;
    linear->inputs = below ? below->outputs : zeros(net, n_in * STRIDE, itemsize);
    linear->inputs_rows = zeros(net, STRIDE * stride, itemsize);
    linear->outputs = zeros(net, n_out * STRIDE, itemsize);
    linear->d_outputs = zeros(net, n_out * STRIDE, itemsize);
    linear->d_inputs = l > lowest_trained(network) ? below->d_outputs : NULL; /* nothing below learns */
    linear->bias = zeros(net, n_out + LANES, itemsize);
    *parameters = (parameters_t){units, 1, {&linear->weight}, trains};
    if (l > 0) {
        net->transpositions[l] = (transposition_t){linear->inputs, (void *)linear->inputs_rows, linear->n_in,
                                                   linear->weight.stride};
        add(net, kinds->transposition, &net->transpositions[l], units, units, 0);
    }
    add(net, is_sparse ? &net->sparse_kind : kinds->linear, linear, units, linear->n_in, trains);
    if (!linear->d_inputs)
        net->operations[net->n_operations - 1].passes_gradient = 0;
    if (layer->norm != NO_NORM) {
        norm_t *norm = &net->norms[l];
        *norm = (norm_t){.n_units = units,
                         .scale = learned(net, n_out, 1, 0),
                         .bias = learned(net, n_out, 1, 0),
                         .z = linear->outputs,
                         .d_z = linear->d_outputs,
                         .normed = zeros(net, n_out * STRIDE, itemsize),
                         .inverse = zeros(net, STRIDE, itemsize),
                         .mean = zeros(net, STRIDE, itemsize),
                         .variance = zeros(net, STRIDE, itemsize),
                         .is_fixed = layer->is_frozen,
                         .epsilon = 1e-5};
        learn(parameters, &norm->bias, 0, itemsize);
        learn(parameters, &norm->scale, 1, itemsize);
        add(net, layer->norm == BATCH_NORM ? kinds->batch_norm : kinds->layer_norm, norm, units, units,
            trains);
        if (layer->norm == LAYER_NORM)
            add(net, kinds->norm_sums, norm, units, units, 0);
    } else if (network->has_bias) {
        net->biases[l] = (bias_t){learned(net, n_out, 1, 0), linear->d_outputs};
        linear->bias = net->biases[l].bias.value;
        learn(parameters, &net->biases[l].bias, 0, itemsize);
        add(net, kinds->bias, &net->biases[l], units, units, trains);
    }
    void *undropped = layer->dropout > 0 ? zeros(net, n_out * STRIDE, itemsize) : NULL;
    net->activations[l] =
        (activation_operation_t){activation, linear->outputs, linear->slopes, linear->d_outputs,
                                 undropped ? undropped : linear->outputs};
    if (layer->activation == ACTIVATION_PRELU) {
        net->prelus[l] =
            (prelu_t){learned(net, n_out, 1, 0), linear->outputs, linear->d_outputs, linear->slopes};
        learn(parameters, &net->prelus[l].slope, 0.5, itemsize);
        add(net, kinds->prelu, &net->prelus[l], units, units, trains);
    } else if (!is_applied && layer->activation != ACTIVATION_IDENTITY) {
        add(net, layer->activation == ACTIVATION_SOFTMAX ? kinds->softmax : kinds->activation,
            &net->activations[l], units, units, 0);
    }
    if (layer->dropout > 0) {
        net->dropouts[l] =
            (dropout_t){linear->outputs, linear->d_outputs, zeros(net, n_out * STRIDE, itemsize),
                        undropped,       layer->dropout,    (uint32_t)(STREAM_DROPOUT + N_STREAMS * l)};
        add(net, kinds->dropout, &net->dropouts[l], units, units, 0);
    }
    if (l == N_LAYERS - 1 && is_applied && layer->activation != ACTIVATION_IDENTITY)
        add(net, kinds->last_activation, &net->activations[l], units, units, 0);
}

/* Point the first product at sparse rows: a third of X, the rest of which becomes zero. */
static void make_sparse(net_t *net, const float *X)
{
    const size_t n = N_ROWS * (size_t)sizes[0];
    void *values = zeros(net, n, net->itemsize);
    int32_t *columns = zeros(net, n, sizeof *columns);
    int64_t *starts = zeros(net, N_ROWS + 1, sizeof *starts), n_values = 0;
    for (int64_t row = 0; row < N_ROWS; row++) {
        for (int64_t column = row % 3; column < sizes[0]; column += 3) {
            set(values, (size_t)n_values, X[row * sizes[0] + column], net->itemsize);
            columns[n_values++] = (int32_t)column;
        }
        starts[row + 1] = n_values;
    }
    net->products[0].sparse.x = (csr_t){values, columns, starts};
}

/* One step after the other, as native.pyx makes them. */
static void train(void *context, const member_t *member)
{
    net_t *net = context;
    batch_t batch = net->batch;
    for (int i = 0; i < N_STEPS; i++) {
        fastmlp_set_step(&batch.random, 12345, (uint64_t)i);
        batch.accumulate = net->steps_at_once;
        for (int l = 0; l < N_LAYERS && batch.accumulate; l++) {
            const parameters_t *layer = &net->parameters[l];
            const int64_t begin = share_begin(layer->n_units, member);
            batch.kernels->clear_gradient(layer, begin, share_end(layer->n_units, member) - begin);
        }
        fastmlp_run_stages(net->forward, net->n_forward, &batch, member);
        fastmlp_barrier(member);
        fastmlp_run_stages(net->losses, 1, &batch, member);
        fastmlp_barrier(member);
        fastmlp_run_stages(net->backward, net->n_backward, &batch, member);
        if (batch.accumulate) {
            fastmlp_barrier(member);
            batch.accumulate = 0;
            for (int l = 0; l < N_LAYERS; l++) {
                const parameters_t *layer = &net->parameters[l];
                const int64_t begin = share_begin(layer->n_units, member);
                if (layer->is_trainable)
                    batch.kernels->step_parameters(layer, begin, share_end(layer->n_units, member) - begin,
                                                   &batch.optimizer);
            }
        }
        fastmlp_barrier(member);
    }
}

static uint64_t hash_of(uint64_t hash, const void *array, size_t n)
{
    for (size_t i = 0; i < n; i++)
        hash = (hash ^ ((const unsigned char *)array)[i]) * 1099511628211u; /* FNV-1a */
    return hash;
}

static void run(isa_t isa, dtype_t dtype, int which, solver_t solver, int64_t n_samples, int n_threads)
{
    const network_t *network = &networks[which];
    const operations_t *kinds = fastmlp_operations(isa, dtype);
    net_t *net = calloc(1, sizeof *net);
    if (!net)
        exit(2);
    const size_t itemsize = net->itemsize = dtype == DTYPE_F32 ? sizeof(float) : sizeof(double);
    float *X = zeros(net, N_ROWS * (size_t)sizes[0], sizeof *X);
    for (size_t i = 0; i < N_ROWS * (size_t)sizes[0]; i++)
        X[i] = (float)draw((uint32_t)i);
    for (int64_t i = 0; i < MAX_BATCH; i++) {
        net->rows[i] = (i * 29) % N_ROWS;
        net->labels[net->rows[i]] = (int32_t)(i % sizes[N_LAYERS]);
    }
    net->steps_at_once = network->steps_at_once;
    net->batch = (batch_t){.dtype = dtype,
                           .kernels = fastmlp_kernels(isa, dtype),
                           .n_samples = n_samples,
                           .stride = STRIDE,
                           .rows = net->rows,
                           .norm_momentum = 0.1,
                           .weight = 1.0 / (double)n_samples,
                           .optimizer = {.solver = solver,
                                         .learning_rate = 0.1,
                                         .momentum = 0.9,
                                         .beta_1 = 0.9,
                                         .beta_2 = 0.999,
                                         .epsilon = 1e-8,
                                         .l2 = 0.01,
                                         .shrink = 1,
                                         .scale = 1,
                                         .nesterov = n_samples % 2}};
    net->sparse_kind = *kinds->sparse_linear;
    if (!network->is_sparse)
        add(net, kinds->gather, &net->gather, 0, 0, 0);
    int64_t first_trained = 0; /* operation */
    for (int l = 0; l < N_LAYERS; l++) {
        if (l == lowest_trained(network))
            first_trained = net->n_operations;
        add_layer(net, network, kinds, l);
    }
    const linear_t *first = &net->products[0].linear, *last = &net->products[N_LAYERS - 1].linear;
    net->gather = (gather_t){
        .source = {(const char *)X, SOURCE_F32, sizes[0], (ptrdiff_t)sizeof(float) * sizes[0], sizeof(float)},
        .n_features = sizes[0],
        .row_stride = first->weight.stride,
        .rows = (void *)first->inputs_rows,
        .columns = (void *)first->inputs,
        .keeps_rows = 1,
        .noise = network->is_disturbed ? 0.2 : 0,
        .dropout = network->is_disturbed ? 0.3 : 0};
    if (network->is_sparse)
        make_sparse(net, X);
    net->objective = (objective_t){.loss = {LOSS_CROSS_ENTROPY, &(double){0}, 1},
                                   .n_outputs = last->n_out,
                                   .outputs = last->outputs,
                                   .d_outputs = last->d_outputs,
                                   .labels = net->labels,
                                   .batch_targets = zeros(net, (size_t)last->n_out * STRIDE, itemsize),
                                   .losses = zeros(net, STRIDE, itemsize)};
    net->loss = (operation_t){kinds->loss, &net->objective, 0, 0, 0, 1};
    net->n_forward = fastmlp_plan_forward(net->forward, net->operations, net->n_operations);
    net->n_backward = fastmlp_plan_backward(net->backward, net->operations + first_trained,
                                            net->n_operations - first_trained);
    fastmlp_plan_forward(net->losses, &net->loss, 1);
    fastmlp_run_team(n_threads, 1, train, net);
    uint64_t hash = 14695981039346656037u;
    for (int l = 0; l < N_LAYERS; l++)
        for (int64_t k = 0; k < net->parameters[l].n_learned; k++) {
            const learned_t *part = net->parameters[l].learned[k];
            hash = hash_of(hash, part->value, (size_t)(sizes[l + 1] * part->stride) * itemsize);
        }
    printf("%s net %d solver %d batch %d %016llx\n", dtype == DTYPE_F32 ? "float32" : "float64", which,
           (int)solver, (int)n_samples, (unsigned long long)hash);
    for (int i = 0; i < net->n_arrays; i++)
        free(net->arrays[i]);
    free(net);
}

int main(int n_arguments, char **arguments)
{
    if (n_arguments != 3)
        return 2;
    for (isa_t isa = 0; isa < fastmlp_n_isas(); isa++)
        if (!strcmp(fastmlp_isa_name(isa), arguments[1]) && fastmlp_isa_available(isa)) {
            const int64_t batches[] = {1, 7, 33, 50};
            for (int dtype = 0; dtype < 2; dtype++)
                for (int which = 0; which < N_NETWORKS; which++)
                    for (int solver = 0; solver < 2; solver++)
                        for (size_t b = 0; b < 4; b++)
                            run(isa, (dtype_t)dtype, which, (solver_t)solver, batches[b], atoi(arguments[2]));
            return 0;
        }
    fprintf(stderr, "%s is not available here\n", arguments[1]);
    return 1;
}
