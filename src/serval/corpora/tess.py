"""TESS: `OAF_Fear/OAF_should_fear.wav`."""

from serval.corpora.corpus import Corpus, coded, numbers, sexes

CORPUS = Corpus(
    name="TESS",
    what="acted English speech of two women, `Say the word ...` with 200 words",
    language="English",
    clips=2800,
    speakers=2,
    licence="CC BY-NC-ND 4.0",
    source="https://doi.org/10.5683/SP2/E8H2MF",
    cite="Pichora-Fuller and Dupuis, Toronto emotional speech set (TESS), 2020",
    grammar=r"(?P<speaker>OAF?|YAF)_(?P<text>[a-z]+)_"
    r"(?P<label>angry|disgust|fear|happy|neutral|ps|sad)",
    labels=coded(
        "angry angry | disgust disgust | fear fearful | happy happy | neutral neutral | "
        "ps surprised | sad sad"
    ),
    codes={"speaker": {"OA": "OAF"}, "text": {"": "Say the word {}"}},
    genders=sexes(female="OAF OA YAF"),
    counts=numbers("angry 400 disgust 400 fearful 400 happy 400 neutral 400 sad 400 surprised 400"),
    folds=(("OAF",), ("YAF",)),
    caveats=("its two speakers are no sample of people: a score says what two voices are like",),
)
