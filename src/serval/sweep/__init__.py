"""Many models on many datasets with many options: a plan, its runs, and one leaderboard."""

from serval.sweep.leaderboard import leaderboard_document, write_leaderboard_json
from serval.sweep.plan import Cell, Plan, load_plan
from serval.sweep.sweep import CellResult, Sweep, sweep
from serval.sweep.tables import write_tables

__all__ = [
    "Cell",
    "CellResult",
    "Plan",
    "Sweep",
    "leaderboard_document",
    "load_plan",
    "sweep",
    "write_leaderboard_json",
    "write_tables",
]
