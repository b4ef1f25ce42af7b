"""What goes into an evaluation and what comes out of it, one clip at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """One labelled recording as its dataset gives it, not yet decoded.

    Attributes:
        id: A name that is unique in the dataset and the same on every machine.
        index: Position in the dataset split, from 0.
        label: The label as the dataset writes it (`ANG`), before any label map; empty for none.
        audio: The encoded file's bytes, or where the file is. Empty bytes in a metadata pass.
        speaker: Who speaks, or `None` where the dataset does not say.
        groups: Every further column as text: gender, corpus, age, the spoken text.
        emotions: Each label of a clip that may have several, as the dataset writes them: of a list,
            or of text that is split on request; `None` where there is neither.
    """

    id: str
    index: int
    label: str
    audio: bytes | Path = b""
    speaker: str | None = None
    groups: Mapping[str, str] = field(default_factory=dict)
    emotions: tuple[str, ...] | None = None


ClipReader = Callable[[int, int | None], Iterator[Clip]]
"""`(start, stop)` -> the clips with `start <= index < stop`, in dataset order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """What lies in a set's place and is not among its clips, for one reason.

    Attributes:
        reason: Why, as the end of a sentence: `named by no metadata file`.
        n: How many files, rows or folders.
        examples: The names of some of them.
        kind: What kind of recording of a known corpus they are (`song`); empty for all else.
        expected: They are none of its clips by rule: no reason to think little of the rest.
    """

    reason: str
    n: int
    examples: tuple[str, ...] = ()
    kind: str = ""
    expected: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known about a set beside its clips.

    Attributes:
        name: What people read: `demo`, `ssi`, `hf:ORG/NAME`, or the name of a folder or file.
        location: Where it was found, in full: a folder, a file, or `hf://datasets/...`.
        revision: The commit of a hub set, else `""`.
        label_map: What this set's own codes mean (`ANG` -> `angry`), if it is a known set.
        licence: Of the audio, as far as known.
        caveats: One sentence each on what a score on this set does not mean.
        left_out: Audio files, rows and label folders of the chosen split that are none of its
            clips, by reason.
        corpus: The known corpus that it was read as, by name; empty for any other set.
        read_as: How it was read as that corpus, in a sentence.
        scale: Of the values of dimensions in its columns, such as `1..7`, if that is known.
    """

    name: str
    location: str
    revision: str = ""
    label_map: Mapping[str, str] = field(default_factory=dict)
    licence: str = "not stated"
    caveats: tuple[str, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    corpus: str = ""
    read_as: str = ""
    scale: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset(Known):
    """A labelled set of clips, opened but not read.

    Attributes:
        split: The split that is read, or `""` where the set has none.
        fingerprint: sha256 that changes when a clip or a label changes.
        clips: Reads clips with their audio.
        metadata: Reads the same clips without audio, which is far cheaper.
        n_clips: Number of clips, or `None` while that is not known.
        n_rows: The same without a limit.
        is_rated: Its clips have values of dimensions, and no column holds a label.
        no_audio: Why a stored run cannot fetch the clips again, in a sentence; else empty.
    """

    split: str
    fingerprint: str
    clips: ClipReader
    metadata: ClipReader
    n_clips: int | None = None
    n_rows: int | None = None
    is_rated: bool = False
    no_audio: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sound:
    """What a clip sounded like to a model, in three numbers.

    Attributes:
        source_rate: Sample rate of the file in Hz, before resampling.
        level_db: Root mean square in dB of full scale, before any normalisation.
        bandwidth_hz: The highest frequency within 60 dB of the loudest; 0 for silence.
    """

    source_rate: int
    level_db: float
    bandwidth_hz: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What the model said about one clip.

    Attributes:
        clip_id: `Clip.id`.
        index: `Clip.index`.
        truth: The clip's label after the label map, one of the model's labels; `None` where
            nobody labelled it, which no run stores, or where the truth stands in `groups`.
        predicted: The label with the highest logit; empty where the outputs are values of
            dimensions.
        logits: `K` raw outputs, in the order of the model's labels.
        probs: `K` probabilities in [0, 1], as `serval.probabilities.probabilities_of` makes them
            of the logits: their softmax, which sums to 1; of a model with an independent
            (sigmoid) score for each label, those scores.
        duration_s: Length of the decoded audio in seconds.
        inference_s: Wall time of the model call in seconds, without decoding.
        audio_sha256: Of the encoded file, so that the same clip is known elsewhere.
        speaker: `Clip.speaker`.
        groups: `Clip.groups`.
        notes: What was done to the sound, or is remarkable in it, as the end of a sentence:
            `the model heard digital silence`.
        sound: What the clip sounded like; `None` where nobody listened.
    """

    clip_id: str
    index: int
    truth: str | None
    predicted: str
    logits: tuple[float, ...]
    probs: tuple[float, ...]
    duration_s: float
    inference_s: float
    audio_sha256: str = ""
    speaker: str | None = None
    groups: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    sound: Sound | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why one clip has no prediction.

    Attributes:
        clip_id: `Clip.id`.
        index: `Clip.index`.
        truth: The clip's label after the label map; empty where it has none.
        stage: `read`, `decode`, `model`, or `worker` where it took its worker down.
        reason: One line that says what is wrong with the clip.
        speaker: `Clip.speaker`.
        groups: `Clip.groups`.
    """

    clip_id: str
    index: int
    truth: str
    stage: str
    reason: str
    speaker: str | None = None
    groups: Mapping[str, str] = field(default_factory=dict)


Record = Prediction | Failure
