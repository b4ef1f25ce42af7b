"""CAMEO, on the hub: 13 corpora in one form, each a split."""

from serval.corpora.corpus import Corpus, coded

CORPUS = Corpus(
    name="cameo",
    what="13 corpora of eight languages, each a split of its own: --split ravdess",
    language="eight languages",
    clips=41265,
    speakers=0,
    labels=coded(
        "anger angry | calm calm | disgust disgust | fear fearful | happiness happy | "
        "neutral neutral | sadness sad | surprise surprised"
    ),
    licence="as of its corpora; a column says which",
    source="https://huggingface.co/datasets/amu-cai/CAMEO",
    cite="Christop and Czajka, CAMEO: Collection of Multilingual Emotional Speech Corpora, 2025",
    location="hf:amu-cai/CAMEO",
    official=True,
)
