"""The stored runs that come with serval, read by name: `example:fp32`, `example:int8`."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from serval.errors import RunError
from serval.wording import printable

__all__ = ["EXAMPLES", "EXAMPLE_PREFIX", "example_folder", "example_journal", "is_example"]

EXAMPLE_PREFIX = "example:"

EXAMPLES = {
    "fp32": "the FP32 original of serval-tiny on 1,999 clips of acted speech",
    "int8": "the built-in serval-tiny, INT8, on the same clips",
}
"""Every stored run with what it is; `tools/make_examples.py` makes them."""


def is_example(name: Path | str) -> bool:
    """Tell whether a name means a run that comes with serval, if there is one of that name."""
    return str(name).startswith(EXAMPLE_PREFIX)


def example_journal(name: Path | str) -> Path:
    """Return where the journal of an example lies, compressed.

    Raises:
        RunError: There is no such example.
    """
    short = str(name).removeprefix(EXAMPLE_PREFIX)
    if short not in EXAMPLES:
        known = ", ".join(f"{EXAMPLE_PREFIX}{each}" for each in EXAMPLES)
        raise RunError(f"no example '{printable(short[:60])}'; there are: {known}")
    return Path(str(resources.files("serval"))) / "builtin" / "examples" / f"{short}.jsonl.gz"


def example_folder(name: Path | str) -> Path:
    """Return the folder that files of an example are written to, as its own place is read-only."""
    return Path(f"example-{str(name).removeprefix(EXAMPLE_PREFIX)}")
