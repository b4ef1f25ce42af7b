"""A stored run -> the evaluation section of a model card, and the hub's metadata for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from huggingface_hub import EvalResult, ModelCard

from serval.errors import ConfigError
from serval.files import write_text
from serval.report.emotion_card import emotion_card
from serval.report.section import CardParts, hub_dataset, safe, section_of
from serval.report.set_card import set_card
from serval.report.value_card import value_card
from serval.tasks import CATEGORICAL, DIMENSIONAL, MULTILABEL
from serval.wording import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from huggingface_hub import ModelCardData

    from serval.run import Run
    from serval.tasks import Task

__all__ = ["card_text", "hub_dataset", "write_card"]

BEGIN, END = "<!-- serval: evaluation begins -->", "<!-- serval: evaluation ends -->"

LIBRARIES = {"onnxruntime": "onnx", "openvino": "openvino", "torch": "pytorch"}
"""What the hub calls the kind of a model's file, by the runtime; a Python object is of none."""

CARDS: Mapping[Task, Callable[[Run], CardParts]] = {
    CATEGORICAL: emotion_card,
    MULTILABEL: set_card,
    DIMENSIONAL: value_card,
}
"""What the task of a run decides of its card."""


def card_text(run: Run) -> str:
    """Return a new card for the model of a run: the hub's metadata and the evaluation section."""
    title = f"# {safe(run.name)}\n"
    return _filled(ModelCard(f"---\n{{}}\n---\n{title}"), run)


def write_card(run: Run, path: Path) -> tuple[Path, ...]:
    """Return the files that were written: the card, and the hub's results file for a hub set.

    Of a file that exists already only what stands between serval's own two markers is replaced, or
    added at the end where they are missing. Metadata of this very evaluation is replaced too where
    the file begins with the hub's metadata, which is written anew, without comments; one that does
    not is no card, and gets none. Line ends stay as they are.

    Raises:
        ConfigError: The card that is there has metadata that cannot be read.
    """
    text, line_end = _read(path)
    written = [write_text(path, _updated(text, path, run).replace("\n", line_end))]
    if (hub_id := hub_dataset(run)) and (entries := CARDS[run.provenance.task](run).entries):
        target = path.parent / ".eval_results" / f"{hub_id.replace('/', '--')}.yaml"
        written.append(write_text(target, entries))
    return tuple(written)


def _updated(text: str, path: Path, run: Run) -> str:
    """Return the text of the file at `path` with the evaluation in it."""
    if not text.strip():
        return card_text(run)
    if not text.lstrip().startswith("---"):
        return _with_section(text, section_of(run, CARDS[run.provenance.task](run)))
    return _filled(_parsed(text, path), run)


def _filled(card: ModelCard, run: Run) -> str:
    """Return the text of a card with the section and the metadata of a run."""
    parts = CARDS[run.provenance.task](run)
    card.text = _with_section(card.text, section_of(run, parts))
    _add_metadata(card, parts.results, run)
    return str(card)


def _read(path: Path) -> tuple[str, str]:
    """Return the text of a file, its lines ending in a line feed, and how they end in the file."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            text = file.read()
            return text, file.newlines if isinstance(file.newlines, str) else "\n"
    except FileNotFoundError:
        return "", "\n"
    except (OSError, UnicodeError) as error:
        raise ConfigError(
            f"{path} cannot be read as a card: {one_line(error)}; give another --output"
        ) from error


def _parsed(text: str, path: Path) -> ModelCard:
    try:
        return ModelCard(text)
    except ValueError as error:
        raise ConfigError(
            f"the metadata of {path} cannot be read: {one_line(error)}; "
            "mend it, or give another --output"
        ) from error


def _with_section(text: str, section: str) -> str:
    """Return the card's text with the section in the place of an earlier one, or at its end."""
    block = f"{BEGIN}\n{section}\n{END}"
    before, begun, rest = text.partition(BEGIN)
    _, ended, after = rest.partition(END)
    if begun and ended:
        return f"{before}{block}{after}"
    return f"{text.rstrip()}\n\n{block}\n"


def _add_metadata(card: ModelCard, results: Sequence[EvalResult], run: Run) -> None:
    """Set what the card leaves open, and replace earlier results of the same evaluation."""
    data = cast("ModelCardData", card.data)
    new = {result.unique_identifier for result in results}
    kept = [old for old in data.eval_results or [] if old.unique_identifier not in new]
    data.eval_results = [*kept, *results]
    data.model_name = data.model_name or run.name
    data.pipeline_tag = data.pipeline_tag or "audio-classification"
    runtime = run.provenance.model.get("runtime", {}).get("name", "onnxruntime")
    data.library_name = data.library_name or LIBRARIES.get(runtime)
    data.tags = list(dict.fromkeys([*(data.tags or []), "speech-emotion-recognition"]))
    if (hub_id := hub_dataset(run)) and not data.datasets:
        data.datasets = [hub_id]
