"""How a run's labels were matched with the model's, and what it does to its scores, in words."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from serval.labels import PRESETS
from serval.results.verdict import in_words
from serval.scores import METRICS
from serval.scores.label_space import FullSet, Restricted, full_set_of, restricted_of
from serval.wording import counted, printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from serval.labels import Preset
    from serval.run import Run
    from serval.scores.stats import Interval

__all__ = ["label_space_part"]


def label_space_part(run: Run, *, restrict: bool) -> dict[str, Any]:
    """Return the part `label_space` of `results.json`: policy, full set, restricted answers.

    Args:
        run: Stored.
        restrict: Whether to score restricted answers.
    """
    full = full_set_of(run) if len(run) else None
    within = restricted_of(run) if len(run) and restrict else None
    preset = _preset(run)
    said = [
        *([preset.policy] if preset else []),
        *(_full_sentences(full, len(run), by_preset=preset is not None) if full else ()),
        *([_restricted_sentence(within, len(run))] if within else []),
    ]
    if restrict and len(run) and within is None:
        said.append("The set has every label of the model: --restrict changes nothing.")
    return {
        "preset": preset.name if preset else None,
        "full_set": full and asdict(full),
        "restricted": within and asdict(within),
        "sentences": said,
    }


def _preset(run: Run) -> Preset | None:
    """Return the preset that a run's labels went by, if it is one of those that there are now."""
    stored = run.provenance.identity.get("label preset")
    name = stored.get("name") if isinstance(stored, dict) else None
    return PRESETS.get(name) if isinstance(name, str) else None


def _full_sentences(full: FullSet, scored: int, *, by_preset: bool) -> Iterator[str]:
    parts = [f"{printable(raw)} ({n:,})" for raw, n in full.unknown.items()]
    why = "the preset leaves out or the model does not know" if by_preset else "it does not know"
    missing = [f"{sum(full.unknown.values()):,} of labels that {why}: {', '.join(parts)}"]
    missing = missing if parts else []
    missing += [f"{full.failed:,} that failed"] if full.failed else []
    yield (
        f"Fair subset: every other score is of the {counted(scored, 'clip')} that the model "
        "answered and has a label for."
    )
    yield (
        f"Full set: with the further clips as errors ({'; '.join(missing)}), of "
        f"{counted(full.n, 'clip')} and {counted(full.classes, 'label')}: {_in_a_row(full.scores)}."
    )


def _restricted_sentence(within: Restricted, scored: int) -> str:
    return (
        f"Restricted to the {counted(len(within.labels), 'label')} that model and set both know "
        f"({', '.join(within.labels)}), which changes {within.changed:,} of {scored:,} answers: "
        f"{_in_a_row(within.scores)}."
    )


def _in_a_row(scores: Mapping[str, Interval]) -> str:
    return ", ".join(f"{METRICS[name].title} {in_words(score)}" for name, score in scores.items())
