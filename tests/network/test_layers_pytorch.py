"""Layers that normalise, drop out, are frozen or learn a slope, step for step beside PyTorch's."""

import numpy as np
import pytest

from fastmlp import Network, Trainer
from fastmlp.engine.reference import native as reference
from fastmlp.optimizers import SGD
from helpers.layers import layers_of


def modules(torch, network, factors):
    """The network as modules; ``factors`` are put in place of what its dropout would draw."""

    class Factors(torch.nn.Module):
        def __init__(self, i, rate):
            super().__init__()
            self.i, self.rate = i, rate

        def forward(self, x):
            return x * torch.from_numpy(factors(self.i, x.shape, self.rate)) if self.training else x

    found = []
    n_in = network.n_features
    for i, (layer, parts) in enumerate(zip(network.layers, network.parts(), strict=True)):
        linear = torch.nn.Linear(n_in, layer.units, bias=not layer.norm, dtype=torch.float64)
        linear.weight.data[:] = torch.from_numpy(parts["weight"])
        found.append(linear)
        vectors = linear
        if layer.norm:
            kind = torch.nn.BatchNorm1d if layer.batch_norm else torch.nn.LayerNorm
            vectors = kind(layer.units, dtype=torch.float64)
            found.append(vectors)
        vectors.bias.data[:] = torch.from_numpy(parts["bias"])
        if layer.activation == "prelu":
            found.append(torch.nn.PReLU(layer.units, dtype=torch.float64))
        elif layer.activation == "tanh":
            found.append(torch.nn.Tanh())
        if layer.dropout:
            found.append(Factors(i, layer.dropout))
        for module in found if not layer.trainable else ():
            module.eval().requires_grad_(False)
        n_in = layer.units
    return torch.nn.Sequential(*found)


@pytest.mark.parametrize("activation", ["tanh", "prelu"])
@pytest.mark.parametrize(
    "kind",
    ["dropout", "batch norm", "layer norm", "both norms and dropout", "normalised outputs", "first frozen"],
)
def test_fifty_steps_are_those_of_pytorch(kind, activation):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(50 * 8, 5)), rng.integers(0, 3, 50 * 8)
    network = Network(layers_of(kind, activation), 5, dtype="float64", random_state=0)
    trainer = Trainer(
        network, "cross_entropy", optimizer=SGD(0.05, 0.9, nesterov=False), batch_size=8, shuffle=False
    )
    step = 0

    def factors(i, shape, rate):
        stream = reference.STREAMS["dropout"] + reference.STREAMS_PER_LAYER * i
        words = reference.unit_words(shape[1], shape[0], trainer.state.seed, step, stream)
        return reference.kept(words, rate, np.float64).T.copy()

    model = modules(torch, network, factors)
    optimizer = torch.optim.SGD([one for one in model.parameters() if one.requires_grad], 0.05, momentum=0.9)
    trainer.fit(X, y, epochs=1)
    for step in range(50):  # `factors` reads it
        optimizer.zero_grad()
        x = torch.from_numpy(X[8 * step : 8 * step + 8])
        torch.nn.functional.cross_entropy(model(x), torch.from_numpy(y[8 * step : 8 * step + 8])).backward()
        optimizer.step()
    with torch.no_grad():
        expected = torch.softmax(model.eval()(torch.from_numpy(X)), 1).numpy()
    np.testing.assert_allclose(network.predict(X), expected, rtol=1e-9)
    theirs = {name: value.detach().numpy() for name, value in model.state_dict().items()}
    ours = [
        part
        for layer, parts in zip(network.layers, network.parts(), strict=True)
        # PyTorch's order: the product's weight, then the normalisation's, whose bias is ours.
        for part in [parts[name] for name in _torch_order(layer)]
    ]
    theirs = [value for name, value in theirs.items() if not name.endswith("num_batches_tracked")]
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)


def _torch_order(layer):
    names = ["weight", *(["scale"] if layer.norm else []), "bias"]
    names += ["mean", "variance"] if layer.batch_norm else []
    return names + (["slope"] if layer.activation == "prelu" else [])
