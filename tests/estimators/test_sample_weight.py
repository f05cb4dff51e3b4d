"""Weights of samples and of classes, against repeated samples, scikit-learn and PyTorch."""

import inspect

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import accuracy_score, r2_score
from sklearn.neural_network import MLPClassifier as TheirClassifier
from sklearn.utils.class_weight import compute_sample_weight

import fastmlp
from fastmlp import MLPClassifier, MLPRegressor, Network, Trainer, losses
from fastmlp.layers import Dense
from fastmlp.optimizers import SGD
from helpers.bad_input import says
from helpers.estimators import PAIRS, SOLVERS, assert_same_fit, data, quietly

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

PARAMS = {"hidden_layer_sizes": (8,), "random_state": 0, "max_iter": 8}
every_task = pytest.mark.parametrize("task", PAIRS)


def random_weights(n, seed=2):
    return np.random.default_rng(seed).exponential(size=n)


def problem(name, engine="auto", n=24):
    """Return a network for a loss, inputs and targets."""
    loss, rng = losses.BY_NAME[name](), np.random.default_rng(0)
    layers = [Dense(5, "tanh"), Dense(3, (loss.output_activations or ("identity",))[0])]
    network = Network(layers, 4, dtype="float64", engine=engine, random_state=0)
    y = rng.integers(0, 3, n) if name == "cross_entropy" else (rng.random((n, 3)) < 0.5).astype(float)
    return network, rng.normal(size=(n, 4)), y


# ------------------------------------------------------------------------------------------- what they mean


@settings(deadline=None, max_examples=25)
@given(
    st.lists(st.integers(0, 4), min_size=24, max_size=24).filter(any), st.sampled_from(list(losses.BY_NAME))
)
def test_whole_weights_are_repeated_samples(counts, name):
    results = []
    for repeat in (False, True):
        network, X, y = problem(name)
        weights = {} if repeat else {"sample_weight": counts}
        if repeat:
            X, y = X.repeat(counts, axis=0), y.repeat(counts, axis=0)
        loss, gradient, _ = network.gradients(X, y, name, **weights)
        trainer = Trainer(
            network, name, optimizer=SGD(0.1), batch_size=len(X), alpha=0.5, l2=0.01, l1=0.001, shuffle=False
        )
        history = trainer.fit(X, y, X, y, epochs=4, sample_weight_val=weights.get("sample_weight"), **weights)
        results.append((loss, gradient, network.parameters, history.loss, history.val_loss))
    for weighted, repeated in zip(*results, strict=True):
        assert_allclose(weighted, repeated, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("engine", ["tile", "blas", "reference"])
@pytest.mark.parametrize("name", losses.BY_NAME)
def test_the_gradient_is_that_of_the_weighted_mean(name, engine):
    network, X, y = problem(name, engine)
    weights = random_weights(len(X))
    each = [network.gradients(X[[i]], y[[i]], name) for i in range(len(X))]
    loss, d_parameters, d_inputs = network.gradients(X, y, name, sample_weight=weights)
    share = weights / weights.sum()
    assert_allclose(loss, share @ [one[0] for one in each])
    assert_allclose(d_parameters, share @ np.array([one[1] for one in each]), atol=1e-14)
    assert_allclose(d_inputs, share[:, None] * np.vstack([one[2] for one in each]), atol=1e-14)
    assert_allclose(network.evaluate(X, y, name, weights)[0], loss)


@pytest.mark.parametrize("engine", ["tile", "blas", "reference"])
def test_a_batch_without_weight_changes_nothing(engine):
    network, X, y = problem("cross_entropy", engine)
    weights = np.repeat([1.0, 0.0, 2.0], 8)
    trainer = Trainer(network, "cross_entropy", batch_size=8, shuffle=False, alpha=0.1, random_state=0)
    history = trainer.fit(X, y, epochs=3, sample_weight=weights)
    twin, *_ = problem("cross_entropy", engine)
    other = Trainer(twin, "cross_entropy", batch_size=8, shuffle=False, alpha=0.1, random_state=0)
    expected = other.fit(X, y, epochs=3, rows=np.r_[:8, 16:24], sample_weight=weights)
    assert_array_equal(network.parameters, twin.parameters)
    assert history.loss == expected.loss


def test_equal_weights_do_nothing_without_penalties():
    results = []
    for weights in (None, np.full(24, 0.25)):
        network, X, y = problem("squared_error")
        Trainer(network, "squared_error", batch_size=8, random_state=0).fit(
            X, y, epochs=3, sample_weight=weights
        )
        results.append(network.parameters)
    assert_allclose(*results, rtol=1e-12)


# ----------------------------------------------------------------------------- scikit-learn's and PyTorch's


@pytest.mark.skipif(
    "sample_weight" not in inspect.signature(TheirClassifier.fit).parameters,
    reason="this scikit-learn's MLPs have no weights",
)
@pytest.mark.parametrize("solver", SOLVERS)
@every_task
def test_weighted_fits_are_scikit_learns(task, solver):
    X, y = data(task)
    params = {"hidden_layer_sizes": (11, 6), "batch_size": 32, "alpha": 0.5, "shuffle": False}
    params |= {"random_state": 0, "max_iter": 12, **SOLVERS[solver]}
    ours, theirs = (quietly(cls(**params).fit, X, y, random_weights(len(X))) for cls in PAIRS[task])
    assert_same_fit(ours, theirs, 1e-8)


@pytest.mark.parametrize(("name", "metric"), [("cross_entropy", accuracy_score), ("squared_error", r2_score)])
def test_weighted_scores_are_scikit_learns(name, metric):
    network, X, y = problem(name)
    weights = random_weights(len(X))
    history = Trainer(network, name).fit(X, y, X, y, epochs=1, sample_weight_val=weights)
    outputs = network.predict(X)
    predictions = outputs.argmax(axis=1) if name == "cross_entropy" else outputs
    assert_allclose(history.val_score[0], metric(y, predictions, sample_weight=weights))
    assert_allclose(history.val_loss[0], network.evaluate(X, y, name, weights)[0])


@every_task
def test_held_out_samples_keep_their_weights(task, monkeypatch):
    X, y = data(task)
    seen = []
    train = Trainer.train

    def spy(trainer, data, *args, **options):
        seen.append(data)
        train(trainer, data, *args, **options)

    monkeypatch.setattr(Trainer, "train", spy)
    PAIRS[task][0](early_stopping=True, **PARAMS).fit(X, y, np.exp(X[:, 0]))
    (trained,) = seen
    assert_array_equal(trained.sample_weight, np.exp(trained.X[:, 0]))
    held_out = trained.validation
    assert_array_equal(held_out.sample_weight, np.exp(held_out.X[:, 0]))


def test_class_weights_are_those_of_pytorchs_cross_entropy():
    torch = pytest.importorskip("torch")
    of_classes = np.array([0.5, 2.0, 3.0])
    network, X, y = problem("cross_entropy")
    loss, gradient, _ = network.gradients(X, y, "cross_entropy", sample_weight=of_classes[y])
    layers = [
        (torch.tensor(coef, requires_grad=True), torch.tensor(intercept, requires_grad=True))
        for coef, intercept in zip(network.coefs_, network.intercepts_, strict=True)
    ]
    hidden = torch.tanh(torch.tensor(X) @ layers[0][0] + layers[0][1])
    logits = hidden @ layers[1][0] + layers[1][1]
    theirs = torch.nn.CrossEntropyLoss(weight=torch.tensor(of_classes))(logits, torch.tensor(y))
    theirs.backward()
    assert_allclose(loss, theirs.item(), rtol=1e-12)
    for i, (coef, intercept) in enumerate(zip(*network.split(gradient), strict=True)):
        assert_allclose(coef, layers[i][0].grad.numpy(), rtol=1e-9, atol=1e-15)
        assert_allclose(intercept, layers[i][1].grad.numpy(), rtol=1e-9, atol=1e-15)


# --------------------------------------------------------------------------------------------- class weights


@pytest.mark.parametrize("kind", ["balanced", "dict"])
@pytest.mark.parametrize("labels", [[0, 1, 2], ["a", "b", "c"], [0, 1]], ids=str)
def test_class_weights_multiply_sample_weights(labels, kind):
    X, y = data("multiclass" if len(labels) == 3 else "binary")
    y, weights = np.array(labels)[y], random_weights(len(X))
    of_classes = "balanced" if kind == "balanced" else {labels[0]: 3.0, labels[1]: 0.5}
    by_class = MLPClassifier(class_weight=of_classes, **PARAMS).fit(X, y, weights)
    by_hand = MLPClassifier(**PARAMS).fit(X, y, weights * compute_sample_weight(of_classes, y))
    assert_allclose(by_class.network_.parameters, by_hand.network_.parameters, rtol=1e-12)
    assert by_class.loss_curve_ != MLPClassifier(**PARAMS).fit(X, y, weights).loss_curve_


@pytest.mark.parametrize("of_classes", ["balanced", [{0: 1, 1: 5}, {0: 1, 1: 1}, {0: 2, 1: 1}]], ids=str)
def test_class_weights_of_label_indicators(of_classes):
    X, y = data("multilabel")
    by_class = MLPClassifier(class_weight=of_classes, **PARAMS).fit(X, y)
    by_hand = MLPClassifier(**PARAMS).fit(X, y, compute_sample_weight(of_classes, y))
    assert_allclose(by_class.network_.parameters, by_hand.network_.parameters, rtol=1e-12)


def test_partial_fit_takes_weights_of_classes_that_a_batch_may_lack():
    X, y = data("multiclass")
    of_classes = {0: 1.0, 1: 2.0, 2: 5.0}
    model = MLPClassifier(class_weight=of_classes, **PARAMS)
    twin = MLPClassifier(**PARAMS)
    for rows in (y < 2, y > 0):
        weights = random_weights(rows.sum())
        model.partial_fit(X[rows], y[rows], weights, classes=[0, 1, 2])
        by_class = np.array([1.0, 2.0, 5.0])[y[rows]]
        twin.partial_fit(X[rows], y[rows], weights * by_class, classes=[0, 1, 2])
    assert_array_equal(model.network_.parameters, twin.network_.parameters)


def test_class_weights_survive_a_file(tmp_path):
    X, y = data("binary")
    for of_classes in ({"no": 1.0, "yes": 3}, "balanced", {np.int64(0): 2.0}):
        labels = np.array(["no", "yes"])[y] if of_classes != {0: 2.0} else y
        model = MLPClassifier(class_weight=of_classes, **PARAMS).fit(X, labels)
        model.save(tmp_path / "model")
        assert fastmlp.load(tmp_path / "model").class_weight == of_classes


# ------------------------------------------------------------------------------------------- the ways to fit


@every_task
def test_every_way_to_fit_takes_weights(task):
    X, y = data(task)
    weights = random_weights(len(X))
    kind = PAIRS[task][0]
    expected = kind(**PARAMS).fit(X, y, weights).network_.parameters
    (many,) = fastmlp.fit_many([kind(**PARAMS)], X, y, sample_weight=weights)
    assert_array_equal(many.network_.parameters, expected)
    recipe = fastmlp.fit(X, y, sample_weight=weights, **PARAMS)
    unweighted = fastmlp.fit(X, y, **PARAMS)
    assert not np.array_equal(recipe.network_.parameters, unweighted.network_.parameters)


def test_models_of_fit_many_have_class_weights_of_their_own():
    X, y = data("binary")
    choices = [None, "balanced", {0: 1.0, 1: 7.0}]
    models = fastmlp.fit_many([MLPClassifier(class_weight=choice, **PARAMS) for choice in choices], X, y)
    for model, choice in zip(models, choices, strict=True):
        alone = MLPClassifier(class_weight=choice, **PARAMS).fit(X, y)
        assert_array_equal(model.network_.parameters, alone.network_.parameters)


def test_a_score_of_ones_own_gets_the_weights():
    network, X, y = problem("squared_error")
    seen = []

    def score(targets, predictions, sample_weight=None):
        seen.append(sample_weight)
        return 1.0

    weights = random_weights(len(X))
    trainer = Trainer(network, "squared_error", score=score)
    trainer.fit(X, y, X, y, epochs=1, sample_weight_val=weights)
    trainer.fit(X, y, X, y, epochs=1, sample_weight=weights)
    assert_array_equal(seen[0], weights)
    assert seen[1] is None


# ------------------------------------------------------------------------------------------------- bad input

BAD = [
    (np.ones(5), ("sample_weight", "(5,)")),
    (np.ones((90, 1)), ("sample_weight", "(90, 1)")),
    (2.0, ("sample_weight", "()")),
    (-np.ones(90), ("sample_weight[0]=-1.0", "at least 0")),
    (np.r_[np.ones(89), np.nan], ("sample_weight[89]=nan", "finite")),
    (np.r_[np.inf, np.ones(89)], ("sample_weight[0]=inf", "finite")),
    (np.zeros(90), ("sample_weight", "zero")),
    (["heavy"] * 90, ("sample_weight", "numbers")),
]


@pytest.mark.parametrize(("weights", "parts"), BAD, ids=[parts[-1] for _, parts in BAD])
def test_bad_weights_are_refused(weights, parts):
    X, y = data("regression")
    network = Network([Dense(1, "identity")], X.shape[1], dtype="float64", random_state=0)
    trainer = Trainer(network, "squared_error")
    for call in (
        lambda: MLPRegressor().fit(X, y, weights),
        lambda: MLPRegressor().partial_fit(X, y, weights),
        lambda: trainer.fit(X, y, sample_weight=weights),
        lambda: trainer.fit(X, y, X, y, sample_weight_val=weights),
        lambda: network.gradients(X, y, "squared_error", weights),
        lambda: network.evaluate(X, y, "squared_error", weights),
    ):
        with pytest.raises(ValueError, match=says(*parts[1:])):
            call()


def test_weights_without_what_they_are_for_are_refused():
    X, y = data("regression")
    trainer = Trainer(Network([Dense(1, "identity")], X.shape[1], random_state=0), "squared_error")
    with pytest.raises(ValueError, match="sample_weight_val needs X_val"):
        trainer.fit(X, y, sample_weight_val=np.ones(90))
    with pytest.raises(ValueError, match="zero"):
        trainer.fit(X, y, rows=[0, 1], sample_weight=np.r_[0, 0, np.ones(88)])


@pytest.mark.parametrize(
    ("of_classes", "pattern"),
    [
        ({0: -1.0}, "at least 0"),
        ({0: 0.0, 1: 0.0}, "zero"),
        ([{0: 1.0}], "label indicators"),
        ({7: 1.0}, "not in class_weight"),
        ("even", "class_weight"),
    ],
    ids=str,
)
def test_bad_class_weights_are_refused(of_classes, pattern):
    X, y = data("binary")
    with pytest.raises(ValueError, match=pattern):
        MLPClassifier(class_weight=of_classes).fit(X, y)


def test_class_weights_are_refused_where_they_make_no_sense():
    X, y = data("regression")
    with pytest.raises(TypeError, match="class_weight"):
        MLPRegressor(class_weight={0: 1.0})
    with pytest.raises(ValueError, match="balanced"):
        MLPClassifier(class_weight="balanced").partial_fit(X, y > 0, classes=[False, True])
