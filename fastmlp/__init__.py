"""fastmlp: the fast multilayer perceptron for CPUs.

``fastmlp.fit(X, y)`` trains a model in one line; `MLPClassifier` and `MLPRegressor` are its scikit-learn
face, `Network` and `Trainer` spell out layers and training.
"""

from importlib.util import find_spec as _find_spec

if _find_spec("fastmlp.engine.core") is None:
    raise ImportError(
        "fastmlp's compiled engine is missing here, because Python imported the source checkout itself: "
        "run `pip install -e .` in it, or start Python in another folder to use an installed fastmlp."
    )

from fastmlp import augmentations, callbacks, datasets, layers, losses, optimizers, plots, schedules
from fastmlp.environment import __version__, show_config
from fastmlp.estimators.loading import MLPClassifier, MLPRegressor, load
from fastmlp.estimators.many import fit_many
from fastmlp.estimators.recipe import fit
from fastmlp.formats.safetensors_file import FormatError
from fastmlp.formats.sklearn import from_sklearn
from fastmlp.network.network import Network
from fastmlp.training.divergence import DivergenceWarning
from fastmlp.training.gradient_check import gradient_check
from fastmlp.training.history import History
from fastmlp.training.trainer import Trainer

__all__ = [
    "DivergenceWarning",
    "FormatError",
    "History",
    "MLPClassifier",
    "MLPRegressor",
    "Network",
    "Trainer",
    "__version__",
    "augmentations",
    "callbacks",
    "datasets",
    "fit",
    "fit_many",
    "from_sklearn",
    "gradient_check",
    "layers",
    "load",
    "losses",
    "optimizers",
    "plots",
    "schedules",
    "show_config",
]
