"""What a model that `serval probe --save` made says of its making, for a model card."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from serval.wording import markdown_text, percent

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from serval.run import Run

__all__ = ["origin_lines"]

SCORES = {"uar": "UAR", "ccc": "mean CCC"}


def origin_lines(run: Run) -> list[str]:
    """Return encoder, layer, head, data and cross-validated scores in markdown; none of others."""
    said = run.provenance.model.get("made_of")
    if not said:
        return []
    facts = {
        "Encoder": _named(said, "encoder", "encoder_sha256"),
        "Licence of the encoder": said.get("license", ""),
        "Layer": said.get("layer", ""),
        "Weights of the layers": said.get("layer_weights", ""),
        "Pooling over time": said.get("pooling", ""),
        "Head": said.get("head", ""),
        "Trained on": _named(said, "data", "data_fingerprint"),
        "Folds": said.get("folds", ""),
        "Cross-validated": "; ".join(_scores(said.get("cross_validated", ""))),
    }
    lines = (f"- {name}: {markdown_text(value)}" for name, value in facts.items() if value)
    return ["### How it was made\n", *lines, ""]


def _named(said: Mapping[str, str], name: str, digest: str) -> str:
    return ", ".join(filter(None, (said.get(name, ""), said.get(digest, "")[:16])))


def _scores(text: str) -> Iterator[str]:
    """Yield the cross-validated scores in words; none of what is not as serval writes it."""
    try:
        found = json.loads(text)
        for key, title in SCORES.items():
            if key in found:
                yield _in_words(title, found[key], of_share=key == "uar")
        mean, deviation = found["mean_of_folds"], found["deviation_of_folds"]
        yield f"mean of the folds {mean:.4f}, standard deviation {deviation:.4f}"
    except (KeyError, TypeError, ValueError):
        return


def _in_words(title: str, score: Sequence[Any], *, of_share: bool) -> str:
    value, low, high = (float(number) for number in score)
    if of_share:
        shown = [percent(number, 1) for number in (value, low, high)]
    else:
        shown = [f"{number:.3f}" for number in (value, low, high)]
    return f"{title} {shown[0]} on speakers that the head never heard ({shown[1]} to {shown[2]})"
