"""Faults at seeded moments; `ZEN_FAULTS=200 pytest tests/faults` is a campaign (see moments.py)."""

from __future__ import annotations

import pytest
from moments import Commands


@pytest.fixture(scope="session")
def commands() -> Commands:
    """Starts commands."""
    return Commands()
