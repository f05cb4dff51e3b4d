"""scikit-learn's own tests of its multilayer perceptron, from the installed package, run on fastmlp's."""

import types
from pathlib import Path

import pytest
import sklearn
from sklearn.utils.fixes import parse_version

import fastmlp

#: Tests that reach into what scikit-learn keeps to itself. All others must pass.
LEFT_OUT = {
    "test_fit": "assigns to coefs_ and fills in _coef_grads and _coef_velocity before the first partial_fit",
    "test_gradient": "calls _loss_grad_lbfgs with workspaces of its own",
    "test_learning_rate_warmstart": "reads _optimizer.learning_rate",
    "test_adaptive_learning_rate": "reads _optimizer.learning_rate",
}
IMPORT = "from sklearn.neural_network import MLPClassifier, MLPRegressor"

# Its tests are those of an interface that scikit-learn has since then.
if parse_version(sklearn.__version__) < parse_version("1.9"):
    pytest.skip("the tests are those of scikit-learn 1.9 and later", allow_module_level=True)


def load():
    """Return scikit-learn's test module, with the estimators of fastmlp in place of its own."""
    path = Path(sklearn.__file__).parent / "neural_network" / "tests" / "test_mlp.py"
    source = path.read_text(encoding="utf-8")
    assert source.count(IMPORT) == 1
    module = types.ModuleType("test_mlp")
    source = source.replace(IMPORT, "from fastmlp import MLPClassifier, MLPRegressor")
    exec(compile(source, path, "exec"), vars(module))
    return module


THEIRS = load()
globals().update(
    {name: test for name, test in vars(THEIRS).items() if name.startswith("test_") and name not in LEFT_OUT}
)


@pytest.fixture(params=[42, 7])
def global_random_seed(request):
    return request.param


def test_the_tests_run_on_fastmlps_estimators():
    assert THEIRS.MLPClassifier is fastmlp.MLPClassifier
    assert THEIRS.MLPRegressor is fastmlp.MLPRegressor


def test_what_is_left_out_is_there_and_little():
    assert len(LEFT_OUT) <= 4
    assert all(callable(getattr(THEIRS, name)) for name in LEFT_OUT)
    assert not LEFT_OUT.keys() & globals().keys()
