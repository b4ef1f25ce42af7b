"""The prosody rules of the demo set, one per emotion.

The rules turn what the literature says in words ("much wider range", "slightly slower") into one
number each. They are not fitted to a classifier. The endings of `disgust`, `sad` and `surprised`
were set anew once, because a first, rough measurement of the clips suggested that their pitch did
not end where the sources say. Where two sources disagree, the comment says which was followed.

Sources:
    [B] Burkhardt & Sendlmeier (2000), Verification of acoustical correlates of emotional speech
        using formant-synthesis, ISCA Workshop on Speech and Emotion, 151-156.
    [G] Gobl & Ní Chasaide (2003), The role of voice quality in communicating emotion, mood and
        attitude, Speech Communication 40, 189-212.
    [J] Juslin & Laukka (2003), Communication of emotions in vocal expression and music
        performance, Psychological Bulletin 129(5), 770-814.
    [M] Murray & Arnott (1993), Toward the simulation of emotion in synthetic speech, Journal of
        the Acoustical Society of America 93(2), 1097-1108.
    [R] Schröder (2001), Emotional speech synthesis: a review, Eurospeech, 561-564.
    [S] Scherer (2003), Vocal communication of emotion, Speech Communication 40, 227-256.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

__all__ = ["RULES", "Rule", "rules_table"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """How one emotion differs from the neutral reading of the same sentence by the same voice.

    Attributes:
        pitch_st: Shift of the median F0, semitones.
        pitch_range: Factor on the F0 excursions around the median.
        slope_st: Tilt of the F0 contour from the first to the last voiced frame, semitones.
        final_st: Where the F0 ends, semitones from the shifted median, reached over the last
            quarter; `None` keeps the ending that the voice has.
        rate: Factor on the speech rate.
        energy_db: Level of the speech, dB.
        dynamics: Exponent on the loudness envelope: above 1 the accents stand out more.
        tilt_db: Spectral slope above 500 Hz, dB per octave: above 0 is brighter.
        breath: Share of the periodic energy above 1 kHz that becomes noise, 0 to 1.
        rough: Depth of the modulation at half the F0 (harsh, creaky), 0 to 1.
        jitter_st: Standard deviation of irregular F0 movement, semitones.
        tremor_st: Depth of a 7 Hz tremor of the F0, semitones.
        formants: Factor on the formant frequencies (spread lips raise them).
        sources: Keys of the sources in the module's docstring.
    """

    pitch_st: float = 0.0
    pitch_range: float = 1.0
    slope_st: float = 0.0
    final_st: float | None = None
    rate: float = 1.0
    energy_db: float = 0.0
    dynamics: float = 1.0
    tilt_db: float = 0.0
    breath: float = 0.0
    rough: float = 0.0
    jitter_st: float = 0.0
    tremor_st: float = 0.0
    formants: float = 1.0
    sources: str = ""


RULES: dict[str, Rule] = {
    # Very much higher, much wider, slightly faster, louder, tense [M]; high frequencies and
    # F0 variability up [J, S]; laryngealised [R].
    "angry": Rule(
        pitch_st=5.0, pitch_range=1.7, rate=1.15, energy_db=8.0, dynamics=1.3, tilt_db=3.0,
        rough=0.3, jitter_st=0.2, sources="J M R S",
    ),
    # "Tenderness" is the calm family in [J]: slow, soft, low, little variability, falling, few
    # high frequencies, regular; lax-breathy voice is heard as relaxed [G].
    "calm": Rule(
        pitch_st=-1.5, pitch_range=0.7, slope_st=-1.0, rate=0.87, energy_db=-4.0, dynamics=0.85,
        tilt_db=-1.5, breath=0.25, sources="G J",
    ),
    # Very much slower and lower, slightly wider, softer, grumbled chest tone, wide falls at the
    # end [M].
    "disgust": Rule(
        pitch_st=-3.5, pitch_range=1.2, final_st=-9.0, rate=0.7, energy_db=-3.0, tilt_db=-0.5,
        rough=0.5, jitter_st=0.3, sources="M",
    ),
    # Very much higher, much faster, irregular voicing, normal loudness [M]; falsetto [B]. Range:
    # [M] says much wider, [J] little variability; [B] (+20 %) lies between and is followed.
    "fearful": Rule(
        pitch_st=8.0, pitch_range=1.2, slope_st=1.0, rate=1.3, dynamics=1.2, tilt_db=-0.5,
        breath=0.3, jitter_st=0.4, tremor_st=0.6, sources="B J M",
    ),
    # Mean +50 %, range +100 %, formants up by spread lips [B]; louder, breathy, smooth rises [M];
    # medium high-frequency energy, regular [J]. Tempo: half of the +30 % in [B].
    "happy": Rule(
        pitch_st=6.0, pitch_range=2.0, final_st=2.0, rate=1.15, energy_db=4.0, dynamics=1.15,
        tilt_db=1.0, breath=0.1, formants=1.07, sources="B J M",
    ),
    "neutral": Rule(sources="the voice as it is"),
    # Slow, soft, low, narrow, falling, few high frequencies [J, S]; breathy [G, R].
    "sad": Rule(
        pitch_st=-2.5, pitch_range=0.5, slope_st=-3.0, rate=0.75, energy_db=-8.0,
        dynamics=0.8, tilt_db=-3.0, breath=0.3, jitter_st=0.1, sources="G J R S",
    ),
    # Range widest, contour rising steeply, faster, louder (Cahn's rules in [R]); high and breathy.
    "surprised": Rule(
        pitch_st=6.0, pitch_range=1.9, slope_st=2.0, final_st=8.0, rate=1.1, energy_db=3.0,
        breath=0.2, sources="R",
    ),
}  # fmt: skip


def rules_table() -> str:
    """The rules as a Markdown table, one row per emotion, one column per field."""
    names = [field.name for field in fields(Rule)]
    head = ["emotion", *names]
    rows = [
        [label, *(_cell(getattr(rule, name)) for name in names)] for label, rule in RULES.items()
    ]
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def _cell(value: float | str | None) -> str:
    if value is None:
        return "own"
    return value if isinstance(value, str) else f"{value:g}"
