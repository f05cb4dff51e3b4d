"""The command line: `fastmlp train`, `predict`, `study` and `info`."""

from __future__ import annotations

import sys
import time
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import typer
from rich.console import Console
from rich.markup import escape

import fastmlp
from fastmlp import optimizers, studies, tables
from fastmlp.callbacks import EpochEnd
from fastmlp.config import config
from fastmlp.storage import replacing

app = typer.Typer(
    help="Train multilayer perceptrons, fast, on a CPU.", no_args_is_help=True, add_completion=False,
    pretty_exceptions_enable=False,
)  # fmt: skip
study_app = typer.Typer(help="Run a file of experiments.", no_args_is_help=True)
app.add_typer(study_app, name="study")
console = Console(highlight=False)
errors = Console(stderr=True, highlight=False)

DATA_HELP = "digits, mnist, fashion-mnist, or a .csv, .parquet or .npz file."


@contextmanager
def plain_messages():
    """Show what goes wrong as one sentence: no traceback, no code of ours in a warning."""

    def show(message, category, *_):
        errors.print(f"[yellow]warning:[/] {escape(str(message))}", soft_wrap=True)

    with warnings.catch_warnings():
        warnings.showwarning = show
        try:
            yield
        except (ValueError, TypeError, OSError, ImportError) as error:
            errors.print("[red]error:[/]", escape(str(error)), soft_wrap=True)
            raise typer.Exit(1) from None
        except KeyboardInterrupt:
            errors.print("interrupted", style="yellow")
            raise typer.Exit(130) from None


@app.command()
def train(
    data: Annotated[str, typer.Argument(help=DATA_HELP)] = "digits",
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
    task: Annotated[str, typer.Option(help="auto, classification or regression.")] = "auto",
    validation: Annotated[
        float, typer.Option(help="Share of the data that is scored after every epoch.")
    ] = 0.1,
    test: Annotated[float, typer.Option(help="Share of a file that is kept for the last line.")] = 0.2,
    dtype: Annotated[str, typer.Option(help="float32, float64 or bfloat16.")] = "float32",
    engine: Annotated[str, typer.Option(help="auto, tile, blas or reference.")] = "auto",
    seed: Annotated[
        int, typer.Option(help="For the weights, the order of samples, and the split of a file.")
    ] = 0,
    out: Annotated[Path | None, typer.Option(help="Write the model here (safetensors).")] = None,
) -> None:
    """Train a network: a line per epoch, then the score on the test part.

    What is not given is chosen to suit the data.
    """
    with plain_messages():
        for name, share in (("validation", validation), ("test", test)):
            if not 0 < share < 1:
                raise ValueError(f"--{name} must be a share between 0 and 1, not {share}.")
        if validation + test >= 1:
            raise ValueError(f"--validation {validation} and --test {test} leave nothing to train on.")
        if out is not None and not out.parent.is_dir():
            raise FileNotFoundError(f"--out {out}: the folder {out.parent} does not exist.")
        given = {
            "hidden_layer_sizes": hidden and _sizes(hidden), "activation": activation, "max_iter": epochs,
            "batch_size": batch_size, "solver": solver, "learning_rate_init": learning_rate, "alpha": alpha,
        }  # fmt: skip
        params = {name: value for name, value in given.items() if value is not None}
        split = tables.load_split(data, target, validation, test, seed)
        console.print(
            f"{data}: {len(split.X_train)} training, {len(split.X_val)} validation and {len(split.X_test)} "
            f"test samples of {split.X_train.shape[1]} features",
            soft_wrap=True,
        )
        table = EpochTable()
        started = time.perf_counter()
        model = fastmlp.fit(
            split.X_train, split.y_train, split.X_val, split.y_val, task=task, dtype=dtype, engine=engine,
            random_state=seed, callbacks=[table], progress=None if sys.stdout.isatty() else False, **params,
        )  # fmt: skip
        seconds = time.perf_counter() - started
        score = model.score(split.X_test, split.y_test)
        console.print(
            f"[bold]test {score_name(model)} {score:.4f}[/], trained in {seconds:.2f} s", soft_wrap=True
        )
        if out is not None:
            model.save(out)
            console.print(f"model written to {out}", soft_wrap=True)


@app.command()
def predict(
    model: Annotated[Path, typer.Argument(help="A file that `fastmlp train --out` or `model.save` wrote.")],
    data: Annotated[str, typer.Argument(help=DATA_HELP + " Of a built-in set, the test part.")],
    proba: Annotated[bool, typer.Option("--proba", help="Add the probability of each class.")] = False,
    out: Annotated[Path | None, typer.Option(help="Write the CSV here, not to the terminal.")] = None,
) -> None:
    """Write the predictions of a model as CSV, one line per sample."""
    with plain_messages():
        estimator = fastmlp.load(model)
        X = tables.read_features(data, estimator)
        predictions = estimator.predict(X)
        columns = np.asarray(predictions).reshape(len(predictions), -1)
        names = (
            ["prediction"] if columns.shape[1] == 1 else [f"prediction_{i}" for i in range(columns.shape[1])]
        )
        frame = pd.DataFrame(dict(zip(names, columns.T, strict=True)))
        if proba:
            if not hasattr(estimator, "predict_proba"):
                raise ValueError("--proba is for classifiers; this model is a regressor.")
            for label, column in zip(estimator.classes_, estimator.predict_proba(X).T, strict=True):
                frame[f"probability_{label}"] = column
        if out is None:
            sys.stdout.write(frame.to_csv(index=False))
        else:
            with replacing(out) as file:
                frame.to_csv(file, index=False)
            errors.print(f"{len(frame)} predictions written to {out}", soft_wrap=True)


@study_app.command("list")
def study_list() -> None:
    """Print the studies that come with fastmlp."""
    with plain_messages():
        for name in studies.published():
            study = studies.load_study(name)
            runs = sum(len(study.runs_of(group)) for group in study.groups.values())
            of = f"{runs} runs, {len(study.claims)} claims"
            console.print(f"[bold]{name}[/]  {escape(study.title)}: {of}", soft_wrap=True)


@study_app.command("show")
def study_show(name: Annotated[str, typer.Argument(help="A study of the list.")]) -> None:
    """Print the file of a study, to begin one of your own with."""
    with plain_messages():
        sys.stdout.write(studies.located(name).read_text(encoding="utf-8"))


@study_app.command("run")
def study_run(
    study: Annotated[str, typer.Argument(help="A study of the list, or a TOML file of your own.")],
    out: Annotated[
        Path | None, typer.Option(help="The folder for runs, models, tables and the page.")
    ] = None,
    jobs: Annotated[
        str,
        typer.Option(
            help="Runs at a time, -1 for as many as there are cores; also a joblib backend, loky:4."
        ),
    ] = "-1",
    quick: Annotated[
        bool, typer.Option("--quick", help="One seed and a tenth of the data, to see whether it works.")
    ] = False,
) -> None:
    """Run what is not done yet of a study, and write its tables, pictures and page.

    Each run is kept as it ends, so that a study that was broken off goes on from there.
    """
    with plain_messages():
        n_jobs, backend = _jobs(jobs)
        loaded = studies.load_study(study)
        folder = out or Path("studies") / (loaded.name + "-quick" * quick)
        studies.check_installed()  # before hours of training, not after them
        results = studies.run_study(loaded, folder, n_jobs=n_jobs, backend=backend, quick=quick)
        diverged = sum(bool(record.diverged) for record in results.records)
        console.print(
            f"[bold]{escape(loaded.title)}[/]: {len(results.records)} runs"
            + (f", {diverged} diverged" * bool(diverged))
        )
        for table, frame in studies.write_tables(results):
            console.print(f"\n[bold]{escape(table.title)}[/]")
            shown = studies.readable(frame, results.is_classifier)
            console.print(shown.to_string(index=False), soft_wrap=True, markup=False)
        page = studies.write_report(results, studies.draw_figures(results))
        print_claims(results)
        console.print(f"\n[bold]page[/] {escape(str(page))}", soft_wrap=True)
        console.print(f"runs, models, tables and pictures in {escape(str(folder))}", soft_wrap=True)


@app.command()
def info() -> None:
    """Print the version, compiler, instruction sets, engine, BLAS and processors."""
    with plain_messages():
        lines = config()
        width = max(map(len, lines))
        for name, value in lines.items():
            console.print(f"[bold]{name:<{width}}[/]  {value}", soft_wrap=True)


class EpochTable:
    """A callback that prints a row per epoch, under a heading."""

    def __call__(self, event: EpochEnd) -> None:
        """Print the row; before the first one, the network and the heading."""
        score = "R^2" if event.network.layers[-1].activation == "identity" else "accuracy"
        if event.epoch == 1:
            network = event.network
            sizes = "-".join(str(n) for n in (network.n_features, *(layer.units for layer in network.layers)))
            console.print(f"network {sizes}, {network.dtype.name}, {network.engine_in_use} engine\n")
            console.print(
                f"[bold]{'epoch':>5}  {'loss':>8}  {f'validation {score}':>19}  {'samples/s':>11}[/]"
            )
        console.print(
            f"{event.epoch:>5}  {event.loss:>8.4f}  {event.val_score:>19.4f}  "
            f"{event.samples_per_second:>11,.0f}"
        )


#: Of the verdicts, in their order.
_COLORS = dict(zip(studies.VERDICTS, ("red", "dim", "yellow", "green"), strict=True))


def print_claims(results: studies.Results) -> None:
    """Print each claim of a study behind its verdict."""
    if results.study.claims:
        console.print("\n[bold]Claims[/]")
    width = max(map(len, _COLORS))
    for claim in results.study.claims:
        verdict = studies.judge(claim.checks, results).verdict
        console.print(f"[{_COLORS[verdict]}]{verdict:<{width}}[/]  {escape(claim.claim)}", soft_wrap=True)


def score_name(model) -> str:
    """Return what `score` measures."""
    return "accuracy" if hasattr(model, "classes_") else "R^2"


def _sizes(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise ValueError(
            f"--hidden must be whole numbers separated by commas, such as 256,128, not {text!r}."
        ) from None


def _jobs(text: str) -> tuple[int, str]:
    """Return how many, and the backend: "4", "loky", or "loky:4"."""
    backend, _, number = text.rpartition(":")
    if not backend and not text.lstrip("-").isdigit():
        backend, number = text, "-1"
    try:
        return int(number), backend or "threading"
    except ValueError:
        says = f"--jobs must be a number, a joblib backend, or both as loky:4, not {text!r}."
        raise ValueError(says) from None
