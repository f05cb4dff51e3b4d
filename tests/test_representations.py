"""Every public object has a repr of one short line, which tells what it is and dumps no data."""

import inspect
import re

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import fastmlp
from fastmlp import callbacks, studies
from fastmlp.layers import Dense
from fastmlp.losses import Quantile
from fastmlp.network.preparation import Preparation
from fastmlp.schedules import Clock
from helpers.estimators import quietly
from helpers.studies import HALVING, RANDOM, reader

MODULES = [
    fastmlp,
    studies,
    *(one for one in map(vars(fastmlp).get, fastmlp.__all__) if inspect.ismodule(one)),
]
CLASSES = {
    cls
    for module in MODULES
    for name, cls in vars(module).items()
    if inspect.isclass(cls) and cls.__module__.startswith("fastmlp") and not name.startswith("_")
    if not issubclass(cls, Exception) and "._support." not in cls.__module__
}
DATA = fastmlp.datasets.load_digits()


@pytest.fixture(scope="module")
def objects(tmp_path_factory):
    """Return instances of every class that cannot be made without arguments, and of what functions return."""
    fitted = quietly(fastmlp.fit, *DATA, hidden_layer_sizes=(32, 16), max_iter=3, prepare="table")
    network = fitted.network_
    check = fastmlp.gradient_check(network, DATA.X_test[:10], DATA.y_test[:10], n_per_layer=200)
    trainer = fastmlp.Trainer(network, "cross_entropy")
    for_blas = fastmlp.Network([Dense(3)], 4, engine="blas", n_threads=1)
    many = fastmlp.History([0.5] * 1000, [0.25] * 1000, [0.75] * 1000, best_epoch=7, converged=True)
    ends = []
    log = callbacks.EveryNSteps(100, ends.append)
    quietly(fastmlp.fit, *DATA, max_iter=1, batch_size=10, callbacks=[ends.append, log])
    study = reader(tmp_path_factory.mktemp("study"))(RANDOM + HALVING)
    record = studies.Record(
        "key", "random", "x=1", 0, {"x": list(range(100))}, "0" * 64, {"test": 0.5}, {"test": 0.5}, None,
        {"loss": [0.5] * 1000}, 1000, 1000, None, 1.0, "", "", {},
    )  # fmt: skip
    return [
        fastmlp.MLPClassifier(),  # with parameters it is scikit-learn's, of some lines
        fastmlp.MLPRegressor(),
        fitted.compile(),
        network,
        network.compile(),
        for_blas.compile(),
        Dense(3),
        trainer,
        trainer.watch,
        fitted._session.trainer,
        fitted._session,
        fitted.model_,
        fitted.model_.record,
        fastmlp.History(),
        many,
        check,
        check.rows[0],
        fitted.preparation_,
        Preparation(np.zeros(5000), np.ones(5000)),
        DATA,
        Quantile(tuple(np.linspace(0.1, 0.9, 5).tolist())),
        Clock(1, 2, 3, 4),
        callbacks.EveryNSteps(3, lambda end: None),
        log,
        callbacks.StopAtScore(0.9),
        callbacks.CSVLog("log.csv"),
        *ends[:1],
        *ends[-1:],
        study,
        studies.Results(study, tmp_path_factory.mktemp("results"), [record] * 100),
        record,
        studies.Verdict("holds", ("a finding " * 20,) * 5),
    ]


def test_every_public_class_has_a_short_repr(objects):
    made = {type(one) for one in objects}
    objects = [*objects, *(cls() for cls in CLASSES - made)]
    for one in objects:
        text = repr(one)
        assert "\n" not in text, text
        assert len(text) < 300, text
        assert "0x" not in text, text
        assert "object at" not in text, text


@pytest.mark.parametrize("is_fitted", [True, False])
@pytest.mark.parametrize("cls", [fastmlp.MLPClassifier, fastmlp.MLPRegressor])
def test_the_page_of_an_estimator_links_to_no_page_that_is_not_there(cls, is_fitted):
    model = cls(hidden_layer_sizes=8, max_iter=1)
    if is_fitted:
        quietly(model.fit, DATA.X_test, DATA.y_test)
    page = make_pipeline(StandardScaler(), model)._repr_html_()
    links = re.findall(r'href="([^"]*)"', page)
    assert any("StandardScaler" in link for link in links)  # scikit-learn's own have links
    assert not any("MLP" in link or "fastmlp" in link for link in links)
    assert "href" not in re.sub(
        r"<style>.*?</style>|<script>.*?</script>", "", model._repr_html_(), flags=re.DOTALL
    )
