"""Tests of sparse X: what the dense X gives, in the room of the sparse one."""

import tracemalloc

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import cross_val_score
from sklearn.neural_network import MLPClassifier as TheirClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

import fastmlp
from faces import kernels
from fastmlp import MLPClassifier, MLPRegressor, Network, Trainer
from fastmlp.augmentations import Flip
from fastmlp.engine.reference import native as reference
from fastmlp.engine.selection import can_train_in
from fastmlp.engine.sparse_rows import SparseRows
from fastmlp.layers import Dense
from fastmlp.network.preparation import Preparation
from helpers.estimators import assert_same_fit, ignore_convergence, quietly
from helpers.kernels import assert_close, both_types, every_isa, random

N_FEATURES = 37


def sparse(n=150, dtype="float64", density=0.15, seed=0):
    """Return rows of which some are empty, and three classes."""
    rng = np.random.default_rng(seed)
    X = sp.random_array((n, N_FEATURES), density=density, rng=rng, format="csr", dtype=dtype)
    X[[0, n - 1]] *= 0
    X.eliminate_zeros()
    return X, (np.asarray(X.sum(axis=1)).ravel() * 5).astype(int) % 3


@both_types
@every_isa
@pytest.mark.parametrize(("n_units", "n_samples"), [(1, 1), (7, 5), (8, 16), (19, 33), (64, 100)])
def test_the_products(n_units, n_samples, isa, dtype):
    X, _ = sparse(dtype=dtype)
    rows = np.random.default_rng(1).permutation(X.shape[0])[:n_samples]
    weight, d = random((n_units, N_FEATURES), dtype, 2), random((n_units, n_samples), dtype, 3)
    z = kernels.sparse_forward(weight, X, rows, isa)
    assert_close(z[:, :n_samples], reference.sparse_forward(weight, X, rows), dtype)
    assert not z[:, n_samples:].any()
    assert_close(kernels.sparse_gradient(d, X, rows, isa), reference.sparse_gradient(d, X, rows), dtype)


VARIANTS = [
    {},
    {"hidden_layer_sizes": ()},
    {"activation": "gelu"},
    {"activation": "prelu", "dropout": 0.3},
    {"batch_norm": True},
    {"layer_norm": True, "ema_decay": 0.9},
    {"solver": "sgd", "momentum": 0, "l1": 0.01},
    {"solver": "sgd", "weight_decay": 0.1, "clip_value": 0.01},
    {"solver": "adagrad", "clip_norm": 0.1},
    {"solver": "lbfgs"},
    {"early_stopping": True, "class_weight": "balanced"},
]


@ignore_convergence
@pytest.mark.parametrize("engine", ["tile", "blas", "reference"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_training_gives_what_the_dense_matrix_gives(variant, dtype, engine):
    X, y = sparse()
    params = {"hidden_layer_sizes": (20, 9), "max_iter": 4, "batch_size": 40, "random_state": 0}
    params |= {"dtype": dtype, "engine": engine, **variant}
    ours, dense = (MLPClassifier(**params).fit(data, y) for data in (X, X.toarray()))
    assert_close(ours.network_.parameters, dense.network_.parameters, dtype, 10)
    assert_close(ours.predict_proba(X), dense.predict_proba(X.toarray()), dtype, 10)
    assert_close(ours.predict_proba(X.toarray()), ours.predict_proba(X), dtype, 10)
    if engine == "tile" and params.get("solver") != "lbfgs":  # zeros add nothing to a chain of additions
        assert_array_equal(ours.network_.parameters, dense.network_.parameters)


@ignore_convergence
@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_the_bits_do_not_depend_on_the_number_of_threads(variant):
    X, y = sparse()
    params = {"hidden_layer_sizes": (20, 9), "max_iter": 3, "batch_size": 40, "random_state": 0, **variant}
    one, *others = (MLPClassifier(n_threads=n, **params).fit(X, y) for n in (1, 2, 3, 5))
    for other in others:
        assert_array_equal(other.network_.parameters, one.network_.parameters)
        assert_array_equal(other.predict_proba(X), one.predict_proba(X))


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_scikit_learn_gives_the_same(solver):
    X, y = sparse()
    params = {
        "hidden_layer_sizes": (9,),
        "max_iter": 5,
        "random_state": 0,
        "shuffle": False,
        "solver": solver,
    }
    ours, theirs = (quietly(cls(**params).fit, X, y) for cls in (MLPClassifier, TheirClassifier))
    if solver == "lbfgs":
        assert_allclose(ours.coefs_[0], theirs.coefs_[0], rtol=1e-6)
    else:
        assert_same_fit(ours, theirs)
    assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), rtol=1e-6)


@pytest.mark.parametrize("engine", ["tile", "blas", "reference"])
def test_a_network_takes_it_wherever_it_takes_an_array(engine):
    X, y = sparse()
    network = Network([Dense(5, "tanh"), Dense(3, "softmax")], N_FEATURES, dtype="float64", engine=engine)
    for given, expected in zip(network.forward(X), network.forward(X.toarray()), strict=True):
        assert_allclose(given, expected, atol=1e-14)
    loss, outputs = network.evaluate(X, y, "cross_entropy", sample_weight=y + 1.0)
    dense_loss, dense_outputs = network.evaluate(X.toarray(), y, "cross_entropy", sample_weight=y + 1.0)
    assert_allclose(loss, dense_loss)
    assert_allclose(outputs, dense_outputs)
    ours = network.gradients(X, y, "cross_entropy")
    for given, expected in zip(ours, network.gradients(X.toarray(), y, "cross_entropy"), strict=True):
        assert_allclose(given, expected, atol=1e-14)


def test_nothing_is_made_dense():
    rng = np.random.default_rng(0)
    X = sp.random_array((3000, 100_000), density=2e-4, rng=rng, format="csr", dtype=np.float32)
    y = np.asarray(X[:, :50_000].sum(axis=1) > X[:, 50_000:].sum(axis=1)).ravel()
    model = MLPClassifier((8,), learning_rate_init=0.02, max_iter=8, random_state=0)
    tracemalloc.start()
    score = quietly(model.fit, X, y).score(X, y)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 60e6, "a batch of 200 rows alone would be 80 MB"  # the parameters are 3.2 MB
    assert score > 0.9


@ignore_convergence
def test_any_format_and_index_type_will_do():
    X, y = sparse()
    expected = MLPClassifier(max_iter=2, random_state=0).fit(X, y)
    wide = sp.csr_array((X.data, X.indices.astype(np.int64), X.indptr.astype(np.int64)), X.shape)
    for other in (X.tocsc(), X.tocoo(), sp.csr_matrix(X), wide):
        model = MLPClassifier(max_iter=2, random_state=0).fit(other, y)
        assert_array_equal(model.coefs_[0], expected.coefs_[0])
        assert_array_equal(model.predict_proba(other), expected.predict_proba(X))


@ignore_convergence
def test_arrays_with_gaps_and_empty_ones_of_wide_indices_will_do():
    X, y = sparse()
    apart = sp.csr_array(X.shape)
    for name in ("data", "indices", "indptr"):
        setattr(apart, name, np.repeat(getattr(X, name), 2)[::2])
    empty = sp.csr_array(X.shape)
    empty.indices, empty.indptr = empty.indices.astype(np.int64), empty.indptr.astype(np.int64)
    params = {"max_iter": 2, "random_state": 0, "engine": "tile"}
    for other in (apart, empty):
        ours, dense = (MLPClassifier(**params).fit(data, y) for data in (other, other.toarray()))
        assert_array_equal(ours.coefs_[0], dense.coefs_[0])
        assert_array_equal(ours.predict_proba(other), dense.predict_proba(other.toarray()))


@ignore_convergence
@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.int64])
def test_any_type_of_number_will_do(dtype):
    X, y = sparse()
    X = (X * 9).astype(dtype)
    params = {"max_iter": 2, "random_state": 0, "engine": "tile"}
    ours, dense = (MLPClassifier(**params).fit(data, y) for data in (X, X.toarray()))
    assert ours.coefs_[0].dtype == dense.coefs_[0].dtype
    assert_array_equal(ours.coefs_[0], dense.coefs_[0])


@ignore_convergence
def test_a_matrix_of_zeros_trains_the_biases():
    X, y = sp.csr_array((30, N_FEATURES)), np.full(30, 2.0)
    params = {"max_iter": 50, "random_state": 0, "engine": "tile"}
    ours, dense = (MLPRegressor(**params).fit(data, y) for data in (X, X.toarray()))
    assert_array_equal(ours.predict(X), dense.predict(X.toarray()))
    assert ours.loss_curve_[-1] < ours.loss_curve_[0]


@ignore_convergence
def test_the_data_are_left_as_they_were():
    X, y = sparse()
    before = X.copy()
    for array in (X.data, X.indices, X.indptr):
        array.setflags(write=False)
    MLPClassifier(max_iter=2).fit(X, y).predict(X)
    assert (before != X).nnz == 0


@ignore_convergence
def test_validation_data_partial_fit_and_fit_many():
    X, y = sparse()
    params = {"max_iter": 3, "random_state": 0, "engine": "tile"}
    ours = MLPClassifier(**params).fit(X[:100], y[:100], X_val=X[100:], y_val=y[100:])
    dense = MLPClassifier(**params).fit(X[:100].toarray(), y[:100], X_val=X[100:].toarray(), y_val=y[100:])
    assert ours.validation_scores_ == dense.validation_scores_
    assert_array_equal(ours.partial_fit(X, y).coefs_[0], dense.partial_fit(X.toarray(), y).coefs_[0])
    assert_array_equal(ours.partial_fit(X.toarray(), y).coefs_[0], dense.partial_fit(X, y).coefs_[0])
    models = fastmlp.fit_many([{**params, "alpha": alpha} for alpha in (0, 1)], X, y, n_jobs=2)
    assert_array_equal(models[1].coefs_[0], MLPClassifier(**params, alpha=1).fit(X, y).coefs_[0])


def test_the_one_liner_takes_text_and_categories():
    texts = ["the cat sat", "a cat ran", "the dog sat", "a dog ran home"] * 10
    pets = ["cat", "cat", "dog", "dog"] * 10
    X = TfidfVectorizer().fit_transform(texts)
    model = fastmlp.fit(X, pets, random_state=0)
    assert model.preparation_ is None
    assert model.score(X, pets) == 1
    categories = np.array([[word[0], word[-1]] for word in pets])
    pipeline = make_pipeline(OneHotEncoder(), MLPClassifier(max_iter=100, learning_rate_init=0.01))
    assert quietly(cross_val_score, pipeline, categories, pets, cv=2).mean() == 1


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"prepare": "table"}, "prepare='table' does not go with a sparse X"),
        ({"input_noise": 0.1}, "input_noise=0.1 does not go with a sparse X"),
        ({"input_dropout": 0.1}, "input_dropout=0.1 does not go with a sparse X"),
        (
            {"augmentation": Flip(), "image_shape": (1, N_FEATURES)},
            "augmentation=.* does not go with a sparse X",
        ),
    ],
)
def test_what_would_fill_it_is_refused(params, message):
    X, y = sparse()
    with pytest.raises(ValueError, match=message):
        MLPClassifier(**params).fit(X, y)


def test_mixed_precision_is_refused():
    if not can_train_in("bfloat16"):
        pytest.skip("this processor has no products in bfloat16")
    X, y = sparse()
    with pytest.raises(ValueError, match="dtype='bfloat16' does not go with a sparse X"):
        MLPClassifier(dtype="bfloat16").fit(X, y)


def test_a_prepared_network_refuses_it():
    X, y = sparse()
    network = Network(
        [Dense(3, "softmax")], N_FEATURES, preparation=Preparation.fit(X.toarray(), "table"), random_state=0
    )
    for call in (lambda: network.predict(X), lambda: Trainer(network, "cross_entropy").fit(X, y)):
        with pytest.raises(ValueError, match=r"preparation=.* does not go with a sparse X"):
            call()


@pytest.mark.parametrize("way", ["partial_fit", "warm_start"])
def test_a_model_that_prepares_goes_on_with_dense_data_only(way):
    X, y = sparse()
    model = quietly(MLPClassifier(prepare="auto", max_iter=2, warm_start=True).fit, X.toarray(), y)
    with pytest.raises(ValueError, match=r"preparation=.* does not go with a sparse X"):
        getattr(model, "partial_fit" if way == "partial_fit" else "fit")(X, y)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_no_numbers_are_refused(value):
    X, y = sparse()
    model = quietly(MLPClassifier(max_iter=2).fit, X, y)
    X.data[3] = value
    for call in (
        lambda: MLPClassifier().fit(X, y),
        lambda: model.predict(X),
        lambda: model.network_.predict(X),
    ):
        with pytest.raises(ValueError, match=r"contains (NaN|infinity)"):
            call()


@pytest.mark.parametrize(
    ("name", "index", "value", "message"),
    [
        ("indices", 3, N_FEATURES, f"indices go from 0 to {N_FEATURES}, and it has {N_FEATURES} columns"),
        ("indices", 0, -1, "indices go from -1"),
        ("indptr", -1, 10**6, "indptr must rise"),
        ("indptr", 0, 1, "indptr must rise"),
        ("indptr", 5, 10**6, "indptr must rise"),
    ],
)
def test_indices_that_lead_out_of_the_matrix_are_refused(name, index, value, message):
    X, y = sparse()
    model = quietly(MLPClassifier(max_iter=2).fit, X, y)
    getattr(X, name)[index] = value
    for call in (
        lambda: MLPClassifier().fit(X, y),
        lambda: model.predict(X),
        lambda: model.partial_fit(X, y),
        lambda: model.network_.predict(X),
    ):
        with pytest.raises(ValueError, match=message):
            call()


def test_another_width_is_refused():
    X, y = sparse()
    model = quietly(MLPClassifier(max_iter=2).fit, X, y)
    with pytest.raises(ValueError, match="X has 36 features"):
        model.predict(X[:, 1:])


@pytest.fixture
def n_conversions(monkeypatch):
    """Each conversion of a sparse matrix adds the number of its rows."""
    made, initialise = [], SparseRows.__init__

    def count(self, values, columns, starts, shape):
        made.append(shape[0])
        initialise(self, values, columns, starts, shape)

    monkeypatch.setattr(SparseRows, "__init__", count)
    return made


MODEL = {"hidden_layer_sizes": (9,), "max_iter": 5, "batch_size": 40, "random_state": 0, "n_threads": 2}


@ignore_convergence
@pytest.mark.parametrize("engine", ["tile", "blas", "reference"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (lambda trainer, model, X, y: trainer.fit(X[:100], y[:100], X[100:], y[100:], epochs=5), [100, 50]),
        (lambda trainer, model, X, y: model.fit(X[:100], y[:100], X_val=X[100:], y_val=y[100:]), [100, 50]),
        (lambda trainer, model, X, y: model.set_params(early_stopping=True).fit(X, y), [150, 15]),
        (lambda trainer, model, X, y: model.set_params(solver="lbfgs").fit(X, y), [150]),
        (
            lambda trainer, model, X, y: model.partial_fit(
                X, y, classes=[0, 1, 2], X_val=X[:50], y_val=y[:50]
            ),
            [150, 50],
        ),
        (
            lambda trainer, model, X, y: fastmlp.fit_many(
                [{}, {"alpha": 1}, {"early_stopping": True}], X, y, estimator=model, n_jobs=2
            ),
            [150, 15],
        ),
        (lambda trainer, model, X, y: trainer.network.predict(sp.vstack([X] * 4, "csr")), [600]),
        (lambda trainer, model, X, y: trainer.network.forward(X), [150]),
        (lambda trainer, model, X, y: trainer.evaluate(X, y), [150]),
        (lambda trainer, model, X, y: trainer.network.gradients(X, y, "cross_entropy"), [150]),
        (lambda trainer, model, X, y: fastmlp.gradient_check(trainer.network, X, y, n_per_layer=1), [150]),
    ],
    ids=[
        "trainer", "X_val", "early_stopping", "lbfgs", "partial_fit", "fit_many", "predict", "forward",
        "evaluate", "gradients", "gradient_check",
    ],
)  # fmt: skip
def test_a_matrix_is_converted_once(entry, expected, dtype, engine, n_conversions):
    X, y = sparse()
    layers = [Dense(9), Dense(3, "softmax")]
    network = Network(layers, N_FEATURES, dtype=dtype, engine=engine, random_state=0, n_threads=2)
    trainer = Trainer(network, "cross_entropy", batch_size=40, random_state=0)
    entry(trainer, MLPClassifier(dtype=dtype, engine=engine, **MODEL), X, y)
    assert n_conversions == expected


@pytest.mark.parametrize("n_threads", [1, 2])
def test_what_is_converted_is_not_copied_again(n_threads):
    rng = np.random.default_rng(0)
    X = sp.random_array((20_000, 100), density=0.5, rng=rng, format="csr")
    network = Network([Dense(4), Dense(2, "softmax")], 100, random_state=0, n_threads=n_threads)
    rows = network.read_sparse(X)
    tracemalloc.start()
    network.evaluate(rows, np.arange(20_000) % 2, "cross_entropy")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < rows.columns.nbytes / 2  # a million elements


def test_rows_are_a_copy_of_the_matrix():
    X, _ = sparse()
    rows = SparseRows.of(X, np.dtype("float64"))
    for ours, theirs in ((rows.values, X.data), (rows.columns, X.indices), (rows.starts, X.indptr)):
        assert not np.shares_memory(ours, theirs)
    assert SparseRows.of(rows, np.dtype("float64")) is rows
    assert_array_equal(rows[[3, 1]].toarray(), X[[3, 1]].toarray())
    assert_array_equal(SparseRows.of(rows, np.dtype("float32")).values, X.data.astype("float32"))


@pytest.mark.parametrize("n_rows", [-1, 1])
def test_starts_that_are_not_as_many_as_the_rows_are_refused(n_rows):
    X, y = sparse()
    model = quietly(MLPClassifier(max_iter=2).fit, X, y)
    X.indptr = np.append(X.indptr, X.nnz) if n_rows > 0 else X.indptr[:-1]
    for call in (lambda: MLPClassifier().fit(X, y), lambda: model.network_.predict(X)):
        with pytest.raises(ValueError, match="indptr must rise"):
            call()
