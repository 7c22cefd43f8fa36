"""The command line: parse, call, write. One command a file; none of them knows how anything is computed."""

from .main import main

__all__ = ["main"]
