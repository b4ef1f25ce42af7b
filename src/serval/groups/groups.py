"""Whether a model serves every group of clips alike: by gender, corpus, age, speaker, length."""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from dataclasses import asdict, dataclass, field, replace
from hashlib import sha256
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from serval.groups.deviations import GroupDeviation, deviations_from_all
from serval.groups.gaps import NO_GAP, GroupGap, Permuted, gaps_between, permutation_of
from serval.scores import intervals, metrics
from serval.scores.chance import WORTH_FINDING, random_uar
from serval.scores.clusters import cluster_tables, clustering_of
from serval.scores.votes import is_votes
from serval.wording import in_points, percent

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from serval.run import Run
    from serval.scores.metrics import Margins
    from serval.scores.stats import Interval

    Ids = NDArray[np.int64]

__all__ = [
    "Fairness",
    "GroupDeviation",
    "GroupGap",
    "GroupScores",
    "GroupTable",
    "Groups",
    "canonical_column",
    "fairness_columns",
    "fairness_of",
    "gap_sentence",
    "group_columns",
    "group_sentences",
    "groups_of",
    "members_of",
]

MIN_CLIPS = 10
"""A group of fewer clips is listed, but no gap is measured to it."""

MIN_MEAN_CLIPS = 10
"""A column with fewer clips for each value (a text, a file name) is not a grouping."""

RESAMPLES = 500

COLUMNS = {
    "sex": "gender", "gender": "gender", "age": "age", "age_group": "age", "dataset": "corpus",
    "corpus": "corpus", "speaker": "speaker", "text": "text", "transcript": "text",
}  # fmt: skip
"""What a column holds by the names that public sets give it, in lower case."""

GENDERS = {
    **dict.fromkeys(("f", "female", "w", "woman", "women"), "female"),
    **dict.fromkeys(("m", "male", "man", "men"), "male"),
}
"""Values of a column of genders that mean the same, in lower case."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupScores:
    """One group of clips.

    Attributes:
        name: The value of the column.
        n: Number of clips.
        accuracy: In [0, 1] with its interval, clustered by speaker.
        uar: In [0, 1], the same, over the classes with truth clips in this group.
        better_than_chance: Whether the whole interval of UAR lies above the random baseline.
    """

    name: str
    n: int
    accuracy: Interval
    uar: Interval
    better_than_chance: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupTable:
    """The groups of one column, most clips first.

    Attributes:
        column: `gender`, `corpus`, `speaker`, `duration` ...
        groups: Every group.
        accuracy_gap: Between two groups of at least `MIN_CLIPS` clips.
        uar_gap: The same, over the classes that all of these groups have.
        permuted: `speakers`, or where most of them have clips in several groups `clips`, each
            with others of its speaker.
    """

    column: str
    groups: tuple[GroupScores, ...]
    accuracy_gap: GroupGap
    uar_gap: GroupGap
    permuted: Permuted


@dataclass(frozen=True, slots=True, kw_only=True)
class Groups:
    """Every grouping of a run.

    Attributes:
        better_than_chance: Whether the whole interval of UAR lies above the random baseline among
            the labels that occur.
        tables: One for each column.
        twins: Column that splits the clips as an earlier one does -> that one, which has the table.
    """

    better_than_chance: bool
    tables: tuple[GroupTable, ...]
    twins: Mapping[str, str] = field(default_factory=dict)

    def named(self, column: str) -> list[GroupTable]:
        """Return the tables that a name asks for: the column's own name, else a synonym of it."""
        known = {table.column: table for table in self.tables}
        names = {**{name: name for name in known}, **self.twins}
        wanted = canonical_column(column)
        alike = [own for name, own in names.items() if canonical_column(name) == wanted]
        found = [names[column]] if column in names else alike
        return [known[own] for own in dict.fromkeys(found)]

    def as_dict(self) -> dict[str, Any]:
        """Return the groups as dicts, lists and numbers; undefined ones are NaN.

        What was permuted is `regrouped`, as in files of earlier versions.
        """
        tables = [asdict(table) for table in self.tables]
        for table in tables:
            table["regrouped"] = table.pop("permuted")
        return {"better_than_chance": self.better_than_chance, "tables": tables}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fairness:
    """Every group of a run against all clips, with thresholds that random models set.

    Attributes:
        judged: Whether the model is better than chance; one that is not treats all alike.
        reason: Why it is not judged, else an empty text.
        columns: Groups of at least `MIN_CLIPS` clips, by column; empty if not judged.
    """

    judged: bool
    reason: str
    columns: Mapping[str, tuple[GroupDeviation, ...]]


def groups_of(run: Run) -> Groups:
    """Return the scores of every group of clips, and whether the gaps are more than chance."""
    rng = np.random.default_rng(0)
    whole = _all_clips(run, rng)
    better = whole is not None and whole.better_than_chance
    columns, twins = _columns_and_twins(run.speakers, run.groups, run.duration_s)
    tables = [_table(name, values, run, rng, len(columns)) for name, values in columns.items()]
    if not better:
        tables = [_not_judged(table) for table in tables]
    return Groups(better_than_chance=better, tables=tuple(tables), twins=twins)


def fairness_of(run: Run, *, seed: int = 0) -> Fairness:
    """Return how far each group is from all clips, and how far it would be for a random model."""
    reason = _no_better(run, _all_clips(run, np.random.default_rng(seed)))
    if reason:
        return Fairness(judged=False, reason=reason, columns={})
    rng = np.random.default_rng(seed)
    columns = {
        name: _deviations(values, run, rng) for name, values in fairness_columns(run).items()
    }
    return Fairness(judged=True, reason="", columns=columns)


def group_sentences(groups: Groups) -> list[str]:
    """Return what the groups mean, for people; nothing if there is no group."""
    if not groups.tables:
        return []
    if not groups.better_than_chance:
        return ["Groups are not judged: the model is not shown to be better than random labels."]
    accuracy = {table.column: table.accuracy_gap for table in groups.tables}
    uar = {
        table.column: table.uar_gap
        for table in groups.tables
        if table.uar_gap.finding not in ("not judged", table.accuracy_gap.finding)
    }
    return [*_sentences("accuracy", accuracy), *_sentences("UAR", uar)]


def _sentences(score: str, gaps: Mapping[str, GroupGap]) -> Iterator[str]:
    """Yield what the gaps of a score say, by column: each found one, then the rest together."""
    by: dict[str, list[str]] = {}
    for column, gap in gaps.items():
        by.setdefault(gap.finding, []).append(column)
    for column in by.get("more than chance", []):
        yield _found(score, column, gaps[column])
    if rest := ", ".join(by.get("no more than chance", [])):
        yield (
            f"By {rest}, gaps in {score} are no more than chance makes; one of {_WORTH} would have "
            "been found at least four times in five."
        )
    if rest := ", ".join(by.get("cannot tell", [])):
        yield (
            f"Cannot tell whether {score} differs by {rest}: a gap of {_WORTH} could be chance or "
            "go unnoticed between groups as small as some of these."
        )


_WORTH = in_points(WORTH_FINDING)


def gap_sentence(gap: Mapping[str, Any]) -> str:
    """Return how far two groups are apart, by the fields of `GroupGap`, and whether by chance."""
    if gap["finding"] == "not judged":
        return "The groups cannot be compared."
    far = (
        f"Largest gap: {gap['best']} is right {in_points(gap['value'])} more often than "
        f"{gap['worst']}"
    )
    if gap["finding"] == "cannot tell":
        return f"{far}; cannot tell whether that is chance, since {gap['reason']}."
    return (
        f"{far}: {gap['finding']} (up to {in_points(gap['by_chance'])} between groups of this "
        "size)."
    )


def _found(score: str, column: str, gap: GroupGap) -> str:
    """Return the sentence of a gap that is more than chance."""
    points = in_points(gap.value)
    found = (
        f"{gap.best} is right {points} more often than {gap.worst}"
        if score == "accuracy"
        else f"the {score} of {gap.best} is {points} above that of {gap.worst}"
    )
    return f"By {column}, {found}: more than chance (p = {gap.p_corrected:.2g})."


def canonical_column(name: str) -> str:
    """Return what a column holds, by a name that all sets share; else its own name.

    Examples:
        >>> canonical_column("Sex"), canonical_column("age_group"), canonical_column("Mood")
        ('gender', 'age', 'Mood')
    """
    return COLUMNS.get("_".join(name.lower().split()), name)


def fairness_columns(run: Run) -> dict[str, Sequence[str | None]]:
    """Return gender, age, corpus, speaker and text, where the set has them, in two groups or more.

    Each has the name that the set gives it; of those that split the clips alike only the first.
    """
    known = {
        name: _one_spelling(name, values)
        for name, values in {"speaker": run.speakers, **run.groups}.items()
        if canonical_column(name) in COLUMNS
    }
    kept, _twins = _joined(known)
    return {name: values for name, values in kept.items() if len(_compared(values)) >= 2}


def group_columns(
    speakers: Sequence[str | None],
    groups: Mapping[str, Sequence[str | None]],
    duration_s: NDArray[np.float64],
) -> dict[str, Sequence[str | None]]:
    """Return the columns worth grouping by: two values or more, and enough clips for each.

    A column that splits the clips as an earlier one does (`speaker_id` and the speaker) is left
    out, but for gender, age, corpus and text beside two speakers; so are votes. Lengths are cut
    into quarters, unless the set has a column `duration` of other words than numbers. Genders that
    are spelt in several ways are one group each.

    Args:
        speakers: `(N,)` or `None` where unknown.
        groups: Further columns by name.
        duration_s: `(N,)` seconds.
    """
    columns, _twins = _columns_and_twins(speakers, groups, duration_s)
    return columns


def _columns_and_twins(
    speakers: Sequence[str | None],
    groups: Mapping[str, Sequence[str | None]],
    duration_s: NDArray[np.float64],
) -> tuple[dict[str, Sequence[str | None]], dict[str, str]]:
    """Return the columns, and of each that splits the clips as one of them does that one's name."""
    known = {"speaker": speakers, **groups}
    if all(_is_number(value) for value in groups.get("duration", ()) if value):
        known["duration"] = _quarters(duration_s)
    spelt = {name: _one_spelling(name, own) for name, own in known.items() if not is_votes(name)}
    return _joined({name: values for name, values in spelt.items() if _is_grouping(values)})


def _joined(
    columns: Mapping[str, Sequence[str | None]],
) -> tuple[dict[str, Sequence[str | None]], dict[str, str]]:
    """Return the first of columns that split the clips alike, and its name for each later one.

    What is known to be something else than speakers is not joined with them: how two speakers
    differ says nothing of how genders do.
    """
    kept: dict[str, Sequence[str | None]] = {}
    twins: dict[str, str] = {}
    shapes: dict[tuple[bytes, bool], str] = {}
    for name, values in columns.items():
        shape, is_speaker = _shape(values), canonical_column(name) == "speaker"
        may_speak = is_speaker or canonical_column(name) not in COLUMNS.values()
        first = shapes.get((shape, True)) if may_speak else None
        if first := first or (None if is_speaker else shapes.get((shape, False))):
            twins[name] = first
        else:
            kept[name] = values
            shapes[shape, is_speaker] = name
    return kept, twins


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _is_grouping(values: Sequence[str | None]) -> bool:
    counts = Counter(value for value in values if value is not None)
    return len(counts) >= 2 and counts.total() / len(counts) >= MIN_MEAN_CLIPS


def _shape(values: Sequence[str | None]) -> bytes:
    """Return what two columns share that split the clips in the same way, whatever the names."""
    number: dict[str | None, int] = {}
    numbers = array("q", (number.setdefault(value, len(number)) for value in values))
    return sha256(numbers).digest()


def _quarters(seconds: NDArray[np.float64]) -> tuple[str, ...]:
    if not len(seconds):
        return ()
    edges = np.unique(np.quantile(seconds, [0, 0.25, 0.5, 0.75, 1]).round(1))
    place = np.clip(np.searchsorted(edges[1:-1], seconds, side="right"), 0, max(0, len(edges) - 2))
    names = [f"{low:g}-{high:g} s" for low, high in pairwise(edges)]
    return tuple(names[i] for i in place) if names else ("",) * len(seconds)


def _one_spelling(name: str, values: Sequence[str | None]) -> Sequence[str | None]:
    """Return genders with one spelling for each, that of most clips; other columns as they are."""
    if canonical_column(name) != "gender":
        return values
    counts = Counter(value for value in values if value is not None)
    spelling: dict[str, str] = {}
    for value in sorted(counts, key=lambda value: (-counts[value], value)):
        spelling.setdefault(_gender(value), value)
    return tuple(None if value is None else spelling[_gender(value)] for value in values)


def _gender(value: str) -> str:
    known = value.strip().lower()
    return GENDERS.get(known, known)


def members_of(values: Sequence[str | None]) -> dict[str, Ids]:
    """Return the places of the clips of each group, `(n,) int64`, most clips first."""
    members: defaultdict[str, array[int]] = defaultdict(lambda: array("q"))
    for i, value in enumerate(values):
        if value is not None:
            members[value].append(i)
    ranked = sorted(members.items(), key=lambda item: (-len(item[1]), item[0]))
    return {name: np.frombuffer(clips, dtype=np.int64) for name, clips in ranked}


def _compared(values: Sequence[str | None]) -> dict[str, Ids]:
    """Return the clips of each group of at least `MIN_CLIPS`."""
    return {name: clips for name, clips in members_of(values).items() if len(clips) >= MIN_CLIPS}


def _table(
    column: str, values: Sequence[str | None], run: Run, rng: np.random.Generator, tests: int
) -> GroupTable:
    accuracy, uar, permuted = _gaps(column, _compared(values), run, rng, tests)
    return GroupTable(
        column=column,
        groups=tuple(
            _group_scores(name, clips, run, rng) for name, clips in members_of(values).items()
        ),
        accuracy_gap=accuracy,
        uar_gap=uar,
        permuted=permuted,
    )


def _all_clips(run: Run, rng: np.random.Generator) -> GroupScores | None:
    """Return the scores of all clips together, or `None` without a clip."""
    return _group_scores("all", np.arange(len(run)), run, rng) if len(run) else None


def _no_better(run: Run, whole: GroupScores | None) -> str:
    """Return why groups are not judged, or an empty text where the model is better than chance."""
    if whole is None:
        return "there is no clip with an answer"
    if whole.better_than_chance:
        return ""
    return (
        "UAR is not better than chance: its 95 % interval begins at "
        f"{percent(whole.uar.low, 1)}, a random model has "
        f"{percent(random_uar(run.truth, len(run.labels)), 1)}"
    )


def _deviations(
    values: Sequence[str | None], run: Run, rng: np.random.Generator
) -> tuple[GroupDeviation, ...]:
    compared = _compared(values)
    group = np.full(len(run), len(compared))
    for i, clips in enumerate(compared.values()):
        group[clips] = i
    answers = (run.truth, run.predicted, len(run.labels))
    return deviations_from_all(tuple(compared), group, answers, run.speakers, rng)


def _group_scores(name: str, clips: Ids, run: Run, rng: np.random.Generator) -> GroupScores:
    k = len(run.labels)
    clustering = clustering_of([run.speakers[i] for i in clips])
    truth, predicted = run.truth[clips], run.predicted[clips]
    tables = cluster_tables(truth * k + predicted, k * k, clustering)
    accuracy, uar = intervals(tables, k, RESAMPLES, rng, _accuracy_and_uar)
    return GroupScores(
        name=name,
        n=len(clips),
        accuracy=accuracy,
        uar=uar,
        better_than_chance=uar.low > random_uar(truth, k),
    )


def _accuracy_and_uar(counts: Margins) -> NDArray[np.float64]:
    """Return the first two of all scores, `(..., 2)`."""
    return np.stack([metrics.wa(counts), metrics.uar(counts)], axis=-1)


def _gaps(
    column: str,
    compared: Mapping[str, Ids],
    run: Run,
    rng: np.random.Generator,
    tests: int,
) -> tuple[GroupGap, GroupGap, Permuted]:
    """Return the gap of accuracy, that of UAR, and what was permuted to see what chance does."""
    if len(compared) < 2:
        return NO_GAP, NO_GAP, "clips"
    clips = np.concatenate(list(compared.values()))
    group = np.repeat(np.arange(len(compared)), [len(members) for members in compared.values()])
    permutation = permutation_of(
        group, None if column == "speaker" else [run.speakers[i] for i in clips]
    )
    truth = run.truth[clips]
    right = (run.predicted[clips] == truth).astype(np.float64)
    accuracy, uar = gaps_between(
        tuple(compared), permutation, right, (np.zeros_like(truth), truth), tests, rng
    )
    return accuracy, uar, permutation.what


def _not_judged(table: GroupTable) -> GroupTable:
    accuracy, uar = (
        replace(gap, finding="not judged", reason="") for gap in (table.accuracy_gap, table.uar_gap)
    )
    return replace(table, accuracy_gap=accuracy, uar_gap=uar)
