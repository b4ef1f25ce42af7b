"""What every verb asks of a scored run, whatever its task: `TaskResults`, one subclass a task."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from serval.results.table import table_of
from serval.scores.stats import Interval
from serval.wording import numbered, scored, scored_short

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pyarrow as pa

    from serval.results.table import ClipColumns
    from serval.run import Run

    Score = Mapping[str, float | None]


@dataclass(frozen=True, kw_only=True)
class TaskResults(ABC):
    """A run with its scores; the attributes of the class say where in its document they stand.

    Attributes:
        run: As stored.
        calibrate_on: A run on other clips, to fit a temperature on.
        thresholds_from: A run on other clips, to fit thresholds on; `run` itself for those that lie
            in its folder, `None` for the usual ones.
        restrict: Score with only those labels too that model and set both know; `None`: as the run
            was made.
        whole: The part of `scores` with those of the whole run, by key.
        each: The part with those of each emotion or dimension, by its name and then by key.
        one: What one of those is.
        keys: Which of these are scores with intervals, with their titles.
        titles: Those of the whole run that are told where there is little room, the first two where
            there is less, with what sentences call them; that of `Task.headline` is the first.
        shares: Whether the scores are shares, which are written in percent.
        figures: The usual file of each picture, by kind.
    """

    run: Run
    calibrate_on: Run | None = None
    thresholds_from: Run | None = None
    restrict: bool | None = None

    whole: ClassVar[str]
    each: ClassVar[str]
    one: ClassVar[str]
    keys: ClassVar[Mapping[str, str]]
    titles: ClassVar[Mapping[str, str]]
    shares: ClassVar[bool]
    figures: ClassVar[Mapping[str, str]]

    @property
    @abstractmethod
    def scores(self) -> Any:  # noqa: ANN401 - of each task its own
        """Every score with its interval, computed once."""

    @property
    def score_parts(self) -> dict[str, Any]:
        """The `scores` of the document; undefined ones are NaN."""
        return asdict(self.scores)

    @property
    @abstractmethod
    def document(self) -> dict[str, Any]:
        """What is known of the run in plain JSON types; undefined scores are `None`."""

    @property
    def further(self) -> dict[str, Any]:
        """Further parts of `results.json`, which take longer."""
        return {}

    @property
    @abstractmethod
    def columns(self) -> ClipColumns:
        """What the table of clips has of each before its groups."""

    @property
    def table(self) -> pa.Table:
        """A row for each clip, with what the model said of it."""
        return table_of(self.run)

    @abstractmethod
    def summary(self, document: Mapping[str, Any]) -> str:
        """Return `summary.md` of a whole `results.json`."""

    @abstractmethod
    def pictures(self, folder: Path) -> dict[str, Path]:
        """Return the pictures by kind, after drawing them."""

    @property
    def assumed(self) -> list[str]:
        """What the scores rest on that is not in the run, one sentence each."""
        return []

    def files(self, folder: Path) -> dict[str, Path]:  # noqa: ARG002 - most have none
        """Return the files by kind that only this task has, after writing them."""
        return {}

    @classmethod
    def told(cls, score: Score, *, short: bool = False) -> str:
        """Return a score with its interval, as a sentence or a narrow column has it."""
        if not cls.shares:
            return numbered(score)
        return scored_short(score) if short else scored(score)

    @classmethod
    def clips_of(cls, scores: Mapping[str, Any], name: str) -> int:
        """Return the clips with a truth of an emotion or dimension, of the scores of a document."""
        return int(scores[cls.each][name]["support"])

    @classmethod
    def named(cls, scores: Mapping[str, Any]) -> dict[str, Score]:
        """Return every score of a document by the name that a bound has: `uar`, `recall:angry`."""
        return {**scores[cls.whole]} | {
            f"{key}:{name}": own[key] for name, own in scores[cls.each].items() for key in cls.keys
        }

    @property
    def bounded(self) -> dict[str, float | Interval]:
        """Every number that a gate can bound, by its name."""
        return {name: Interval(**own) for name, own in self.named(self.score_parts).items()}  # type: ignore[arg-type]

    @property
    def headline(self) -> Interval:
        """The score that stands for all."""
        own = self.named(self.score_parts)[self.run.provenance.task.headline]
        return Interval(**own)  # type: ignore[arg-type]
