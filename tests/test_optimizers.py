"""The optimizers and the penalties: kernels against their twins, engines against each other and PyTorch."""

from dataclasses import replace

import numpy as np
import pytest

import fastmlp
from faces import kernels
from fastmlp import MLPClassifier, Network, Trainer
from fastmlp.engine import core, native
from fastmlp.engine.reference import native as reference
from fastmlp.layers import Dense
from fastmlp.optimizers import BY_NAME, SGD, AdaDelta, AdaGrad, Adam, AdamW, RMSprop
from helpers.engine import assert_parity, problem, train

CASES = {
    "sgd": SGD(momentum=0.0),
    "momentum": SGD(nesterov=False),
    "nesterov": SGD(),
    "adam": Adam(),
    "adamw": AdamW(),
    "rmsprop": RMSprop(),
    "rmsprop, momentum": RMSprop(momentum=0.8),
    "adagrad": AdaGrad(),
    "adadelta": AdaDelta(),
}
PENALTIES = {
    "none": {},
    "l2": {"l2": 0.01},
    "l1": {"l1": 0.02},
    "clip_value": {"clip_value": 0.01, "l2": 0.01},
    "clip_norm": {"clip_norm": 0.1},
    "all": {"alpha": 0.1, "l2": 0.01, "l1": 0.02, "clip_value": 0.02, "clip_norm": 0.1},
}

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
every_case = pytest.mark.parametrize("case", CASES)
both_types = pytest.mark.parametrize("dtype", ["float32", "float64"])


@both_types
@every_case
@pytest.mark.parametrize("l1", [0.0, 0.03])
@pytest.mark.parametrize("isa", core.instruction_sets())
def test_each_step_is_its_twin(isa, l1, case, dtype):
    rng = np.random.default_rng(0)
    optimizer = CASES[case]
    options = optimizer.options() | {
        "learning_rate": 0.1, "momentum": optimizer.momentum, "l2": 0.01, "l1": l1, "shrink": 0.99,
    }  # fmt: skip
    options.setdefault("nesterov", False)
    for shape in [(1, 1), (3, 16), (2, 37)]:
        w, gradient = rng.normal(size=shape).astype(dtype), rng.normal(size=shape).astype(dtype)
        w[0, 0] = 0  # where |w| has no derivative
        moments = [np.abs(rng.normal(size=shape)).astype(dtype) for _ in range(optimizer.n_moments)]
        expected_w, expected_moments = w.copy(), [moment.copy() for moment in moments]
        kernels.solver_step(w, moments, gradient, options, isa)
        reference.STEPS[optimizer.solver](expected_w, expected_moments, gradient, options)
        rtol = 1e-5 if dtype == "float32" else 1e-13
        np.testing.assert_allclose(w, expected_w, rtol, rtol)
        for moment, expected in zip(moments, expected_moments, strict=True):
            np.testing.assert_allclose(moment, expected, rtol, rtol)


@both_types
@every_case
@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("operations", ["blas", "tile"])
def test_both_engines_agree_after_many_steps(operations, penalty, case, dtype):
    plan, parameters, X, targets = problem("cross_entropy", dtype, operations=operations)
    options = {"alpha": 0.0, "rate": 0.5 if case == "adadelta" else 0.01, **PENALTIES[penalty]}
    if (
        dtype == "float32"
    ):  # whose last digits soon decide on which side of zero a weight is, and so on its l1
        options["n_steps"] = 12
    optimizer = CASES[case]
    actual, curve = train(native, plan, parameters, X, targets, "cross_entropy", optimizer, **options)
    expected, expected_curve = train(
        reference, plan, parameters, X, targets, "cross_entropy", optimizer, **options
    )
    assert np.abs(expected - parameters).max() > 1e-3  # it did learn
    # Solvers that divide by the root of a gradient near zero magnify the last digits of float32.
    if dtype == "float32":
        np.testing.assert_allclose(actual, expected, atol=2e-3)
    else:
        assert_parity(actual, expected, dtype)
    np.testing.assert_allclose(curve, expected_curve, rtol=1e-3 if dtype == "float32" else 1e-11)


@both_types
@every_case
@pytest.mark.parametrize(
    "options", [{"l1": 0.01, "l2": 0.01}, {"clip_norm": 0.1}], ids=["l1, l2", "clip_norm"]
)
def test_any_number_of_threads_gives_the_same_bits(options, case, dtype):
    plan, parameters, X, targets = problem("cross_entropy", dtype, n=150, hidden=(50, 17), operations="tile")
    results = [
        train(
            native, plan, parameters, X, targets, "cross_entropy", CASES[case],
            **options, n_threads=n_threads, measure=False,
        )
        for n_threads in (1, 2, 4)
    ]  # fmt: skip
    for other in results[1:]:
        np.testing.assert_array_equal(other[0], results[0][0])
        np.testing.assert_array_equal(other[1], results[0][1])


def torch_optimizer(torch, case, weights, biases):
    """Return PyTorch's optimizer of the case and what of it we call by another name."""
    groups = [{"params": weights}, {"params": biases, "weight_decay": 0.0}]
    match case:
        case "sgd":
            return torch.optim.SGD(groups, 0.1)
        case "momentum":
            return torch.optim.SGD(groups, 0.1, momentum=0.9)
        case "nesterov":
            return torch.optim.SGD(groups, 0.1, momentum=0.9, nesterov=True)
        case "adamw":
            return torch.optim.AdamW(groups, 0.01, weight_decay=0.01)
        case "rmsprop":
            return torch.optim.RMSprop(groups, 0.01)
        case "rmsprop, momentum":
            return torch.optim.RMSprop(groups, 0.01, momentum=0.8)
        case "adagrad":
            return torch.optim.Adagrad(groups, 0.01)
        case "adadelta":
            return torch.optim.Adadelta(groups, 1.0)


@pytest.mark.parametrize(
    ("case", "l2"),
    [(case, 0.0) for case in CASES if case != "adam"]  # whose epsilon is another one
    + [(case, 0.003) for case in CASES if not case.startswith("adam")],
)
def test_fifty_steps_are_those_of_pytorch(case, l2):
    compare_with_torch(case, l2)


def compare_with_torch(case, l2, **limit):
    """Train a network here and in PyTorch, and assert that the parameters agree."""
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(50 * 8, 6)), rng.integers(0, 4, 50 * 8)
    network = Network([Dense(9, "tanh"), Dense(4, "softmax")], 6, dtype="float64", random_state=0)
    linear = [torch.nn.Linear(6, 9, dtype=torch.float64), torch.nn.Linear(9, 4, dtype=torch.float64)]
    model = torch.nn.Sequential(linear[0], torch.nn.Tanh(), linear[1])
    with torch.no_grad():
        for layer, coef, intercept in zip(linear, network.coefs_, network.intercepts_, strict=True):
            layer.weight.copy_(torch.from_numpy(coef.T.copy()))
            layer.bias.copy_(torch.from_numpy(intercept.copy()))
    optimizer = torch_optimizer(torch, case, [m.weight for m in linear], [m.bias for m in linear])
    if l2:
        optimizer.param_groups[0]["weight_decay"] = 2 * l2
    rates = {"sgd": 0.1, "momentum": 0.1, "nesterov": 0.1, "adadelta": 1.0}
    ours = replace(CASES[case], learning_rate=rates.get(case, 0.01))
    trainer = Trainer(network, "cross_entropy", optimizer=ours, batch_size=8, shuffle=False, l2=l2, **limit)
    trainer.fit(X, y, epochs=1)
    for start in range(0, len(X), 8):
        rows = slice(start, start + 8)
        optimizer.zero_grad()
        outputs = model(torch.from_numpy(X[rows]))
        torch.nn.functional.cross_entropy(outputs, torch.from_numpy(y[rows])).backward()
        if "clip_value" in limit:
            torch.nn.utils.clip_grad_value_(model.parameters(), limit["clip_value"])
        if "clip_norm" in limit:
            torch.nn.utils.clip_grad_norm_(model.parameters(), limit["clip_norm"])
        optimizer.step()
    for layer, coef, intercept in zip(linear, network.coefs_, network.intercepts_, strict=True):
        np.testing.assert_allclose(coef.T, layer.weight.detach().numpy(), rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(intercept, layer.bias.detach().numpy(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("limit", [{"clip_value": 0.01}, {"clip_norm": 0.05}, {"clip_norm": 1e9}], ids=str)
@pytest.mark.parametrize("case", ["momentum", "adamw"])
def test_gradients_are_cut_as_pytorch_cuts_them(case, limit):
    compare_with_torch(case, 0.0, **limit)


@pytest.mark.skipif(not core.has_bfloat16(), reason="this processor has no AVX512_BF16")
def test_a_clipped_fit_in_bfloat16_stays_near_its_twin():
    plan, parameters, X, targets = problem("cross_entropy", "float32", n=150, operations="bfloat16")
    options = {"alpha": 0.0, "clip_norm": 0.1, "l1": 0.001, "n_steps": 12}
    results = [
        train(engine, plan, parameters, X, targets, "cross_entropy", SGD(nesterov=False), **options)[0]
        for engine in (native, reference)
    ]
    np.testing.assert_allclose(*results, atol=2e-3)


def test_a_gradient_that_overflows_ends_the_fit_with_a_warning():
    X, y = np.full((20, 3), 1e30, np.float32), np.arange(20.0)
    network = Network([Dense(4), Dense(1, "identity")], 3, random_state=0)
    trainer = Trainer(network, "squared_error", optimizer=SGD(0.1), clip_norm=1.0)
    with pytest.warns(RuntimeWarning, match="diverged"):
        trainer.fit(X, y, epochs=2)
    assert np.isfinite(network.parameters).all()


@pytest.mark.parametrize("engine", ["tile", "blas", "reference"])
def test_the_loss_tells_the_penalties(engine):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(30, 5)), rng.integers(0, 3, 30)

    def loss(**penalties):
        network = Network([Dense(7), Dense(3, "softmax")], 5, dtype="float64", engine=engine, random_state=0)
        trainer = Trainer(
            network, "cross_entropy", batch_size=10, shuffle=False, optimizer=SGD(1e-12), **penalties
        )
        return trainer.fit(X, y, epochs=1).loss[0], network

    plain, network = loss()
    squares = sum(np.square(coef).sum() for coef in network.coefs_)
    magnitudes = sum(np.abs(coef).sum() for coef in network.coefs_)
    assert loss(l2=0.1)[0] - plain == pytest.approx(0.1 * squares)
    assert loss(l1=0.1)[0] - plain == pytest.approx(0.1 * magnitudes)
    assert loss(alpha=0.1)[0] - plain == pytest.approx(0.05 * squares / 10)


def test_l1_makes_weights_vanish_and_decay_shrinks_them():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 10))
    y = (X[:, 0] > 0).astype(int)

    def weights(**options):
        common = {"alpha": 0, "max_iter": 60, "batch_size": 20, "tol": 0, "n_iter_no_change": 60}
        model = MLPClassifier((), **common, learning_rate_init=0.01, random_state=0, **options)
        return np.abs(model.fit(X, y).coefs_[0])

    plain = weights()
    assert weights(l1=0.05)[1:].max() < 0.03 < plain[1:].max()
    assert weights(weight_decay=0.5).sum() < 0.7 * plain.sum()
    assert weights(solver="adamw").sum() < plain.sum()


@pytest.mark.parametrize("name", BY_NAME)
def test_each_solver_learns_by_its_name(name):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 5)).astype(np.float32)
    y = (X[:, 0] * X[:, 1] > 0).astype(int)
    rate = {"adadelta": 1.0, "sgd": 0.05, "adagrad": 0.05}.get(name, 0.01)
    model = MLPClassifier(
        (32,), solver=name, learning_rate_init=rate, max_iter=40, batch_size=20, random_state=0
    )
    assert model.fit(X, y).score(X, y) > 0.93


def test_a_solver_with_settings_of_its_own_can_be_searched_copied_and_saved(tmp_path):
    X, y = np.random.default_rng(0).normal(size=(60, 4)), np.arange(60) % 2
    solver = RMSprop(0.003, momentum=0.5, weight_decay=0.1)
    model = MLPClassifier((5,), solver=solver, max_iter=3, n_iter_no_change=2, tol=10.0, random_state=0).fit(
        X, y
    )
    assert model._session.trainer.optimizer == solver
    model.save(tmp_path / "model.safetensors")
    loaded = fastmlp.load(tmp_path / "model.safetensors")
    assert loaded.solver == solver
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: RMSprop(beta_2=1.0), "beta_2"),
        (lambda: RMSprop(momentum=-0.1), "momentum"),
        (lambda: AdaGrad(learning_rate=0), "learning_rate"),
        (lambda: AdaDelta(epsilon=0), "epsilon"),
        (lambda: AdamW(weight_decay=-1), "weight_decay"),
        (lambda: SGD(weight_decay=float("nan")), "weight_decay"),
        (lambda: Trainer(Network([Dense(2)], 2), "squared_error", l1=-1), "l1"),
        (lambda: Trainer(Network([Dense(2)], 2), "squared_error", clip_norm=0), "clip_norm"),
        (lambda: Trainer(Network([Dense(2)], 2), "squared_error", clip_value=-1), "clip_value"),
        (lambda: Trainer(Network([Dense(2)], 2), "squared_error", l2=float("inf")), "l2"),
    ],
)
def test_wrong_settings_are_refused_by_name(make, name):
    with pytest.raises(ValueError, match=f"{name}="):
        make()
