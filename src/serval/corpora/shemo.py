"""ShEMO: `male/M32S01.wav`."""

from serval.corpora.corpus import Corpus, coded, numbers

CORPUS = Corpus(
    name="ShEMO",
    what="Persian speech from radio plays, 87 speakers",
    language="Persian",
    clips=3000,
    speakers=87,
    licence="for research",
    source="https://github.com/mansourehk/ShEMO",
    cite="Nezami et al., ShEMO: a large-scale validated database for Persian speech emotion "
    "detection, Language Resources and Evaluation 53, 2019",
    grammar=r"(?P<speaker>(?P<gender>[MF])\d\d)(?P<label>[AFHNSW])(?P<number>\d\d)",
    layout=r"(?:^|/)(?:fe)?male/",
    labels=coded("A angry | F fearful | H happy | N neutral | S sad | W surprised"),
    counts=numbers("angry 1059 fearful 38 happy 201 neutral 1028 sad 449 surprised 225"),
)
