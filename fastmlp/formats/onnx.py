"""A fitted model as an ONNX graph: from the rows of X to labels and probabilities, or predictions.

The graph is plain data, which becomes a model of its own here, and part of one in skl2onnx.py.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastmlp import activations
from fastmlp._support.checks import shown
from fastmlp.environment import __version__
from fastmlp.formats.folding import with_batch_norm
from fastmlp.formats.model import FittedModel
from fastmlp.layers import NORM_EPSILON, Dense
from fastmlp.losses import Poisson
from fastmlp.network.network import Network

#: The operators' version, and the file format's that goes with it: the first with PRelu of float64.
OPSET, IR_VERSION = 16, 8
#: What a graph can take.
INPUT_DTYPES = ("uint8", "float32", "float64")

SELU_ALPHA, SELU_SCALE = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946
# Activations that are one operator for both types: ONNX Runtime has the others for float32 at most.
_OPERATORS = {"relu": "Relu", "tanh": "Tanh", "logistic": "Sigmoid"}
# Half the period of a square wave, in standard deviations, and the most of them that are told from it.
_HALF_PERIOD, _FARTHEST = 17.0, 8.5


class Graph:
    """Nodes (operator, inputs, output, attributes) in order, and constants by their names.

    Parameters
    ----------
    input_name : str
    input_dtype, output_dtype : dtype
        Of X, and of probabilities and predictions.
    unique : callable
        Returns a name that nothing else has, for one that something else may have.
    """

    def __init__(self, input_name: str, input_dtype: Any, output_dtype: Any, unique: Any = None):
        self.nodes: list[tuple[str, list[str], str, dict[str, Any]]] = []
        self.constants: dict[str, np.ndarray] = {}
        self.input_name = input_name
        self.input_dtype, self.output_dtype = np.dtype(input_dtype), np.dtype(output_dtype)
        self._unique = unique or self._count
        self._n_names = 0

    def _count(self, name: str) -> str:
        self._n_names += 1
        return f"{name}_{self._n_names}"

    def constant(self, name: str, values: Any, dtype: Any = None) -> str:
        """Add a constant; return its name."""
        name = self._unique(name)
        self.constants[name] = np.asarray(values, dtype=dtype)
        return name

    def node(self, operator: str, *inputs: str, output: str | None = None, **attributes: Any) -> str:
        """Add an operation; return the name of its output."""
        output = output or self._unique(operator.lower())
        self.nodes.append((operator, list(inputs), output, attributes))
        return output

    def cast(self, x: str, dtype: Any, output: str | None = None) -> str:
        """Add a conversion to float32, float64 or int64."""
        return self.node("Cast", x, output=output, to=element_type(dtype))


def element_type(dtype: Any) -> int:
    """Return ONNX's number of a type; of strings for objects."""
    from onnx import TensorProto

    kinds = {"float32": "FLOAT", "float64": "DOUBLE", "int64": "INT64", "uint8": "UINT8", "object": "STRING"}
    return int(getattr(TensorProto, kinds[np.dtype(dtype).name]))


def outputs_of(network: Network, graph: Graph) -> str:
    """Add the network with the preparation before it; return the name of its outputs."""
    dtype, preparation = network.dtype, network.preparation
    # As the estimators read: float64, and what becomes float64 first, is prepared before it is converted.
    wide = dtype
    if preparation is not None and (
        graph.input_dtype not in (np.float32, np.uint8) or not preparation.can_prepare_in(dtype)
    ):
        wide = np.dtype(np.float64)
    x = graph.input_name if graph.input_dtype == wide else graph.cast(graph.input_name, wide)
    if preparation is not None:
        x = graph.node("Sub", x, graph.constant("center", preparation.center, wide))
        x = graph.node("Mul", x, graph.constant("scale", preparation.scale, wide))
        x = x if wide == dtype else graph.cast(x, dtype)
    for layer, parts in zip(network.layers, network.parts(), strict=True):
        x = _activated(graph, _linear(graph, x, layer, parts, dtype), layer.activation, parts, dtype)
    return x


def _linear(graph: Graph, x: str, layer: Dense, parts: dict[str, np.ndarray], dtype: Any) -> str:
    """Add a layer up to its activation."""
    if not layer.layer_norm:
        weight, bias = with_batch_norm(layer, parts)
        bias_name = graph.constant("bias", bias, dtype)
        return graph.node("Gemm", x, graph.constant("weight", weight, dtype), bias_name, transB=1)
    # The mean over the units is taken from the weights. (LayerNormalization keeps its epsilon in float32.)
    weight = parts["weight"].astype(np.float64)
    weight -= weight.mean(axis=0)
    z = graph.node("Gemm", x, graph.constant("weight", weight, dtype), transB=1)
    shares = graph.constant("shares", np.full((layer.units, 1), 1 / layer.units), dtype)
    variance = graph.node("MatMul", graph.node("Mul", z, z), shares)
    variance = graph.node("Add", variance, graph.constant("epsilon", NORM_EPSILON, dtype))
    z = graph.node("Div", z, graph.node("Sqrt", variance))
    z = graph.node("Mul", z, graph.constant("scale", parts["scale"], dtype))
    return graph.node("Add", z, graph.constant("bias", parts["bias"], dtype))


def _activated(graph: Graph, z: str, activation: str, parts: dict[str, np.ndarray], dtype: Any) -> str:
    """Add an activation."""

    def number(value: float) -> str:
        return graph.constant("number", value, dtype)

    kind, parameter = activations.split(activation)
    if kind in _OPERATORS:
        return graph.node(_OPERATORS[kind], z)
    match kind:
        case "identity":
            return z
        case "softmax":
            return graph.node("Softmax", z, axis=1)
        case "leaky_relu":  # LeakyRelu keeps its slope in float32
            return graph.node("PRelu", z, number(parameter))
        case "prelu":
            return graph.node("PRelu", z, graph.constant("slope", parts["slope"], dtype))
        case "elu":
            return _elu(graph, z, parameter, dtype)
        case "selu":
            return graph.node("Mul", _elu(graph, z, SELU_ALPHA, dtype), number(SELU_SCALE))
        case "softplus":
            return _softplus(graph, z, dtype)
        case "mish":
            return graph.node("Mul", z, graph.node("Tanh", _softplus(graph, z, dtype)))
        case "silu":
            return graph.node("Mul", z, graph.node("Sigmoid", z))
        case "gelu":
            return graph.node("Mul", z, _normal_distribution(graph, z, dtype))
        case "gelu_tanh":
            cube = graph.node("Mul", graph.node("Mul", z, z), z)
            inner = graph.node("Add", z, graph.node("Mul", cube, number(0.044715)))
            u = graph.node("Mul", inner, number(2 * math.sqrt(2 / math.pi)))
            return graph.node("Mul", z, graph.node("Sigmoid", u))
    raise ValueError(f"activation={activation!r} has no counterpart in ONNX.")


def _elu(graph: Graph, z: str, alpha: float, dtype: Any) -> str:
    """Add max(z, 0) + alpha (exp(min(z, 0)) - 1)."""
    if dtype == np.float32:
        return graph.node("Elu", z, alpha=alpha)
    zero, one, factor = (graph.constant("number", value, dtype) for value in (0.0, 1.0, alpha))
    below = graph.node("Sub", graph.node("Exp", graph.node("Min", z, zero)), one)
    return graph.node("Add", graph.node("Relu", z), graph.node("Mul", below, factor))


def _softplus(graph: Graph, z: str, dtype: Any) -> str:
    """Add max(z, 0) + log(1 + exp(-|z|))."""
    if dtype == np.float32:
        return graph.node("Softplus", z)
    small = graph.node("Exp", graph.node("Neg", graph.node("Abs", z)))
    rest = graph.node("Log", graph.node("Add", small, graph.constant("number", 1.0, dtype)))
    return graph.node("Add", graph.node("Relu", z), rest)


def _normal_distribution(graph: Graph, z: str, dtype: Any) -> str:
    """Add the normal distribution, (1 + erf(z / sqrt 2)) / 2.

    ONNX Runtime has no erf for float64. There it is the edge of a square wave that is smoothed by the normal
    density, 1/2 + 2/pi sum exp(-(n w)^2 / 2) sin(n w z) / n over odd n, far from the wave's other edges.
    """
    half = graph.constant("number", 0.5, dtype)
    if dtype == np.float32:
        erf = graph.node("Erf", graph.node("Mul", z, graph.constant("number", math.sqrt(0.5), dtype)))
        return graph.node("Add", graph.node("Mul", erf, half), half)
    n = np.arange(1, 51, 2)
    frequencies = n * math.pi / _HALF_PERIOD
    amplitudes = 2 / math.pi * np.exp(-(frequencies**2) / 2) / n
    z = graph.node("Max", z, graph.constant("number", -_FARTHEST, dtype))
    z = graph.node("Min", z, graph.constant("number", _FARTHEST, dtype))
    z = graph.node("Unsqueeze", z, axis := graph.constant("axis", [2], np.int64))
    waves = graph.node("Sin", graph.node("Mul", z, graph.constant("frequencies", frequencies, dtype)))
    wave = graph.node("MatMul", waves, graph.constant("amplitudes", amplitudes[:, None], dtype))
    return graph.node("Add", graph.node("Squeeze", wave, axis), half)


def classes_of(model: FittedModel) -> np.ndarray:
    """Return a classifier's classes as ONNX has them, int64 or strings.

    Raises
    ------
    ValueError
        If they are neither integers, bools nor strings.
    """
    classes = np.asarray(model.targets.classes)
    if classes.dtype.kind in "OU" and all(isinstance(label, str) for label in classes):
        return classes.astype(object)
    as_integers = classes.astype(np.int64) if classes.dtype.kind in "biuf" else None
    if as_integers is None or not (as_integers == classes).all():
        raise ValueError(
            f"class labels {shown(classes)} of type {classes.dtype} cannot be exported to ONNX, which has "
            "integers and strings."
        )
    return as_integers


def add_classifier(model: FittedModel, graph: Graph, label: str, probabilities: str) -> None:
    """Add the network and what `predict` and `predict_proba` make of its outputs, under these names."""
    p, dtype, classes = outputs_of(model.network, graph), model.network.dtype, classes_of(model)
    is_multilabel, n_outputs = model.targets.is_multilabel, model.outputs.n_outputs
    if n_outputs == 1 or is_multilabel:
        chosen = graph.node("Greater", p, graph.constant("half", 0.5, dtype))
    else:
        chosen = graph.node("ArgMax", p, axis=1, keepdims=0)
    if is_multilabel:
        graph.cast(chosen, np.int64, label)
        graph.cast(p, graph.output_dtype, probabilities)
        return
    if n_outputs == 1:
        other = graph.node("Sub", graph.constant("one", 1.0, dtype), p)
        p = graph.node("Concat", other, p, axis=1)
        chosen = graph.node("Squeeze", graph.cast(chosen, np.int64), graph.constant("axis", [1], np.int64))
    if model.is_divided:
        total = graph.node("ReduceSum", p, graph.constant("columns", [1], np.int64), keepdims=1)
        p = graph.node("Div", p, total)
    graph.cast(p, graph.output_dtype, probabilities)
    # A single class has an output for each of two.
    of_outputs = classes[np.minimum(np.arange(max(2, n_outputs)), len(classes) - 1)]
    graph.node("Gather", graph.constant("classes", of_outputs), chosen, output=label, axis=0)


def add_regressor(model: FittedModel, graph: Graph, variable: str) -> None:
    """Add the network and what `predict` makes of its outputs, (n_samples, n_targets), under this name."""
    x, dtype = outputs_of(model.network, graph), model.network.dtype
    each, n_targets = model.loss.outputs_per_target, model.targets.n_targets
    preparation = model.target_preparation
    if preparation is not None:
        preparation = preparation.repeated(each)
        x = x if dtype == np.float64 else graph.cast(x, np.float64)
        x = graph.node("Div", x, graph.constant("target_scale", preparation.scale, np.float64))
        x = graph.node("Add", x, graph.constant("target_center", preparation.center, np.float64))
    if isinstance(model.loss, Poisson):
        x = graph.node("Exp", x)
    if each > 1 and n_targets > 1:
        shape = graph.constant("shape", [-1, n_targets, each], np.int64)
        x = graph.node("Reshape", x, shape)
    graph.cast(x, graph.output_dtype, variable)


def loses_units(model: FittedModel, dtype: Any) -> bool:
    """Return whether predictions in this type would lose the units of a regressor's targets.

    See `Preparation.can_restore_in`: float32 loses them where the targets lie more than 8,192 standard
    deviations from 0.
    """
    preparation = model.target_preparation
    return preparation is not None and not preparation.can_restore_in(dtype)


def output_shapes(model: FittedModel) -> dict[str, list[int]]:
    """Return the shapes of the outputs after the number of samples, by their names."""
    if model.is_classifier:
        is_multilabel = model.targets.is_multilabel
        n = model.outputs.n_outputs if is_multilabel else max(2, model.outputs.n_outputs)
        return {"label": [n] if is_multilabel else [], "probabilities": [n]}
    n, each = model.targets.n_targets, model.loss.outputs_per_target
    return {"variable": [n, each] if n > 1 and each > 1 else [n * each]}


def _default_input_dtype(network: Network) -> np.dtype:
    """Return the network's type, or float64 if that cannot hold the inputs in their units."""
    holds = network.preparation is None or network.preparation.can_restore_in(network.dtype)
    return network.dtype if holds else np.dtype(np.float64)


def onnx_model(model: FittedModel, input_dtype: str | None) -> Any:
    """Return a fitted model as an ``onnx.ModelProto``; what `MLPClassifier.to_onnx` does."""
    from onnx import helper, numpy_helper

    network = model.network
    restores = model.target_preparation is not None
    output_dtype = np.dtype(np.float64) if restores else network.dtype
    graph = Graph("X", input_dtype or _default_input_dtype(network), output_dtype)
    shapes = output_shapes(model)
    types = dict.fromkeys(shapes, output_dtype)
    if model.is_classifier:
        types["label"] = classes_of(model).dtype
        add_classifier(model, graph, *shapes)
    else:
        add_regressor(model, graph, *shapes)
    infos = [("X", graph.input_dtype, [network.n_features])]
    infos += [(name, types[name], shape) for name, shape in shapes.items()]
    inputs_and_outputs = [
        helper.make_tensor_value_info(name, element_type(dtype), ["n_samples", *shape])
        for name, dtype, shape in infos
    ]
    return helper.make_model(
        helper.make_graph(
            [
                helper.make_node(operator, inputs, [output], name=f"{operator}_{i}", **attributes)
                for i, (operator, inputs, output, attributes) in enumerate(graph.nodes)
            ],
            model.estimator_name,
            inputs_and_outputs[:1],
            inputs_and_outputs[1:],
            [numpy_helper.from_array(values, name) for name, values in graph.constants.items()],
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="fastmlp",
        producer_version=__version__,
    )
