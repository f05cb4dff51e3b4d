"""The keys of a study file, and what is said of those that are wrong."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping
from typing import Any

from fastmlp._support.checks import listed

# The keys of each part of a file: the types of what they may hold, and whether they are needed.
_TEXT, _WHOLE, _NUMBER, _TABLE, _LIST, _TRUTH = (str,), (int,), (int, float), (dict,), (list,), (bool,)
Keys = Mapping[str, tuple[tuple[type, ...], bool]]
STUDY: Keys = {
    "title": (_TEXT, True), "about": (_TEXT, False), "source": (_TEXT, False), "choices": (_LIST, False),
    "data": (_TABLE, True), "base": (_TABLE, False), "runs": (_TABLE, True), "tables": (_LIST, False),
    "figures": (_LIST, False), "claims": (_LIST, False), "differences": (_LIST, False),
    "gradient_check": (_TABLE, False),
}  # fmt: skip
DATA: Keys = {
    "name": (_TEXT, True), "target": (_TEXT, False), "estimator": (_TEXT, False), "seed": (_WHOLE, False),
    "validation": (_NUMBER, False), "test": (_NUMBER, False), "shuffle": (_TRUTH, False),
    "center": (_NUMBER, False),
    "scale": (_NUMBER, False), "sep": (_TEXT, False), "decimal": (_TEXT, False), "encoding": (_TEXT, False),
}  # fmt: skip
RUNS: Keys = {
    "about": (_TEXT, False), "seeds": (_WHOLE, False), "train": (_WHOLE, False), "continues": (_TEXT, False),
    "best_of": (_TEXT, False), "set": (_TABLE, False), "list": (_TABLE, False), "grid": (_TABLE, False),
    "search": (_TABLE, False),
}  # fmt: skip
SEARCH: Keys = {
    "kind": (_TEXT, True), "over": (_TABLE, True), "n": (_WHOLE, False), "seed": (_WHOLE, False),
    "resource": (_TEXT, False), "factor": (_WHOLE, False), "smallest": (_WHOLE, False),
    "largest": (_WHOLE, False),
}  # fmt: skip
TABLES: Keys = {
    "title": (_TEXT, True), "runs": ((str, list), True), "show": (_LIST, False), "published": (_TABLE, False),
    "scale": (_TABLE, False), "note": (_TEXT, False), "is_evidence": (_TRUTH, False),
}  # fmt: skip
FIGURE: Keys = {
    "kind": (_TEXT, True), "title": (_TEXT, True), "caption": (_TEXT, False), "runs": ((str, list), False),
}  # fmt: skip
CLAIM: Keys = {"claim": (_TEXT, True), "checks": (_LIST, True), "comment": (_TEXT, False)}
DIFFERENCE: Keys = {"rows": (_LIST, True), "because": (_TEXT, True), "checks": (_LIST, False)}
GRADIENTS: Keys = {
    "of": (_TEXT, True), "epsilons": (_LIST, False), "samples_per_class": (_WHOLE, False),
    "parameters": (_LIST, False), "published": (_TABLE, False),
}  # fmt: skip


class StudyError(ValueError):
    """A study file that is not what it should be; the message names the file, the key and what is allowed."""


class Checker:
    """Knows a file's name, for what it has to say of it."""

    def __init__(self, path: str):
        self._path = path

    def wrong(self, key: str, says: str) -> StudyError:
        """Return what is said of a key."""
        return StudyError(f"{self._path}: {key}: {says}")

    def check(self, key: str, content: Any, allowed: Keys, others: Iterable[str] = ()) -> None:
        """Refuse keys that are not known, those that are missing, and values of another type."""
        if not isinstance(content, dict):
            raise self.wrong(key, f"must be a table of keys and values, not {content!r}.")
        for name, value in content.items():
            inner = joined_keys(key, name)
            if name in others:
                continue
            if name not in allowed:
                raise self.wrong(inner, f"is not known; {nearest(name, [*allowed, *others])}")
            types, _ = allowed[name]
            if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
                wanted = " or ".join(_TYPE_NAMES[one] for one in types)
                raise self.wrong(inner, f"must be {wanted}, not {value!r}.")
        for name, (_, is_needed) in allowed.items():
            if is_needed and name not in content:
                raise self.wrong(joined_keys(key, name), "is missing.")

    def texts(self, key: str, values: list[Any]) -> tuple[str, ...]:
        """Refuse what is no list of texts."""
        for value in values:
            if not isinstance(value, str):
                raise self.wrong(key, f"must be a list of texts; {value!r} is none.")
        return tuple(values)

    def name(self, key: str, name: str) -> str:
        """Refuse a name that nobody could write in a check, or see in a table."""
        if not name or name != name.strip() or not name.isprintable():
            raise self.wrong(
                key, f"{name!r} is no name; there must be something to see, without spaces around."
            )
        return name

    def filled(self, key: str, value: Any) -> Any:
        """Refuse a table or a list with nothing in it."""
        if not value:
            raise self.wrong(key, "is empty; leave it out, or say something.")
        return value

    def finite(self, key: str, value: Any, above: float = -math.inf) -> None:
        """Refuse what is no number, no finite one or too small."""
        if type(value) not in (int, float) or not above < value < math.inf:
            beyond = "" if above == -math.inf else f" above {above}"
            raise self.wrong(key, f"must be a number{beyond}, not {value!r}.")

    def seed(self, key: str, value: int) -> None:
        """Refuse what NumPy does not take for a seed."""
        if not 0 <= value < 2**32:
            raise self.wrong(key, f"must be from 0 to 2**32 - 1, not {value}.")

    def at_least(self, key: str, value: float | None, least: float) -> None:
        """Refuse a number that is too small."""
        if value is not None and value < least:
            raise self.wrong(key, f"must be at least {least}, not {value}.")

    def at_most(self, key: str, value: float | None, most: float) -> None:
        """Refuse a number that is too large."""
        if value is not None and value > most:
            raise self.wrong(key, f"must be at most {most}, not {value}.")

    def one_of(self, key: str, value: Any, choices: Iterable[str]) -> None:
        """Refuse what is not one of some names."""
        if not isinstance(value, str) or value not in choices:
            raise self.wrong(key, f"{value!r} is not one of {', '.join(choices)}.")


_TYPE_NAMES = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    dict: "a table",
    list: "a list",
    bool: "true or false",
}


def joined_keys(key: str, name: str) -> str:
    """Return the key of a part of a table."""
    return f"{key}.{name}" if key else name


def nearest(name: str, known: Iterable[str]) -> str:
    """Return the name that was likely meant, or all that there are."""
    known = [one for one in known if one]
    close = difflib.get_close_matches(name, known, n=1)
    if close or not known:
        return f"did you mean {close[0]!r}?" if close else "there are none."
    return f"there are {listed(known)}."
