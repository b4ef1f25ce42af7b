"""Many models on many datasets with many options: a plan, its runs, and one leaderboard."""

from serval.sweep.boards import BOARDS
from serval.sweep.leaderboard import leaderboard_document, tables_in, write_cost_picture
from serval.sweep.plan import Cell, Plan, load_plan
from serval.sweep.sweep import CellResult, Sweep, sweep, sweep_of
from serval.sweep.tables import (
    LESS_IS_BETTER,
    NOT_DONE,
    board_cells,
    board_titles,
    problem_lines,
    rank_text,
    standing_sentences,
    write_tables,
)

__all__ = [
    "BOARDS",
    "LESS_IS_BETTER",
    "NOT_DONE",
    "Cell",
    "CellResult",
    "Plan",
    "Sweep",
    "board_cells",
    "board_titles",
    "leaderboard_document",
    "load_plan",
    "problem_lines",
    "rank_text",
    "standing_sentences",
    "sweep",
    "sweep_of",
    "tables_in",
    "write_cost_picture",
    "write_tables",
]
