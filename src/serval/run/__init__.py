"""A run: what was evaluated on what, and every prediction, on disk before it is scored.

The journal is one JSON object a line: a header, then each record as soon as it exists, then an
end. A process may be killed at any moment; the same command then goes on where it was. Whatever
is computed later (scores, plots, comparisons) needs the journal only: no audio, no model.

As every number comes from it, a journal is not believed: each line is checked when it is read.
"""

from serval.run.journal import EXAMPLES, Journal, is_example, load_run, refuse_other_journal
from serval.run.lines import JOURNAL, SCHEMA_VERSION
from serval.run.packed import PositionSet
from serval.run.stored import (
    IN_PYTHON,
    Provenance,
    Run,
    is_told_of,
    named_in_python,
    unfinished,
)

__all__ = [
    "EXAMPLES",
    "IN_PYTHON",
    "JOURNAL",
    "SCHEMA_VERSION",
    "Journal",
    "PositionSet",
    "Provenance",
    "Run",
    "is_example",
    "is_told_of",
    "load_run",
    "named_in_python",
    "refuse_other_journal",
    "unfinished",
]
