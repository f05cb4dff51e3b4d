"""MLPClassifier: classes and label indicators, their losses, probabilities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY
from numbers import Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, issparse
from sklearn.base import ClassifierMixin
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.multiclass import unique_labels

from fastmlp._support.checks import listed
from fastmlp.estimators.base import BaseMLP
from fastmlp.estimators.fitted import ClassLabels
from fastmlp.estimators.hyperparameters import (
    ActivationOptions,
    Activations,
    Float,
    Sizes,
    constructed,
    loss_choices,
    of_batches,
)
from fastmlp.estimators.readable_targets import readable_labels
from fastmlp.estimators.targets import LABELS
from fastmlp.losses import BinaryCrossEntropy, CrossEntropy, LogLikelihood, SquaredError


@constructed(kw_only=False)
class MLPClassifier(ClassifierMixin, BaseMLP):
    """Multilayer perceptron classifier, with scikit-learn's parameters and defaults.

    Minimises the cross-entropy, if ``loss`` does not name another: of a softmax for several classes, of
    logistic outputs for two classes and for label indicators.

    Parameters
    ----------
    hidden_layer_sizes : int or array-like of int, default=(100,)
        Units of each hidden layer.
    activation : str or array-like of str, default="relu"
        "identity", "logistic", "tanh", "relu", "leaky_relu", "prelu", "elu", "selu", "gelu", "gelu_tanh",
        "silu", "mish" or "softplus"; one for all hidden layers or one for each. "leaky_relu(0.2)" has another
        slope than 0.01, "elu(0.5)" another alpha than 1.
    solver : str or optimizer, default="adam"
        "sgd", "adam", "adamw", "rmsprop", "adagrad", "adadelta" or "lbfgs", or an instance from
        `fastmlp.optimizers`, which then has the learning rate too. By name, "sgd" takes ``momentum``, "adam"
        and "adamw" take ``beta_1``, ``beta_2`` and ``epsilon``, and the others PyTorch's defaults. "lbfgs"
        takes all samples at once, needs no learning rate, and suits small data sets.
    alpha : float, default=0.0001
        L2 penalty: alpha / 2 |W|^2 / batch size is added to each batch's loss.
    batch_size : int or "auto", default="auto"
        ``"auto"`` is min(200, n_samples).
    learning_rate : str or Schedule, default="constant"
        "constant", "invscaling", "adaptive", "one_cycle", "step", "exponential", "cosine",
        "cosine_restarts", "on_plateau" or "halve_on_drop", or an instance from `fastmlp.schedules`. As in
        scikit-learn, "invscaling" and "adaptive" are for solver "sgd" only.
    learning_rate_init : float, default=0.001
        The base rate of the schedule; of "one_cycle" the highest.
    power_t : float, default=0.5
        Exponent of "invscaling".
    max_iter : int, default=200
        Epochs; iterations of "lbfgs".
    shuffle : bool, default=True
    random_state : int, RandomState instance or None, default=None
        For the initial parameters, which are scikit-learn's for the same value, and the order of samples.
    tol : float, default=1e-4
        Training stops when the loss has not fallen by ``tol`` for ``n_iter_no_change`` epochs; not with
        "one_cycle", which is planned over all of them. By solver "lbfgs" it stops when no element of the
        gradient is larger than ``tol``.
    verbose : bool, int or "bar", default=False
        True prints a line per epoch; "bar" has `fit` draw a progress bar, also in notebooks, for which rich
        must be installed: ``pip install 'fastmlp[progress]'``.
    momentum : float, default=0.9
    nesterovs_momentum : bool, default=True
    beta_1, beta_2, epsilon : float, default=0.9, 0.999 and 1e-8
        Of Adam and AdamW.
    n_iter_no_change : int, default=10
    max_fun : int, default=15000
        Of "lbfgs": evaluations of the loss after which it stops.
    warm_start : bool, default=False
        Whether `fit` goes on from the present parameters, with a fresh state of the solver, where there are
        any. ``loss_curve_``, ``validation_scores_`` and ``t_`` go on too. The network stays: what it is made
        of, such as ``hidden_layer_sizes`` and ``dtype``, and the classes must be the same.
    early_stopping : bool, default=False
        Whether ``tol`` and ``n_iter_no_change`` apply to the validation score instead of the loss, and the
        model is that of the best epoch. Without X_val a share of the rows with weight is held out, by class;
        not by "lbfgs", which then trains on all rows and does not stop early, as in scikit-learn.
    validation_fraction : float in (0, 1), default=0.1
        That share.
    scoring : str, callable or None, default=None
        What ``validation_scores_`` and early stopping go by: a name of scikit-learn's scorers, such as
        "f1_macro" or "neg_log_loss", or ``scorer(estimator, X_val, y_val)``, of which more is better;
        ``sample_weight`` follows if the held-out samples have weights. None is accuracy or R^2.
    max_seconds : float or None, default=None
        Training ends when it has taken so long, also amid an epoch.
    l2, l1 : float, default=0
        Penalties that do not depend on the batch size: l2 |W|^2 and l1 |W|_1 are added to the loss.
    weight_decay : float or None, default=None
        Every step multiplies the weights by 1 - learning rate * weight_decay; None for the solver's own: 0.01
        for "adamw", 0 for the others.
    clip_value, clip_norm : float or None, default=None
        Cut every element of a batch's gradient to +-clip_value, or the whole gradient to a norm of clip_norm.
    dropout : float or list of float, default=0
        The share of outputs that each step of training drops, for all hidden layers or one for each.
    batch_norm, layer_norm : bool or list of bool, default=False
        Whether hidden layers normalise before their activation, by the batch or by the sample; see
        `fastmlp.layers.Dense`.
    input_dropout, input_noise : float, default=0
        The share of inputs that each step drops, and the deviation of the noise that it adds to them.
    ema_decay : float in [0, 1) or None, default=None
        If given, the model is an exponential moving average of the parameters over the steps: see `Trainer`.
        0.99 or 0.999 are usual.
    augmentation : str, augmentation, list of these or None, default=None
        Changes made at random to the images of each batch: "shift", "flip", or instances from
        `fastmlp.augmentations`.
    image_shape : (height, width) or (height, width, channels), default=None
        The images that the rows of X are; None for square ones of one channel.
    weight_init : str, initializer, list of these or None, default=None
        How the layers begin, see `fastmlp.initializers`; one for all layers or one for each, the output
        included. None is scikit-learn's way.
    output_activation : {"softmax", "logistic"} or None, default=None
        What the outputs pass through. None is scikit-learn's way: softmax for several classes, otherwise
        logistic. "logistic" gives each of several classes an output of its own, trained by the binary
        cross-entropy unless ``loss`` names another; `predict_proba` divides them by their sum.
    loss : str, loss or None, default=None
        "cross_entropy", of a softmax also for two classes; "binary_cross_entropy", for two classes and label
        indicators, or each of several classes with ``output_activation="logistic"``; "squared_error", of
        probabilities; "log_likelihood", of the logistic outputs of the right classes alone; or an instance of
        one of these from `fastmlp.losses`.
    label_smoothing : float in [0, 1), default=0
        For the cross-entropies: this share of each target is spread evenly over the classes, for a label
        indicator over yes and no. It takes precedence over that of ``loss``.
    class_weight : "balanced", dict, list of dict or None, default=None
        A weight for each class, ``{class: weight}``, by which ``sample_weight`` is multiplied; for label
        indicators a list with a dict for each label. "balanced" has n_samples / (n_classes * its samples)
        for each class, as in scikit-learn.
    dtype : {"auto", "float32", "float64", "bfloat16"}, default="auto"
        What is computed in; ``"auto"``: float64 for float64 input, float32 for all else. ``"bfloat16"``
        trains nearly twice as fast on processors with AVX512_BF16: see `Network`.
    engine : {"auto", "blas", "tile", "reference"}, default="auto"
        See `Network`; ``"reference"`` is plain NumPy, for reading and checking.
    n_threads : int or None, default=None
        The most threads that a call uses; None for as many as the process may use. See `Network`.
    prepare : {None, "auto", "image", "table"}, default=None
        Standardise X as it is read: with one mean and scale for all pixels ("image") or one pair for each
        column ("table"); "auto" takes bytes for images. None takes X as it is. Columns are standardised in
        float64 where float32 cannot hold them; one whose standard deviation is below 1e-304 or above 1e304
        is refused.
    callbacks : sequence of callables, default=()
        See `fastmlp.callbacks`. scikit-learn's own, since 1.9, are set by ``set_callbacks``; `fit` tells them
        of its epochs, `partial_fit` and `fit_many` do not.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
    coefs_, intercepts_ : list of ndarray
    loss_curve_ : list of float
        Mean training loss of each epoch.
    loss_, best_loss_ : float
        The last epoch's and the lowest; with early stopping, which goes by the score, ``best_loss_`` is None.
    validation_scores_, validation_loss_curve_ : list of float, or None without validation data
        If training diverged, NaN ends the scores.
    validation_score_ : float, or None without validation data
        The score of the weights that the model has: the last epoch's, or with early stopping that of the best
        epoch it went back to. Choose among models by this one. NaN if it is not known, as for a model that
        diverged in its first epoch.
    best_validation_score_ : float, or None without validation data
        The best of ``validation_scores_``, NaN left out; the model may have other weights.
    n_iter_, t_ : int
        Epochs of the last `fit` and of `partial_fit` since; samples also of the fits that it went on from.
    stopped_early_ : bool
        Whether the last `fit` or `partial_fit` found, with ``early_stopping``, that the score rises no more.
    n_layers_, n_outputs_, n_features_in_ : int
    out_activation_ : str
    preparation_ : Preparation or None
    network_ : Network

    Examples
    --------
    >>> from fastmlp import MLPClassifier
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> model = MLPClassifier((16,), max_iter=60, learning_rate="one_cycle", learning_rate_init=0.02,
    ...                       batch_size=16, prepare="table", random_state=0).fit(X, y)
    >>> model.score(X, y) > 0.95
    True
    """

    hidden_layer_sizes: Sizes = BaseMLP.hidden_layer_sizes
    activation: Activations = BaseMLP.activation
    _: KW_ONLY
    label_smoothing: Float = 0.0
    class_weight: str | Mapping[Any, float] | Sequence[Mapping[Any, float]] | None = None

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **BaseMLP._parameter_constraints,
        "loss": loss_choices(CrossEntropy, BinaryCrossEntropy, LogLikelihood, SquaredError),
        "output_activation": [ActivationOptions({"softmax", "logistic", "sigmoid"}), None],
        "label_smoothing": [Interval(Real, 0, 1, closed="left")],
        "class_weight": [StrOptions({"balanced"}), dict, list, None],
    }
    _kind = LABELS

    classes_ = ClassLabels(
        lambda model: np.asarray(model.targets.classes), "Sorted; of label indicators their numbers."
    )

    @of_batches
    def partial_fit(
        self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None, X_val: Any = None,
        y_val: Any = None,
    ) -> Self:  # fmt: skip
        """Train for one epoch on X and y, going on from the present parameters.

        What is set between calls applies from the next one on; what the network was made with is kept.

        Parameters
        ----------
        X, y : array-like
            As for `fit`; y may lack some of the classes.
        sample_weight : array-like of shape (n_samples,), optional
            As for `fit`.
        classes : array-like of shape (n_classes,), optional
            All classes that will ever come; needed at the first call.
        X_val, y_val : array-like, optional
            Validation data, scored after the epoch into ``validation_scores_``. With ``early_stopping`` they
            are needed: once the score has not risen by ``tol`` for more than ``n_iter_no_change`` calls, the
            model goes back to the weights of the best call, and ``stopped_early_`` is True.

        Returns
        -------
        self : object
        """
        first = not self._has_model
        if classes is not None:
            classes = unique_labels(readable_labels("classes", classes))
            if not first and not np.array_equal(classes, self.classes_):
                raise ValueError(
                    f"classes has {listed(classes)}; the first call had {listed(self.classes_)}."
                )
        elif first:
            message = "classes must be passed on the first call to partial_fit."
            if sample_weight is not None:
                message += " Pass them by name, classes=: the third argument is sample_weight."
            raise ValueError(message)
        if self.class_weight == "balanced":
            raise ValueError("class_weight='balanced' needs all samples; for partial_fit give a dict.")
        return self._partial_fit(X, y, sample_weight, X_val, y_val, classes)

    def predict_proba(self, X: Any) -> NDArray[np.floating]:
        """Return the probability of each class.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Of each label, for label indicators. Where each of several classes has a logistic output, these
            are divided by their sum.
        """
        outputs = self._outputs(X)
        return self.model_.probabilities(outputs)

    def predict_log_proba(self, X: Any) -> NDArray[np.floating]:
        """Return the logarithm of `predict_proba`."""
        return np.log(self.predict_proba(X))

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the most probable class of each sample, or the label indicators.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_labels)
            A CSR matrix, if `fit` had sparse label indicators.
        """
        p = self._outputs(X)
        targets = self.model_.targets
        classes = targets.classes
        assert classes is not None  # as those of real targets are
        if targets.is_multilabel:
            return (csr_matrix if targets.is_sparse else np.asarray)((p > 0.5).astype(int))
        best = (p[:, 0] > 0.5).astype(int) if p.shape[1] == 1 else p.argmax(axis=1)
        labels: NDArray[Any] = classes[np.minimum(best, len(classes) - 1)]
        return labels

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the accuracy, as scikit-learn's classifiers do; ``y`` can be what `fit` takes."""
        y = y if issparse(y) else readable_labels("y", y)
        return float(super().score(X, y, sample_weight))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
