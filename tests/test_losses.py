"""The losses: kernels against their twins, gradients against differences and PyTorch, engines, refusals."""

import numpy as np
import pytest

from faces import kernels
from fastmlp import Network, Trainer, losses
from fastmlp.engine import core, native
from fastmlp.engine.reference import native as reference
from fastmlp.layers import Dense
from fastmlp.network.preparation import Preparation
from fastmlp.optimizers import SGD
from helpers.engine import assert_parity, problem, train

QUANTILES = (0.1, 0.5, 0.9)
#: A kernel, its own numbers, and the loss and the output that it belongs to.
CASES = {
    "labels": ("cross_entropy", {}, losses.CrossEntropy(), "softmax"),
    "labels, smooth": ("cross_entropy", {"label_smoothing": 0.2}, losses.CrossEntropy(0.2), "softmax"),
    "soft": ("soft_cross_entropy", {}, losses.CrossEntropy(), "softmax"),
    "soft, smooth": ("soft_cross_entropy", {"label_smoothing": 0.2}, losses.CrossEntropy(0.2), "softmax"),
    "binary": ("binary_cross_entropy", {}, losses.BinaryCrossEntropy(), "logistic"),
    "likelihood": ("log_likelihood", {}, losses.LogLikelihood(), "logistic"),
    "squared": ("squared_error", {}, losses.SquaredError(), "identity"),
    "squared, logistic": ("squared_error", {}, losses.SquaredError(), "logistic"),
    "squared, softmax": ("squared_error", {}, losses.SquaredError(), "softmax"),
    "absolute": ("absolute_error", {}, losses.AbsoluteError(), "identity"),
    "huber": ("huber", {"delta": 0.7}, losses.Huber(0.7), "identity"),
    "huber, tanh": ("huber", {"delta": 0.7}, losses.Huber(0.7), "tanh"),
    "median": ("quantile", {"quantiles": (0.5,)}, losses.Quantile(), "identity"),
    "quantiles": ("quantile", {"quantiles": QUANTILES}, losses.Quantile(QUANTILES), "identity"),
    "poisson": ("poisson", {}, losses.Poisson(), "identity"),
}
TOLERANCE = {"float32": 4e-6, "float64": 4e-14}
LAST = {case: rest[3] for case, rest in CASES.items()}

both_types = pytest.mark.parametrize("dtype", ["float32", "float64"])
every_case = pytest.mark.parametrize("case", CASES)
every_isa = pytest.mark.parametrize("isa", core.instruction_sets())


def make_targets(case, n_outputs, n, seed=1):
    """Targets as users have them, (n,) or (n, n_targets), for a network of so many outputs."""
    name, _, loss, _ = CASES[case]
    rng = np.random.default_rng(seed)
    if name == "cross_entropy":
        return rng.integers(0, n_outputs, n).astype(np.int32)
    if name == "soft_cross_entropy":
        return rng.dirichlet(np.ones(n_outputs), n)
    if name == "poisson":
        return rng.poisson(2.0, (n, n_outputs)).astype(float)
    if name in ("binary_cross_entropy", "log_likelihood"):
        return rng.random((n, n_outputs))
    return rng.normal(size=(n, n_outputs // loss.outputs_per_target))


def both(case, x, targets, isa):
    """Return the losses and gradients of the kernel, and of its twin."""
    name, numbers, _, _ = CASES[case]
    if name == "cross_entropy":
        actual = kernels.cross_entropy(kernels.pad(x), targets, 0.25, isa, **numbers)
        return actual, reference.cross_entropy(x, targets, 0.25, **numbers)
    t = np.ascontiguousarray(targets.T.astype(x.dtype))
    actual = getattr(kernels, name)(kernels.pad(x), kernels.pad(t), x.shape[1], 0.25, isa, **numbers)
    return actual, reference.LOSSES[name](x, t, 0.25, **numbers)


@both_types
@every_isa
@every_case
@pytest.mark.parametrize("shape", [(3, 1), (3, 16), (6, 31), (33, 200)], ids=str)
def test_each_kernel_is_its_twin(shape, case, isa, dtype):
    x = (3 * np.random.default_rng(0).normal(size=shape)).astype(dtype)
    targets = make_targets(case, *shape)
    if CASES[case][0] in ("absolute_error", "quantile"):  # where there is no derivative
        x[0, 0] = targets[0, 0] = 0.5
    (actual, d), (expected, expected_d) = both(case, x, targets, isa)
    assert d.dtype == expected_d.dtype == expected.dtype == dtype
    np.testing.assert_allclose(actual, expected, atol=TOLERANCE[dtype] * max(1, np.abs(expected).max()))
    d, padding = np.split(d, [shape[1]], axis=1)
    np.testing.assert_allclose(d, expected_d, atol=TOLERANCE[dtype] * max(1, np.abs(expected_d).max()))
    assert (padding == 0).all()


@both_types
@every_case
def test_instruction_sets_with_fused_multiply_add_give_the_same_bits(case, dtype):
    x = (3 * np.random.default_rng(0).normal(size=(9, 50))).astype(dtype)
    targets = make_targets(case, 9, 50)
    results = [both(case, x, targets, isa)[0] for isa in core.instruction_sets() if isa != "portable"]
    for other in results[1:]:
        for one, same in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(one, same)


@both_types
@every_isa
@every_case
@pytest.mark.parametrize("size", [90, 1e4, 1e30])
def test_extreme_outputs_stay_finite(size, case, isa, dtype):
    x = np.array([[size, -size, 0, size], [-size, size, 0, size], [0, 0, 0, size]], dtype)
    if CASES[case][0] == "poisson":
        x = -np.abs(x)  # e^x itself is beyond any type
    if CASES[case][0] == "squared_error" and dtype == "float32":
        x = np.clip(x, -1e18, 1e18)
    results = both(case, x, make_targets(case, *x.shape), isa)
    for values, d in results:
        assert np.isfinite(values).all()
        assert np.isfinite(d).all()
    scale = max(1, np.abs(results[1][0]).max())
    np.testing.assert_allclose(results[0][0], results[1][0], rtol=1e-5, atol=1e-5 * scale)


@every_isa
@every_case
def test_an_output_that_is_not_a_number_makes_the_loss_one(case, isa):
    x = np.zeros((3, 5))
    x[1, 2] = np.nan
    (values, _), (expected, _) = both(case, x, make_targets(case, 3, 5), isa)
    np.testing.assert_array_equal(np.isnan(values), np.isnan(expected))
    assert np.isnan(values[2])


@every_case
def test_the_gradient_is_that_of_the_loss(case):
    name, numbers, _, _ = CASES[case]
    x = np.random.default_rng(0).normal(size=(6, 7))
    targets = make_targets(case, 6, 7)
    targets = targets if targets.ndim == 1 else targets.T
    _, d = reference.LOSSES[name](x, targets, 0.3, **numbers)
    for index in np.ndindex(x.shape):
        e = np.zeros_like(x)
        e[index] = 1e-6
        above, below = (reference.LOSSES[name](x + s * e, targets, 0.3, **numbers)[0].sum() for s in (1, -1))
        assert d[index] == pytest.approx(0.3 * (above - below) / 2e-6, rel=1e-6, abs=1e-8)


@every_case
@pytest.mark.parametrize("engine", ["tile", "blas", "reference"])
def test_gradients_of_a_network_are_those_of_differences(engine, case):
    loss, rng = CASES[case][2], np.random.default_rng(0)
    layers = [Dense(5, "tanh"), Dense(6, LAST[case])]
    network = Network(layers, 4, dtype="float64", engine=engine, random_state=0)
    X, y = rng.normal(size=(20, 4)), make_targets(case, 6, 20)
    value, d, _ = network.gradients(X, y, loss)
    assert value == pytest.approx(network.evaluate(X, y, loss)[0], rel=1e-12)
    for i in np.flatnonzero(d)[::7]:
        here = network.parameters[i]
        network.parameters[i] = here + 1e-6
        above = network.evaluate(X, y, loss)[0]
        network.parameters[i] = here - 1e-6
        below = network.evaluate(X, y, loss)[0]
        network.parameters[i] = here
        assert d[i] == pytest.approx((above - below) / 2e-6, rel=1e-5, abs=1e-8)


@every_case
def test_evaluate_returns_the_outputs_of_predict(case):
    network = Network([Dense(6, LAST[case])], 4, dtype="float64", random_state=0)
    X = np.random.default_rng(0).normal(size=(300, 4))
    _, outputs = network.evaluate(X, make_targets(case, 6, 300), CASES[case][2])
    np.testing.assert_allclose(outputs, network.predict(X), rtol=1e-12)


def torch_loss(torch, case, z, y):
    """Return PyTorch's loss of the last layer's z, times the number of outputs where it is their mean."""
    f, n_outputs = torch.nn.functional, z.shape[1]
    t = torch.from_numpy(y.astype(np.int64) if y.ndim == 1 else y)
    match case:
        case "labels" | "soft":
            return f.cross_entropy(z, t)
        case "labels, smooth" | "soft, smooth":
            return f.cross_entropy(z, t, label_smoothing=0.2)
        case "binary":
            return f.binary_cross_entropy_with_logits(z, t) * n_outputs
        case "likelihood":
            return -(t * f.logsigmoid(z)).sum(dim=1).mean()
        case "absolute":
            return f.l1_loss(z, t) * n_outputs
        case "huber":
            return f.huber_loss(z, t, delta=0.7) * n_outputs
        case "huber, tanh":
            return f.huber_loss(torch.tanh(z), t, delta=0.7) * n_outputs
        case "median" | "quantiles":
            q = torch.tensor(CASES[case][2].quantiles, dtype=torch.float64)
            error = t[:, :, None] - z.reshape(len(t), t.shape[1], len(q))
            return torch.maximum(q * error, (q - 1) * error).sum(dim=(1, 2)).mean()
        case "poisson":
            return f.poisson_nll_loss(z, t, log_input=True, full=False) * n_outputs
    activation = {"identity": torch.clone, "logistic": torch.sigmoid, "softmax": torch.nn.Softmax(1)}
    return f.mse_loss(activation[LAST[case]](z), t) * n_outputs / 2


@every_case
def test_losses_and_gradients_are_those_of_pytorch(case):
    torch = pytest.importorskip("torch")
    network = Network([Dense(5, "tanh"), Dense(6, LAST[case])], 4, dtype="float64", random_state=0)
    X, y = np.random.default_rng(0).normal(size=(50, 4)), make_targets(case, 6, 50)
    value, d, d_inputs = network.gradients(X, y, CASES[case][2])
    x = torch.from_numpy(X).requires_grad_()
    weights = [torch.from_numpy(coef.copy()).requires_grad_() for coef in network.coefs_]
    biases = [torch.from_numpy(bias.copy()).requires_grad_() for bias in network.intercepts_]
    theirs = torch_loss(torch, case, torch.tanh(x @ weights[0] + biases[0]) @ weights[1] + biases[1], y)
    theirs.backward()
    assert value == pytest.approx(theirs.item(), rel=1e-9)
    np.testing.assert_allclose(d_inputs, x.grad.numpy(), rtol=1e-9, atol=1e-12)
    for ours, parts in zip(network.split(d), (weights, biases), strict=True):
        for one, part in zip(ours, parts, strict=True):
            np.testing.assert_allclose(one, part.grad.numpy(), rtol=1e-9, atol=1e-12)


def set_up(case, dtype, operations, **sizes):
    """A plan, its parameters, inputs and targets, as the engines take them, and the loss's options."""
    plan, parameters, X, _ = problem(
        "squared_error", dtype, n_outputs=6, output=LAST[case], operations=operations, **sizes
    )
    targets, loss = make_targets(case, 6, len(X)), CASES[case][2]
    return (plan, parameters, X, targets, loss.name), {"loss_options": loss.options(), "rate": 0.02}


@both_types
@every_case
@pytest.mark.parametrize("operations", ["blas", "tile"])
def test_both_engines_agree_after_fifty_steps(operations, case, dtype):
    given, options = set_up(case, dtype, operations)
    actual, curve = train(native, *given, "momentum", **options)
    expected, expected_curve = train(reference, *given, "momentum", **options)
    assert np.abs(expected - given[1]).max() > 1e-3  # it did learn
    if dtype == "float64":
        assert_parity(actual, expected, dtype)
    else:
        # A sign that rounding turns over is a step of full size.
        np.testing.assert_allclose(actual, expected, atol=2e-2 if "quantile" in CASES[case][0] else 2e-3)
    np.testing.assert_allclose(curve, expected_curve, rtol=1e-3 if dtype == "float32" else 1e-11)


@both_types
@every_case
def test_any_number_of_threads_gives_the_same_bits(case, dtype):
    given, options = set_up(case, dtype, "tile", n=150)
    results = [
        train(native, *given, "adam", batch_size=75, n_threads=n, measure=False, **options) for n in (1, 2, 4)
    ]
    for parameters, curve in results[1:]:
        np.testing.assert_array_equal(parameters, results[0][0])
        np.testing.assert_array_equal(curve, results[0][1])


@pytest.mark.parametrize("engine", [native, reference], ids=["native", "reference"])
@pytest.mark.parametrize("loss", ["huber", "quantile"])
def test_a_loss_without_its_numbers_is_refused_by_the_engines(loss, engine):
    plan, parameters, X, targets = problem("squared_error", "float64", output="identity")
    with pytest.raises(TypeError, match=r"loss_options|delta|quantiles"):
        engine.forward(plan, parameters, X, None, [None] * 3, loss=loss, targets=targets)


def test_indicators_of_a_class_are_the_same_as_its_label():
    X, labels = np.random.default_rng(0).normal(size=(40, 4)), np.arange(40) % 3
    trained = []
    for y in (labels, np.eye(3)[labels], np.eye(3, dtype=np.uint8)[labels]):
        network = Network([Dense(8), Dense(3, "softmax")], 4, dtype="float64", random_state=0)
        trainer = Trainer(network, losses.CrossEntropy(0.1), batch_size=16, random_state=0)
        history = trainer.fit(X, y, X, y, epochs=5)
        trained.append((network.parameters, history.val_loss, history.val_score))
    for parameters, val_loss, val_score in trained[1:]:
        np.testing.assert_allclose(parameters, trained[0][0], rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(val_loss, trained[0][1], rtol=1e-9)
        assert val_score == trained[0][2]


@pytest.mark.parametrize("engine", ["tile", "reference"])
def test_validation_of_quantiles_of_standardised_targets(engine):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 2))
    y = np.c_[100 + 10 * X[:, 0], 5 * X[:, 1]] + rng.normal(size=(300, 2))
    network = Network([Dense(6, "identity")], 2, dtype="float64", engine=engine, random_state=0)
    trainer = Trainer(
        network, losses.Quantile(QUANTILES), optimizer=SGD(0.05), batch_size=20, random_state=0,
        target_preparation=Preparation.fit(y, "table"), score=None,
    )  # fmt: skip
    history = trainer.fit(X, y, X, y, epochs=60)
    assert history.val_score[-1] > 0.7
    assert history.val_loss[-1] == pytest.approx(history.loss[-1], rel=0.1)


def refused(match, make, kind=ValueError):
    with pytest.raises(kind, match=match):
        make()


def fit(last, units, loss, y):
    return Trainer(Network([Dense(units, last)], 2, random_state=0), loss).fit(np.ones((4, 2)), y, epochs=1)


def test_numbers_out_of_range_are_refused_by_name():
    refused("delta=0", lambda: losses.Huber(0))
    refused("delta=inf", lambda: losses.Huber(float("inf")))
    refused("delta='1'", lambda: losses.Huber("1"), TypeError)
    refused("quantiles=1.0", lambda: losses.Quantile((0.5, 1.0)))
    refused("quantiles=0", lambda: losses.Quantile(0))
    refused("quantiles=", lambda: losses.Quantile(()))
    refused("label_smoothing=1", lambda: losses.CrossEntropy(1))
    refused("label_smoothing=-0.1", lambda: losses.CrossEntropy(-0.1))


@pytest.mark.parametrize(
    ("loss", "last", "reason"),
    [
        ("poisson", "relu", "logarithms"),
        ("quantile", "softmax", "sum to 1"),
        ("log_likelihood", "softmax", "each for itself"),
        ("cross_entropy", "logistic", "probabilities of classes"),
    ],
)
def test_a_pair_that_makes_no_sense_is_refused_with_the_reason(loss, last, reason):
    refused(f"loss='{loss}' goes with .*{reason}.*{last}", lambda: fit(last, 3, loss, np.zeros((4, 3))))


def test_targets_out_of_range_are_refused():
    refused(
        "'poisson' takes targets of at least 0; y goes from -1",
        lambda: fit("identity", 1, "poisson", [-1] * 4),
    )
    refused(
        "'log_likelihood' takes targets from 0 to 1", lambda: fit("logistic", 1, "log_likelihood", [2] * 4)
    )
    soft = np.full((4, 2), 0.5)
    soft[2, 0] = 0.4
    refused("sum to 1; row 2 of y sums to 0.9", lambda: fit("softmax", 2, "cross_entropy", soft))
    refused("from 0 to 1", lambda: fit("softmax", 2, "cross_entropy", np.tile([1.5, -0.5], (4, 1))))
    refused(
        r"\(n_samples, 2\).*shape \(4, 3\)",
        lambda: fit("softmax", 2, "cross_entropy", np.full((4, 3), 1 / 3)),
    )


def test_quantiles_that_do_not_fit_the_outputs_are_refused():
    loss = losses.Quantile(QUANTILES)
    refused("3 outputs for each target; this network has 4", lambda: fit("identity", 4, loss, np.zeros(4)))
    refused(r"shape \(4, 6\).*6 outputs, 3 for each", lambda: fit("identity", 6, loss, np.zeros((4, 6))))


def test_standardised_counts_are_refused():
    network, y = Network([Dense(1, "identity")], 2), np.arange(4.0)[:, None]
    prepared = Preparation.fit(y, "table")
    refused("target_preparation.*poisson", lambda: Trainer(network, "poisson", target_preparation=prepared))


def test_whole_numbers_are_as_good_as_others():
    X, y = np.ones((4, 2)), np.arange(4.0)
    for engine in ("reference", "auto"):
        network = Network([Dense(1, "identity")], 2, dtype="float64", engine=engine, random_state=0)
        whole, other = (network.evaluate(X, y, losses.Huber(delta))[0] for delta in (2, 2.0))
        assert whole == other
    assert losses.Huber(2) == losses.Huber(2.0)
