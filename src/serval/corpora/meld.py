"""MELD: `train_splits/dia0_utt0.mp4`, labels in `train_sent_emo.csv`."""

from serval.corpora.corpus import Corpus, LabelTable, coded, numbers, sexes

CORPUS = Corpus(
    name="MELD",
    what="scenes of a television series, with laughter and several voices, official splits",
    language="English",
    clips=13708,
    speakers=304,
    licence="not clear; the series is not free",
    source="https://affective-meld.github.io/",
    cite="Poria et al., MELD: A Multimodal Multi-Party Dataset for Emotion Recognition in "
    "Conversations, ACL 2019",
    grammar=r"(?:output_repeated_splits_)?(?P<split>train|dev|test)[^/]*/(?:[^/]+/)*"
    r"dia(?P<dialogue>\d+)_utt(?P<utterance>\d+)",
    key="{split}/dia{dialogue}_utt{utterance}",
    labels=coded(
        "anger angry | disgust disgust | fear fearful | joy happy | neutral neutral | "
        "sadness sad | surprise surprised"
    ),
    genders=sexes(female="Rachel Monica Phoebe", male="Ross Joey Chandler"),
    counts=numbers(
        "angry 1607 disgust 361 fearful 358 happy 2308 neutral 6436 sad 1002 surprised 1636"
    ),
    tables=(
        LabelTable(
            files=r"(?P<split>train|dev|test)_sent_emo\.csv",
            key="{split}/dia{Dialogue_ID}_utt{Utterance_ID}",
            columns={"label": "Emotion", "speaker": "Speaker", "text": "Utterance"},
            required=True,
        ),
    ),
    official=True,
    videos=True,
    caveats=("its speakers of test also speak in train, and the audience laughs",),
)
