"""What is wrong with a dataset before a model is judged by it."""

from serval.audit.audit import *  # noqa: F403 - what the room hands on stands there
from serval.audit.audit import __all__ as __all__
