"""The sets that can be named in one word, for `serval datasets`."""

from __future__ import annotations

from dataclasses import dataclass

from serval.labels import EMOTIONS

__all__ = ["KnownDataset", "known_datasets"]


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownDataset:
    """One line of `serval datasets`.

    Attributes:
        name: What to write after `--dataset`.
        what: What is in it, and what a score on it does not mean.
        clips: Number of clips in the split that is read by default.
        labels: The labels as the set writes them.
        licence: Of the audio.
        source: Where it comes from.
    """

    name: str
    what: str
    clips: int
    labels: tuple[str, ...]
    licence: str
    source: str


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
        ),
        KnownDataset(
            name="ssi",
            what="acted English speech of four corpora; its speakers are in its train split too",
            clips=1999,
            labels=("ANG", "CAL", "DIS", "FEA", "HAP", "NEU", "SAD", "SUR"),
            licence="as of its corpora; see the set's page",
            source="https://huggingface.co/datasets/stapesai/ssi-speech-emotion-recognition",
        ),
    )
