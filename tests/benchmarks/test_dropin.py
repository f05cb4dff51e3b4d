"""The comparison with scikit-learn's MLP, and the command that makes it."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parents[2]))  # benchmarks/ is no part of what is installed

from benchmarks import dropin
from benchmarks.dropin import Comparison


def test_a_difference_is_level_within_two_standard_errors():
    theirs, noise = np.full(10, 0.9), np.tile([0.01, -0.01], 5)
    for shift, level in ((0.05, True), (-0.005, True), (-0.05, False)):
        found = Comparison(list(theirs + shift + noise), list(theirs), [1.0] * 10, [3.0] * 10)
        assert found.difference == pytest.approx(shift)
        assert found.standard_error == pytest.approx(noise.std(ddof=1) / np.sqrt(10))
        assert found.is_level is level
        assert found.speed == 3
        assert ("level" in dropin.line("wine", found)) is level


def test_a_difference_without_any_spread_counts():
    assert Comparison([1.0, 1.0], [1.0, 1.0], [1.0], [1.0]).is_level
    assert not Comparison([0.9, 0.9], [1.0, 1.0], [1.0], [1.0]).is_level


def test_both_packages_learn_from_the_same_data():
    found = dropin.compare("wine", 2)
    assert len(found.ours) == len(found.theirs) == len(found.our_seconds) == len(found.their_seconds) == 2
    assert min(found.ours + found.theirs) > 0.9
    without_shuffling = dropin.compare("wine", 1, shuffle=False)
    assert without_shuffling.difference == 0  # to rounding they are one and the same


def test_the_command_prints_a_line_for_each(tmp_path, capsys):
    dropin.main(["wine", "diabetes", "--seeds", "2", "--out", str(tmp_path / "found.json")])
    wine, diabetes = capsys.readouterr().out.splitlines()
    assert wine.startswith("wine: accuracy ")
    assert diabetes.startswith("diabetes: R^2 ")
    assert list(json.loads((tmp_path / "found.json").read_text())) == ["wine", "diabetes"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["boston"], "NAME 'boston' is not one of digits,"),
        (["--seeds", "0"], "--seeds 0 must be"),
        (["--out", "."], "'.' is a folder"),
        (["--out", "no/such/folder/found.json"], "the folder 'no/such/folder' does not exist"),
    ],
)
def test_what_there_is_not_is_refused(arguments, message, capsys):
    with pytest.raises(SystemExit):
        dropin.main(arguments)
    assert message in capsys.readouterr().err


@pytest.mark.campaign
@pytest.mark.parametrize("name", dropin.TASKS)
def test_the_scores_are_level(name):
    assert dropin.compare(name, 4, max_iter=30).is_level
