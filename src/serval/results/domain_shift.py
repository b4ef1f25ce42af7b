"""Where a set is not the model's own: what is known of how it differs, each with its number.

Nothing here says why a model fails. It says what of labels, answers and sound is unlike what the
model was trained or calibrated on, as far as its file and the run know.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from serval.labels import PRESETS
from serval.results.document import corpus_names
from serval.results.verdict import in_words
from serval.scores import METRICS
from serval.scores.label_space import FullSet, Restricted, full_set_of, restricted_of
from serval.trained_on import HEARD, SOUND_NAMES, Training, corpora_of, training_of
from serval.wording import as_sentence, counted, percent, printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from serval.labels import Preset
    from serval.run import Run
    from serval.scores.stats import Interval

    Floats = NDArray[np.float64]


SOUNDS: Mapping[str, tuple[str, str, float]] = {
    "duration_s": ("Duration", "s", 1.0),
    "level_db": ("Loudness (root mean square of full scale)", "dB", 1.0),
    "bandwidth_hz": ("Bandwidth (within 60 dB of the loudest frequency)", "kHz", 1e-3),
}
"""Title, unit, and what a number is multiplied by for people."""

LARGEST = 1e9
"""No number of a clip's sound is larger: a stored run may say anything."""

MOST_RATES = 4
"""Sample rates that a sentence names, the most frequent first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Against:
    """One number of the clips beside that of the model's own; percentiles 5, 50 and 95.

    Attributes:
        name: Of `SOUND_NAMES`.
        here: Of these clips.
        own: Of the model's, or `None` where its file does not say.
        below: Share of these clips below the model's 5th percentile, in [0, 1].
        above: Share above its 95th.
    """

    name: str
    here: tuple[float, float, float]
    own: tuple[float, float, float] | None
    below: float
    above: float


def domain_shift_part(run: Run) -> dict[str, Any]:
    """Return the part `domain_shift` of `results.json`.

    It has sentences unless the model says that it was trained on these clips or on others of this
    corpus.
    """
    corpora = corpora_of(run.provenance.model.get("trained_on"))
    heard = sum(HEARD in notes for notes in run.notes)
    training = training_of(corpora, heard, corpus_names(run))
    if not len(run) or training in ("these clips", "this corpus"):
        return {"trained_on": training, "sentences": []}
    mass, sounds = _mass(run), _sounds(run)
    return {
        "trained_on": training,
        "mass": mass,
        "source_rates": _rates(run),
        "sound": [
            {"name": s.name, "here": s.here, "own": s.own, "below": s.below, "above": s.above}
            for s in sounds
        ],
        "own_clips": _own_clips(run),
        "sentences": [
            _corpus_sentence(training, corpora),
            *_label_sentences(run, mass),
            _mass_sentence(mass),
            *_sound_sentences(run, sounds),
        ],
    }


def _corpus_sentence(training: Training, corpora: list[str] | None) -> str:
    if training == "unknown" or not corpora:
        return "Nothing says what the model was trained on."
    named = printable(", ".join(corpora))
    return f"The model says that it was trained on {named}, which this set is not known to be of."


def _mass(run: Run) -> dict[str, dict[str, float]]:
    """Return the share of all probability, and of the clips, that each label has."""
    probs = run.probs.astype(np.float64)
    share = probs.sum(axis=0) / max(float(probs.sum()), 1e-12)
    truth = np.bincount(run.truth, minlength=len(run.labels)) / len(run)
    return {
        label: {"predicted": float(p), "clips": float(t)}
        for label, p, t in zip(run.labels, share, truth, strict=True)
    }


def _label_sentences(run: Run, mass: Mapping[str, Mapping[str, float]]) -> Iterator[str]:
    absent = [label for label in mass if label not in run.true_labels]
    if absent:
        share = sum(mass[label]["predicted"] for label in absent)
        yield (
            f"Labels of the model that no clip of the set has: {', '.join(absent)}; "
            f"{percent(share, 1)} of the prediction mass is on them."
        )
    if run.dropped:
        n = sum(run.dropped.values())
        whole = n + len(run) + len(run.failures)
        yield (
            f"Labels of the set that the model was not asked about: "
            f"{printable(', '.join(run.dropped))}, {n:,} of {whole:,} clips."
        )


def _mass_sentence(mass: Mapping[str, Mapping[str, float]]) -> str:
    label, part = max(mass.items(), key=lambda one: one[1]["predicted"] - one[1]["clips"])
    return (
        f"Prediction mass: {percent(part['predicted'], 1)} of it is on {label}, which "
        f"{percent(part['clips'], 1)} of the scored clips are: the largest excess of any label."
    )


def _rates(run: Run) -> dict[str, int]:
    """Return how many clips have each sample rate, the most frequent first."""
    if run.sound is None:
        return {}
    known = run.sound[:, 0][~np.isnan(run.sound[:, 0])]
    return {str(int(rate)): n for rate, n in Counter(known.tolist()).most_common()}


def _sounds(run: Run) -> list[_Against]:
    columns: dict[str, Floats] = {"duration_s": run.duration_s}
    if run.sound is not None:
        columns |= {"level_db": run.sound[:, 1], "bandwidth_hz": run.sound[:, 2]}
    own = run.provenance.model.get("sound_ranges")
    return [
        _against(name, column[~np.isnan(column)], own.get(name) if isinstance(own, dict) else None)
        for name, column in columns.items()
        if name in SOUND_NAMES and not np.isnan(column).all()
    ]


def _against(name: str, values: Floats, own: Any) -> _Against:  # noqa: ANN401 - of a stored run
    low, middle, high = np.percentile(values, (5, 50, 95)).tolist()
    known = _three(own)
    return _Against(
        name=name,
        here=(low, middle, high),
        own=known,
        below=float((values < known[0]).mean()) if known else float("nan"),
        above=float((values > known[2]).mean()) if known else float("nan"),
    )


def _three(own: object) -> tuple[float, float, float] | None:
    if not isinstance(own, list | tuple) or len(own) != 3:
        return None
    if not all(isinstance(n, int | float) and abs(n) < LARGEST for n in own):
        return None
    return float(own[0]), float(own[1]), float(own[2])


def _own_clips(run: Run) -> str:
    """Return which clips the model's own numbers are of; `""` where its file has none."""
    own = run.provenance.model.get("sound_ranges")
    if not isinstance(own, dict):
        return ""
    return printable(f"{own.get('clips', '?')} {own.get('of', 'clips')}")


def _sound_sentences(run: Run, sounds: list[_Against]) -> Iterator[str]:
    rates = _rates(run)
    if rates:
        wanted = run.provenance.model.get("contract", {}).get("sample_rate")
        takes = f"; the model takes {wanted:,} Hz" if isinstance(wanted, int) else ""
        named = [f"{int(rate):,} Hz ({n:,})" for rate, n in list(rates.items())[:MOST_RATES]]
        more = f" and {len(rates) - MOST_RATES} more" if len(rates) > MOST_RATES else ""
        yield f"Sample rates of the files: {', '.join(named)}{more}{takes}."
    for one in sounds:
        yield _sound_sentence(one, _own_clips(run))
    if not _own_clips(run):
        yield (
            "The model's file does not say what its own clips sounded like, so none of this is "
            "compared; serval quantize stores it for its calibration clips."
        )


def _sound_sentence(one: _Against, own_clips: str) -> str:
    title, unit, times = SOUNDS[one.name]
    here = f"{title}: median {_spread(one.here, times)} {unit}"
    if one.own is None:
        return as_sentence(here)
    return (
        f"{here}, against {_spread(one.own, times)} in {own_clips}: "
        f"{percent(one.below, 0)} of these clips lie below that range and {percent(one.above, 0)} "
        "above, where 5 % each would."
    )


def _spread(three: tuple[float, float, float], times: float) -> str:
    low, middle, high = (times * n for n in three)
    return f"{middle:.1f} (5th to 95th percentile {low:.1f} to {high:.1f})"


def label_space_part(run: Run, *, restrict: bool) -> dict[str, Any]:
    """Return the part `label_space` of `results.json`: policy, full set, restricted answers."""
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
