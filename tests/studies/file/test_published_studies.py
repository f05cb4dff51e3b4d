"""Tests of the studies that come with fastmlp: that they can be read, and as a campaign that they run."""

import pytest
from typer.testing import CliRunner

from fastmlp import MLPClassifier
from fastmlp.cli.commands import app
from fastmlp.studies import gaps, load_study, published, run_study
from fastmlp.studies.file.parameters import built_parameters
from fastmlp.studies.page.study_tables import rows_of
from fastmlp.studies.running.study_data import load_data

REPORTS = [
    "fashion-regularisation", "fashion-three-layer", "fashion-topology", "fashion-update-rules",
    "mnist-two-layer",
]  # fmt: skip
NAMES = sorted([*REPORTS, "fashion-best-recipes", "mnist-best-recipes"])


def test_the_list():
    result = CliRunner().invoke(app, ["study", "list"])
    assert result.exit_code == 0, result.output
    assert published() == NAMES
    for name, line in zip(NAMES, result.output.splitlines(), strict=True):
        assert line.startswith(name)
        assert load_study(name).title in line


@pytest.mark.parametrize("name", NAMES)
def test_its_file_is_printed_and_can_be_read(name, tmp_path):
    result = CliRunner().invoke(app, ["study", "show", name])
    (tmp_path / "mine.toml").write_text(result.output)
    theirs, mine = load_study(name), load_study(tmp_path / "mine.toml")
    assert mine.claims == theirs.claims
    assert mine.groups == theirs.groups
    assert theirs.source
    assert theirs.choices


@pytest.mark.parametrize("name", NAMES)
def test_what_claims_compare_has_three_seeds(name):
    study = load_study(name)
    for claim in study.claims:
        for term in (term for check in claim.checks for term in check.terms if term.run):
            group = study.groups[term.run.partition("/")[0]]
            assert group.seeds >= 3, f"{claim.claim} compares {term.run}"


@pytest.mark.parametrize("name", REPORTS)
def test_it_goes_beyond_its_report_and_trains_a_saved_model_on(name):
    groups = load_study(name).groups
    assert groups["beyond"].seeds >= 3
    assert any(group.continues for group in groups.values())


@pytest.mark.campaign
@pytest.mark.parametrize("name", NAMES)
def test_it_runs_in_short(name, tmp_path):
    result = CliRunner().invoke(app, ["study", "run", name, "--quick", "--out", str(tmp_path / "out")])
    assert result.exit_code == 0, result.output
    study = load_study(name)
    results = run_study(study, tmp_path / "out", quick=True)
    for table in study.tables:
        assert rows_of(table, results)
    assert len(list((tmp_path / "out" / "figures").glob("*.png"))) == len(study.figures)
    page = (tmp_path / "out" / "report.html").read_text()
    for claim in study.claims:
        assert claim.claim.split("'")[0].split('"')[0] in page
    assert list(gaps(results)) or name == "fashion-regularisation"  # a tenth of the data is not enough


@pytest.mark.campaign
def test_a_short_form_of_a_best_recipe_learns_the_images():
    study = load_study("fashion-best-recipes")
    run = study.runs_of(study.groups["recipes"])[0]
    data = load_data(study.data, quick=False)
    assert len(data.X_train) == 60_000
    params = built_parameters({**run.params, "dtype": "auto", "max_iter": 8})
    model = MLPClassifier(**params, random_state=0).fit(data.X_train, data.y_train)
    assert model.score(data.X_test, data.y_test) > 0.885  # 0.892, where 40 epochs reach 0.909
