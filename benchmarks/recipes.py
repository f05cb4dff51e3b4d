"""The best recipes found for the two sets of images, and how well they do: `python -m benchmarks.recipes`.

Widths, rates, dropout and augmentation were chosen by the accuracy on `N_HELD_OUT` training images
(``--held-out``), the test images were not looked at. Each is then trained on all 60,000, once for each seed.
"""

from __future__ import annotations

import argparse
import json
import sys
import time

import numpy as np
from sklearn.model_selection import train_test_split

from benchmarks import outputs
from fastmlp import MLPClassifier
from fastmlp.augmentations import Flip, Shift
from fastmlp.datasets import load_fashion_mnist, load_mnist
from fastmlp.engine.selection import can_train_in

N_HELD_OUT = 10_000

COMMON = {
    "hidden_layer_sizes": (2048, 512),
    "batch_norm": True,
    "solver": "adamw",
    "learning_rate": "one_cycle",
    "learning_rate_init": 5e-3,
    "batch_size": 256,
    "alpha": 0,
    "prepare": "image",
}
#: For each set of images, as they are and augmented.
RECIPES = {
    "fashion-mnist": {
        "dropout": 0.5,
        "input_dropout": 0.1,
        "input_noise": 0.15,
        "label_smoothing": 0.2,
        "beta_2": 0.99,
        "weight_decay": 0.05,
        "max_iter": 80,
    },
    "fashion-mnist augmented": {
        "dropout": 0.2,
        "label_smoothing": 0.1,
        "weight_decay": 0.02,
        "max_iter": 80,
        "augmentation": (Shift(1), Flip()),
    },
    "mnist": {
        "dropout": 0.5,
        "input_dropout": 0.2,
        "input_noise": 0.5,
        "label_smoothing": 0.2,
        "beta_2": 0.99,
        "weight_decay": 0.02,
        "max_iter": 80,
    },
    "mnist augmented": {
        "dropout": 0.2,
        "label_smoothing": 0.1,
        "weight_decay": 0.02,
        "max_iter": 50,
        "augmentation": (Shift(2),),
    },
}


def images(name: str, held_out: bool):
    """Return the images and labels to train on, and those to score."""
    data = {"mnist": load_mnist, "fashion-mnist": load_fashion_mnist}[name.split()[0]]()
    if not held_out:
        return data
    X, X_held, y, y_held = train_test_split(
        data.X_train, data.y_train, test_size=N_HELD_OUT, stratify=data.y_train, random_state=12345
    )
    return X, y, X_held, y_held


def accuracy(name: str, seed: int, held_out: bool, dtype: str) -> float:
    """Train by a recipe, and return the percentage of images that it names rightly."""
    X, y, X_scored, y_scored = images(name, held_out)
    model = MLPClassifier(**COMMON, **RECIPES[name], dtype=dtype, random_state=seed).fit(X, y)
    return 100 * model.score(X_scored, y_scored)


def main(arguments: list[str]) -> None:
    """Train, and print a line for each recipe."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recipes", description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(RECIPES)}; default: all")
    parser.add_argument("--seeds", type=int, default=5, metavar="N", help="fits of each (default: 5)")
    parser.add_argument("--held-out", action="store_true", help="score on held-out training images")
    parser.add_argument(
        "--out", type=outputs.writable_file, metavar="FILE", help="write the accuracies there, as JSON"
    )
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.names if name not in RECIPES]:
        parser.error(f"NAME {unknown[0]!r} is not one of {', '.join(RECIPES)}")
    if options.seeds < 1:
        parser.error(f"--seeds {options.seeds} must be at least 1")
    # Level with float32 (paired over ten seeds), and nearly twice as fast where the processor has it.
    dtype = "bfloat16" if can_train_in("bfloat16") else "float32"
    results = {}
    for name in options.names or RECIPES:
        begun = time.perf_counter()
        results[name] = [accuracy(name, seed, options.held_out, dtype) for seed in range(options.seeds)]
        mean, deviation = np.mean(results[name]), np.std(results[name], ddof=min(1, options.seeds - 1))
        seconds = (time.perf_counter() - begun) / options.seeds
        print(
            f"{name}: {mean:.2f} % +- {deviation:.2f} ({options.seeds} seeds, {dtype}, {seconds:.0f} s each)"
        )
        sys.stdout.flush()
        if options.out:
            found = {"dtype": dtype, "accuracies": results}
            outputs.write(options.out, json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
