"""The scikit-learn face: MLPClassifier, MLPRegressor, fit, fit_many and load."""

from fastmlp.estimators.classifier import MLPClassifier
from fastmlp.estimators.loading import load
from fastmlp.estimators.regressor import MLPRegressor

__all__ = ["MLPClassifier", "MLPRegressor", "load"]
