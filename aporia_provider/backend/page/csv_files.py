"""Numbers of charts as CSV files."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

from starlette.responses import Response

from aporia_provider.csv_texts import without_formula


def csv_response(header: Sequence[str], lines: Iterable[Sequence[Any]], name: str) -> Response:
    """
    Return a CSV file.

    Texts that a spreadsheet would evaluate as formulas are preceded by an apostrophe.

    :param header: Names of the columns.
    :param lines: Their values; None is empty.
    :param name: Name of the file.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(header)
    writer.writerows([without_formula(value) for value in line] for line in lines)
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(text.getvalue(), media_type="text/csv", headers=headers)
