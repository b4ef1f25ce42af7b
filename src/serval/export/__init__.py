"""A checkpoint of transformers -> an ONNX file that serval can evaluate, checked against torch."""

from serval.export.export import *  # noqa: F403 - what the room hands on stands there
from serval.export.export import __all__ as __all__
