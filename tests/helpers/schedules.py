"""What a schedule gives over a whole fit."""

import numpy as np

from fastmlp.schedules import (
    Clock,
)


def whole_fit(function, base, n_epochs, n_steps):
    """Return a schedule's value at every step of a fit."""
    epochs = (Clock(e * n_steps, n_steps, n_epochs * n_steps, e * n_steps * 32) for e in range(n_epochs))
    return np.concatenate([function(base, clock) for clock in epochs])
