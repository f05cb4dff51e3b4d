"""Model files and pickles of versions 0.1 and 0.2; tests/formats/old_files/write.py made them there."""

import json
import pickle
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from scipy.sparse import issparse

import fastmlp
from fastmlp.engine import core
from fastmlp.formats.safetensors_file import read
from helpers.estimators import ignore_convergence

pytestmark = ignore_convergence

FOLDER = Path(__file__).parent / "old_files"
FILES = sorted(FOLDER.glob("*/*.safetensors"))
PICKLES = sorted(FOLDER.glob("*/*.pickle"))
each_file = pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
needs_fma = pytest.mark.skipif(
    core.instruction_set() == "portable", reason="without hardware FMA results agree to rounding only"
)


def known_of(path):
    """Return X as the model takes it, and what the old version recorded."""
    known = dict(np.load(path.with_suffix(".npz")))
    X = known.pop("X")
    return (pd.DataFrame(X, columns=list("abcd")) if path.stem == "columns" else X), known


def test_both_versions_are_there():
    assert [path.parent.name for path in FILES].count("0.1") == 7
    assert [path.parent.name for path in FILES].count("0.2") == 7
    assert len(PICKLES) == 4


@needs_fma
@each_file
def test_an_old_file_gives_the_bits_that_its_version_predicted(path):
    model = fastmlp.load(path)
    X, known = known_of(path)
    predictions = model.predict(X)
    assert issparse(predictions) == (path.parent.name == "0.2" and path.stem == "indicators")
    if issparse(predictions):
        predictions = predictions.toarray()
    assert_array_equal(predictions, known["predictions"])
    assert predictions.dtype == known["predictions"].dtype
    if "probabilities" in known:
        assert_array_equal(model.predict_proba(X), known["probabilities"])
        assert_array_equal(model.classes_, known["classes_"])


@each_file
def test_an_old_file_says_what_happened_in_training(path):
    model, (_, known) = fastmlp.load(path), known_of(path)
    for name in ("n_iter_", "t_", "loss_", "loss_curve_", "validation_scores_"):
        assert_array_equal(getattr(model, name), known.get(name), name)


@needs_fma
@each_file
def test_training_goes_on_from_an_old_file_to_the_bits_of_its_version(path):
    model, (X, known) = fastmlp.load(path), known_of(path)
    validation = (X, known["y"]) if path.stem == "stopped" else (None, None)
    model.partial_fit(X, known["y"], X_val=validation[0], y_val=validation[1])
    weights = np.concatenate([part.ravel() for part in (*model.coefs_, *model.intercepts_)])
    assert_array_equal(weights, known["weights_after"])


@each_file
def test_an_old_file_that_is_written_again_has_the_same_content(path, tmp_path):
    fastmlp.load(path).save(tmp_path / "new.safetensors")
    (before, tensors), (after, others) = read(path), read(tmp_path / "new.safetensors")
    if before["estimator"] == "MLPRegressor":  # which has had these two until 0.2
        former = [before["parameters"].pop(name) for name in ("label_smoothing", "class_weight")]
        assert former == [0.0, None]
    if path.parent.name == "0.1":  # which did not say so
        after["fitted"].pop("validation_score_", None)
    assert json.dumps(after) == json.dumps(before)
    assert others.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert_array_equal(others[name], tensor)


@pytest.mark.parametrize("path", PICKLES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_an_old_pickle_is_refused_with_the_way_to_bring_its_model_over(path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of the modules that it names
        with pytest.raises(ValueError, match=r"pickled by fastmlp 0\.2 or earlier.*fastmlp\.load"):
            pickle.loads(path.read_bytes())
