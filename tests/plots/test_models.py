"""Pictures of models: what is drawn is what the model says, and unfit input is refused."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_matrix
from sklearn import metrics
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.neural_network import MLPClassifier as TheirClassifier
from sklearn.svm import LinearSVC

import fastmlp
from fastmlp import MLPClassifier, MLPRegressor, Network, plots
from fastmlp.layers import Dense
from fastmlp.plots.style import COLORS, INK

X, Y, X_TEST, Y_TEST = fastmlp.datasets.load_digits()
NAMES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
FLOWERS, KINDS = load_iris(return_X_y=True)
FLOWERS = FLOWERS[:, 2:]
WORDS = np.array(["setosa", "versicolor", "virginica"])[KINDS]


@pytest.fixture(scope="module")
def model():
    """Of which a twentieth of its predictions is wrong."""
    return fastmlp.fit(X, Y, max_iter=2, random_state=0)


@pytest.fixture(scope="module")
def flower_model():
    return fastmlp.fit(FLOWERS, WORDS, random_state=0)


@pytest.fixture(scope="module")
def regressor():
    return fastmlp.fit(FLOWERS, FLOWERS @ [1.0, 2.0], max_iter=20, random_state=0)


def titles(figure, loc="center"):
    return [ax.get_title(loc=loc) for ax in figure.axes]


# -------------------------------------------------------------------------------------------- misclassified


def test_the_first_wrong_images_are_drawn_with_labels_and_confidence(model):
    figure = plots.misclassified(model, X_TEST, Y_TEST, n=5)
    predicted, p = model.predict(X_TEST), model.predict_proba(X_TEST)
    wrong = np.flatnonzero(predicted != Y_TEST)
    assert len(wrong) > 5
    for ax, row in zip(figure.axes, wrong[:5], strict=True):
        image = ax.get_images()[0]
        assert_array_equal(image.get_array(), X_TEST[row].reshape(8, 8))
        assert image.get_clim() == (0, 16)
        sure = f"{100 * p[row].max():.0f} %" if p[row].max() < 0.995 else "> 99 %"
        assert ax.get_title() == f"{Y_TEST[row]} → {predicted[row]}\n{sure}"
    assert figure.get_suptitle().startswith(f"{len(wrong)} of 360 misclassified (")
    assert "the first 5" in figure.get_suptitle()


def test_the_most_confident_mistakes_come_first_under_their_names(model):
    figure = plots.misclassified(model, X_TEST, Y_TEST, n=3, order="confident", class_names=NAMES)
    predicted, p = model.predict(X_TEST), model.predict_proba(X_TEST).max(axis=1)
    wrong = np.flatnonzero(predicted != Y_TEST)
    best = wrong[np.argsort(-p[wrong])][:3]
    for ax, row in zip(figure.axes, best, strict=True):
        assert_array_equal(ax.get_images()[0].get_array(), X_TEST[row].reshape(8, 8))
        assert ax.get_title().startswith(f"{NAMES[Y_TEST[row]]}\n→ {NAMES[predicted[row]]}, ")


def test_sparse_rows_are_drawn_too():
    plain = MLPClassifier((8,), learning_rate="one_cycle", max_iter=1, random_state=0).fit(csr_matrix(X), Y)
    dense, sparse = (plots.misclassified(plain, one, Y_TEST, n=2) for one in (X_TEST, csr_matrix(X_TEST)))
    assert titles(dense) == titles(sparse)
    for one, other in zip(dense.axes, sparse.axes, strict=True):
        assert_array_equal(one.get_images()[0].get_array(), other.get_images()[0].get_array())


def test_a_picture_without_mistakes_says_so(model):
    right = model.predict(X_TEST) == Y_TEST
    figure = plots.misclassified(model, X_TEST[right], Y_TEST[right])
    assert [text.get_text() for text in figure.axes[0].texts] == [
        f"None of {right.sum()} samples is misclassified."
    ]


def test_images_may_be_coloured_and_a_model_without_probabilities():
    rng = np.random.default_rng(0)
    colours = rng.normal(size=(40, 4 * 2 * 3))
    labels = np.where(rng.normal(size=40) > 0, "a", "b")
    svm = LinearSVC(random_state=0, max_iter=3, tol=1e9).fit(colours[:10], labels[:10])
    figure = plots.misclassified(svm, colours, labels, n=2, image_shape=(4, 2, 3))
    rows = np.flatnonzero(svm.predict(colours) != labels)[:2]
    shown = np.array([ax.get_images()[0].get_array() for ax in figure.axes])
    assert shown.shape == (2, 4, 2, 3)
    assert (shown.min(), shown.max()) == (0, 1)
    assert np.corrcoef(shown.ravel(), colours[rows].ravel())[0, 1] > 0.999
    assert set(titles(figure)) <= {"a → b", "b → a"}
    with pytest.raises(ValueError, match="order='confident' needs a model with predict_proba"):
        plots.misclassified(svm, colours, labels, image_shape=(4, 2, 3), order="confident")


def test_the_models_own_image_shape_is_taken():
    wide = MLPClassifier(image_shape=(4, 16), learning_rate="one_cycle", max_iter=1, random_state=0).fit(X, Y)
    figure = plots.misclassified(wide, X_TEST, Y_TEST, n=1)
    assert figure.axes[0].get_images()[0].get_array().shape == (4, 16)
    assert plots.first_layer(wide).axes[0].get_images()[0].get_array().shape == (4, 16, 3)


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"n": 0}, ValueError, "n=0"),
        ({"n": 2.5}, TypeError, "n=2.5"),
        ({"order": "last"}, ValueError, "order='last'"),
        ({"image_shape": (8, 9)}, ValueError, r"image_shape=\(8, 9\)"),
        ({"image_shape": (4, 4, 4)}, ValueError, "4 channels"),
        ({"class_names": NAMES[:9]}, ValueError, "class_names=.*must be 10"),
        ({"figure": "mine"}, TypeError, "figure='mine'"),
    ],
)
def test_wrong_settings_of_a_gallery_are_refused(model, options, error, text):
    with pytest.raises(error, match=text):
        plots.misclassified(model, X_TEST, Y_TEST, **options)


CLASSIFIERS_PICTURES = [plots.misclassified, plots.confusion_matrix]


@pytest.mark.parametrize("draw", CLASSIFIERS_PICTURES)
def test_what_is_no_classifier_of_these_labels_is_refused(draw, model, regressor):
    with pytest.raises(NotFittedError):
        draw(MLPClassifier(), X_TEST, Y_TEST)
    with pytest.raises(ValueError, match="model is a MLPRegressor"):
        draw(regressor, FLOWERS, KINDS)
    with pytest.raises(ValueError, match="y has the label 10; the model knows"):
        draw(model, X_TEST, Y_TEST + 1)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        draw(model, X_TEST, Y_TEST[1:])
    with pytest.raises(ValueError, match=r"y has shape \(360, 10\)"):
        draw(model, X_TEST, np.eye(10)[Y_TEST])
    with pytest.raises(ValueError, match="60 features"):
        draw(model, X_TEST[:, :60], Y_TEST)
    indicators = fastmlp.fit(X, np.eye(10, dtype=int)[Y], max_iter=1, random_state=0)
    with pytest.raises(ValueError, match="label indicators"):
        draw(indicators, X_TEST, Y_TEST)


# ------------------------------------------------------------------------------------------------ first layer


def test_the_first_layer_is_three_principal_components(model):
    start = np.random.default_rng(0).normal(size=(64, 20))
    figure = plots.first_layer([start, model], labels=["start", "end"])
    assert titles(figure) == ["start", "end"]
    for ax, weights in zip(figure.axes, (start, model.coefs_[0]), strict=True):
        expected = (np.clip(PCA(3).fit_transform(weights.astype(float)), -1, 1) + 1) / 2
        shown = ax.get_images()[0].get_array()
        assert shown.shape == (8, 8, 3)
        assert_allclose(shown, expected.reshape(8, 8, 3), atol=1e-6)
    shown = figure.axes[0].get_images()[0].get_array()
    assert (shown.min(), shown.max()) == (0, 1)  # they are clipped


def test_networks_and_other_peoples_models_have_a_first_layer_too():
    network = Network([Dense(5, "relu"), Dense(2)], 12, random_state=0)
    theirs = TheirClassifier((5,), max_iter=1, solver="lbfgs")
    theirs.coefs_, theirs.n_layers_ = network.coefs_, 3
    images = [plots.first_layer(one, (3, 4)).axes[0].get_images()[0].get_array() for one in (network, theirs)]
    assert images[0].shape == (3, 4, 3)
    assert_array_equal(*images)


@pytest.mark.parametrize(
    ("weights", "options", "error", "text"),
    [
        (MLPRegressor(), {}, NotFittedError, "not fitted"),
        ([], {}, ValueError, "must hold one or more"),
        (np.ones((64, 2)), {}, ValueError, r"\(64, 2\).*three or more"),
        (np.ones(64), {}, ValueError, r"\(64,\)"),
        (np.full((64, 4), np.nan), {}, ValueError, "finite"),
        (np.ones((63, 4)), {}, ValueError, "63 features are no square"),
        (np.ones((64, 4)), {"image_shape": (8, 7)}, ValueError, r"image_shape=\(8, 7\)"),
        (np.ones((64, 4)), {"image_shape": (4, 4, 4)}, ValueError, "one channel"),
        (np.ones((64, 4)), {"labels": ["a", "b"]}, ValueError, "labels="),
    ],
)
def test_what_has_no_first_layer_is_refused(weights, options, error, text):
    with pytest.raises(error, match=text):
        plots.first_layer(weights, **options)


# ------------------------------------------------------------------------------------------- confusion matrix


def texts_of(ax):
    return np.array([text.get_text() for text in ax.texts]).reshape(10, 10)


@pytest.mark.parametrize("normalize", [None, "true", "pred", "all"])
def test_the_cells_are_scikit_learns_confusion_matrix(model, normalize):
    (ax,) = plots.confusion_matrix(model, X_TEST, Y_TEST, normalize=normalize).axes
    expected = metrics.confusion_matrix(Y_TEST, model.predict(X_TEST), normalize=normalize)
    expected = expected if normalize is None else 100 * expected
    assert_allclose(ax.get_images()[0].get_array(), expected)
    written = "{}" if normalize is None else "{:.1f}"
    assert texts_of(ax).ravel().tolist() == [written.format(v) if v else "" for v in expected.ravel()]
    assert {text.get_color() for text in ax.texts} == {"white", INK}
    right = f"{100 * model.score(X_TEST, Y_TEST):.1f} % right"
    assert ax.get_title(loc="left").endswith(right)


def test_classes_that_do_not_come_up_keep_their_place_and_names(model):
    few = Y_TEST < 3
    (ax,) = plots.confusion_matrix(model, X_TEST[few], Y_TEST[few], class_names=NAMES).axes
    assert [label.get_text() for label in ax.get_yticklabels()] == NAMES
    assert ax.get_images()[0].get_array()[3:].sum() == 0


@pytest.mark.parametrize(("n_classes", "n_texts"), [(30, 900), (120, 0)])
def test_many_classes_stay_on_a_page_without_numbers_that_nobody_could_read(n_classes, n_texts):
    labels = np.arange(3 * n_classes) % n_classes
    many = MLPClassifier(learning_rate="one_cycle", max_iter=1, random_state=0).fit(labels[:, None], labels)
    figure = plots.confusion_matrix(many, labels[:, None], labels)
    assert figure.get_figheight() <= 12
    assert len(figure.axes[0].texts) == n_texts


def test_wrong_settings_of_a_confusion_matrix_are_refused(model):
    with pytest.raises(ValueError, match="normalize='rows'"):
        plots.confusion_matrix(model, X_TEST, Y_TEST, normalize="rows")
    with pytest.raises(ValueError, match="class_names="):
        plots.confusion_matrix(model, X_TEST, Y_TEST, class_names=["a"])


# ------------------------------------------------------------------------------------------ decision boundary


def test_regions_are_mixed_as_the_model_is_sure_and_samples_lie_on_them(flower_model):
    figure = plots.decision_boundary(flower_model, FLOWERS, WORDS, resolution=30)
    (ax,) = figure.axes
    image = ax.get_images()[0]
    left, right, bottom, top = image.get_extent()
    corners = np.array([[left, bottom], [right, bottom], [left, top], [right, top]])
    hues = np.array([to_rgb(hue) for hue in COLORS[:3]])
    expected = 1 - 0.45 * (flower_model.predict_proba(corners) @ (1 - hues))
    shown = np.asarray(image.get_array())
    assert shown.shape == (30, 30, 3)
    assert_allclose([shown[0, 0], shown[0, -1], shown[-1, 0], shown[-1, -1]], expected, atol=1e-5)
    points = {one.get_label(): one.get_offsets() for one in ax.collections if len(one.get_offsets()) > 1}
    for kind in flower_model.classes_:
        assert_array_equal(points[kind], FLOWERS[kind == WORDS])
    assert [text.get_text() for text in ax.get_legend().get_texts()] == flower_model.classes_.tolist()
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("feature 0", "feature 1")


def test_the_line_between_classes_is_where_the_prediction_changes(flower_model):
    (ax,) = plots.decision_boundary(flower_model, FLOWERS, WORDS).axes
    contours = [one for one in ax.collections if hasattr(one, "levels")]
    assert len(contours) == 2
    for contour in contours:
        p = np.sort(flower_model.predict_proba(contour.get_paths()[0].vertices), axis=1)
        assert np.abs(p[:, -1] - p[:, -2]).max() < 0.05


def test_data_frames_name_the_axes_and_models_without_probabilities_will_do():
    frame = pd.DataFrame(FLOWERS, columns=["length", "width"])
    for model in (fastmlp.fit(frame, WORDS, max_iter=2, random_state=0), LinearSVC().fit(frame, WORDS)):
        (ax,) = plots.decision_boundary(model, frame, WORDS, resolution=10, class_names="abc").axes
        assert (ax.get_xlabel(), ax.get_ylabel()) == ("length", "width")
        assert [text.get_text() for text in ax.get_legend().get_texts()] == ["a", "b", "c"]


def test_a_regressors_surface_shares_its_colours_with_the_targets(regressor):
    targets = FLOWERS @ [1.0, 2.0]
    ax, bar = plots.decision_boundary(regressor, FLOWERS, targets, resolution=20).axes
    image = ax.get_images()[0]
    left, right, bottom, top = image.get_extent()
    shown = image.get_array()
    expected = regressor.predict(np.array([[left, bottom], [right, top]]))
    assert_allclose([shown[0, 0], shown[-1, -1]], expected, rtol=1e-5)
    (points,) = ax.collections
    assert_array_equal(points.get_array(), targets)
    assert points.get_clim() == image.get_clim()
    assert bar.get_ylabel() == "prediction; points: target"


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"X": FLOWERS[:, [0, 1, 1]]}, ValueError, "X has 3 features"),
        ({"y": KINDS}, ValueError, "y has the label 0"),
        ({"y": WORDS[1:]}, ValueError, "inconsistent"),
        ({"resolution": 1}, ValueError, "resolution=1"),
        ({"feature_names": ["a"]}, ValueError, "feature_names="),
        ({"class_names": ["a"]}, ValueError, "class_names="),
        ({"model": MLPClassifier()}, NotFittedError, "not fitted"),
        ({"ax": 1}, TypeError, "ax=1"),
    ],
)
def test_unfit_input_of_a_decision_boundary_is_refused(flower_model, options, error, text):
    with pytest.raises(error, match=text):
        plots.decision_boundary(**{"model": flower_model, "X": FLOWERS, "y": WORDS, **options})


def test_regressors_of_several_numbers_have_no_surface(regressor):
    both = MLPRegressor(learning_rate="one_cycle", max_iter=1, random_state=0).fit(FLOWERS, FLOWERS)
    with pytest.raises(ValueError, match=r"y has shape \(150, 2\)"):
        plots.decision_boundary(both, FLOWERS, FLOWERS)
    with pytest.raises(ValueError, match="several numbers"):
        plots.decision_boundary(both, FLOWERS, KINDS)
    with pytest.raises(ValueError, match="inconsistent"):
        plots.decision_boundary(regressor, FLOWERS, KINDS[1:])
