"""Tests of damaged and foreign files: none of them is loaded, and nothing in them is run."""

import pickle
import struct
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import safetensors.numpy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import fastmlp
from fastmlp import FormatError, MLPClassifier
from helpers.storage import N, X, fitted, refused, save_classifier

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture
def path(tmp_path):
    return save_classifier(tmp_path)


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


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("layers.0.weight", np.nan, r"tensor layers\.0\.weight holds NaN or infinity"),
        ("layers.1.bias", np.inf, r"tensor layers\.1\.bias holds NaN or infinity"),
        ("preparation.scale", np.nan, r"tensor preparation\.scale holds NaN or infinity"),
        ("layers.0.variance", -1.0, r"tensor layers\.0\.variance is negative"),
    ],
)
def test_numbers_that_would_make_predictions_nan_are_refused(name, value, message, tmp_path):
    path = tmp_path / "model.safetensors"
    fitted(prepare="table", batch_norm=True).save(path)
    with safetensors.safe_open(path, framework="numpy") as file:
        metadata, tensors = file.metadata(), {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    tensors[name].flat[0] = value
    safetensors.numpy.save_file(tensors, path, metadata)
    refused(path, message)
