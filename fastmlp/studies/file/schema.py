"""From a table of a study file to a dataclass, whose fields say what the keys are and what each may hold.

A key is needed if its field has no default. Values are held to the field's annotation, and to the checks
beside it in ``Annotated``; an error names the file, the key and what is allowed.
"""

from __future__ import annotations

import difflib
import math
import types
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin, get_type_hints

from fastmlp._support.checks import listed

_T = TypeVar("_T")
#: What refuses a value of the right type: it returns what is wrong with it, or an empty text.
Check = Callable[[Any], str]


class StudyError(ValueError):
    """A study file that is not what it should be; the message names the file, the key and what is allowed."""


@dataclass(frozen=True)
class Place:
    """A place in a study file: what an error names."""

    file: str
    key: str = ""

    def at(self, name: str) -> Place:
        """Return the place of a key of the table that is here."""
        return Place(self.file, f"{self.key}.{name}" if self.key else name)

    def item(self, index: int) -> Place:
        """Return the place of a table of the list that is here."""
        return Place(self.file, f"{self.key}[{index}]")

    def wrong(self, says: str) -> StudyError:
        """Return the error that says this of what is here."""
        return StudyError(f"{self.file}: {self.key}: {says}")


@dataclass(frozen=True)
class OneOf:
    """In ``Annotated``: the value is one of these names."""

    names: Iterable[str]


@dataclass(frozen=True)
class Called:
    """In ``Annotated``: how an error calls what the value must be."""

    name: str


@dataclass(frozen=True)
class Parsed:
    """In ``Annotated``: the file has a text, which this function reads."""

    read: Callable[[str], Any]


#: In ``Annotated``: a single text may stand for the list of it.
OR_ONE = object()
#: The metadata of a field that is not a key of the file. A field whose key differs has ``{"key": name}``.
NOT_IN_FILE = {"in_file": False}


def read(kind: type[_T], content: Any, place: Place, **given: Any) -> _T:
    """Return the dataclass that a table of a file describes.

    Parameters
    ----------
    kind : type
        A dataclass. Those among its fields may have a class method ``from_table(content, place)``, which is
        then called to read them.
    content : object
        What the file has there.
    place : Place
        Where it is.
    **given
        Fields that are no keys.

    Raises
    ------
    StudyError
        If it is no table, has unknown keys, lacks one, or a value is of another type or refused by a check.
    """
    if not isinstance(content, dict):
        raise place.wrong(f"must be a table of keys and values, not {content!r}.")
    keys = keys_of(kind)
    check_known(content, keys, place)
    for key, one in keys.items():
        if key not in content and one.default is MISSING and one.default_factory is MISSING:
            raise place.at(key).wrong("is missing.")
    hints = get_type_hints(kind, include_extras=True)
    found = {
        one.name: checked(content[key], hints[one.name], place.at(key))
        for key, one in keys.items()
        if key in content
    }
    return kind(**given, **found)


def keys_of(kind: Any) -> dict[str, Field[Any]]:
    """Return the fields of a dataclass that a file has, by their keys."""
    return {
        one.metadata.get("key", one.name): one for one in fields(kind) if one.metadata.get("in_file", True)
    }


def check_known(content: Iterable[str], known: Iterable[str], place: Place) -> None:
    """Refuse unknown keys."""
    known = list(known)
    for key in content:
        if key not in known:
            raise place.at(key).wrong(f"is not known; {nearest(key, known)}")


def checked(value: Any, annotation: Any, place: Place) -> Any:
    """Return a value as the dataclass has it, once it is found to be what the annotation says."""
    annotation, marks = _parts(annotation)
    for mark in marks:
        if isinstance(mark, OneOf):
            if not isinstance(value, str) or value not in mark.names:
                raise place.wrong(f"{value!r} is not one of {', '.join(mark.names)}.")
        elif isinstance(mark, Parsed):
            return _parsed(checked(value, str, place), mark, place)
        elif mark is OR_ONE and isinstance(value, str):
            value = [value]
    if is_dataclass(annotation):
        return _read_table(annotation, value, place)
    if not _is_of(value, annotation):
        names = [mark.name for mark in marks if isinstance(mark, Called)] or [_called(annotation, marks)]
        raise place.wrong(f"must be {names[0]}, not {value!r}.")
    value = _with_parts(value, annotation, place)
    for mark in marks:
        if callable(mark) and (says := mark(value)):
            raise place.wrong(says)
    return value


def _parts(annotation: Any) -> tuple[Any, tuple[Any, ...]]:
    """Return an annotation without its marks and without None, which a file cannot say; and the marks."""
    marks: tuple[Any, ...] = ()
    if get_origin(annotation) is Annotated:
        annotation, *found = get_args(annotation)
        marks = tuple(found)
    if type(None) in get_args(annotation):
        left = tuple(one for one in get_args(annotation) if one is not type(None))
        annotation, inner = _parts(Union[left])  # noqa: UP007  of a tuple of types
        marks = inner + marks
    return annotation, marks


def _read_table(kind: Any, content: Any, place: Place, **given: Any) -> Any:
    """Return a dataclass by its own method ``from_table(content, place)``, if it has one, or by `read`."""
    if hasattr(kind, "from_table"):
        return kind.from_table(content, place, **given)
    return read(kind, content, place, **given)


def _parsed(text: str, mark: Parsed, place: Place) -> Any:
    try:
        return mark.read(text)
    except ValueError as error:
        raise place.wrong(str(error)) from None


def _is_of(value: Any, annotation: Any) -> bool:
    """Return whether a value of a file is of this type, apart from what is in it."""
    if annotation is Any:
        return True
    if isinstance(annotation, types.UnionType) or get_origin(annotation) is Union:
        return any(_is_of(value, one) for one in get_args(annotation))
    origin, parts = get_origin(annotation) or annotation, get_args(annotation)
    if origin is tuple and ... not in parts:
        return isinstance(value, list) and [type(one) for one in value] == list(parts)
    if isinstance(value, bool):
        return origin is bool
    kinds: Any = {tuple: list, float: (int, float)}.get(origin, origin)
    return isinstance(value, kinds)


def _with_parts(value: Any, annotation: Any, place: Place) -> Any:
    """Return a list or a table with its parts checked; anything else as it is."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is tuple:
        if ... not in parts:
            return tuple(value)
        is_of_tables = is_dataclass(parts[0])
        return tuple(
            checked(one, parts[0], place.item(i) if is_of_tables else place) for i, one in enumerate(value)
        )
    if origin is dict:
        for name in value:
            if not name or name != name.strip() or not name.isprintable():
                says = f"{name!r} is no name; there must be something to see, without spaces around."
                raise place.at(name).wrong(says)
        if is_dataclass(parts[1]):  # whose name is the key
            return {
                name: _read_table(parts[1], one, place.at(name), name=name) for name, one in value.items()
            }
        return {name: checked(one, parts[1], place.at(name)) for name, one in value.items()}
    return value


_NAMES: Mapping[Any, str] = {
    str: "a text", int: "a whole number", float: "a number", bool: "true or false", dict: "a table",
    list: "a list of values", tuple: "a list",
}  # fmt: skip


def _called(annotation: Any, marks: Iterable[Any]) -> str:
    """Return how an error calls a type."""
    kinds = get_args(annotation) if isinstance(annotation, types.UnionType) else (annotation,)
    names = [_NAMES[get_origin(kind) or kind] for kind in kinds]
    return " or ".join([*(["a text"] if OR_ONE in marks else []), *names])


def filled(value: Any) -> str:
    """Refuse a text, a table or a list with nothing in it."""
    return "" if value else "is empty; leave it out, or say something."


def within(least: float, most: float = math.inf) -> Check:
    """Return what refuses a number that is too small or too large."""

    def check(value: Any) -> str:
        if value < least:
            return f"must be at least {least}, not {value}."
        return f"must be at most {most}, not {value}." if value > most else ""

    return check


def finite(above: float = -math.inf) -> Check:
    """Return what refuses a number that is not finite, or too small."""
    wanted = "a number" if above == -math.inf else f"a number above {above}"
    return lambda value: "" if above < value < math.inf else f"must be {wanted}, not {value!r}."


def seed(value: Any) -> str:
    """Refuse what NumPy does not take for a seed."""
    return "" if 0 <= value < 2**32 else f"must be from 0 to 2**32 - 1, not {value}."


def nearest(name: str, known: Iterable[str]) -> str:
    """Return the name that was likely meant, or all that there are."""
    known = [one for one in known if one]
    close = difflib.get_close_matches(name, known, n=1)
    if close or not known:
        return f"did you mean {close[0]!r}?" if close else "there are none."
    return f"there are {listed(known)}."
