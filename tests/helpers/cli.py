"""The command line in this process: starting another one takes seconds."""

import numpy as np
import pandas as pd
from typer.testing import CliRunner

from fastmlp.cli.commands import app

N = 60
QUICK = ("--epochs", 1, "--hidden", 4)


def invoke(*arguments, input=None):
    """Return the result of `fastmlp` with these arguments; a traceback fails the test."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], input=input)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def refused(*arguments, input=None):
    """Return the sentence with which `fastmlp` refuses these arguments."""
    result = invoke(*arguments, input=input)
    assert result.exit_code == 1, result.stdout
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    return result.stderr


def trained(*arguments, input=None):
    """Return what `fastmlp train` prints, with little training."""
    result = invoke("train", *arguments, *QUICK, input=input)
    assert result.exit_code == 0, result.stderr
    return result.stdout


def predicted(*arguments, input=None):
    """Return the lines that `fastmlp predict` writes to standard output."""
    result = invoke("predict", *arguments, input=input)
    assert result.exit_code == 0, result.stderr
    return result.stdout.splitlines()


def frame(**columns):
    """Return three columns of numbers, and others, whose values are repeated to N rows."""
    X = np.random.RandomState(0).randn(N, 3).round(3)
    others = {name: np.resize(np.array(values, dtype=object), N) for name, values in columns.items()}
    return pd.DataFrame(X, columns=["a", "b", "c"]).assign(**others)
