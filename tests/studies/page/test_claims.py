"""Tests of a study's claims: the language of checks, and what is judged of runs."""

from types import SimpleNamespace

import pytest

from fastmlp.studies.file.claim_language import Term, read_check
from fastmlp.studies.file.groups import Group
from fastmlp.studies.file.measures import shown
from fastmlp.studies.page.claims import judge
from fastmlp.studies.running.records import Record, best_of
from fastmlp.studies.running.results import Results


def record(group, point="", seed=0, **changes):
    known = {
        "key": f"{group}/{point}/{seed}", "params": {"max_iter": 3}, "fingerprint": "", "spread": 0.02,
        "scores": {"train": 0.9, "validation": 0.8, "test": 0.7}, "n_train": 100, "epochs": 2,
        "losses": {"train": 0.1, "validation": 0.2, "test": 0.3}, "seconds": 1.0, "diverged": "",
        "model": "m", "best_epoch": 2,
        "curves": {"loss": [3.0, 2.0], "val_loss": [2.5, 1.5], "val_score": [0.5, 0.6]}, "versions": {},
    }  # fmt: skip
    return Record(group=group, point=point, seed=seed, **{**known, **changes})


def scored(group, point, *values):
    return [
        record(group, point, seed, scores={"train": 0.9, "validation": value, "test": value})
        for seed, value in enumerate(values)
    ]


class Known(Results):
    """Results of classifiers, of no folder."""

    is_classifier = True
    gradient_order = 1.98


def results(*records):
    records = [one for group in records for one in group]
    groups = {record.group: Group(record.group) for record in records}
    return Known(SimpleNamespace(groups=groups), None, records)


def verdict(text, *records):
    return judge((read_check(text),), results(*records)).verdict


@pytest.mark.parametrize(
    ("text", "left", "operator", "right", "by"),
    [
        ("test of a > test of b", Term("test", "a"), ">", Term("test", "b"), None),
        (
            "validation loss at epoch 10 of a/b c < 2.5e-1",
            Term("validation loss", "a/b c", 10), "<", 0.25, None,
        ),
        ("train of a = test of a by 0.01", Term("train", "a"), "=", Term("test", "a"), 0.01),
        ("test of a/l2=0.1, l1=0 > .5 by 1e-3", Term("test", "a/l2=0.1, l1=0"), ">", 0.5, 0.001),
        ("best epoch of a/1 is lowest of a", Term("best epoch", "a/1"), "lowest", "a", None),
        ("gradient order > 1.9", Term("gradient order", ""), ">", 1.9, None),
    ],
)  # fmt: skip
def test_a_check_is_read(text, left, operator, right, by):
    check = read_check(text)
    assert (check.left, check.operator, check.right, check.by) == (left, operator, right, by)
    assert str(check.left) in text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("test of a", "is no check; write"),
        ("test of a >= 0.5", "is no check"),
        ("tset of a > 0.5", "'tset' is not one of train, validation, test"),
        ("seconds at epoch 3 of a > 1", "'seconds' is not one of train, validation, running loss"),
        ("test of a > b", "'b' is no term"),
        ("test of a > 0.5 by 1-2", "'1-2' is not a number"),
        ("train at epoch 0 of a > 0.5", "epochs count from 1"),
        ("train at epoch 00 of a > 0.5", "epochs count from 1"),
        ("test of a = test of b by -0.01", "nothing is equal by less than nothing"),
    ],
)
def test_what_is_no_check_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        read_check(text)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ((0.80, 0.81, 0.82), (0.70, 0.71, 0.73), "holds"),
        ((0.70, 0.71, 0.73), (0.80, 0.81, 0.82), "does not hold"),
        # Seeds that move together: paired they differ, though each spreads by more than that.
        ((0.70, 0.80, 0.90), (0.69, 0.791, 0.889), "holds"),
        ((0.70, 0.80, 0.90), (0.71, 0.79, 0.895), "within noise"),
        ((0.80,), (0.79,), "holds"),
        ((0.79,), (0.80,), "does not hold"),
        ((0.80,), (0.80,), "does not hold"),
    ],
)
def test_a_difference_counts_from_two_standard_errors_on(a, b, expected):
    runs = scored("a", "", *a), scored("b", "", *b)
    assert verdict("test of a > test of b", *runs) == expected
    assert verdict("test of b < test of a", *runs) == expected


def test_by_is_the_least_difference_and_for_a_likeness_the_largest():
    runs = scored("a", "", 0.80, 0.81, 0.82), scored("b", "", 0.77, 0.78, 0.79)
    assert verdict("test of a > test of b by 0.02", *runs) == "holds"
    assert verdict("test of a > test of b by 0.04", *runs) == "does not hold"
    assert verdict("test of a = test of b by 0.04", *runs) == "holds"
    assert verdict("test of a = test of b by 0.02", *runs) == "does not hold"
    assert verdict("test of a = test of b", *runs) == "does not hold"


def test_level_is_within_two_standard_errors_and_one_run_cannot_tell():
    a = scored("a", "", 0.80, 0.82, 0.84)
    assert verdict("test of a = test of b", a, scored("b", "", 0.81, 0.81, 0.84)) == "holds"
    assert verdict("test of a = test of b", a, scored("b", "", 0.81)) == "not measured"


def test_numbers_and_curves():
    runs = [record("a", "", seed) for seed in range(2)]
    assert verdict("running loss at epoch 1 of a > 2.9", runs) == "holds"
    assert verdict("validation loss at epoch 2 of a < running loss at epoch 2 of a", runs) == "holds"
    assert verdict("validation at epoch 3 of a > 0.5", runs) == "not measured"
    assert verdict("train at epoch 1 of a > 0.5", runs) == "not measured"
    assert verdict("test spread of a = 0.02 by 0.001", runs) == "holds"
    assert verdict("gradient order = 2 by 0.05", runs) == "holds"


def test_highest_and_lowest_compare_with_the_nearest():
    runs = scored("a", "x", 0.8, 0.81), scored("a", "y", 0.7, 0.71), scored("a", "z", 0.79, 0.795)
    assert verdict("test of a/x is highest of a", *runs) == "holds"
    assert verdict("test of a/z is highest of a", *runs) == "does not hold"
    assert verdict("test of a/y is lowest of a", *runs) == "holds"
    (finding,) = judge((read_check("test of a/x is highest of a"),), results(*runs)).findings
    assert "nearest to it is a/z" in finding


def test_a_claim_has_the_worst_verdict_of_its_checks_and_all_the_numbers():
    runs = scored("a", "", 0.80, 0.81, 0.82), scored("b", "", 0.70, 0.71, 0.73)
    checks = tuple(map(read_check, ("test of a > test of b", "test of b > 0.9")))
    found = judge(checks, results(*runs))
    assert found.verdict == "does not hold"
    assert "test of a 81.00 %, of b 71.33 %; difference +9.67 ± 0.33 points (3 seeds)" in found.findings[0]
    assert "claimed above 90.00 %" in found.findings[1]


def test_a_run_that_diverged_is_not_measured():
    lost = record("a", scores={"train": None, "validation": None, "test": None}, model="", curves={})
    assert verdict("test of a > 0.1", [lost]) == "not measured"
    assert verdict("test of a > 0.1") == "not measured"


def test_a_group_stands_for_its_best_point_on_validation_data():
    runs = scored("a", "x", 0.6, 0.9), scored("a", "y", 0.8, 0.81), scored("b", "", 0.79, 0.8)
    assert best_of([*runs[0], *runs[1]]).point == "y"
    assert verdict("test of a > test of b", *runs) == "holds"


def test_of_a_halving_search_only_the_last_round_counts():
    early = record("h", "p, max_iter=2", scores={"validation": 0.9}, params={"max_iter": 2})
    last = record("h", "q, max_iter=6", scores={"validation": 0.8}, params={"max_iter": 6})
    lost = record("h", "r, max_iter=6", scores={"validation": None}, params={"max_iter": 6})
    assert best_of([early, lost, last], "max_iter") is last


def test_of_any_other_group_all_points_count_however_long_they_trained():
    short = record("g", "a", scores={"validation": 0.9}, params={"max_iter": 2})
    long = record("g", "b", scores={"validation": 0.8}, params={"max_iter": 6})
    assert best_of([short, long]) is short


def test_a_point_of_which_a_run_is_lost_is_not_the_best():
    lost = [record("g", "a", seed, scores={"validation": score}) for seed, score in enumerate([0.9, None])]
    assert best_of([*lost, *scored("g", "b", 0.5, 0.6)]).point == "b"


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("lost", [None, float("nan")])
def test_a_score_that_is_no_number_is_below_all_others(lost, order):
    runs = [*scored("g", "a", lost), *scored("g", "b", -3.0), *scored("g", "c", lost)][::order]
    assert best_of(runs).point == "b"
    assert sorted(runs, key=lambda run: run.ranked_by)[-1].point == "b"


def test_what_is_told_are_the_runs_that_are_compared():
    runs = scored("a", "", 0.80, 0.90, 0.97), scored("b", "", 0.75)
    (finding,) = judge((read_check("test of a > test of b"),), results(*runs)).findings
    assert "test of a 80.00 %, of b 75.00 %; difference +5.00 points (one run each)" in finding


def test_what_is_not_the_same_measure_is_told_in_full():
    check = read_check("validation at epoch 2 of a > validation at epoch 1 of a")
    (finding,) = judge((check,), results([record("a")])).findings
    assert "validation at epoch 2 of a 60.00 %, validation at epoch 1 of a 50.00 %; diff" in finding


def test_the_best_of_a_group_is_compared_with_its_others():
    runs = scored("a", "x", 0.7, 0.71), scored("a", "y", 0.8, 0.81)
    assert verdict("test of a is highest of a", *runs) == "holds"


def test_a_gradient_check_that_cannot_be_made_is_not_measured():
    class Failing(Known):
        @property
        def gradient_order(self):
            raise ValueError("no such layer")

    checks = (read_check("gradient order > 1.9"),)
    assert judge(checks, Failing(SimpleNamespace(), None, [])).verdict == "not measured"


def test_numbers_are_shown_as_people_read_them():
    assert shown("test", 0.98372, True) == "98.37 %"
    assert shown("test", -0.01, True, signed=True) == "-1.00 %"
    assert shown("test loss", 1.5, True) == "1.5000"
    assert shown("test loss", 0.00001234, True) == "1.234e-05"
    assert shown("test loss", 0.0, True) == "0.0000"
    assert [shown("epochs", n, True) for n in (12.345, 1000, 2345)] == ["12.3", "1000", "2345"]
    assert shown("seconds", 12.345, True) == "12.3"
