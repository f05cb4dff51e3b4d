"""Tests of model files: what is saved comes back bit for bit, and nothing but that is ever loaded."""

import contextlib
import errno
import json
import os
import pickle
import stat
import struct
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import safetensors.numpy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from safetensors import safe_open
from scipy.special import softmax
from sklearn.base import clone

import fastmlp
from fastmlp import DivergenceWarning, FormatError, MLPClassifier, MLPRegressor
from fastmlp.callbacks import PrintEpoch
from fastmlp.schedules import Adaptive, InverseScaling, OneCycle, Schedule

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

N = 60
X = np.random.default_rng(0).normal(size=(N, 4))
CODES = np.arange(N) % 3


def fitted(cls=MLPClassifier, y=CODES, X=X, **params):
    return cls(**{"hidden_layer_sizes": (6, 5), "max_iter": 3, "random_state": 0, **params}).fit(X, y)


def saved_and_loaded(model, tmp_path):
    model.save(tmp_path / "model.safetensors")
    return fastmlp.load(tmp_path / "model.safetensors")


@pytest.fixture
def path(tmp_path):
    """Return the path of a classifier's file, with everything in it that a file can have."""
    frame = pd.DataFrame(X, columns=list("abcd"))
    model = fitted(X=frame, y=np.array(["x", "yy", "zzz"])[CODES], prepare="table", learning_rate=OneCycle())
    model.save(tmp_path / "model.safetensors")
    return tmp_path / "model.safetensors"


@pytest.fixture
def regressor_path(tmp_path):
    """Return the path of a regressor's file, with prepared targets."""
    fitted(MLPRegressor, X[:, :2], prepare="table").save(tmp_path / "regressor.safetensors")
    return tmp_path / "regressor.safetensors"


# ----------------------------------------------------------------------------------------------- round trips

MODELS = {
    "multiclass": lambda: fitted(),
    "binary": lambda: fitted(y=CODES == 1),
    "multilabel": lambda: fitted(y=np.eye(3, dtype=int)[CODES]),
    "one class": lambda: fitted(y=np.zeros(N)),
    "regression": lambda: fitted(MLPRegressor, X[:, 0]),
    "several outputs": lambda: fitted(MLPRegressor, X[:, :2] * 50 + 3),
    "prepared targets": lambda: fitted(MLPRegressor, X[:, :2] * 50 + 3, prepare="table"),
    "one prepared target": lambda: fitted(MLPRegressor, X[:, 0] * 50 + 3, prepare="auto"),
    "prepared images": lambda: fitted(X=(X * 20 + 128).astype(np.uint8), prepare="image"),
    "float32": lambda: fitted(X=X.astype(np.float32)),
    "float32 asked for": lambda: fitted(dtype="float32"),
    "no hidden layer": lambda: fitted(hidden_layer_sizes=()),
    "several activations": lambda: fitted(activation=["tanh", "logistic"]),
    "reference engine": lambda: fitted(engine="reference"),
    "sgd": lambda: fitted(solver="sgd", learning_rate="invscaling", momentum=0.5),
    "validation data": lambda: MLPClassifier((5,), max_iter=2).fit(X, CODES, X, CODES),
    "fit's recipe": lambda: fastmlp.fit(X, CODES, max_iter=2),
    "fit's recipe for numbers": lambda: fastmlp.fit(X, X[:, 0], max_iter=2),
    "partial_fit": lambda: MLPClassifier((5,)).partial_fit(X, CODES, classes=[0, 1, 2, 5]),
    "after pickling": lambda: pickle.loads(pickle.dumps(fitted())),
}


def comparable(value):
    """Return a value in which NaN is itself and a tuple is a list, as JSON has them."""
    if isinstance(value, list | tuple | np.ndarray):
        return [comparable(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    return str(value) if isinstance(value, float) and not np.isfinite(value) else value


@pytest.mark.parametrize("kind", MODELS)
def test_a_model_comes_back_bit_for_bit(kind, tmp_path):
    model = MODELS[kind]()
    loaded = saved_and_loaded(model, tmp_path)
    assert type(loaded) is type(model)
    inputs = (X * 20 + 128).astype(np.uint8) if kind == "prepared images" else X
    assert_array_equal(loaded.predict(inputs), model.predict(inputs))
    assert loaded.predict(inputs).dtype == model.predict(inputs).dtype
    if isinstance(model, MLPClassifier):
        assert_array_equal(loaded.predict_proba(inputs), model.predict_proba(inputs))
        assert_array_equal(loaded.classes_, model.classes_)
        assert loaded.classes_.dtype == model.classes_.dtype
    for mine, other in zip(loaded.coefs_ + loaded.intercepts_, model.coefs_ + model.intercepts_, strict=True):
        assert mine.dtype == other.dtype
        assert_array_equal(mine, other)
    assert comparable(list(loaded.get_params().items())) == comparable(list(model.get_params().items()))


@pytest.mark.parametrize("kind", MODELS)
def test_fitted_attributes_come_back(kind, tmp_path):
    model = MODELS[kind]()
    loaded = saved_and_loaded(model, tmp_path)
    names = [name for name in vars(model) if name.endswith("_") and not name.endswith("__")]
    arrays = {"network_", "preparation_", "target_preparation_"}
    for name in sorted({*names, "out_activation_"} - arrays):
        assert comparable(getattr(loaded, name)) == comparable(getattr(model, name)), name
    for name in ("preparation_", "target_preparation_"):
        mine, other = getattr(loaded, name), getattr(model, name)
        assert (mine is None) == (other is None)
        if mine is not None:
            assert_array_equal(mine.center, other.center)
            assert_array_equal(mine.scale, other.scale)


def content(path):
    """Return the description and the tensors' bytes of a file."""
    with safe_open(path, framework="numpy") as file:
        metadata = file.metadata()
    return metadata, {name: array.tobytes() for name, array in safetensors.numpy.load_file(path).items()}


@pytest.mark.parametrize("kind", MODELS)
def test_saving_what_was_loaded_gives_the_same_content(kind, tmp_path):
    MODELS[kind]().save(tmp_path / "first")
    fastmlp.load(tmp_path / "first").save(tmp_path / "second")
    assert content(tmp_path / "first") == content(tmp_path / "second")


@pytest.mark.parametrize(
    "labels",
    [
        np.array([False, True]),
        np.array([0, 1, 255], dtype=np.uint8),
        np.array([-5, 0, 7], dtype=np.int16),
        np.array([-(2**62), 0, 2**62 + 1]),
        np.array([1, 2**64 - 1], dtype=np.uint64),
        np.array([-1.0, 2.0, 1e9]),
        np.array([1.0, 2.0], dtype=np.float32),
        np.array([1, 2, 3], dtype=">i4"),
        np.array(["a", "b", "a longer one"]),
        np.array(["ä", "日本", '\U0001f600 " \\ \n \x00x', ""]),
        np.array(["x", "y"], dtype=object),
    ],
    ids=lambda labels: f"{labels.dtype}-{len(labels)}",
)
def test_class_labels_come_back_in_their_type(labels, tmp_path):
    model = fitted(y=labels[np.arange(N) % len(labels)])
    loaded = saved_and_loaded(model, tmp_path)
    assert_array_equal(loaded.classes_, model.classes_)
    assert loaded.classes_.dtype == model.classes_.dtype
    assert loaded.predict(X).tolist() == model.predict(X).tolist()


@settings(max_examples=30, deadline=None)
@given(
    labels=st.lists(
        st.text(max_size=20).filter(lambda text: not text.endswith("\0")), min_size=2, max_size=4, unique=True
    )
)
def test_any_text_may_be_a_label(labels, tmp_path_factory):
    model = fitted(y=np.array(labels)[np.arange(N) % len(labels)], max_iter=1)
    loaded = saved_and_loaded(model, tmp_path_factory.mktemp("labels"))
    assert loaded.classes_.tolist() == model.classes_.tolist()


def test_feature_names_come_back(path):
    loaded = fastmlp.load(path)
    assert_array_equal(loaded.feature_names_in_, list("abcd"))
    assert loaded.feature_names_in_.dtype == object
    loaded.predict(pd.DataFrame(X, columns=list("abcd")))
    with pytest.raises(ValueError, match="feature names"):
        loaded.predict(pd.DataFrame(X, columns=list("abcx")))


@pytest.mark.parametrize(
    "schedule", ["constant", "one_cycle", OneCycle(warm_up=0.4, end=0.01), Adaptive(0.5), InverseScaling(0.3)]
)
def test_schedules_come_back(schedule, tmp_path):
    assert saved_and_loaded(fitted(learning_rate=schedule), tmp_path).learning_rate == schedule


def test_infinite_patience_comes_back(tmp_path):
    loaded = saved_and_loaded(fitted(n_iter_no_change=np.inf), tmp_path)
    assert loaded.n_iter_no_change == np.inf
    clone(loaded).fit(X, CODES)


def test_parameters_of_numpys_types_come_back(tmp_path):
    model = fitted(
        hidden_layer_sizes=np.array([4, 3]), alpha=np.float32(0.5), max_iter=np.int64(2), shuffle=np.True_
    )
    loaded = saved_and_loaded(model, tmp_path)
    assert list(loaded.hidden_layer_sizes) == [4, 3]
    assert (loaded.alpha, loaded.max_iter, loaded.shuffle) == (0.5, 2, True)
    clone(loaded).fit(X, CODES)


def test_a_diverged_model_comes_back(tmp_path):
    model = MLPRegressor((5,), learning_rate_init=1e30, batch_size=10, max_iter=2, dtype="float32")
    with pytest.warns(DivergenceWarning):
        model.fit(X, 1e3 * X[:, 0])
    loaded = saved_and_loaded(model, tmp_path)
    assert_array_equal(loaded.predict(X), model.predict(X))
    assert comparable(loaded.loss_) == comparable(model.loss_)


def test_callbacks_and_generators_are_left_out(tmp_path):
    model = fitted(callbacks=[PrintEpoch()], random_state=np.random.RandomState(0))
    loaded = saved_and_loaded(model, tmp_path)
    assert loaded.callbacks == ()
    assert loaded.random_state is None


def test_a_loaded_model_is_fitted_again_and_cloned(path):
    loaded = fastmlp.load(path)
    again = clone(loaded).fit(X, CODES)
    assert_array_equal(again.classes_, [0, 1, 2])
    assert_array_equal(loaded.fit(X, CODES).predict(X), again.predict(X))


@pytest.mark.parametrize("kind", ["multiclass", "binary", "multilabel", "regression", "prepared targets"])
def test_partial_fit_goes_on_from_what_was_loaded(kind, tmp_path):
    model = MODELS[kind]()
    model.set_params(learning_rate_init=1e-9)
    loaded = saved_and_loaded(model, tmp_path)
    y = {"multiclass": CODES, "binary": CODES == 1, "multilabel": np.eye(3, dtype=int)[CODES]}.get(
        kind, X[:, 0]
    )
    if kind == "prepared targets":
        y = X[:, :2] * 50 + 3
    before = model.network_.parameters
    # At this rate three epochs hardly move the weights; new ones would be far off.
    for _ in range(3):
        loaded.partial_fit(X[:20], y[:20])
    assert_allclose(loaded.network_.parameters, before, atol=1e-6)
    assert not np.array_equal(loaded.network_.parameters, before)


def test_partial_fit_of_a_loaded_classifier_keeps_the_classes(path):
    loaded = fastmlp.load(path)
    frame = pd.DataFrame(X[:10], columns=list("abcd"))
    loaded.partial_fit(frame, np.full(10, "yy"))
    assert_array_equal(loaded.classes_, ["x", "yy", "zzz"])
    assert loaded.predict_proba(frame).shape == (10, 3)
    with pytest.raises(ValueError, match="other"):
        loaded.partial_fit(frame, np.full(10, "other"))


def test_files_are_plain_safetensors(path):
    tensors = safetensors.numpy.load_file(path)
    assert set(tensors) == {
        *(f"layers.{i}.{part}" for i in range(3) for part in ("weight", "bias")),
        "preparation.center", "preparation.scale",
    }  # fmt: skip
    x = (X - tensors["preparation.center"]) * tensors["preparation.scale"]
    for i in range(2):
        x = np.maximum(x @ tensors[f"layers.{i}.weight"].T + tensors[f"layers.{i}.bias"], 0)
    probabilities = softmax(x @ tensors["layers.2.weight"].T + tensors["layers.2.bias"], axis=1)
    model = fastmlp.load(path)
    assert_allclose(model.predict_proba(pd.DataFrame(X, columns=list("abcd"))), probabilities, atol=1e-12)
    with safe_open(path, framework="numpy") as file:
        metadata = file.metadata()
    header = json.loads(metadata["fastmlp"])
    assert header["format"] == "fastmlp"
    assert header["format_version"] == 1
    assert header["classes"]["values"] == ["x", "yy", "zzz"]


# --------------------------------------------------------------------------------------------------- writing


@pytest.mark.parametrize("as_text", [False, True])
def test_paths_may_be_text_or_path_objects(as_text, tmp_path):
    model = fitted()
    target = tmp_path / "no suffix ä"
    model.save(str(target) if as_text else target)
    assert_array_equal(fastmlp.load(str(target) if as_text else target).predict(X), model.predict(X))
    assert list(tmp_path.iterdir()) == [target]


def test_a_relative_path_is_in_the_working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fitted().save("model.safetensors")
    assert (tmp_path / "model.safetensors").is_file()


@pytest.mark.parametrize("umask", [0o022, 0o027, 0o077])
def test_files_get_the_permissions_of_any_new_file(umask, tmp_path):
    before = os.umask(umask)
    try:
        fitted().save(tmp_path / "model")
        assert stat.S_IMODE((tmp_path / "model").stat().st_mode) == 0o666 & ~umask
    finally:
        assert os.umask(before) == umask


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        fitted().save(tmp_path / "nowhere" / "model")


def test_a_folder_is_not_replaced(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder"):
        fitted().save(tmp_path / "folder")
    assert [entry.name for entry in tmp_path.iterdir()] == ["folder"]


@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("exists", [False, True])
def test_a_write_that_fails_leaves_things_as_they_were(step, error, exists, tmp_path, monkeypatch):
    target = tmp_path / "model"
    if exists:
        target.write_bytes(b"the old one")

    def fail(*args):
        raise error

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(type(error)):
        fitted().save(target)
    assert [entry.name for entry in tmp_path.iterdir()] == (["model"] if exists else [])
    assert not exists or target.read_bytes() == b"the old one"


def run(script, *arguments, **options):
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), *map(str, arguments)],
        capture_output=True, text=True, timeout=100, **options,
    )  # fmt: skip


FULL = """
    import resource, sys
    import numpy as np
    import fastmlp

    model = fastmlp.load(sys.argv[1])
    # No file may grow beyond this: a write fails half-way, as on a full disk.
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
    try:
        model.save(sys.argv[1])
    except OSError as error:
        print(error)
    else:
        sys.exit("it was written")
"""


def test_a_full_disk_leaves_the_old_file_whole_and_nothing_else(path):
    before = path.read_bytes()
    done = run(FULL, path)
    assert done.returncode == 0, done.stderr
    assert "File too large" in done.stdout  # what the system says at this limit
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]
    assert path.read_bytes() == before


UNWRITABLE = """
    import os, sys
    import fastmlp

    model = fastmlp.load("model.safetensors")
    if os.getuid() == 0:  # to whom every folder is writable
        os.setuid(65534)
    for name in ("model.safetensors", "new.safetensors"):
        try:
            model.save(name)
        except PermissionError as error:
            print(error)
        else:
            sys.exit("it was written")
"""


def test_an_unwritable_folder_is_said_to_be_so_and_left_alone(path):
    before = path.read_bytes()
    path.parent.chmod(0o555)
    try:
        done = run(UNWRITABLE, cwd=path.parent)
    finally:
        path.parent.chmod(0o755)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Permission denied") == 2
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]
    assert path.read_bytes() == before


KILLED = """
    import os, random, signal, sys, time
    import numpy as np
    import fastmlp

    path = sys.argv[1]
    X = np.random.default_rng(0).normal(size=(20, 50))
    models = []
    for seed in range(2):
        model = fastmlp.MLPRegressor((500, 500), max_iter=1, learning_rate="one_cycle", random_state=seed)
        models.append(model.fit(X, X[:, 0]))
    expected = [model.predict(X) for model in models]
    models[0].save(path)
    for attempt in range(25):
        child = os.fork()
        if child == 0:
            while True:
                for model in models:
                    model.save(path)
        time.sleep(random.Random(attempt).uniform(0.001, 0.04))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        found = fastmlp.load(path).predict(X)
        assert any(np.array_equal(found, known) for known in expected), attempt
    models[0].save(path)
    assert np.array_equal(fastmlp.load(path).predict(X), expected[0])
"""


def test_kill_minus_nine_leaves_a_whole_file(tmp_path):
    done = run(KILLED, tmp_path / "model")
    assert done.returncode == 0, done.stderr


def test_labels_that_cannot_be_written_are_refused_before_anything_is(tmp_path):
    model = fitted()
    model.classes_ = np.array([1, "a", None], dtype=object)
    with pytest.raises(ValueError, match="class labels of type object"):
        model.save(tmp_path / "model")
    assert not list(tmp_path.iterdir())


def test_a_schedule_of_ones_own_is_refused_by_name(tmp_path):
    class Mine(Schedule):
        pass

    with pytest.raises(ValueError, match=r"learning_rate=.*Mine.* cannot be saved"):
        fitted(learning_rate=Mine()).save(tmp_path / "model")
    assert not list(tmp_path.iterdir())


# ---------------------------------------------------------------------------------------- what is not loaded


def refused(path, message=None):
    """Assert that a file is refused, with its name in the message."""
    with pytest.raises(FormatError, match=message) as error:
        fastmlp.load(path)
    assert str(path) in str(error.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="missing"):
        fastmlp.load(tmp_path / "missing")
    with pytest.raises(OSError, match=tmp_path.name):
        fastmlp.load(tmp_path)


@pytest.mark.parametrize("share", [0, 0.001, 0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_refused(path, share):
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    refused(path)


@pytest.mark.parametrize(
    "change", [lambda data: data + b"\0", lambda data: b"\0" + data, lambda data: data * 2]
)
def test_a_file_with_something_added_is_refused(path, change):
    path.write_bytes(change(path.read_bytes()))
    refused(path)


@pytest.mark.parametrize("n", [1, 7, 8, 9, 100, 10_000])
def test_random_bytes_are_refused(path, n):
    path.write_bytes(np.random.default_rng(n).bytes(n))
    refused(path)


@pytest.mark.parametrize("content", [b"{}", b"\x89PNG\r\n", b"a,b\n1,2\n", pickle.dumps([1, 2]), b"\0" * 100])
def test_files_of_other_kinds_are_refused(path, content):
    path.write_bytes(content)
    refused(path)


@pytest.mark.parametrize("length", [0, 2**20, 2**40, 2**63, 2**64 - 1])
def test_a_header_of_another_length_is_refused(path, length):
    path.write_bytes(struct.pack("<Q", length) + path.read_bytes()[8:])
    refused(path)


@pytest.mark.parametrize("metadata", [None, {}, {"format": "pt"}, {"format_version": "1"}])
def test_safetensors_of_others_are_refused(path, metadata):
    safetensors.numpy.save_file({"weight": np.zeros(3)}, path, metadata)
    refused(path, "not a fastmlp model")


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
            [6, "swish"], [6, None], [6, ["relu"]], None,
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


def test_loading_never_runs_what_a_file_says(path):
    # Were it unpickled, this would make a file.
    class Payload:
        def __reduce__(self):
            return Path.touch, (path.parent / "proof",)

    path.write_bytes(pickle.dumps(Payload()))
    refused(path)
    assert not (path.parent / "proof").exists()


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_files_are_refused_or_still_make_a_model(data, path):
    whole = bytearray(path.read_bytes())
    (length,) = struct.unpack("<Q", whole[:8])
    # Most of the damage goes where it can do harm: into the header.
    places = st.one_of(st.integers(0, 8 + length - 1), st.integers(0, len(whole) - 1))
    for place, value in data.draw(st.lists(st.tuples(places, st.integers(0, 255)), min_size=1, max_size=4)):
        whole[place] = value
    damaged = path.parent / "damaged"
    damaged.write_bytes(whole[: data.draw(st.one_of(st.just(len(whole)), st.integers(0, len(whole))))])
    try:
        model = fastmlp.load(damaged)
    except FormatError:
        refused(damaged)
        return
    assert type(model) is MLPClassifier
    names = getattr(model, "feature_names_in_", None)
    predictions = model.predict(X if names is None else pd.DataFrame(X, columns=names))
    assert predictions.shape == (N,)
    assert set(predictions) <= set(model.classes_)
