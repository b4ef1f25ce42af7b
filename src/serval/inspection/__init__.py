"""What is in an ONNX file: size, contract, precision, work, and what to expect of it."""

from serval.inspection.inspect import *  # noqa: F403 - what the room hands on stands there
from serval.inspection.inspect import __all__ as __all__
