"""Tables in files: CSV, Parquet, .npy and .npz as named columns of numbers or of texts.

A column is of one kind. Where a file could be read in two ways, it is refused with the line and the column, rather than
guessed at: a model trained on a misread column looks like any other.
"""

from __future__ import annotations

import csv
import math
import os
import re
import sys
from array import array
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._arguments import shown
from ._files import open_to_read

MISSING = ("", "?", "NA", "N/A", "NaN", "nan", "NULL", "null")
DELIMITERS = ",;\t|"
LIKE_A_NUMBER = re.compile(r"[-+−]?[$€£]? ?((\d+(,\d+)?|\d{1,3}([,' ]\d{3})+)(\.\d+)?|\d{1,3}(\.\d{3})+,\d+) ?[%$€£]?")
ROWS_AT_A_TIME = 1000
UTF_16 = (b"\xff\xfe", b"\xfe\xff")
NOT_TEXT = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"\x1f\x8b")  # how .xlsx and .zip, .xls, and .gz begin
HEADERS = ("auto", "yes", "no")
FORMATS = (".csv", ".tsv", ".txt", ".parquet", ".npy", ".npz")

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Column:
    """A column: its numbers, nan where one is missing, or its texts, None where one is missing.

    Of one that is neither, `wrong` says why and where: an error for who reads it, not for who has no use for it.
    """

    name: str
    values: Numbers | list[str | None]
    wrong: str | None = None

    @property
    def is_text(self) -> bool:
        """Whether it holds texts."""
        return isinstance(self.values, list)

    @property
    def texts(self) -> list[str | None]:
        """The values as texts, whole numbers without a decimal point."""
        if isinstance(self.values, list):
            return self.values
        return [None if math.isnan(value) else _as_text(value) for value in self.values.tolist()]

    @property
    def missing(self) -> NDArray[np.bool_]:
        """Which values are missing."""
        if isinstance(self.values, list):
            return np.array([value is None for value in self.values], np.bool_)
        return np.isnan(self.values)


@dataclass(frozen=True)
class Table:
    """Columns of equal length.

    Attributes
    ----------
    path : str
        The file.
    columns : dict of str to Column
        By name, in the file's order.
    named : bool
        Whether the file gives the names; else they are "1", "2", ….
    lines : sequence of int
        Where in the file each row begins, and `line`, what that is a number of: "line" or "row".
    """

    path: str
    columns: dict[str, Column]
    named: bool
    lines: Sequence[int]
    line: str = "row"

    def __len__(self) -> int:
        return len(self.lines)

    def place(self, row: int, column: str) -> str:
        """Return in words where a value stands."""
        return f"{self.path}, {self.line} {self.lines[row]}, column {column!r}"

    def take(self, rows: NDArray[np.intp]) -> Table:
        """Return the table of some of the rows, which still knows where they stand."""
        columns = {}
        for name, column in self.columns.items():
            values = column.values
            if isinstance(values, list):
                values = [values[row] for row in rows.tolist()] if values else []
            else:
                values = values[rows]
            columns[name] = Column(name, values, column.wrong)
        lines = [self.lines[row] for row in rows.tolist()]
        return Table(self.path, columns, self.named, lines, self.line)

    def column(self, name: str) -> Column:
        """Return a column; one that is neither of numbers nor of texts is refused."""
        column = self.columns[name]
        if column.wrong is not None:
            raise ValueError(column.wrong)
        return column

    def numbers(self, name: str) -> Numbers:
        """Return a column's numbers; a text that is none is refused."""
        column = self.columns[name]
        if not isinstance(column.values, list):
            return column.values
        if not column.values:
            raise ValueError(column.wrong)
        numbers = np.full(len(self), math.nan)
        for row, text in enumerate(column.values):
            number = None if text is None else as_number(text)
            if text is not None and number is None:
                raise ValueError(f"{self.place(row, name)}: {text!r} is not a number")
            if number is not None:
                if not math.isfinite(number):
                    raise ValueError(f"{self.place(row, name)}: {text!r} is not a finite number")
                numbers[row] = number
        return numbers


def find_columns(names: Sequence[str], wanted: str) -> list[str]:
    """Return the names meant by `wanted`: a name, a position from 1 or from −1, or an array of a .npz.

    Raises
    ------
    ValueError
        There is no such column.
    """
    if wanted in names:
        return [wanted]
    of_array = [name for name in names if name.startswith(f"{wanted}.") and name[len(wanted) + 1 :].isdecimal()]
    if of_array:
        return of_array
    try:
        position = int(wanted)
    except ValueError:
        position = 0
    if 0 < abs(position) <= len(names):
        return [names[position - 1 if position > 0 else position]]
    raise ValueError(f"there is no column {shown(wanted)}; there are: {listed(names)}")


def listed(names: Collection[str], most: int = 12) -> str:
    """Return names as a message shows them."""
    shown_names = ", ".join(list(names)[:most])
    return shown_names if len(names) <= most else f"{shown_names}, … ({len(names)} in all)"


def as_number(text: str) -> float | None:
    """Return the number that a text is, or None: no underscores, and no digits but the ASCII ones."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if "_" not in text and text.isascii() else None


def disguised_number(texts: Collection[str | None]) -> str | None:
    """Return one of the texts of a column that are all numbers, but not all as `as_number` reads them: 3,14 or 5%."""
    disguised = None
    for text in texts:
        if text is not None and as_number(text) is None:
            if not LIKE_A_NUMBER.fullmatch(text):
                return None
            disguised = disguised or text
    return disguised


def read_table(path: str, header: str = "auto", delimiter: str | None = None, as_text: Collection[str] = ()) -> Table:
    """Return the table in a file.

    Parameters
    ----------
    path : str
        Of one of the endings `FORMATS`; another is read as CSV.
    header : {"auto", "yes", "no"}
        Whether the first line of a CSV file has the columns' names; auto: where none of its fields is a number.
    delimiter : str or None
        What stands between two fields of a CSV file; None: of comma, semicolon, tab and bar the most frequent in the
        first line.
    as_text : collection of str
        Columns, as `find_columns` takes them, whose values are kept as texts even where they are numbers; of arrays
        and Parquet, whole numbers. One that is not there is no error here.

    Raises
    ------
    OSError
        The file cannot be read.
    ValueError
        It is not such a file, or a row or a value does not fit; the message says where.
    ModuleNotFoundError
        It is a Parquet file, and pyarrow is not there.
    """
    ending = os.path.splitext(path)[1].lower()
    if ending == ".parquet":
        table = _read_parquet(path, as_text)
    elif ending in (".npy", ".npz"):
        table = _read_arrays(path, as_text)
    else:
        table = _read_csv(path, header, delimiter, as_text)
    if not len(table):
        raise ValueError(f"{path} has no rows of data")
    for name in table.columns:
        if not name.isprintable():
            raise ValueError(f"{path}: the column name {shown(name)} has characters that cannot be printed")
    return table


# --- CSV --------------------------------------------------------------------------------------------------------------


class _Builder:
    """A column under construction: of numbers or of texts, as its first value is."""

    def __init__(self, name: str, keep_text: bool) -> None:
        self.name = name
        self.wrong: str | None = None
        self._kept = keep_text  # whatever it holds
        self._texts: list[str | None] = []
        self._numbers = array("d")
        self._is_text: bool | None = True if keep_text else None  # None: not known, as all values are missing

    def add(self, text: str) -> str | None:
        """Take in a value; return what is wrong with it, or None."""
        text = text.strip()
        if text in MISSING:
            if self._is_text is not True:
                self._numbers.append(math.nan)
            if self._is_text is not False:
                self._texts.append(None)
            return None
        number = None if self._kept else as_number(text)
        if self._is_text is None:
            self._is_text = number is None
        if self._is_text:
            self._texts.append(text)
            if number is not None:
                return f"{text!r} is a number, but the values above it are texts"
            return None if text.isprintable() else f"{shown(text)} has characters that cannot be printed"
        if number is None:
            return f"{text!r} is not a number, as the values above it are"
        self._numbers.append(number)
        return None if math.isfinite(number) else f"{text!r} is not a finite number"

    def add_numbers(self, texts: Sequence[str]) -> bool:
        """Take in many values at once, if all are plain numbers; return whether they were, and nothing else is done."""
        if self._is_text or "_" in (joined := "".join(texts)) or not joined.isascii():
            return False
        try:
            numbers = array("d", map(float, texts))
        except ValueError:
            return False
        if not np.isfinite(numbers).all():
            return False
        self._numbers.extend(numbers)
        self._is_text = False
        return True

    def column(self) -> Column:
        if self._is_text:
            return Column(self.name, self._texts, self.wrong)
        return Column(self.name, [] if self.wrong else np.array(self._numbers, np.float64), self.wrong)


def _read_csv(path: str, header: str, delimiter: str | None, as_text: Collection[str]) -> Table:
    with open(path, encoding="utf-8-sig", newline="") as file:
        rows = _csv_rows(file, path, delimiter)
        first_line, first = next(rows, (0, []))
        if not first:
            raise ValueError(f"{path} is empty")
        has_header = header == "yes" or (header == "auto" and all(as_number(field) is None for field in first))
        names = _csv_names(first, path) if has_header else [str(i + 1) for i in range(len(first))]
        hint = "" if has_header or header != "auto" else "; if the first line has the columns' names, give --header yes"
        kept = _kept_as_text(names, as_text)
        builders = [_Builder(name, name in kept) for name in names]
        lines = array("q")
        data = rows if has_header else chain([(first_line, first)], rows)
        while some := list(islice(data, ROWS_AT_A_TIME)):
            _add_rows(builders, some, path, hint)
            lines.extend(line for line, _ in some)
    return Table(path, {builder.name: builder.column() for builder in builders}, has_header, lines, "line")


def _csv_rows(file: Any, path: str, delimiter: str | None) -> Iterator[tuple[int, list[str]]]:
    """Yield each row with the number of the line on which it begins; blank lines are left out."""
    line = 1
    try:
        first = file.readline()
        while first and not first.strip():  # blank lines before the table
            first, line = file.readline(), line + 1
        found = delimiter or max(DELIMITERS, key=_outside_quotes(first).count)
        reader = csv.reader(_chained(first, file), delimiter=found, skipinitialspace=found != " ", strict=True)
        begin = line
        for row in reader:
            if len(row) > 1 or any(field.strip() for field in row):
                yield begin, row
            begin = line + reader.line_num
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8 text: {_why_not_utf8(path, error.reason)}") from None
    except csv.Error as error:
        raise ValueError(f"{path}, line {begin}: {error}: is a quotation mark missing?") from None


def _why_not_utf8(path: str, reason: str) -> str:
    """Return in words what it is instead, or which line is not, and what to do; of a pipe, the reason alone."""
    if not os.path.isfile(path):
        return reason
    with open(path, "rb") as file:
        for number, line in enumerate(file, 1):
            if number == 1 and line.startswith(NOT_TEXT):
                return "it is a spreadsheet, or compressed; save the table as CSV"
            if number == 1 and line.startswith(UTF_16):
                return "it is UTF-16; convert it, as by iconv -f utf-16 -t utf-8"
            try:
                line.decode()
            except UnicodeDecodeError:
                return f"line {number}: {reason}; convert it, as by iconv -f latin1 -t utf-8"
    return reason


def _chained(first: str, file: Any) -> Iterator[str]:
    yield first
    yield from file


def _outside_quotes(line: str) -> str:
    return "".join(line.split('"')[::2])


def _csv_names(fields: list[str], path: str) -> list[str]:
    names = [field.strip() or str(i + 1) for i, field in enumerate(fields)]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"{path}: two columns are named {name!r}; names must differ")
    return names


def _kept_as_text(names: Sequence[str], as_text: Collection[str]) -> set[str]:
    kept: set[str] = set()
    for wanted in as_text:
        try:
            kept.update(find_columns(names, wanted))
        except ValueError:
            continue
    return kept


def _add_rows(builders: list[_Builder], rows: Sequence[tuple[int, list[str]]], path: str, hint: str) -> None:
    for line, row in rows:
        if len(row) != len(builders):
            raise ValueError(f"{path}, line {line}: it has {len(row)} fields; the first line has {len(builders)}")
    for builder, texts in zip(builders, zip(*(row for _, row in rows), strict=True), strict=True):
        if builder.add_numbers(texts):
            continue
        for (line, _), text in zip(rows, texts, strict=True):
            wrong = builder.add(text)
            if wrong is not None and builder.wrong is None:
                builder.wrong = f"{path}, line {line}, column {builder.name!r}: {wrong}{hint}"


# --- arrays and Parquet -----------------------------------------------------------------------------------------------


def _read_arrays(path: str, as_text: Collection[str]) -> Table:
    """Return a .npy as the columns "1", "2", …, and a .npz as its arrays: "x" of one axis, "x.1", "x.2", … of two."""
    with open_to_read(path) as file:
        try:
            loaded = np.load(file, allow_pickle=False)
            arrays = {"": loaded} if isinstance(loaded, np.ndarray) else dict(loaded)
        except MemoryError:
            raise
        except Exception as error:  # whatever NumPy, tokenize, zipfile and zlib make of bytes that are none of theirs
            reason = "it holds Python objects, or nothing NumPy knows" if "pickle" in str(error) else error
            raise ValueError(f"{path} is not a file of arrays of numbers: {reason}") from None
    parts = {name: part for key, values in arrays.items() for name, part in _parts(path, key, np.asarray(values))}
    kept = _kept_as_text(list(parts), as_text)
    columns = {name: _array_column(path, name, part, name in kept) for name, part in parts.items()}
    sizes = {name: len(part) for name, part in parts.items()}
    if len(set(sizes.values())) > 1:
        (one, n), (other, m) = (
            min(sizes.items(), key=lambda item: item[1]),
            max(sizes.items(), key=lambda item: item[1]),
        )
        raise ValueError(f"{path}: {one!r} has {n} rows and {other!r} has {m}; all arrays must have as many")
    named = any(arrays) or not all(name.isdecimal() for name in columns)
    return Table(path, columns, named, range(1, 1 + next(iter(sizes.values()), 0)))


def _parts(path: str, key: str, values: NDArray[Any]) -> Iterator[tuple[str, NDArray[Any]]]:
    """Yield the columns of an array with their names."""
    of = f"{key!r} in {path}" if key else path
    if values.dtype.names and values.ndim == 1:
        yield from ((f"{key}.{name}" if key else name, values[name]) for name in values.dtype.names)
    elif values.ndim == 1:
        yield key or "1", values
    elif values.ndim == 2:
        yield from ((f"{key}.{i + 1}" if key else str(i + 1), values[:, i]) for i in range(values.shape[1]))
    else:
        raise ValueError(f"{of} has shape {values.shape}; it must have one or two axes: rows and columns")


def _array_column(path: str, name: str, values: NDArray[Any], keep_text: bool) -> Column:
    place = f"{path}, column {name!r}"
    if values.dtype.kind in "US" and values.ndim == 1:
        if _has_no_characters(values):
            return Column(name, [], f"{place}: it holds numbers that are no characters")
        return _text_column(path, name, [_decoded(value) for value in values.tolist()])
    if values.dtype.kind not in "fiub" or values.ndim != 1:
        return Column(name, [], f"{place}: it has dtype {values.dtype}; it must hold real numbers or texts")
    if keep_text and values.dtype.kind in "iu":
        return Column(name, [str(value) for value in values.tolist()])
    with np.errstate(over="ignore"):  # a number too large for float64 is refused with its place
        return _number_column(path, name, values.astype(np.float64))


def _has_no_characters(values: NDArray[Any]) -> bool:
    """Return whether a text of an array, made elsewhere, holds what Python cannot make a str of."""
    if values.dtype.kind == "S" or not values.dtype.itemsize:
        return False
    codes = np.ascontiguousarray(values).view(np.dtype(np.uint32).newbyteorder(values.dtype.byteorder))
    return bool(np.any(codes > sys.maxunicode))


def _decoded(value: str | bytes) -> str:
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else value


def _number_column(path: str, name: str, numbers: Numbers) -> Column:
    infinite = np.flatnonzero(np.isinf(numbers))
    if infinite.size:
        row = infinite[0]
        return Column(name, [], f"{path}, row {row + 1}, column {name!r}: {numbers[row]:g} is not a finite number")
    return Column(name, numbers)


def _text_column(path: str, name: str, texts: list[str | None]) -> Column:
    for row, text in enumerate(texts):
        if text is not None and not text.isprintable():
            place = f"{path}, row {row + 1}, column {name!r}"
            return Column(name, [], f"{place}: {shown(text)} has characters that cannot be printed")
    return Column(name, [None if text is None or text in MISSING else text for text in texts])


def _read_parquet(path: str, as_text: Collection[str]) -> Table:
    try:
        import pyarrow
        import pyarrow.parquet
    except ModuleNotFoundError:
        raise ModuleNotFoundError(f"{path} is a Parquet file: to read it, install pyarrow") from None
    try:
        table = pyarrow.parquet.read_table(path)
    except pyarrow.ArrowException as error:
        raise ValueError(f"{path} cannot be read: {error}") from None
    columns: dict[str, Column] = {}
    kept = _kept_as_text(table.column_names, as_text)
    for name in table.column_names:
        if table.column_names.count(name) > 1:
            raise ValueError(f"{path}: two columns are named {name!r}; names must differ")
        columns[name] = _parquet_column(path, name, table.column(name), name in kept)
    return Table(path, columns, True, range(1, 1 + table.num_rows))


def _parquet_column(path: str, name: str, values: Any, keep_text: bool) -> Column:
    import pyarrow

    types = pyarrow.types
    if types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    kind = values.type
    if types.is_string(kind) or types.is_large_string(kind):
        return _text_column(path, name, values.to_pylist())
    if keep_text and types.is_integer(kind):
        return Column(name, [None if value is None else str(value) for value in values.to_pylist()])
    of_numbers = (types.is_floating, types.is_integer, types.is_boolean, types.is_decimal, types.is_null)
    if any(is_of(kind) for is_of in of_numbers):
        numbers = [math.nan if value is None else float(value) for value in values.to_pylist()]
        return _number_column(path, name, np.array(numbers, np.float64))
    return Column(name, [], f"{path}, column {name!r}: it is of type {kind}; it must hold real numbers or texts")


def _as_text(value: float) -> str:
    return str(int(value)) if value.is_integer() else repr(value)
