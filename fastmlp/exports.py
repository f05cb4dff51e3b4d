"""What takes fitted estimators elsewhere; each method imports what it needs, so that nobody else must."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from sklearn.base import is_classifier
from sklearn.utils.validation import check_is_fitted

from fastmlp.storage import replacing


class Exports:
    """Base of the estimators: ONNX."""

    def to_onnx(self, path=None, input_dtype=None) -> Any:
        """Return the fitted model as an ONNX model, and write it to a file if a path is given.

        Everything is in it: the standardisation of the inputs, normalisations, and the way back to the units
        of a regressor's targets. It needs the package onnx: ``pip install 'fastmlp[onnx]'``.

        Parameters
        ----------
        path : str or path-like, optional
            By custom ending in .onnx. A file of that name is replaced, in one move.
        input_dtype : {"float32", "float64", "uint8"}, optional
            The type of the input ``X``, (n_samples, n_features); by default what the model computes in.

        Returns
        -------
        onnx.ModelProto
            Its outputs have skl2onnx's names. A classifier's are ``label``, int64 or strings (n_samples,), or
            int64 (n_samples, n_labels) for label indicators, and ``probabilities`` as `predict_proba` has
            them; a regressor's is ``variable``, (n_samples, n_targets), with several quantiles
            (n_samples, n_quantiles) or (n_samples, n_targets, n_quantiles).

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
        check_is_fitted(self)
        needed("onnx", "to_onnx", "pip install 'fastmlp[onnx]'")
        from fastmlp.onnx_graph import INPUT_DTYPES, onnx_model

        if input_dtype is not None and input_dtype not in INPUT_DTYPES:
            allowed = ", ".join(map(repr, INPUT_DTYPES))
            raise ValueError(f"input_dtype={input_dtype!r} is not known; choose one of {allowed} or None.")
        model = onnx_model(self, input_dtype)
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
        pipelines. Probabilities are always a tensor, as with the option ``zipmap=False``.

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
        from fastmlp.skl2onnx_converter import declare_outputs

        return lambda scope=None, inputs=None: declare_outputs(self, scope, inputs)

    def onnx_shape_calculator(self) -> Any:
        """Return what skl2onnx sets the types of the outputs by."""
        from fastmlp.skl2onnx_converter import set_types

        return set_types

    def onnx_converter(self) -> Any:
        """Return what skl2onnx adds the estimator to a graph by."""
        from fastmlp.skl2onnx_converter import convert

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
            normalisations, a softmax of two classes, another loss. The message names it.

        Examples
        --------
        >>> import fastmlp
        >>> X, y, X_test, y_test = fastmlp.datasets.load_digits()
        >>> model = fastmlp.fit(X, y, max_iter=5, random_state=0)
        >>> theirs = model.to_sklearn()
        >>> bool((theirs.predict(X_test) == model.predict(X_test)).all()), theirs.solver
        (True, 'sgd')
        """
        check_is_fitted(self)
        from fastmlp.exchange import to_sklearn

        return to_sklearn(self)


def needed(module: str, caller: str, command: str) -> Any:
    """Import a module that only a part of fastmlp needs; say how to install it where it is not.

    Raises
    ------
    ImportError
        If it is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise ImportError(f"{caller} needs {module}, which is not installed: {command}.") from error
