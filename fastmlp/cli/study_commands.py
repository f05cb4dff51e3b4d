"""The command line's `fastmlp study`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import fastmlp.studies as studies
from fastmlp.cli import options
from fastmlp.cli.console import Part, console, plain_messages, write_output

study_app = typer.Typer(help="Run a file of experiments.", no_args_is_help=True)

#: Of the verdicts, in their order.
_COLORS = dict(zip(studies.VERDICTS, ("red", "dim", "yellow", "green"), strict=True))


@study_app.command("list")
def study_list() -> None:
    """Print the studies that come with fastmlp."""
    with plain_messages():
        console.print_table(_listed(studies.load_study(name)) for name in studies.published())


def _listed(study: studies.Study) -> tuple[Part, ...]:
    """Return the row of a study in the list."""
    runs = sum(len(study.runs_of(group)) for group in study.groups.values())
    return (study.name, "bold"), study.title, f"{runs} runs", f"{len(study.claims)} claims"


@study_app.command("show")
def study_show(name: Annotated[str, typer.Argument(help="A study of the list.")]) -> None:
    """Print the file of a study, to begin one of your own with."""
    with plain_messages():
        write_output(studies.located(name).read_text(encoding="utf-8"))


@study_app.command("run")
def study_run(
    study: Annotated[str, typer.Argument(help="A study of the list, or a TOML file of your own.")],
    out: Annotated[
        Path | None, typer.Option(help="The folder for runs, models, tables and the page.")
    ] = None,
    jobs: Annotated[
        str,
        typer.Option(
            help="Runs at a time, -1 for as many as there are cores; also a joblib backend, loky:4."
        ),
    ] = "-1",
    quick: Annotated[
        bool, typer.Option("--quick", help="One seed and a tenth of the data, to see whether it works.")
    ] = False,
) -> None:
    """Run what is not done yet of a study, and write its tables, pictures and page.

    Each run is kept as it ends, so that a study that was broken off goes on from there.
    """
    with plain_messages():
        n_jobs, backend = options.jobs(jobs)
        loaded = studies.load_study(study)
        folder = out or Path("studies") / (loaded.name + "-quick" * quick)
        studies.check_installed()  # before hours of training, not after them
        if folder.exists() and not folder.is_dir():
            raise ValueError(f"--out {folder}: is not a folder.")
        with options.naming({"n_jobs": ("--jobs", jobs)}):
            results = studies.run_study(loaded, folder, n_jobs=n_jobs, backend=backend, quick=quick)
        diverged = sum(bool(record.diverged) for record in results.records)
        console.print(
            (loaded.title, "bold"),
            f": {len(results.records)} runs" + f", {diverged} diverged" * bool(diverged),
        )
        for table, frame in studies.write_tables(results):
            console.print("\n", (table.title, "bold"))
            shown = studies.readable(frame, results.is_classifier)
            console.print_table(shown.to_numpy().tolist(), headings=list(shown))
        page = studies.write_report(results, studies.draw_figures(results))
        print_claims(results)
        console.print("\n", ("page", "bold"), f" {page}")
        console.print(f"runs, models, tables and pictures in {folder}")


def print_claims(results: studies.Results) -> None:
    """Print each claim of a study behind its verdict."""
    if results.study.claims:
        console.print("\n", ("Claims", "bold"))
    judged = [(studies.judge(claim.checks, results).verdict, claim.claim) for claim in results.study.claims]
    console.print_table(((verdict, _COLORS[verdict]), claim) for verdict, claim in judged)
