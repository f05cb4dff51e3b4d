"""Tests of what is refused of a study file, and of what is made of one before anything runs."""

import pytest

from fastmlp.studies import StudyError, load_study, run_study
from fastmlp.studies.file.groups import Group, Search
from helpers.studies import HALVING, HEAD, RANDOM, reader


@pytest.fixture
def study(tmp_path):
    """Return a function that reads a study."""
    return reader(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[runs.a]\ncontinues = 'b'\n", "runs.a.continues: 'b' is not one of the runs"),
        ("[runs.a]\ncontinues = 'a'\n", "runs.a.continues: waits for itself: a < a"),
        ("[runs.a]\nbest_of = 'b'\n[runs.b]\nbest_of = 'a'\n", "waits for itself"),
        ("[runs.a]\ncontinues = 'b'\n[runs.b]\ngrid.max_iter = [1, 2]\n", "must be one point"),
        ("[runs.a]\ngrid.max_iter = [1]\nlist.x.max_iter = 1\n", "cannot stand beside list"),
        ("[runs.'a/b']\n", "must be a name without '/'"),
        ("[runs.a]\nlist.x.max_itr = 1\n", "runs.a.list.x.max_itr: is not a parameter .* 'max_iter'"),
        ("[runs.a]\ntrain = 0\n", "runs.a.train: must be at least 1"),
        (
            RANDOM.replace('"random"\n', '"randon"\n'),
            "runs.random.search.kind: 'randon' is not one of random, halv",
        ),
        (RANDOM.replace("low = 1e-3", "low = 1"), "must be below high=0.1"),
        (RANDOM.replace("low = 1e-3", "low = 0"), "and above 0"),
        (RANDOM.replace("low = 1e-3", "lo = 1e-3"), r"runs.random.search.over.learning_rate_init: .*range"),
        (RANDOM.replace("low = 16", "low = -9"), "search.over.batch_size: .* will not do"),
        (HALVING.replace("n = 9", "n = 9\nfactor = 1"), "search.factor: must be at least 2"),
        (HALVING.replace("largest = 9\n", ""), "runs.halving.search.largest: is missing"),
        (HALVING.replace("n = 9", "n = 9\nresource = 'time'"), "'time' is not one of max_iter, n_samples"),
        ("[runs.a]\n[[claims]]\nclaim = 'c'\nchecks = []\n", r"claims\[0\].checks: must hold at least one"),
        (
            "[runs.a]\n[[claims]]\nclaim = 'c'\nchecks = ['test of b > 0']\n",
            r"claims\[0\].checks: 'b' is not one of the runs",
        ),
        (
            "[runs.a]\n[[claims]]\nclaim = 'c'\nchecks = ['test of a']\n",
            r"claims\[0\].checks: .* is no check",
        ),
        (
            "[runs.a]\n[[tables]]\ntitle = 't'\nruns = 'a'\npublished.test.b = 1\n",
            "published.test: there is no row 'b'",
        ),
        (
            "[runs.a]\n[[tables]]\ntitle = 't'\nruns = 'a'\npublished.train.a = 1\n",
            "'train' is not one of validation",
        ),
        ("[runs.a]\n[[figures]]\nkind = 'curve'\ntitle = 't'\n", r"figures\[0\].kind: 'curve' is not one of"),
        ("[runs.a]\n[[figures]]\nkind = 'curves'\ntitle = 't'\n", r"figures\[0\].runs: is missing"),
        (
            "[runs.a]\n[[figures]]\nkind = 'first_layer'\ntitle = 't'\nruns = 'a'\nepochs = [-1]\n",
            r"figures\[0\].epochs: must be a list of epochs",
        ),
        ("[runs.a]\n[gradient_check]\nof = 'a'\nparameters = [[0]]\n", "must be pairs of layer and name"),
        ("[runs.a]\n[gradient_check]\nof = 'a'\nepsilons = [0.0]\n", "must be a number above 0, not 0.0"),
        ("[runs.a]\n[gradient_check]\nof = 'a'\nepsilons = [nan]\n", "must be a number above 0, not nan"),
        ("[runs.a]\n[gradient_check]\nof = 'a'\nepsilons = []\n", "gradient_check.epsilons: is empty"),
        (
            "[runs.a]\n[gradient_check]\nof = 'a'\nparameters = [[0, 'b[1]']]\npublished.'0 b[1]' = 'x'\n",
            r"gradient_check.published.0 b\[1\]: must be a number, not 'x'",
        ),
        (
            "[runs.a]\n[gradient_check]\nof = 'a'\nparameters = [[0, 'b[1]']]\npublished.'0 b[2]' = 1\n",
            r"is not one of the parameters; did you mean '0 b\[1\]'",
        ),
        (
            "[runs.a]\n[[claims]]\nclaim = 'c'\nchecks = ['gradient order > 1.9']\n",
            r"claims\[0\].checks: .*there is no \[gradient_check\]",
        ),
        (
            "[runs.a]\n[[figures]]\nkind = 'gradient_check'\ntitle = 't'\n",
            r"figures\[0\].kind: there is no \[gradient_check\]",
        ),
        ("[runs.'']\n", "runs.: '' is no name"),
        ("[runs.' a']\n", "runs. a: ' a' is no name"),
        ('[runs."a\\n"]\n', "is no name"),
        ("[runs.a]\nlist.''.max_iter = 1\n", "runs.a.list.: '' is no name"),
        ("[runs.a]\nlist = {}\n", "runs.a.list: is empty"),
        ("[runs.a]\ngrid = {}\n", "runs.a.grid: is empty"),
        ("[runs.a.search]\nkind = 'random'\nover = {}\n", "runs.a.search.over: is empty"),
        (RANDOM.replace("seed = 1", "seed = -1"), r"runs.random.search.seed: must be from 0 to 2\*\*32"),
        (RANDOM.replace("high = 0.1", "high = inf"), "low=0.001 and high=inf must be numbers"),
        (RANDOM.replace("high = 64", "high = 64.5"), "must be whole numbers"),
        (RANDOM.replace("high = 64", f"high = {10**400}"), "must be whole numbers"),
        (RANDOM.replace("n = 5", "n = 100000"), "search.n: must be at most 10000"),
        (RANDOM.replace("whole = true", "whole = 1"), "must be true or false"),
        (RANDOM.replace(", whole = true", ""), "over.batch_size: .* will not do"),
        (HALVING.replace("over.activation", "over.max_iter").replace('"relu", "tanh"', "1, 2"), "resource"),
        (
            HALVING.replace("smallest = 1\nlargest = 9", "smallest = 9\n").replace(
                "[runs.halving.search]", "[runs.halving]\nset.max_iter = 3\n[runs.halving.search]"
            ),
            "smallest: must be at most 3, not 9",
        ),
        (
            HALVING.replace("[runs.halving.", "[runs.a]\n[runs.halving]\ncontinues = 'a'\n[runs.halving."),
            "runs.halving.continues: cannot stand beside a halving search",
        ),
        ("[runs.a]\n[[tables]]\ntitle = 't'\nruns = []\n", r"tables\[0\].runs: is empty"),
        ("[runs.a]\n[[tables]]\ntitle = 't'\nruns = 'a'\nshow = []\n", r"tables\[0\].show: is empty"),
        ("[runs.a]\n[[tables]]\ntitle = 't'\nruns = 'a'\nshow = [[]]\n", r"show: \[\] is not one of"),
        ("[runs.a]\n[[tables]]\ntitle = 't'\nruns = [3]\n", r"tables\[0\].runs: must be a text, not 3"),
        (
            "[runs.a]\n[[tables]]\ntitle = 't'\nruns = 'a'\npublished.test.a = nan\n",
            r"tables\[0\].published.test.a: must be a number, not nan",
        ),
        (
            "[runs.a]\n[[tables]]\ntitle = 't'\nruns = 'a'\nscale.test = -1\n",
            r"tables\[0\].scale.test: must be a number above 0, not -1",
        ),
        (
            "[runs.a]\nlist.x = {}\n[[claims]]\nclaim = 'c'\nchecks = ['test of a is lowest of a/x']\n",
            "'a/x' is a point, not a group",
        ),
    ],
)
def test_what_is_wrong_is_told(study, text, message):
    with pytest.raises(StudyError, match=message):
        study(text, HEAD.replace("max_iter = 4", ""))


def test_a_parameter_of_the_other_estimator_is_told_before_anything_runs(study, tmp_path):
    read = study('[runs.a]\n[runs.b]\nset.loss = "poisson"\n')
    with pytest.raises(ValueError, match=r"runs.b: The 'loss' parameter of MLPClassifier must be"):
        run_study(read, tmp_path / "out", n_jobs=1)
    assert not (tmp_path / "out" / "runs.jsonl").exists()


def test_a_name_that_is_no_study_is_told():
    with pytest.raises(FileNotFoundError, match="fashion-topologie: there is no such file, and no study"):
        load_study("fashion-topologie")


def test_a_point_of_a_search_that_is_not_there_is_told(study, tmp_path):
    read = study(HALVING + "[runs.on]\ncontinues = 'halving/best'\n")
    with pytest.raises(ValueError, match=r"runs.on: 'halving' has no point 'best'; there are 'learning_rate"):
        run_study(read, tmp_path / "out", n_jobs=1)


def test_points_that_are_drawn_twice_are_one_and_lists_are_taken_as_they_are():
    over = {"batch_size": {"low": 8, "high": 10, "whole": True}, "alpha": [0.123456]}
    points = dict(Group("a", search=Search("random", over, n=20)).points())
    assert sorted(point["batch_size"] for point in points.values()) == [8, 9, 10]
    assert {point["alpha"] for point in points.values()} == {0.123456}
