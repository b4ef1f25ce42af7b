"""The built-in demo set: a few spoken clips for each emotion, made by a speech synthesiser."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from serval.datasets.local import Known, load_file

if TYPE_CHECKING:
    from serval.datasets.options import DatasetOptions
    from serval.records import Dataset

__all__ = ["CAVEAT", "load_demo"]

CAVEAT = (
    "the demo clips are synthetic speech with prosody set by rules; "
    "a score on them says nothing about people"
)


def load_demo(options: DatasetOptions) -> Dataset:
    """Return the demo set, which is part of the package and needs no network."""
    manifest = Path(str(files("serval") / "builtin" / "demo" / "manifest.csv"))
    known = Known(
        name="demo",
        location="builtin",
        licence="Apache-2.0",
        caveats=(CAVEAT,),
    )
    return load_file(manifest, options, known)
