"""The files that a run becomes. They need the stored run only: no audio, no model."""

from serval.results.write import *  # noqa: F403 - what the room hands on stands there
from serval.results.write import __all__ as __all__
