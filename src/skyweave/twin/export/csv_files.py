"""CSV files as exports write them: texts quoted, numbers plain, nothing where nothing is known."""

from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

import pyarrow as pa
import pyarrow.csv as pc


class CsvFile:
    """One table, written piece by piece; a number is read back as the number it was."""

    def __init__(self, path: Path, columns: Iterable[str]) -> None:
        self.columns = tuple(columns)
        self.rows = 0
        self._file = path.open("wb")
        self._file.write((",".join(self.columns) + "\n").encode())

    def __enter__(self) -> "CsvFile":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def write(self, *columns: object) -> None:
        """Add rows, given by column; NaN and None become empty fields."""
        arrays = [_column(column) for column in columns]
        table = pa.Table.from_arrays(arrays, names=list(self.columns))
        pc.write_csv(table, self._file, pc.WriteOptions(include_header=False))
        self.rows += table.num_rows


def _column(values: object) -> pa.Array:
    column = pa.array(values, from_pandas=True)
    return column.cast(pa.string()) if pa.types.is_null(column.type) else column
