"""PyTorch with `torch.compile` around the whole training step, or around the network for prediction.

In its default mode: "max-autotune" took the same time for 784-256-128-10. The runner gives the compiler an
empty cache, so that compiling is seen, and seen apart from the rounds.
"""

import torch

from benchmarks.contenders import torch_eager


def training(case, threads, X, y):
    """Return a function that trains for one epoch; the optimizer's step is compiled as well."""
    return torch_eager.training(case, threads, X, y, wrap=torch.compile)


def prediction(case, threads, X):
    """Return a function that predicts over and over, in inference mode."""
    return torch_eager.prediction(case, threads, X, wrap=torch.compile)
