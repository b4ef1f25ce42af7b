"""A run -> the scores of its groups of clips, and whether their gaps are more than chance."""

from serval.groups.groups import *  # noqa: F403 - what the room hands on stands there
from serval.groups.groups import __all__ as __all__
