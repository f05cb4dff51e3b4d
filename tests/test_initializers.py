"""How weights begin: their distributions, by name and layer by layer."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import fastmlp
from fastmlp import MLPClassifier, Network
from fastmlp.initializers import BY_NAME, GlorotUniform, HeNormal, Normal, Zeros
from fastmlp.layers import Dense

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
N_IN, N_OUT = 400, 300
# The deviation of a weight, the largest one that can be (uniform ones only), and that of a bias.
EXPECTED = {
    "glorot_uniform": (np.sqrt(2 / 700), np.sqrt(6 / 700), np.sqrt(2 / 700)),
    "glorot_normal": (np.sqrt(2 / 700), None, 0),
    "he_uniform": (np.sqrt(2 / 400), np.sqrt(6 / 400), 0),
    "he_normal": (np.sqrt(2 / 400), None, 0),
    "lecun_uniform": (np.sqrt(1 / 400), np.sqrt(3 / 400), 0),
    "lecun_normal": (np.sqrt(1 / 400), None, 0),
    "torch": (np.sqrt(1 / 1200), np.sqrt(1 / 400), np.sqrt(1 / 1200)),
    "normal": (0.01, None, 0),
    "zeros": (0, 0, 0),
}


def test_all_of_them_are_here():
    assert EXPECTED.keys() == BY_NAME.keys()


@pytest.mark.parametrize("name", BY_NAME)
def test_weights_have_the_distribution_of_their_name(name):
    deviation, largest, of_biases = EXPECTED[name]
    weights, biases = BY_NAME[name]().draw(np.random.RandomState(0), N_IN, N_OUT)
    assert weights.shape == (N_IN, N_OUT)
    assert biases.shape == (N_OUT,)
    assert abs(weights.mean()) <= 5 * deviation / np.sqrt(weights.size)
    assert_allclose(weights.std(), deviation, rtol=0.02)
    assert_allclose(biases.std(), of_biases, rtol=0.15)
    if largest is None:
        assert np.abs(weights).max() > 4 * deviation
    else:
        assert 0.99 * largest <= np.abs(weights).max() <= largest


def test_pytorch_begins_likewise():
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    linear = torch.nn.Linear(N_IN, N_OUT)
    deviation, largest, of_biases = EXPECTED["torch"]
    assert_allclose(linear.weight.std().item(), deviation, rtol=0.02)
    assert_allclose(linear.weight.abs().max().item(), largest, rtol=0.01)
    assert_allclose(linear.bias.std().item(), of_biases, rtol=0.15)


def test_normal_draws_biases_if_it_is_told_to():
    weights, biases = Normal(1.0, biases=True).draw(np.random.RandomState(0), N_IN, N_OUT)
    assert_allclose([weights.std(), biases.std()], 1, rtol=0.15)


def test_each_layer_may_begin_in_its_own_way():
    layers = [Dense(5), Dense(4, initializer=Normal(0.1)), Dense(3, initializer="zeros")]
    network = Network(layers, 6, initializer="he_uniform", random_state=0)
    expected = Network([Dense(5), Dense(4), Dense(3)], 6, initializer=["he_uniform", Normal(0.1), Zeros()],
                       random_state=0)  # fmt: skip
    assert_array_equal(network.parameters, expected.parameters)
    assert (network.coefs_[2] == 0).all()
    assert np.abs(network.coefs_[0]).max() <= 1
    assert (network.intercepts_[0] == 0).all()


def test_estimators_begin_as_they_are_told(tmp_path):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 6)), np.arange(40) % 3
    common = {"hidden_layer_sizes": (8,), "max_iter": 2, "random_state": 0, "learning_rate_init": 1e-12}
    default, plain = MLPClassifier(**common).fit(X, y), GlorotUniform()
    assert_allclose(
        MLPClassifier(weight_init=plain, **common).fit(X, y).coefs_[0], default.coefs_[0], atol=1e-9
    )
    model = MLPClassifier(weight_init=[HeNormal(), "zeros"], **common).fit(X, y)
    assert_allclose(model.coefs_[1], 0, atol=1e-9)
    model.save(tmp_path / "model.safetensors")
    assert fastmlp.load(tmp_path / "model.safetensors").weight_init == [HeNormal(), "zeros"]


def test_what_is_no_initializer_is_refused():
    with pytest.raises(ValueError, match="initializer='kaiming'"):
        Network([Dense(2)], 2, initializer="kaiming")
    with pytest.raises(ValueError, match="one for each of 2 layers"):
        Network([Dense(2), Dense(2)], 2, initializer=["zeros"])
    with pytest.raises(ValueError, match="initializer='xavier'"):
        Network([Dense(2, initializer="xavier")], 2)
    with pytest.raises(ValueError, match="scale=-1"):
        Normal(-1)
    X, y = np.eye(4), [0, 1, 0, 1]
    with pytest.raises(ValueError, match="weight_init"):
        MLPClassifier(weight_init="kaiming").fit(X, y)
    with pytest.raises(ValueError, match=r"weight_init|initializer"):
        MLPClassifier(weight_init=["zeros"]).fit(X, y)
