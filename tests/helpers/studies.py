"""The studies that tests of several files read: their beginning, and two searches."""

from fastmlp.studies import load_study

HEAD = """
title = "t"
[data]
name = "digits"
validation = 300
[base]
prepare = "image"
max_iter = 4
batch_size = 32
hidden_layer_sizes = [16]
"""

RANDOM = """
[runs.random.search]
kind = "random"
n = 5
seed = 1
over.learning_rate_init = {low = 1e-3, high = 0.1, log = true}
over.hidden_layer_sizes = [[8], [16, 16]]
over.batch_size = {low = 16, high = 64, whole = true}
"""
HALVING = """
[runs.halving.search]
kind = "halving"
n = 9
smallest = 1
largest = 9
over.learning_rate_init = {low = 1e-4, high = 0.1, log = true}
over.activation = ["relu", "tanh"]
"""


def reader(folder):
    """Return a function that reads a study whose runs, and what else, it is told."""

    def read(text, head=HEAD):
        (folder / "my.toml").write_text(head + text)
        return load_study(folder / "my.toml")

    return read
