"""What the user of an estimator is warned of once it has trained."""

from __future__ import annotations

from typing import Any

from sklearn.exceptions import ConvergenceWarning

from fastmlp.optimizers import is_full_batch
from fastmlp.training.divergence import DivergenceWarning


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


def grouped(warned: list[list[Warning]]) -> list[Warning]:
    """Return each warning once, with the indices of all models that it is about."""
    indices: dict[tuple[type[Warning], str], list[int]] = {}
    for index, found in enumerate(warned):
        for warning in found:
            indices.setdefault((type(warning), str(warning)), []).append(index)
    return [kind(f"configurations[{ranges(of)}]: {text}") for (kind, text), of in indices.items()]


def ranges(indices: list[int]) -> str:
    """Return rising numbers in short.

    Examples
    --------
    >>> ranges([0, 1, 2, 5, 7, 8])
    '0-2, 5, 7-8'
    """
    spans: list[list[int]] = []
    for index in indices:
        if spans and index == spans[-1][1] + 1:
            spans[-1][1] = index
        else:
            spans.append([index, index])
    return ", ".join(f"{first}" if first == last else f"{first}-{last}" for first, last in spans)
