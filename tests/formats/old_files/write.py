"""Writes the files of this folder; run by an old version of fastmlp: ``python write.py FOLDER``.

For each model there are its file, NAME.safetensors, and what the old version made of that file, NAME.npz:
predictions, fitted attributes, and the weights after a further epoch of `partial_fit`. Some have a pickle.
"""

import pickle
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

import fastmlp
from fastmlp import MLPClassifier, MLPRegressor
from fastmlp.losses import Quantile
from fastmlp.optimizers import AdamW
from fastmlp.schedules import OneCycle

RNG = np.random.RandomState(0)
X = RNG.randint(-16, 17, (40, 4)) / 8
CODES = np.arange(40) % 3
LABELS = np.array(["x", "yy", "zzz"])[CODES]
INDICATORS = np.eye(3, dtype=int)[CODES]
PIXELS = RNG.randint(0, 256, (40, 9)).astype(np.uint8)
COMMON = {"hidden_layer_sizes": (5, 4), "max_iter": 3, "random_state": 0, "engine": "tile", "batch_size": 10}
TAKES_SPARSE_LABELS = hasattr(MLPClassifier, "_sparse_labels")  # since 0.2
#: The class and the parameters of each model, X and y.
MODELS = {
    "columns": (
        MLPClassifier, {"prepare": "table", "learning_rate": OneCycle(), "solver": AdamW(0.01)}, X, LABELS,
    ),
    "indicators": (
        MLPClassifier, {"label_smoothing": 0.1}, X,
        csr_matrix(INDICATORS) if TAKES_SPARSE_LABELS else INDICATORS,
    ),
    "regressor": (MLPRegressor, {"prepare": "table"}, X, X[:, :2] * 50 + 300),
    "quantiles": (MLPRegressor, {"loss": Quantile((0.1, 0.5, 0.9)), "prepare": "table"}, X, X[:, 0]),
    "norms": (
        MLPClassifier,
        {
            "activation": ["prelu", "gelu"], "batch_norm": [True, False], "layer_norm": [False, True],
            "dropout": 0.2,
        },
        X.astype(np.float32), CODES,
    ),
    "stopped": (
        MLPClassifier, {"early_stopping": True, "scoring": "f1_macro", "max_iter": 8}, X, CODES == 1,
    ),
    "images": (
        MLPClassifier, {"prepare": "image", "solver": "sgd", "class_weight": {0: 2.0}}, PIXELS, CODES,
    ),
}  # fmt: skip
PICKLED = ("columns", "regressor")


def as_given(name, inputs):
    """Return X as the model takes it."""
    return pd.DataFrame(inputs, columns=list("abcd")) if name == "columns" else inputs


def dense(predictions):
    return predictions.toarray() if hasattr(predictions, "toarray") else predictions


def write(folder, name):
    cls, parameters, inputs, y = MODELS[name]
    inputs = as_given(name, inputs)
    model = cls(**{**COMMON, **parameters}).fit(inputs, y)
    path = folder / f"{name}.safetensors"
    model.save(path)
    if name in PICKLED:
        (folder / f"{name}.pickle").write_bytes(pickle.dumps(model, protocol=4))
    model = fastmlp.load(path)
    known = {"X": np.asarray(inputs), "y": np.asarray(dense(y)), "predictions": dense(model.predict(inputs))}
    if cls is MLPClassifier:
        known |= {"probabilities": model.predict_proba(inputs), "classes_": model.classes_}
    for attribute in ("n_iter_", "t_", "loss_", "loss_curve_", "validation_scores_"):
        if getattr(model, attribute) is not None:
            known[attribute] = getattr(model, attribute)
    validation = (inputs, y) if name == "stopped" else (None, None)
    model.partial_fit(inputs, y, X_val=validation[0], y_val=validation[1])
    known["weights_after"] = np.concatenate([part.ravel() for part in (*model.coefs_, *model.intercepts_)])
    np.savez_compressed(folder / f"{name}.npz", **known)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    Path(sys.argv[1]).mkdir(exist_ok=True)
    for one in MODELS:
        write(Path(sys.argv[1]), one)
