"""From the name of a checkpoint to the classifier in torch, whole and trained."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any

import transformers
from safetensors import SafetensorError
from transformers.models.auto.modeling_auto import MODEL_FOR_AUDIO_CLASSIFICATION_MAPPING_NAMES
from yaml import YAMLError

from serval.errors import ConfigError, ModelError
from serval.models.contract import HUB_FILES, hub_file
from serval.models.hub import HUB_PREFIX, hub_folder
from serval.wording import one_line

if TYPE_CHECKING:
    from torch import nn

    from serval.export.options import ExportOptions

__all__ = ["Checkpoint", "open_checkpoint"]

WANTED = ("*.json", "*.safetensors", "README.md")
OLD_WEIGHTS = "pytorch_model*.bin"
"""What is fetched where there is no safetensors file: many checkpoints have the weights twice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A classifier as transformers loads it.

    Attributes:
        model: The classifier, in evaluation mode and FP32.
        extractor: Its feature extractor.
        source: The folder's name, or `hf:ORG/NAME`.
        revision: The commit of a hub checkpoint, else `""`.
        licence: As its card says, else `""`.
        layers: Transformer layers that are kept.
        layers_before: Transformer layers that the checkpoint has.
    """

    model: nn.Module
    extractor: Any
    source: str
    revision: str
    licence: str
    layers: int
    layers_before: int

    @property
    def family(self) -> str:
        """The model type, as transformers calls it."""
        return str(self.model.config.model_type)

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels, in the order of the outputs."""
        names = self.model.config.id2label
        return tuple(str(names[index]) for index in sorted(names))

    @property
    def sample_rate(self) -> int:
        """The sample rate in Hz."""
        return int(self.extractor.sampling_rate)


def open_checkpoint(name: str, options: ExportOptions) -> Checkpoint:
    """Return the checkpoint called `name`, with only the layers that are wanted.

    Raises:
        ConfigError: There are not as many layers.
        ModelError: It is not there, not an audio classifier, or has no trained classifier.
    """
    folder, revision = _folder(name, options.revision)
    for file in (folder / own for own in HUB_FILES):
        if file.is_file():
            hub_file(file)
    config = _config(name, folder)
    extractor = _extractor(name, folder, config, options)
    model = _trained_model(name, folder)
    before = int(config.num_hidden_layers)
    kept = before if options.layers is None else options.layers
    _keep_layers(model, kept, before, name)
    return Checkpoint(
        model=model.eval(),
        extractor=extractor,
        source=name if name.startswith(HUB_PREFIX) else folder.resolve().name,
        revision=revision,
        licence=_licence(folder / "README.md"),
        layers=kept,
        layers_before=before,
    )


def _folder(name: str, revision: str | None) -> tuple[Path, str]:
    if name.startswith(HUB_PREFIX):
        folder, commit = hub_folder(name, revision, WANTED)
        if any(folder.glob("model*.safetensors")):
            return folder, commit
        return hub_folder(name, commit, (*WANTED, OLD_WEIGHTS))
    folder = Path(name).expanduser()
    if revision:
        raise ConfigError(
            f"--revision {revision}: checkpoint '{name}' is a folder, which has one state only; "
            f"leave the option out, or name a checkpoint of the hub, {HUB_PREFIX}ORG/NAME"
        )
    if not (folder / "config.json").is_file():
        raise ModelError(
            f"checkpoint '{name}' is not a folder with a config.json; "
            f"give a folder in hub layout, or {HUB_PREFIX}ORG/NAME"
        )
    return folder, ""


def _config(name: str, folder: Path) -> Any:  # noqa: ANN401 - transformers' own class for each family
    try:
        config = transformers.AutoConfig.from_pretrained(folder, trust_remote_code=False)
    except Exception as error:  # transformers raises whatever the file makes it stumble over
        raise ModelError(f"checkpoint '{name}': its config.json: {_why(error)}") from error
    families = MODEL_FOR_AUDIO_CLASSIFICATION_MAPPING_NAMES
    if config.model_type not in families:
        raise ModelError(
            f"checkpoint '{name}' is of type '{config.model_type}', which transformers "
            f"{transformers.__version__} has no audio classifier for; it has one for "
            f"{', '.join(sorted(families))}"
        )
    if config.num_labels < 2 or config.problem_type == "regression":
        raise ModelError(
            f"checkpoint '{name}' is a regression with {config.num_labels} outputs; "
            "serval exports classifiers, with two labels or more"
        )
    return config


def _extractor(name: str, folder: Path, config: Any, options: ExportOptions) -> Any:  # noqa: ANN401 - transformers' own class for each family
    if (folder / "preprocessor_config.json").is_file():
        if options.normalize:
            raise ConfigError(
                f"--normalize {options.normalize}: checkpoint '{name}' states its own "
                "normalisation in preprocessor_config.json; leave the option out"
            )
        try:
            return transformers.AutoFeatureExtractor.from_pretrained(
                folder, trust_remote_code=False
            )
        except Exception as error:
            raise ModelError(
                f"checkpoint '{name}': its preprocessor_config.json is not that of a feature "
                f"extractor for audio: {_why(error, 120)}"
            ) from error
    if options.normalize and hasattr(config, "conv_stride"):
        zscore = options.normalize == "zscore"
        return transformers.Wav2Vec2FeatureExtractor(do_normalize=zscore)
    raise ModelError(
        f"checkpoint '{name}' has no preprocessor_config.json, so its normalisation is not known; "
        "copy the file from the checkpoint that it was trained from, or state --normalize"
    )


def _trained_model(name: str, folder: Path) -> Any:  # noqa: ANN401 - transformers' own class for each family
    try:
        model, loaded = transformers.AutoModelForAudioClassification.from_pretrained(
            folder,
            trust_remote_code=False,
            output_loading_info=True,
            attn_implementation="eager",
            dtype="float32",
        )
    except (SafetensorError, UnpicklingError, EOFError, KeyError) as error:
        raise ModelError(
            f"checkpoint '{name}': its weights cannot be read ({_why(error, 120)}); the file "
            "is cut off, or only the pointer of git-lfs: download it again"
        ) from error
    except Exception as error:
        raise ModelError(f"checkpoint '{name}': {_why(error)}") from error
    if loaded["missing_keys"]:
        raise ModelError(_untrained(name, loaded))
    return model


def _untrained(name: str, loaded: Any) -> str:  # noqa: ANN401 - a dict of sets
    def some(keys: str) -> str:
        names = sorted(loaded[keys])
        return f"{', '.join(names[:4])}{' ...' if len(names) > 4 else ''}" or "none"

    return (
        f"checkpoint '{name}' lacks trained weights for {some('missing_keys')}, which would be "
        f"random; it has others that are not used: {some('unexpected_keys')}; "
        "save it again with the class that trained it, under the names of transformers"
    )


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


def _licence(card: Path) -> str:
    from huggingface_hub import ModelCard

    if not card.is_file():
        return ""
    try:
        data = ModelCard.load(card, ignore_metadata_errors=True).data
    except (ValueError, YAMLError, RecursionError):
        return ""
    stated = data.to_dict().get("license")
    names = stated if isinstance(stated, list) else [stated]
    return ", ".join(str(name) for name in names if name)


def _why(error: Exception, longest: int = 400) -> str:
    """Return what transformers stumbled over, but not its advice to run code of the checkpoint."""
    said = one_line(error) or type(error).__name__
    if "trust_remote_code" in said:
        return (
            "it is read by Python code of its own, which serval never runs; save it again with a "
            "class of transformers"
        )
    return said[:longest]
