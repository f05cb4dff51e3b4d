"""PyTorch, eager: the training loop of its tutorials, over tensors that are in memory."""

from itertools import pairwise

import torch
from torch import nn

from benchmarks.cases import LEARNING_RATE, MOMENTUM

LIBRARY = "torch"


def prepare(case, threads):
    """Return a function that trains for one epoch."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    X, y = map(torch.from_numpy, case.data())
    layers = []
    for n_in, n_out in pairwise(case.sizes):
        layers += [nn.Linear(n_in, n_out), nn.ReLU()]
    model = nn.Sequential(*layers[:-1])  # the loss begins at the logits
    loss = nn.CrossEntropyLoss()
    if case.solver == "sgd":
        optimizer = torch.optim.SGD(model.parameters(), LEARNING_RATE, momentum=MOMENTUM)
    else:
        optimizer = torch.optim.Adam(model.parameters(), LEARNING_RATE)

    def epoch():
        for rows in torch.randperm(len(X)).split(case.batch_size):
            optimizer.zero_grad(set_to_none=True)
            loss(model(X[rows]), y[rows]).backward()
            optimizer.step()

    return epoch
