"""The published set: acted English speech of four corpora under one set of codes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from serval.datasets.hub import load_hub
from serval.datasets.hub_listing import HubSet
from serval.datasets.local import Known

if TYPE_CHECKING:
    from serval.datasets.options import DatasetOptions
    from serval.records import Dataset

__all__ = ["load_ssi"]

REPO = "stapesai/ssi-speech-emotion-recognition"

LABELS = {
    "ANG": "angry",
    "CAL": "calm",
    "DIS": "disgust",
    "FEA": "fearful",
    "HAP": "happy",
    "NEU": "neutral",
    "SAD": "sad",
    "SUR": "surprised",
}

SHARED = (
    "the speakers of validation also occur in train: "
    "the score of a model trained on this set says nothing about new speakers"
)
ACTED = "the emotions are acted: a score says little about spontaneous speech"


def load_ssi(options: DatasetOptions) -> Dataset:
    """Return the set `stapesai/ssi-speech-emotion-recognition` of the hub."""
    known = Known(name="ssi", location=REPO, caveats=(SHARED, ACTED), label_map=LABELS)
    return load_hub(HubSet(repo=REPO, revision=options.revision), options, known)
