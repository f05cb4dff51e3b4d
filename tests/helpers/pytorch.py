"""PyTorch's counterparts."""

from fastmlp import activations


def pytorch(torch, activation):
    """Return PyTorch's function for an activation."""
    functional = torch.nn.functional
    kind, parameter = activations.split(activation)
    return {
        "identity": lambda x: x,
        "relu": functional.relu,
        "tanh": torch.tanh,
        "logistic": torch.sigmoid,
        "leaky_relu": lambda x: functional.leaky_relu(x, parameter),
        "elu": lambda x: functional.elu(x, parameter),
        "selu": functional.selu,
        "gelu": functional.gelu,
        "gelu_tanh": lambda x: functional.gelu(x, approximate="tanh"),
        "silu": functional.silu,
        "mish": functional.mish,
        "softplus": functional.softplus,
    }[kind]
