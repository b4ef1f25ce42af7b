"""How well altered copies of real clips are matched to their sources, among thousands of clips.

Draws clips from one split, alters each by one chain (Opus at 24 kbit/s, resampling, gain, 300 ms of
silence in front, and combinations), puts the copies among all clips of two splits and lets the
audit's matching find them:

    python benchmarks/near_duplicates.py ../shared/corpora/ssi-like

A copy is found if it is matched to its source. A match of a copy with another clip is wrong unless
that clip is matched to the source as well: such pairs are duplicates of the corpus itself, and are
listed at the end. The last table says how far each measure keeps sources and strangers apart;
the strangers are other clips of the same speaker with the same text, and random ones.
"""

from __future__ import annotations

import argparse
import io
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import soundfile

from serval.audio import decode, resampled
from serval.audit.facts import ClipFacts, clip_facts
from serval.audit.matching import Match, Shelf, agreement, matches, overlap
from serval.audit.side import AuditOptions, Side, open_sides

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from serval.records import Clip

CHAINS = (
    "opus",
    "8k",
    "44k",
    "gain",
    "silence",
    "opus silence",
    "8k opus gain silence",
    "44k gain silence",
    "silence gain 8k",
    "gain 44k opus silence",
)
OPUS_RATES = (8000, 12000, 16000, 24000, 48000)
OPUS_24K = 1 - (24 - 6) / (256 - 6)
"""libsndfile's compression level that asks libopus for 24 kbit/s in its range of 6-256."""
STRANGERS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Sound:
    """Samples on their way through a chain."""

    samples: NDArray[np.float32]
    rate: int


def altered(encoded: bytes, chain: str, rng: np.random.Generator) -> bytes:
    """Return the file after every step of the chain, as WAV or, if that was last, as Opus."""
    with soundfile.SoundFile(io.BytesIO(encoded)) as file:
        rate = file.samplerate
    sound = Sound(samples=decode(encoded, rate).samples, rate=rate)
    for step in chain.split():
        sound = STEPS[step](sound, rng)
    return opus(sound) if chain.endswith("opus") else wav(sound)


def opus(sound: Sound) -> bytes:
    """Return the sound as an Ogg/Opus file of 24 kbit/s."""
    rate = sound.rate if sound.rate in OPUS_RATES else 48000
    buffer = io.BytesIO()
    with soundfile.SoundFile(
        buffer, "w", rate, 1, format="OGG", subtype="OPUS", compression_level=OPUS_24K
    ) as file:
        file.write(resampled(sound.samples, sound.rate, rate))
    return buffer.getvalue()


def wav(sound: Sound) -> bytes:
    """Return the sound as a WAV file of 16 bit."""
    buffer = io.BytesIO()
    soundfile.write(buffer, sound.samples, sound.rate, format="WAV", subtype="PCM_16")
    return buffer.getvalue()


def through_opus(sound: Sound, _rng: np.random.Generator) -> Sound:
    """Return the sound after encoding and decoding."""
    samples, rate = soundfile.read(io.BytesIO(opus(sound)), dtype="float32")
    return Sound(samples=samples, rate=rate)


def at_rate(rate: int) -> Callable[[Sound, np.random.Generator], Sound]:
    """Return the step that resamples."""
    return lambda sound, _rng: Sound(samples=resampled(sound.samples, sound.rate, rate), rate=rate)


def gain(sound: Sound, rng: np.random.Generator) -> Sound:
    """Return the sound between 20 dB quieter and 6 dB louder."""
    return replace(sound, samples=sound.samples * np.float32(10 ** (rng.uniform(-20, 6) / 20)))


def silence(sound: Sound, _rng: np.random.Generator) -> Sound:
    """Return the sound after 300 ms of digital silence."""
    zeros = np.zeros(int(0.3 * sound.rate), np.float32)
    return replace(sound, samples=np.concatenate([zeros, sound.samples]))


STEPS = {
    "opus": through_opus,
    "8k": at_rate(8000),
    "44k": at_rate(44100),
    "gain": gain,
    "silence": silence,
}


def altered_clips(side: Side, chosen: Sequence[int], seed: int) -> Iterator[tuple[int, str, Clip]]:
    """Yield the index of each source with the chain and the altered clip."""
    rng, wanted = np.random.default_rng(seed), set(chosen)
    clips = (clip for clip in side.dataset.clips(0, None) if clip.index in wanted)
    for n, clip in enumerate(clips):
        chain = CHAINS[n % len(CHAINS)]
        encoded = clip.audio if isinstance(clip.audio, bytes) else clip.audio.read_bytes()
        yield clip.index, chain, replace(clip, audio=altered(encoded, chain, rng))


def shelved(known: ClipFacts, facts: list[ClipFacts], shelf: Shelf) -> None:
    """Add the facts of a clip, its sketch to the shelf."""
    if known.sketch is not None:
        shelf.put(len(facts), known.sketch)
    facts.append(replace(known, sketch=None))


def report(found: Sequence[Match], source_of: dict[int, int], chain_of: dict[int, str]) -> None:
    """Print recall by chain, and precision."""
    pairs = {(match.first, match.second) for match in found}
    hit = {copy for copy, source in source_of.items() if (source, copy) in pairs}
    sizes, hits = Counter(chain_of.values()), Counter(chain_of[copy] for copy in hit)
    for chain in CHAINS:
        print(f"  {chain:24} {hits[chain]:4} of {sizes[chain]:4}")
    related = defaultdict(set)
    for first, second in pairs:
        related[first].add(second)
        related[second].add(first)
    wrong = [
        (other, copy)
        for copy, source in source_of.items()
        for other in related[copy] - {source}
        if source_of.get(other, other) not in related[source] | {source}
    ]
    right = len(hit)
    print(f"recall    {right / len(source_of):.4f} ({right} of {len(source_of)} copies)")
    print(f"precision {right / max(1, right + len(wrong)):.4f} ({len(wrong)} wrong matches)")


def separation(
    facts: Sequence[ClipFacts], shelf: Shelf, source_of: dict[int, int], found: Sequence[Match]
) -> None:
    """Print the lowest value that a true pair has, and the highest of strangers."""
    measures: dict[str, Callable[[int, int], float]] = {
        "outline": lambda i, j: float(facts[i].print.outline @ facts[j].print.outline),
        "bits": lambda i, j: agreement(facts[i].print, facts[j].print),
        "overlap": lambda i, j: overlap(shelf.get(i), shelf.get(j)),
    }
    strangers = list(_strangers(facts, source_of, found))
    sources = [(source, copy) for copy, source in source_of.items()]
    print(f"{len(sources)} pairs of a source and its copy, {len(strangers)} pairs of strangers")
    for name, measure in measures.items():
        true, false = (sorted(measure(i, j) for i, j in p) for p in (sources, strangers))
        print(
            f"  {name:8} sources: lowest {true[0]:.3f}, 1 % {true[len(true) // 100]:.3f};  "
            f"strangers: highest {false[-1]:.3f}, 99 % {false[-1 - len(false) // 100]:.3f}"
        )


def _strangers(
    facts: Sequence[ClipFacts], source_of: dict[int, int], found: Sequence[Match]
) -> Iterator[tuple[int, int]]:
    rng = np.random.default_rng(0)
    same = defaultdict(list)
    known = {(match.first, match.second) for match in found}
    originals = [i for i, f in enumerate(facts) if i not in source_of and f.print]
    for i in originals:
        same[facts[i].speaker, facts[i].text].append(i)
    for copy, source in source_of.items():
        others = [i for i in same[facts[copy].speaker, facts[copy].text] if i != source]
        near = [int(i) for i in rng.permutation(others)[:STRANGERS]]
        for i in [*near, originals[int(rng.integers(len(originals)))]]:
            if i != source and (min(i, source), max(i, source)) not in known:
                yield i, copy


def arguments() -> argparse.Namespace:
    """Return what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("corpus")
    parser.add_argument("--split", default="validation")
    parser.add_argument("--against", default="train")
    parser.add_argument("--clips", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def add_originals(sides: Sequence[Side], facts: list[ClipFacts], shelf: Shelf) -> list[int]:
    """Return the positions in the first split that have sound, after adding every clip."""
    for side in sides:
        for clip in side.dataset.clips(0, None):
            shelved(clip_facts(clip, side.blank(clip)), facts, shelf)
    first = sides[0].name
    return [i for i, fact in enumerate(facts) if fact.split == first and fact.print is not None]


def print_own_duplicates(
    facts: Sequence[ClipFacts], found: Sequence[Match], source_of: dict[int, int]
) -> None:
    """Print the pairs that are in the corpus as it is."""
    print("duplicates of the corpus itself:")
    for match in found:
        if match.second not in source_of:
            one, other = facts[match.first], facts[match.second]
            print(
                f"  {match.overlap:.3f} {one.split}:{one.clip_id} ({one.label}), "
                f"{other.split}:{other.clip_id} ({other.label})"
            )


def main() -> None:
    """Run the measurement."""
    args, facts = arguments(), list[ClipFacts]()
    source_of: dict[int, int] = {}
    chain_of: dict[int, str] = {}
    sides = open_sides(AuditOptions(dataset=args.corpus, split=args.split, against=args.against))
    with Shelf() as shelf:
        sounding = add_originals(sides, facts, shelf)
        rng = np.random.default_rng(args.seed)
        chosen = sorted(int(i) for i in rng.choice(sounding, args.clips, replace=False))
        for source, chain, clip in altered_clips(sides[0], chosen, args.seed):
            source_of[len(facts)], chain_of[len(facts)] = source, chain
            shelved(clip_facts(clip, sides[0].blank(clip)), facts, shelf)
        start = time.process_time()
        found = list(matches({i: f.print for i, f in enumerate(facts) if f.print}, shelf))
        print(f"{len(facts)} clips, matched in {time.process_time() - start:.0f} s of CPU")
        report(found, source_of, chain_of)
        separation(facts, shelf, source_of, found)
    print_own_duplicates(facts, found, source_of)


if __name__ == "__main__":
    main()
