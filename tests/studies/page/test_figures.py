"""The pictures of a study: each kind is drawn from its runs, and what cannot be drawn is said."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from fastmlp.datasets import FASHION_MNIST_CLASSES
from fastmlp.studies import StudyError, load_study, run_study
from fastmlp.studies.file.study import Figure
from fastmlp.studies.page import drawing
from fastmlp.studies.page.figures import alternative, draw_figures, drawn

STUDY = """
title = "Digits"
data = {name = "digits", validation = 300}
base = {prepare = "image", max_iter = 3, batch_size = 32, hidden_layer_sizes = [8]}

[runs.width]
seeds = 2
list.narrow.hidden_layer_sizes = [4]
list.wide.hidden_layer_sizes = [16]

[runs.rates]
set.solver = "sgd"
list.mad.learning_rate_init = 1e30
list.sane.learning_rate_init = 0.1

[runs.grid]
set.max_iter = 2
seeds = 2
grid = {learning_rate_init = [0.1, 0.01], l2 = [0.0, 0.001], hidden_layer_sizes = [[4], [8]]}

[[tables]]
title = "Width"
runs = "width"
published.validation = {wide = 0.5}

[[figures]]
kind = "curves"
title = "Width: <b>curves</b> & more"
runs = "width"
[[figures]]
kind = "first_layer"
title = "Weights"
runs = "width/wide"
epochs = [0, 1, 9]
[[figures]]
kind = "gradient_check"
title = "Gradients"

[gradient_check]
of = "width/wide"
"""


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    (folder / "my.toml").write_text(STUDY)
    return run_study(load_study(folder / "my.toml"), folder / "out")


def draw(results, kind, runs, **options):
    return drawn(Figure(kind, "title", "", tuple(runs), options), results)


def legend(picture):
    return [text.get_text() for text in picture.legends[0].get_texts()]


def sentence(picture):
    (text,) = picture.axes[0].texts
    return text.get_text().replace("\n", " ")


def test_curves_are_means_over_seeds_under_the_names_of_the_table(results):
    picture = draw(results, "curves", ["width"])
    assert legend(picture) == ["narrow", "wide", "training", "validation", "min to max of 2 runs"]
    _, score = picture.axes
    assert score.get_ylabel() == "accuracy"
    lines = {line.get_label(): line.get_ydata() for line in score.get_lines()}
    wide = [record.curves["score"] for record in results.of("width/wide")]
    assert_array_equal(lines["wide, training"], np.mean(wide, axis=0))
    assert legend(draw(results, "curves", ["width/wide", "rates/sane"]))[:2] == ["width/wide", "rates/sane"]


def test_curves_can_be_of_one_measure_one_part_and_the_first_epochs(results):
    (ax,) = draw(results, "curves", ["width"], measure="loss", part="validation", epochs=2).axes
    assert [line.get_label() for line in ax.get_lines()] == ["narrow, validation", "wide, validation"]
    assert [len(line.get_xdata()) for line in ax.get_lines()] == [2, 2]
    assert len(draw(results, "curves", ["width"], side_by_side=True).axes) == 4


def test_what_diverged_at_once_stands_in_the_legend(results):
    picture = draw(results, "curves", ["rates"])
    assert legend(picture)[:2] == ["mad (diverged)", "sane"]
    mad, sane = (record.curves["loss"] for record in results.of("rates"))
    drawn_there = {line.get_label(): line.get_ydata() for line in picture.axes[0].get_lines()}
    assert not mad
    assert np.isnan(drawn_there["mad (diverged), training"]).all()
    assert_array_equal(drawn_there["sane, training"], sane)


def test_a_comparison_has_the_published_figures_and_tells_what_it_lacks(results):
    picture = draw(results, "comparison", ["width", "rates"])
    (ax,) = picture.axes
    assert [label.get_text() for label in ax.get_yticklabels()] == [
        "width/narrow",
        "width/wide",
        "rates/sane",
    ]
    diamonds = [line for line in ax.get_lines() if line.get_marker() == "D"]
    assert (diamonds[0].get_xdata(), diamonds[0].get_ydata()) == ([50.0], [1])
    assert ax.get_xlabel() == "validation accuracy (%)"
    assert picture.get_supxlabel() == "Without a validation accuracy: rates/mad (diverged)."
    assert (
        sentence(draw(results, "comparison", ["rates/mad"])) == "Not drawn: no run has a validation accuracy."
    )


def test_mistakes_are_those_of_the_part_that_was_asked_for(results):
    record = results.of("width/narrow")[0]
    model = results.model(record)
    for part, y, X in (
        ("test", results.data.y_test, results.data.X_test),
        ("train", results.data.y_train, results.data.X_train),
    ):
        wrong = (model.predict(X) != y).sum()
        picture = draw(results, "misclassified", ["width"], part=part, n=4)
        assert picture.get_suptitle().startswith(f"{wrong} of {len(y)} misclassified")
        assert len(picture.axes) == 4
    (ax,) = draw(results, "confusion_matrix", ["width/wide"], part="validation").axes
    assert ax.get_title(loc="left").startswith("300 samples")


def test_the_classes_of_fashion_mnist_have_names(results):
    class_names = [FASHION_MNIST_CLASSES[i] for i in range(10)]
    (ax,) = draw(results, "confusion_matrix", ["width"], class_names=class_names).axes
    assert [label.get_text() for label in ax.get_yticklabels()][::9] == ["T-shirt", "ankle boot"]
    fashion = load_study_of(results, "fashion-mnist")
    model = results.model(results.of("width/wide")[0])
    options = drawing._model_options(Figure("confusion_matrix", "t"), fashion, model)
    assert options["class_names"] == class_names


def load_study_of(results, data):
    """Return results whose study says that the data are others."""
    study = replace(results.study, data=replace(results.study.data, name=data))
    return replace(results, study=study)


def test_the_weights_are_those_of_the_epochs_and_of_the_end(results):
    picture = draw(results, "first_layer", ["width/wide"], epochs=[0, 1, 9])
    assert [ax.get_title() for ax in picture.axes] == ["at the start", "after 1 epoch", "the model, 3 epochs"]
    assert picture.get_supxlabel() == "Training ended before epoch 9."


def test_a_heat_map_has_means_over_seeds_and_the_best_of_the_rest(results):
    (ax,) = draw(results, "heat_map", ["grid"], x="l2").axes
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("l2", "learning_rate_init")
    assert "best over hidden_layer_sizes" in ax.get_title(loc="left")
    assert "mean of 2 seeds" in ax.get_title(loc="left")
    cells = ax.get_images()[0].get_array()
    for i, rate in enumerate((0.01, 0.1)):
        for j, l2 in enumerate((0.0, 0.001)):
            points = [
                np.mean([
                    record.scores["validation"]
                    for record in results.of("grid")
                    if record.params["learning_rate_init"] == rate and record.params["l2"] == l2
                    and record.params["hidden_layer_sizes"] == sizes
                ])
                for sizes in ([4], [8])
            ]  # fmt: skip
            assert cells[i, j] == pytest.approx(100 * max(points))


@pytest.mark.parametrize(
    ("kind", "runs", "options", "says"),
    [
        ("heat_map", ["width"], {}, "a heat map needs two parameters, and width varies 1"),
        (
            "heat_map",
            ["grid"],
            {"x": "alpha"},
            "x = 'alpha' is not one of those that grid varies",
        ),
        ("heat_map", ["grid"], {"x": "l2", "y": "l2"}, "x and y are both 'l2'"),
        ("decision_boundary", ["width"], {}, "X has 64 features"),
        ("misclassified", ["rates/mad"], {}, "rates/mad/seed 0 has no model: training diverged"),
        ("confusion_matrix", ["width"], {"class_names": ["a"]}, "class_names=['a'] must be 10"),
        ("first_layer", ["width"], {"image_shape": [5, 5]}, "image_shape"),
        ("curves", ["rates/mad"], {"log": True}, "log=True needs losses above 0"),
    ],
)
def test_what_cannot_be_drawn_is_said(results, kind, runs, options, says):
    assert says in sentence(draw(results, kind, runs, **options))


def test_a_plane_is_drawn_from_a_file(tmp_path):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 2))
    table = np.c_[X, X.sum(axis=1) > 0]
    np.savetxt(tmp_path / "my.csv", table, "%g", ",", header="a,b,y", comments="")
    (tmp_path / "my.toml").write_text(
        f'title = "t"\n[data]\nname = "{tmp_path}/my.csv"\ntarget = "y"\n[base]\nmax_iter = 5\n[runs.one]\n'
        '[[figures]]\nkind = "decision_boundary"\ntitle = "plane"\nruns = "one"\nresolution = 20\n'
    )
    results = run_study(load_study(tmp_path / "my.toml"), tmp_path / "out")
    ax = drawn(results.study.figures[0], results).axes[0]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("a", "b")


def test_every_picture_becomes_two_files_that_stay_the_same(results):
    written = draw_figures(results)
    assert [path.name for _, path in written] == [
        "1-curves-width-b-curves-b-more.png",
        "2-first_layer-weights.png",
        "3-gradient_check-gradients.png",
    ]
    before = {path: path.read_bytes() for path in sorted((results.folder / "figures").iterdir())}
    assert len(before) == 6
    for path, content in before.items():
        assert content.startswith(b"\x89PNG" if path.suffix == ".png" else b"<?xml")
    draw_figures(results)
    assert {path: path.read_bytes() for path in before} == before


def test_each_picture_has_words_that_stand_for_it(results):
    said = [alternative(figure, results) for figure in results.study.figures]
    assert said == [
        "Width: <b>curves</b> & more. Curves over the epochs, of narrow, wide.",
        "Weights. The first layer's weights as colour images, of width/wide.",
        "Gradients. The differences of backpropagation from central differences, for each epsilon.",
    ]


@pytest.mark.parametrize(
    ("kind", "option", "says"),
    [
        ("curves", 'measure = "accuracy"', "measure: 'accuracy' is not one of loss, score"),
        ("curves", "log = 1", "log: must be true or false"),
        ("curves", "epochs = 0", "epochs: must be at least 1, not 0"),
        ("comparison", 'measure = "running loss"', "measure: 'running loss' is not one of train, validation"),
        ("misclassified", "n = true", "n: must be a whole number, not True"),
        ("misclassified", "class_names = [1]", "class_names: must be a text, not 1"),
        ("misclassified", "image_shape = [8]", "image_shape: must be height and width"),
        ("first_layer", "epochs = [-1]", "epochs: must be a list of epochs"),
        ("heat_map", "x = 1", "x: must be a text"),
        ("heat_map", "z = 1", "z: is not known"),
        ("picture", "", "'picture' is not one of curves"),
    ],
)
def test_a_wrong_option_is_told_when_the_file_is_read(tmp_path, kind, option, says):
    (tmp_path / "my.toml").write_text(
        f'title = "t"\ndata.name = "digits"\n[runs.one]\n[[figures]]\nkind = "{kind}"\ntitle = "f"\n'
        f'runs = "one"\n{option}\n'
    )
    with pytest.raises(StudyError, match=rf"figures\[0\].*{says}"):
        load_study(tmp_path / "my.toml")
