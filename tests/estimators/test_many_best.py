"""The list that fit_many returns: the best of its models, and the table of all of them."""

import copy
import pickle
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score, make_scorer
from sklearn.model_selection import GridSearchCV, ParameterGrid

import fastmlp
from fastmlp import MLPClassifier, MLPRegressor, fit_many
from fastmlp.estimators.fitted_models import FittedModels, described
from fastmlp.losses import Quantile
from helpers.bad_input import says
from helpers.estimators import data, ignore_convergence
from helpers.many import DivergeAfter

pytestmark = [ignore_convergence, pytest.mark.filterwarnings("ignore::fastmlp.DivergenceWarning")]

X, Y = data("binary", n=120)
X_VAL, Y_VAL = data("binary", n=60, seed=5)
NOISE = np.random.default_rng(7).integers(0, 2, 60)  # what is learnt does not hold for these
BASE = MLPClassifier((6,), batch_size=20, max_iter=8, learning_rate_init=0.05, random_state=0)
AT_ONCE = {"solver": "sgd", "learning_rate_init": 1e200}  # diverges in its first epoch
AT_ONCE_LISTS = {name: [value] for name, value in AT_ONCE.items()}
MODEL = MLPClassifier((2,), max_iter=1, random_state=0)


@pytest.fixture(scope="module", autouse=True)
def fitted():
    MODEL.fit(X, Y, X_val=X_VAL, y_val=Y_VAL)


def scored(score):
    """Return a model with a score; an unfitted one, as an error leaves it, for None."""
    if score is None:
        return MLPClassifier()
    model = copy.copy(MODEL)
    model.validation_score_ = score
    return model


# --------------------------------------------------------------------------------------------------- the best


@given(st.lists(st.one_of(st.none(), st.floats(), st.sampled_from([0.5, np.nan, -np.inf]))))
def test_the_best_is_the_first_of_the_highest_scores_whatever_their_order(scores):
    models = FittedModels(map(scored, scores))
    numbers = [score for score in scores if score is not None and not np.isnan(score)]
    if numbers:
        assert models.best is models[scores.index(max(numbers))]
    else:
        with pytest.raises(ValueError, match=r"none is trained|is a number"):
            _ = models.best
    expected = [np.nan if score is None else score for score in scores]
    np.testing.assert_array_equal(models.scores, expected)


def test_a_model_that_diverged_is_below_those_that_did_not():
    """One epoch can score well before the next one is infinite."""
    rates = [{"solver": "sgd", "learning_rate_init": rate} for rate in (1e-6, 1e10)]
    models = fit_many(rates, X, Y, X_VAL, Y_VAL, estimator=BASE)
    assert list(models.to_frame()["diverged"]) == [False, True]
    assert models.scores[1] > models.scores[0]
    assert models.best is models[0]


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_model_that_diverged_is_not_the_best_for_that(order, n_jobs):
    grid = [{}, {"callbacks": [DivergeAfter(1)], "learning_rate_init": 1e-6}, {"learning_rate_init": 1e-5}]
    models = fit_many(grid[::order], X, Y, X_VAL, Y_VAL, estimator=BASE, n_jobs=n_jobs)
    assert models.best is models[::order][0]
    np.testing.assert_array_equal(models.scores, [model.score(X_VAL, Y_VAL) for model in models])
    assert list(models.to_frame()["diverged"][::order]) == [False, True, False]


def test_a_model_that_stopped_early_counts_with_the_score_of_the_epoch_it_went_back_to():
    grid = [{"early_stopping": early, "n_iter_no_change": 2, "max_iter": 30} for early in (False, True)]
    models = fit_many(grid, X, Y, X_VAL, NOISE, estimator=BASE)
    last, early = models
    assert early.validation_score_ > max(early.validation_scores_[-1], last.validation_score_)
    assert models.best.score(X_VAL, NOISE) == max(model.score(X_VAL, NOISE) for model in models)


def test_scoring_decides():
    models = fit_many(
        [{"scoring": "neg_log_loss", "alpha": alpha} for alpha in (0, 100)],
        X,
        Y,
        X_VAL,
        Y_VAL,
        estimator=BASE,
    )
    assert models.best is models[int(np.argmax(models.scores))]
    assert (models.scores < 0).all()
    scorer = make_scorer(f1_score)
    models = fit_many([{"alpha": 0}, {"alpha": 100}], X, Y, X_VAL, Y_VAL,
                      estimator=MLPClassifier(max_iter=2, scoring=scorer, random_state=0))  # fmt: skip
    assert models.best.validation_score_ == models.scores.max()


@pytest.mark.parametrize(
    ("configurations", "y", "options", "said"),
    [
        ([], Y, {}, ["list is empty"]),
        ([AT_ONCE, AT_ONCE], Y, {"on_error": "keep"}, ["none is trained", "first error of 2", "non-finite"]),
        ([{}, {}, AT_ONCE, {}], Y, {"on_error": "keep"}, ["models[0-1, 3]", "X_val and y_val", "early_stop"]),
        ([{"early_stopping": True}, {}], Y, {}, ["models[1]", "X_val and y_val"]),
        ([{"early_stopping": True, "scoring": score} for score in ("f1", None)], Y, {}, ["f1", "accuracy"]),
        ([MLPClassifier(early_stopping=True), MLPRegressor(early_stopping=True)], Y, {}, ["accuracy and r2"]),
        ([{"early_stopping": True, "loss": one} for one in ("squared_error", Quantile())], X[:, 0],
         {"estimator": MLPRegressor(max_iter=2)}, ["r2 and d2_pinball_score"]),
        ([{"early_stopping": True, "scoring": lambda *_: np.nan}], Y, {}, ["None of the 1", "is a number"]),
    ],
    ids=described,
)  # fmt: skip
def test_without_a_best_model_an_error_says_why(configurations, y, options, said):
    models = fit_many(configurations, X, y, **{"estimator": BASE, **options})
    with pytest.raises(ValueError, match=says(*said)):
        _ = models.best
    assert len(models.to_frame()) == len(configurations)


def test_a_grid_search_refits_another_candidate_than_one_that_diverges():
    search = GridSearchCV(BASE, [AT_ONCE_LISTS, {"alpha": [0.0]}], cv=2, error_score=np.nan)
    with pytest.warns(Warning, match="fits failed|non-finite"):
        search.fit(X, Y)
    assert search.best_params_ == {"alpha": 0.0}
    assert search.best_estimator_.score(X_VAL, Y_VAL) > 0.7


# --------------------------------------------------------------------------------------------------- the list


def test_it_is_a_list_to_all_that_take_one():
    grid = [{}, AT_ONCE, {"alpha": 1.0}]
    models = fit_many(grid, X, Y, X_VAL, Y_VAL, estimator=BASE, on_error="keep")
    assert isinstance(models, list)
    assert len(models) == 3
    assert models == list(models)
    assert [model.alpha for model in models] == [0.0001, 0.0001, 1.0]
    assert models[::-1][0] is models[-1] is models[2]
    assert [type(error) for error in models.errors] == [type(None), ValueError, type(None)]
    for twin in (models[:], models.copy(), copy.copy(models), models[:2] + models[2:]):
        assert type(twin) is FittedModels
        assert twin == models
        assert twin.best is models.best
        assert twin.errors == models.errors
    assert list(models[1:].to_frame().index) == [1, 2]
    assert models[1:].errors == models.errors[1:]
    models.sort(key=lambda model: -model.alpha)
    assert [error is None for error in models.errors] == [True, True, False]
    more = fit_many([{"alpha": 0.5}], X, Y, X_VAL, Y_VAL, estimator=BASE)
    assert list((models + more).to_frame()["alpha"])[-1] == 0.5
    models.append(BASE)  # an unfitted one of the user's
    assert models.errors[-1] is None
    assert np.isnan(models.scores[-1])


class Unreadable(Exception):
    """Cannot be read back from a pickle."""

    def __init__(self, one, two):
        super().__init__(one)


def fail(event):
    raise Unreadable("the text", 2)


def test_it_travels_with_its_errors_also_those_that_cannot_themselves():
    grid = [{}, AT_ONCE, {"callbacks": [fail]}]
    models = fit_many(grid, X, Y, X_VAL, Y_VAL, estimator=BASE, on_error="keep")
    assert isinstance(models.errors[2], Unreadable)
    for twin in (pickle.loads(pickle.dumps(models)), copy.deepcopy(models)):
        assert twin.best is twin[0]
        np.testing.assert_array_equal(twin.scores, models.scores)
        assert str(twin.errors[1]) == str(models.errors[1])
        assert "Unreadable: the text" in str(twin.errors[2])
        assert twin.to_frame().drop(columns="error").equals(models.to_frame().drop(columns="error"))


# -------------------------------------------------------------------------------------------------- the table


def test_the_table_has_a_row_for_each_configuration_with_its_parameters():
    grid = ParameterGrid(
        [
            {"hidden_layer_sizes": [(4,), (5,)], "learning_rate": ["constant"]},
            {"alpha": [0.5], "loss": [None]},
        ]
    )
    models = fit_many([*grid, AT_ONCE], X, Y, X_VAL, Y_VAL, estimator=BASE, on_error="keep")
    frame = models.to_frame()
    assert list(frame["hidden_layer_sizes"]) == [(4,), (5,), (6,), (6,)]  # of the others, what they have
    assert list(frame["alpha"]) == [0.0001, 0.0001, 0.5, 0.0001]
    assert frame["alpha"].dtype == frame["validation_score"].dtype == np.float64
    assert list(frame["epochs"]) == [8, 8, 8, 0]
    assert list(frame["seconds"] > 0) == [True, True, True, False]
    assert list(frame["diverged"]) == [False] * 4
    assert list(frame["error"].isna()) == [True, True, True, False]
    assert frame["error"][3].startswith("ValueError: Solver produced non-finite")
    for i, model in enumerate(models[:3]):
        assert frame["validation_score"][i] == model.score(X_VAL, Y_VAL)
        assert frame["validation_loss"][i] == model.validation_loss_curve_[-1]
        assert frame["training_loss"][i] == model.loss_curve_[-1]
    picture = fastmlp.plots.heat_map(frame, "hidden_layer_sizes", "learning_rate", "validation_score")
    assert [label.get_text() for label in picture.axes[0].get_yticklabels()] == ["4", "5", "6"]


def test_the_losses_of_the_table_are_those_of_the_weights_that_the_model_has(tmp_path):
    (model,) = models = fit_many(
        [{"early_stopping": True, "n_iter_no_change": 2, "max_iter": 40}], X, Y, X_VAL, NOISE, estimator=BASE,
        resume=tmp_path,
    )  # fmt: skip
    best = int(np.argmax(model.validation_scores_))
    assert best + 1 < model.n_iter_
    again = fit_many(
        [{"early_stopping": True, "n_iter_no_change": 2, "max_iter": 40}], X, Y, X_VAL, NOISE, estimator=BASE,
        resume=tmp_path,
    )  # fmt: skip
    for frame in (models.to_frame(), again.to_frame()):
        assert frame["validation_loss"][0] == model.validation_loss_curve_[best]
        assert frame["training_loss"][0] == model.loss_curve_[best]


def test_the_table_needs_neither_validation_data_nor_dictionaries():
    models = fit_many([MLPClassifier((3,), max_iter=2, random_state=0)], X, Y)
    frame = models.to_frame()
    assert list(frame.columns)[:3] == ["hidden_layer_sizes", "max_iter", "random_state"]
    assert frame[["validation_score", "validation_loss"]].isna().all(axis=None)
    assert frame["epochs"][0] == 2
    assert len(fit_many([], X, Y).to_frame()) == 0
    assert list(FittedModels([MODEL]).to_frame()["epochs"]) == [1]


def test_without_pandas_the_table_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r"to_frame needs pandas.*pip install pandas"):
        FittedModels([MODEL]).to_frame()
