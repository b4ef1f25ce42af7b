"""Stored runs on the same clips -> what differs, and whether it is more than chance."""

from serval.comparison.compare import *  # noqa: F403 - what the room hands on stands there
from serval.comparison.compare import __all__ as __all__
