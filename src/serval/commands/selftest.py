"""What `serval evaluate` says of the built-in set: a self-test, beside a result on real speech."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from serval.commands.tables import print_findings, print_run
from serval.models.load import BUILTIN_MODELS
from serval.results import results_document
from serval.results.domain_shift import label_space_part
from serval.run import load_run
from serval.scores import scores_of
from serval.wording import percent

if TYPE_CHECKING:
    from collections.abc import Mapping

    from serval.commands.terminal import Terminal
    from serval.evaluation import Evaluation

EXAMPLE = "example:int8"


def _setup(model: Mapping[str, Any]) -> list[Any]:
    contract = {part: value for part, value in model["contract"].items() if part != "sources"}
    return [contract, model.get("window"), model.get("runtime")]


def print_self_test(console: Terminal, evaluation: Evaluation) -> None:
    """Print whether everything works; of the built-in model also how good it is on real speech."""
    run, document = evaluation.run, evaluation.document
    n = len(run) + len(run.failures)
    rate = f"{n / run.seconds:.0f} clips/s, " if run.seconds else ""
    console.print(
        f"Self-test: {len(run)} of {n} clips decoded and answered, {rate}"
        f"{len(evaluation.files)} files written.",
        style="bold",
    )
    for failure in run.failures[:3]:
        console.print(f"  {failure.clip_id}: {failure.stage}: {failure.reason}")
    accuracy = percent(document["scores"]["overall"]["wa"]["value"])
    console.print(
        f"The demo set is synthetic speech, and no benchmark: accuracy {accuracy} there says "
        "nothing about people.",
        style="dim",
    )
    if document["model"]["path"] in {str(model.path) for model in BUILTIN_MODELS}:
        _print_example(console, document["model"])


def _print_example(console: Terminal, model: Mapping[str, Any]) -> None:
    """Print the stored run, unless it was made with other settings than the model has here."""
    run = load_run(EXAMPLE)
    if _setup(model) != _setup(run.provenance.model):
        return
    document = results_document(run, scores_of(run))
    document["label_space"] = label_space_part(run, restrict=False)
    console.print(
        f"\nOn real voices: a stored run of the same model on {len(run):,} clips of acted speech."
    )
    print_run(console, document)
    print_findings(console, document, ())
    console.print(
        f"Repeat it offline: serval score {EXAMPLE}; against its FP32 original: "
        f"serval compare example:fp32 {EXAMPLE}\n"
    )
