"""The hidden levels of an encoder in torch as the outputs of an ONNX graph."""

from __future__ import annotations

from typing import TYPE_CHECKING

from serval.checkpoints.hidden import HiddenStates
from serval.checkpoints.quiet import quiet
from serval.export.flow import save_program
from serval.export.network import fold_weight_norms, onnx_program
from serval.models.torch import open_encoder

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from serval.models.contract import Overrides

__all__ = ["exported_levels"]


def exported_levels(
    checkpoint: str, overrides: Overrides, levels: Mapping[int, str], output: Path
) -> Path:
    """Return `output` after writing the graph; see `serval.export.export_levels`."""
    with quiet():
        opened = open_encoder(checkpoint, overrides)
        fold_weight_norms(opened.model)
        program = onnx_program(
            HiddenStates(opened, list(levels)).eval(),
            masked=False,
            sample_rate=opened.sample_rate,
            outputs=list(levels.values()),
        )
        save_program(program.model, output, {})
    return output
