"""What is audited: the options, and the split in question with the one it is held against."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from serval.audit.facts import ClipFacts
from serval.audit.findings import Finding, FindingKind
from serval.corpora import corpus_called
from serval.datasets import DatasetOptions, load_dataset
from serval.datasets.load import is_of_hub
from serval.dimensions import scale_of_text
from serval.errors import ConfigError, DatasetNotFoundError
from serval.labels import EMOTIONS, LabelMap, LabelSet, label_map_from_option
from serval.options import refuse_unused
from serval.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from serval.corpora import Corpus
    from serval.dimensions import Scale
    from serval.records import Clip, Dataset


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditOptions(DatasetOptions):
    """Every option of an audit, with its default; what is read of `against` is read alike.

    Attributes:
        dataset: `demo`, `ssi`, `hf:ORG/NAME`, a folder, or a .csv, .jsonl or .parquet file.
        against: What the split must share nothing with: another split of the set, or a dataset.
        folds: A fold list that is held against the set: a file, or a folder of EmoBox's.
        labels: The labels that are expected; by default those of the preset that `label_map`
            names, else of the corpus, if it is a known one, else the usual eight.
        label_map: The name of a preset, `RAW=label,...`, both, or a JSON file.
        scale: Of ratings of dimensions, such as `1..7`; by default that of the corpus, if it is a
            known one, else none is outside of it.
        text_column: Column with the spoken text; by default `text`, `sentence` and the like.
        workers: Clips at once; by default one for each core.
    """

    dataset: str
    against: str | None = None
    folds: str | None = None
    labels: tuple[str, ...] | None = None
    label_map: str | None = None
    scale: str | None = None
    text_column: str | None = None
    workers: int | None = None


TEXT_NAMES = ("text", "sentence", "transcript", "transcription", "utterance", "words")


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One split of one dataset.

    Attributes:
        name: What findings call it.
        dataset: Where its clips come from.
        labels: From its labels to those that are expected.
        text_column: The group that holds the spoken text, by name or `None` for the usual names.
        rated: Columns that may hold ratings of dimensions, in small letters.
        scale: Of these, where it is stated or known.
    """

    name: str
    dataset: Dataset
    labels: LabelMap
    text_column: str | None = None
    rated: frozenset[str] = frozenset()
    scale: Scale | None = None

    def blank(self, clip: Clip) -> ClipFacts:
        """Return what the dataset says of a clip."""
        several = clip.emotions
        named = [self.labels[one] or one for one in several or (clip.label,)]
        return ClipFacts(
            split=self.name,
            clip_id=clip.id,
            label=" + ".join(named),
            labels=None if several is None else tuple(named[: len(several)]),
            raw_label=clip.label,
            speaker=clip.speaker,
            text=self._text(clip.groups),
            ratings={n: cell for n, cell in clip.groups.items() if n.casefold() in self.rated},
        )

    def _text(self, groups: Mapping[str, str]) -> str | None:
        if self.text_column is not None:
            return groups.get(self.text_column)
        folded = {name.casefold(): name for name in groups}
        column = next((folded[name] for name in TEXT_NAMES if name in folded), None)
        return groups[column] if column is not None else None


def open_sides(options: AuditOptions) -> tuple[Side, ...]:
    """Return one side, or two where the split is held against something.

    Raises:
        ConfigError: The split would be held against itself, or folds are asked for too.
        DatasetNotFoundError: There is no such set, split, file or column.
        LabelError: The label map leads to a label that is not expected.
    """
    if options.folds is not None and options.against is not None:
        raise ConfigError("--folds is about one set and --against about two; give one of them")
    first = load_dataset(options.dataset, options=options)
    if options.text_column is not None:
        _refuse_unknown_text(first, options.text_column)
    if options.scale is not None:
        _refuse_idle_scale(first, options)
    if options.against is None:
        return (_side(first, first.split or "all", options),)
    second = _against(options, options.against)
    if (second.fingerprint, second.split) == (first.fingerprint, first.split):
        raise ConfigError(
            f"--against {options.against} is the same set as the one that is audited; "
            "name another split or dataset"
        )
    names = _names(first, second)
    return _side(first, names[0], options), _side(second, names[1], options)


def _refuse_idle_scale(dataset: Dataset, options: AuditOptions) -> None:
    rated = set(options.value_columns.casefold().split(","))
    clips = dataset.metadata(0, None)
    if not any(name.casefold() in rated for clip in clips for name in clip.groups):
        refuse_unused(["--scale"], f"no column of {dataset.name} holds ratings")


def _against(options: AuditOptions, against: str) -> Dataset:
    """Return the split of that name, else the dataset of that name."""
    try:
        return load_dataset(options.dataset, options=replace(options, split=against))
    except DatasetNotFoundError as no_split:
        try:
            revision = options.revision if is_of_hub(against) else None
            return load_dataset(against, options=replace(options, split=None, revision=revision))
        except DatasetNotFoundError:
            why = str(no_split).replace("--split", "--against")  # the flag that was given
            raise DatasetNotFoundError(
                f"--against {against} is neither a split nor a dataset: {why}"
            ) from None


def _refuse_unknown_text(dataset: Dataset, column: str) -> None:
    known: dict[str, None] = {}
    for clip in dataset.metadata(0, None):
        if column in clip.groups:
            return
        known |= dict.fromkeys(clip.groups)
    raise DatasetNotFoundError(
        f"{dataset.name} has no column '{column}' for --text-column; "
        f"its further columns: {', '.join(known) or 'none'}"
    )


def _names(first: Dataset, second: Dataset) -> tuple[str, str]:
    if first.location == second.location:
        return first.split or "all", second.split or "all"
    names = [f"{d.name}/{d.split}" if d.split else d.name for d in (first, second)]
    if names[0] == names[1]:
        return first.location, second.location
    return names[0], names[1]


def _side(dataset: Dataset, name: str, options: AuditOptions) -> Side:
    stated, corpus = label_map_from_option(options.label_map), corpus_called(dataset.corpus)
    usual = stated.preset or corpus
    expected = LabelSet(options.labels or (usual.emotions if usual else EMOTIONS))
    mapping = LabelMap(
        labels=expected,
        explicit=stated.explicit,
        meanings=dataset.label_map,
        preset=stated.preset,
    )
    scale = options.scale or dataset.scale
    return Side(
        name=name,
        dataset=dataset,
        labels=mapping,
        text_column=options.text_column,
        rated=frozenset(options.value_columns.casefold().split(",")),
        scale=scale_of_text(scale, "--scale") if scale else None,
    )


DOUBLED = ("copies", "formats", "versions")
"""Kinds of files that are left out of a corpus since the clip is there already."""


def corpus_findings(facts: Sequence[ClipFacts], side: Side) -> Iterator[Finding]:
    """Yield what a known corpus lacks, and what it has twice; nothing of any other set.

    Args:
        facts: Every clip of the side.
        side: Of a whole corpus: of one of its splits or folds nobody knows what it should hold.
    """
    corpus = corpus_called(side.dataset.corpus)
    if corpus is None:
        return
    yield from (
        _finding(FindingKind.DOUBLED_CLIPS, f"{counted(part.n, 'file')}: {part.reason}, such as "
                 f"{', '.join(part.examples)}", side, part.n)
        for part in side.dataset.left_out if part.kind in DOUBLED
    )  # fmt: skip
    whole = side.dataset.n_clips == side.dataset.n_rows  # neither --limit nor --sample
    if whole and not corpus.official and side.dataset.split in ("", "folds"):
        yield from (
            _finding(FindingKind.MISSING_CLIPS, message, side, n)
            for message, n in _missing(corpus, facts)
        )


def _missing(corpus: Corpus, facts: Sequence[ClipFacts]) -> Iterator[tuple[str, int]]:
    """Yield in a sentence each what is not here, and how many clips or speakers that is."""
    if 0 < len(facts) < corpus.clips:
        n = corpus.clips - len(facts)
        yield f"{n:,} of the {corpus.clips:,} clips of {corpus.name} are not here", n
    here = {clip.speaker for clip in facts}
    absent = [name for name in corpus.speaker_names if f"{corpus.name}_{name}" not in here]
    if absent:
        yield (
            f"{len(absent)} of its {corpus.speakers} speakers are not here: {', '.join(absent)}",
            len(absent),
        )
    labels = Counter(clip.raw_label for clip in facts)
    for emotion, n in corpus.counts.items():
        if labels[emotion] < n:
            yield f"{labels[emotion]:,} of {n:,} clips of {emotion} are here", n - labels[emotion]


def _finding(kind: FindingKind, message: str, side: Side, value: float) -> Finding:
    return Finding(kind=kind, message=message, splits=(side.name,), value=float(value))
