"""A stress test -> a section of a report: what each perturbation did, and clips to hear it on."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from serval.errors import ConfigError, ServalError
from serval.report.charts import BOUNDS, CLIPS, RUN, Chart, Column
from serval.report.sound import PageSound, not_the_file, sound_of_samples
from serval.results.verdict import data_name
from serval.stress import examples_of, findings_of, stress_document
from serval.stress.table import kinds_of
from serval.wording import counted, percent, span

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from serval.run import Run
    from serval.stress import Example, StressRuns

NAME = Column(key="label", title="perturbation")
FAMILY = Column(key="label", title="family")
CHANGE = (
    Column(key="change", title="change of UAR, points", kind="points"),
    Column(key="change_low", title="95 % from", kind="points"),
    Column(key="change_high", title="to", kind="points"),
)
HOLLOW = " Hollow dots were stopped: they are of fewer clips than the dashed line."


@dataclass(frozen=True, slots=True, kw_only=True)
class Stressed:
    """What a report shows of a stress test.

    Attributes:
        charts: Families, every perturbation, then UAR over the level of each kind of stress.
        examples: Clips that were right when clean, in plain JSON types; `clean` and `perturbed`
            are keys of `sounds`.
        sounds: What can be heard.
        notes: One sentence on each thing that is missing.
        lead: What was tested on which clips.
    """

    charts: tuple[Chart, ...]
    examples: tuple[dict[str, Any], ...]
    sounds: dict[str, PageSound]
    notes: tuple[str, ...] = ()
    lead: str = ""


def refuse_other_model(stress: StressRuns, run: Run) -> None:
    """Raise unless a stress test is of the model of a run."""
    if not run.same_model(stress.clean):
        raise ConfigError(
            f"the stress test in {stress.folder} is of another model than {run.folder}; "
            "give the test of the same model file"
        )


def lead_of(stress: StressRuns, run: Run, name: str) -> str:
    """Return what was tested on which clips, and whether these are those of the run `name`."""
    clean = stress.clean
    clips = f"{counted(len(clean), 'clip')} of {data_name(clean)}"
    data = (each.provenance.dataset.get("fingerprint") for each in (clean, run))
    same = len(set(data)) == 1 and set(clean.clip_ids) == set(run.clip_ids)
    other = "" if same else f" These are not the {counted(len(run), 'clip')} of the run itself."
    return f"The model of {name} on {clips} with noise, rooms, codecs and other changes.{other}"


def stressed(stress: StressRuns, name: str, *, audio: bool) -> Stressed:
    """Return what a stress test adds to the report of a run.

    Where the dataset or the model is out of reach, as on another machine, there is nothing to
    hear, and a note says why.

    Args:
        stress: From `serval.stress.load_stress`.
        name: What the report calls the run of that model.
        audio: Whether examples can be heard.

    Raises:
        ConfigError: It has no finished perturbation.
    """
    document = stress_document(findings_of(stress))
    charts = (_families(document, name), _cases(document, name), *_curves(document, name))
    sounds: dict[str, PageSound] = {}
    examples: list[dict[str, Any]] = []
    notes: tuple[str, ...] = ()
    try:
        if audio:
            found = list(examples_of(stress))
            examples.extend(_example(one, sounds) for one in found if one is not None)
            notes = not_the_file(found.count(None))
    except ServalError as error:
        notes = (f"No perturbed clips beyond this point: {error}.",)
    return Stressed(charts=charts, examples=tuple(examples), sounds=sounds, notes=notes)


def _example(example: Example, sounds: dict[str, PageSound]) -> dict[str, Any]:
    """Return one example after adding its two sounds."""
    keys = []
    for samples in (example.clean, example.perturbed):
        sound = sound_of_samples(samples, example.sample_rate)
        keys.append(hashlib.sha256(sound.ogg).hexdigest())
        sounds[keys[-1]] = sound
    rate = example.sample_rate
    return {
        "case": example.case,
        "clip": example.clip_id,
        "truth": example.truth,
        "heard": [
            {"as": example.clean_label, "sure": round(example.clean_confidence, 4),
             "sound": keys[0], "seconds": round(len(example.clean) / rate, 3)},
            {"as": example.label, "sure": round(example.confidence, 4),
             "sound": keys[1], "seconds": round(len(example.perturbed) / rate, 3)},
        ],
    }  # fmt: skip


def _curves(document: Mapping[str, Any], name: str) -> Iterator[Chart]:
    """Yield a curve for each kind of perturbation that comes in several levels."""
    for kind, cases in kinds_of(document).items():
        unit = cases[0]["unit"] or ""
        yield Chart(
            id=f"stress-{kind}",
            kind="degradation",
            title=f"UAR, {cases[0]['family']}: {kind.replace('_', ' ')}",
            note="Lines are 95 % intervals; the dashed line is the clean speech."
            f"{HOLLOW * any('stopped_after' in case for case in cases)}",
            columns=(RUN, Column(key="level", title=f"level, {unit}".rstrip(", "), kind="number"),
                     *BOUNDS, CLIPS),
            rows=[{"run": name, "level": case["level"], **case["uar"],
                   "clips": case.get("stopped_after", document["clips"]),
                   "few": "stopped_after" in case} for case in cases],
            reference=document["clean"]["uar"]["value"],
        )  # fmt: skip


def _families(document: Mapping[str, Any], name: str) -> Chart:
    rows = [
        {"run": name, "label": family, "clips": found["cases"], **found["unchanged"],
         **_changed(found["change"]["uar"])}
        for family, found in document["families"].items()
        if found["unchanged"]["value"] is not None
    ]  # fmt: skip
    return Chart(
        id="stress-families",
        kind="intervals",
        title="Answers that stay the same, by family",
        note="The mean share of clips that get the answer that they got when clean, with 95 % "
        "intervals.",
        columns=(RUN, FAMILY, Column(key="clips", title="perturbations", kind="count"), *BOUNDS,
                 *CHANGE),
        rows=rows,
        wide=True,
    )  # fmt: skip


def _cases(document: Mapping[str, Any], name: str) -> Chart:
    rows = [
        {
            "run": name,
            "label": case_name,
            **case["uar"],
            **_changed(case["change"]["uar"]),
            "unchanged": case["unchanged"]["value"],
            "outcome": _outcome(case),
            "clips": case.get("stopped_after", document["clips"]),
        }
        for case_name, case in document["cases"].items()
    ]
    return Chart(
        id="stress-cases",
        kind="table",
        title="Every perturbation",
        note="UAR under it, the change on the same clips, and whether the threshold that the field "
        "has published is kept; not sure: the interval reaches over it. "
        f"{_stopped(document)}{_random_model(document)}",
        columns=(NAME, *BOUNDS, *CHANGE,
                 Column(key="unchanged", title="same answer", kind="share"),
                 Column(key="outcome", title="threshold"), CLIPS),
        rows=rows,
        wide=True,
    )  # fmt: skip


def _outcome(case: Mapping[str, Any]) -> str:
    if case["rule"] is None:
        return "none published"
    if case["outcome"] == "cannot tell":
        return f"cannot tell{', since clips newly fail' * case['lost']}"
    kept = "kept" if case["outcome"] == "pass" else "not kept"
    return kept if case["sure"] else f"{kept}, not sure"


def _stopped(document: Mapping[str, Any]) -> str:
    """Return why some perturbations have fewer clips, where some have."""
    if not any("stopped_after" in case for case in document["cases"].values()):
        return ""
    return (
        "Those with fewer clips were stopped when their verdict was sure, or a milder level had "
        "surely failed; they are in no mean over a family. "
    )


def _random_model(document: Mapping[str, Any]) -> str:
    """Return what a random model has in each column of the table."""
    random = document["random"]
    change = random["change"]["uar"]
    return (
        f"A random model has a UAR of {percent(random['uar']['value'], 1)}, which changes by "
        f"{span(change['low'], change['high'])} points, and gives "
        f"{percent(random['unchanged']['value'], 1)} of the clips the same answer."
    )


def _changed(change: Mapping[str, float | None]) -> dict[str, float | None]:
    return {
        "change": change["value"],
        "change_low": change["low"],
        "change_high": change["high"],
    }
