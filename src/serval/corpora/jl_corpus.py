"""JL-Corpus: `male2_angry_12a_2.wav`."""

from serval.corpora.corpus import Corpus, coded

CORPUS = Corpus(
    name="JL-Corpus",
    what="acted New Zealand English of four speakers, five primary and five secondary emotions",
    language="English",
    clips=2400,
    speakers=4,
    licence="CC0, as its page says",
    source="https://www.kaggle.com/datasets/tli725/jl-corpus",
    cite="James, Tian and Watson, An Open Source Emotional Speech Corpus for Human Robot "
    "Interaction Applications, Interspeech 2018",
    grammar=r"(?P<speaker>(?P<gender>female|male)[12])_(?P<label>angry|anxious|apologetic|"
    r"assertive|concerned|encouraging|excited|happy|neutral|sad)_(?P<sentence>\d{1,2}[ab])_"
    r"(?P<take>\d)",
    labels=coded(
        "angry angry | anxious anxious | apologetic apologetic | assertive assertive | "
        "concerned concerned | encouraging encouraging | excited excited | happy happy | "
        "neutral neutral | sad sad"
    ),
    folds=(("male2",), ("female1",), ("male1",), ("female2",)),
)
