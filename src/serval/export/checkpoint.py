"""The checkpoint to export: opened as `serval evaluate` opens it, with only the layers wanted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from serval import checkpoints
from serval.checkpoints.check import head_check, refuse_fresh
from serval.errors import ConfigError, ModelError
from serval.models.hub import HUB_PREFIX, hub_checkpoint

if TYPE_CHECKING:
    from serval.checkpoints.checkpoint import Checkpoint
    from serval.export.options import ExportOptions

__all__ = ["open_checkpoint"]


def open_checkpoint(name: str, options: ExportOptions) -> Checkpoint:
    """Return the checkpoint called `name`, with only the layers that are wanted.

    Raises:
        ConfigError: There are not as many layers.
        ModelError: It is not there, not an audio classifier, or has no trained classifier.
    """
    folder, revision = _folder(name, options.revision)
    checkpoint = checkpoints.open_checkpoint(
        folder, name, normalize=options.normalize, revision=revision
    )
    refuse_fresh(head_check(checkpoint), name)
    source = name if name.startswith(HUB_PREFIX) else folder.resolve().name
    kept = checkpoint.layers if options.layers is None else options.layers
    _keep_layers(checkpoint.model, kept, checkpoint.layers, name)
    return replace(checkpoint, source=source, layers=kept)


def _folder(name: str, revision: str | None) -> tuple[Path, str]:
    if name.startswith(HUB_PREFIX):
        return hub_checkpoint(name, revision)
    if revision:
        raise ConfigError(
            f"--revision {revision}: checkpoint '{name}' is a folder, which has one state only; "
            f"leave the option out, or name a checkpoint of the hub, {HUB_PREFIX}ORG/NAME"
        )
    return Path(name).expanduser(), ""


def _keep_layers(model: Any, kept: int, before: int, name: str) -> None:  # noqa: ANN401 - transformers' own class for each family
    """Cut the stack of transformer layers after the first `kept` ones."""
    if not 1 <= kept <= before:
        raise ConfigError(f"--layers {kept}: checkpoint '{name}' has {before}; give 1 to {before}")
    if kept == before:
        return
    stacks = [
        (module, child)
        for module in model.modules()
        for child in ("layers", "layer")
        if _is_stack(getattr(module, child, None), before)
    ]
    if len(stacks) != 1:
        raise ModelError(
            f"checkpoint '{name}': found {len(stacks)} stacks of {before} transformer layers, "
            "expected one; export it without --layers"
        )
    owner, child = stacks[0]
    setattr(owner, child, getattr(owner, child)[:kept])
    model.config.num_hidden_layers = kept
    if getattr(model, "layer_weights", None) is not None:
        model.layer_weights.data = model.layer_weights.data[: kept + 1]


def _is_stack(child: object, length: int) -> bool:
    return type(child).__name__ == "ModuleList" and len(child) == length  # type: ignore[arg-type]
