"""Tests of what fit_many refuses and warns of, and of errors and Ctrl-C while it trains."""

import subprocess
import sys
import textwrap
import threading

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

import fastmlp
from fastmlp import DivergenceWarning, MLPClassifier, fit_many
from helpers.bad_input import says
from helpers.many import N_JOBS, cancer

# ------------------------------------------------------------------------------ what is refused or goes wrong


def never(event):
    raise AssertionError("something was trained")


@pytest.mark.parametrize(
    ("wrong", "error", "said"),
    [
        ({"alhpa": 0.1}, ValueError, ["alhpa", "alpha"]),
        ({"alpha": -1}, ValueError, ["alpha", "-1"]),
        ({"max_iter": 2.5}, ValueError, ["max_iter", "2.5"]),
        ({"hidden_layer_sizes": (5, 0)}, ValueError, ["hidden_layer_sizes", "[5, 0]"]),
        ({"activation": ["relu", "tanh"]}, ValueError, ["activation", "tanh"]),
        ({"activation": ["softmax"]}, ValueError, ["activation", "softmax"]),
        ({3: 4}, TypeError, []),
        (0.1, TypeError, ["0.1", "dict"]),
        (None, TypeError, ["None", "dict"]),
    ],
    ids=str,
)
def test_a_wrong_configuration_is_refused_by_its_index_before_anything_is_trained(wrong, error, said):
    X, y = cancer()
    good = {"callbacks": [never]}
    with pytest.raises(error, match=says("configurations[2]", *said)):
        fit_many([good, good, wrong, good], X, y, n_jobs=2)


def test_other_arguments_are_refused_clearly():
    X, y = cancer()
    for wrong in ({"alpha": [0, 1]}, "alpha"):
        with pytest.raises(TypeError, match=says("configurations", "ParameterGrid")):
            fit_many(wrong, X, y)
    for wrong in (MLPClassifier, "classifier", 3):
        with pytest.raises(TypeError, match=says("estimator", "MLPClassifier")):
            fit_many([{}], X, y, estimator=wrong)
    good = [{"callbacks": [never]}]
    with pytest.raises(ValueError, match="NaN"):
        fit_many(good, np.where(X > 0.9, np.nan, X), y)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        fit_many(good, X, y[:-1])
    with pytest.raises(ValueError, match="together"):
        fit_many(good, X, y, X_val=X)


def fail(event):
    if event.epoch == 2:
        raise event.network.error


@pytest.mark.parametrize(
    "error", [ZeroDivisionError("by zero"), KeyboardInterrupt(), SystemExit(3)], ids=repr
)
@pytest.mark.parametrize("n_jobs", N_JOBS)
def test_an_error_tells_its_configuration_and_stops_the_others(n_jobs, error, monkeypatch):
    X, y = cancer()
    monkeypatch.setattr(fastmlp.Network, "error", error, raising=False)
    endless = {"max_iter": 10**9, "tol": 0, "n_iter_no_change": np.inf}
    threads = set(threading.enumerate())
    configurations = [
        {"max_iter": 1, "learning_rate": "one_cycle"},
        {"callbacks": [fail], **endless},
        endless,
    ]
    with pytest.raises(type(error)) as caught:
        fit_many([*configurations, endless, endless], X, y, n_jobs=n_jobs)
    assert "configurations[1]" in "".join(caught.value.__notes__)
    for thread in set(threading.enumerate()) - threads:
        thread.join(1)
        assert not thread.is_alive()


# ------------------------------------------------------------------------------------ what is kept of a sweep

QUICK = {"max_iter": 1, "learning_rate": "one_cycle", "random_state": 0}
AT_ONCE = {**QUICK, "solver": "sgd", "learning_rate_init": 1e200}
UNFIT = {**QUICK, "loss": "cross_entropy", "output_activation": "logistic"}  # of two classes


def fail_at_once(event):
    raise ZeroDivisionError("by zero")


FAILING = {
    "diverges in its first epoch": (AT_ONCE, ValueError, "non-finite"),
    "does not go with the data": (UNFIT, ValueError, "loss"),
    "fails in a callback": ({**QUICK, "callbacks": [fail_at_once]}, ZeroDivisionError, "by zero"),
    "has too few rows to hold out": (
        {**QUICK, "early_stopping": True, "validation_fraction": 0.001}, ValueError, "number of classes",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", FAILING)
@pytest.mark.parametrize("n_jobs", N_JOBS)
def test_a_model_that_fails_alone_fails_among_many_and_the_others_are_kept(n_jobs, case):
    X, y = cancer()
    wrong, kind, said = FAILING[case]
    with pytest.raises(kind, match=said):
        MLPClassifier(**wrong).fit(X, y)
    with pytest.raises(kind, match=said) as caught:
        fit_many([QUICK, wrong, QUICK], X, y, n_jobs=n_jobs)
    assert "configurations[1]" in "".join(caught.value.__notes__)
    assert all(hasattr(model, "network_") for model in caught.value.models)
    assert n_jobs > 1 or list(caught.value.models.to_frame().index) == [0]
    models = fit_many([QUICK, wrong, QUICK], X, y, n_jobs=n_jobs, on_error="keep")
    assert [type(error) for error in models.errors] == [type(None), kind, type(None)]
    assert said in str(models.errors[1])
    unfitted = models[1]
    assert vars(unfitted).keys() == unfitted.get_params().keys()
    assert unfitted.max_iter == 1
    np.testing.assert_array_equal(models[0].coefs_[0], models[2].coefs_[0])


def test_what_the_whole_sweep_is_refused_for_is_raised_also_where_errors_are_kept():
    X, y = cancer()
    with pytest.raises(ValueError, match=says("configurations[0]", "alpha")):
        fit_many([{"alpha": -1}], X, y, on_error="keep")
    with pytest.raises(ValueError, match="inconsistent"):
        fit_many([{}], X, y[:-1], on_error="keep")
    for wrong in ("ignore", None, True):
        with pytest.raises(ValueError, match=says("on_error", repr(wrong), "'raise', 'keep'")):
            fit_many([{"callbacks": [never]}], X, y, on_error=wrong)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3)], ids=repr)
@pytest.mark.parametrize("n_jobs", N_JOBS)
def test_ctrl_c_ends_a_sweep_also_where_errors_are_kept_and_has_the_models(n_jobs, error, monkeypatch):
    X, y = cancer()
    monkeypatch.setattr(fastmlp.Network, "error", error, raising=False)
    long = {"max_iter": 10**9, "tol": 0, "n_iter_no_change": np.inf}
    configurations = [QUICK, AT_ONCE, {**long, "callbacks": [fail]}, long, QUICK]
    with pytest.raises(type(error)) as caught:
        fit_many(configurations, X, y, n_jobs=n_jobs, on_error="keep")
    models = caught.value.models
    assert n_jobs > 1 or list(models.to_frame().index) == [0, 1]
    assert not {2, 3} & set(models.to_frame().index)
    for model, failed in zip(models, models.errors, strict=True):
        assert hasattr(model, "network_") == (failed is None)


@pytest.mark.filterwarnings("error")
def test_a_warning_that_the_user_makes_an_error_loses_no_model():
    X, y = cancer()
    with pytest.raises(ConvergenceWarning) as caught:
        fit_many([{"max_iter": 1}, QUICK], X, y)
    assert len(caught.value.models) == 2


# --------------------------------------------------------------------------------------------------- warnings


@pytest.mark.parametrize("n_jobs", N_JOBS)
def test_warnings_come_once_with_the_indices_of_the_models(n_jobs):
    X, y = cancer()
    fine = {"max_iter": 2, "learning_rate": "one_cycle"}
    short = {"max_iter": 2}
    wild = {"max_iter": 3, "solver": "sgd", "learning_rate_init": 1e30}
    clipped = {**fine, "batch_size": 10_000}
    with pytest.warns() as caught:
        models = fit_many(
            [short, fine, short, short, wild, clipped, {"max_iter": 3}], X, y, n_jobs=n_jobs,
            estimator=MLPClassifier(random_state=0),
        )  # fmt: skip
    assert len(models) == 7
    said = {str(warning.message).partition(": ")[0]: warning for warning in caught}
    assert len(said) == len(caught) == 4
    assert {of: warning.category for of, warning in said.items()} == {
        "configurations[0, 2-3]": ConvergenceWarning,
        "configurations[4]": DivergenceWarning,
        "configurations[5]": UserWarning,
        "configurations[6]": ConvergenceWarning,
    }
    assert {warning.filename for warning in caught} == {__file__}
    assert np.isfinite(models[4].network_.parameters).all()


def test_the_estimators_warn_at_the_line_that_called_them():
    X, y = cancer()
    short = {"max_iter": 1, "batch_size": 1000, "random_state": 0}
    for call in (MLPClassifier(**short).fit, MLPClassifier(**short).partial_fit, fastmlp.fit):
        kind = {"classes": np.unique(y)} if call.__name__ == "partial_fit" else {}
        kind = {**short, "learning_rate": "constant"} if call is fastmlp.fit else kind
        with pytest.warns() as caught:
            call(X, y, **kind)
        assert {warning.filename for warning in caught} == {__file__}
        assert len(caught) == (1 if call.__name__ == "partial_fit" else 2)


# ----------------------------------------------------------------------------------------------------- Ctrl-C

INTERRUPTED = """
    import os, signal, sys, threading, time
    import numpy as np
    import fastmlp

    n_jobs, case = int(sys.argv[1]), sys.argv[2]
    n = 200_000  # rows that take no memory: an epoch takes many seconds
    X = np.broadcast_to(np.arange(64, dtype=np.uint8), (n, 64))
    y = np.arange(n) % 10
    base = fastmlp.MLPClassifier(
        (512, 512), batch_size=16 if case == "small batches" else 256, random_state=0,
        engine="blas" if case == "blas" else "auto",
    )
    configurations = [{"alpha": alpha} for alpha in range(6)]
    sent = []

    def interrupt():
        sent.append(time.perf_counter())
        os.kill(os.getpid(), signal.SIGINT)

    def wait_for_training():
        while len(sys._current_frames()) < 2 + (n_jobs if n_jobs > 1 else 0):
            time.sleep(0.01)
        time.sleep(0.5)
        interrupt()

    threading.Thread(target=wait_for_training).start()
    try:
        fastmlp.fit_many(configurations, X, y, estimator=base, n_jobs=n_jobs)
        time.sleep(60)  # a machine so fast that it was done before has nothing to interrupt
    except KeyboardInterrupt as error:
        print(time.perf_counter() - sent[0])
        assert error.models == []
    time.sleep(0.1)
    print(threading.enumerate() == [threading.main_thread()])
    short = {"max_iter": 1, "learning_rate": "one_cycle"}
    print(len(fastmlp.fit_many([short] * 2, X[:99], y[:99], n_jobs=n_jobs)))
"""


@pytest.mark.parametrize("case", ["large batches", "small batches", "blas"])
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_ctrl_c_stops_all_jobs_at_once_and_leaves_no_thread(n_jobs, case):
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(INTERRUPTED), str(n_jobs), case],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    seconds, alone, n_models = done.stdout.split()
    assert float(seconds) < 2  # half a second, and slack for a machine that is busy with other things
    assert alone == "True"
    assert n_models == "2"
