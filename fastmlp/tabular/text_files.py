"""Tables written as text: CSV and its relatives, compressed or not, and how a file shows how to read it."""

from __future__ import annotations

import bz2
import codecs
import csv
import gzip
import io
import lzma
import re
import sys
import warnings
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import pandas as pd

#: Bytes and records at the beginning of a file that show how the rest is to be read.
_SAMPLE_BYTES, _SAMPLE_RECORDS = 1 << 20, 1000
#: What separates the columns, and what it is called; of those that fit equally well the first is taken.
SEPARATORS = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a bar"}
#: The name that pandas gives to a first column without one.
UNNAMED = "Unnamed: 0"
#: Separators that leave the comma free for decimals.
_BESIDE_DECIMAL_COMMAS = (";", "\t")
_SPACES = r"\s+"
_COMMA_NUMBER = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?")
_POINT_NUMBER = re.compile(r"[+-]?\d*\.\d+([eE][+-]?\d+)?")
_GROUPED_NUMBER = re.compile(r"[+-]?\d{1,3}(,\d{3}){2,}")
_BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF32_LE: "utf-32", codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16",
}  # fmt: skip

#: Opens a file from its beginning.
_Opener = Callable[[], AbstractContextManager[BinaryIO]]


@dataclass(frozen=True)
class TextFormat:
    r"""How a table is written as text; None for what the file itself shows.

    Attributes
    ----------
    sep : str, optional
        What separates the columns: one character, "tab", or ``\s+`` for spaces.
    decimal : str, optional
        "." or ",".
    encoding : str, optional
        One that Python knows.
    """

    sep: str | None = None
    decimal: str | None = None
    encoding: str | None = None

    def __post_init__(self) -> None:
        sep = {"tab": "\t", r"\t": "\t", "space": " "}.get(self.sep or "", self.sep)
        object.__setattr__(self, "sep", sep)
        if sep is not None and sep != _SPACES and (len(sep) != 1 or sep in '"\r\n'):
            raise ValueError(f"--sep {self.sep!r} must be one character, 'tab', or '\\s+' for any spaces.")
        if self.decimal not in (None, ".", ","):
            raise ValueError(f"--decimal {self.decimal!r} must be '.' or ','.")
        if self.encoding is not None:
            try:
                "".encode(self.encoding)
            except LookupError:
                says = f"--encoding {self.encoding!r} is not one that Python knows, such as utf-8 or latin-1."
                raise ValueError(says) from None


@dataclass(frozen=True)
class TextTable:
    """What `read_text` returns.

    Attributes
    ----------
    frame, written : DataFrame
        All columns as pandas reads them, and those that were asked for as they are written.
    has_row_names : bool
        Whether the first column has no place in the header.
    header : list of str
        The names as they are written; pandas makes them different from each other.
    decimal : str
    notes : tuple of str
        What the user should know of how the file was read.
    """

    frame: pd.DataFrame
    written: pd.DataFrame
    has_row_names: bool
    header: list[str]
    decimal: str
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Layout:
    sep: str
    decimal: str
    encoding: str
    header: list[str]
    n_skipped: int
    has_row_names: bool
    ends_in_separators: bool

    @property
    def index_col(self) -> int | bool | None:
        """What pandas takes: False for rows that end in a separator, which the header does not."""
        if self.has_row_names:
            return 0
        return False if self.ends_in_separators else None


def read_text(name: str, given: TextFormat, as_written: Iterable[str] = ()) -> TextTable:
    """Read a table from a text file, or of the name "-" from standard input.

    Parameters
    ----------
    name : str
    given : TextFormat
    as_written : iterable of str
        Columns that are also returned as text, as it is written.

    Raises
    ------
    ValueError
        If it is no such table, or no text.
    """
    open_ = _opener(name)
    with open_() as file:
        head = file.read(_SAMPLE_BYTES)
    encodings = _encodings(head) if given.encoding is None else [given.encoding]
    for encoding in encodings:
        try:
            layout = _layout(head, given, encoding)
            frame, written = _parsed(open_, layout, as_written)
        except UnicodeDecodeError as error:
            problem = error
        else:
            notes = _notes(name, given, layout)
            return TextTable(frame, written, layout.has_row_names, layout.header, layout.decimal, notes)
    raise ValueError(f"it is not text in the encoding {encodings[-1]}: {problem}; --encoding names another")


def _opener(name: str) -> _Opener:
    """Return what opens the file, as often as it is called; its content is unpacked if it is compressed."""
    path = Path(name)
    if name == "-":
        if sys.stdin is None:
            raise ValueError("standard input is closed; name a file")
        content = sys.stdin.buffer.read()
    elif not path.is_file():  # a pipe can be read once
        content = path.read_bytes()
    else:
        return lambda: _unpacked(path.open("rb"))
    return lambda: _unpacked(io.BytesIO(content))


@contextmanager
def _unpacked(packed: BinaryIO) -> Iterator[BinaryIO]:
    with packed:
        magic = packed.read(6)
        packed.seek(0)
        for begins, unpack in _COMPRESSED.items():
            if magic.startswith(begins):
                with unpack(packed) as file:
                    yield file
                return
        yield packed


def _unzipped(file: BinaryIO) -> Any:
    archive = zipfile.ZipFile(file)
    members = [name for name in archive.namelist() if not name.endswith("/")]
    if len(members) != 1:
        raise ValueError(f"the archive must hold one file, not {len(members)}")
    return archive.open(members[0])


def _zstandard(file: BinaryIO) -> Any:
    import pyarrow  # pandas itself would need yet another package for these

    return pyarrow.input_stream(file, compression="zstd")


# By their first bytes: standard input has no name that ends in .gz.
_COMPRESSED: dict[bytes, Callable[[BinaryIO], Any]] = {
    b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\x00": lzma.open, b"\x28\xb5\x2f\xfd": _zstandard,
    b"PK\x03\x04": _unzipped,
}  # fmt: skip


def _encodings(head: bytes) -> list[str]:
    """Return the encodings to try."""
    for mark, encoding in _BYTE_ORDER_MARKS.items():
        if head.startswith(mark):
            return [encoding]
    if b"\0" in head:
        raise ValueError("it holds null bytes, so that it is not text; if it is UTF-16, give --encoding")
    return ["utf-8", "cp1252", "latin-1"]  # the last one can decode anything


def _layout(head: bytes, given: TextFormat, encoding: str) -> _Layout:
    """Return how a file is to be read, from its beginning."""
    is_whole = len(head) < _SAMPLE_BYTES
    if codecs.lookup(encoding).name == "utf-8":
        encoding = "utf-8-sig"  # the same, but for a mark at the beginning
    text = codecs.getincrementaldecoder(encoding)().decode(head, final=is_whole)
    sep, n_skipped = given.sep, 0
    if stated := re.match(r'"?sep=(.)"?\r?\n', text):  # Excel's own way to say it
        sep, n_skipped, text = sep or stated[1], 1, text[stated.end() :]
    is_known = sep is not None
    if sep is None:
        sep = _separator(text, is_whole, "," if given.decimal != "," else ";")
    records = _records(text, sep, is_whole)
    if not is_known:
        _check_separator(records, sep)
    header, rows = records[0] if records else [], records[1:]
    # Rows of one field more: either they end in a separator, or the first names them, as R writes them.
    is_longer = bool(rows) and all(len(row) == len(header) + 1 for row in rows)
    has_names = is_longer and any(row[-1] for row in rows)
    decimal = given.decimal or _decimal(rows, sep)
    return _Layout(sep, decimal, encoding, header, n_skipped, has_names, is_longer and not has_names)


def _records(text: str, sep: str, is_whole: bool) -> list[list[str]]:
    """Return the first records of a text; its last may be cut off."""
    if sep == _SPACES:
        return [line.split() for line in text.splitlines()[:_SAMPLE_RECORDS] if line.strip()]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=sep)
    records = []
    try:
        for record in reader:
            if record:
                records.append(record)
            if len(records) > _SAMPLE_RECORDS:
                return records
    except csv.Error:  # a quote that is never closed, as a wrong separator makes them
        pass
    return records if is_whole or len(records) < 2 else records[:-1]


def _separator(text: str, is_whole: bool, default: str) -> str:
    """Return the separator that gives all rows equally many columns, and most of them.

    `csv.Sniffer` also takes letters for separators, and commas within decimal numbers.
    """
    best, best_rank = default, (False, 1)
    for sep in SEPARATORS:
        widths = [len(record) for record in _records(text, sep, is_whole)]
        if not widths:
            break
        header, rows = widths[0], set(widths[1:])
        # Of a row more than the header, the first names it: so R writes them.
        rank = (len(rows) <= 1 and rows <= {header, header + 1}, header)
        # A separator that is in the header only belongs to a name.
        if header > 1 and rows != {1} and rank > best_rank:
            best, best_rank = sep, rank
    return best


def _decimal(rows: list[list[str]], sep: str) -> str:
    """Return the decimal separator that the cells show."""
    if sep not in _BESIDE_DECIMAL_COMMAS:
        return "."
    cells = [cell.strip() for row in rows for cell in row]
    commas = any(_COMMA_NUMBER.fullmatch(cell) for cell in cells)
    others = any(_POINT_NUMBER.fullmatch(cell) or _GROUPED_NUMBER.fullmatch(cell) for cell in cells)
    return "," if commas and not others else "."


def _parsed(open_: _Opener, layout: _Layout, as_written: Iterable[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return all columns as pandas reads them, and some as they are written."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)  # it would leave data out
        frame = _frame(open_, layout)
    if layout.decimal == ".":
        _make_numbers(frame)
    columns = [column for column in frame.columns if column in {*as_written}]
    if not columns:
        return frame, frame[[]]
    places = [frame.columns.get_loc(column) for column in columns] if not layout.has_row_names else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", pd.errors.ParserWarning)  # of empty fields at the end of the rows
        texts = _frame(open_, layout, dtype=str, na_filter=False, usecols=places)
    if places is not None:
        texts.columns = columns
    return frame, texts[columns].astype(object)


def _make_numbers(frame: pd.DataFrame) -> None:
    """Make numbers of columns that pandas leaves as text for integers beyond 64 bits among others."""
    for column in frame.columns[[isinstance(dtype, pd.StringDtype) for dtype in frame.dtypes]]:
        try:
            numbers = pd.to_numeric(frame[column])
        except ValueError:
            continue
        is_float = pd.api.types.is_float_dtype(numbers)  # else all are integers, and it leaves them as text
        frame[column] = numbers if is_float else numbers.astype(object).map(int, na_action="ignore")


def _frame(open_: _Opener, layout: _Layout, **options: Any) -> pd.DataFrame:
    with open_() as file:
        frame = pd.read_csv(
            file, sep=layout.sep, decimal=layout.decimal, encoding=layout.encoding,
            skiprows=layout.n_skipped, low_memory=False, index_col=layout.index_col, **options,
        )  # fmt: skip
    if not layout.has_row_names:
        return frame
    # pandas itself names a second column without a name so.
    return frame.reset_index(names=f"{UNNAMED}.1" if UNNAMED in frame.columns else UNNAMED)


def _check_separator(records: list[list[str]], sep: str) -> None:
    """Refuse a table of one column where the header and the rows all look like several, between spaces."""
    widths = [len(" ".join(record).split()) for record in records]
    is_one = all(len(record) == 1 for record in records)
    # Of a row more than the header, the first names it: so R writes them.
    if is_one and widths and widths[0] > 1 and {*widths[1:]} in (set(), {widths[0]}, {widths[0] + 1}):
        raise ValueError(
            f"it has one column, {records[0][0]!r}; if spaces should separate several, give --sep "
            f"'{_SPACES}', and if not, --sep '{sep}'"
        )


def _notes(name: str, given: TextFormat, layout: _Layout) -> tuple[str, ...]:
    """Return a line of what was found in the file and is not usual."""
    found = []
    usual = "\t" if ".tsv" in name.lower() else ","
    if given.sep is None and layout.sep != usual:
        found.append(f"{SEPARATORS.get(layout.sep, repr(layout.sep))} between the columns (--sep)")
    if given.decimal is None and layout.decimal != ".":
        found.append("decimal commas (--decimal)")
    if given.encoding is None and layout.encoding != "utf-8-sig":
        found.append(f"the encoding {layout.encoding} (--encoding)")
    return (f"read with {', '.join(found)}",) if found else ()
