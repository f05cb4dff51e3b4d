"""The examples in the docstrings run and say what they print."""

import doctest
import importlib
import pkgutil

import pytest

import fastmlp

# The face of the command line needs an extra, and has no examples.
MODULES = [
    module.name
    for module in pkgutil.walk_packages(fastmlp.__path__, "fastmlp.")
    if module.name not in ("fastmlp.__main__", "fastmlp.cli.commands", "fastmlp.tabular.reading")
]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    failed, _ = doctest.testmod(importlib.import_module(name), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert failed == 0


def test_every_public_face_has_an_example():
    estimators = fastmlp.MLPClassifier, fastmlp.MLPRegressor
    for face in (fastmlp.fit, fastmlp.fit_many, *estimators, fastmlp.Network, fastmlp.Trainer):
        assert ">>>" in face.__doc__, face


def test_every_public_name_is_there():
    for name in fastmlp.__all__:
        assert hasattr(fastmlp, name)
