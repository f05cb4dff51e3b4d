"""The language in which a study file states checks of it.

A check compares two terms, ``validation of activation/relu > validation of activation/tanh``, or a term and a
number. A term is a measure of a run, or what a curve has at an epoch: ``train loss at epoch 3 of baseline``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from fastmlp.studies.file.measures import CURVES, GRADIENT_ORDER, MEASURES

_TERM = re.compile(r"(?P<measure>[a-z ]+?)(?: at epoch (?P<epoch>\d+))? of (?P<run>.+)")
_EXTREME = re.compile(r"(?P<term>.+) is (?P<operator>highest|lowest) of (?P<group>.+)")
_COMPARISON = re.compile(r"(?P<left>.+?) (?P<operator>[<>=]) (?P<right>.+?)(?: by (?P<by>[0-9.e+-]+))?")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?")


@dataclass(frozen=True)
class Term:
    """A measure of a run; with an epoch, what its curve has there."""

    measure: str
    run: str
    epoch: int | None = None

    @property
    def needs_train_score(self) -> bool:
        """Whether it asks for what is measured of each epoch only on demand."""
        return self.epoch is not None and self.measure == "train"

    def __str__(self) -> str:
        if not self.run:
            return self.measure
        return f"{self.measure}{'' if self.epoch is None else f' at epoch {self.epoch}'} of {self.run}"


@dataclass(frozen=True)
class Check:
    """A comparison that holds or does not.

    Attributes
    ----------
    text : str
        As the file has it.
    left : Term
    operator : {">", "<", "=", "highest", "lowest"}
    right : Term, float or str
        For "highest" and "lowest" the group.
    by : float or None
        The least difference; for "=" the largest.
    """

    text: str
    left: Term
    operator: str
    right: Term | float | str
    by: float | None = None

    @property
    def terms(self) -> list[Term]:
        """The terms that it compares; of a group that the left one leads the same measure."""
        if isinstance(self.right, str):
            return [self.left, replace(self.left, run=self.right)]
        return [self.left, *([self.right] if isinstance(self.right, Term) else [])]


def read_check(text: str) -> Check:
    """Return the check that a text states; whether there are such runs is not looked at.

    Raises
    ------
    ValueError
        If it states none.

    Examples
    --------
    >>> read_check("validation of width/100 > validation of width/50 by 0.01").right
    Term(measure='validation', run='width/50', epoch=None)
    """
    if found := _EXTREME.fullmatch(text):
        return Check(text, _term(found["term"]), found["operator"], found["group"])
    found = _COMPARISON.fullmatch(text)
    if not found:
        raise ValueError(
            f"{text!r} is no check; write 'TERM > TERM', with >, < or =, or a number for the second, and "
            "perhaps 'by NUMBER' behind it, or 'TERM is highest of GROUP', or lowest."
        )
    right = found["right"]
    number = _NUMBER.fullmatch(right)
    by = found["by"]
    if by is not None and not _NUMBER.fullmatch(by):
        raise ValueError(f"{text!r}: {by!r} is not a number.")
    if by is not None and float(by) < 0 and found["operator"] == "=":
        raise ValueError(f"{text!r}: nothing is equal by less than nothing.")
    return Check(
        text, _term(found["left"]), found["operator"], float(right) if number else _term(right),
        None if by is None else float(by),
    )  # fmt: skip


def _term(text: str) -> Term:
    if text == GRADIENT_ORDER:
        return Term(GRADIENT_ORDER, "")
    found = _TERM.fullmatch(text)
    if not found:
        raise ValueError(f"{text!r} is no term; write 'MEASURE of RUN' or 'CURVE at epoch N of RUN'.")
    measure, epoch = found["measure"], found["epoch"]
    known: Iterable[str] = MEASURES if epoch is None else CURVES
    if measure not in known:
        raise ValueError(f"{measure!r} is not one of {', '.join(known)}.")
    if epoch is not None and int(epoch) == 0:
        raise ValueError(f"{text!r}: epochs count from 1.")
    return Term(measure, found["run"], None if epoch is None else int(epoch))
