"""Numbers for each clip, such as arousal, valence and dominance, as a task beside emotions.

A run of this task is stored as any other. The true values of its clips stand in columns of the set,
which a run keeps; what the model said stands in its outputs. All are put on the scale of the set
before they are scored.
"""

from serval.dimensions.scale import Scale, scale_of_text
from serval.dimensions.truth import DimensionRun, dimension_columns, dimension_run, plan_values

__all__ = [
    "DimensionRun",
    "Scale",
    "dimension_columns",
    "dimension_run",
    "plan_values",
    "scale_of_text",
]
