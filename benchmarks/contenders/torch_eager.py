"""PyTorch, eager: the loop of its tutorials over tensors in memory, with its fused optimizers.

``autocast=True`` computes the products in bfloat16, by `torch.autocast`.
"""

from contextlib import nullcontext
from itertools import count, pairwise

import numpy as np
import torch
from torch import nn

from benchmarks.contenders import Outcome, Stopwatch
from benchmarks.kinds import LEARNING_RATE, MOMENTUM
from fastmlp.estimators.recipe import RECIPES


def make_model(sizes, dtype=torch.float32, dropout=0.0, batch_norm=False):
    """Return the network up to its logits, at which PyTorch's loss begins."""
    layers = []
    for n_in, n_out in pairwise(sizes[:-1]):
        layers.append(nn.Linear(n_in, n_out, bias=not batch_norm, dtype=dtype))
        layers += [nn.BatchNorm1d(n_out, dtype=dtype)] if batch_norm else []
        layers.append(nn.ReLU())
        layers += [nn.Dropout(dropout)] if dropout else []
    return nn.Sequential(*layers, nn.Linear(*sizes[-2:], dtype=dtype))


def make_optimizer(case, model, fused):
    """Return the case's optimizer; fused, it is PyTorch's fastest on a CPU without `torch.compile`."""
    if case.solver == "sgd":
        return torch.optim.SGD(model.parameters(), LEARNING_RATE, momentum=MOMENTUM, fused=fused)
    if case.solver in ("rmsprop", "adadelta"):  # they have no fused form
        kind = {"rmsprop": torch.optim.RMSprop, "adadelta": torch.optim.Adadelta}[case.solver]
        return kind(model.parameters(), LEARNING_RATE)
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "adagrad": torch.optim.Adagrad}[case.solver]
    return kind(model.parameters(), LEARNING_RATE, fused=fused)


def precision(autocast):
    """Return the context in which the network computes."""
    return torch.autocast("cpu", torch.bfloat16) if autocast else nullcontext()


def make_step(model, optimizer, autocast=False):
    """Return a function that takes one training step on a batch."""
    loss = nn.CrossEntropyLoss()

    def step(X, y):
        optimizer.zero_grad(set_to_none=True)
        with precision(autocast):
            value = loss(model(X), y)
        value.backward()
        optimizer.step()

    return step


def training(case, threads, X, y, autocast=False, wrap=None):
    """Return a function that trains for a turn; ``wrap`` makes something else of the step."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    X, y = torch.from_numpy(X), torch.from_numpy(y)
    model = make_model(case.sizes, X.dtype, case.dropout, case.batch_norm)
    step = make_step(model, make_optimizer(case, model, fused=wrap is None), autocast)
    if wrap is not None:
        step = wrap(step)

    def turn():
        for _ in range(case.n_epochs):
            for rows in torch.randperm(len(X)).split(case.batch_size):
                step(X[rows], y[rows])

    return turn


def prediction(case, threads, X, autocast=False, wrap=None):
    """Return a function that predicts over and over, in inference mode."""
    torch.set_num_threads(threads)
    X = torch.from_numpy(X)
    model = nn.Sequential(make_model(case.sizes), nn.Softmax(dim=1)).eval()
    if wrap is not None:
        model = wrap(model)
    turn = case.repeated(lambda: model(X))

    def in_inference_mode():
        with torch.inference_mode(), precision(autocast):
            turn()

    return in_inference_mode


def accuracy(case, threads, X, y, X_test, y_test, autocast=False):
    """Return a function that trains by fastmlp's recipe for images until the test accuracy is reached."""
    torch.set_num_threads(threads)
    recipe, seeds = RECIPES["image"], count()
    y = torch.from_numpy(y)
    sizes = (X.shape[1], *recipe["hidden_layer_sizes"], 10)
    n_steps = -(-len(X) // recipe["batch_size"])

    def turn():
        torch.manual_seed(next(seeds))
        watch = Stopwatch()
        images = torch.from_numpy(X).float()
        mean, deviation = images.mean(), images.std()
        images.sub_(mean).div_(deviation)
        model = make_model(sizes)
        initialize(model)
        optimizer, schedule = by_recipe(model, recipe, n_steps)
        step = make_step(model, optimizer, autocast)
        for _ in range(recipe["max_iter"]):
            for rows in torch.randperm(len(images)).split(recipe["batch_size"]):
                step(images[rows], y[rows])
                schedule.step()
            with watch.paused(), torch.inference_mode():
                logits = model((torch.from_numpy(X_test).float() - mean) / deviation)
                reached = case.is_reached(np.asarray(logits.argmax(dim=1)), y_test)
            if reached:
                return Outcome(watch.seconds)
        return Outcome(watch.seconds, finished=False)

    return turn


def initialize(model):
    """Draw the weights as fastmlp and scikit-learn do, by Glorot's rule."""
    for layer in model:
        if isinstance(layer, nn.Linear):
            nn.init.xavier_uniform_(layer.weight)


def by_recipe(model, recipe, n_steps):
    """Return the optimizer and the schedule that fastmlp's estimators make of a recipe.

    Their penalty, alpha / 2 |W|^2 / batch size with scikit-learn's default alpha, is a weight decay of the
    weights, and their one cycle is PyTorch's with these shares.
    """
    weights = [p for p in model.parameters() if p.ndim == 2]
    biases = [p for p in model.parameters() if p.ndim == 1]
    optimizer = torch.optim.SGD(
        [{"params": weights, "weight_decay": 1e-4 / recipe["batch_size"]}, {"params": biases}],
        recipe["learning_rate_init"],
        momentum=0.9,
        nesterov=True,
        fused=True,
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        recipe["learning_rate_init"],
        # It counts on by one after the last step.
        total_steps=n_steps * recipe["max_iter"] + 1,
        pct_start=0.2,
        div_factor=1 / 0.04,
        final_div_factor=0.04 / 0.0001,
        base_momentum=0.8,
        max_momentum=0.9,
    )
    return optimizer, schedule
