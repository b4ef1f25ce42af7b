"""Bounds that a run must keep -> passed or not, for CI."""

from serval.gate.gate import *  # noqa: F403 - what the room hands on stands there
from serval.gate.gate import __all__ as __all__
