"""The parameter ``scoring``: any scorer of scikit-learn decides which epoch was the best."""

import pickle

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.metrics import f1_score, get_scorer, make_scorer
from sklearn.model_selection import train_test_split

import fastmlp
from fastmlp import MLPClassifier, MLPRegressor, fit_many
from fastmlp.callbacks import EpochEnd

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 6))
NUMBERS = 100 + 10 * X[:, 0] * X[:, 1] + RNG.normal(size=300)
NAMES = np.array(["ash", "birch", "cedar"])[(X[:, :3] + RNG.normal(size=(300, 3))).argmax(axis=1)]
LABELS = (X[:, :3] + RNG.normal(size=(300, 3)) > 0).astype(int)
COMMON = {"hidden_layer_sizes": (12,), "batch_size": 20, "learning_rate_init": 0.02, "random_state": 0}


def make(y, **options):
    kind = MLPRegressor if y is NUMBERS else MLPClassifier
    return kind(**{**COMMON, "max_iter": 6, **options})


CASES = [
    (NAMES, "f1_macro"),
    (NAMES, "neg_log_loss"),
    (NAMES, "roc_auc_ovr"),
    (NAMES == "ash", "roc_auc"),
    (NAMES == "ash", "average_precision"),
    (LABELS, "f1_micro"),
    (NUMBERS, "neg_mean_absolute_error"),
    (NUMBERS, "neg_median_absolute_error"),
]


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize(("y", "name"), CASES, ids=[name for _, name in CASES])
def test_every_epoch_is_scored_as_the_model_would_be(y, name, solver):
    X_fit, X_val, y_fit, y_val = train_test_split(X, y, random_state=0)
    scores = []

    def score_again(event: EpochEnd):
        scores.append(get_scorer(name)(model, X_val, y_val))

    model = make(y, solver=solver, scoring=name, prepare="table")
    model.set_params(callbacks=[score_again]).fit(X_fit, y_fit, X_val=X_val, y_val=y_val)
    assert len(scores) == model.n_iter_ > 2
    assert len(set(scores)) > 1
    assert model.validation_scores_ == scores
    assert model.best_validation_score_ == max(scores)


def test_early_stopping_restores_the_epoch_that_scored_best():
    seen = []

    def by_f1(model, X_val, y_val):
        assert set(y_val) <= set(NAMES)
        assert len(y_val) == len(X_val) == 60  # a fifth of the data
        seen.append((f1_score(y_val, model.predict(X_val), average="macro"), model.coefs_[0].copy()))
        return seen[-1][0]

    model = make(NAMES, early_stopping=True, scoring=by_f1, validation_fraction=0.2, max_iter=100)
    model.fit(X, NAMES)
    scores = [score for score, _ in seen]
    assert model.validation_scores_ == scores
    assert scores[-1] < max(scores)
    assert model.n_iter_ < 100
    assert_allclose(model.coefs_[0], seen[int(np.argmax(scores))][1], rtol=0)


def test_another_scorer_finds_another_epoch():
    best = {}
    for scoring in (None, "accuracy", "neg_log_loss"):
        model = make(NAMES, early_stopping=True, scoring=scoring, max_iter=100, n_iter_no_change=30).fit(
            X, NAMES
        )
        best[scoring] = model.fit(X, NAMES).history_.best_epoch
    assert best[None] == best["accuracy"] != best["neg_log_loss"]


def test_a_scorer_is_given_the_weights_of_what_is_held_out():
    given = []

    def weighted(model, X_val, y_val, sample_weight=None):
        given.append(sample_weight)
        return model.score(X_val, y_val, sample_weight)

    sample_weight = RNG.uniform(1, 2, 300)
    make(NAMES, early_stopping=True, scoring=weighted).fit(X, NAMES, sample_weight=sample_weight)
    assert len(given) == 6
    assert set(given[0]) <= set(sample_weight)


@pytest.mark.parametrize("scoring", ["f1_makro", "", "recall "])
def test_a_name_that_is_none_is_refused_as_scikit_learn_does(scoring):
    with pytest.raises(ValueError, match="scor"):
        make(NAMES, scoring=scoring, max_iter=10**9).fit(X, NAMES)
    with pytest.raises(ValueError, match=r"configurations\[1\]"):
        fit_many([{}, {"scoring": scoring}], X, NAMES)


@pytest.mark.parametrize("scoring", [3, ["accuracy"], True])
def test_what_is_neither_name_nor_scorer_is_refused(scoring):
    with pytest.raises(ValueError, match="'scoring' parameter"):
        make(NAMES, scoring=scoring).fit(X, NAMES)


def test_an_error_of_the_scorer_ends_the_fit_and_is_told():
    def fail(model, X_val, y_val):
        raise LookupError("no")

    model = make(NAMES, scoring=fail)
    with pytest.raises(LookupError):
        model.fit(X, NAMES, X_val=X, y_val=NAMES)
    assert model.n_iter_ == 0


def test_names_of_columns_raise_no_warning(recwarn):
    frame = pd.DataFrame(X, columns=list("abcdef"))
    model = make(NAMES, early_stopping=True, scoring="f1_macro", n_iter_no_change=2).fit(frame, NAMES)
    assert not [warning for warning in recwarn.list if "feature names" in str(warning.message)]
    assert list(model.feature_names_in_) == list("abcdef")


def test_a_model_with_a_scorer_is_cloned_pickled_saved_and_loaded(tmp_path):
    scorer = make_scorer(f1_score, average="macro")
    for scoring, kept in (("f1_macro", "f1_macro"), (scorer, None)):
        model = clone(make(NAMES, early_stopping=True, scoring=scoring)).fit(X, NAMES)
        again = pickle.loads(pickle.dumps(model))
        assert again.validation_scores_ == model.validation_scores_
        model.save(tmp_path / "model.safetensors")
        loaded = fastmlp.load(tmp_path / "model.safetensors")
        assert loaded.scoring == kept
        assert loaded.validation_scores_ == model.validation_scores_
