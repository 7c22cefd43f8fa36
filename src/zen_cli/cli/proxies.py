"""`zen score --list-proxies`: all zero-shot scores, built in and installed."""

from __future__ import annotations

from ..errors import RunError
from .options import check_format, report
from .writing import write_listing


def list_proxies(style: str | None) -> int:
    """Writes them in a format, one that cannot be loaded as a line on stderr; returns the exit code."""
    from ..metrics import Metric, installed
    from ..ui.tables import print_proxies

    rows: list[Metric] = []
    code = 0
    for found in installed():
        if isinstance(found, RunError):
            code = report(str(found), found.exit_code)
        else:
            rows.append(found)
    documents = [
        {
            "name": row.name,
            "direction": row.direction,
            "closed_form": row.closed_form is not None,
            "summary": row.description,
            "source": row.source,
        }
        for row in rows
    ]
    write_listing(check_format(style), documents, lambda: print_proxies(rows))
    return code
