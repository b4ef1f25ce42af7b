"""What an audit can find, and how one finding is written down."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Self


class FindingKind(StrEnum):
    """What is wrong, from what spoils a score most to what only should be known."""

    meaning: str

    def __new__(cls, value: str, meaning: str) -> Self:
        """Return a kind that is called `value`, with what it means in a line."""
        kind = str.__new__(cls, value)
        kind._value_, kind.meaning = value, meaning
        return kind

    SHARED_SPEAKERS = (
        "shared-speakers",
        "a speaker is in both splits: the score says little about new speakers",
    )
    FOLDS_SHARE_SPEAKERS = "folds-share-speakers", "a fold tests on speakers that it trains on"
    FOLDS_SHARE_RECORDINGS = (
        "folds-share-recordings",
        "a fold tests on recordings that it trains on",
    )
    FOLDS_MISFIT = "folds-misfit", "the fold list and the set do not name the same clips"
    MISSING_CLIPS = "missing-clips", "a known corpus has clips that are not here"
    DOUBLED_CLIPS = "doubled-clips", "a known corpus has clips that are here more than once"
    IDENTICAL_AUDIO = "identical-audio", "the same file, or the same samples in another file"
    NEAR_IDENTICAL_AUDIO = (
        "near-identical-audio",
        "the same recording, resampled, re-encoded, cut or turned down",
    )
    CONFLICTING_LABELS = "conflicting-labels", "the same recording with different labels"
    CONFLICTING_RATINGS = "conflicting-ratings", "the same recording with different ratings"
    UNKNOWN_LABEL = "unknown-label", "a label that is not among those expected"
    ABSENT_LABEL = "absent-label", "an expected label without a clip"
    RARE_LABEL = "rare-label", "a label with too few clips for a recall of any use"
    ONE_LABEL_SPEAKER = (
        "one-label-speaker",
        "a speaker with one label only: the voice gives the answer away",
    )
    ONE_LABEL_TEXT = "one-label-text", "a text with one label only: the words give the answer away"
    MISSING_RATING = "missing-rating", "a dimension without a rating, or with no number"
    OUTSIDE_SCALE = "outside-scale", "a rating outside of the scale that is stated or known"
    CONSTANT_RATING = "constant-rating", "a dimension with one rating only: nothing to tell apart"
    UNDECODABLE = "undecodable", "the file cannot be decoded"
    TRUNCATED = "truncated", "the file ends before its header says"
    SILENT = "silent", "nothing is to be heard"
    CLIPPED = "clipped", "the loudest samples are cut off flat"
    DC_OFFSET = "dc-offset", "the waveform does not swing around zero"
    TOO_SHORT = "too-short", "far shorter than the rest"
    TOO_LONG = "too-long", "far longer than the rest"
    MIXED_SAMPLE_RATES = "mixed-sample-rates", "more than one sample rate in a split"
    MIXED_CHANNELS = "mixed-channels", "more than one number of channels in a split"


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
