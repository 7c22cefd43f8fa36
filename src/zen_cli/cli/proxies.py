"""`zen score --list-proxies`: all zero-shot scores, built in and installed."""

from __future__ import annotations

import sys

from ..errors import RunError
from .options import check_format, report


def list_proxies(style: str | None) -> int:
    """Prints them as a table or as JSON, one that cannot be loaded as a line on stderr; returns the exit code."""
    from ..metrics.proxies import Proxy, installed

    style = check_format(style)
    rows: list[Proxy] = []
    code = 0
    for found in installed():
        if isinstance(found, RunError):
            code = report(str(found), found.exit_code)
        else:
            rows.append(found)
    if style == "table":
        from ..ui.tables import console, proxies_table

        console().print(proxies_table(rows))
        return code
    import orjson

    documents = [
        {
            "name": row.name,
            "direction": row.direction,
            "closed_form": row.closed_form is not None,
            "summary": row.summary,
            "source": row.source,
        }
        for row in rows
    ]
    if style == "json":
        sys.stdout.buffer.write(orjson.dumps(documents, option=orjson.OPT_INDENT_2) + b"\n")
    else:
        sys.stdout.buffer.write(b"".join(orjson.dumps(document) + b"\n" for document in documents))
    return code
