"""Tests of benchmarks/: the numbers, the tables, the picture, and published results that are checked."""

import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT))  # benchmarks/ is no part of what is installed

from benchmarks import picture, published, race_tables, report  # noqa: E402
from benchmarks.kinds import Accuracy, Training  # noqa: E402
from benchmarks.machine import Probe  # noqa: E402
from benchmarks.results import CaseResult, Results, Round  # noqa: E402

TINY = Training((4, 8, 3), batch_size=16, n_batches=3, n_epochs=1)
FITS = Accuracy("mnist", 98.37)


def rounds_with(*round_trips, torch=6e-3):
    return [
        Round({"fastmlp": 3e-3, "torch": torch}, Probe(ns, 100.0), Probe(ns, 100.0)) for ns in round_trips
    ]


def results_with(*cases):
    names = ["fastmlp", "scikit-learn", "torch"]
    return Results("today", "a processor", names, versions=dict.fromkeys(names, "1.0"), cases=list(cases))


@pytest.fixture
def results():
    """One and two threads, a round apart, a compile time, a loser, somebody missing and an unreached mark."""
    slow = CaseResult(TINY, 1, rounds_with(60, 60, 350), first_seconds={"fastmlp": 3e-3, "torch": 21.006})
    losing = CaseResult(TINY, 2, rounds_with(60, 60, torch=1.5e-3), failed={"scikit-learn": "it broke"})
    short = CaseResult(FITS, 2, rounds_with(60, 60), first_seconds={"fastmlp": None, "torch": None})
    short.rounds[0].unfinished.append("torch")
    return results_with(slow, losing, short)


# ---------------------------------------------------------------------------------------------- the numbers


def test_rounds_with_the_cores_in_another_state_are_set_apart():
    result = CaseResult(TINY, 2, rounds_with(60, 350, 70, 25, 65))
    assert [result.is_apart(one) for one in result.rounds] == [False, True, False, True, False]
    fastmlp, torch = result.rows(["fastmlp", "torch"], peak_gflops=100.0)
    assert (fastmlp.n_rounds, fastmlp.median, fastmlp.ratio) == (3, 1e-3, 1.0)
    assert (torch.median, torch.ratio) == (2e-3, 2.0)
    assert fastmlp.peak_share == pytest.approx(TINY.flops / 1e-3 / 200e9)


@pytest.mark.parametrize("round_trips", [(None, None), (60, 350), (350,), (60, 350, 1000, 5000)])
def test_some_round_is_always_kept(round_trips):
    assert CaseResult(TINY, 2, rounds_with(*round_trips)).kept


def test_compiling_is_what_the_first_turn_took_beyond_a_usual_one(results):
    fastmlp, torch = results.rows(results.cases[0])
    assert fastmlp.compile_seconds == 0
    assert torch.compile_seconds == pytest.approx(21.0)
    assert torch.median == 2e-3  # and is in no time
    assert [row.compile_seconds for row in results.rows(results.cases[2])] == [None, None]


def test_what_has_no_flops_has_no_share_of_the_peak(results):
    assert [row.peak_share for row in results.rows(results.cases[2])] == [None, None]


# ----------------------------------------------------------------------------------------------- the tables


def test_details_have_a_line_for_everybody_also_where_fastmlp_loses(results):
    headings, *lines = race_tables.details(results, results.groups["training"])
    cells = [dict(zip(headings, line, strict=True)) for line in lines]
    assert [(cell["contender"], cell["threads"], cell["time / fastmlp"]) for cell in cells] == [
        ("fastmlp", "1", "1.00"),
        ("torch", "1", "2.00"),
        ("fastmlp", "2", "1.00"),
        ("torch", "2", "0.50"),
    ]
    assert [cell["µs per step"] for cell in cells] == ["1000", "2000", "1000", "500"]
    assert [cell["compile, warm-up"] for cell in cells] == ["0.0 s", "21.0 s", "", ""]
    assert [cell["rounds"] for cell in cells] == ["2 (+1 apart)"] * 2 + ["2"] * 2


def test_a_turn_that_ended_before_the_mark_is_told_as_a_lower_bound(results):
    headings, _, torch = race_tables.details(results, results.groups["accuracy"])
    cells = dict(zip(headings, torch, strict=True))
    assert cells["s per fit"].startswith("≥ ")
    assert cells["rounds"] == "2 (1 short of the mark)"
    assert any(note.startswith("≥") for note in report.notes(results))


def test_the_summary_has_a_column_for_each_contender(results):
    headings, one, two = race_tables.summary(results, results.groups["training"])
    assert headings == ("case", "threads", "fastmlp", "torch")
    assert one[1:] == ("1", "1000", "2000 (2.00)")
    assert two[1:] == ("2", "1000", "500 (0.50)")


def test_who_broke_down_and_who_is_not_meant_is_told_once(results):
    text = report.markdown(results)
    assert text.count("scikit-learn broke down: it broke (4-8-3 batch 16, 2 threads)") == 1
    assert "scikit-learn is not made for accuracy." in text
    assert "## training" in text
    assert "## accuracy" in text


def test_one_reason_of_several_is_told_once(results):
    for result in results.cases[:2]:
        result.left_out |= {"fastmlp": "no data", "torch": "no data"}
    (line,) = [note for note in report.notes(results) if "no data" in note]
    assert line.startswith("fastmlp, torch left out: no data (")


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0, "0"), (0.01234, "0.01"), (5.314, "5.31"), (51.38, "51.4"), (513.8, "514"), (51380.2, "51380")],
)
def test_numbers_have_three_digits_that_mean_something(value, shown):
    assert race_tables._number(value) == shown


def test_without_rich_the_report_is_markdown(monkeypatch, capsys, results):
    monkeypatch.setitem(sys.modules, "rich.console", None)
    report.show(results)
    assert capsys.readouterr().out.strip() == report.markdown(results).strip()


# ---------------------------------------------------------------------------------------------- the picture


def test_the_picture_is_written_as_png_and_svg_the_same_each_time(results, tmp_path):
    pytest.importorskip("matplotlib")
    assert report.write(results, tmp_path) == []
    png, svg = (tmp_path / "results.png").read_bytes(), (tmp_path / "results.svg").read_bytes()
    assert png.startswith(b"\x89PNG")
    assert len(png) > 5000
    assert b"</svg>" in svg
    report.write(results, tmp_path)
    assert (tmp_path / "results.svg").read_bytes() == svg


def test_the_picture_has_a_panel_for_each_group_and_number_of_threads(results):
    pytest.importorskip("matplotlib")
    panels = picture.panels_of(results)
    assert [title for title, _ in panels] == [
        "training, 1 thread",
        "training, 2 threads",
        "accuracy, 2 threads",
    ]
    figure = picture.draw(results, panels)
    assert [axis.get_xlabel() for axis in figure.axes] == ["µs per step", "µs per step", "s per fit"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["fastmlp", "torch"]


def test_a_picture_of_nothing_says_so(tmp_path):
    pytest.importorskip("matplotlib")
    assert report.write(results_with(CaseResult(TINY, 1)), tmp_path) == []
    assert "no round was finished" in picture.draw(results_with(), []).texts[0].get_text()


def test_without_matplotlib_the_other_files_are_written_and_it_is_told(results, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    (told,) = report.write(results, tmp_path)
    assert told.startswith("No picture: ")
    assert {path.name for path in tmp_path.iterdir()} == {"results.json", "results.md"}


# ------------------------------------------------------------------------------------------ what is published


@pytest.fixture
def file(results, tmp_path):
    report.write(results, tmp_path)
    return tmp_path / "results.json"


def test_results_come_back_from_their_file(results, file):
    again = published.read(file)
    assert again == results
    assert report.markdown(again) == report.markdown(results)
    assert published.n_rounds(again) == 3


@pytest.mark.parametrize("change", ["row", "round", "missing", "text"])
def test_a_file_that_was_tampered_with_is_refused(change, file):
    content = json.loads(file.read_text())
    entry = content["cases"][0]
    if change == "row":
        entry["rows"][1]["ratio"] = 3.0
    elif change == "round":
        entry["rounds"][0]["seconds"]["torch"] *= 2
    elif change == "missing":
        del entry["threads"]
    file.write_text("{" if change == "text" else json.dumps(content))
    reason = "do not follow from its rounds" if change in ("row", "round") else "is no results.json"
    with pytest.raises(ValueError, match=reason):
        published.read(file)


def test_the_check_tells_who_confirms_and_who_has_another_winner(results):
    now = results_with(
        CaseResult(TINY, 1, rounds_with(60, torch=9e-3)),  # published: torch takes twice the time
        CaseResult(TINY, 2, rounds_with(60, torch=4e-3)),  # published: torch wins
    )
    (_, *lines), n_other = published.compare(results, now)
    assert lines == [
        ("4-8-3 batch 16", "1", "torch", "2.00", "3.00", "confirmed"),
        ("4-8-3 batch 16", "2", "torch", "0.50", "1.33", "another winner"),
        ("mnist to 98.37 %", "2", "torch", "2.00", "", "only published"),
    ]
    assert n_other == 1


@pytest.mark.parametrize(
    ("ratio", "winner"), [(0.94, "the other"), (0.96, "draw"), (1.04, "draw"), (2, "fastmlp")]
)
def test_a_ratio_near_one_is_a_draw(ratio, winner):
    assert published.winner(ratio) == winner


def test_what_is_published_can_be_read_and_its_rows_follow_from_its_rounds():
    results = published.read(Path(published.__file__).parent / "published" / "results.json")
    assert {case.case.group for case in results.cases} >= {"training", "prediction", "grid", "accuracy"}
    assert not any(case.failed for case in results.cases)
