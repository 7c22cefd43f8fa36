"""Other zero-shot scores beside Zen, one a file and one registry; torch is imported where one is measured."""

from .base import Measurement, Proxy, ProxyResult, average
from .registry import find, find_all, installed, names

__all__ = ["Measurement", "Proxy", "ProxyResult", "average", "find", "find_all", "installed", "names"]
