"""What the user of an estimator is warned of once it has trained."""

from __future__ import annotations

from sklearn.exceptions import ConvergenceWarning

from fastmlp.estimators.building import Fitting
from fastmlp.optimizers import is_full_batch
from fastmlp.training.divergence import DivergenceWarning


def warnings_of(fitting: Fitting, *, is_one_of_calls: bool = False) -> list[Warning]:
    """Return what the user should be warned of after training; one epoch alone need not converge."""
    found: list[Warning] = []
    trainer, settings, n_samples = fitting.trainer, fitting.settings, fitting.samples.n_samples
    full_batch = is_full_batch(trainer.optimizer)
    n_iter = trainer.n_epochs - fitting.session.epochs_before
    if not full_batch and settings.batch_size != "auto" and settings.batch_size > n_samples:
        found.append(
            UserWarning("Got `batch_size` less than 1 or larger than sample size. It is going to be clipped")
        )
    if trainer.divergence:
        found.append(DivergenceWarning(trainer.divergence))
    elif full_batch:
        if trainer.limit:
            found.append(
                ConvergenceWarning(f"lbfgs failed to converge after {n_iter} iterations: {trainer.limit}.")
            )
    elif not (
        is_one_of_calls
        or n_iter < settings.max_iter
        or trainer.schedule.runs_to_the_end
        or trainer.history.converged
    ):
        found.append(
            ConvergenceWarning(
                f"Stochastic Optimizer: Maximum iterations ({settings.max_iter}) reached and the "
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
