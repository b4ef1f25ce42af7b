"""A folder with the weights of a classifier -> a network of torch with the head trained for it."""

from serval.checkpoints.open import *  # noqa: F403 - what the room hands on stands there
from serval.checkpoints.open import __all__ as __all__
