"""URDU: `Angry/SM5_F63_A091.wav`."""

from serval.corpora.corpus import Corpus, coded, numbers

CORPUS = Corpus(
    name="URDU",
    what="spontaneous Urdu speech from talk shows, 38 speakers",
    language="Urdu",
    clips=400,
    speakers=38,
    licence="not stated",
    source="https://github.com/siddiquelatif/URDU-Dataset",
    cite="Latif et al., Cross Lingual Speech Emotion Recognition: Urdu vs. Western Languages, "
    "FIT 2018",
    grammar=r"(?P<speaker>S(?P<gender>[MF])\d{1,2})_F(?P<file>\d{1,3})_"
    r"(?P<label>[AHNS])(?P<number>\d{1,3})",
    labels=coded("A angry | H happy | N neutral | S sad"),
    counts=numbers("angry 100 happy 100 neutral 100 sad 100"),
)
