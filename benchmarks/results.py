"""What was measured, and the numbers that it comes down to.

Design. Times are compared within a round, where all contenders met the same machine, and only then is
the median taken. A round whose round trip between the cores was not of its case's usual kind is set
apart: it is counted and kept in results.json, and no number comes from it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from statistics import median, median_low, quantiles
from typing import Any

from benchmarks.contenders import BASELINE
from benchmarks.kinds import Case
from benchmarks.machine import Probe

#: A round is set apart if its round trip is this many times the median, or that part of it.
OTHER_STATE = 2.0

#: The FMA peak of a type, as a share of the measured one of float32: half as many fit a register.
PEAK_SHARE = {"float32": 1.0, "float64": 0.5}


@dataclass
class Round:
    """One turn of every contender.

    Attributes
    ----------
    seconds : dict of str to float
        Of a turn, in the order in which they ran.
    before, after : Probe
    unfinished : list of str
        Whose seconds are too few: the turn ended before it had done what it was for.
    """

    seconds: dict[str, float]
    before: Probe
    after: Probe
    unfinished: list[str] = field(default_factory=list)

    @property
    def round_trip_ns(self) -> float | None:
        """The longer one of the round trips before and after; None if they were not measured."""
        return max((p.round_trip_ns for p in (self.before, self.after) if p.round_trip_ns), default=None)


@dataclass(frozen=True)
class Row:
    """One contender on one case; times are seconds per unit of the case.

    Attributes
    ----------
    median, lower, upper : float
        The median over the rounds, and the quartiles.
    ratio : float or None
        The median over the rounds of this contender's time divided by fastmlp's: fastmlp loses where
        it is below 1. None if they had no round together.
    peak_share : float or None
        Floating-point operations in the median time, divided by those of all threads at their peak.
    compile_seconds : float or None
        What making the model and the first turn took beyond a usual turn: compiling, tracing, warming up.
    n_rounds, n_unfinished : int
        Rounds that count, and those among them whose turn did not finish.
    """

    contender: str
    median: float
    lower: float
    upper: float
    ratio: float | None
    peak_share: float | None
    compile_seconds: float | None
    n_rounds: int
    n_unfinished: int


@dataclass
class CaseResult:
    """The rounds of one case with one number of threads.

    Attributes
    ----------
    left_out, failed : dict of str to str
        Who was not there, or not to the end, and why.
    first_seconds : dict of str to float or None
        What making the model and the turn before the first round took together.
    other_load : float or None
        Processors that other programs kept busy meanwhile; None if unknown.
    """

    case: Case
    threads: int
    rounds: list[Round] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    first_seconds: dict[str, float | None] = field(default_factory=dict)
    other_load: float | None = None

    @property
    def title(self) -> str:
        """The case and the threads."""
        return f"{self.case.name}, {self.threads} thread{'s' if self.threads > 1 else ''}"

    @property
    def round_trip_ns(self) -> float | None:
        """The median round trip of the rounds; the lower middle one, so that it is some round's own."""
        trips = [one.round_trip_ns for one in self.rounds if one.round_trip_ns]
        return median_low(trips) if trips else None

    def is_apart(self, one: Round) -> bool:
        """Whether the cores were in another state than usual in this round."""
        if one.round_trip_ns is None:
            return False
        return not 1 / OTHER_STATE <= one.round_trip_ns / self.round_trip_ns <= OTHER_STATE

    @property
    def kept(self) -> list[Round]:
        """The rounds that count."""
        return [one for one in self.rounds if not self.is_apart(one)]

    def rows(self, contenders: list[str], peak_gflops: float | None) -> list[Row]:
        """Return a row for each contender that has a time."""
        return [
            self._row(name, peak_gflops)
            for name in contenders
            if any(name in one.seconds for one in self.kept)
        ]

    def _row(self, name: str, peak_gflops: float | None) -> Row:
        rounds = [one for one in self.kept if name in one.seconds]
        turns = [one.seconds[name] for one in rounds]
        ratios = [one.seconds[name] / one.seconds[BASELINE] for one in rounds if BASELINE in one.seconds]
        times = [seconds / self.case.n_units for seconds in turns]
        lower, _, upper = quantiles(times, n=4, method="inclusive") if len(times) > 1 else times * 3
        first = self.first_seconds.get(name)
        return Row(
            contender=name,
            median=median(times),
            lower=lower,
            upper=upper,
            ratio=median(ratios) if ratios else None,
            peak_share=self._peak_share(median(times), peak_gflops),
            compile_seconds=None if first is None else max(first - median(turns), 0.0),
            n_rounds=len(times),
            n_unfinished=sum(name in one.unfinished for one in rounds),
        )

    def _peak_share(self, seconds: float, peak_gflops: float | None) -> float | None:
        if peak_gflops is None or self.case.flops is None:
            return None
        peak = 1e9 * peak_gflops * self.threads * PEAK_SHARE[self.case.dtype]
        return self.case.flops / seconds / peak


@dataclass
class Results:
    """A whole run: the machine, who raced, and every case."""

    started: str
    processor: str
    contenders: list[str]
    not_measured: str | None = None  # why the machine was not, if so
    versions: dict[str, str] = field(default_factory=dict)
    cases: list[CaseResult] = field(default_factory=list)

    @property
    def probes(self) -> list[Probe]:
        """Every look at the machine."""
        return [probe for result in self.cases for one in result.rounds for probe in (one.before, one.after)]

    @property
    def peak_gflops(self) -> float | None:
        """The FMA peak of one core in float32: the highest seen."""
        return max((p.peak_gflops for p in self.probes if p.peak_gflops), default=None)

    @property
    def has_failures(self) -> bool:
        """Whether a contender broke down; one that is left out did not."""
        return any(result.failed for result in self.cases)

    @property
    def groups(self) -> dict[str, list[CaseResult]]:
        """The cases by their group, in the order in which they were raced."""
        groups: dict[str, list[CaseResult]] = {}
        for result in self.cases:
            groups.setdefault(result.case.group, []).append(result)
        return groups

    def rows(self, result: CaseResult) -> list[Row]:
        """Return the rows of one case."""
        return result.rows(self.contenders, self.peak_gflops)

    def as_dict(self) -> dict[str, Any]:
        """Return everything, measured and derived, in types that JSON has."""
        everything = asdict(self) | {"peak_gflops": self.peak_gflops}
        for result, entry in zip(self.cases, everything["cases"], strict=True):
            case = result.case
            units = {"group": case.group, "unit": case.unit, "n_units": case.n_units, "flops": case.flops}
            entry["case"] = case.as_dict() | {"name": case.name} | units
            entry["round_trip_ns"] = result.round_trip_ns
            entry["rows"] = [asdict(row) for row in self.rows(result)]
            for one, round_entry in zip(result.rounds, entry["rounds"], strict=True):
                round_entry |= {"apart": result.is_apart(one)}
        return everything
