"""The sets that can be named in one word: a further one is a further entry."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from serval.labels import EMOTIONS

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["KnownDataset", "built_in", "known_datasets"]

SSI_CODES = dict(
    zip(("ANG", "CAL", "DIS", "FEA", "HAP", "NEU", "SAD", "SUR"), EMOTIONS, strict=True)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownDataset:
    """A set with a name of its own, and one line of `serval datasets`.

    Attributes:
        name: What to write after `--dataset`.
        what: What is in it, and what a score on it does not mean.
        clips: Number of clips in the split that is read by default.
        labels: The labels as the set writes them.
        licence: Of the audio, where its card does not say.
        source: Where it comes from.
        location: `hf:ORG/NAME`, or `builtin` for what `serval/builtin/NAME` holds.
        caveats: One sentence each on what a score on this set does not mean.
        label_map: What the set's own codes mean.
    """

    name: str
    what: str
    clips: int
    labels: tuple[str, ...]
    licence: str
    source: str
    location: str
    caveats: tuple[str, ...] = ()
    label_map: Mapping[str, str] = field(default_factory=dict)


def known_datasets() -> tuple[KnownDataset, ...]:
    """Return the sets that have a name of their own."""
    return (
        KnownDataset(
            name="demo",
            what="synthetic English speech, 8 emotions x 8 voices: a trial, not a benchmark",
            clips=64,
            labels=EMOTIONS,
            licence="Apache-2.0",
            source="built in",
            location="builtin",
            caveats=(
                (
                    "the demo clips are synthetic speech with prosody set by rules; "
                    "a score on them says nothing about people"
                ),
            ),
        ),
        KnownDataset(
            name="ssi",
            what="acted English speech of four corpora; its speakers are in its train split too",
            clips=1999,
            labels=tuple(SSI_CODES),
            licence="as of its corpora; see the set's page",
            source="https://huggingface.co/datasets/stapesai/ssi-speech-emotion-recognition",
            location="hf:stapesai/ssi-speech-emotion-recognition",
            caveats=(
                (
                    "the speakers of validation also occur in train: the score of a model trained "
                    "on this set says nothing about new speakers"
                ),
                "the emotions are acted: a score says little about spontaneous speech",
            ),
            label_map=SSI_CODES,
        ),
    )


def built_in(dataset: KnownDataset) -> Path:
    """Return the manifest of a set that is part of the package."""
    return Path(str(files("serval") / "builtin" / dataset.name / "manifest.csv"))
