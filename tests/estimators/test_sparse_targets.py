"""Tests of sparse label indicators: what the dense ones give, and predictions that are sparse."""

import json
import pickle

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_array_equal
from safetensors import safe_open
from sklearn.base import clone
from sklearn.metrics import f1_score
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier as TheirClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import fastmlp
from fastmlp import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

N = 60
X = np.random.RandomState(0).randn(N, 4)
Y = (X[:, :3] > 0).astype(int)
FORMATS = {
    "csr_matrix": sp.csr_matrix, "csc_matrix": sp.csc_matrix, "coo_matrix": sp.coo_matrix,
    "lil_matrix": sp.lil_matrix, "dok_matrix": sp.dok_matrix, "bsr_matrix": sp.bsr_matrix,
    "csr_array": sp.csr_array, "csc_array": sp.csc_array, "coo_array": sp.coo_array,
    "dia_array": sp.dia_array,
    "booleans": lambda Y: sp.csr_matrix(Y.astype(bool)), "floats": lambda Y: sp.csr_array(Y * 1.0),
    "bytes": lambda Y: sp.csr_array(Y.astype(np.uint8)),
}  # fmt: skip


def classifier(**params):
    return MLPClassifier(**{"hidden_layer_sizes": (5,), "max_iter": 3, "random_state": 0, **params})


FITS = {
    "fit": lambda Y: classifier().fit(X, Y),
    "class weights": lambda Y: classifier(class_weight="balanced").fit(X, Y),
    "validation data": lambda Y: classifier().fit(X, Y, X_val=X, y_val=Y),
    "a scorer": lambda Y: classifier(scoring="f1_macro").fit(X, Y, X_val=X, y_val=Y),
    "a scorer of probabilities": lambda Y: classifier(scoring="roc_auc").fit(X, Y, X_val=X, y_val=Y),
    "a scorer of one's own": lambda Y: classifier(
        scoring=lambda model, X, y: float((model.predict(X) == y).mean())
    ).fit(X, Y, X_val=X, y_val=Y),
    "early stopping": lambda Y: classifier(early_stopping=True).fit(X, Y),
    "L-BFGS": lambda Y: classifier(solver="lbfgs").fit(X, Y),
    "partial_fit": lambda Y: (
        classifier().partial_fit(X, Y, classes=[0, 1, 2]).partial_fit(X[:9], Y.tocsr()[:9])
    ),
    "a warm start": lambda Y: classifier(warm_start=True).fit(X, Y).fit(X, Y),
    "fit_many": lambda Y: fastmlp.fit_many([{}], X, Y, X, Y, estimator=classifier())[0],
    "fit_many, a task": lambda Y: fastmlp.fit_many([{"max_iter": 2, "random_state": 0}], X, Y)[0],
    "fastmlp.fit": lambda Y: fastmlp.fit(X, Y, X, Y, max_iter=2, random_state=0),
    "fastmlp.fit, the task": lambda Y: fastmlp.fit(X, Y, task="classification", max_iter=2, random_state=0),
    "sparse inputs": lambda Y: classifier().fit(sp.csr_matrix(X), Y),
}


class Dense(np.ndarray):
    """A dense array that has tocsr, so that the same calls can be made with it."""

    def tocsr(self):
        return self


@pytest.mark.parametrize("use", FITS)
def test_models_are_those_of_dense_indicators_to_the_bit(use):
    model, expected = FITS[use](sp.csr_matrix(Y)), FITS[use](Y.view(Dense))
    assert_array_equal(model.network_.parameters, expected.network_.parameters)
    assert model.validation_scores_ == expected.validation_scores_
    assert_array_equal(model.classes_, expected.classes_)
    assert not sp.issparse(expected.predict(X))
    predicted = model.predict(X)
    assert type(predicted) is sp.csr_matrix
    assert predicted.dtype == int
    assert_array_equal(predicted.toarray(), expected.predict(X))
    assert model.score(X, sp.csr_matrix(Y)) == model.score(X, Y) == expected.score(X, Y)
    assert expected.score(X, sp.csr_matrix(Y)) == expected.score(X, Y)


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_is_taken(format):
    model = classifier().fit(X, FORMATS[format](Y))
    assert type(model.predict(X)) is sp.csr_matrix
    assert_array_equal(model.network_.parameters, classifier().fit(X, Y).network_.parameters)
    assert type(fastmlp.fit(X, FORMATS[format](Y), max_iter=2).predict(X)) is sp.csr_matrix


def test_explicit_zeros_and_split_entries_are_read():
    zeros = sp.csr_matrix((Y.ravel(), np.tile(np.arange(3), N), 3 * np.arange(N + 1)), shape=Y.shape)
    assert zeros.nnz == 3 * N
    split = sp.coo_matrix(([0, 1], ([0, 0], [1, 1])), shape=(N, 3)) + sp.coo_matrix((N, 3), dtype=int)
    for sparse in (zeros, split.tocoo()):
        assert_array_equal(
            classifier().fit(X, sparse).network_.parameters,
            classifier().fit(X, sparse.toarray()).network_.parameters,
        )


@pytest.mark.parametrize("Z", [np.zeros_like(Y), np.ones_like(Y)], ids=["none", "all"])
def test_labels_that_none_or_all_have(Z):
    assert_array_equal(
        classifier().fit(X, sp.csr_matrix(Z)).predict(X).toarray(), classifier().fit(X, Z).predict(X)
    )


@pytest.mark.parametrize("format", ["csr_matrix", "csr_array", "csc_matrix", "coo_array", "booleans"])
def test_predictions_are_of_scikit_learns_type(format):
    ours, theirs = (
        cls(max_iter=3, random_state=0).fit(X, FORMATS[format](Y)).predict(X)
        for cls in (MLPClassifier, TheirClassifier)
    )
    assert (type(ours), ours.dtype, ours.shape) == (type(theirs), theirs.dtype, theirs.shape)


@pytest.mark.parametrize("cls", [MLPClassifier, TheirClassifier])
def test_the_first_fit_decides_what_predict_returns(cls):
    S = sp.csr_matrix(Y)

    def new(**params):
        return cls(max_iter=2, random_state=0, **params)

    assert sp.issparse(new(warm_start=True).fit(X, S).fit(X, Y).predict(X))
    assert not sp.issparse(new(warm_start=True).fit(X, Y).fit(X, S).predict(X))
    assert sp.issparse(new().partial_fit(X, S, classes=[0, 1, 2]).partial_fit(X, Y).predict(X))
    assert not sp.issparse(new().fit(X, S).fit(X, Y).predict(X))
    assert sp.issparse(new().fit(X, Y).fit(X, S).predict(X))
    assert not sp.issparse(clone(new().fit(X, S)).fit(X, Y).predict(X))


def test_a_fit_that_is_refused_changes_nothing():
    model = classifier().fit(X, sp.csr_matrix(Y))
    with pytest.raises(ValueError, match="inconsistent"):
        model.fit(X, Y[1:])
    assert sp.issparse(model.predict(X))


def test_scikit_learns_tools_take_them():
    S = sp.csr_matrix(Y)
    sparse, dense = (
        GridSearchCV(classifier(), {"alpha": [0, 1]}, cv=2, scoring="f1_micro").fit(X, y) for y in (S, Y)
    )
    assert_array_equal(sparse.cv_results_["mean_test_score"], dense.cv_results_["mean_test_score"])
    predicted = make_pipeline(StandardScaler(), classifier()).fit(X, S).predict(X)
    assert sp.issparse(predicted)
    assert f1_score(S, predicted, average="micro") == f1_score(Y, predicted.toarray(), average="micro")


# ------------------------------------------------------------------------------------------- where models go


def test_a_saved_model_predicts_sparse_labels(tmp_path):
    path = tmp_path / "model.safetensors"
    model = classifier().fit(X, sp.csr_matrix(Y))
    model.save(path)
    for other in (fastmlp.load(path), pickle.loads(pickle.dumps(model))):
        assert type(other.predict(X)) is sp.csr_matrix
        assert_array_equal(other.predict(X).toarray(), model.predict(X).toarray())
        assert sp.issparse(other.partial_fit(X, sp.csr_matrix(Y)).predict(X))


def description_of(path):
    with safe_open(path, "np") as file:
        return file.metadata()


def test_files_of_other_models_say_nothing_of_it(tmp_path):
    for y in (Y, Y[:, 0]):
        classifier().fit(X, y).save(tmp_path / "model.safetensors")
        assert "sparse" not in json.dumps(description_of(tmp_path / "model.safetensors"))
        assert not sp.issparse(fastmlp.load(tmp_path / "model.safetensors").predict(X))


def test_scikit_learns_models_keep_it():
    ours = classifier().fit(X, sp.csr_matrix(Y))
    theirs = ours.to_sklearn()
    assert_array_equal(theirs.predict(X).toarray(), ours.predict(X).toarray())
    assert sp.issparse(fastmlp.from_sklearn(theirs).predict(X))
    dense = classifier().fit(X, Y).to_sklearn()
    assert not sp.issparse(dense.predict(X))
    assert not sp.issparse(fastmlp.from_sklearn(dense).predict(X))


def test_onnx_and_compiled_models_are_those_of_dense_indicators():
    sparse, dense = classifier().fit(X, sp.csr_matrix(Y)), classifier().fit(X, Y)
    assert sparse.to_onnx().SerializeToString() == dense.to_onnx().SerializeToString()
    assert_array_equal(sparse.compile()(X), dense.compile()(X))


# -------------------------------------------------------------------------------------------- what is refused


def broken():
    Z = sp.csr_matrix(Y)
    Z.indices[0] = 1000
    return Z


WRONG = {
    "twos": (sp.csr_matrix(2 * Y), ValueError, "label indicators of 0 and 1; it holds 2"),
    "minus one": (sp.csr_matrix(-Y), ValueError, "it holds -1"),
    "classes": (sp.csr_matrix(Y * [1, 2, 3]), ValueError, "it holds [23]"),
    "fractions": (sp.csc_array(Y * 0.5), ValueError, "it holds 0.5"),
    "NaN": (sp.csr_matrix(np.where(Y, np.nan, 0)), ValueError, "it holds nan"),
    "sums": (sp.coo_matrix(([1, 1], ([0, 0], [1, 1])), shape=Y.shape), ValueError, "it holds 2"),
    "a column": (sp.csr_matrix(Y[:, :1]), TypeError, r"sparse and of shape \(60, 1\)"),
    "broken": (broken(), ValueError, "indices|index"),
    "other rows": (sp.csr_matrix(Y[1:]), ValueError, "inconsistent numbers of samples"),
}
REFUSING = {
    "fit": (lambda Z: classifier().fit(X, Z), "y"),
    "partial_fit": (lambda Z: classifier().partial_fit(X, Z, classes=[0, 1, 2]), "y"),
    "y_val": (lambda Z: classifier().fit(X, Y, X_val=X, y_val=Z), "y_val"),
    "fit_many": (lambda Z: fastmlp.fit_many([{}], X, Z, estimator=classifier()), "y"),
    "fastmlp.fit": (lambda Z: fastmlp.fit(X, Z, task="classification"), "y"),
}


@pytest.mark.parametrize("use", REFUSING)
@pytest.mark.parametrize("case", WRONG)
def test_other_sparse_targets_are_refused(case, use):
    bad, error, says = WRONG[case]
    call, argument = REFUSING[use]
    with pytest.raises(error, match=says) as caught:
        call(bad)
    if case not in ("broken", "other rows"):
        assert str(caught.value).startswith(f"{argument} ")


def test_a_model_of_classes_refuses_them():
    model = classifier().partial_fit(X, Y[:, 0], classes=[0, 1])
    with pytest.raises(ValueError, match="label indicators"):
        model.partial_fit(X, sp.csr_matrix(Y))


REGRESSIONS = {
    "fit": (lambda Z: MLPRegressor().fit(X, Z), "y"),
    "partial_fit": (lambda Z: MLPRegressor().partial_fit(X, Z), "y"),
    "y_val": (lambda Z: MLPRegressor().fit(X, Y, X_val=X, y_val=Z), "y_val"),
    "score": (lambda Z: MLPRegressor(max_iter=1).fit(X, Y).score(X, Z), "y"),
    "fit_many": (lambda Z: fastmlp.fit_many([{}], X, Z, estimator=MLPRegressor()), "y"),
    "fastmlp.fit": (lambda Z: fastmlp.fit(X, Z, task="regression"), "y"),
}


@pytest.mark.parametrize("use", REGRESSIONS)
@pytest.mark.parametrize(
    "Z", [sp.csr_matrix(Y), sp.coo_array(X), sp.csr_matrix(X[:, :1])], ids=["0 and 1", "numbers", "one"]
)
def test_a_regressor_takes_no_sparse_targets(Z, use):
    call, argument = REGRESSIONS[use]
    with pytest.raises(TypeError, match=rf"^{argument} is sparse; .* pass {argument}\.toarray\(\)"):
        call(Z)


def test_values_that_stand_twice_are_summed_before_they_are_checked():
    twice = sp.csr_matrix((np.ones(4), [0, 0, 1, 2], [0, 2, 3, 4]), shape=(3, 3))
    with pytest.raises(ValueError, match=r"it holds 2"):
        MLPClassifier().fit(np.zeros((3, 2)), twice)
    assert twice.nnz == 4
