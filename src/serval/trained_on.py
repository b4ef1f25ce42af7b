"""Whether a model has heard a clip before: what it says of its own training data.

An ONNX file may carry a metadata entry `trained_on`, a JSON object:

    {"corpora": ["RAVDESS"], "splits": ["stapesai/ssi-speech-emotion-recognition: train"],
     "n_clips": 9520, "names": "<hashes>", "audio": "<hashes>"}

`names` are hashes of the clips' file names without folder and suffix, since corpora are copied in
other formats under their own names; `audio` are hashes of the encoded files. Either is sorted,
written as differences, compressed, in base64: about 3 bytes a clip.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import math
import re
import zlib
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from serval.errors import ConfigError
from serval.wording import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Training = Literal["these clips", "this corpus", "other corpora", "unknown"]
"""What a model was trained on beside a set that it is evaluated on; `unknown` where nobody says."""

SOUND_NAMES = ("duration_s", "level_db", "bandwidth_hz")
"""What is remembered of the sound of clips: seconds, dB of full scale, Hz."""

PERCENTILES = (5, 50, 95)

HEARD = "the model was trained on it"
"""The note of a clip that the model was trained on."""

MOST_CLIPS = 10_000_000
LONGEST_TEXT = 64_000_000
MOST_WORDS = 12
"""More than the name of a set has: what is longer is a text."""

NUMBERED = re.compile(
    r"\d+|(audio|clip|file|recording|sample|segment|track|utterance|wav|"
    r"train(ing)?|val(id(ation)?)?|dev(el(opment)?)?|test(ing)?|eval(uation)?)[-_. \d]*\d"
)
"""Names that tell no clip from those of other sets, such as `train-000003`, which serval gives to a
clip without a file name."""

Hashes = NDArray[np.uint32]
"""Sorted, distinct; two different clips have the same one in 1 of 4 billion cases."""


def _none() -> Hashes:
    return np.zeros(0, dtype=np.uint32)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedOn:
    """What a model was trained on, as far as its file says.

    Attributes:
        corpora: Names of corpora: `RAVDESS`.
        splits: Names of sets with their splits.
        n_clips: Number of clips, or `None` where that is not said.
        names: Hashes of the clips' file names.
        audio: Hashes of the clips' encoded files.
    """

    corpora: tuple[str, ...] = ()
    splits: tuple[str, ...] = ()
    n_clips: int | None = None
    names: Hashes = field(default_factory=_none)
    audio: Hashes = field(default_factory=_none)

    @classmethod
    def of_clips(
        cls, clips: Iterable[tuple[str, str]], corpora: Sequence[str], splits: Sequence[str]
    ) -> Self:
        """Return what there is to say of `(clip id, sha256 of the encoded file)` pairs."""
        pairs = list(clips)
        return cls(
            corpora=tuple(corpora),
            splits=tuple(splits),
            n_clips=len(pairs),
            names=_hashes(_name_hash(clip_id) for clip_id, _ in pairs),
            audio=_hashes(_audio_hash(sha256) for _, sha256 in pairs),
        )

    @classmethod
    def parsed(cls, text: str) -> Self:
        """Return what a metadata entry `trained_on` says.

        Raises:
            ConfigError: It is not such an entry.
        """
        try:
            said = json.loads(text[:LONGEST_TEXT])
            return cls(
                corpora=_texts(said.get("corpora", [])),
                splits=_texts(said.get("splits", [])),
                n_clips=None if said.get("n_clips") is None else int(said["n_clips"]),
                names=_unpacked(said.get("names", "")),
                audio=_unpacked(said.get("audio", "")),
            )
        except (ValueError, TypeError, AttributeError, OverflowError, RecursionError,
                binascii.Error, zlib.error) as error:  # fmt: skip
            raise ConfigError(
                f"trained_on cannot be read: {error}; docs/models.md says what it may hold"
            ) from error

    def metadata(self) -> str:
        """Return the text of the metadata entry."""
        return json.dumps(self.facts() | {"names": _packed(self.names),
                                          "audio": _packed(self.audio)})  # fmt: skip

    def facts(self) -> dict[str, Any]:
        """Return what a run keeps of it, in plain JSON types: all but the hashes."""
        return {"corpora": list(self.corpora), "splits": list(self.splits), "n_clips": self.n_clips}

    def has(self, clip_id: str, sha256: str) -> bool:
        """Tell whether a clip of that name, or with that very audio, was among them.

        Examples:
            >>> heard = TrainedOn.of_clips([("Actor_11/03-01-05-01-02-01-11.wav", "")], [], [])
            >>> heard.has("copy/03-01-05-01-02-01-11.flac", "")
            True
            >>> heard.has("03-01-05-01-02-01-12.wav", "")
            False
            >>> TrainedOn.of_clips([("train-000003", "")], [], []).has("train-000003", "")
            False
        """
        return _is_in(self.names, _name_hash(clip_id)) or _is_in(self.audio, _audio_hash(sha256))


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundRanges:
    """What the clips that a model was trained or calibrated on sounded like.

    A model file may carry it as a metadata entry `sound_ranges`, a JSON object:

        {"of": "calibration clips of my_clips train", "clips": 64,
         "duration_s": [1.2, 2.3, 4.0], "level_db": [-31.0, -24.5, -18.2],
         "bandwidth_hz": [6900.0, 7800.0, 8000.0]}

    Attributes:
        of: Which clips, as people read it.
        clips: How many.
        ranges: The 5th, 50th and 95th percentile of each of `SOUND_NAMES`.
    """

    of: str
    clips: int
    ranges: Mapping[str, tuple[float, float, float]]

    @classmethod
    def of_clips(cls, of: str, rows: Sequence[Sequence[float]]) -> Self:
        """Return the ranges of clips.

        Args:
            of: Which clips, as people read it.
            rows: For each clip the numbers of `SOUND_NAMES`.

        Examples:
            >>> SoundRanges.of_clips("two clips", [(1, -20, 8000), (3, -30, 4000)]).ranges
            {'duration_s': (1.1, 2.0, 2.9), 'level_db': (-29.5, -25.0, -20.5),
             'bandwidth_hz': (4200.0, 6000.0, 7800.0)}
        """
        found = np.percentile(np.asarray(rows, dtype=np.float64), PERCENTILES, axis=0)
        columns = (tuple(round(float(n), 3) for n in column) for column in found.T)
        return cls(of=of, clips=len(rows), ranges=dict(zip(SOUND_NAMES, columns, strict=True)))  # type: ignore[arg-type]

    @classmethod
    def parsed(cls, text: str) -> Self:
        """Return what a metadata entry `sound_ranges` says.

        Raises:
            ConfigError: It is not such an entry.
        """
        try:
            said = json.loads(text[:LONGEST_TEXT])
            return cls(
                of=printable(str(said["of"]))[:200],
                clips=int(said["clips"]),
                ranges={name: _ascending(said[name]) for name in SOUND_NAMES},
            )
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
            raise ConfigError(
                f"sound_ranges cannot be read: {error}; docs/models.md says what it may hold"
            ) from error

    def facts(self) -> dict[str, Any]:
        """Return it in plain JSON types."""
        ranges = {name: list(three) for name, three in self.ranges.items()}
        return {"of": self.of, "clips": self.clips, **ranges}

    def metadata(self) -> str:
        """Return the text of the metadata entry."""
        return json.dumps(self.facts())


def _ascending(value: object) -> tuple[float, float, float]:
    low, middle, high = map(float, value)  # type: ignore[call-overload]
    if not -math.inf < low <= middle <= high < math.inf:
        raise ValueError("percentiles must ascend")
    return low, middle, high


def overlap_sentences(said: object, heard: int, clips: int, names: Iterable[str]) -> list[str]:
    """Return what a reader must know of the overlap with a model's training data.

    Examples:
        >>> overlap_sentences({"corpora": ["RAVDESS"]}, 284, 360, ["ravdess"])[0]
        'The model was trained on 284 of these 360 clips: the score says too little about new ones.'
        >>> overlap_sentences({"corpora": ["RAVDESS"]}, 0, 360, ["ravdess"])
        ['The model was trained on other clips of RAVDESS: expect far less on other corpora.']
        >>> overlap_sentences({"corpora": ["RAVDESS"]}, 0, 360, ["tess"])
        []
    """
    if heard:
        part = f"{heard:,} of these {clips:,} clips"
        return [f"The model was trained on {part}: the score says too little about new ones."]
    shared = _shared(corpora_of(said) or [], names)
    if not shared:
        return []
    named = ", ".join(shared)
    return [f"The model was trained on other clips of {named}: expect far less on other corpora."]


def corpora_of(said: object) -> list[str] | None:
    """Return the corpora that a stored run's model says it was trained on; `None` if it does not.

    Args:
        said: `TrainedOn.facts` as a run has it, or whatever stands there.

    Examples:
        >>> corpora_of({"corpora": ["RAVDESS", 3]}), corpora_of({"corpora": 3}), corpora_of(None)
        (['RAVDESS'], None, None)
    """
    corpora = said.get("corpora") if isinstance(said, dict) else None
    if not isinstance(corpora, list):
        return None
    return [name for name in corpora if isinstance(name, str)]


def training_of(corpora: Sequence[str] | None, heard: int, names: Iterable[str]) -> Training:
    """Return what is known of whether a model was trained on a set.

    Examples:
        >>> training_of(["RAVDESS"], 0, ["ravdess"]), training_of(["org/ravdess"], 0, ["RAVDESS"])
        ('this corpus', 'this corpus')
        >>> training_of(["TESS"], 0, ["ravdess"]), training_of(None, 0, ["ravdess"])
        ('other corpora', 'unknown')
        >>> training_of(None, 3, ["ravdess"])
        'these clips'
    """
    if heard:
        return "these clips"
    if corpora is None:
        return "unknown"
    return "this corpus" if _shared(corpora, names) else "other corpora"


def _shared(corpora: Iterable[str], names: Iterable[str]) -> list[str]:
    """Return the corpora that a name names; a hub's `ORG/NAME` may be named by its last part."""
    found = list(names)
    return [
        name
        for name in corpora
        if any(same_corpus(name, own) or same_corpus(name.rpartition("/")[2], own) for own in found)
    ]


def same_corpus(corpus: str, name: str) -> bool:
    """Tell whether the words of a name hold that of a corpus, written in whatever way.

    Examples:
        >>> same_corpus("CREMA-D", "crema_d.csv"), same_corpus("RAVDESS", "my RAVDESS")
        (True, True)
        >>> same_corpus("TESS", "hostess"), same_corpus("TESS", "RAVDESS")
        (False, False)
    """
    wanted, words = letters_of(corpus), re.split(r"[\W_]+", name.casefold())
    if not wanted or len(words) > MOST_WORDS:
        return False
    ends = range(1, len(words) + 1)
    return any("".join(words[start:end]) == wanted for end in ends for start in range(end))


def letters_of(name: str) -> str:
    """Return the letters and digits of a name in small letters: `CREMA-D` is `cremad`."""
    return re.sub(r"[\W_]+", "", name).casefold()


def _name_hash(clip_id: str) -> int | None:
    """Return the hash of a name; `None` of one that many sets have: short, or merely numbered."""
    stem = PurePosixPath(re.sub(r"#\d+$", "", clip_id)).stem.casefold()
    if len(stem) < 6 or NUMBERED.fullmatch(stem):
        return None
    return int.from_bytes(hashlib.sha256(stem.encode("utf-8", "replace")).digest()[:4], "big")


def _audio_hash(sha256: str) -> int | None:
    return int(sha256[:8], 16) if re.fullmatch("[0-9a-f]{64}", sha256) else None


def _hashes(found: Iterable[int | None]) -> Hashes:
    return np.array(sorted({one for one in found if one is not None}), dtype=np.uint32)


def _is_in(hashes: Hashes, one: int | None) -> bool:
    if one is None or not len(hashes):
        return False
    at = int(np.searchsorted(hashes, np.uint32(one)))
    return at < len(hashes) and int(hashes[at]) == one


def _packed(hashes: Hashes) -> str:
    steps = np.diff(hashes.astype(np.int64), prepend=0).astype("<u4")
    # Byte by byte: the high bytes of the steps are nearly all 0.
    planes = steps.view(np.uint8).reshape(-1, 4).T.tobytes()
    return base64.b64encode(zlib.compress(planes, 9)).decode("ascii")


def _unpacked(text: object) -> Hashes:
    if not isinstance(text, str):
        raise TypeError("hashes must be a text")
    if not text:
        return _none()
    inflater = zlib.decompressobj()
    planes = inflater.decompress(base64.b64decode(text, validate=True), 4 * MOST_CLIPS)
    if inflater.unconsumed_tail or not inflater.eof or len(planes) % 4:
        raise ValueError("hashes are cut off or too many")
    steps = np.frombuffer(planes, np.uint8).reshape(4, -1).T.copy().view("<u4")[:, 0]
    return np.cumsum(steps, dtype=np.uint64).astype(np.uint32)


def _texts(said: object) -> tuple[str, ...]:
    if not isinstance(said, list) or not all(isinstance(name, str) for name in said):
        raise TypeError("corpora and splits must be lists of texts")
    return tuple(printable(name) for name in said)
