"""The recipes for the best accuracies, and the command that runs them."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from fastmlp import MLPClassifier
from fastmlp.datasets import load_digits

sys.path.append(str(Path(__file__).parents[2]))  # benchmarks/ is no part of what is installed

from benchmarks import recipes


@pytest.fixture
def digits(monkeypatch):
    """The embedded digits in place of the larger images, one epoch, small layers."""
    data = load_digits()
    monkeypatch.setattr(recipes, "images", lambda name, held_out: data)
    monkeypatch.setitem(recipes.COMMON, "hidden_layer_sizes", (32, 16))
    for name, recipe in recipes.RECIPES.items():
        monkeypatch.setitem(recipes.RECIPES, name, recipe | {"max_iter": 2})


def test_every_recipe_is_run_for_every_seed(digits, tmp_path, capsys):
    recipes.main(["--seeds", "2", "--out", str(tmp_path / "found.json")])
    found = json.loads((tmp_path / "found.json").read_text())
    shown = capsys.readouterr().out.splitlines()
    assert list(found["accuracies"]) == list(recipes.RECIPES)
    for line, (name, accuracies) in zip(shown, found["accuracies"].items(), strict=True):
        assert len(accuracies) == 2
        assert accuracies[0] != accuracies[1]  # another seed, another fit
        mean, deviation = np.mean(accuracies), np.std(accuracies, ddof=1)
        assert line.startswith(f"{name}: {mean:.2f} % +- {deviation:.2f} (2 seeds")


def test_one_recipe_and_one_seed_will_do(digits, capsys):
    recipes.main(["mnist", "--seeds", "1"])
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("mnist: ")
    assert "+- 0.00 (1 seeds" in line


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["letters"], "NAME 'letters' is not one of fashion-mnist,"),
        (["--seeds", "0"], "--seeds 0 must be"),
        (["--out", "."], "'.' is a folder"),
        (["--out", "no/such/folder/found.json"], "the folder 'no/such/folder' does not exist"),
    ],
)
def test_what_there_is_not_is_refused(arguments, message, capsys):
    with pytest.raises(SystemExit):
        recipes.main(arguments)
    assert message in capsys.readouterr().err


def test_held_out_images_come_from_the_training_images(monkeypatch):
    rng = np.random.default_rng(0)
    data = load_digits()
    many = data._replace(
        X_train=rng.integers(0, 255, (20_000, 4)).astype(np.uint8), y_train=np.arange(20_000) % 10
    )
    monkeypatch.setattr(recipes, "load_mnist", lambda: many)
    X, _, X_held, y_held = recipes.images("mnist augmented", held_out=True)
    assert (len(X), len(X_held)) == (10_000, recipes.N_HELD_OUT)
    assert np.bincount(y_held).tolist() == [1000] * 10
    assert recipes.images("mnist", held_out=False) is many


@pytest.mark.campaign
def test_a_short_form_of_a_recipe_learns_the_images():
    X, y, X_test, y_test = recipes.images("fashion-mnist", held_out=False)
    parameters = recipes.COMMON | recipes.RECIPES["fashion-mnist"] | {"max_iter": 8}
    model = MLPClassifier(**parameters, random_state=0).fit(X, y)
    assert model.score(X_test, y_test) > 0.885  # 0.892, where 40 epochs reach 0.909
