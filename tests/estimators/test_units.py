"""Units that float32 cannot hold: targets and columns that lie far from 0 for their spread."""

import numpy as np
import onnxruntime
import pandas as pd
import pytest
import skl2onnx
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import d2_pinball_score, r2_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from typer.testing import CliRunner

import fastmlp
from fastmlp import MLPClassifier, MLPRegressor, Network, Trainer, fit_many, studies
from fastmlp.cli.commands import app
from fastmlp.layers import Dense
from fastmlp.losses import Quantile
from fastmlp.network.preparation import Preparation
from fastmlp.studies.file import study
from fastmlp.studies.running import study_data
from helpers.estimators import quietly

# Seconds since 1970, within some minutes: float32 has every 128th of them.
OFFSET, SPREAD = 1.7e9, 60.0
X = np.random.default_rng(0).normal(size=(400, 4)).astype(np.float32)
WHOLE = np.round(100 * X).astype(np.int32)
SIGNAL = np.tanh(X[:, 0].astype(float)) + 0.5 * X[:, 1]
Y = OFFSET + SPREAD * SIGNAL
PARAMETERS = {
    "hidden_layer_sizes": (16,), "max_iter": 30, "learning_rate_init": 0.02, "batch_size": 20,
    "prepare": "table", "random_state": 0,
}  # fmt: skip


def fitted(inputs=X, targets=Y, cls=MLPRegressor, **parameters):
    return quietly(cls(**{**PARAMETERS, **parameters}).fit, inputs, targets)


def restored(model, inputs=X):
    """The network's outputs in the units of the targets."""
    preparation = model.target_preparation_
    outputs = model.network_.predict(inputs).astype(np.float64)
    each = outputs.shape[1] // len(preparation.center)
    return outputs / np.repeat(preparation.scale, each) + np.repeat(preparation.center, each)


def by_partial_fit():
    model = MLPRegressor(**PARAMETERS)
    for _ in range(20):
        model.partial_fit(X, Y)
    return model


def from_a_file(folder):
    fitted().save(folder / "model.safetensors")
    return fastmlp.load(folder / "model.safetensors")


MODELS = {
    "MLPRegressor.fit": lambda folder: fitted(),
    "fastmlp.fit": lambda folder: fastmlp.fit(X, Y, random_state=0),
    "partial_fit": lambda folder: by_partial_fit(),
    "fit_many": lambda folder: quietly(fit_many, [PARAMETERS], X, Y, estimator=MLPRegressor())[0],
    "load": from_a_file,
    "engine='reference'": lambda folder: fitted(engine="reference"),
    "solver='lbfgs'": lambda folder: fitted(solver="lbfgs"),
    "X of integers": lambda folder: fitted(WHOLE),
}


@pytest.mark.parametrize("way", MODELS)
def test_predictions_have_the_units_of_the_targets(way, tmp_path):
    model, inputs = MODELS[way](tmp_path), WHOLE if "integers" in way else X
    predictions = model.predict(inputs)
    assert model.network_.dtype == np.float32
    assert predictions.dtype == np.float64
    assert_array_equal(predictions, restored(model, inputs).ravel())
    assert model.score(inputs, Y) == r2_score(Y, predictions) > 0.97


@pytest.mark.parametrize(
    "give",
    [
        lambda y: y.astype(np.int64),
        lambda y: y.astype(np.uint32),
        lambda y: y.astype(object),
        lambda y: y.tolist(),
        lambda y: pd.Series(y, dtype="Float64"),
        lambda y: pd.Series(y.astype(int), dtype="Int64"),
        lambda y: y.astype(np.longdouble),
        lambda y: y[:, None].astype(">f8")[:, 0],
    ],
)
def test_targets_of_every_type_are_standardised_in_float64(give):
    model = fitted(targets=give(Y))
    assert_allclose(model.target_preparation_.center, Y.mean(), rtol=0, atol=1)
    assert model.score(X, Y) > 0.97


def test_targets_in_float32_are_not_moved_by_the_rounding_of_their_mean():
    targets = (OFFSET + 60 + 400 * SIGNAL).astype(np.float32)  # 128 apart
    model = fitted(targets=targets)
    center = model.target_preparation_.center
    assert abs(np.float32(center).astype(float) - center) > 20
    assert_array_equal(model.coefs_[0], fitted(targets=targets.astype(np.float64)).coefs_[0])
    assert model.score(X, targets) == r2_score(targets.astype(float), model.predict(X))


def test_one_target_of_many_lies_far_out():
    targets = np.c_[SIGNAL, Y, -1e12 + 5 * SIGNAL]
    model = fitted(targets=targets)
    assert_array_equal(model.predict(X), restored(model))
    assert min(r2_score(targets, model.predict(X), multioutput="raw_values")) > 0.97


def test_intervals_hold_as_many_targets_as_they_should():
    model = fitted(loss=Quantile((0.05, 0.5, 0.95)))
    low, high = model.predict_interval(X).T
    assert low.dtype == np.float64
    assert 0.8 < np.mean((low <= Y) & (high >= Y)) < 0.97
    scores = [d2_pinball_score(Y, restored(model)[:, k], alpha=q) for k, q in enumerate((0.05, 0.5, 0.95))]
    assert model.score(X, Y) == pytest.approx(np.mean(scores), rel=1e-12)


@pytest.mark.parametrize("loss", [None, Quantile((0.1, 0.9))])
def test_validation_scores_are_those_of_the_predictions(loss):
    validation = {"X_val": X[300:], "y_val": Y[300:]}
    model = quietly(MLPRegressor(**PARAMETERS, loss=loss).fit, X[:300], Y[:300], **validation)
    assert model.validation_scores_[-1] == pytest.approx(model.score(X[300:], Y[300:]), abs=1e-6)
    assert len(set(model.validation_scores_)) == model.n_iter_
    best = quietly(
        MLPRegressor(**PARAMETERS, loss=loss, early_stopping=True).fit, X[:300], Y[:300], **validation
    )
    assert best.best_validation_score_ == pytest.approx(best.score(X[300:], Y[300:]), abs=1e-6)


def test_a_custom_score_sees_the_units():
    def score(model, X, y, sample_weight=None):
        return -np.abs(model.predict(X) - y).max()

    model = fitted(scoring=score, early_stopping=True)
    assert -3 * SPREAD < model.best_validation_score_ < 0
    assert len(set(model.validation_scores_)) == len(model.validation_scores_)


@pytest.mark.parametrize("optimizer", ["adam", "lbfgs"])
def test_a_trainer_evaluates_in_the_units_of_the_targets(optimizer):
    preparation = Preparation.fit(Y[:, None], "table")
    network = Network([Dense(16, "tanh"), Dense(1, "identity")], 4, random_state=0)
    trainer = Trainer(
        network,
        "squared_error",
        optimizer=optimizer,
        batch_size=20,
        target_preparation=preparation,
        random_state=0,
    )
    history = trainer.fit(X[:300], Y[:300], X[300:], Y[300:], epochs=30)
    predictions = preparation.invert(network.predict(X[300:]))
    assert predictions.dtype == np.float64
    assert history.val_score[-1] == pytest.approx(r2_score(Y[300:], predictions), abs=1e-6)
    assert history.val_score[-1] > 0.97
    assert trainer.evaluate(X[300:], Y[300:])[1] == history.val_score[-1]


COMPILED = {
    "one target": (None, Y),
    "quantiles": (Quantile((0.1, 0.5, 0.9)), Y),
    "two targets": (None, np.c_[SIGNAL, Y]),
    "quantiles of two targets": (Quantile((0.1, 0.9)), np.c_[SIGNAL, Y]),
}


@pytest.mark.parametrize("case", COMPILED)
@pytest.mark.parametrize("engine", ["tile", "blas"])
def test_a_compiled_model_restores_the_units(case, engine):
    loss, targets = COMPILED[case]
    model = fitted(targets=targets, loss=loss, engine=engine, n_threads=1)
    function, expected = model.compile(), model.predict(X)
    assert_array_equal(function(X), expected)
    assert function(X).dtype == np.float64
    for row in (X[7], X[7].astype(float), X[7].tolist()):
        assert_array_equal(function(row), model.predict(np.array([row]))[0])
        assert np.asarray(function(row)).dtype == np.float64
    out = np.full(expected.shape, np.nan)
    assert function(X, out=out) is out
    assert_array_equal(out, expected)
    with pytest.raises(ValueError, match=r"out, float32 of shape .* array of float64 with"):
        function(X, out=out.astype(np.float32))


def run_onnx(graph, inputs=X):
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: inputs})[0]


@pytest.mark.parametrize("case", COMPILED)
def test_an_onnx_model_restores_the_units(case):
    loss, targets = COMPILED[case]
    model = fitted(targets=targets, loss=loss)
    values, expected = run_onnx(model.to_onnx()), model.predict(X)
    assert values.dtype == np.float64
    assert_allclose(values.reshape(expected.shape), expected, rtol=0, atol=1e-4 * SPREAD)


@pytest.mark.parametrize("within", ["alone", "pipeline"])
@pytest.mark.parametrize(("offset", "dtype"), [(8100, np.float32), (8300, np.float64)])
def test_skl2onnx_keeps_the_type_of_a_pipeline_where_that_holds_the_units(offset, dtype, within):
    model = MLPRegressor(**PARAMETERS)
    model = quietly(
        (make_pipeline(StandardScaler(), model) if within == "pipeline" else model).fit,
        X,
        offset * SIGNAL.std() + SIGNAL,
    )
    values = run_onnx(skl2onnx.to_onnx(model, X[:1]))
    assert values.dtype == dtype
    assert_allclose(values.ravel(), model.predict(X), rtol=0, atol=1e-3)
    wide = skl2onnx.to_onnx(model, X[:1].astype(np.float64))
    assert run_onnx(wide, X.astype(np.float64)).dtype == np.float64


def test_scikit_learns_model_has_the_units():
    model = fitted()
    assert_allclose(model.to_sklearn().predict(X), model.predict(X), rtol=0, atol=1e-4 * SPREAD)


@pytest.mark.parametrize("far", ["X", "y"])
def test_a_state_dict_in_float32_is_refused_where_it_would_lose_the_units(far):
    inputs, targets = (OFFSET + SPREAD * X.astype(float), SIGNAL) if far == "X" else (X, Y)
    with pytest.raises(ValueError, match=f"standardisation of {far} .* in float32.*fit with dtype='float64'"):
        fitted(inputs, targets, dtype="float32").to_torch_state_dict()
    pytest.importorskip("torch")
    assert fitted(inputs, targets, dtype="float64").to_torch_state_dict()["2.bias"].double().isfinite().all()


def test_the_command_line_keeps_the_units(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pd.DataFrame(X.astype(float), columns=list("abcd")).assign(time=Y).to_csv("t.csv", index=False)
    outputs = [
        CliRunner().invoke(app, arguments)
        for arguments in (
            ["train", "t.csv", "--target", "time", "--out", "m.safetensors"],
            ["predict", "m.safetensors", "t.csv", "--out", "p.csv"],
        )
    ]
    assert [output.exit_code for output in outputs] == [0, 0]
    assert float(outputs[0].output.split("test R^2 ")[1].split(",")[0]) > 0.97
    model = fastmlp.load("m.safetensors")
    assert model.network_.dtype == np.float32
    written = pd.read_csv("p.csv").prediction
    assert_array_equal(written, model.predict(pd.read_csv("t.csv").drop(columns="time")))


def test_a_study_measures_in_the_units_of_the_targets(tmp_path):
    np.savez(tmp_path / "data.npz", X=X, y=Y)
    (tmp_path / "study.toml").write_text(
        f"""
title = "Times"
[data]
name = '{tmp_path / "data.npz"}'
[base]
hidden_layer_sizes = [16]
prepare = "table"
max_iter = 30
batch_size = 20
learning_rate_init = 0.02
[runs.one]
"""
    )
    study = studies.load_study(tmp_path / "study.toml")
    (record,) = quietly(studies.run_study, study, tmp_path / "out", n_jobs=1).records
    assert min(record.scores.values()) > 0.95
    assert len(set(record.curves["val_score"])) == 30


# Columns of times: what reads them as float32 before it standardises them sees three values or none.
FAR = OFFSET + SPREAD * X.astype(float)
CLASSES = (SIGNAL > 0).astype(int)


@pytest.mark.parametrize(
    "inputs",
    [
        FAR,
        FAR.astype(np.int64),
        FAR.astype(np.uint32),
        FAR.tolist(),
        pd.DataFrame(FAR.astype(int), columns=list("abcd")),
        pd.DataFrame(X, columns=list("abcd")).assign(a=FAR[:, 0].astype(int)),
        np.asfortranarray(FAR)[:, ::-1],
    ],
    ids=["float64", "int64", "uint32", "list", "frame", "mixed frame", "strides"],
)
@pytest.mark.parametrize("engine", ["auto", "reference"])
def test_columns_are_standardised_before_they_are_rounded(inputs, engine, tmp_path):
    params = {**PARAMETERS, "dtype": "float32", "engine": engine}
    rows = slice(300, None)
    held_out = inputs.iloc[rows] if hasattr(inputs, "iloc") else inputs[rows]
    model = quietly(MLPClassifier(**params).fit, inputs, CLASSES, X_val=held_out, y_val=CLASSES[rows])
    assert model.score(inputs, CLASSES) > 0.95
    assert model.validation_scores_[-1] > 0.9
    expected = model.predict_proba(inputs)
    values = np.asarray(inputs, dtype=float)
    prepared = (values - model.preparation_.center) * model.preparation_.scale
    plain = quietly(MLPClassifier(**{**params, "prepare": None}).fit, prepared, CLASSES)
    plain.network_.parameters[:] = model.network_.parameters
    assert_array_equal(expected, plain.predict_proba(prepared))
    assert_array_equal(model.hidden_activations(inputs, 0), plain.hidden_activations(prepared, 0))
    if engine == "reference":
        return
    function, array = model.compile(), np.asarray(inputs)
    assert_array_equal(function(array), expected)
    assert_array_equal(function(array[3]), expected[3])
    graph = model.to_onnx()
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    assert session.get_inputs()[0].type == "tensor(double)"
    assert_allclose(session.run(None, {"X": values})[1], expected, rtol=0, atol=2e-5)


@pytest.mark.parametrize("dtype", [np.float64, np.int64])
def test_skl2onnx_standardises_columns_before_it_rounds_them(dtype):
    inputs = FAR.astype(dtype)
    model = fitted(inputs, SIGNAL, dtype="float32")
    values = run_onnx(skl2onnx.to_onnx(model, inputs[:1]), inputs)
    assert_allclose(values.ravel(), model.predict(inputs), rtol=0, atol=1e-4)


def test_columns_in_float32_are_not_moved_by_the_rounding_of_their_mean():
    """The model reads the same numbers alike, whichever type they come in."""
    inputs = (OFFSET + 60 + 400 * X).astype(np.float32)
    model = fitted(inputs, SIGNAL)
    expected = model.predict(inputs.astype(np.float64))
    assert_array_equal(model.predict(inputs), expected)
    assert_array_equal(model.predict(pd.DataFrame(inputs)), expected)
    assert_array_equal(model.compile()(inputs), expected)
    assert model.compile()(inputs[2]) == expected[2]
    assert_array_equal(fitted(inputs.astype(np.float64), SIGNAL, dtype="float32").coefs_[0], model.coefs_[0])
    assert_array_equal(
        quietly(fit_many, [PARAMETERS], inputs, SIGNAL, estimator=MLPRegressor())[0].coefs_[0],
        model.coefs_[0],
    )
    for input_dtype in ("float32", "float64"):
        values = run_onnx(model.to_onnx(input_dtype=input_dtype), inputs.astype(input_dtype))
        assert_allclose(values.ravel(), expected, rtol=0, atol=1e-4)
    assert_allclose(
        run_onnx(skl2onnx.to_onnx(model, inputs[:1]), inputs).ravel(), expected, rtol=0, atol=1e-4
    )


def test_a_study_shifts_columns_before_it_rounds_them(tmp_path):
    np.savez(tmp_path / "data.npz", X=FAR, y=CLASSES)
    data = study.Data(str(tmp_path / "data.npz"), validation=0.2, center=OFFSET, scale=1 / SPREAD)
    split = study_data.load_data(data, quick=False)
    assert split.X_train.dtype == np.float32
    assert_allclose(np.sort(split.X_test[:, 0])[-1], X[:, 0].max(), atol=1)
    assert len(np.unique(split.X_train)) > 900
