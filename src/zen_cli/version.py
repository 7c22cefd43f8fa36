"""Which zen this is."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version


def zen_version() -> str:
    """The version of the installed package; "uninstalled" where its source runs without one."""
    try:
        return version("zen-cli")
    except PackageNotFoundError:
        return "uninstalled"
