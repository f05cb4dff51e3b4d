/* bodies.inc.c: every operation for one type and one instruction set, and the table that names them. */
#include "elementary.inc.c"
#include "gather.inc.c"
#include "activations.inc.c"
#include "losses.inc.c"
#include "sums.inc.c"
#include "norms.inc.c"
#include "random.inc.c"
#include "optimizers.inc.c"
#include "transpose.inc.c"
#include "few.inc.c"
#include "sparse.inc.c"
#include "tiles.inc.c"

const kernels_t PASTE(kernels_, ISA, , NAME()) = {
    .gather_rows = NAME(gather_rows),
    .gather_columns = NAME(gather_columns),
    .scatter_rows = NAME(scatter_rows),
    .activation_forward = NAME(activation_forward),
    .activation_backward = NAME(activation_backward),
    .cross_entropy = NAME(cross_entropy),
    .soft_cross_entropy = NAME(soft_cross_entropy),
    .binary_cross_entropy = NAME(binary_cross_entropy),
    .log_likelihood = NAME(log_likelihood),
    .squared_error = NAME(squared_error),
    .absolute_error = NAME(absolute_error),
    .huber = NAME(huber),
    .quantile = NAME(quantile),
    .poisson = NAME(poisson),
    .weigh = NAME(weigh),
    .batch_norm_forward = NAME(batch_norm_forward),
    .batch_norm_backward = NAME(batch_norm_backward),
    .fold_norm = NAME(fold_norm),
    .layer_norm_forward = NAME(layer_norm_forward),
    .layer_norm_backward = NAME(layer_norm_backward),
    .norm_sums = NAME(norm_sums),
    .prelu_forward = NAME(prelu_forward),
    .prelu_backward = NAME(prelu_backward),
    .dropout_forward = NAME(dropout_forward),
    .dropout_backward = NAME(dropout_backward),
    .input_dropout = NAME(input_dropout),
    .input_noise = NAME(input_noise),
    .row_sums = NAME(row_sums),
    .sum = NAME(sum),
    .sum_of_squares = NAME(sum_of_squares),
    .sum_of_magnitudes = NAME(sum_of_magnitudes),
    .is_finite = NAME(is_finite),
    .solver_step = NAME(solver_step),
    .average = NAME(average),
    .transpose = NAME(transpose),
    .sparse_forward = NAME(sparse_forward),
    .sparse_gradient = NAME(sparse_gradient),
};

const operations_t PASTE(tile_, ISA, , NAME()) = {
    .linear_forward = NAME(tile_forward),
    .linear_backward = NAME(tile_backward),
    .linear_update = NAME(tile_update),
};
