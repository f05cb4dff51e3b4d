"""What takes a fitted estimator elsewhere: model files, ONNX, scikit-learn, PyTorch."""

from __future__ import annotations

import os
from typing import Any

from sklearn.base import is_classifier

from fastmlp._support.files import replacing
from fastmlp._support.optional import needed
from fastmlp.estimators import saving
from fastmlp.estimators.fitted import FittedEstimator
from fastmlp.formats.sklearn import to_sklearn
from fastmlp.formats.torch import state_arrays


class ExportedEstimator(FittedEstimator):
    """Base of the estimators: a fitted one as a file, or as what other libraries have for it."""

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted model to a file that `fastmlp.load`, NumPy, PyTorch and JAX can read.

        Parameters
        ----------
        path : str or path-like
            By custom ending in .safetensors. A file of that name is replaced, in one move; a symbolic
            link stays, and a FIFO or a device is written into.

        Raises
        ------
        TypeError, ValueError
            If the model is of a subclass, or has parameters, class labels or weights that a file cannot hold.
        """
        saving.save(self, path)

    def to_onnx(self, path: str | os.PathLike[str] | None = None, input_dtype: str | None = None) -> Any:
        """Return the fitted model as an ONNX model, and write it to a file if a path is given.

        Everything is in it: the standardisation of the inputs, normalisations, and the way back to the units
        of a regressor's targets. It needs the package onnx: ``pip install 'fastmlp[onnx]'``.

        Parameters
        ----------
        path : str or path-like, optional
            By custom ending in .onnx. A file of that name is replaced, in one move; a symbolic
            link stays, and a FIFO or a device is written into.
        input_dtype : {"float32", "float64", "uint8"}, optional
            The type of the input ``X``, (n_samples, n_features). By default what the model computes in, or
            float64 if it standardises columns that float32 cannot hold: their mean is more than 8,192
            standard deviations from 0, as of times in seconds, or they are beyond its range.

        Returns
        -------
        onnx.ModelProto
            Its outputs have skl2onnx's names. A classifier's are ``label``, int64 or strings (n_samples,), or
            int64 (n_samples, n_labels) for label indicators, and ``probabilities`` as `predict_proba` has
            them; a regressor's is ``variable``, (n_samples, n_targets), with several quantiles
            (n_samples, n_quantiles) or (n_samples, n_targets, n_quantiles). Like `predict`, it is double if
            the targets were standardised.

        Raises
        ------
        ImportError
            If onnx is not installed.
        ValueError
            If ``input_dtype`` or the class labels are of a type that the graph cannot have.

        Examples
        --------
        >>> import fastmlp, onnxruntime
        >>> X, y, X_test, y_test = fastmlp.datasets.load_digits()
        >>> model = fastmlp.fit(X, y, max_iter=5, random_state=0)
        >>> file = model.to_onnx(input_dtype="uint8").SerializeToString()
        >>> session = onnxruntime.InferenceSession(file)
        >>> labels, probabilities = session.run(None, {"X": X_test})
        >>> bool((labels == model.predict(X_test)).all()), probabilities.shape
        (True, (360, 10))
        """
        fitted = self._check_fitted()
        needed("onnx", "to_onnx", "pip install 'fastmlp[onnx]'")
        from fastmlp.formats.onnx import INPUT_DTYPES, onnx_model

        if input_dtype is not None and input_dtype not in INPUT_DTYPES:
            allowed = ", ".join(map(repr, INPUT_DTYPES))
            raise ValueError(f"input_dtype={input_dtype!r} is not known; choose one of {allowed} or None.")
        model = onnx_model(fitted, input_dtype)
        if path is not None:
            with replacing(path) as file:
                file.write(model.SerializeToString())
        return model

    @property
    def alias(self) -> str:
        """Of which of its own estimators skl2onnx takes the options."""
        return "SklearnMLPClassifier" if is_classifier(self) else "SklearnMLPRegressor"

    def onnx_parser(self) -> Any:
        """Return what skl2onnx declares the outputs by.

        With this, `onnx_shape_calculator` and `onnx_converter` skl2onnx converts the estimators, also within
        pipelines and meta-estimators. Probabilities are always a tensor, as with the option ``zipmap=False``.
        A regressor's predictions have the pipeline's type, but are double where float32 would lose their
        units: where the targets were standardised and their mean is more than 8,192 standard deviations
        from 0. Such a regressor within a meta-estimator needs inputs of float64.

        Examples
        --------
        >>> import fastmlp
        >>> from skl2onnx import to_onnx
        >>> from sklearn.pipeline import make_pipeline
        >>> from sklearn.preprocessing import StandardScaler
        >>> X, y, *_ = fastmlp.datasets.load_digits()
        >>> model = fastmlp.MLPClassifier(max_iter=5, tol=0, learning_rate="one_cycle", random_state=0)
        >>> pipeline = make_pipeline(StandardScaler(), model).fit(X, y)
        >>> [output.name for output in to_onnx(pipeline, X[:1].astype("float32")).graph.output]
        ['label', 'probabilities']
        """
        from fastmlp.formats.skl2onnx import declare_outputs

        return lambda scope=None, inputs=None: declare_outputs(self, scope, inputs)

    def onnx_shape_calculator(self) -> Any:
        """Return what skl2onnx sets the types of the outputs by."""
        from fastmlp.formats.skl2onnx import set_types

        return set_types

    def onnx_converter(self) -> Any:
        """Return what skl2onnx adds the estimator to a graph by."""
        from fastmlp.formats.skl2onnx import convert

        return convert

    def to_sklearn(self) -> Any:
        """Return the fitted model as scikit-learn's ``MLPClassifier`` or ``MLPRegressor``.

        It predicts the same and can go on training, by ``partial_fit`` or ``warm_start``, with a fresh state
        of the solver. Weights are copied; where the model has a preparation of inputs or targets, the first
        and last layers' include it, in float64, and are no longer `coefs_`. What matters in training only and
        scikit-learn has not, dropout, most penalties, some solvers and schedules, is left out: it then trains
        by "adam" and at a constant rate.

        Returns
        -------
        sklearn.neural_network.MLPClassifier or sklearn.neural_network.MLPRegressor

        Raises
        ------
        ValueError
            If scikit-learn has no such model: another activation than its four or several of them,
            normalisations, a softmax of two classes, another loss; or if the preparation is too large or too
            small a number to be part of the weights. The message names it.

        Examples
        --------
        >>> import fastmlp
        >>> X, y, X_test, y_test = fastmlp.datasets.load_digits()
        >>> model = fastmlp.fit(X, y, max_iter=5, random_state=0)
        >>> theirs = model.to_sklearn()
        >>> bool((theirs.predict(X_test) == model.predict(X_test)).all()), theirs.solver
        (True, 'sgd')
        """
        model, settings = self._check_fitted(), self._settings()
        return to_sklearn(model, self.get_params(deep=False), settings.optimizer())

    def to_torch_state_dict(self) -> dict[str, Any]:
        """Return the parameters as PyTorch's tensors: the state dict of a ``torch.nn.Sequential``.

        The Sequential has for each layer, the last one included, a ``Linear`` with a bias, a ``BatchNorm1d``
        or ``LayerNorm`` of its units if it normalises, and its activation: ``ReLU()``, ``LeakyReLU(0.01)``,
        ``PReLU(units)``, ``GELU("tanh")`` for "gelu_tanh", ``Identity()`` for "identity" and so on. Dropout
        is left out. The standardisation of inputs and of a regressor's targets is part of the first and the
        last ``Linear``; inputs or targets that lie far from 0 for their spread need a model in float64 for
        that.

        The last activation has no parameters: without it, outputs are what ``CrossEntropyLoss`` and
        ``BCEWithLogitsLoss`` take. With the loss "poisson" they are logarithms of the predictions.

        Returns
        -------
        dict of str to torch.Tensor
            Copies, of the type that the model computes in.

        Raises
        ------
        ImportError
            If PyTorch is not installed.
        ValueError
            If inputs or targets were standardised and tensors of the model's type would lose their units:
            in float32 where their mean is more than 8,192 standard deviations from 0.

        Examples
        --------
        A state dict and the module that takes it::

            import fastmlp
            import torch
            from torch import nn

            X, y, X_test, y_test = fastmlp.datasets.load_digits()
            model = fastmlp.fit(X, y, hidden_layer_sizes=(32, 16), activation=["prelu", "tanh"],
                                batch_norm=[True, False], max_iter=5, random_state=0)
            module = nn.Sequential(
                nn.Linear(64, 32), nn.BatchNorm1d(32), nn.PReLU(32),
                nn.Linear(32, 16), nn.Tanh(),
                nn.Linear(16, 10), nn.Softmax(dim=1),
            ).eval()
            module.load_state_dict(model.to_torch_state_dict())
            probabilities = module(torch.from_numpy(X_test).float())
        """
        arrays = state_arrays(self._check_fitted())
        torch = needed("torch", "to_torch_state_dict", "pip install torch")
        return {name: torch.from_numpy(values) for name, values in arrays.items()}
