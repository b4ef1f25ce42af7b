"""CaFE: `Peur/Fort/08-P-2-1.wav`."""

from serval.corpora.corpus import Corpus, by_parity, coded, numbers

CORPUS = Corpus(
    name="CaFE",
    what="acted Canadian French of twelve actors, six sentences, two intensities",
    language="French",
    clips=936,
    speakers=12,
    licence="CC BY-NC-SA 4.0",
    source="https://zenodo.org/records/1478765",
    cite="Gournay, Lahaie and Lefebvre, A Canadian French Emotional Speech Dataset, MMSys 2018",
    grammar=r"(?P<speaker>0[1-9]|1[0-2])-(?P<label>[CDJNPST])-(?P<intensity>[12])-(?P<text>[1-6])",
    labels=coded("C angry | D disgust | J happy | N neutral | P fearful | S surprised | T sad"),
    codes={
        "intensity": coded("1 mild | 2 strong"),
        "text": coded(
            "1 Un cheval fou dans mon jardin | 2 Deux ânes aigris au pelage brun | "
            "3 Trois cygnes aveugles au bord du lac | 4 Quatre vieilles truies éléphantesques | "
            "5 Cinq pumas fiers et passionnés | 6 Six ours aimants domestiqués"
        ),
    },
    genders=by_parity(range(1, 13)),
    counts=numbers("neutral 72 angry 144 disgust 144 fearful 144 happy 144 sad 144 surprised 144"),
    folds=(("01", "07", "08", "10"), ("02", "04", "09", "12"), ("03", "05", "06", "11")),
)
