"""Smaller and faster files of one model, and the truth about what each of them costs."""

from serval.quantize.quantize import *  # noqa: F403 - what the room hands on stands there
from serval.quantize.quantize import __all__ as __all__
