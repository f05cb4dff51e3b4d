"""Layers of a network as the tests name them."""

from fastmlp.layers import Dense


def layers_of(kind, activation):
    """The same as layers."""
    names = {"batch": {"batch_norm": True}, "layer": {"layer_norm": True}, "": {}}
    return [
        Dense(
            units, one, dropout=others.get("dropout", 0), trainable=others.get("trainable", True),
            **names[others.get("norm", "")],
        )
        for units, one, others in zip(
            (8, 6, 3), (activation, activation, "softmax"), OTHERS[kind], strict=True
        )
    ]  # fmt: skip


#: The others of the two hidden layers, and of the last one.
OTHERS = {
    "dropout": ({"dropout": 0.3}, {"dropout": 0.5}, {}),
    "batch norm": ({"norm": "batch"}, {"norm": "batch"}, {}),
    "layer norm": ({"norm": "layer"}, {"norm": "layer"}, {}),
    "both norms and dropout": ({"norm": "batch", "dropout": 0.2}, {"norm": "layer", "dropout": 0.2}, {}),
    "normalised outputs": ({}, {}, {"norm": "batch"}),
    "layer-normalised outputs": ({}, {}, {"norm": "layer"}),
    "first frozen": ({"trainable": False, "norm": "batch"}, {"dropout": 0.2}, {}),
    "middle frozen": ({"norm": "layer"}, {"trainable": False, "norm": "batch", "dropout": 0.2}, {}),
    "last frozen": ({"norm": "batch"}, {"norm": "layer"}, {"trainable": False}),
}
