"""The command line: parse, call, write. One command a file; none of them knows how anything is computed."""

from .main import main, make_app

__all__ = ["main", "make_app"]
