"""The README's examples, run as they stand; loggers are stand-ins that note what they are given."""

import re
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import fastmlp
from fastmlp.studies import judge, load_study, run_study, table_frame

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
STEPS_OF_AN_EPOCH = -(-len(fastmlp.datasets.load_digits().X_train) // 32)


def run_example(module: str) -> None:
    """Run the block of the README that imports a module."""
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    (code,) = (block for block in blocks if re.search(rf"^(import|from) {module}\b", block, re.MULTILINE))
    exec(compile(code, f"README.md, {module}", "exec"), {"__name__": "__main__"})


class Recorder:
    """Stands in for a module or an object of one: notes the calls of any of its functions."""

    def __init__(self):
        self.calls = []

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)

        def call(*args, **kwargs):
            self.calls.append((name, args, kwargs))
            return self

        return call

    def __enter__(self):
        self.calls.append(("enter", (), {}))
        return self

    def __exit__(self, *error):
        self.calls.append(("exit", (), {}))

    def of(self, name):
        """Return the positional arguments of each call of a function."""
        return [args for called, args, _ in self.calls if called == name]


@pytest.fixture
def recorder(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    return Recorder()


def test_tensorboard_is_fed(recorder, monkeypatch):
    module = ModuleType("tensorboardX")
    module.SummaryWriter = lambda folder: recorder
    monkeypatch.setitem(sys.modules, "tensorboardX", module)
    run_example("tensorboardX")
    assert [name for name, _, _ in (recorder.calls[0], recorder.calls[-1])] == ["enter", "exit"]
    scalars = {}
    for name, value, step in recorder.of("add_scalar"):
        assert np.isfinite(value)
        scalars.setdefault(name, []).append(step)
    steps = list(range(10, 5 * STEPS_OF_AN_EPOCH + 1, 10))
    expected = {"steps/loss": steps, "steps/learning_rate": steps, "validation_score": [1, 2, 3, 4, 5]}
    assert scalars == expected
    curves = [curve for _, curve, _ in recorder.of("add_scalars")]
    assert curves[-1]["training"] < curves[0]["training"]
    assert all(np.isfinite(curve["validation"]) for curve in curves)
    shapes = [weights.shape for name, weights, _ in recorder.of("add_histogram") if name == "weights/0"]
    assert len(shapes) == 5


def test_mlflow_is_fed(recorder, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "mlflow", recorder)
    run_example("mlflow")
    names = [name for name, _, _ in recorder.calls]
    rest = ["log_metric", "log_artifact", "exit"]
    assert names == ["set_experiment", "start_run", "enter", "log_params", *["log_metrics"] * 5, *rest]
    assert recorder.of("log_params")[0][0]["hidden_layer_sizes"] == (64, 32)
    assert [kwargs["step"] for name, _, kwargs in recorder.calls if name == "log_metrics"] == [1, 2, 3, 4, 5]
    curves = [metrics for (metrics,) in recorder.of("log_metrics")]
    assert all(np.isfinite(list(metrics.values())).all() for metrics in curves)
    assert curves[-1]["loss"] < curves[0]["loss"]
    ((name, score),) = recorder.of("log_metric")
    assert (name, score > 0.7) == ("test score", True)
    assert fastmlp.load(tmp_path / recorder.of("log_artifact")[0][0]).n_features_in_ == 64


def test_pictures_are_drawn(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    run_example("fastmlp import plots")
    for name in ("curves", "misclassified"):
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")


def test_models_leave_and_come(monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    run_example("onnxruntime")
    assert (tmp_path / "digits.onnx").stat().st_size > 1000
    same, theirs, ours, hidden, covered = capsys.readouterr().out.splitlines()
    assert same == "True"
    assert float(theirs) == float(ours) > 0.9
    assert hidden == "(360, 32)"
    assert 0.8 < float(covered) < 1


def test_the_study_runs(tmp_path):
    (text,) = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)
    (tmp_path / "my.toml").write_text(text)
    results = run_study(load_study(tmp_path / "my.toml"), tmp_path / "out")
    assert {record.group for record in results.records} == {"width", "rates", "search", "final", "longer"}
    wider, level = (judge((check,), results).verdict for check in results.study.claims[0].checks)
    assert wider == "holds"
    assert level in ("holds", "does not hold")  # of three seeds each
    assert list(table_frame(results.study.tables[0], results)["run"]) == ["narrow", "wide"]
