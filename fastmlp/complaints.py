"""What the user of an estimator is warned of once it has trained."""

from __future__ import annotations

from typing import Any

from sklearn.exceptions import ConvergenceWarning

from fastmlp.divergence import DivergenceWarning
from fastmlp.optimizers import is_full_batch


def complaints(estimator: Any, data: Any, of_one_epoch: bool = False) -> list[Warning]:
    """Return what the user should be warned of after training."""
    found: list[Warning] = []
    trainer = estimator._trainer
    full_batch = is_full_batch(trainer.optimizer)
    if not full_batch and estimator.batch_size != "auto" and estimator.batch_size > data.X.shape[0]:
        found.append(
            UserWarning("Got `batch_size` less than 1 or larger than sample size. It is going to be clipped")
        )
    if trainer.divergence:
        found.append(DivergenceWarning(trainer.divergence))
    elif full_batch:
        if trainer.limit:
            found.append(
                ConvergenceWarning(
                    f"lbfgs failed to converge after {estimator.n_iter_} iterations: {trainer.limit}."
                )
            )
    elif not (
        of_one_epoch
        or estimator.n_iter_ < estimator.max_iter
        or trainer.schedule.runs_to_the_end
        or trainer.history.converged
    ):
        found.append(
            ConvergenceWarning(
                f"Stochastic Optimizer: Maximum iterations ({estimator.max_iter}) reached and the "
                "optimization hasn't converged yet."
            )
        )
    return found
