"""AESDD: `anger/a06 (5)b.wav`."""

from serval.corpora.corpus import Corpus, coded

CORPUS = Corpus(
    name="AESDD",
    what="acted Greek speech of six actors, about 20 sentences",
    language="Greek",
    clips=604,
    speakers=6,
    licence="not stated",
    source="http://m3c.web.auth.gr/research/aesdd-speech-emotion-recognition/",
    cite="Vryzas et al., Speech Emotion Recognition for Performance Interaction, "
    "Journal of the Audio Engineering Society 66(6), 2018",
    grammar=r"(?P<label>[adfhs])(?P<sentence>\d\d) ?\((?P<speaker>\d)\)(?P<take>[a-z]?)",
    layout=r"(?:^|/)(?:anger|disgust|fear|happiness|sadness)/",
    labels=coded("a angry | d disgust | f fearful | h happy | s sad"),
)
