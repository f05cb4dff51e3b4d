"""What was measured, and the numbers that it comes down to.

Design. Times are compared within a round, where all contenders met the same machine, and only then is
the median taken. A round whose round trip between the cores was not of its case's usual kind is set
apart: it is counted and kept in results.json, and no number comes from it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from statistics import median, median_low, quantiles

from benchmarks.cases import Case
from benchmarks.contenders import BASELINE
from benchmarks.machine import Probe

#: A round is set apart if its round trip is this many times the median, or that part of it.
OTHER_STATE = 2.0


@dataclass
class Round:
    """One turn of every contender; ``seconds`` are for an epoch, in the order in which they ran."""

    seconds: dict[str, float]
    before: Probe
    after: Probe

    @property
    def round_trip_ns(self) -> float | None:
        """The longer one of the round trips before and after; None if they were not measured."""
        return max((p.round_trip_ns for p in (self.before, self.after) if p.round_trip_ns), default=None)


@dataclass(frozen=True)
class Row:
    """One contender on one case; times are microseconds per training step.

    Attributes
    ----------
    median, lower, upper : float
        The median over the rounds, and the quartiles.
    ratio : float or None
        The median over the rounds of this contender's time divided by fastmlp's: fastmlp loses where
        it is below 1. None if they had no round together.
    peak_share : float or None
        Floating-point operations in the median time, divided by those of all threads at their peak.
    """

    contender: str
    median: float
    lower: float
    upper: float
    ratio: float | None
    peak_share: float | None
    n_rounds: int


@dataclass
class CaseResult:
    """The rounds of one case; who was not there, with the reasons; the load by other programs meanwhile."""

    case: Case
    rounds: list[Round] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    other_load: float | None = None  # processors; None if unknown

    @property
    def round_trip_ns(self) -> float | None:
        """The median round trip of the rounds; the lower middle one, so that it is some round's own."""
        return (
            median_low(trips)
            if (trips := [r.round_trip_ns for r in self.rounds if r.round_trip_ns])
            else None
        )

    def is_apart(self, one: Round) -> bool:
        """Whether the cores were in another state than usual in this round."""
        if one.round_trip_ns is None:
            return False
        return not 1 / OTHER_STATE <= one.round_trip_ns / self.round_trip_ns <= OTHER_STATE

    @property
    def kept(self) -> list[Round]:
        """The rounds that count."""
        return [one for one in self.rounds if not self.is_apart(one)]

    def rows(self, contenders: list[str], threads: int, peak_gflops: float | None) -> list[Row]:
        """Return a row for each contender that has a time."""
        return [
            self._row(name, threads, peak_gflops)
            for name in contenders
            if any(name in one.seconds for one in self.kept)
        ]

    def _row(self, name, threads, peak_gflops):
        rounds = [one.seconds for one in self.kept if name in one.seconds]
        times = [1e6 * seconds[name] / self.case.n_batches for seconds in rounds]
        ratios = [seconds[name] / seconds[BASELINE] for seconds in rounds if BASELINE in seconds]
        middle = median(times)
        lower, _, upper = quantiles(times, n=4, method="inclusive") if len(times) > 1 else times * 3
        gflops = 1e-3 * self.case.flops / middle
        return Row(
            contender=name,
            median=middle,
            lower=lower,
            upper=upper,
            ratio=median(ratios) if ratios else None,
            peak_share=gflops / (threads * peak_gflops) if peak_gflops else None,
            n_rounds=len(times),
        )


@dataclass
class Results:
    """A whole run: the machine, who raced, and every case."""

    started: str
    processor: str
    threads: int
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
        """The FMA peak of one core: the highest seen."""
        return max((p.peak_gflops for p in self.probes if p.peak_gflops), default=None)

    @property
    def has_failures(self) -> bool:
        """Whether a contender broke down; one that is left out did not."""
        return any(result.failed for result in self.cases)

    def rows(self, result: CaseResult) -> list[Row]:
        """Return the rows of one case."""
        return result.rows(self.contenders, self.threads, self.peak_gflops)

    def as_dict(self) -> dict:
        """Return everything, measured and derived, in types that JSON has."""
        everything = asdict(self) | {"peak_gflops": self.peak_gflops}
        for result, entry in zip(self.cases, everything["cases"], strict=True):
            entry["case"] |= {"name": result.case.name, "flops": result.case.flops}
            entry["round_trip_ns"] = result.round_trip_ns
            entry["rows"] = [asdict(row) for row in self.rows(result)]
            for one, round_entry in zip(result.rounds, entry["rounds"], strict=True):
                round_entry |= {"apart": result.is_apart(one)}
        return everything
