"""Data, networks and patterns of messages for the tests of what fastmlp refuses."""

import re

import numpy as np

from fastmlp import Network
from fastmlp.layers import Dense

NAN, INF = float("nan"), float("inf")
X = np.random.default_rng(0).normal(size=(30, 4))
LABELS = np.arange(30) % 3
TARGETS = np.c_[X[:, 0], X[:, 1], X[:, 2]]


def make_network(last="softmax", **options):
    return Network([Dense(6), Dense(3, last)], 4, random_state=0, **options)


def says(*parts):
    """Return a pattern that finds all these texts, in any order."""
    return "(?s)" + "".join(f"(?=.*{re.escape(str(part))})" for part in parts)
