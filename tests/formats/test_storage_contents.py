"""Tests of model files with contents that do not fit: versions, tensors, types, descriptions."""

import contextlib
import json
import struct

import numpy as np
import pytest
import safetensors.numpy
from safetensors import safe_open

import fastmlp
from fastmlp import FormatError, MLPRegressor
from helpers.storage import X, fitted, refused, save_classifier

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture
def path(tmp_path):
    return save_classifier(tmp_path)


@pytest.fixture
def regressor_path(tmp_path):
    """Return the path of a regressor's file, with prepared targets."""
    fitted(MLPRegressor, X[:, :2], prepare="table").save(tmp_path / "regressor.safetensors")
    return tmp_path / "regressor.safetensors"


def rewritten(path, *, version=None, model=None, tensors=None):
    """Write the file again with a part of it changed: each is a function of what was there."""
    with safe_open(path, framework="numpy") as file:
        metadata = file.metadata()
    arrays = safetensors.numpy.load_file(path)
    description = json.loads(metadata["fastmlp"])
    if version is not None:
        description["format_version"] = version
    if model is not None:
        description = model(description) or description
    metadata["fastmlp"] = json.dumps(description)
    if tensors is not None:
        tensors(arrays)
    safetensors.numpy.save_file(arrays, path, metadata)


def test_rewriting_without_a_change_is_accepted(path, regressor_path):
    for file in (path, regressor_path):
        rewritten(file, model=lambda description: None, tensors=lambda arrays: None)
        fastmlp.load(file)


@pytest.mark.parametrize("version", [2, 10, 10**21])
def test_newer_versions_are_refused_by_their_number(path, version):
    rewritten(path, version=version)
    refused(path, "newer")


@pytest.mark.parametrize("version", ["", "1", -1, 1.5, "one", 0, True, [1]])
def test_versions_that_never_were_are_refused(path, version):
    rewritten(path, version=version)
    refused(path, "version")


def set_tensor(name, value):
    return lambda arrays: arrays.update({name: value})


def change_tensor(name, change):
    return lambda arrays: arrays.update({name: np.ascontiguousarray(change(arrays[name]))})


BAD_TENSORS = {
    **{
        f"{name} missing": (lambda arrays, name=name: arrays.pop(name))
        for name in ("layers.0.weight", "layers.2.bias", "preparation.scale", "preparation.center")
    },
    "one too many": set_tensor("layers.3.weight", np.zeros((3, 3))),
    "weight transposed": change_tensor("layers.0.weight", np.transpose),
    "weight flat": change_tensor("layers.0.weight", np.ravel),
    "weight with an axis more": change_tensor("layers.0.weight", lambda w: w[None]),
    "weight too short": change_tensor("layers.1.weight", lambda w: w[:-1]),
    "bias too short": change_tensor("layers.1.bias", lambda b: b[:-1]),
    "bias of one number": change_tensor("layers.1.bias", lambda b: b[:1]),
    "bias a scalar": set_tensor("layers.1.bias", np.array(1.0)),
    "bias a column": change_tensor("layers.1.bias", lambda b: b[:, None]),
    "center of one number": change_tensor("preparation.center", lambda c: c[:1]),
    "scale too long": change_tensor("preparation.scale", lambda s: np.r_[s, 1.0]),
    **{
        f"{name} in {dtype}": change_tensor(name, lambda array, dtype=dtype: array.astype(dtype))
        for name in ("layers.0.weight", "layers.0.bias", "preparation.scale")
        for dtype in ("int64", "float16", "uint8", "bool")
    },
    "weight in float32": change_tensor("layers.0.weight", lambda array: array.astype("float32")),
}


@pytest.mark.parametrize("case", BAD_TENSORS)
def test_tensors_that_do_not_fit_are_refused(path, case):
    rewritten(path, tensors=BAD_TENSORS[case])
    refused(path)


def bfloat16(path, name="layers.0.bias"):
    """Say in the header that a tensor is of a type that NumPy does not have."""
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    header[name] |= {"dtype": "BF16", "shape": [4 * header[name]["shape"][0]]}
    text = json.dumps(header, ensure_ascii=False).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data[8 + length :])


def test_types_that_numpy_does_not_have_are_refused(path):
    bfloat16(path)
    refused(path)


def put(*keys, value):
    """Return a change of a description: the item that these keys lead to becomes this value."""

    def change(description):
        inner = description
        for key in keys[:-1]:
            inner = inner[key]
        inner[keys[-1]] = value

    return change


def drop(*keys):
    def change(description):
        inner = description
        for key in keys[:-1]:
            inner = inner[key]
        del inner[keys[-1]]

    return change


def nested(depth):
    """Return a list in a list in a list."""
    value = []
    for _ in range(depth):
        value = [value]
    return value


BAD_DESCRIPTIONS = {
    **{f"no {key}": drop(key) for key in ("estimator", "parameters", "dtype", "layers", "fitted", "classes")},
    **{
        f"estimator {value!r}": put("estimator", value=value)
        for value in ("SVC", "BaseMLP", "", None, 3, [], {})
    },
    **{
        f"dtype {value!r}": put("dtype", value=value)
        for value in ("float32", "bfloat16", "float16", ">f8", "object", "", None, 8, [])
    },
    **{
        f"layers {value!r}": put("layers", value=value)
        for value in ([], None, 3, "abc", {}, [[3, "softmax"]], [[5, "relu"], [5, "relu"], [4, "softmax"]])
    },
    **{
        f"first layer {value!r}": put("layers", 0, value=value)
        for value in (
            [6], [6, "relu", 1], [0, "relu"], [-6, "relu"], [10**12, "relu"], [6.0, "relu"], ["6", "relu"],
            [6, "swash"], [6, None], [6, ["relu"]], None,
        )
    },
    **{f"output {name}": put("layers", 2, value=[3, name]) for name in ("identity", "logistic", "relu")},
    **{f"parameters {value!r}": put("parameters", value=value) for value in (None, [], 3, "abc", {})},
    "another parameter": put("parameters", "system", value="ls"),
    **{f"engine {value!r}": put("parameters", "engine", value=value) for value in ("cuda", None, [])},
    **{
        f"learning rate {value!r}": put("parameters", "learning_rate", value=value)
        for value in (
            {}, {"schedule": "os.system"}, {"schedule": []}, {"schedule": "one_cycle", "warm_up": 7},
            {"schedule": "one_cycle", "command": "ls"}, {"schedule": "one_cycle", "warm_up": "x"},
        )
    },
    **{f"fitted {value!r}": put("fitted", value=value) for value in (None, [], 3, {})},
    **{
        f"{name} {value!r}": put("fitted", name, value=value)
        for name, values in {
            "n_features_in_": (3, 5, 0, -4, "4", None, [4]),
            "n_outputs_": (1, 2, 4, "3", None),
            "out_activation_": ("logistic", "identity", "relu", None, 3),
            "_multilabel": (True, "no", None),
        }.items()
        for value in values
    },
    **{
        f"fitted without {name}": drop("fitted", name)
        for name in ("n_features_in_", "n_outputs_", "out_activation_")
    },
    **{f"classes {value!r}": put("classes", value=value) for value in (None, [], 3, {}, ["x", "y", "z"])},
    **{
        f"class labels {value!r}": put("classes", "values", value=value)
        for value in (
            [], ["x", "y"], ["x", "y", "z", "w"], None, 3, "xyz", [["x", "y", "z"]], ["x", ["y"], "z"],
        )
    },
    **{
        f"class labels of type {value!r}": put("classes", "dtype", value=value)
        for value in ("<i8", "<f8", "V8", "<M8[s]", "nonsense", "f8,i4", "", None, 7, [])
    },
    "class labels beyond their type": put("classes", value={"dtype": "|u1", "values": [1, 2, 300]}),
    "class labels beyond any type": put("classes", value={"dtype": "<i8", "values": [1, 2, 10**30]}),
    "class labels not in order": put("classes", value={"dtype": "<i8", "values": [3, 1, 2]}),
    "class labels twice": put("classes", value={"dtype": "<i8", "values": [1, 1, 2]}),
    **{
        f"feature names {value!r}": put("feature_names", value=value)
        for value in ([], ["a"], ["a", "b", "c", "d", "e"], 3, "abcd", None, [1, 2, 3, 4])
    },
    "a regressor's name": put("estimator", value="MLPRegressor"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_DESCRIPTIONS)
def test_descriptions_that_do_not_fit_are_refused(path, case):
    rewritten(path, model=BAD_DESCRIPTIONS[case])
    refused(path)


# What a file of the first version, before early stopping and all that came after it, has for parameters.
FIRST = [
    "hidden_layer_sizes", "activation", "solver", "alpha", "batch_size", "learning_rate",
    "learning_rate_init", "power_t", "max_iter", "shuffle", "random_state", "tol", "verbose", "momentum",
    "nesterovs_momentum", "beta_1", "beta_2", "epsilon", "n_iter_no_change", "dtype", "engine", "prepare",
]  # fmt: skip


def without(names):
    def change(description):
        for name in names:
            drop("parameters", name)(description)

    return change


def parameters_of(path):
    with safe_open(path, framework="numpy") as file:
        return json.loads(file.metadata()["fastmlp"])["parameters"]


@pytest.mark.parametrize("kind", ["path", "regressor_path"])
def test_parameters_that_a_file_is_too_old_for_have_their_defaults(kind, request):
    file = request.getfixturevalue(kind)
    added = parameters_of(file).keys() - set(FIRST)
    assert {"early_stopping", "max_fun", "l2", "ema_decay", "dropout", "image_shape"} <= added
    of_classes = {"class_weight", "label_smoothing"}
    assert added & of_classes == (of_classes if kind == "path" else set())
    whole = fastmlp.load(file)
    for names in (*([name] for name in sorted(added)), added):  # each for itself, and all of them
        rewritten(file, model=without(names))
        old, defaults = fastmlp.load(file), type(whole)().get_params()
        for name in names:
            assert old.get_params()[name] == defaults[name], name
        np.testing.assert_array_equal(old.network_.parameters, whole.network_.parameters)
        whole.save(file)


@pytest.mark.parametrize("name", FIRST)
def test_parameters_that_every_file_has_may_not_be_missing(path, name):
    rewritten(path, model=drop("parameters", name))
    refused(path)


@pytest.mark.parametrize(
    "change",
    [
        put("estimator", value="MLPClassifier"),
        put("fitted", "n_outputs_", value=1),
        put("fitted", "_loss_name", value="cross_entropy"),
        put("classes", value={"dtype": "<i8", "values": [1, 2]}),
    ],
    ids=["estimator", "outputs", "loss", "classes"],
)
def test_descriptions_of_regressors_that_do_not_fit_are_refused(regressor_path, change):
    rewritten(regressor_path, model=change)
    refused(regressor_path)


@pytest.mark.parametrize(("name", "only", "others"), [
    ("label_smoothing", 0.0, [0.1, 1, None, "x", []]),
    ("class_weight", None, ["balanced", {"pairs": []}, 0, []]),
])  # fmt: skip
def test_a_parameter_that_regressors_no_longer_have_may_be_there_without_effect(
    name, only, others, regressor_path
):
    rewritten(regressor_path, model=put("parameters", name, value=only))
    assert name not in fastmlp.load(regressor_path).get_params()
    for value in others:
        rewritten(regressor_path, model=put("parameters", name, value=value))
        refused(regressor_path, f"MLPRegressor has no parameter {name}")


@pytest.mark.parametrize("text", ["", "{", "null", "[]", "3", '"model"', "[" * 100_000, '{"a":' * 50_000])
def test_descriptions_that_are_not_json_objects_are_refused(path, text):
    arrays = safetensors.numpy.load_file(path)
    safetensors.numpy.save_file(arrays, path, {"fastmlp": text})
    refused(path)


@pytest.mark.parametrize("keys", [("parameters", "alpha"), ("fitted", "loss_curve_"), ("classes", "values")])
def test_deep_descriptions_load_or_are_refused(path, keys):
    rewritten(path, model=put(*keys, value=nested(900)))
    with contextlib.suppress(FormatError):
        fastmlp.load(path)


@pytest.mark.parametrize("value", [True, 1, "yes", None, []])
def test_only_label_indicators_are_sparse(path, value):
    rewritten(path, model=lambda description: description | {"sparse_labels": value})
    refused(path, "sparse_labels is")


@pytest.mark.parametrize("value", [1, "yes", None, []])
def test_label_indicators_are_sparse_or_not(tmp_path, value):
    path = tmp_path / "model.safetensors"
    fitted(y=np.eye(3, dtype=int)[np.arange(len(X)) % 3]).save(path)
    rewritten(path, model=lambda description: description | {"sparse_labels": True})
    assert fastmlp.load(path).predict(X).format == "csr"
    rewritten(path, model=lambda description: description | {"sparse_labels": value})
    refused(path, "sparse_labels is")
