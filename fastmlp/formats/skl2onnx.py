"""What skl2onnx asks an estimator for: its outputs, their types and shapes, and its part of the graph.

skl2onnx finds these through the estimators' methods `onnx_parser`, `onnx_shape_calculator` and
`onnx_converter`, and for the parts of meta-estimators in the table that skl2onnx_registration.py adds to.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import numpy_helper
from skl2onnx.common.data_types import (
    DoubleTensorType,
    FloatTensorType,
    Int64TensorType,
    StringTensorType,
    guess_tensor_type,
)
from skl2onnx.common.utils import check_input_and_output_numbers
from sklearn.utils.validation import check_is_fitted

from fastmlp.formats.model import FittedModel
from fastmlp.formats.onnx import (
    Graph,
    add_classifier,
    add_regressor,
    classes_of,
    element_type,
    loses_units,
    output_shapes,
)


def declare_outputs(estimator: Any, scope: Any, inputs: list[Any]) -> list[Any]:
    """Return the variables of an estimator's outputs; `set_types` sets their types."""
    check_is_fitted(estimator)
    kind = _type_of_numbers(estimator.model_, inputs[0].type)
    names = output_shapes(estimator.model_)
    return [
        scope.declare_local_variable(name, Int64TensorType() if name == "label" else kind) for name in names
    ]


def set_types(operator: Any) -> None:
    """Set the types and shapes of an operator's outputs."""
    model: FittedModel = operator.raw_operator.model_
    kind = _type_of_numbers(model, operator.inputs[0].type)
    shapes = output_shapes(model)
    check_input_and_output_numbers(operator, input_count_range=1, output_count_range=len(shapes))
    n_samples = operator.inputs[0].get_first_dimension()
    for (name, shape), output in zip(shapes.items(), operator.outputs, strict=True):
        of_output = type(kind)
        if name == "label":
            is_text = classes_of(model).dtype == object
            of_output = StringTensorType if is_text else Int64TensorType
        output.set_type(of_output(shape=[n_samples, *shape]))


def _type_of_numbers(model: FittedModel, input_type: Any) -> Any:
    """Return the type of probabilities and predictions: the pipeline's, or double if that loses the units."""
    kind = guess_tensor_type(input_type)
    if not isinstance(kind, DoubleTensorType) and loses_units(model, np.float32):
        return DoubleTensorType()
    return kind


def convert(scope: Any, operator: Any, container: Any) -> None:
    """Add an estimator's graph to the container."""
    estimator, input_type = operator.raw_operator, operator.inputs[0].type
    model: FittedModel = estimator.model_
    kind = _type_of_numbers(model, input_type)
    if type(kind) is not type(guess_tensor_type(input_type)) and not operator.outputs[0].is_leaf:
        raise ValueError(
            "The targets of this regressor are far from 0 for their spread: its predictions need float64, "
            "and the model around it computes in float32. Convert it with inputs of float64, such as "
            "to_onnx(model, X[:1].astype('float64'))."
        )
    kinds = {DoubleTensorType: np.float64, FloatTensorType: np.float32}
    graph = Graph(
        operator.inputs[0].full_name,
        kinds.get(type(input_type), np.int64),
        np.float64 if isinstance(kind, DoubleTensorType) else np.float32,
        scope.get_unique_variable_name,
    )
    names = [output.full_name for output in operator.outputs]
    if model.is_classifier:
        _check_options(container.get_options(estimator))
        add_classifier(model, graph, *names)
    else:
        add_regressor(model, graph, *names)
    for name, values in graph.constants.items():
        content = values.tolist() if values.dtype == object else numpy_helper.from_array(values)
        container.add_initializer(name, element_type(values.dtype), values.shape, content)
    for node, inputs, output, attributes in graph.nodes:
        container.add_node(node, inputs, output, name=scope.get_unique_operator_name(node), **attributes)


def _check_options(options: dict[str, Any]) -> None:
    """Refuse what would change the outputs; skl2onnx itself sets zipmap=True in some pipelines."""
    asked = {name: value for name, value in options.items() if value and (name, value) != ("zipmap", True)}
    if asked:
        raise ValueError(
            f"options={asked!r}: the outputs of fastmlp's classifiers are label and probabilities, a tensor; "
            "of skl2onnx's options they take zipmap=False only."
        )
