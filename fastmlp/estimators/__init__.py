"""The scikit-learn face: MLPClassifier, MLPRegressor, fit, fit_many and load."""

from fastmlp.estimators.loading import MLPClassifier, MLPRegressor, load

__all__ = ["MLPClassifier", "MLPRegressor", "load"]
