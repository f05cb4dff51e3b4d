"""How MLPClassifier and MLPRegressor are fitted."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from copy import copy
from typing import Any, Self

from numpy.typing import NDArray

from fastmlp._support.progress import SILENT, show_progress
from fastmlp.callbacks import EpochEnd
from fastmlp.estimators import pickling, resuming
from fastmlp.estimators.building import Fitting, begin
from fastmlp.estimators.exports import ExportedEstimator
from fastmlp.estimators.fit_warnings import warnings_of
from fastmlp.estimators.hyperparameters import checks_parameters
from fastmlp.estimators.reading import Samples, read
from fastmlp.estimators.sklearn_callbacks import CallbackSupportMixin, has_callbacks, observing
from fastmlp.formats.model import Targets


class BaseMLP(CallbackSupportMixin, ExportedEstimator):
    """Base of the estimators; a subclass says what its targets are."""

    @checks_parameters
    def fit(self, X: Any, y: Any, sample_weight: Any = None, X_val: Any = None, y_val: Any = None) -> Self:
        """Fit to X and y: from new parameters, or with ``warm_start`` from the present ones.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            uint8, float32 and float64 are read in place, in any strides; other types are converted. Sparse
            formats are copied as CSR; nothing is made dense.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Class labels, label indicators, dense or sparse, or real targets.
        sample_weight : array-like of shape (n_samples,), optional
            Weights of at least 0, as in scikit-learn: a batch's loss is sum(weights * losses) / sum(weights),
            and ``alpha`` is divided by the sum of the weights. Samples that are held out for
            ``early_stopping`` keep theirs in the score.
        X_val, y_val : array-like, optional
            Validation data, scored after every epoch into ``validation_scores_``.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If the data do not go with the parameters, or training diverges in its first epoch. One that
            diverges later warns, and leaves the weights of the last epoch that went well, or of the best.
        """
        return self._fit(X, y, sample_weight, X_val, y_val, progress=False)

    def _fit_with_progress(
        self, X: Any, y: Any, sample_weight: Any, X_val: Any, y_val: Any, progress: bool | None
    ) -> Self:
        """Check the parameters, then do what `fit` does; ``progress`` draws a bar, None on a terminal."""
        self._check_params()
        return self._fit(X, y, sample_weight, X_val, y_val, progress)

    def _fit(self, X: Any, y: Any, sample_weight: Any, X_val: Any, y_val: Any, progress: bool | None) -> Self:
        settings = self._settings()
        if self.warm_start and self._has_model:
            model = self.model_
            resuming.check_kept(settings, model, "with warm_start=True", "Set warm_start=False")
            samples = self._read(X, y, sample_weight, X_val, y_val, encode=model.targets.encode_again)
            fitting = resuming.warm_start(settings, samples, model, self._session)
        else:
            samples = self._read(X, y, sample_weight, X_val, y_val)
            fitting = begin(settings, samples)
        asked_by = f"verbose={settings.verbose!r}" if settings.draws_bar() else "progress=True"
        progress = settings.draws_bar() or progress
        observed: AbstractContextManager[Any] = nullcontext()
        if has_callbacks(self):
            observed = observing(self, fitting, X, y, sample_weight)
        with (
            observed as observer,
            show_progress(progress, settings.max_iter, samples.n_samples, asked_by=asked_by) as reporter,
        ):
            try:
                self._train(fitting, settings.max_iter, reporter=reporter, observer=observer)
            except KeyboardInterrupt:
                if not fitting.trainer.has_begun:
                    raise
                warnings.warn("Training interrupted by user.", stacklevel=4)
        _check_trained(fitting)
        for warning in warnings_of(fitting):
            warnings.warn(warning, stacklevel=4)
        return self

    def _partial_fit(
        self, X: Any, y: Any, sample_weight: Any, X_val: Any, y_val: Any, classes: Any = None
    ) -> Self:
        """Train for one epoch on these data, from the present weights if there are any."""
        if self.early_stopping and X_val is None:
            raise ValueError(
                "partial_fit does not support early_stopping=True without validation data: what it would "
                "hold out of one call would be trained on in the next. Give it X_val and y_val."
            )
        settings = self._settings()
        if not self._has_model:
            fitting = begin(settings, self._read(X, y, sample_weight, X_val, y_val, classes=classes))
        else:
            model, session = self.model_, self._session
            if resuming.has_changed(settings, model, session):
                self._check_params()  # scikit-learn checks them at the first call only
                advice = "Call fit, without warm_start,"
                resuming.check_kept(settings, model, "between calls of partial_fit", advice)
            samples = self._read(X, y, sample_weight, X_val, y_val, encode=model.targets.encode)
            fitting = resuming.next_part(settings, samples, model, session)
        try:
            self._train(fitting, 1, is_one_of_calls=True)
        except KeyboardInterrupt:
            if not fitting.trainer.has_begun:
                raise
            warnings.warn("Training interrupted by user.", stacklevel=4)
        for warning in warnings_of(fitting, is_one_of_calls=True):
            warnings.warn(warning, stacklevel=4)
        return self

    def _fit_samples(self, samples: Samples, reporter: Any) -> list[Warning]:
        """Fit to data that are read, and return what the user should be warned of; for `fit_many`."""
        settings = self._settings()
        fitting = begin(settings, samples)
        self._train(fitting, settings.max_iter, reporter=reporter)
        _check_trained(fitting)
        return warnings_of(fitting)

    def _train(
        self, fitting: Fitting, epochs: int, *, reporter: Any = SILENT, observer: Any = None,
        is_one_of_calls: bool = False,
    ) -> None:  # fmt: skip
        """Train and adopt the model, also if it is interrupted; an error before that changes nothing."""

        def adopt() -> None:
            self._adopt(fitting.model(), fitting.session)

        follower = None
        if observer is not None or fitting.trainer.callbacks:
            follower = _Follower(adopt, observer)
        try:
            fitting.train(
                epochs, reporter=reporter, observer=follower, is_one_of_calls=is_one_of_calls,
                score=self._scorer(),
            )  # fmt: skip
        finally:
            if fitting.trainer.has_begun:
                adopt()

    def _read(
        self, X: Any, y: Any, sample_weight: Any = None, X_val: Any = None, y_val: Any = None, *,
        encode: Callable[[Any], NDArray[Any]] | None = None, classes: NDArray[Any] | None = None,
    ) -> Samples:  # fmt: skip
        """Return the data, checked and encoded.

        What y holds is learnt from it, with ``classes`` if all of them are known. With ``encode``, which is
        a method of the model's targets, it is what the model has learnt, and X must have the model's columns.
        """

        def learnt(y: Any, is_sparse: bool) -> tuple[Targets, NDArray[Any]]:
            if encode is not None:
                return self.model_.targets, encode(y)
            targets = self._kind.learn(y, classes, is_sparse)
            return targets, targets.encode(y)

        return read(
            copy(self) if encode is None else self,  # it notes new columns, which a fit that fails forgets
            X, y, sample_weight, X_val, y_val,
            readable=self._kind.readable, learn=learnt, reset=encode is None,
        )  # fmt: skip

    def _check_params(self) -> None:
        """Check all parameters, before there are data."""
        self._validate_params()
        self._settings().check()
        self._scorer()

    def __getstate__(self) -> dict[str, Any]:
        return pickling.to_plain(vars(self))

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in pickling.from_plain(state).items():
            setattr(self, name, value)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


class _Follower:
    """Has an estimator adopt its model as training goes, so that callbacks can use it."""

    def __init__(self, adopt: Callable[[], None], observer: Any):
        self._adopt, self._observer, self._has_begun = adopt, observer, False

    def begin_epoch(self) -> None:
        """Adopt the model as the first epoch begins, and pass each epoch's beginning on."""
        if not self._has_begun:
            self._adopt()
            self._has_begun = True
        if self._observer is not None:
            self._observer.begin_epoch()

    def add_epoch(self, event: EpochEnd) -> None:
        """Adopt the model with what is known of the epoch."""
        self._adopt()

    def end_epoch(self, event: EpochEnd) -> bool:
        """Pass an epoch's end on; return whether to stop."""
        return self._observer is not None and bool(self._observer.end_epoch(event))


def _check_trained(fitting: Fitting) -> None:
    """Refuse a fit that diverged before a single epoch went well."""
    trainer = fitting.trainer
    if trainer.divergence and trainer.n_epochs == 0:
        raise ValueError(
            "Solver produced non-finite parameter weights. The input data may contain large values and "
            f"need to be preprocessed. {trainer.divergence}"
        )
