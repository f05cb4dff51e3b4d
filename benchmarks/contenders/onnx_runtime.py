"""ONNX Runtime: a session on the CPU over a model of Gemm, Relu and Softmax, built with the onnx package."""

from itertools import pairwise

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper


def make_model(sizes):
    """Return the network as ONNX, with random weights; each keeps its rows of (n_out, n_in)."""
    rng = np.random.default_rng(0)
    nodes, initializers, value = [], [], "X"
    for i, (n_in, n_out) in enumerate(pairwise(sizes)):
        weight = rng.standard_normal((n_out, n_in), dtype=np.float32) / np.float32(np.sqrt(n_in))
        initializers += [
            numpy_helper.from_array(weight, f"weight_{i}"),
            numpy_helper.from_array(np.zeros(n_out, np.float32), f"bias_{i}"),
        ]
        is_last = i == len(sizes) - 2
        activation = helper.make_node("Softmax", [f"z_{i}"], ["probabilities"], axis=1)
        if not is_last:
            activation = helper.make_node("Relu", [f"z_{i}"], [f"y_{i}"])
        nodes += [
            helper.make_node("Gemm", [value, f"weight_{i}", f"bias_{i}"], [f"z_{i}"], transB=1),
            activation,
        ]
        value = f"y_{i}"
    graph = helper.make_graph(
        nodes,
        "mlp",
        [helper.make_tensor_value_info("X", TensorProto.FLOAT, ["rows", sizes[0]])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["rows", sizes[-1]])],
        initializers,
    )
    # Versions that every runtime of the last years reads.
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def prediction(case, threads, X):
    """Return a function that predicts over and over."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        make_model(case.sizes).SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return case.repeated(lambda: session.run(None, {"X": X}))
