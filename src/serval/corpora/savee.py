"""SAVEE: `JE/n23.wav` or `JE_n23.wav`."""

from serval.corpora.corpus import Corpus, coded, numbers, sexes

CORPUS = Corpus(
    name="SAVEE",
    what="acted English speech of four men, 15 sentences for each emotion",
    language="English",
    clips=480,
    speakers=4,
    licence="for research, after registration",
    source="http://kahlan.eps.surrey.ac.uk/savee/",
    cite="Haq and Jackson, Multimodal Emotion Recognition, in: Machine Audition, 2010",
    grammar=r"(?P<speaker>DC|JE|JK|KL)[/_](?P<label>a|d|f|h|n|sa|su)(?P<sentence>[0-3]\d)",
    labels=coded("a angry | d disgust | f fearful | h happy | n neutral | sa sad | su surprised"),
    genders=sexes(male="DC JE JK KL"),
    counts=numbers("neutral 120 angry 60 disgust 60 fearful 60 happy 60 sad 60 surprised 60"),
    folds=(("JE",), ("KL",), ("DC",), ("JK",)),
    key="{speaker}_{label}{sentence}",
)
