"""The command line: `fastmlp train`, `predict`, `study` and `info`."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import typer
from scipy.sparse import issparse

from fastmlp import optimizers
from fastmlp._support.files import replacing
from fastmlp.callbacks import EpochEnd
from fastmlp.cli import options
from fastmlp.cli.console import console, errors, plain_messages, write_output
from fastmlp.cli.last_score import scored
from fastmlp.cli.study_commands import study_app
from fastmlp.engine.selection import DTYPES, ENGINES
from fastmlp.environment import config
from fastmlp.estimators.loading import load
from fastmlp.estimators.recipe import fit
from fastmlp.formats.plain_values import describe_labels
from fastmlp.tabular import reading as tables
from fastmlp.tabular.files import name_of
from fastmlp.tabular.tasks import TASKS
from fastmlp.tabular.text_files import TextFormat

app = typer.Typer(
    help="Train multilayer perceptrons, fast, on a CPU.", no_args_is_help=True, add_completion=False,
    pretty_exceptions_enable=False,
)  # fmt: skip
app.add_typer(study_app, name="study")

DATA_HELP = (
    "digits, mnist, fashion-mnist, or a file: .csv, .tsv or .txt, also as .gz, .bz2, .xz, .zst or .zip, "
    ".parquet or .npz; - is CSV from standard input."
)
Sep = Annotated[str | None, typer.Option(help="What separates columns of text; by default as found in it.")]
Decimal = Annotated[str | None, typer.Option(help="Of numbers in text; by default as found in it.")]
Encoding = Annotated[str | None, typer.Option(help="Of text, such as utf-8; by default as found in it.")]


@app.command()
def train(
    data: Annotated[str, typer.Argument(help=DATA_HELP)] = "digits",
    *,
    target: Annotated[
        str | None, typer.Option(help="The column to predict; for .npz the array, 'y'.")
    ] = None,
    hidden: Annotated[str | None, typer.Option(help="Units of the hidden layers, such as 256,128.")] = None,
    activation: Annotated[
        str | None, typer.Option(help="relu, tanh, leaky_relu(0.2), gelu, ... as in MLPClassifier.")
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the training data.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Samples per step.")] = None,
    solver: Annotated[str | None, typer.Option(help=f"{', '.join(optimizers.BY_NAME)}.")] = None,
    learning_rate: Annotated[
        float | None, typer.Option(help="The highest rate of the one-cycle schedule.")
    ] = None,
    alpha: Annotated[float | None, typer.Option(help="The L2 penalty, as scikit-learn's.")] = None,
    class_weight: Annotated[
        str | None, typer.Option(help="balanced, or a weight for some classes: NAME=WEIGHT,... or JSON.")
    ] = None,
    task: Annotated[str, typer.Option(help=f"{', '.join(TASKS)}.")] = TASKS[0],
    validation: Annotated[
        float, typer.Option(help="Share of the data that is scored after every epoch.")
    ] = 0.1,
    test: Annotated[float, typer.Option(help="Share of a file that is kept for the last line.")] = 0.2,
    dtype: Annotated[str, typer.Option(help="float32, float64 or bfloat16.")] = "float32",
    engine: Annotated[str, typer.Option(help="auto, tile, blas or reference.")] = "auto",
    seed: Annotated[
        int, typer.Option(help="For the weights, the order of samples, and the split of a file.")
    ] = 0,
    sep: Sep = None,
    decimal: Decimal = None,
    encoding: Encoding = None,
    out: Annotated[str | None, typer.Option(help="Write the model here (safetensors).")] = None,
) -> None:
    """Train a network: a line per epoch, then the score on the test part.

    What is not given is chosen to suit the data.
    """
    with plain_messages():
        options.check_shares(validation, test, seed)
        options.check_choice("--solver", solver, optimizers.BY_NAME)
        options.check_choice("--task", task, TASKS)
        options.check_choice("--engine", engine, ENGINES)
        options.check_choice("--dtype", dtype, DTYPES)
        if out is not None:
            options.check_out(out, data)
            options.check_not_output(out)
        given = {
            "hidden_layer_sizes": ("--hidden", hidden, options.hidden_sizes(hidden)),
            "activation": ("--activation", activation, activation), "max_iter": ("--epochs", epochs, epochs),
            "batch_size": ("--batch-size", batch_size, batch_size), "solver": ("--solver", solver, solver),
            "learning_rate_init": ("--learning-rate", learning_rate, learning_rate),
            "alpha": ("--alpha", alpha, alpha), "dtype": ("--dtype", dtype, dtype),
            "engine": ("--engine", engine, engine),
        }  # fmt: skip
        params = {name: value for name, (_, _, value) in given.items() if value is not None}
        with options.naming({"validation": ("--validation", validation), "test": ("--test", test)}):
            split = tables.load_split(
                data, target, validation, test, seed, task=task, option="--task",
                text_format=TextFormat(sep, decimal, encoding),
            )  # fmt: skip
        for note in split.notes:
            console.print(f"{note}.")
        console.print(
            f"{name_of(data)}: {len(split.X_train)} training, "
            f"{len(split.X_val)} validation and {len(split.X_test)} test samples of "
            f"{split.X_train.shape[1]} features"
        )
        if task == "auto":
            console.print(split.task.sentence("--task"))
        if out is not None and split.task.is_classification and split.y_train.ndim == 1:
            describe_labels(np.unique(split.y_train))  # what cannot be saved is refused now
        if class_weight is not None:
            params |= options.class_weights(class_weight, split.y_train, split.task)
            given["sample_weight"] = ("--class-weight", class_weight, class_weight)
        started = time.perf_counter()
        with options.naming({name: (option, typed) for name, (option, typed, _) in given.items()}):
            model = fit(
                split.X_train, split.y_train, split.X_val, split.y_val,
                task="classification" if split.task.is_classification else "regression", random_state=seed,
                callbacks=[EpochTable()], progress=None if sys.stdout.isatty() else False, **params,
            )  # fmt: skip
        seconds = time.perf_counter() - started
        result, baseline = scored(model, split.X_test, split.y_test)
        console.print((f"test {result}", "bold"), f"{baseline}, trained in {seconds:.2f} s")
        if out is not None:
            model.save(out)
            console.print(f"model written to {out}")


@app.command()
def predict(
    model: Annotated[Path, typer.Argument(help="A file that `fastmlp train --out` or `model.save` wrote.")],
    data: Annotated[str, typer.Argument(help=DATA_HELP + " Of a built-in set, the test part.")],
    *,
    proba: Annotated[bool, typer.Option("--proba", help="Add the probability of each class.")] = False,
    keep: Annotated[
        list[str] | None, typer.Option(help="Copy this column of DATA, such as an id; can be repeated.")
    ] = None,
    sep: Sep = None,
    decimal: Decimal = None,
    encoding: Encoding = None,
    out: Annotated[str | None, typer.Option(help="Write the CSV here, not to the terminal.")] = None,
) -> None:
    """Write the predictions of a model as CSV, one line per sample."""
    with plain_messages():
        if out is not None:
            options.check_out(out, data, str(model))
        estimator = load(model)
        text_format = TextFormat(sep, decimal, encoding)
        X, kept, notes = tables.read_features(data, estimator, keep or (), text_format)
        for note in notes:
            errors.print(f"{note}.")
        frame = predicted(estimator, X, proba)
        twice = [name for name in kept.columns if name in frame.columns]
        if twice:
            raise ValueError(f"--keep {twice[0]}: the output has a column of that name itself.")
        frame = pd.concat([kept.reset_index(drop=True), frame], axis=1)
        if out is None:
            write_output(frame.to_csv(index=False))
        else:
            with replacing(out) as file:
                frame.to_csv(file, index=False)
            errors.print(f"{len(frame)} predictions written to {out}")


@app.command()
def info() -> None:
    """Print the version, compiler, instruction sets, engine, BLAS and processors."""
    with plain_messages():
        console.print_table([(name, "bold"), str(value)] for name, value in config().items())


def predicted(model: Any, X: Any, proba: bool) -> pd.DataFrame:
    """Return what a model predicts: a column, or several of them, and with ``proba`` one for each class."""
    predictions = model.predict(X)
    predictions = predictions.toarray() if issparse(predictions) else np.asarray(predictions)
    columns = predictions.reshape(len(predictions), -1)
    one = columns.shape[1] == 1
    named = {"prediction" if one else f"prediction_{i}": column for i, column in enumerate(columns.T)}
    if proba:
        if not hasattr(model, "predict_proba"):
            raise ValueError("--proba is for classifiers; this model is a regressor.")
        # A model of a single class has a second column, as in scikit-learn, which belongs to no class.
        for label, column in zip(model.classes_, model.predict_proba(X).T, strict=False):
            named[f"probability_{label}"] = column
    return pd.DataFrame(named)


class EpochTable:
    """A callback that prints a row per epoch, under a heading."""

    def __call__(self, event: EpochEnd) -> None:
        """Print the row; before the first one, the network and the heading."""
        score = "R^2" if event.network.layers[-1].activation == "identity" else "accuracy"
        if event.epoch == 1:
            network = event.network
            sizes = "-".join(str(n) for n in (network.n_features, *(layer.units for layer in network.layers)))
            console.print(f"network {sizes}, {network.dtype.name}, {network.engine_in_use} engine\n")
            heading = f"{'epoch':>5}  {'loss':>8}  {f'validation {score}':>19}  {'samples/s':>11}"
            console.print(heading, style="bold")
        console.print(
            f"{event.epoch:>5}  {event.loss:>8.4f}  {event.val_score:>19.4f}  "
            f"{event.samples_per_second:>11,.0f}"
        )
