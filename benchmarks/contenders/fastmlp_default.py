"""fastmlp as it comes, with the engine that it chooses itself."""

from benchmarks.cases import LEARNING_RATE, MOMENTUM
from fastmlp import Network, Trainer
from fastmlp.layers import Dense
from fastmlp.optimizers import SGD, Adam

LIBRARY = "fastmlp"


def prepare(case, threads, engine="auto"):
    """Return a function that trains for one epoch; the threads come from the environment."""
    X, y = case.data()
    n_features, *hidden, n_classes = case.sizes
    network = Network(
        [*(Dense(units, "relu") for units in hidden), Dense(n_classes, "softmax")],
        n_features,
        dtype="float32",
        engine=engine,
        random_state=0,
    )
    sgd, adam = SGD(LEARNING_RATE, MOMENTUM, nesterov=False), Adam(LEARNING_RATE)
    trainer = Trainer(
        network,
        "cross_entropy",
        optimizer={"sgd": sgd, "adam": adam}[case.solver],
        batch_size=case.batch_size,
        random_state=0,
        progress=False,
    )

    def epoch():
        trainer.fit(X, y, epochs=1)

    return epoch
