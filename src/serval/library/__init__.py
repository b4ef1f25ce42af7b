"""What Python code calls, `serval.evaluate`, `serval.score` and `serval.compare`, and returns."""

from serval.library.calls import compare, evaluate, score
from serval.library.predictions import run_of_file
from serval.library.results import ComparisonResult, Result

__all__ = ["ComparisonResult", "Result", "compare", "evaluate", "run_of_file", "score"]
