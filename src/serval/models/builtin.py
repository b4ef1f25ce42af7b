"""The models that come with serval, and the way from a name to an opened model."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from serval.errors import ModelError
from serval.labels import EMOTIONS
from serval.models.onnx import OnnxModel, load_onnx

if TYPE_CHECKING:
    from serval.models.contract import Overrides

__all__ = ["BUILTIN_MODELS", "BuiltinModel", "load_model", "model_path"]


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


def model_path(name: str) -> Path:
    """Return the file that a model name means: a built-in name, a path, or `hf:ORG/NAME/FILE`.

    Raises:
        ModelError: There is no such file, or the hub cannot give it.
    """
    if name.startswith("hf:"):
        from serval.models.hub import hub_model  # its client takes a while to load

        return hub_model(name)
    builtin = {model.name: model.path for model in BUILTIN_MODELS}
    path = builtin.get(name, Path(name).expanduser())
    if not path.is_file():
        raise ModelError(
            f"no model '{name}': neither a file nor built in; built in: {', '.join(builtin)}; "
            "one of the hub is hf:ORG/NAME/FILE.onnx"
        )
    return path


def load_model(name: str, overrides: Overrides | None = None) -> OnnxModel:
    """Return the model of that name or path, opened, with its contract.

    Raises:
        ModelError: There is no such model, or it does not keep its contract.
    """
    return load_onnx(model_path(name), overrides)
