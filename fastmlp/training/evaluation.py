"""Loss and score of data that are not trained on."""

from __future__ import annotations

import numpy as np

from fastmlp.network.network import Network
from fastmlp.training.data import Validation
from fastmlp.training.settings import Settings


def evaluate(network: Network, settings: Settings, data: Validation) -> tuple[float, float]:
    """Return the loss, in the units of the training loss, without penalties, and the score, in those of y."""
    targets, loss, preparation = data.y, settings.loss, settings.target_preparation
    if preparation is not None:
        targets = np.asarray(data.y, dtype=np.float64).reshape(data.X.shape[0], -1)
        targets = (targets - preparation.center) * preparation.scale
    value, outputs = network.evaluate(data.X, targets, loss, data.sample_weight)
    if preparation is None:
        predictions = loss.predictions(outputs)
    else:
        predictions = preparation.repeated(loss.outputs_per_target).invert(outputs)
    weighted = {} if data.sample_weight is None else {"sample_weight": data.sample_weight}
    score = data.score or settings.score or loss.score
    return value, float(score(data.y, predictions, **weighted))
