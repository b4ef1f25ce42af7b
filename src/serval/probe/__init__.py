"""How good the features of a speech encoder are: small heads on them, cross-validated by speaker.

The features of a clip are computed once; heads are trained by scikit-learn (extra: probe).
"""

from serval.probe.probe import *  # noqa: F403 - what the room hands on stands there
from serval.probe.probe import __all__ as __all__
