"""Options of the command line that need reading or checking, and what is said of them."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from fastmlp._support.checks import listed
from fastmlp._support.files import check_writable
from fastmlp.tabular.reading import BUILT_IN
from fastmlp.tabular.tasks import Task

# The sentence of scikit-learn's about a parameter.
_CONSTRAINT = re.compile(r"The '(\w+)' parameter of \w+ must be (.*)\. Got .* instead\.", re.DOTALL)


@contextmanager
def naming(options: Mapping[str, tuple[str, Any]]) -> Iterator[None]:
    """Let errors about a parameter name the option that sets it.

    Parameters
    ----------
    options : mapping
        By parameter, the option and its value.
    """
    try:
        yield
    except (TypeError, ValueError) as error:
        message = said = str(error)
        typed_as = {
            parameter: f"{option} {value:g}" if isinstance(value, float) else f"{option} {value}"
            for parameter, (option, value) in options.items()
        }
        for parameter, (_, value) in options.items():
            said = said.replace(f"{parameter}={value!r}", typed_as[parameter])
        if said != message:
            raise ValueError(said) from None
        for parameter, typed in typed_as.items():
            known = _CONSTRAINT.fullmatch(message)
            if known and known[1] == parameter:
                raise ValueError(f"{typed} must be {known[2]}.") from None
            if re.search(rf"'{parameter}'|\b{parameter}=|^{parameter}\b", message):
                raise ValueError(f"{typed}: {message}") from None
        raise


def hidden_sizes(text: str | None) -> tuple[int, ...] | None:
    """Return the sizes of hidden layers, (256, 128) of "256,128"; None of None."""
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise ValueError(
            f"--hidden {text} must be whole numbers > 0 separated by commas, such as --hidden 256,128."
        )
    return tuple(map(int, parts))


def check_choice(option: str, value: str | None, choices: Iterable[str]) -> None:
    """Refuse what is not among the choices; None is not given."""
    if value is not None and value not in choices:
        raise ValueError(f"{option} {value} must be one of {', '.join(choices)}.")


def jobs(text: str) -> tuple[int, str]:
    """Return how many, and the backend: "4", "loky", or "loky:4"."""
    backend, _, number = text.rpartition(":")
    if not backend and not text.lstrip("-").isdigit():
        backend, number = text, "-1"
    try:
        return int(number), backend or "threading"
    except ValueError:
        says = f"--jobs must be a number, a joblib backend, or both as loky:4, not {text!r}."
        raise ValueError(says) from None


def check_shares(validation: float, test: float, seed: int) -> None:
    """Refuse shares of the data that leave nothing to train on, and a seed that NumPy does not take."""
    for name, share in (("validation", validation), ("test", test)):
        if not 0 < share < 1:
            raise ValueError(f"--{name} must be a share between 0 and 1, not {share}.")
    if validation + test >= 1:
        raise ValueError(f"--validation {validation} and --test {test} leave nothing to train on.")
    if not 0 <= seed < 2**32:
        raise ValueError(f"--seed {seed} must be a whole number from 0 to 2**32 - 1.")


def check_out(out: str, *inputs: str) -> None:
    """Refuse a place that cannot be written to, or that is one of the files that are read."""
    try:
        check_writable(out)
    except OSError as error:
        raise OSError(f"--out {out}: {str(error).removeprefix(f'{out!r}: ')}") from None
    for name in inputs:
        is_file = name not in BUILT_IN and os.path.isfile(name)
        if is_file and os.path.exists(out) and os.path.samefile(name, out):
            raise ValueError(f"--out {out} would be written over {name}, which is read; name another file.")


def check_not_output(out: str) -> None:
    """Refuse to write a model between the lines that are printed."""
    try:
        is_output = os.path.samestat(os.stat(out), os.fstat(1))
    except OSError:  # nothing is there, or standard output is closed
        return
    if is_output:
        raise ValueError(f"--out {out} is where the table of the epochs is printed; name another file.")


def class_weights(text: str, y: np.ndarray, task: Task) -> dict[str, Any]:
    """Return what `fit` takes for weights of classes: "balanced", "a=2,b=1", or JSON.

    scikit-learn has no dict for classes such as "01": it takes them for integers.

    Parameters
    ----------
    text : str
    y : ndarray
        The labels that they are for.
    task : Task
    """
    option = f"--class-weight {text}"
    if not task.is_classification:
        raise ValueError(f"{option} is for classification, and this is regression.")
    if text == "balanced":
        return {"class_weight": text}
    if y.ndim > 1:
        raise ValueError(f"{option}: label indicators can only be 'balanced'.")
    labels, codes = np.unique(y, return_inverse=True)
    weights = dict.fromkeys(map(str, labels), 1.0)
    for name, value in _pairs(option, text).items():
        if name not in weights:
            raise ValueError(f"{option}: there is no class {name!r}; there are {listed(map(str, labels))}.")
        weights[name] = value
    return {"sample_weight": np.array(list(weights.values()))[codes]}


def _pairs(option: str, text: str) -> dict[str, float]:
    """Return numbers by class names."""
    wanted = "'balanced', NAME=WEIGHT,... or a JSON object of names and weights"
    try:
        if text.lstrip().startswith("{"):
            found = json.loads(text)
        else:
            parts = [part.rpartition("=") for part in text.split(",")]
            found = {name.strip(): float(value) for name, equals, value in parts}
    except ValueError:
        raise ValueError(f"{option} must be {wanted}.") from None
    for name, value in found.items():
        if type(value) not in (int, float) or not 0 <= value < math.inf:
            raise ValueError(f"{option}: the weight of {name!r} must be a number from 0 up, not {value!r}.")
    return found
