"""The models that come with serval."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from serval.labels import EMOTIONS

__all__ = ["BUILTIN_MODELS", "BuiltinModel"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltinModel:
    """A model that is part of the package."""

    name: str
    what: str
    licence: str
    origin: str

    @property
    def path(self) -> Path:
        """Where the file is on this machine."""
        return Path(str(resources.files("serval"))) / "builtin" / "models" / f"{self.name}.onnx"


BUILTIN_MODELS = (
    BuiltinModel(
        name="serval-tiny",
        what=f"{', '.join(EMOTIONS)}; raw 16 kHz waveform, INT8, clips up to 30 s",
        licence="CC BY-NC-SA 4.0 (weights; see the model card beside the file)",
        origin="trained for serval on the SSI train split; encoder from Whisper tiny",
    ),
)
