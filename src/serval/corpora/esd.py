"""ESD: `0005/Neutral/0005_000001.wav`, sentences in `0005/0005.txt`."""

from serval.corpora.corpus import Corpus, LabelTable, coded, numbers, sexes

CORPUS = Corpus(
    name="ESD",
    what="acted speech of ten Mandarin and ten English speakers, 350 sentences for each emotion",
    language="Mandarin and English",
    clips=35000,
    speakers=20,
    licence="for research",
    source="https://github.com/HLTSingapore/Emotional-Speech-Data",
    cite="Zhou et al., Emotional Voice Conversion: Theory, Databases and ESD, "
    "Speech Communication 137, 2022",
    grammar=r"(?P<speaker>00(?:0[1-9]|1\d|20))/(?P<label>Neutral|Angry|Happy|Sad|Surprise)/"
    r"(?:(?P<part>train|test|evaluation)/)?(?P=speaker)_(?P<sentence>\d{6})",
    labels=coded("Neutral neutral | Angry angry | Happy happy | Sad sad | Surprise surprised"),
    genders=sexes(
        female="0001 0002 0003 0007 0009 0015 0016 0017 0018 0019",
        male="0004 0005 0006 0008 0010 0011 0012 0013 0014 0020",
    ),
    counts=numbers("angry 7000 happy 7000 neutral 7000 sad 7000 surprised 7000"),
    tables=(
        LabelTable(
            files=r"\d{4}/\d{4}\.txt",
            key="{name}",
            lines=r"^(?P<name>\d{4}_\d{6})[\t ]+(?P<text>[^\t]+)\t",
            columns={"text": "text"},
        ),
    ),
    folds=(
        ("0005", "0011", "0016", "0018"),
        ("0012", "0014", "0015", "0019"),
        ("0003", "0004", "0006", "0009"),
        ("0007", "0008", "0013", "0020"),
        ("0001", "0002", "0010", "0017"),
    ),
)
