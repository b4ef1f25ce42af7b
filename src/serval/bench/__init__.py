"""How fast models are here: latency, throughput, loading, memory; every ratio from one run."""

from serval.bench.bench import *  # noqa: F403 - what the room hands on stands there
from serval.bench.bench import __all__ as __all__
