"""Many models on many datasets with many options: a plan, its runs, and one leaderboard."""

from serval.sweep.leaderboard import leaderboard_document, write_cost_picture
from serval.sweep.plan import Cell, Plan, load_plan
from serval.sweep.sweep import CellResult, Sweep, sweep, sweep_of
from serval.sweep.tables import (
    LESS_IS_BETTER,
    NOT_DONE,
    problem_lines,
    rank_text,
    standing_sentences,
    value_cells,
    value_titles,
    write_tables,
)

__all__ = [
    "LESS_IS_BETTER",
    "NOT_DONE",
    "Cell",
    "CellResult",
    "Plan",
    "Sweep",
    "leaderboard_document",
    "load_plan",
    "problem_lines",
    "rank_text",
    "standing_sentences",
    "sweep",
    "sweep_of",
    "value_cells",
    "value_titles",
    "write_cost_picture",
    "write_tables",
]
