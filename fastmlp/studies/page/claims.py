"""Claims: what a study checks, evaluated from its runs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fastmlp.studies.file.claim_language import Check, Term
from fastmlp.studies.file.measures import GRADIENT_ORDER, shown
from fastmlp.studies.running.records import Record, mean, points_of
from fastmlp.studies.running.results import Results

#: Verdicts, from bad to good; a claim has the worst of its checks.
DOES_NOT, NOT_MEASURED, IN_NOISE, HOLDS = "does not hold", "not measured", "within noise", "holds"
VERDICTS = (DOES_NOT, NOT_MEASURED, IN_NOISE, HOLDS)
#: A difference counts from so many standard errors on.
_ERRORS = 2


@dataclass(frozen=True, repr=False)
class Verdict:
    """Whether a claim or a check holds.

    Attributes
    ----------
    verdict : str
        One of `VERDICTS`; a comparison is within noise where the difference, paired by seed, is less than
        two standard errors.
    findings : tuple of str
        The numbers, a sentence for each check.
    """

    verdict: str
    findings: tuple[str, ...]

    def __repr__(self) -> str:
        return f"<Verdict {self.verdict!r}, {len(self.findings)} findings>"


def judge(checks: tuple[Check, ...], results: Results) -> Verdict:
    """Return whether all checks hold, with their numbers."""
    verdicts = [_judge_one(check, results) for check in checks]
    worst = min((verdict for verdict, _ in verdicts), key=VERDICTS.index, default=NOT_MEASURED)
    return Verdict(worst, tuple(finding for _, finding in verdicts))


def _judge_one(check: Check, results: Results) -> tuple[str, str]:
    if isinstance(check.right, str):
        return _judge_extreme(check, results)
    left, right = check.left, check.right
    values = _values(left, results)
    if isinstance(right, Term):
        values, others = _paired(values, _values(right, results))
        is_same = (right.measure, right.epoch) == (left.measure, left.epoch)
        said = f"{left} {_told(left, values, results)}, {f'of {right.run}' if is_same else right} "
        said += _told(right, others, results)
        differences = np.array([values[seed] - others[seed] for seed in values if seed in others])
    else:
        said = f"{left} {_told(left, values, results)}"
        differences = np.array(list(values.values())) - right
    if not len(differences) or not np.isfinite(differences).all():
        return NOT_MEASURED, f"{check.text}: {said}"
    if isinstance(right, Term):
        said += f"; difference {_with_error(left, differences, results)}"
    else:
        said += f", claimed {_SAID[check.operator]} {shown(left.measure, right, results.is_classifier)}"
        said += f" within {check.by:g}" if check.by is not None else ""
    return _compare(differences, check.operator, check.by), said


_SAID = {">": "above", "<": "below", "=": "about"}


def _judge_extreme(check: Check, results: Results) -> tuple[str, str]:
    """Compare a point with the best of the others of its group."""
    own, measure = _runs(check.left, results), check.left.measure
    others = {
        name: runs
        for name, runs in points_of(results.of(str(check.right))).items()
        if not own or name != own[0].name
    }
    means = {name: mean(runs, measure, check.left.epoch) for name, runs in others.items()}
    means = {name: value for name, value in means.items() if np.isfinite(value)}
    if not means or not own:
        return NOT_MEASURED, check.text
    is_highest = check.operator == "highest"
    rival = (max if is_highest else min)(means, key=means.__getitem__)
    versus = Term(measure, rival, check.left.epoch)
    verdict, finding = _judge_one(Check(check.text, check.left, ">" if is_highest else "<", versus), results)
    return verdict, f"the nearest to it is {rival}: {finding}"


def _runs(term: Term, results: Results) -> list[Record]:
    """Return the runs of a term; of a group of several points those of the best on validation data."""
    records = results.of(term.run)
    if len(points_of(records)) > 1:
        return results.of(results.best(term.run).name)
    return records


def _values(term: Term, results: Results) -> dict[int, float]:
    """Return a value for each seed; NaN where a run diverged before it had one."""
    if term.measure == GRADIENT_ORDER:
        try:
            return {0: results.gradient_order}
        except (ValueError, TypeError):  # the page says why
            return {0: np.nan}
    values = {record.seed: record.measure(term.measure, term.epoch) for record in _runs(term, results)}
    return {seed: np.nan if value is None else value for seed, value in values.items()}


def _paired(left: dict[int, float], right: dict[int, float]) -> tuple[dict[int, float], dict[int, float]]:
    """Return the values of the seeds that both have, which alone are compared; all if there are none."""
    seeds = [seed for seed in left if seed in right]
    return {seed: left[seed] for seed in seeds or left}, {seed: right[seed] for seed in seeds or right}


def _standard_error(values: np.ndarray) -> float | None:
    return float(np.std(values, ddof=1) / np.sqrt(len(values))) if len(values) > 1 else None


def _compare(differences: np.ndarray, operator: str, by: float | None) -> str:
    """Return the verdict on what a difference should be; one run alone has no noise to be told."""
    middle, error = float(differences.mean()), _standard_error(differences)
    if operator == "=":
        if by is not None:
            return HOLDS if abs(middle) <= by else DOES_NOT
        if error is None:
            return NOT_MEASURED
        return HOLDS if abs(middle) <= _ERRORS * error else DOES_NOT
    excess = (middle if operator == ">" else -middle) - (by or 0)
    noise = _ERRORS * (error or 0)
    if excess > noise:
        return HOLDS
    return IN_NOISE if excess >= -noise and noise else DOES_NOT


def _told(term: Term, values: dict[int, float], results: Results) -> str:
    if not values or not np.isfinite(list(values.values())).any():
        return "not measured"
    return shown(term.measure, float(np.nanmean(list(values.values()))), results.is_classifier)


def _with_error(term: Term, differences: np.ndarray, results: Results) -> str:
    def points(value: float, signed: bool = False) -> str:
        return shown(term.measure, value, results.is_classifier, signed).removesuffix(" %")

    middle, error = float(differences.mean()), _standard_error(differences)
    unit = " points" if shown(term.measure, middle, results.is_classifier).endswith(" %") else ""
    if error is None:
        return f"{points(middle, signed=True)}{unit} (one run each)"
    return f"{points(middle, signed=True)} ± {points(error)}{unit} ({len(differences)} seeds)"
