"""Any other table of numbers, with a column of times or a rate."""

from pathlib import Path

from damamba.importing.formats.base import TableFormat
from damamba.importing.table import Table


class AnyTable(TableFormat):
    """A column called time, timestamp, t, … has the times; `confidence` and `success` mean what they say."""

    title, name, group = "table", "", "other"
    confidence, success, face, frame = ("confidence",), "success", ("face_id",), "frame"
    order = 9

    def recognises(self, path: Path, table: Table | None) -> bool:
        """Every table."""
        return table is not None
