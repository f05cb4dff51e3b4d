"""What is measured of runs, and how its values are written."""

from __future__ import annotations

#: Of a finished run: what tables show and checks compare, and what it is.
MEASURES = {
    "train": "score of the training data",
    "validation": "score of the validation data",
    "test": "score of the test data",
    "test spread": "standard deviation of the test score over batches of 256",
    "train loss": "loss of the training data, without penalties",
    "validation loss": "loss of the validation data",
    "test loss": "loss of the test data",
    "epochs": "epochs trained",
    "best epoch": "epoch with the best validation score",
    "seconds": "seconds that the training took",
}
#: Of every epoch, and where a record has it. The running loss has the penalties in it, and is that of the
#: batches before their updates.
CURVES = {
    "train": "score",
    "validation": "val_score",
    "running loss": "loss",
    "validation loss": "val_loss",
}
#: Of the study's gradient check, by word: the order of its error in epsilon.
GRADIENT_ORDER = "gradient order"

#: Of these, those that are accuracies, or R^2 of a regressor.
SCORES = ("train", "validation", "test", "test spread")


def shown(measure: str, value: float, is_accuracy: bool, signed: bool = False) -> str:
    """Return a value as people read it: accuracies in percent.

    Examples
    --------
    >>> shown("test", 0.88641, True), shown("test", 0.88641, False), shown("epochs", 20.0, True)
    ('88.64 %', '0.8864', '20')
    """
    sign = "+" if signed else ""
    if measure in SCORES and is_accuracy:
        return f"{100 * value:{sign}.2f} %"
    if measure in ("epochs", "best epoch"):
        return f"{value:{sign}.3g}" if abs(value) < 100 else f"{value:{sign}.0f}"
    if measure == "seconds":
        return f"{value:{sign}.{1 if value >= 10 else 2}f}"
    is_seen = value == 0 or abs(value) >= 5e-5
    return f"{value:{sign}.4f}" if is_seen and abs(value) < 100 else f"{value:{sign}.4g}"
