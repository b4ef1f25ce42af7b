"""Many models on many datasets with many options: a plan, its runs, and one table of them all.

Each cell of the matrix is an evaluation in a folder of its own. A cell that is complete is only
scored again, one that was interrupted goes on, and one that cannot be done keeps its reason.
"""

from __future__ import annotations

import csv
import html
import io
import math
import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from serval.errors import ConfigError, ServalError
from serval.evaluation import EvalOptions, Step, evaluate_named
from serval.files import is_file, is_folder, refuse_odd_place, write_text
from serval.options import misfit
from serval.scores import METRICS, SHOWN, canonical, scores_of
from serval.stopping import stop_if_asked
from serval.texts import yaml_in
from serval.wording import csv_cell, did_you_mean, printable, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from serval.run import Run
    from serval.scores.stats import Interval

__all__ = ["Cell", "Plan", "Result", "Sweep", "load_plan", "sweep", "write_tables"]

AXES = {"models": "model", "datasets": "dataset", "options": ""}
"""The lists of a plan, and the option that each entry of one must have."""
SHARED = ("output", "sort_by", "models", "datasets", "options")
NOT_IN_A_PLAN = {"output", "fresh", "dev_mode"}
KNOWN = {field.name for field in fields(EvalOptions)} - NOT_IN_A_PLAN
COUNTS = ("labels", "clips", "left out", "failed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One evaluation of the matrix.

    Attributes:
        model: As the table names it.
        dataset: As the table names it.
        options: As the table names them, `""` where there is only one set of options.
        settings: What `evaluate` gets; its output is a folder of this cell alone.
    """

    model: str
    dataset: str
    options: str
    settings: EvalOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A matrix of evaluations.

    Attributes:
        output: Folder of all runs and tables.
        sort_by: The score that the table is sorted by, best first.
        cells: In the order of the file: models, then datasets, then options.
    """

    output: Path
    sort_by: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of one cell.

    Attributes:
        cell: Which one.
        scores: By name, with intervals; empty where the cell could not be done.
        clips: With a prediction.
        failed: Without one.
        labels: How many the model has.
        left_out: Clips that were dropped on request, their label having no counterpart.
        rtfx: Seconds of audio in one second; NaN where nothing was timed.
        reused: Whether the run was complete before.
        problem: Why there are no scores, or `""`.
    """

    cell: Cell
    scores: Mapping[str, Interval]
    clips: int = 0
    failed: int = 0
    labels: int = 0
    left_out: int = 0
    rtfx: float = math.nan
    reused: bool = False
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """A finished sweep: its plan, and the results sorted by the chosen score, best first."""

    plan: Plan
    results: tuple[Result, ...]

    @property
    def problems(self) -> list[Result]:
        """The cells that could not be done."""
        return [result for result in self.results if result.problem]


Watch = Callable[[Cell, Step], None]


def load_plan(path: Path) -> Plan:
    """Return the plan in a YAML file.

    `models`, `datasets` and `options` are lists; an entry is a name, or a map of options of
    `serval evaluate` (with `_` for `-`) and, if wished, a `name` for the table. Options at the
    top level hold for every cell. Paths are relative to the file.

    Raises:
        ConfigError: The file cannot be read, or holds a key that is not known.
    """
    content = _content(path)
    _refuse_unknown(path, content, {*SHARED, *KNOWN})
    sort_by = canonical(str(content.get("sort_by", "uar")))
    if sort_by not in METRICS:
        raise ConfigError(f"{path}: cannot sort by {shown(sort_by)}; known: {', '.join(METRICS)}")
    output = path.parent / _place(path, content.get("output", "sweep_results"))
    every = {key: value for key, value in content.items() if key in KNOWN}
    cells = tuple(_cells(path, content, every, output))
    folders = [cell.settings.output for cell in cells]
    if twice := {folder for folder in folders if folders.count(folder) > 1}:
        raise ConfigError(
            f"{path}: two cells would share {sorted(twice)[0]}; give their entries a name each"
        )
    return Plan(output=output, sort_by=sort_by, cells=cells)


def sweep(plan: Plan, watch: Watch | None = None, *, fresh: bool = False) -> Sweep:
    """Return the results of every cell; what is wrong with one does not stop the others.

    Args:
        plan: What to evaluate.
        watch: Called for every clip.
        fresh: Start every cell over: what a plan whose options have changed needs.
    """
    watch = watch or (lambda _cell, _step: None)
    results = [_result(cell, watch, fresh=fresh) for cell in plan.cells]
    return Sweep(plan=plan, results=tuple(sorted(results, key=lambda r: _rank(r, plan.sort_by))))


def write_tables(finished: Sweep) -> dict[str, Path]:
    """Return the path of each table, by kind, after writing it."""
    folder = finished.plan.output
    return {
        "markdown": write_text(folder / "sweep.md", _markdown(finished)),
        "csv": write_text(folder / "sweep.csv", _csv(finished)),
        "html": write_text(folder / "sweep.html", _html(finished)),
    }


def _content(path: Path) -> Mapping[str, Any]:
    try:
        content = yaml_in(path)
    except ValueError as error:
        raise ConfigError(f"plan {path} cannot be read as YAML: {error}") from error
    if not isinstance(content, dict) or not content.get("models") or not content.get("datasets"):
        raise ConfigError(f"plan {path} must name `models` and `datasets`, each a list")
    return content


def _place(path: Path, output: object) -> str:
    if not isinstance(output, str):
        raise ConfigError(f"{path}: `output` must be the name of a folder, not {shown(output)}")
    refuse_odd_place(f"{path}: `output`", output)
    return output


def _refuse_unknown(path: Path, keys: Mapping[str, Any], known: set[str]) -> None:
    if unknown := sorted(str(key) for key in keys if key not in known):
        raise ConfigError(
            f"{path}: unknown key {shown(unknown[0])}; known: {', '.join(sorted(known))}"
            f"{did_you_mean(unknown[0], known)}"
        )


def _cells(
    path: Path, content: Mapping[str, Any], every: Mapping[str, Any], output: Path
) -> Iterator[Cell]:
    axes = [
        _entries(path, content.get(axis) or [{}], axis)
        for axis in ("models", "datasets", "options")
    ]
    for model, model_settings in axes[0]:
        for dataset, dataset_settings in axes[1]:
            for options, own_settings in axes[2]:
                names = [name for name in (model, dataset, options) if name]
                settings = {**every, **model_settings, **dataset_settings, **own_settings}
                folder = output.joinpath(*map(_folder_name, names))
                yield Cell(
                    model=model,
                    dataset=dataset,
                    options=options,
                    settings=EvalOptions(**_typed(path, settings), output=str(folder)),
                )


def _typed(path: Path, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options as `EvalOptions` takes them; YAML's lists and maps of labels as text.

    Raises:
        ConfigError: A value is of another kind than its option.
    """
    return {name: _value(path, name, value) for name, value in settings.items()}


def _value(path: Path, name: str, value: Any) -> Any:  # noqa: ANN401 - what YAML holds
    if name == "labels" and isinstance(value, list):
        return ",".join(map(str, value))
    if name == "label_map" and isinstance(value, Mapping):
        return ",".join(f"{raw}={label}" for raw, label in value.items())
    if wanted := misfit(name, value):
        raise ConfigError(f"{path}: `{name}` must be {wanted}, not {shown(value)}")
    return value


def _entries(path: Path, entries: object, axis: str) -> list[tuple[str, dict[str, Any]]]:
    if not isinstance(entries, list):
        raise ConfigError(f"{path}: `{axis}` must be a list")
    return [_entry(path, entry, axis) for entry in entries]


def _entry(path: Path, entry: object, axis: str) -> tuple[str, dict[str, Any]]:
    """Return the name of an entry and its options, paths made relative to the plan's folder."""
    key = AXES[axis]
    settings = _settings(path, entry, axis)
    name = settings.pop("name", None)
    if not isinstance(name, str | int | float | None):
        raise ConfigError(f"{path}: a `name` must be text, not {shown(name)}")
    if key not in settings and key:
        raise ConfigError(f"{path}: an entry of `{axis}` has no `{key}`")
    _refuse_unknown(path, settings, KNOWN)
    title = settings[key] if key else ", ".join(f"{k}={v}" for k, v in settings.items())
    for known in ("model", "dataset"):
        beside = path.parent / str(settings.get(known, ""))
        if known in settings and (is_file(beside) or is_folder(beside)):
            settings[known] = str(beside)
    return str(name or title), settings


def _settings(path: Path, entry: object, axis: str) -> dict[str, Any]:
    """Return an entry as a map: a name alone is that of a model or dataset."""
    if isinstance(entry, Mapping):
        return dict(entry)
    if isinstance(entry, str) and AXES[axis]:
        return {AXES[axis]: entry}
    wanted = "a name or a map of options" if AXES[axis] else "a map of options"
    raise ConfigError(f"{path}: an entry of `{axis}` must be {wanted}, not {shown(entry)}")


def _folder_name(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.") or "default"


def _result(cell: Cell, watch: Watch, *, fresh: bool) -> Result:
    try:
        settings = replace(cell.settings, fresh=fresh)
        evaluation = evaluate_named(settings, lambda step: watch(cell, step))
        return _scored(cell, evaluation.run, reused=evaluation.reused)
    except ServalError as error:
        stop_if_asked()
        return Result(cell=cell, scores={}, problem=str(error))


def _scored(cell: Cell, run: Run, *, reused: bool) -> Result:
    if not len(run):
        return Result(cell=cell, scores={}, failed=len(run.failures), problem="every clip failed")
    return Result(
        cell=cell,
        scores=scores_of(run).overall,
        clips=len(run),
        failed=len(run.failures),
        labels=len(run.labels),
        left_out=sum(run.dropped.values()),
        rtfx=float(run.duration_s.sum()) / run.seconds if run.seconds else math.nan,
        reused=reused,
    )


def _rank(result: Result, score: str) -> tuple[bool, float]:
    """Return a key that puts the best score first and what has none last."""
    return METRICS[score].order(result.scores[score].value if result.scores else math.nan)


def _scores_shown(plan: Plan) -> tuple[str, ...]:
    """Return the names of the scores in the tables, the one that they are sorted by first."""
    return (plan.sort_by, *(name for name in SHOWN if name != plan.sort_by))


def _head(plan: Plan) -> tuple[str, ...]:
    scores = _scores_shown(plan)
    return ("model", "dataset", "options", *COUNTS, *scores, "rtfx", "folder")


def _cells_of(result: Result, plan: Plan) -> list[str]:
    cell = result.cell
    folder = Path(cell.settings.output).relative_to(plan.output).as_posix()
    scores = [_percent(result.scores.get(name)) for name in _scores_shown(plan)]
    speed = "" if math.isnan(result.rtfx) else f"{result.rtfx:.1f}"
    counts = [str(n) if not result.problem else "" for n in _counts(result)]
    return [cell.model, cell.dataset, cell.options, *counts, *scores, speed, folder]


def _counts(result: Result) -> tuple[int, ...]:
    return result.labels, result.clips, result.left_out, result.failed


def _percent(score: Interval | None) -> str:
    if score is None or math.isnan(score.value):
        return ""
    return f"{100 * score.value:.1f} % ({100 * score.low:.1f}-{100 * score.high:.1f})"


def _caption(finished: Sweep) -> str:
    said = (
        f"Sorted by {finished.plan.sort_by}; in brackets the 95 % interval. "
        "rtfx: seconds of audio a second."
    )
    return " ".join([said, *_other_tasks(finished.results)])


def _other_tasks(results: Sequence[Result]) -> Iterator[str]:
    """Yield a warning for each dataset whose rows are scored on other labels or other clips."""
    tasks: dict[str, set[tuple[int, int]]] = defaultdict(set)
    for result in results:
        if not result.problem:
            tasks[result.cell.dataset].add((result.labels, result.left_out))
    for dataset, seen in tasks.items():
        if len(seen) > 1:
            rows = ", ".join(f"{k} labels with {n} clips left out" for k, n in sorted(seen))
            yield (
                f"On {dataset} the rows are not of one task ({rows}): with fewer labels, or "
                "without the clips left out, the same model tends to score higher."
            )


def _markdown(finished: Sweep) -> str:
    rows = [_cells_of(result, finished.plan) for result in finished.results]
    head = _head(finished.plan)
    table = [head, ["---"] * len(head), *rows]
    lines = ["| " + " | ".join(map(_markdown_cell, row)) + " |" for row in table]
    problems = [f"- {printable(f'{_name(r.cell)}: {r.problem}')}" for r in finished.problems]
    if problems:
        problems = ["", "Not done:", "", *problems]
    return "\n".join([*lines, "", printable(_caption(finished)), *problems, ""])


def _markdown_cell(cell: str) -> str:
    return printable(cell.replace("|", "\\|"))


def _csv(finished: Sweep) -> str:
    """Return the table with plain numbers: each score in [0, 1] with the ends of its interval."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names_of_scores = _scores_shown(finished.plan)
    ends = [f"{name}{end}" for name in names_of_scores for end in ("", "_low", "_high")]
    counts = [name.replace(" ", "_") for name in COUNTS]
    writer.writerow(["model", "dataset", "options", *counts, *ends, "rtfx", "problem"])
    for result in finished.results:
        cell = result.cell
        scores = [n for name in names_of_scores for n in _numbers(result.scores.get(name))]
        speed = "" if math.isnan(result.rtfx) else round(result.rtfx, 3)
        names = map(csv_cell, (cell.model, cell.dataset, cell.options))
        problem = csv_cell(result.problem)
        writer.writerow([*names, *_counts(result), *scores, speed, problem])
    return text.getvalue()


def _numbers(score: Interval | None) -> Sequence[object]:
    return ("", "", "") if score is None else (score.value, score.low, score.high)


def _html(finished: Sweep) -> str:
    rows = [_cells_of(result, finished.plan) for result in finished.results]
    head = "".join(f"<th>{html.escape(name)}</th>" for name in _head(finished.plan))
    body = "\n".join(
        "<tr>" + "".join(f"<td>{_html_text(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    problems = "\n".join(
        f"<li>{_html_text(f'{_name(r.cell)}: {r.problem}')}</li>" for r in finished.problems
    )
    undone = f"<p>Not done:</p>\n<ul>\n{problems}\n</ul>\n" if problems else ""
    return PAGE.format(head=head, body=body, caption=_html_text(_caption(finished)), undone=undone)


def _html_text(text: str) -> str:
    return html.escape(printable(text))


def _name(cell: Cell) -> str:
    return " x ".join(part for part in (cell.model, cell.dataset, cell.options) if part)


PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>serval sweep</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; margin: 2rem; }}
table {{ border-collapse: collapse; }}
th, td {{ padding: .3rem .7rem; border-bottom: 1px solid #ccc; text-align: left; }}
td {{ font-variant-numeric: tabular-nums; white-space: nowrap; }}
</style></head><body>
<table><thead><tr>{head}</tr></thead>
<tbody>
{body}
</tbody></table>
<p>{caption}</p>
{undone}</body></html>
"""
