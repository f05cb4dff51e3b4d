"""What changing one import gains: `python -m benchmarks.dropin`.

scikit-learn's MLP and fastmlp's are fitted in turns with the same parameters, the defaults, on standardised
data: one split and one seed after the other. What is told is the paired difference of their scores on the
held-out part, with its standard error, and the ratio of the times that their fits took.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import warnings
from dataclasses import asdict, dataclass

import numpy as np
from sklearn import datasets as embedded
from sklearn import neural_network as theirs
from sklearn.base import is_classifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

import fastmlp
from benchmarks import outputs
from fastmlp.datasets import load_fashion_mnist

N_IMAGES = 10_000


def fashion_mnist():
    """Return the first training images, in float64 as scikit-learn's users have them, and their labels."""
    data = load_fashion_mnist()
    return data.X_train[:N_IMAGES].astype(np.float64), data.y_train[:N_IMAGES]


#: Data sets by name: the function that returns them, and the estimator's name in both packages.
TASKS = {
    "digits": (lambda: embedded.load_digits(return_X_y=True), "MLPClassifier"),
    "breast cancer": (lambda: embedded.load_breast_cancer(return_X_y=True), "MLPClassifier"),
    "wine": (lambda: embedded.load_wine(return_X_y=True), "MLPClassifier"),
    "diabetes": (lambda: embedded.load_diabetes(return_X_y=True), "MLPRegressor"),
    "fashion-mnist": (fashion_mnist, "MLPClassifier"),
}


@dataclass
class Comparison:
    """Scores and seconds of both packages, one of each for every seed."""

    ours: list[float]
    theirs: list[float]
    our_seconds: list[float]
    their_seconds: list[float]

    @property
    def difference(self) -> float:
        """Our mean score less theirs."""
        return float(np.mean(np.subtract(self.ours, self.theirs)))

    @property
    def standard_error(self) -> float:
        """The standard error of the paired difference; NaN for a single seed."""
        n = len(self.ours)
        return float(np.std(np.subtract(self.ours, self.theirs), ddof=1) / np.sqrt(n)) if n > 1 else np.nan

    @property
    def speed(self) -> float:
        """How many times as long theirs takes: the median over the seeds."""
        return float(np.median(np.divide(self.their_seconds, self.our_seconds)))

    @property
    def is_level(self) -> bool:
        """Whether our score is not below theirs by more than two standard errors."""
        return not self.difference < -2 * self.standard_error


def compare(name: str, n_seeds: int, **params) -> Comparison:
    """Fit both packages' estimators in turns, with these parameters."""
    load, estimator = TASKS[name]
    X, y = load()
    found = Comparison([], [], [], [])
    for seed in range(n_seeds):
        X_train, X_test, y_train, y_test = train_test_split(
            X, y, random_state=seed, stratify=y if estimator == "MLPClassifier" else None
        )
        scaler = StandardScaler().fit(X_train)
        X_train, X_test = scaler.transform(X_train), scaler.transform(X_test)
        turns = [
            (getattr(fastmlp, estimator), found.ours, found.our_seconds),
            (getattr(theirs, estimator), found.theirs, found.their_seconds),
        ]
        for cls, scores, seconds in turns if seed % 2 else turns[::-1]:
            model = cls(random_state=seed, **params)
            begun = time.perf_counter()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                model.fit(X_train, y_train)
            seconds.append(time.perf_counter() - begun)
            scores.append(model.score(X_test, y_test))
    return found


def line(name: str, found: Comparison) -> str:
    """Return what is printed of a data set."""
    measure = "accuracy" if is_classifier(getattr(theirs, TASKS[name][1])()) else "R^2"
    verdict = "level" if found.is_level else "BELOW"
    return (
        f"{name}: {measure} {np.mean(found.ours):.4f}, scikit-learn {np.mean(found.theirs):.4f}, difference "
        f"{found.difference:+.4f} +- {found.standard_error:.4f} ({verdict}); {found.speed:.1f} times as fast "
        f"({np.median(found.our_seconds):.2f} s)"
    )


def main(arguments: list[str]) -> None:
    """Compare, and print a line for each data set."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dropin", description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(TASKS)}; default: all")
    parser.add_argument("--seeds", type=int, default=10, metavar="N", help="fits of each (default: 10)")
    parser.add_argument(
        "--out", type=outputs.writable_file, metavar="FILE", help="write scores and seconds there, as JSON"
    )
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.names if name not in TASKS]:
        parser.error(f"NAME {unknown[0]!r} is not one of {', '.join(TASKS)}")
    if options.seeds < 2:
        parser.error(f"--seeds {options.seeds} must be at least 2: the difference needs an error")
    results = {}
    for name in options.names or TASKS:
        found = compare(name, options.seeds)
        results[name] = asdict(found)
        print(line(name, found))
        sys.stdout.flush()
        if options.out:
            outputs.write(options.out, json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
