"""EmoDB: `wav/03a02Wb.wav`."""

from serval.corpora.corpus import Corpus, coded, numbers, sexes

CORPUS = Corpus(
    name="EmoDB",
    what="acted German speech of ten actors, ten sentences",
    language="German",
    clips=535,
    speakers=10,
    licence="free, as its page says; CC BY 4.0 in later copies",
    source="http://emodb.bilderbar.info/",
    cite="Burkhardt et al., A Database of German Emotional Speech, Interspeech 2005",
    grammar=r"(?P<speaker>03|08|09|1[0-6])(?P<text>a0[12457]|b0[1239]|b10)(?P<label>[WLEAFTN])"
    r"(?P<version>[a-z])",
    labels=coded("W angry | L bored | E disgust | A fearful | F happy | T sad | N neutral"),
    genders=sexes(male="03 10 11 12 15", female="08 09 13 14 16"),
    counts=numbers("angry 127 bored 81 disgust 46 fearful 69 happy 71 neutral 79 sad 62"),
)
