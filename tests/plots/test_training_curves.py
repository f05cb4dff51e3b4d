"""Pictures of runs and of tables: what is drawn is what was given, and unfit input is refused."""

import sys

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV

import fastmlp
from fastmlp import History, MLPClassifier, Network, plots
from fastmlp.layers import Dense

X, Y = load_iris(return_X_y=True)
EPOCHS = 4


@pytest.fixture(scope="module")
def seeds():
    return [fastmlp.fit(X, Y, X, Y, max_iter=EPOCHS + seed, random_state=seed) for seed in range(3)]


def lines(ax):
    return {line.get_label(): line for line in ax.get_lines()}


def legend(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


# ------------------------------------------------------------------------------------------------- curves


def test_the_lines_of_one_model_are_its_history(seeds):
    (model, *_) = seeds
    figure = plots.curves(model)
    loss, score = figure.axes
    assert_array_equal(lines(loss)["training"].get_ydata(), model.loss_curve_)
    assert_array_equal(lines(loss)["validation"].get_ydata(), model.validation_loss_curve_)
    assert_array_equal(lines(score)["validation"].get_ydata(), model.validation_scores_)
    assert_array_equal(lines(score)["validation"].get_xdata(), np.arange(1, EPOCHS + 1))
    assert (loss.get_ylabel(), score.get_ylabel(), score.get_xlabel()) == ("loss", "accuracy", "epoch")
    assert legend(figure) == ["training", "validation"]


def test_without_validation_data_there_is_one_panel():
    model = fastmlp.fit(X, Y, max_iter=2, random_state=0)
    figure = plots.curves(model)
    assert [ax.get_ylabel() for ax in figure.axes] == ["loss"]
    assert legend(figure) == ["training"]


@pytest.mark.parametrize("kind", ["history", "dict", "frame", "loaded"])
def test_a_run_comes_in_many_forms(kind, seeds, tmp_path):
    history = History(loss=[3.0, 2.0], val_loss=[4.0, 3.5], val_score=[0.5, 0.6])
    runs = {"history": history, "dict": vars(history), "frame": history.to_frame()}
    if kind == "loaded":
        seeds[0].save(tmp_path / "model.safetensors")
        run, expected = fastmlp.load(tmp_path / "model.safetensors"), seeds[0].loss_curve_
    else:
        run, expected = runs[kind], history.loss
    assert_array_equal(lines(plots.curves(run).axes[0])["training"].get_ydata(), expected)


def test_a_trainer_and_training_scores_are_drawn():
    network = Network([Dense(3, "softmax")], 4, random_state=0)
    trainer = fastmlp.Trainer(network, "cross_entropy", random_state=0)
    trainer.fit(X, Y, epochs=3)
    assert_array_equal(lines(plots.curves(trainer).axes[0])["training"].get_ydata(), trainer.history.loss)
    figure = plots.curves({"score": [0.1, 0.2]}, score_name="AUC")
    assert lines(figure.axes[0])["training"].get_ydata().tolist() == [0.1, 0.2]
    assert figure.axes[0].get_ylabel() == "AUC"


def test_runs_of_a_list_have_a_colour_each(seeds):
    figure = plots.curves(seeds, labels=["a", "b", "c"])
    drawn = lines(figure.axes[0])
    for name, model in zip("abc", seeds, strict=True):
        assert_array_equal(drawn[f"{name}, training"].get_ydata(), model.loss_curve_)
        assert drawn[f"{name}, training"].get_color() == drawn[f"{name}, validation"].get_color()
    assert len({line.get_color() for line in drawn.values()}) == 3
    assert legend(figure) == ["a", "b", "c", "training", "validation"]


@pytest.mark.parametrize("band", ["range", "std", None])
def test_seeds_become_a_mean_and_a_band_as_far_as_all_go(seeds, band):
    figure = plots.curves({"ours": seeds}, band=band)
    values = np.array([model.loss_curve_[:EPOCHS] for model in seeds])
    assert_allclose(lines(figure.axes[0])["ours, training"].get_ydata(), values.mean(axis=0))
    bands = [one for one in figure.axes[0].collections if isinstance(one, PolyCollection)]
    if band is None:
        assert bands == []
        assert legend(figure) == ["training", "validation"]
        return
    deviation = values.std(axis=0, ddof=1)
    low, high = values.min(axis=0), values.max(axis=0)
    if band == "std":
        low, high = values.mean(axis=0) - deviation, values.mean(axis=0) + deviation
    corners = bands[0].get_paths()[0].vertices
    assert_allclose([corners[:, 1].min(), corners[:, 1].max()], [low.min(), high.max()])
    assert legend(figure)[-1].endswith("of 3 runs")


def test_side_by_side_each_run_has_axes_of_its_own(seeds):
    figure = plots.curves({"a": seeds[0], "b": seeds[1:]}, side_by_side=True)
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["a", "b", "", ""]
    assert_array_equal(lines(figure.axes[0])["a, training"].get_ydata(), seeds[0].loss_curve_)
    assert figure.axes[0].get_ylim() == figure.axes[1].get_ylim()


@pytest.mark.parametrize(
    ("losses", "log", "scale"),
    [
        ([10.0, 0.1], None, "log"),
        ([10.0, 1.0], None, "linear"),
        ([10.0, 1.0], True, "log"),
        ([10.0, 0.1], False, "linear"),
        ([10.0, 0.0], None, "linear"),
        ([10.0, np.nan], None, "linear"),
    ],
)
def test_large_falls_of_the_loss_are_drawn_on_a_logarithmic_axis(losses, log, scale):
    assert plots.curves({"loss": losses}, log=log).axes[0].get_yscale() == scale


def test_a_logarithmic_axis_of_less_than_a_decade_has_numbers(tmp_path):
    figure = plots.curves({"loss": [0.45, 0.4, 0.35]}, log=True)
    figure.savefig(tmp_path / "picture.png")
    (ax,) = figure.axes
    low, high = ax.get_ylim()
    assert sum(low <= tick <= high for tick in ax.yaxis.get_majorticklocs()) >= 2


def test_more_runs_than_colours_still_differ():
    figure = plots.curves([{"loss": [i, 1]} for i in range(12)])
    assert len({str(line.get_color()) for line in figure.axes[0].get_lines()}) == 12


@pytest.mark.parametrize(
    ("runs", "options", "error", "text"),
    [
        ([], {}, ValueError, "runs are empty"),
        ({"a": []}, {}, ValueError, r"runs\['a'\] is empty"),
        (MLPClassifier(), {}, NotFittedError, "not fitted"),
        (History(), {}, ValueError, "has no epochs"),
        (LogisticRegression().fit(X[:100], Y[:100]), {}, ValueError, "LogisticRegression that has no epochs"),
        ([3], {}, TypeError, "runs hold a int"),
        ("loss", {}, TypeError, "runs hold a str"),
        ({"loss": [[1.0]]}, {}, ValueError, "shape"),
        ([{"loss": [1]}], {"labels": ["a", "b"]}, ValueError, "labels="),
        ([{"loss": [1]}] * 2, {"labels": ["a", "a"]}, ValueError, "labels="),
        ({"a": {"loss": [1]}}, {"labels": ["b"]}, ValueError, "labels="),
        ({"loss": [1.0]}, {"band": "all"}, ValueError, "band='all'"),
        ({"loss": [1.0, 0.0]}, {"log": True}, ValueError, "log=True"),
        ({"loss": [1.0]}, {"figure": 3}, TypeError, "figure=3"),
    ],
)
def test_what_is_no_run_is_refused(runs, options, error, text):
    with pytest.raises(error, match=text):
        plots.curves(runs, **options)


# --------------------------------------------------------------------------------------------- comparison

SCORES = {"one": 0.8, "three": [0.7, 0.9, 0.95]}


@pytest.mark.parametrize("kind", ["dots", "bars"])
@pytest.mark.parametrize("error", ["std", "range", None])
def test_means_and_errors_are_drawn(kind, error):
    (ax,) = plots.comparison(SCORES, kind=kind, error=error, score_name="accuracy").axes
    means = [0.8, 0.85]
    if kind == "bars":
        assert_allclose([bar.get_width() for bar in ax.patches], means)
        assert ax.get_xlim()[0] == 0
    else:
        assert_allclose([bar.lines[0].get_xdata()[0] for bar in ax.containers], means)
    (_, bar) = [one for one in ax.containers if hasattr(one, "has_xerr")]
    assert bar.has_xerr == (error is not None)
    if error:
        ends = bar.lines[2][0].get_segments()[0][:, 0]
        deviation = np.std(SCORES["three"], ddof=1)
        assert_allclose(ends, [0.85 - deviation, 0.85 + deviation] if error == "std" else [0.7, 0.95])
    assert [label.get_text() for label in ax.get_yticklabels()] == ["one", "three"]
    assert ax.get_xlabel() == "accuracy"


def test_published_scores_stand_beside_ours():
    (ax,) = plots.comparison(SCORES, references={"three": 0.91}).axes
    (published,) = (line for line in ax.get_lines() if line.get_label() == "published")
    assert (published.get_xdata().tolist(), published.get_ydata().tolist()) == ([0.91], [1])
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        "mean ± standard deviation",
        "published",
    ]


@pytest.mark.parametrize(
    ("scores", "options", "error", "text"),
    [
        ({}, {}, ValueError, "scores are empty"),
        ([0.5], {}, TypeError, "scores is a list"),
        ({"a": "good"}, {}, TypeError, r"scores\['a'\]='good'"),
        ({"a": []}, {}, ValueError, r"scores\['a'\]=\[\]"),
        ({"a": [0.1, np.nan]}, {}, ValueError, "finite"),
        (SCORES, {"references": {"two": 1}}, ValueError, "references has 'two'"),
        (SCORES, {"kind": "pie"}, ValueError, "kind='pie'"),
        (SCORES, {"error": "sem"}, ValueError, "error='sem'"),
        (SCORES, {"ax": Figure()}, TypeError, "ax="),
    ],
)
def test_what_are_no_scores_is_refused(scores, options, error, text):
    with pytest.raises(error, match=text):
        plots.comparison(scores, **options)


# ----------------------------------------------------------------------------------------------- heat map

RESULTS = [
    {"width": width, "rate": rate, "seed": seed, "score": width / 100 - rate + seed / 1000}
    for width in (20, 10)
    for rate in (0.1, 0.01, 0.001)
    for seed in (0, 1)
    if (width, rate) != (20, 0.001)
]


def image_of(figure):
    return figure.axes[0].get_images()[0].get_array()


@pytest.mark.parametrize(("combine", "seed"), [("mean", 0.5), ("max", 1), ("min", 0)])
@pytest.mark.parametrize("form", [list, pd.DataFrame])
def test_the_cells_are_the_scores_in_order(combine, seed, form):
    figure = plots.heat_map(form(RESULTS), "width", "rate", "score", combine=combine)
    (ax,) = figure.axes
    expected = np.array([[w / 100 - r + seed / 1000 for r in (0.001, 0.01, 0.1)] for w in (10, 20)])
    expected[1, 0] = np.nan
    assert_allclose(np.ma.filled(image_of(figure), np.nan), expected)
    assert [label.get_text() for label in ax.get_xticklabels()] == ["0.001", "0.01", "0.1"]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["10", "20"]
    assert [text.get_text() for text in ax.texts] == [
        "–" if np.isnan(value) else f"{value:.4f}" for value in expected.flat
    ]
    assert ax.get_title(loc="left") == f"{combine} of several score"


@pytest.mark.parametrize(
    ("combine", "greater", "there"),
    [("mean", True, False), ("mean", False, False), ("min", True, False), ("max", False, False),
     ("max", True, True), ("min", False, True)],
)  # fmt: skip
@pytest.mark.parametrize("lost", [None, np.nan])
def test_a_score_that_is_not_finite_is_the_worst_of_its_cell(combine, greater, there, lost):
    results = [{"a": a, "b": 1, "s": score} for a, score in ((1, 0.9), (1, lost), (2, 0.7), (2, 0.8))]
    figure = plots.heat_map(results, "a", "b", "s", combine=combine, greater_is_better=greater)
    assert np.isfinite(np.ma.filled(image_of(figure), np.nan)).ravel().tolist() == [there, True]


@pytest.mark.parametrize(("greater", "corner"), [(True, (0.5, 0.5)), (False, (1.5, -0.5))])
def test_the_best_cell_is_framed(greater, corner):
    (ax,) = plots.heat_map(RESULTS, "width", "rate", "score", greater_is_better=greater).axes
    (frame,) = (patch for patch in ax.patches if isinstance(patch, Rectangle))
    assert frame.get_xy() == corner
    (bold,) = (text for text in ax.texts if text.get_weight() == "bold")
    assert bold.get_position() == (corner[0] + 0.5, corner[1] + 0.5)


def test_a_grid_search_is_drawn_also_one_of_several_grids():
    grids = [
        {"hidden_layer_sizes": [(4, 4), (4,)], "alpha": [0.1, 0.001]},
        {"hidden_layer_sizes": [(8,)]},  # its alpha is masked
    ]
    base = MLPClassifier(learning_rate="one_cycle", max_iter=3, random_state=0)
    search = GridSearchCV(base, grids, cv=2).fit(X, Y)
    for results in (search, search.cv_results_):
        figure = plots.heat_map(results, "hidden_layer_sizes", "param_alpha")
        (ax,) = figure.axes
        assert [label.get_text() for label in ax.get_yticklabels()] == ["4", "4, 4"]
        assert ax.get_xlabel() == "alpha"
        means = search.cv_results_["mean_test_score"]
        assert_allclose(image_of(figure).ravel(), [means[3], means[1], means[2], means[0]])


def test_names_keep_their_order_and_missing_scores_are_dashes():
    results = [{"a": a, "b": None, "s": s} for a, s in (("z", 99.0), ("y", None), (["x"], 1.0))]
    (ax,) = plots.heat_map(results, "a", "b", "s").axes
    assert [label.get_text() for label in ax.get_yticklabels()] == ["z", "y", "x"]
    assert [text.get_text() for text in ax.texts] == ["99.00", "–", "1.00"]


@pytest.mark.parametrize(
    ("results", "names", "options", "error", "text"),
    [
        (RESULTS, ("depth", "rate", "score"), {}, ValueError, "rows='depth'.*'width'"),
        (RESULTS, ("width", "rate", "loss"), {}, ValueError, "score='loss'"),
        ([], ("width", "rate", "score"), {}, ValueError, "nothing"),
        (3, ("width", "rate", "score"), {}, TypeError, "results are a int"),
        ([{"a": 1, "b": 2, "s": np.nan}], ("a", "b", "s"), {}, ValueError, "no finite 's'"),
        ([{"a": 1, "b": 2, "s": "x"}], ("a", "b", "s"), {}, TypeError, "s='x'"),
        ([{"a": 1, "b": 2, "s": s} for s in (1, None)], ("a", "b", "s"), {}, ValueError, "in every cell"),
        (RESULTS, ("width", "rate", "score"), {"combine": "sum"}, ValueError, "combine='sum'"),
    ],
)
def test_what_is_no_grid_is_refused(results, names, options, error, text):
    with pytest.raises(error, match=text):
        plots.heat_map(results, *names, **options)


# ----------------------------------------------------------------------------------- what all pictures share


def test_the_callers_axes_and_figures_are_drawn_on():
    figure = Figure()
    left, right = figure.subfigures(1, 2)
    assert plots.curves({"loss": [1.0, 0.5]}, figure=left) is left
    ax = right.subplots()
    assert plots.comparison(SCORES, ax=ax) is right
    assert len(figure.axes) == 2
    figure.savefig(sys.modules["io"].BytesIO(), format="png")


def test_the_settings_of_others_stay_and_do_not_matter(tmp_path):
    import matplotlib as mpl

    with mpl.rc_context({"axes.facecolor": "black", "savefig.facecolor": "black", "text.color": "white"}):
        before = dict(mpl.rcParams)
        figure = plots.comparison(SCORES)
        figure.savefig(tmp_path / "picture.png")
        assert dict(mpl.rcParams) == before
    pixels = mpl.image.imread(tmp_path / "picture.png")
    assert_array_equal(pixels[0, 0], 1)


def test_a_notebook_shows_a_picture_by_itself():
    assert plots.comparison(SCORES)._repr_png_().startswith(b"\x89PNG")


def test_the_same_picture_gives_the_same_file(tmp_path):
    for name in ("a.svg", "b.svg"):
        plots.comparison(SCORES).savefig(tmp_path / name, metadata={"Date": None})
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_names_are_words_and_no_formulas(tmp_path):
    plots.comparison({"$x_": [0.1, 0.2], "a$b$": 0.3}).savefig(tmp_path / "picture.png")


def test_without_matplotlib_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"pip install 'fastmlp\[plot\]'"):
        plots.comparison(SCORES)


def test_importing_fastmlp_leaves_matplotlib_alone():
    import subprocess

    code = "import sys, fastmlp; print('matplotlib' in sys.modules, fastmlp.plots.curves.__name__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "curves"]
