"""A checkpoint of transformers -> an ONNX file that serval can evaluate, checked against torch.

Needs torch, transformers and onnxscript (extra: export).
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from serval.errors import MissingExtraError
from serval.export.options import Exported, ExportOptions, Parity

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from serval.models.contract import Overrides

__all__ = [
    "ExportOptions",
    "Exported",
    "Parity",
    "export_checkpoint",
    "export_levels",
    "refuse_missing",
]

EXTRA = ("torch", "transformers", "onnxscript")


def export_checkpoint(
    checkpoint: str, output: Path, options: ExportOptions | None = None
) -> Exported:
    """Return the ONNX file of a checkpoint, written to `output` once it agrees with torch.

    Args:
        checkpoint: A folder in hub layout, or `hf:ORG/NAME`.
        output: The .onnx file; weights of 2 GB and more go into a second file beside it.
        options: Which part of it to export, and how.

    Raises:
        MissingExtraError: torch, transformers or onnxscript is not installed.
        ConfigError: An option does not fit the checkpoint.
        ModelError: The checkpoint is not an audio classifier that can be exported, or the file
            that came out does not agree with it.
    """
    refuse_missing()
    from serval.export.flow import exported

    return exported(checkpoint, output, options or ExportOptions())


def export_levels(
    checkpoint: str, overrides: Overrides, levels: Mapping[int, str], output: Path
) -> Path:
    """Return `output` after writing the graph of an encoder, its hidden levels as outputs.

    Args:
        checkpoint: A folder in hub layout, or `hf:ORG/NAME`.
        overrides: What the user states of it.
        levels: Number of each level -> the name of its output, `(B, frames, F)`.
        output: The .onnx file, without metadata.

    Raises:
        MissingExtraError: torch, transformers or onnxscript is not installed.
        ModelError: It is no encoder whose levels are read, or torch cannot make a graph of it.
    """
    refuse_missing()
    from serval.export.flow import exported_levels

    return exported_levels(checkpoint, overrides, levels, output)


def refuse_missing() -> None:
    """Refuse to export where torch, transformers or onnxscript is not installed."""
    missing = [name for name in EXTRA if find_spec(name) is None]
    if missing:
        raise MissingExtraError(
            f"export needs {', '.join(missing)}: pip install 'serval-ser[export]'"
        )
