"""The cases: the sizes that are raced, group by group. What a case is, `kinds` says."""

from __future__ import annotations

from benchmarks.kinds import Accuracy, Case, Grid, Prediction, Training

# The larger inputs do not fit a cache of 32 MB, as real data sets would not.
TRAINING = (
    Training((784, 256, 128, 10), batch_size=128, n_batches=100),
    Training((784, 1000, 10), batch_size=128, n_batches=100),
    Training((784, 50, 50, 10), batch_size=128, n_batches=200),
    Training((20, 32, 32, 3), batch_size=32, n_batches=5000),
    Training((784, 128, 10), batch_size=512, n_batches=50),
    Training((100, 100, 10), batch_size=200, n_batches=500),
    Training((784, 1024, 1024, 10), batch_size=256, n_batches=40),
)
ADAM = (
    Training((784, 256, 128, 10), batch_size=128, n_batches=100, solver="adam"),
    Training((784, 1000, 10), batch_size=128, n_batches=50, solver="adam"),
    Training((20, 32, 32, 3), batch_size=32, n_batches=2000, solver="adam"),
)
OPTIMIZERS = tuple(
    Training((784, 256, 128, 10), batch_size=128, n_batches=100, solver=solver)
    for solver in ("adamw", "rmsprop", "adagrad", "adadelta")
)
LAYERS = (
    Training((784, 256, 128, 10), batch_size=128, n_batches=100, dropout=0.5),
    Training((784, 256, 128, 10), batch_size=128, n_batches=100, batch_norm=True),
)
FLOAT64 = (
    Training((784, 256, 128, 10), batch_size=128, n_batches=50, dtype="float64"),
    Training((20, 32, 32, 3), batch_size=32, n_batches=2000, dtype="float64"),
)
SMALL_BATCHES = (
    Training((784, 50, 50, 10), batch_size=1, n_batches=2000),
    Training((784, 50, 50, 10), batch_size=10, n_batches=1000),
    Training((784, 256, 128, 10), batch_size=1, n_batches=1000),
    Training((784, 256, 128, 10), batch_size=10, n_batches=500),
)

#: The nets of prediction, and how many rows of each make some 0.1 s of work.
PREDICTED = {
    (784, 256, 128, 10): 40_000,
    (20, 32, 32, 3): 1_000_000,
    (784, 50, 50, 10): 200_000,
    (784, 1000, 10): 20_000,
    (784, 1024, 1024, 10): 10_000,
}
PREDICTION = tuple(
    Prediction(sizes, n_rows, n_calls=max(1, min(2000, n_all // n_rows)))
    for sizes, n_all in PREDICTED.items()
    for n_rows in (1, 32, 1000, 10_000)
)
GRID = (Grid((20, 32, 32, 3), n_rows=10_000, batch_size=32, n_epochs=20, n_rates=8, n_penalties=4),)
ACCURACY = (Accuracy("mnist", 98.37), Accuracy("fashion-mnist", 88.64))

#: All of them, in the order of the tables.
CASES: tuple[Case, ...] = (
    *TRAINING, *ADAM, *OPTIMIZERS, *LAYERS, *FLOAT64, *SMALL_BATCHES, *PREDICTION, *GRID, *ACCURACY,
)  # fmt: skip

#: What ``--group`` may be.
GROUPS = tuple(dict.fromkeys(case.group for case in CASES))

#: What is raced if nobody chooses: some of each group, in some 20 minutes.
DEFAULT: tuple[Case, ...] = (
    *TRAINING, *ADAM[:1], *OPTIMIZERS[:1], *LAYERS, *FLOAT64[:1], *SMALL_BATCHES[:2], *PREDICTION[:4], *GRID,
    *ACCURACY,
)  # fmt: skip
