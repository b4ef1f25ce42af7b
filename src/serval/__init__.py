"""Serval: speech emotion recognition, evaluated.

The public names are imported when they are first used, so that `import serval` costs nothing.
`evaluate`, `score` and `compare` take what one holds in Python and write nothing unless asked; the
command line uses `serval.evaluation` and `serval.comparison`.
"""

from __future__ import annotations

from importlib import import_module

__version__ = "0.1.0"

PUBLIC = {
    "Clip": "serval.records",
    "ComparisonResult": "serval.library",
    "Dataset": "serval.records",
    "DatasetOptions": "serval.datasets",
    "EvalOptions": "serval.evaluation",
    "Evaluation": "serval.evaluation",
    "Failure": "serval.records",
    "LabelMap": "serval.labels",
    "LabelSet": "serval.labels",
    "Model": "serval.models.protocol",
    "Prediction": "serval.records",
    "Result": "serval.library",
    "Run": "serval.run",
    "ServalError": "serval.errors",
    "compare": "serval.library",
    "evaluate": "serval.library",
    "evaluate_named": "serval.evaluation",
    "load_dataset": "serval.datasets",
    "load_model": "serval.models.load",
    "load_run": "serval.run",
    "score": "serval.library",
    "write_results": "serval.results",
}
"""Every public name and the module that it lives in."""

__all__ = ["__version__", *PUBLIC]


def __getattr__(name: str) -> object:
    """Return a public name from its module."""
    if name in PUBLIC:
        return getattr(import_module(PUBLIC[name]), name)
    raise AttributeError(f"module 'serval' has no attribute '{name}'")


def __dir__() -> list[str]:
    """Return the public names."""
    return sorted(__all__)
