"""Files of data: CSV and its relatives, Parquet, NPZ; what is in them, as it is written."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from fastmlp._support.checks import listed
from fastmlp.tabular.text_files import UNNAMED, TextFormat, read_text

_TEXTS, _COMPRESSIONS = (".csv", ".tsv", ".txt"), (".gz", ".bz2", ".xz", ".zst", ".zip")
SUFFIXES = (*_TEXTS, ".parquet", ".npz")
#: How pandas calls an index without a name in a Parquet file.
_INDEX_LEVEL = "__index_level_{}__"
_LEVEL = re.compile(_INDEX_LEVEL.format(r"\d+"))
#: How pandas calls a column without a name in a CSV file.
_GIVEN_NAME = re.compile(r"Unnamed: \d+(\.\d+)*")


@dataclass(frozen=True)
class Table:
    """A table as it is in a file.

    Attributes
    ----------
    name : str
        The file's.
    frame : DataFrame
        All columns, under names that are strings.
    index : tuple of str
        Columns that number or name the rows: left out where nobody asks for them.
    written : DataFrame
        Columns that were asked for as text, as it is written; of a file that is not text, none.
    decimal : str
        In these.
    notes : tuple of str
        What the user should know of how the file was read.
    categories : frozenset of str
        Columns that were categories when they were written, though Parquet stores their values only.
    """

    name: str
    frame: pd.DataFrame
    index: tuple[str, ...] = ()
    written: pd.DataFrame = field(default_factory=pd.DataFrame)
    decimal: str = "."
    notes: tuple[str, ...] = ()
    categories: frozenset[str] = frozenset()

    def without(self, columns: Iterable[str]) -> tuple[pd.DataFrame, tuple[str, ...]]:
        """Return the other columns but those of the index, and a note that says which were left out."""
        others = {*columns}
        index = [column for column in self.index if column not in others]
        frame = self.frame[[one for one in self.frame.columns if one not in {*others, *index}]]
        if not index:
            return frame, ()
        is_first = index == [UNNAMED] and self.frame.columns[0] == UNNAMED
        which = "the first column, which has no name" if is_first else listed(map(str, index))
        return frame, (f"{self.name}: an index of the rows is left out: {which}",)


def name_of(data: str) -> str:
    """Return what messages call a file."""
    return "standard input" if data == "-" else data


def kind_of(data: str) -> str:
    """Return ".csv", ".parquet", ".npz", or "" for what ends otherwise; text is ".csv", and so are pipes."""
    path = Path(data)
    if data == "-" or (path.exists() and not path.is_file() and not path.is_dir()):
        return ".csv"
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in _COMPRESSIONS:
        return ".csv" if suffixes[-2:-1] and suffixes[-2] in _TEXTS else ""
    if not suffixes or suffixes[-1] not in SUFFIXES:
        return ""
    return ".csv" if suffixes[-1] in _TEXTS else suffixes[-1]


def read(
    data: str, text_format: TextFormat, as_written: Iterable[str] = ()
) -> Table | Mapping[str, np.ndarray]:
    """Return the table, or the arrays of an NPZ file, each of which is read when it is asked for.

    Parameters
    ----------
    data : str
        A file, or "-" for a table from standard input.
    text_format : TextFormat
    as_written : iterable of str
        Columns that are also wanted as text, if the file is text.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no such file, or it cannot be read.
    """
    kind, path, name = kind_of(data), Path(data), name_of(data)
    if data != "-" and not path.exists():
        raise FileNotFoundError(f"{data}: there is no such file.")
    if path.is_dir():
        raise IsADirectoryError(f"{data}: is a folder; name a file.")
    try:
        if kind == ".npz":
            return _Arrays(data)
        if kind == ".parquet":
            return _read_parquet(data)
        return _read_text(name, data, text_format, frozenset(as_written))
    except Exception as error:  # each reader has its own kinds
        says = " ".join(str(error).split())  # several readers break their lines
        raise ValueError(f"{name}: cannot be read as {kind[1:]} ({says}).") from None


class _Arrays(Mapping[str, np.ndarray]):
    """The arrays of an NPZ file."""

    def __init__(self, data: str):
        self._data = data
        with open(data, "rb") as file, np.load(file, allow_pickle=False) as arrays:
            self._names = list(arrays.files)

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self._names:
            raise ValueError(
                f"{self._data}: there is no array {name!r}; the file has {listed(map(str, self._names))}."
            )
        try:
            with open(self._data, "rb") as file, np.load(file, allow_pickle=False) as arrays:
                return arrays[name]
        except Exception as error:  # of zip files, of NumPy, of objects
            raise ValueError(f"{self._data}: the array {name!r} cannot be read ({error}).") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def _read_text(name: str, data: str, text_format: TextFormat, as_written: frozenset[str]) -> Table:
    table = read_text(data, text_format, as_written)
    for column in as_written:
        if table.header.count(column) > 1:
            raise ValueError(f"the header has the column {column!r} {table.header.count(column)} times")
    n_index = int(table.has_row_names) + _n_nameless(table.header)
    index = tuple(table.frame.columns[:n_index]) if n_index < len(table.frame.columns) else ()
    notes = tuple(f"{name}: {note}" for note in table.notes)
    return Table(name, table.frame, index, table.written, table.decimal, notes)


def _n_nameless(header: Iterable[str]) -> int:
    """Return how many columns at the beginning have no name, or one that pandas gave them for that.

    They are an index that was written with the table, or several: one for each time that it was saved.
    """
    nameless = (not name.strip() or bool(_GIVEN_NAME.fullmatch(name)) for name in header)
    return sum(1 for _ in takewhile(bool, nameless))


def _read_parquet(data: str) -> Table:
    schema = pq.read_schema(data)
    _check_different(schema.names)
    frame = pd.read_parquet(data)
    if frame.columns.nlevels > 1:
        raise ValueError(
            f"its columns have names of {frame.columns.nlevels} levels, such as {frame.columns[0]}; join "
            "them to one first"
        )
    frame.columns = [str(column) for column in frame.columns]
    levels: list[str] = []
    if frame.index.nlevels > 1 or frame.index.name is not None or not isinstance(frame.index, pd.RangeIndex):
        levels = [
            _INDEX_LEVEL.format(i) if level is None else str(level)
            for i, level in enumerate(frame.index.names)
        ]
        index = frame.index.to_frame(index=False)
        index.columns = levels
        frame = pd.concat([index, frame.reset_index(drop=True)], axis=1)
    else:
        frame = frame.reset_index(drop=True)
    _check_different(frame.columns)
    # Other libraries read what pandas has written as an index, and write it as a column.
    nameless = frame.columns[len(levels) : len(levels) + _n_nameless(frame.columns[len(levels) :])]
    levels += [
        one for one in frame.columns if one not in levels and (_LEVEL.fullmatch(one) or one in nameless)
    ]
    written = (schema.pandas_metadata or {}).get("columns", ())
    categories = frozenset(str(one["name"]) for one in written if one["pandas_type"] == "categorical")
    return Table(data, frame, tuple(levels), categories=categories)


def _check_different(names: Iterable[str]) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ValueError(f"several columns have the name {listed(map(str, twice))}")
