"""What an audit can find, and how one finding is written down."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["MEANINGS", "Finding", "FindingKind", "Member"]


class FindingKind(StrEnum):
    """What is wrong, from what spoils a score most to what only should be known."""

    SHARED_SPEAKERS = "shared-speakers"
    FOLDS_SHARE_SPEAKERS = "folds-share-speakers"
    FOLDS_SHARE_RECORDINGS = "folds-share-recordings"
    FOLDS_MISFIT = "folds-misfit"
    MISSING_CLIPS = "missing-clips"
    DOUBLED_CLIPS = "doubled-clips"
    IDENTICAL_AUDIO = "identical-audio"
    NEAR_IDENTICAL_AUDIO = "near-identical-audio"
    CONFLICTING_LABELS = "conflicting-labels"
    UNKNOWN_LABEL = "unknown-label"
    ABSENT_LABEL = "absent-label"
    RARE_LABEL = "rare-label"
    ONE_LABEL_SPEAKER = "one-label-speaker"
    ONE_LABEL_TEXT = "one-label-text"
    UNDECODABLE = "undecodable"
    TRUNCATED = "truncated"
    SILENT = "silent"
    CLIPPED = "clipped"
    DC_OFFSET = "dc-offset"
    TOO_SHORT = "too-short"
    TOO_LONG = "too-long"
    MIXED_SAMPLE_RATES = "mixed-sample-rates"
    MIXED_CHANNELS = "mixed-channels"


MEANINGS = {
    FindingKind.SHARED_SPEAKERS: "a speaker is in both splits: "
    "the score says little about new speakers",
    FindingKind.FOLDS_SHARE_SPEAKERS: "a fold tests on speakers that it trains on",
    FindingKind.FOLDS_SHARE_RECORDINGS: "a fold tests on recordings that it trains on",
    FindingKind.FOLDS_MISFIT: "the fold list and the set do not name the same clips",
    FindingKind.MISSING_CLIPS: "a known corpus has clips that are not here",
    FindingKind.DOUBLED_CLIPS: "a known corpus has clips that are here more than once",
    FindingKind.IDENTICAL_AUDIO: "the same file, or the same samples in another file",
    FindingKind.NEAR_IDENTICAL_AUDIO: "the same recording, resampled, re-encoded, cut "
    "or turned down",
    FindingKind.CONFLICTING_LABELS: "the same recording with different labels",
    FindingKind.UNKNOWN_LABEL: "a label that is not among those expected",
    FindingKind.ABSENT_LABEL: "an expected label without a clip",
    FindingKind.RARE_LABEL: "a label with too few clips for a recall of any use",
    FindingKind.ONE_LABEL_SPEAKER: "a speaker with one label only: the voice gives the answer away",
    FindingKind.ONE_LABEL_TEXT: "a text with one label only: the words give the answer away",
    FindingKind.UNDECODABLE: "the file cannot be decoded",
    FindingKind.TRUNCATED: "the file ends before its header says",
    FindingKind.SILENT: "nothing is to be heard",
    FindingKind.CLIPPED: "the loudest samples are cut off flat",
    FindingKind.DC_OFFSET: "the waveform does not swing around zero",
    FindingKind.TOO_SHORT: "far shorter than the rest",
    FindingKind.TOO_LONG: "far longer than the rest",
    FindingKind.MIXED_SAMPLE_RATES: "more than one sample rate in a split",
    FindingKind.MIXED_CHANNELS: "more than one number of channels in a split",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A clip that a finding is about.

    Attributes:
        split: The split that it is in, as the audit calls it.
        clip_id: Its id in the dataset.
        label: Its label after the label map.
    """

    split: str
    clip_id: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was found.

    Attributes:
        kind: What is wrong.
        message: One line for people.
        splits: The splits that it concerns.
        clips: The clips that it concerns; empty where it concerns a label or a whole split.
        value: The number that decided, in the unit that the message names, or `None`.
    """

    kind: FindingKind
    message: str
    splits: tuple[str, ...]
    clips: tuple[Member, ...] = ()
    value: float | None = None
