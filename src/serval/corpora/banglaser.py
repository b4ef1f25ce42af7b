"""BanglaSER: `03-01-03-02-01-03-34.wav`, named like RAVDESS with other meanings."""

from serval.corpora.corpus import Corpus, by_parity, coded, numbers

CORPUS = Corpus(
    name="BanglaSER",
    what="acted Bangla speech of 34 speakers, three sentences, recorded with telephones",
    language="Bangla",
    clips=1467,
    speakers=34,
    licence="CC BY 4.0",
    source="https://data.mendeley.com/datasets/t9h6p943xy/5",
    cite="Das et al., BanglaSER: A speech emotion recognition dataset for the Bangla language, "
    "Data in Brief 42, 2022",
    grammar=r"03-01-(?P<label>0[1-5])-(?P<intensity>0[12])-(?P<sentence>0[1-3])-"
    r"(?P<repetition>0[1-3])-(?P<speaker>0[1-9]|[12]\d|3[0-4])",
    labels=coded("01 happy | 02 sad | 03 angry | 04 surprised | 05 neutral"),
    codes={"intensity": coded("01 normal | 02 strong")},
    genders=by_parity(range(1, 35)),
    counts=numbers("angry 306 happy 306 neutral 243 sad 306 surprised 306"),
)
