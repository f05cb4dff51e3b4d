"""A user's script with every public name, which check_types.py checks; it is never run itself.

`assert_type` says what a reader expects a result to be. A checker that takes it for something else, or for
`Any`, reports an error.
"""

import warnings
from pathlib import Path
from typing import Any, assert_type

import numpy as np
from numpy.typing import NDArray

import fastmlp
from fastmlp import (
    FittedModels,
    GradientCheck,
    History,
    MLPClassifier,
    MLPRegressor,
    Network,
    Preparation,
    Trainer,
    activations,
    augmentations,
    callbacks,
    initializers,
    losses,
    optimizers,
    schedules,
    studies,
)
from fastmlp.layers import Dense

warnings.simplefilter("error", fastmlp.DivergenceWarning)
assert_type(fastmlp.__version__, str)
fastmlp.show_config()

data = fastmlp.datasets.load_digits()
X, y = data.X_train, data.y_train
assert_type(data.X_test, NDArray[Any])

# One line, and what it gives.
model = fastmlp.fit(X, y, task="classification", max_iter=5)
assert_type(model, MLPClassifier)
assert_type(model.predict(data.X_test), NDArray[Any])
assert_type(model.predict_proba(data.X_test), NDArray[np.floating[Any]])
assert_type(model.score(data.X_test, data.y_test), float)
assert_type(model.loss_curve_, list[float])
assert_type(model.history_, History)
assert_type(model.network_, Network)
assert_type(model.evaluate(data.X_test, data.y_test), tuple[float, float])

# Files: only the file, and only the data, say which of the two a model is.
model.save(Path("digits.safetensors"))
try:
    loaded = fastmlp.load("digits.safetensors")
except fastmlp.FormatError as error:
    print(error)
else:
    assert_type(loaded, Any)
    loaded.predict_proba(data.X_test)
assert_type(fastmlp.from_sklearn(model.to_sklearn()), Any)

# scikit-learn's face, with an object for each part.
regressor = MLPRegressor(
    loss=losses.Quantile([0.1, 0.9]),
    activation=["relu", activations.NAMES[2]],
    solver=optimizers.SGD(0.1, momentum=0.9),
    learning_rate=schedules.OneCycle(),
    weight_init=initializers.HeNormal(),
    augmentation=[augmentations.Shift(1), "flip"],
    callbacks=[callbacks.StopAtScore(0.9), lambda end: end.loss < 0.1],
)
assert_type(regressor.fit(X, y), MLPRegressor)
assert_type(regressor.partial_fit(X, y).predict_interval(X), NDArray[np.floating[Any]])

# Many models.
models = fastmlp.fit_many([{"alpha": 0.1}, {"alpha": 1.0}], X, y, estimator=MLPClassifier(), n_jobs=2)
assert_type(models, FittedModels[MLPClassifier])
assert_type(models[0], MLPClassifier)
assert_type(models.best, MLPClassifier)
assert_type(models.scores, NDArray[Any])
assert_type([one.n_iter_ for one in models], list[int])

# Layers and training, spelled out.
preparation = Preparation.fit(X, "image")
layers = [Dense(32, "tanh", dropout=0.1), fastmlp.layers.Dense(10, "softmax")]
network = Network(layers, n_features=64, preparation=preparation, random_state=0)
trainer = Trainer(network, "cross_entropy", optimizer=optimizers.Adam(), schedule="cosine", batch_size=64)
history = trainer.fit(X, y, data.X_test, data.y_test, epochs=3)
assert_type(history, History)
assert_type(history.loss, list[float])
assert_type(history.kept_epoch, int | None)
assert_type(trainer.network, Network)
assert_type(trainer.evaluate(X, y), tuple[float, float])
assert_type(network.predict(X), NDArray[Any])
assert_type(network.coefs_, list[NDArray[Any]])
assert_type(network.summary(), str)
check = fastmlp.gradient_check(network, X[:8], y[:8], "cross_entropy")
assert_type(check, GradientCheck)

# Pictures and studies.
fastmlp.plots.curves({"digits": model, "by hand": history}).savefig("curves.png")
study = studies.load_study("study.toml")
assert_type(study, studies.Study)
results = studies.run_study(study, "out")
assert_type(results, studies.Results)
assert_type(studies.judge(study.claims[0].checks, results), studies.Verdict)
