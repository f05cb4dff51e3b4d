"""Loss and score of data that are not trained on."""

from __future__ import annotations

import numpy as np

from fastmlp.losses import Loss
from fastmlp.network.network import Network
from fastmlp.network.preparation import Preparation
from fastmlp.training.data import Score, Validation


def evaluate(
    network: Network, loss: Loss, preparation: Preparation | None, data: Validation,
    score: Score | None = None,
) -> tuple[float, float]:  # fmt: skip
    """Return the loss, in the units of the training loss, without penalties, and the score, in those of y.

    ``preparation`` is that of the targets. Without a score of the data's own, or ``score``, it is the loss's.
    """
    targets = data.y
    if preparation is not None:
        targets = np.asarray(data.y, dtype=np.float64).reshape(data.X.shape[0], -1)
        targets = (targets - preparation.center) * preparation.scale
    value, outputs = network.evaluate(data.X, targets, loss, data.sample_weight)
    if preparation is None:
        predictions = loss.predictions(outputs)
    else:
        predictions = preparation.repeated(loss.outputs_per_target).invert(outputs)
    weighted = {} if data.sample_weight is None else {"sample_weight": data.sample_weight}
    chosen = data.score or score or loss.score
    return value, float(chosen(data.y, predictions, **weighted))
