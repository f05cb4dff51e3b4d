"""Models and their files, for the tests of what is saved and loaded."""

import numpy as np
import pandas as pd
import pytest

import fastmlp
from fastmlp import FormatError, MLPClassifier
from fastmlp.schedules import OneCycle

N = 60
X = np.random.default_rng(0).normal(size=(N, 4))
CODES = np.arange(N) % 3


def fitted(cls=MLPClassifier, y=CODES, X=X, **params):
    return cls(**{"hidden_layer_sizes": (6, 5), "max_iter": 3, "random_state": 0, **params}).fit(X, y)


def refused(path, message=None):
    """Assert that a file is refused, with its name in the message."""
    with pytest.raises(FormatError, match=message) as error:
        fastmlp.load(path)
    assert str(path) in str(error.value)


def save_classifier(folder):
    """Return the path of a classifier's file, with everything in it that a file can have."""
    frame = pd.DataFrame(X, columns=list("abcd"))
    model = fitted(X=frame, y=np.array(["x", "yy", "zzz"])[CODES], prepare="table", learning_rate=OneCycle())
    model.save(folder / "model.safetensors")
    return folder / "model.safetensors"
