"""Does a model hold outside the studio? Perturbed clips, and what they do to its answers."""

from serval.stress.stress import *  # noqa: F403 - what the room hands on stands there
from serval.stress.stress import __all__ as __all__
