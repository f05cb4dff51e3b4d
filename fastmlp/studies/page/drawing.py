"""From a figure of a study file to `fastmlp.plots`: which runs and data, under which names."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

import fastmlp.plots as plots
from fastmlp.datasets import FASHION_MNIST_CLASSES
from fastmlp.plots.canvas import figure_for
from fastmlp.plots.style import INK, style
from fastmlp.studies.file.groups import labelled, split
from fastmlp.studies.file.measures import SCORES
from fastmlp.studies.file.study import Figure
from fastmlp.studies.page.study_tables import rows_of
from fastmlp.studies.running.records import Record, mean
from fastmlp.studies.running.results import Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Picture

#: The most characters on a line of a name, if it can be broken there.
_WIDTH = 34
#: The curves of each part.
_CURVES = {"train": ("loss", "score"), "validation": ("val_loss", "val_score")}


def names_of(figure: Figure, results: Results) -> Iterable[str]:
    """Return the names of the points that a picture is of, as the tables have them."""
    rows = rows_of(figure, results)
    if figure.kind in ("curves", "comparison"):
        return list(rows)
    records = [record for runs in rows.values() for record in runs]
    return [] if not records else list(figure.runs) if figure.kind == "heat_map" else [records[0].name]


def curves(figure: Figure, results: Results) -> Picture:
    """Draw the curves of every point, with a band over its seeds."""
    options = dict(figure.options)
    panel, part, last = options.pop("measure", None), options.pop("part", None), options.pop("epochs", None)
    keys = _CURVES[part] if part else [key for keys in _CURVES.values() for key in keys]
    wanted = [key for key in keys if panel is None or key.endswith(panel)]
    runs: dict[str, list[dict[str, Any]]] = {}
    for name, records in rows_of(figure, results).items():
        there = [_curves_of(record, wanted, last) for record in records]
        there = [one for one in there if one]
        # What has no curve has its name in the legend all the same.
        runs[_folded(_with_fate(name, records))] = there or [{wanted[0]: np.array([np.nan])}]
    if not runs:
        raise ValueError("there is no run of it.")
    return plots.curves(runs, score_name=_score_name(results), **options)


def _curves_of(record: Record, wanted: list[str], last: int | None) -> dict[str, np.ndarray]:
    """Return the curves that are wanted, with gaps where they are no numbers."""
    found = {}
    for key in wanted:
        values = np.array(record.curves.get(key, [])[:last], dtype=np.float64)
        if len(values):
            found[key] = np.where(np.isfinite(values), values, np.nan)
    return found


def comparison(figure: Figure, results: Results) -> Picture:
    """Draw a measure of every point beside the others, and published figures where a table has them."""
    measure = figure.options.get("measure", "validation")
    factor = _factor(measure, results)
    published = _published(measure, results)
    values, references, missing = {}, {}, []
    for name, records in rows_of(figure, results).items():
        found = [record.measure(measure) for record in records]
        numbers = [factor * value for value in found if value is not None and np.isfinite(value)]
        if not numbers:
            missing.append(_with_fate(name, records))
            continue
        values[_folded(name)] = numbers
        if records[0].name in published:
            references[_folded(name)] = factor * published[records[0].name]
    if not values:
        raise ValueError(f"no run has a {_measured(measure, results)}.")
    n_lines = max(name.count("\n") for name in values) + 1
    with style():
        picture = figure_for(None, 7.2, 1.5 + (0.3 + 0.2 * n_lines) * len(values))
        axes = picture.subplots()
    plots.comparison(
        values, kind=figure.options.get("style", "dots"), error=figure.options.get("error", "std"),
        references=references, score_name=_axis(measure, results), ax=axes,
    )  # fmt: skip
    if missing:
        _note(picture, f"Without a {_measured(measure, results)}: {', '.join(missing)}.")
    return picture


def _published(measure: str, results: Results) -> dict[str, float]:
    """Return the published figures by point, as far as they are what ours are."""
    return {
        records[0].name: table.published[measure][row]
        for table in results.study.tables
        if measure in table.published and table.scale.get(measure, 1) == 1
        for row, records in rows_of(table, results).items()
        if row in table.published[measure]
    }


def misclassified(figure: Figure, results: Results) -> Picture:
    """Draw what a model mistakes."""
    record, model = _model(figure, results)
    options = _model_options(figure, results, model)
    return plots.misclassified(model, *_samples(figure, results, record), **options)


def confusion_matrix(figure: Figure, results: Results) -> Picture:
    """Draw what a model takes for what."""
    record, model = _model(figure, results)
    return plots.confusion_matrix(
        model, *_samples(figure, results, record), **_model_options(figure, results, model)
    )


def decision_boundary(figure: Figure, results: Results) -> Picture:
    """Draw what a model of two features predicts over the plane."""
    record, model = _model(figure, results)
    return plots.decision_boundary(
        model, *_samples(figure, results, record), **_model_options(figure, results, model)
    )


def first_layer(figure: Figure, results: Results) -> Picture:
    """Draw the first layer's weights at the epochs that were kept; the last ones for those not reached."""
    record, model = _model(figure, results)
    kept, labels, weights = results.weights(record), [], []
    asked = figure.options.get("epochs", [])
    for epoch in asked:
        if epoch in kept:
            labels.append({0: "at the start", 1: "after 1 epoch"}.get(epoch, f"after {epoch} epochs"))
            weights.append(kept[epoch])
    if len(weights) < len(asked) or not asked:
        labels.append(f"the model, {record.epochs} epoch{'s' * (record.epochs != 1)}")
        weights.append(model.coefs_[0])
    shape = figure.options.get("image_shape") or getattr(model, "image_shape", None)
    picture = plots.first_layer(weights, shape, labels=labels)
    if missing := [str(epoch) for epoch in asked if epoch not in kept]:
        _note(picture, f"Training ended before epoch {' and '.join(missing)}.")
    return picture


def heat_map(figure: Figure, results: Results) -> Picture:
    """Draw a measure over two parameters, means over seeds, the best over what else differs."""
    measure = figure.options.get("measure", "validation")
    records = [record for reference in figure.runs for record in results.of(reference)]
    x, y, others = _sides(figure, results)
    cells: dict[tuple[str, str], list[tuple[float, dict[str, Any]]]] = {}
    is_score = measure in SCORES and measure != "test spread"
    for runs in rows_of(figure, results).values():
        params = runs[0].params
        if x in params and y in params:
            cell = {name: _setting(params[name]) for name in (y, x)}
            cells.setdefault((str(cell[y]), str(cell[x])), []).append((mean(runs, measure), cell))
    factor, table = _factor(measure, results), []
    for values in cells.values():
        there = [value for value, _ in values if np.isfinite(value)]
        best = (max if is_score else min)(there) if there else np.nan
        table.append({**values[0][1], "score": factor * best})
    says = _axis(measure, results)
    if (n := len({record.seed for record in records})) > 1:
        says += f", mean of {n} seeds"
    if others:
        says += f",\nbest over {', '.join(others)}"
    return plots.heat_map(table, y, x, "score", greater_is_better=is_score, score_name=says)


def _sides(figure: Figure, results: Results) -> tuple[str, str, list[str]]:
    """Return the parameters across and down, and the others that the group varies."""
    group = results.study.groups[split(figure.runs[0])[0]]
    varied = list(group.grid or (group.search.over if group.search else {}))
    varied = varied or list(dict.fromkeys(name for own in group.list.values() for name in own))
    for side in ("x", "y"):
        if (asked := figure.options.get(side)) is not None and asked not in varied:
            raise ValueError(
                f"{side} = {asked!r} is not one of those that {group.name} varies: {', '.join(varied)}."
            )
    if len(varied) < 2:
        raise ValueError(f"a heat map needs two parameters, and {group.name} varies {len(varied)}.")
    asked = figure.options.get("x"), figure.options.get("y")
    free = [name for name in varied if name not in asked]
    x = asked[0] or free.pop(0)
    y = asked[1] or free.pop(0)
    if x == y:
        raise ValueError(f"x and y are both {x!r}.")
    return x, y, [name for name in varied if name not in (x, y)]


def _setting(value: Any) -> Any:
    """Return a parameter as an axis has it; of an object its name and its settings."""
    if isinstance(value, list):
        return tuple(map(_setting, value))
    if isinstance(value, dict):
        settings = dict(value)
        name = settings.pop("name", "")
        return f"{name}\n{labelled(settings)}" if settings else str(name)
    return value


def gradient_check(figure: Figure, results: Results) -> Picture:
    """Draw how the differences from backpropagation fall with epsilon; the page has their table."""
    if results.study.gradient_check is None:
        raise ValueError("the study has no [gradient_check].")
    return plots.gradient_check_errors(results.gradient_check)


def _model(figure: Figure, results: Results) -> tuple[Record, Any]:
    """Return the first run that has a model, and the model."""
    records = [record for reference in figure.runs for record in results.of(reference)]
    if not records:
        raise ValueError("there is no run of it.")
    group, point = split(figure.runs[0])
    if results.study.groups[group].is_open and not point:
        records = [results.best(group)]
    record = next((record for record in records if record.model), records[0])
    return record, results.model(record)


def _samples(figure: Figure, results: Results, record: Record) -> tuple[Any, Any]:
    """Return the part that the figure is of; of the training data what the run had."""
    part = figure.options.get("part", "test")
    data = results.data
    if part == "train":
        return data.X_train[: record.n_train], data.y_train[: record.n_train]
    return (data.X_val, data.y_val) if part == "validation" else (data.X_test, data.y_test)


def _model_options(figure: Figure, results: Results, model: Any) -> dict[str, Any]:
    options = {name: value for name, value in figure.options.items() if name != "part"}
    is_known = results.study.data.name == "fashion-mnist" and hasattr(model, "classes_")
    if "class_names" not in options and is_known:
        options["class_names"] = [FASHION_MNIST_CLASSES[one] for one in model.classes_]
    return options


def _with_fate(name: str, records: list[Record]) -> str:
    """Return the name, and how many of the runs diverged."""
    n = sum(bool(record.diverged) for record in records)
    if not n:
        return name
    return f"{name} (diverged)" if n == len(records) else f"{name} ({n} of {len(records)} diverged)"


def _score_name(results: Results) -> str:
    return "accuracy" if results.is_classifier else "R²"


def _factor(measure: str, results: Results) -> int:
    return 100 if measure in SCORES and results.is_classifier else 1


def _measured(measure: str, results: Results) -> str:
    """Return what a measure is called."""
    is_score = measure in SCORES and measure != "test spread"
    return f"{measure} {_score_name(results)}" if is_score else measure


def _axis(measure: str, results: Results) -> str:
    return _measured(measure, results) + " (%)" * (_factor(measure, results) == 100)


def _folded(name: str) -> str:
    """Return a long name on several lines, broken between parameters."""
    lines: list[str] = []
    for part in name.split(", "):
        if lines and len(lines[-1]) + len(part) + 2 <= _WIDTH:
            lines[-1] += f", {part}"
        else:
            lines.append(part)
    return ",\n".join(lines)


def _note(picture: Any, text: str) -> None:
    """Write something below a picture."""
    with style():
        picture.supxlabel(textwrap.fill(text, 80), x=0.01, ha="left", fontsize=11, color=INK)
