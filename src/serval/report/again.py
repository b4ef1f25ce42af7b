"""A stored run -> what somebody needs to run it again."""

from __future__ import annotations

from dataclasses import fields
from shlex import quote
from typing import TYPE_CHECKING

from serval.options import EvalOptions, stored_options
from serval.results.verdict import data_name
from serval.wording import counted, three_digits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from serval.run import Run

__all__ = ["command_of", "facts_of"]

ALWAYS = ("model", "dataset")
NOT_WHAT = ("output", "fresh", "dev_mode", "plots", "value_columns")
"""Where and how to write, which is the reader's own affair, and what follows from other options."""


def command_of(run: Run) -> str:
    """Return the command that makes the run again, with every option that was not the default."""
    return " ".join(["serval evaluate", *_flags(stored_options(run))])


def facts_of(run: Run) -> list[tuple[str, str]]:
    """Return model, data, machine and command as titles and values; hashes whole."""
    model, data, platform = (
        run.provenance.model, run.provenance.dataset, run.provenance.platform
    )  # fmt: skip
    contract, size = model.get("contract", {}), model.get("size_bytes")
    facts = {
        "Command": command_of(run),
        "Limit": _limit(stored_options(run)),
        "Model": model["name"],
        "Model file": f"{three_digits(size / 1e6)} MB" if size else "",
        "Model sha256": model["sha256"],
        "Model input": f"{contract.get('sample_rate', '?')} Hz, "
        f"normalize {contract.get('normalize', '?')}",
        "Data": data_name(run),
        "Data revision": data.get("revision") or "",
        "Data fingerprint": data["fingerprint"],
        "Data licence": data.get("licence") or "",
        "Clips": f"{len(run):,} scored, {len(run.failures):,} failed, "
        f"{sum(run.dropped.values()):,} left out",
        "Audio": f"{run.duration_s.sum() / 60:.1f} minutes",
        "Started": run.started,
        "Took": f"{run.seconds:.0f} s",
        "Processor": f"{platform.get('processor', '?')}, {platform.get('cores', '?')} cores",
        "Software": ", ".join(f"{k} {v}" for k, v in platform.get("packages", {}).items()),
    }
    return [(name, str(value)) for name, value in facts.items() if value]


def _limit(options: EvalOptions) -> str:
    """Return which clips of the split were asked for."""
    said = []
    if options.sample:
        seed = f"seed {options.sample_seed}"
        said.append(f"a random sample of {counted(options.sample, 'clip')}, {seed}")
    if options.limit:
        said.append(f"the first {counted(options.limit, 'clip')}{' of it' if said else ''}")
    return ", ".join(said) or "none: every clip of the split"


def _flags(options: EvalOptions) -> Iterator[str]:
    for field in sorted(fields(EvalOptions), key=lambda field: field.name not in ALWAYS):
        value = getattr(options, field.name)
        if field.name in NOT_WHAT or (value == field.default and field.name not in ALWAYS):
            continue
        flag = f"--{field.name.replace('_', '-')}"
        yield flag if value is True else f"{flag} {quote(str(value))}"
