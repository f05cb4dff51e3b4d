"""Hashes of weights and predictions that never change: a rebuilt fastmlp gives the bits of the one before.

They hold on every instruction set with hardware FMA and for any number of threads. Never record them again to
make a failing test pass: a change of a result is a decision of its own, with a line in the CHANGELOG.
"""

import hashlib
import warnings

import numpy as np
import pytest

import fastmlp
from fastmlp import MLPClassifier, MLPRegressor, losses, optimizers
from fastmlp.engine import core

pytestmark = pytest.mark.skipif(
    core.instruction_set() == "portable", reason="without hardware FMA results agree to rounding only"
)

RANDOM = np.random.RandomState(0)
X = RANDOM.randint(-16, 17, (150, 12)) / 8  # exact in float32
CLASSES = (X[:, 0] + X[:, 1] > 0).astype(int) + (X[:, 2] > 1)
BINARY = np.array(["no", "yes"])[(X[:, 0] * X[:, 1] > 0).astype(int)]
LABELS = (X[:, :3] > 0.5).astype(int)
TARGETS = X[:, :2] @ [[3.0, 1.0], [-2.0, 0.5]] + 7
WEIGHTS = RANDOM.randint(0, 4, 150).astype(float)
IMAGES = RANDOM.randint(0, 256, (120, 36)).astype(np.uint8)
DIGITS = (IMAGES[:, 14].astype(int) // 64) % 3
COMMON = {"random_state": 3, "max_iter": 6, "tol": 0.0, "n_iter_no_change": 1000, "engine": "tile"}


def plain_sgd(dtype):
    model = MLPClassifier(
        (20, 7), solver="sgd", learning_rate_init=0.05, batch_size=32, dtype=dtype, **COMMON
    )
    return model.fit(X, CLASSES)


def adam_with_weights(dtype):
    model = MLPClassifier(
        (33,), activation="tanh", batch_size=50, dtype=dtype, class_weight="balanced", **COMMON
    )
    return model.fit(X, BINARY, WEIGHTS)


def regularised(dtype):
    model = MLPClassifier(
        (24, 18), activation=["prelu", "gelu"], dropout=0.3, batch_norm=[True, False],
        layer_norm=[False, True], input_noise=0.1, input_dropout=0.1, solver="adamw", ema_decay=0.9,
        clip_norm=1.0, l1=1e-4, l2=1e-3, learning_rate="cosine", label_smoothing=0.1, batch_size=16,
        dtype=dtype, **COMMON,
    )  # fmt: skip
    return model.fit(X, CLASSES)


def label_indicators(dtype):
    model = MLPClassifier((16,), solver="rmsprop", activation="silu", batch_size=64, dtype=dtype, **COMMON)
    return model.fit(X, LABELS)


def early_stopping(dtype):
    settings = COMMON | {"n_iter_no_change": 3, "max_iter": 30, "early_stopping": True}
    model = MLPClassifier((12,), learning_rate_init=0.05, batch_size=16, dtype=dtype, **settings)
    return model.fit(X, CLASSES)


def prepared_targets(dtype):
    model = MLPRegressor(
        hidden_layer_sizes=(20, 10), prepare="table", learning_rate="one_cycle", learning_rate_init=0.02,
        batch_size=25, dtype=dtype, **COMMON,
    )  # fmt: skip
    return model.fit(X, TARGETS, X_val=X[:40], y_val=TARGETS[:40])


def quantiles(dtype):
    solver = optimizers.SGD(0.02, momentum=0.8, nesterov=False)
    settings = {"solver": solver, "activation": "mish", "learning_rate": "exponential", "batch_size": 30}
    model = MLPRegressor(
        hidden_layer_sizes=9, loss=losses.Quantile((0.1, 0.9)), dtype=dtype, **settings, **COMMON
    )
    return model.fit(X, TARGETS)


def images(dtype):
    model = MLPClassifier(
        (15,), augmentation=["shift", "flip"], prepare="image", solver="sgd", momentum=0.5, batch_size=8,
        dtype=dtype, **COMMON,
    )  # fmt: skip
    return model.fit(IMAGES, DIGITS)


def warm_start(dtype):
    model = MLPRegressor(hidden_layer_sizes=(11,), warm_start=True, batch_size=40, dtype=dtype, **COMMON)
    return model.fit(X, TARGETS[:, 0]).set_params(alpha=0.1, max_iter=4).fit(X, TARGETS[:, 0])


def partial_fits(dtype):
    model = MLPClassifier((14,), solver="adagrad", batch_size=20, dtype=dtype, **COMMON)
    for start in (0, 50, 100):
        model.partial_fit(X[start : start + 50], CLASSES[start : start + 50], classes=[0, 1, 2])
    return model


CONFIGURATIONS = {
    function.__name__: function
    for function in (
        plain_sgd, adam_with_weights, regularised, label_indicators, early_stopping, prepared_targets,
        quantiles, images, warm_start, partial_fits,
    )
}  # fmt: skip

# Of the weights, of the predictions, and of the weights once a loaded copy has trained on.
GOLDEN = {
    "plain_sgd float32": ("3727961834223774", "b7d6fb2d2345e7e9", "ac6871c6a87131e4"),
    "plain_sgd float64": ("f641902b2f70839d", "a94940b4a32d96d4", "735b7dc2076049c4"),
    "adam_with_weights float32": ("788d15ab0ce2bc6e", "f5a8e2a4e66ac05e", "135b62868a774fe0"),
    "adam_with_weights float64": ("c8f85ea4f690a543", "581b205af131e18a", "dd9b1a580a6cf58e"),
    "regularised float32": ("3ef2d6a8cec3b183", "e361e5e7c01794c6", "3be83ec0ad9f856a"),
    "regularised float64": ("af15c3cd6b3788f8", "a8291ac24cf14fcf", "f616503159542402"),
    "label_indicators float32": ("cbc610e559114355", "63235dabc76c3f03", "6de718ee5e177868"),
    "label_indicators float64": ("38bfefe7cb9d22bf", "4b04b7403b7c3045", "822f1e272a14cd76"),
    "early_stopping float32": ("3b3a6582b8988feb", "44970069f417346c", "f18617cf4a5654d7"),
    "early_stopping float64": ("6fd81e38afb02be8", "180ad9012a5b4a34", "426ead95a7c570e4"),
    "prepared_targets float32": ("c49442ab686f5d01", "e85e9adc0e06de3d", "8dfa1c464da61e6b"),
    "prepared_targets float64": ("fedd243b37c57cde", "faf3c6df230c67f4", "0919194fe6b9ba2e"),
    "quantiles float32": ("028f6019007b1597", "22325c5ca8ba7990", "caf99cdafd094d4e"),
    "quantiles float64": ("c7a7b2c57c7dda1f", "3a5cd92907b44ee7", "bbd6ee03b42f45ee"),
    "images float32": ("10123fd65a7f407d", "63eca6bd34c82795", "7733e6729a88c3f5"),
    "images float64": ("7c6bc4899dd2a443", "41effecfa0269fc7", "ebc08b50719d35bd"),
    "warm_start float32": ("920b81774598bf96", "8e95f8d20bf69f8d", "482d25c56d9ff28c"),
    "warm_start float64": ("508b0e8eb0b06a1a", "e373cc9e0b2cdcf7", "defd82a5274371c8"),
    "partial_fits float32": ("09bfbdd43dbe5e65", "fc0a40ac0fa433fe", "acb32d2012a00b4b"),
    "partial_fits float64": ("8dddc035eb804835", "551205c3d3618589", "c16060626ae29692"),
}


def digest(*arrays):
    return hashlib.sha256(b"".join(np.ascontiguousarray(one).tobytes() for one in arrays)).hexdigest()[:16]


def outputs(model):
    data = IMAGES if model.n_features_in_ == IMAGES.shape[1] else X
    if hasattr(model, "predict_proba"):
        return model.predict_proba(data)
    return model.predict(data)


def measured(name, dtype, folder):
    """Return the hashes of weights and predictions, and of the weights once a loaded copy has trained on."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = CONFIGURATIONS[name](dtype)
        model.save(folder / "model.safetensors")
        loaded = fastmlp.load(folder / "model.safetensors")
        assert digest(outputs(loaded)) == digest(outputs(model))
        parts = [part for parts in model.network_.parts() for part in parts.values()]
        found = [digest(*parts), digest(outputs(model))]
        loaded.set_params(warm_start=True, early_stopping=False, max_iter=2)
        loaded.fit(*{"images": (IMAGES, DIGITS)}.get(name, (X, _targets_of(name))))
        parts = [part for parts in loaded.network_.parts() for part in parts.values()]
    return (*found, digest(*parts))


def _targets_of(name):
    return {
        "adam_with_weights": BINARY, "label_indicators": LABELS, "prepared_targets": TARGETS,
        "quantiles": TARGETS, "warm_start": TARGETS[:, 0],
    }.get(name, CLASSES)  # fmt: skip


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_bits_are_those_recorded(name, dtype, tmp_path):
    assert measured(name, dtype, tmp_path) == GOLDEN[f"{name} {dtype}"]
