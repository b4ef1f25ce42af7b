"""What `serval.evaluate`, `serval.score` and `serval.compare` return."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from serval.comparison.compare import forest_of
from serval.comparison.words import verdict_sentence
from serval.errors import ConfigError, MissingExtraError
from serval.plots.canvas import given_axes
from serval.plots.classes import draw_confusion_matrix, draw_per_class
from serval.plots.comparison import draw_differences
from serval.plots.reliability import draw_reliability
from serval.results import TaskResults, results_of, write_results
from serval.results.verdict import data_name
from serval.scores import HEADLINES, METRICS, Scores
from serval.scores.calibration import calibration_of
from serval.tasks import CATEGORICAL, MULTILABEL, ByTask, only
from serval.wording import counted, points

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from serval.comparison import Comparison
    from serval.plots.canvas import Axes
    from serval.run import Run

CONFUSED = only(CATEGORICAL, "a confusion matrix shows")
RELIABLE = only(CATEGORICAL, "a reliability diagram shows")
PER_CLASS: ByTask[None] = ByTask(
    what="scores of each emotion are drawn of",
    parts=dict.fromkeys((CATEGORICAL, MULTILABEL)),
)


@dataclass(frozen=True, kw_only=True, repr=False)
class Result:
    """How good a model is on a set.

    Attributes:
        run: Every prediction.
        files: What was written, by kind; empty if nothing was.
    """

    run: Run
    files: Mapping[str, Path] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What the run is called."""
        return self.run.name

    @property
    def scores(self) -> Scores:
        """Every score with its interval; of dimensions or several emotions, those of their own."""
        found: Scores = self._found.scores
        return found

    @cached_property
    def document(self) -> dict[str, Any]:
        """The content of `results.json`, in plain JSON types."""
        return self._found.document

    @cached_property
    def _found(self) -> TaskResults:
        return results_of(self.run)

    def _told(self, most: int | None = None) -> str:
        """Return the scores that are reported most."""
        scores, found = self.document["scores"][self._found.whole], self._found
        shown = [*found.titles.items()][:most]
        return ", ".join(f"{title} {found.told(scores[key])}" for key, title in shown)

    def __repr__(self) -> str:
        """Return one line with the two scores that are reported most."""
        failed = f", {len(self.run.failures)} failed" if self.run.failures else ""
        return (
            f"<Result {self.name} on {data_name(self.run)}: {self._told(2)}, "
            f"{counted(len(self.run), 'clip')}{failed}>"
        )

    def _repr_html_(self) -> str:
        """Return the verdict and the scores of each emotion, as a notebook shows them."""
        scores, found = self.document["scores"], self._found
        keys = dict([*found.keys.items()][:3])
        rows = [
            [name, *(found.told(own[key]) for key in keys), found.clips_of(scores, name)]
            for name, own in scores[found.each].items()
        ]
        warnings = "".join(f"<li>{escape(line)}</li>" for line in self.document["warnings"])
        return (
            f"<p><b>{escape(self.document['verdict'][0])}</b></p><p>{escape(self._told())}</p>"
            f"{_html_table([found.one, *keys.values(), 'clips'], rows)}"
            + (f"<ul>{warnings}</ul>" if warnings else "")
        )

    def to_arrow(self) -> pa.Table:
        """Return a row for each clip: of emotions as `predictions.parquet` has them."""
        return self._found.table

    def to_pandas(self) -> Any:  # noqa: ANN401 - pandas is optional
        """Return a row for each clip as a pandas table.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        return _pandas(self.to_arrow())

    def plot_confusion_matrix(self, ax: Axes | None = None) -> Axes:
        """Return the axes with counts and row shares, truth down, predicted across."""
        CONFUSED.of(self.run.provenance.task, self.name)
        axes = given_axes(ax, 7.0, 6.0)
        draw_confusion_matrix(axes, self.run)
        return axes

    def plot_per_class(self, ax: Axes | None = None) -> Axes:
        """Return the axes with precision, recall and F1 of each emotion."""
        PER_CLASS.of(self.run.provenance.task, self.name)
        axes = given_axes(ax, 10.0, 4.5)
        draw_per_class(axes, getattr(self.scores, self._found.each))
        return axes

    def plot_reliability(self, ax: Axes | None = None) -> Axes:
        """Return the axes with accuracy against confidence.

        Raises:
            ConfigError: Only labels are known, no probabilities.
        """
        RELIABLE.of(self.run.provenance.task, self.name)
        if not _has_probabilities(self.run):
            raise ConfigError(
                f"{self.name} has labels only; give probabilities to see how sure it is"
            )
        axes = given_axes(ax, 5.0, 5.0)
        draw_reliability(axes, calibration_of(self.run))
        return axes

    def save(self, folder: str | Path, *, plots: bool = True) -> dict[str, Path]:
        """Return the path of each file, by kind, after writing scores, tables and pictures."""
        return write_results(self.run, Path(folder), plots=plots, thresholds_from=self.run).files


@dataclass(frozen=True, kw_only=True, repr=False)
class ComparisonResult:
    """Whether runs are worse than the first; `comparison` has every number."""

    comparison: Comparison

    def __repr__(self) -> str:
        """Return one line with the difference of UAR and its verdict."""
        told = "; ".join(
            f"{one.b} against {one.a}: UAR {_change(one.scores.overall['uar'].difference)} points, "
            f"{one.scores.overall['uar'].verdict}"
            for one in self.comparison.against
        )
        return f"<ComparisonResult {told}, {counted(self.comparison.n, 'clip')}>"

    def _repr_html_(self) -> str:
        """Return the verdicts, as a notebook shows them."""
        head = ["run", "against", "score", "B - A, points", "verdict"]
        margin = self.comparison.options.margin
        rows = [
            [one.b, one.a, METRICS[key].title, _change(one.scores.overall[key].difference),
             verdict_sentence(one.scores.overall[key], margin)]
            for one in self.comparison.against for key in HEADLINES
        ]  # fmt: skip
        return f"<p>{self.comparison.n:,} common clips</p>{_html_table(head, rows)}"

    def to_arrow(self) -> pa.Table:
        """Return a row for each score and emotion: both values, difference, interval, verdict."""
        rows = [
            {"run": one.b, "against": one.a, "score": score, "a": change.a, "b": change.b,
             "difference": change.difference.value, "low": change.difference.low,
             "high": change.difference.high, "p": change.difference.p, "verdict": change.verdict}
            for one in self.comparison.against
            for score, change in (
                *one.scores.overall.items(),
                *((f"recall {label}", own.recall) for label, own in one.scores.per_class.items()),
            )
        ]  # fmt: skip
        return pa.Table.from_pylist(rows)

    def to_pandas(self) -> Any:  # noqa: ANN401 - pandas is optional
        """Return the same as a pandas table.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        return _pandas(self.to_arrow())

    def plot(self, ax: Axes | None = None, *, run: int = 0) -> Axes:
        """Return the axes with each difference, its interval and the margin.

        Args:
            ax: Where to draw; by default a new figure.
            run: Which of the further runs, from 0.
        """
        axes = given_axes(ax, 7.0, 5.0)
        forest = forest_of(self.comparison, self.comparison.against[run])
        draw_differences(axes, forest, self.comparison.options.margin)
        return axes


def _has_probabilities(run: Run) -> bool:
    return bool(run.probs.size) and bool(((run.probs > 1e-9) & (run.probs < 1 - 1e-9)).any())


def _change(difference: Any) -> str:  # noqa: ANN401 - of two runs, on either kind of interval
    value, low, high = (
        points(one, sign=True) for one in (difference.value, difference.low, difference.high)
    )
    return f"{value} ({low} to {high})"


def _pandas(table: pa.Table) -> Any:  # noqa: ANN401
    try:
        return table.to_pandas()
    except ImportError as error:
        raise MissingExtraError("pandas is not installed; pip install pandas") from error


def _html_table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    def line(cells: Sequence[object], tag: str) -> str:
        return f"<tr>{''.join(f'<{tag}>{escape(str(cell))}</{tag}>' for cell in cells)}</tr>"

    body = "".join(line(row, "td") for row in rows)
    return f"<table><thead>{line(head, 'th')}</thead><tbody>{body}</tbody></table>"
