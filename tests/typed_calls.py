"""Right and wrong calls for a type checker, which check_types.py runs on them; they are never run themselves.

An ``ignore`` at a wrong call is an error, too, where the checker finds nothing to ignore.
"""

import numpy as np
import pandas as pd
import scipy.sparse
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import fastmlp
from fastmlp import MLPClassifier, MLPRegressor, Network, Trainer
from fastmlp.augmentations import Shift
from fastmlp.callbacks import CSVLog, EpochEnd, EveryNSteps, StopAtScore
from fastmlp.initializers import HeNormal
from fastmlp.layers import Dense
from fastmlp.losses import Quantile
from fastmlp.optimizers import SGD
from fastmlp.schedules import OneCycle

X = np.zeros((30, 4))
y = np.arange(30) % 3
frame = pd.DataFrame(X)


def log(end: EpochEnd) -> None:
    """Print what an epoch ends with."""
    print(end.loss, end.network.coefs_[0].shape)


# ------------------------------------------------------------------------------------------------------ right

classifier = MLPClassifier(
    np.array([4, 5]),
    ["relu", "tanh"],
    loss="cross_entropy",
    solver=SGD(0.1),
    alpha=0,
    batch_size=np.int64(32),
    learning_rate=OneCycle(),
    learning_rate_init=np.float32(0.1),
    max_iter=5,
    random_state=np.random.RandomState(0),
    verbose=1,
    scoring="f1_macro",
    max_seconds=None,
    weight_decay=1e-4,
    augmentation=[Shift(1), "flip"],
    image_shape=(2, 2),
    dropout=(0.1, 0.2),
    batch_norm=[True, False],
    weight_init=[HeNormal(), "zeros", "torch"],
    class_weight={0: 1, 1: 2.5, 2: 1},
    callbacks=[log, print, EveryNSteps(3, lambda end: None), CSVLog("x"), StopAtScore(0.9), lambda end: True],
)
classifier.fit(X, y, X_val=X, y_val=y).predict(frame).mean()
classifier.fit(scipy.sparse.csr_matrix(X), y.tolist()).predict_proba(X)[:, 1].sum()
classifier.partial_fit(X, y, classes=[0, 1, 2]).predict_log_proba(X).sum()
print(classifier.score(X, y) + 1, classifier.classes_.tolist(), classifier.coefs_[0].shape)
print(classifier.loss_curve_[-1], classifier.loss_ + 1, classifier.n_iter_ + 1, classifier.n_features_in_ + 1)
print(classifier.feature_names_in_.tolist(), classifier.network_.parameters.size, classifier.stopped_early_)
classifier.set_fit_request(sample_weight=True)
classifier.set_params(alpha=1).fit(X, y)
classifier.save("model.safetensors")
classifier.compile()(X[0])
classifier.hidden_activations(X, 0).mean()
fastmlp.load("model.safetensors").predict_proba(X)
low, high = MLPRegressor(Quantile([0.1, 0.9]), 16, "gelu", callbacks=()).fit(frame, y).predict_interval(X).T
fastmlp.fit(X, y).predict_proba(X)
fastmlp.fit(frame, y, frame, y, task="regression", batch_size=3).predict_interval(X)
fastmlp.fit(X, y, task="classification").predict_proba(X)
for model in fastmlp.fit_many([{"alpha": 1}, classifier], X, y, n_jobs=2):
    model.predict_proba(X)
GridSearchCV(classifier, {"alpha": [1, 2]}, cv=3).fit(X, y).best_estimator_.predict(X)
make_pipeline(StandardScaler(), classifier).fit(X, y).predict(X)
cross_val_score(MLPRegressor(), X, y, cv=3).mean()
network = Network(
    [Dense(4, "tanh"), Dense(3, "softmax")], 4, initializer=["he_normal", "zeros"], random_state=0
)
history = Trainer(network, "cross_entropy", optimizer=SGD(0.1), callbacks=[log]).fit(X, y, X, y, epochs=2)
print(history.val_score[-1], history.to_frame().mean(), network.predict(X).argmax(axis=1))
fastmlp.plots.curves(classifier).savefig("curves.png")

# ------------------------------------------------------------------------------------------------------ wrong

MLPClassifier(batch_size="many")  # pyright: ignore[reportArgumentType]
MLPClassifier(solver=3)  # pyright: ignore[reportArgumentType]
MLPClassifier(hidden_layers=(3,))  # pyright: ignore[reportCallIssue]
MLPClassifier((3,), "tanh", "adam")  # pyright: ignore[reportCallIssue]
MLPRegressor((16,))  # pyright: ignore[reportArgumentType]
MLPRegressor().fit(X, y).predict_proba(X)  # pyright: ignore[reportAttributeAccessIssue]
fastmlp.fit(X, y, task="regression").predict_proba(X)  # pyright: ignore[reportAttributeAccessIssue]
fastmlp.fit(X, y, task="classification").predict_interval(X)  # pyright: ignore[reportAttributeAccessIssue]
