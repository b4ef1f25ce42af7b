"""One check for each bound: the value, the bound, and whether it is kept; as JUnit XML too."""

from __future__ import annotations

import math
import re
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import numpy as np

from serval.comparison import PairOptions
from serval.comparison.compare import compared as comparison_of
from serval.errors import ConfigError
from serval.gate.bounds import NO_SHARES, Bounds, bounds_from_options, bounds_from_toml, per_unit
from serval.gate.measures import Measures, measures_of
from serval.groups import GroupGap, Groups, GroupTable, groups_of
from serval.results import results_of
from serval.results.document import warnings_of
from serval.run import load_run, unfinished
from serval.scores import canonical
from serval.scores.clusters import clustering_of
from serval.scores.dimensions import DIMENSION_METRICS
from serval.scores.stats import OUTCOMES, Interval, Verdict
from serval.tasks import CATEGORICAL, only
from serval.wording import counted, did_you_mean, in_points, points

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from serval.comparison.compare import Compared
    from serval.run import Run
    from serval.scores.paired import IntervalChange, ScoreChange

    Change = ScoreChange | IntervalChange

GAPS = only(
    CATEGORICAL,
    "--max-group-gap bounds gaps of accuracy and UAR, of",
    "the gaps of this run are in results.json; leave the bound out",
)

__all__ = [
    "Bounds",
    "Check",
    "GateResult",
    "bounds_from_options",
    "bounds_from_toml",
    "gate",
    "junit_xml",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One bound and whether the run keeps it.

    Attributes:
        kind: `min`, `max`, `max-drop`, `max-group-gap`, or `complete` where the run is not.
        metric: As the bound names it; a group gap has its column behind a colon.
        bound: What was demanded; points for a drop or a gap of shares, else the metric's unit.
        value: What was found, in the same unit; NaN if not defined.
        low: Lower end of its 95 % interval, NaN where it has none.
        high: Upper end.
        verdict: `cannot tell` where the clips are too few to decide.
        passed: Whether the gate lets it through.
        reason: One sentence.
    """

    kind: str
    metric: str
    bound: float
    value: float
    low: float = math.nan
    high: float = math.nan
    verdict: Verdict
    passed: bool
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GateResult:
    """All checks of a gate, in the order of the bounds; `name` is what the run is called."""

    name: str
    run: str
    baseline: str
    checks: tuple[Check, ...]
    warnings: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether every bound is kept; without one that could be checked nothing is."""
        return bool(self.checks) and all(check.passed for check in self.checks)

    def as_dict(self) -> dict[str, Any]:
        """Return the result as dicts, lists and numbers; undefined ones are NaN."""
        return {"passed": self.passed, **asdict(self)}


def gate(run: Run, bounds: Bounds, opened: Callable[[str], Run] = load_run) -> GateResult:
    """Return whether a run keeps its bounds.

    Args:
        run: As stored, or made of predictions.
        bounds: What it must keep.
        opened: What reads the baseline that the bounds name.

    Raises:
        ConfigError: There is no bound, a metric is not known, or a drop has no baseline.
        LabelError: The baseline has other labels.
        RunError: The baseline cannot be read.
    """
    if not len(bounds):
        raise ConfigError("the gate has no bound; give one, as --min accuracy=0.8")
    if bounds.drop and not bounds.baseline:
        raise ConfigError("--max-drop needs a run to measure against; give it with --baseline")
    measures = measures_of(run, {"bench": bounds.bench, "stress": bounds.stress})
    baseline = opened(bounds.baseline) if bounds.drop else None
    if baseline is not None and _is_same(baseline, run):
        raise ConfigError(f"--baseline {bounds.baseline} is this run itself; name another one")
    compared = comparison_of([baseline, run], PairOptions()) if baseline is not None else None
    return GateResult(
        name=run.name,
        run=str(run.folder),
        baseline=bounds.baseline,
        checks=(
            *_unfinished("run", run),
            *(_unfinished("baseline", baseline) if baseline is not None else ()),
            *_absolute(measures, bounds),
            *(_drops(compared, bounds) if compared else ()),
            *_gaps(run, bounds),
        ),
        warnings=tuple(dict.fromkeys(_warnings(run, compared))),
    )


def _is_same(a: Run, b: Run) -> bool:
    """Tell whether both are one run; files of predictions may have one name in two folders."""
    return a.folder.resolve() == b.folder.resolve() and np.array_equal(a.logits, b.logits)


def _unfinished(which: str, run: Run) -> Iterator[Check]:
    """Yield a check that fails where the end of the dataset was not reached."""
    if run.complete:
        return
    yield Check(
        kind="complete",
        metric=which,
        bound=1.0,
        value=0.0,
        verdict="fail",
        passed=False,
        reason=unfinished(run),
    )


def _warnings(run: Run, compared: Compared | None) -> Iterator[str]:
    """Yield what a reader must know of the comparison and of the run, where bounds are kept too."""
    if compared and (lost := len(_lost(compared))):
        yield (
            f"This run has no prediction for {lost} of the baseline's "
            f"{counted(compared.n + lost, 'clip')}, so no drop can be ruled out."
        )
    if compared:
        yield from compared.warnings
    yield from warnings_of(run)
    yield from results_of(run).assumed
    yield from clustering_of(run.speakers).warnings


def _lost(compared: Compared) -> tuple[str, ...]:
    """Return the clips that only the baseline has: those that the new model may not manage."""
    return next(iter(compared.only_in.values()))


def _refuse_meaningless(kind: str, metric: str, bound: float) -> None:
    """Refuse a bound that a score can never keep, or never break."""
    known = canonical(metric)
    own = DIMENSION_METRICS.get(known.partition(":")[0])
    if known in NO_SHARES or (own and not own.is_correlation):
        return
    low, high = (-1.0 if own else 0.0), 1.0
    if not low <= bound <= high:
        hint = f"; for {bound:g} % write {bound / 100:g}" if 1 < bound <= 100 else ""
        kind_of = "a share" if low == 0 else "a score"
        raise ConfigError(
            f"--{kind} {metric}={bound:g}: {metric} is {kind_of} from {low:g} to {high:g}{hint}"
        )
    if kind == "max" and known == "failures" and bound == 1:
        raise ConfigError(
            "--max failures=1 can never be broken: failures is a share from 0 to 1; "
            "for 1 % write 0.01"
        )


def _absolute(measures: Measures, bounds: Bounds) -> Iterator[Check]:
    for kind, of_kind in (("min", bounds.least), ("max", bounds.most)):
        for name, bound in of_kind.items():
            found = measures.named(name)
            if name.partition(".")[0] not in measures.files:
                _refuse_meaningless(kind, name, bound)
            check = _bounded(kind, name, bound, found)
            doubt = measures.doubt(name) if check.passed else ""
            yield _undecided(check, doubt, bounds) if doubt else check


def _bounded(kind: str, name: str, bound: float, found: float | Interval) -> Check:
    nan = math.nan
    score = found if isinstance(found, Interval) else Interval(value=found, low=nan, high=nan)
    kept = score.value >= bound if kind == "min" else score.value <= bound
    relation = "at least" if kind == "min" else "at most"
    reason = f"{name} is {score.value:.4g}, must be {relation} {bound:g}"
    if not math.isnan(score.low):
        reason += f"; 95 % interval {score.low:.4g} to {score.high:.4g}"
    return Check(
        kind=kind,
        metric=name,
        bound=bound,
        value=score.value,
        low=score.low,
        high=score.high,
        verdict="pass" if kept else "fail",
        passed=kept,
        reason=_undefined(name) if math.isnan(score.value) else reason,
    )


def _undefined(name: str) -> str:
    if name == "size_mb":
        return "not known: the model has no file whose size could be read"
    return "not defined on these clips"


def _drops(compared: Compared, bounds: Bounds) -> Iterator[Check]:
    changes = compared.changes
    for name, bound in bounds.drop.items():
        known = canonical(name)
        if known not in changes:
            whole = ["accuracy"] * ("wa" in changes) + [n for n in changes if ":" not in n]
            raise ConfigError(
                f"no drop of '{name}' can be measured; known: {', '.join(whole)}, and of one label "
                f"or dimension as METRIC:NAME{did_you_mean(name, [*whole, *changes])}"
            )
        if bound <= 0:
            raise ConfigError(f"--max-drop {name}={bound:g} must be above 0 points")
        if per_unit("max-drop", name) == 1 and bound >= 1:
            raise ConfigError(
                f"--max-drop {name}={bound:g} is a difference of correlations, not points; write "
                f"{bound / 100:g} for {bound:g} hundredths"
            )
        check = _dropped(name, bound, changes[known], bounds)
        doubt = _doubt(compared) if check.verdict == "pass" else ""
        yield _undecided(check, doubt, bounds) if doubt else check


def _dropped(name: str, bound: float, change: Change, bounds: Bounds) -> Check:
    per = per_unit("max-drop", name)
    said, gap = change.verdict_at(bound / per), change.difference
    decided = OUTCOMES[said]
    unit, span = f"{bound:g}", f"{gap.low:+.4f} to {gap.high:+.4f}"
    if per > 1:
        unit = in_points(bound / per)
        span = f"{points(gap.low, sign=True)} to {points(gap.high, sign=True)} points"
    if math.isnan(gap.low):
        span = "too few clips have a value that varies"
    if change.contradicted(bound / per):
        span += (
            f", but too few clips changed: swapping their answers gives p {change.p_swapped:.2g}"
        )
    return Check(
        kind="max-drop",
        metric=name,
        bound=bound,
        value=per * gap.value,
        low=per * gap.low,
        high=per * gap.high,
        verdict=decided,
        passed=bounds.let_through(decided),
        reason=f"{name} is {said} than the baseline at a bound of {unit}: {span}"
        if said != "cannot tell"
        else f"{name} may have dropped by more than {unit} or not: {span}",
    )


def _doubt(compared: Compared) -> str:
    """Return why a drop that is ruled out on these clips is not ruled out, or `""`."""
    if _lost(compared):
        return "on the clips that both runs have"
    return "but the audio of some clips is not that of the baseline" * bool(compared.other_audio)


def _undecided(check: Check, doubt: str, bounds: Bounds) -> Check:
    """Return a kept bound as undecided."""
    passed = bounds.let_through("cannot tell")
    return replace(check, verdict="cannot tell", passed=passed, reason=f"{check.reason}, {doubt}")


def _gaps(run: Run, bounds: Bounds) -> Iterator[Check]:
    if not bounds.group_gap:
        return
    for name, bound in bounds.group_gap.items():
        if not 0 < bound < 100:
            raise ConfigError(
                f"--max-group-gap {name}={bound:g} is not between 0 and 100 points; for ten points "
                f"give {name}=10"
            )
    GAPS.of(run.provenance.task, run.folder)
    groups = groups_of(run)
    for name, bound in bounds.group_gap.items():
        metric, _, column = name.partition(":")
        tables = _asked(groups, column)
        if not tables:
            known = ", ".join(table.column for table in groups.tables) or "none"
            raise ConfigError(f"no groups to bound --max-group-gap {name} for; groups: {known}")
        for table in tables:
            yield _gapped(f"{metric}:{table.column}", bound, _gap(metric, table), bounds)


def _asked(groups: Groups, column: str) -> list[GroupTable]:
    """Return the tables that a bound is meant for: speakers only when they are named."""
    if column:
        return groups.named(column)
    return [table for table in groups.tables if table.column != "speaker"]


def _gap(metric: str, table: GroupTable) -> GroupGap:
    gaps = {"wa": table.accuracy_gap, "uar": table.uar_gap}
    known = canonical(metric)
    if known not in gaps:
        raise ConfigError(f"no group gap of '{metric}' is measured; known: accuracy, uar")
    return gaps[known]


def _gapped(name: str, bound: float, gap: GroupGap, bounds: Bounds) -> Check:
    decided = _gap_verdict(gap, bound)
    return Check(
        kind="max-group-gap",
        metric=name,
        bound=bound,
        value=100 * gap.value,
        verdict=decided,
        passed=bounds.let_through(decided),
        reason=_gap_reason(gap, decided),
    )


def _gap_verdict(gap: GroupGap, bound: float) -> Verdict:
    if gap.finding == "more than chance" and 100 * gap.value > bound:
        return "fail"
    return "pass" if gap.finding != "not judged" and 100 * gap.reach <= bound else "cannot tell"


def _gap_reason(gap: GroupGap, decided: Verdict) -> str:
    if gap.finding == "not judged":
        return "not judged: too few groups, or the model is not shown to be better than random"
    reach = f"{points(gap.reach)} points"
    more = {
        "fail": "more than chance",
        "pass": f"one over {reach} would have been found between any two groups",
        "cannot tell": f"one of up to {reach} could go unnoticed between some two groups",
    }
    return (
        f"{gap.best} is {points(gap.value)} points above {gap.worst}, chance makes a gap of up to "
        f"{points(gap.by_chance)}: {more[decided]}{f' ({gap.reason})' * bool(gap.reason)}"
    )


NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 cannot hold."""


def junit_xml(result: GateResult) -> str:
    """Return the checks as one test suite: a check that does not pass is a failure."""
    failed = sum(not check.passed for check in result.checks)
    counts = {"tests": str(len(result.checks)), "failures": str(failed), "errors": "0"}
    suites = ET.Element("testsuites", {"name": "serval gate"} | counts)
    suite = ET.SubElement(suites, "testsuite", {"name": _clean(result.run)} | counts)
    for check in result.checks:
        name = f"{check.kind} {check.metric}={check.bound:g}"
        case = ET.SubElement(suite, "testcase", classname="serval.gate", name=_clean(name))
        if check.passed:
            ET.SubElement(case, "system-out").text = _clean(check.reason)
        else:
            failure = ET.SubElement(case, "failure", type=check.verdict)
            failure.set("message", _clean(check.reason))
    ET.indent(suites)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(suites, "unicode") + "\n"


def _clean(text: str) -> str:
    return NOT_XML.sub("?", text)
