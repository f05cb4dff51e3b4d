"""The compiled engine: a fit in progress, by the walk of walk.pyx; passes.pyx has predictions and gradients.

A slice of an epoch is one ``nogil`` call, made by a team of threads that ends with it. How many threads is
measured, not guessed: bits do not depend on it, so now and then a few batches are timed on each candidate.
"""

import numpy as np

from cpython.mem cimport PyMem_Free, PyMem_Malloc
from libc.math cimport isfinite, pow, sqrt
from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memcpy

from fastmlp.engine.core cimport (
    ALONE,
    barrier,
    flush_denormals,
    restore_denormals,
    run_team,
    seconds,
    source_size,
)
from fastmlp.engine.csrc cimport *
from fastmlp.engine.update cimport (
    clear_gradient,
    gradient_norm,
    penalise_weights,
    step_all,
    sum_penalties,
)
from fastmlp.engine.walk cimport (
    Walk,
    backward,
    forward as walk_forward,
    loss_gradient,
    refresh,
    walk_t,
    weight_of_batch,
)

from fastmlp.engine import core, given
from fastmlp.engine.core import SOLVER_CODES
from fastmlp.engine.passes import forward, gradients, is_finite  # no-cython-lint: the rest of the engine's face
from fastmlp.engine.plan import aligned_zeros

cdef double CLIP_EPSILON = 1e-6  # PyTorch's, when it cuts a gradient to a norm

# A look at a number of threads; and how much longer than all looks together the verdict of two at each holds:
# what other programs do to the cores changes. The first verdict of a fit, made while processors wake up and
# memory is touched for the first time, holds a tenth as long.
cdef double TRIAL_SECONDS = 2e-3
cdef double VERDICT_SECONDS = 2.0
cdef double VERDICT_RATIO = 50.0

# What the last fit of the same plan, batch and threads found: the next one begins with it. The keys are
# hashes, so that no plan is kept, and all are forgotten when there are many: some 100 KB.
cdef dict VERDICTS = {}
cdef enum:
    MAX_VERDICTS = 1000


ctypedef struct run_t:
    # What a slice of training reads, and where it is. Each member works on a copy of its own; all copies
    # go through the same batches and sums, so that nobody has to tell the others.
    const walk_t *walk
    batch_t batch
    const int64_t *order
    int64_t n_rows, batch_size, n_done, n_batches, n_steps
    int64_t end_batch  # of the slice at the latest
    const double *rates
    const double *momenta
    # What the loss is penalised with, see penalty in reference/; and what belongs to single solvers.
    double alpha, l2, l1, weight_decay, epsilon, clip_norm
    bint corrects_epsilon
    uint64_t seed
    # A moving average of all parameters, NULL if nobody asks for it.
    char *average
    const char *parameters
    int64_t n_parameters
    double ema_decay
    double loss_sum
    int64_t n_skipped  # samples of batches without weight
    bint diverged
    double stop_at
    double batch_seconds  # of a batch in this slice, the first one left out; 0 if no batch was timed


ctypedef struct slice_t:
    run_t *run
    # Member 0 looks at the clock before a batch, all read the verdict after it: the barriers of the batch lie
    # in between. Two places in turn, since a slow member may still be reading when the next batch begins; the
    # one after that begins behind another barrier.
    bint stop[2]


cdef void average_parameters(const run_t *run, const member_t *member) noexcept nogil:
    """Move the member's share of the average: once all have made their step, and before anybody changes a
    parameter again, be it a running mean in the next batch's first layer."""
    cdef:
        size_t itemsize = sizeof(float) if run.batch.dtype == DTYPE_F32 else sizeof(double)
        int64_t n_groups = run.n_parameters / LANES
        int64_t begin = LANES * share_begin(n_groups, member), end = LANES * share_end(n_groups, member)
        double decay = min(run.ema_decay, (1.0 + run.n_steps) / (10.0 + run.n_steps))
    run.batch.kernels.average(run.average + <size_t>begin * itemsize,
                              run.parameters + <size_t>begin * itemsize, end - begin, 1 - decay)


cdef void train_batch(run_t *run, const member_t *member) noexcept nogil:
    cdef:
        const walk_t *walk = run.walk
        batch_t *batch = &run.batch
        optimizer_t *optimizer = &batch.optimizer
        int64_t start = run.n_done * run.batch_size
        int64_t n_samples = min(run.batch_size, run.n_rows - start)
        const int64_t *rows = run.order + start
        double loss, rate, correction, norm, weight = weight_of_batch(walk, rows, n_samples)
        bint is_penalised = run.alpha != 0 or run.l2 != 0 or run.l1 != 0
        prefetch_t ahead
    if weight == 0:
        barrier(member)  # as every batch has one, see slice_t
        run.n_skipped += n_samples
        run.n_done += 1
        return
    if is_penalised:
        penalise_weights(walk, batch, member, 0.5 * run.alpha + weight * run.l2, weight * run.l1)
    if run.clip_norm > 0:  # the whole gradient comes first, that of the last layer's vectors with the loss
        clear_gradient(walk, batch, member)
        batch.accumulate = True
    fastmlp_set_step(&batch.random, run.seed, run.n_steps)
    walk_forward(walk, batch, member, rows, n_samples)
    loss = loss_gradient(walk, batch, member, 1.0 / weight)
    if is_penalised:
        loss += sum_penalties(walk)
    if not isfinite(loss):
        run.diverged = True
        return
    run.n_steps += 1
    rate = run.rates[run.n_done]
    optimizer.learning_rate, optimizer.momentum = rate, run.momenta[run.n_done]
    if optimizer.solver == SOLVER_ADAM:
        correction = sqrt(1 - pow(optimizer.beta_2, run.n_steps))
        optimizer.learning_rate *= correction / (1 - pow(optimizer.beta_1, run.n_steps))
        optimizer.epsilon = run.epsilon * correction if run.corrects_epsilon else run.epsilon
    optimizer.l2, optimizer.l1 = run.alpha / weight + 2 * run.l2, run.l1
    optimizer.shrink = 1 - rate * run.weight_decay
    if start + n_samples < run.n_rows:
        fastmlp_look_ahead(&ahead, &walk.gather, member, rows + n_samples,
                           min(run.batch_size, run.n_rows - start - n_samples))
        batch.ahead = &ahead
    if run.clip_norm > 0:
        backward(walk, batch, member)
        norm = gradient_norm(walk, batch, member)
        if not isfinite(norm):
            run.diverged = True
            return
        batch.accumulate = False
        optimizer.scale = min(1.0, run.clip_norm / (norm + CLIP_EPSILON))
        step_all(walk, batch, member)
    else:
        backward(walk, batch, member)
    batch.ahead = NULL
    barrier(member)  # the next batch overwrites what others may still be reading
    if run.average != NULL:
        average_parameters(run, member)
        if walk.n_reading == 0:  # no barrier comes before the first layer, which may have a running mean
            barrier(member)
    run.loss_sum += loss * (n_samples / weight)
    run.n_done += 1


cdef void train_slice(void *context, const member_t *member) noexcept nogil:
    """Train on batches until the slice or the time is over."""
    cdef:
        slice_t *shared = <slice_t *>context
        run_t mine = shared.run[0]
        uint64_t state = flush_denormals()
        # The first batch pays for the start; it counts where a slice is no more than that.
        int64_t first_timed = mine.n_done + (mine.n_done + 1 < mine.end_batch)
        double begun = 0
        bint *stop
    refresh(mine.walk, &mine.batch, member)  # between two slices callbacks may have done so
    while mine.n_done < mine.end_batch and not mine.diverged:
        stop = &shared.stop[mine.n_done % 2]
        if member.index == 0:
            if mine.n_done == first_timed:
                begun = seconds()
            stop[0] = seconds() >= mine.stop_at
        train_batch(&mine, member)
        if stop[0]:
            break
    if member.index == 0:
        mine.batch_seconds = 0
        if mine.n_done > first_timed:
            mine.batch_seconds = (seconds() - begun) / (mine.n_done - first_timed)
        shared.run[0] = mine
    restore_denormals(state)


cdef class Training(Walk):
    """A fit in progress: `start_epoch`, then `run` until it returns True."""

    cdef:
        run_t progress
        const int64_t[::1] rows
        int64_t *order  # in no array, which callbacks could find and write to
        const double[::1] rates
        const double[::1] momenta
        list held
        uint64_t seed
        bint shuffle
        list candidates, trials
        Py_hash_t key
        double valid_until
        readonly int n_threads

    def __init__(self, plan, parameters, X, preparation, batch_size, *, loss, targets,
                 targets_preparation, rows, optimizer, moments, alpha, shuffle, seed, n_steps,
                 loss_options=None, sample_weight=None, l2=0.0, l1=0.0, clip_value=0.0, clip_norm=0.0,
                 input_noise=0.0, input_dropout=0.0, average=None, ema_decay=0.0, augmentation=None,
                 n_threads=1, measure=True):
        X, targets, sample_weight = given.samples(plan, X, targets, sample_weight, loss=loss,
                                                  loss_options=loss_options)
        given.check_vectors(plan, parameters, average, *moments)
        self.held = given.hold(X, targets, sample_weight, parameters, average, *moments)
        preparation, targets_preparation = (
            given.preparation(preparation), given.preparation(targets_preparation))
        super().__init__(plan, parameters, X, preparation, batch_size, loss=loss, loss_options=loss_options,
                         targets=targets, targets_preparation=targets_preparation,
                         sample_weight=sample_weight, moments=moments,
                         gradient=aligned_zeros(plan.n_parameters, plan.dtype), training=True)
        self.progress.parameters = self.operations.memory.writable(parameters)
        if average is not None:
            self.progress.average = self.operations.memory.writable(average)
            self.progress.n_parameters, self.progress.ema_decay = len(parameters), ema_decay
        if augmentation is not None:
            self.set_augmentation(augmentation, n_threads)
        self.rows = given.rows(rows, X.shape[0])
        PyMem_Free(self.order)
        self.order = <int64_t *>PyMem_Malloc(len(self.rows) * sizeof(int64_t))
        if self.order == NULL:
            raise MemoryError
        memcpy(self.order, &self.rows[0], len(self.rows) * sizeof(int64_t))
        self.shuffle, self.seed = shuffle, seed
        self.batch.optimizer.solver = SOLVER_CODES[optimizer["solver"]]
        self.batch.optimizer.nesterov = optimizer.get("nesterov", False)
        self.batch.optimizer.beta_1 = optimizer.get("beta_1", 0)
        self.batch.optimizer.beta_2 = optimizer.get("beta_2", 0)
        self.batch.optimizer.epsilon = optimizer.get("epsilon", 0)
        self.batch.optimizer.scale, self.batch.optimizer.clip = 1, clip_value
        self.walk.gather.noise, self.walk.gather.dropout = input_noise, input_dropout
        fastmlp_set_step(&self.batch.random, self.seed, 0)
        self.progress.walk, self.progress.batch = &self.walk, self.batch
        self.batch.norm_momentum = 0  # a look at a batch leaves the running statistics alone
        self.progress.order, self.progress.n_rows = self.order, len(self.rows)
        self.progress.batch_size, self.progress.n_batches = batch_size, -(-len(self.rows) // batch_size)
        self.progress.alpha, self.progress.l2, self.progress.l1 = alpha, l2, l1
        self.progress.clip_norm = clip_norm
        self.progress.weight_decay = optimizer.get("weight_decay", 0)
        self.progress.epsilon = optimizer.get("epsilon", 0)
        self.progress.corrects_epsilon = optimizer.get("corrects_epsilon", False)
        self.progress.n_steps, self.progress.seed = n_steps, seed
        if plan.operations == "blas":
            n_threads = 1  # it has threads of its own
        self.n_threads = n_threads
        self.candidates = [n_threads]
        while measure and self.candidates[0] > 1:
            self.candidates.insert(0, self.candidates[0] // 2)
        self.trials, self.valid_until = [], 0
        self.key = hash((plan, batch_size, n_threads))
        if measure and self.key in VERDICTS:
            self.n_threads = min(VERDICTS[self.key], n_threads)
            self.valid_until = seconds() + 0.1 * VERDICT_SECONDS

    def __dealloc__(self):
        PyMem_Free(self.order)

    cdef int set_augmentation(self, options, n_threads) except -1:
        cdef augmentation_t *augmentation = &self.walk.gather.augmentation
        cdef size_t row_bytes = self.walk.gather.source.n_columns * source_size(self.walk.gather.source.type)
        augmentation.height, augmentation.width = options["height"], options["width"]
        augmentation.channels, augmentation.pixels = options["channels"], options["pixels"]
        augmentation.flip = options["flip"]
        self.walk.gather.in_order = <const int64_t *>self.operations.memory.readable(
            given.rows(np.arange(LANES), LANES))
        self.walk.gather.augmented = self.operations.memory.writable(
            aligned_zeros(max(1, n_threads) * LANES * row_bytes, np.uint8))
        return 0

    def start_epoch(self, epoch, rates, momenta):
        """Set the order of the samples, and the rate and momentum of each of the epoch's batches."""
        self.rates, self.momenta = given.rates_and_momenta(rates, momenta, self.progress.n_batches)
        self.progress.rates, self.progress.momenta = &self.rates[0], &self.momenta[0]
        memcpy(self.order, &self.rows[0], self.progress.n_rows * sizeof(int64_t))
        if self.shuffle:
            core.shuffle(<int64_t[:self.progress.n_rows]>self.order, self.seed, epoch)
        self.progress.n_done, self.progress.loss_sum, self.progress.diverged = 0, 0.0, False
        self.progress.n_skipped = 0

    def run(self, double budget, n_batches=None):
        """Train on batches until the epoch, the time or their number is over; return whether the epoch is."""
        cdef double stop = seconds() + budget
        self.progress.end_batch = self.progress.n_batches
        if n_batches is not None:
            self.progress.end_batch = min(self.progress.n_done + n_batches, self.progress.n_batches)
        if len(self.candidates) > 1 and seconds() >= self.valid_until:
            self.choose_threads(stop)
        if not self.is_over():
            self.run_on(self.n_threads, stop)
        return self.progress.n_done >= self.progress.n_batches or bool(self.progress.diverged)

    cdef bint is_over(self) noexcept:
        """Return whether the slice has no more batches."""
        return self.progress.n_done >= self.progress.end_batch or self.progress.diverged

    cdef int run_on(self, int n_threads, double stop) except -1:
        cdef slice_t slice
        slice.run = &self.progress
        self.progress.stop_at = stop
        with nogil:
            run_team(n_threads, train_slice, &slice)
        return 0

    cdef int choose_threads(self, double stop) except -1:
        """Go on with the trials: two looks at each candidate, taken in turns; the faster one counts."""
        cdef double now, patience = 1.0
        if self.valid_until == 0 and not self.trials:
            self.run_on(self.n_threads, seconds() + TRIAL_SECONDS)  # all of them, to wake up
        while not self.is_over() and len(self.trials) < 2 * len(self.candidates):
            now = seconds()
            if now >= stop:
                return 0
            self.run_on(self.candidates[len(self.trials) % len(self.candidates)], now + TRIAL_SECONDS)
            if self.progress.batch_seconds > 0:
                self.trials.append((self.progress.batch_seconds, seconds() - now))
        if len(self.trials) < 2 * len(self.candidates):
            return 0
        times = [min(self.trials[i][0], self.trials[i + len(self.candidates)][0])
                 for i in range(len(self.candidates))]
        self.n_threads = self.candidates[int(np.argmin(times))]
        if self.valid_until == 0:
            patience = 0.1
        if len(VERDICTS) >= MAX_VERDICTS:
            VERDICTS.clear()
        VERDICTS[self.key] = self.n_threads
        taken = sum([duration for _, duration in self.trials])
        self.valid_until = seconds() + patience * max(VERDICT_SECONDS, VERDICT_RATIO * taken)
        self.trials = []
        return 0

    def predicts_finite(self):
        """Return whether the last batch's loss is finite under the present parameters."""
        cdef int64_t start = max(self.progress.n_done - 1, 0) * self.progress.batch_size
        cdef double loss
        with nogil:
            walk_forward(&self.walk, &self.batch, &ALONE, &self.order[start],
                         min(self.progress.batch_size, self.progress.n_rows - start))
            loss = loss_gradient(&self.walk, &self.batch, &ALONE, 1.0)
        return isfinite(loss)

    @property
    def n_steps(self):
        """Steps of the solver so far, also those before this fit."""
        return self.progress.n_steps

    @property
    def n_samples_seen(self):
        """Samples of this epoch trained on so far."""
        return min(self.progress.n_done * self.progress.batch_size, self.progress.n_rows)

    @property
    def mean_loss(self):
        """The mean of this epoch's batches' losses so far, each before its update."""
        return self.progress.loss_sum / max(self.n_samples_seen - self.progress.n_skipped, 1)

    @property
    def has_diverged(self):
        """Whether a batch's loss was infinite or not a number; its update was not made."""
        return self.progress.diverged
