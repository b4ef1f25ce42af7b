"""IEMOCAP: `Session1/sentences/wav/Ses01F_impro04/Ses01F_impro04_F000.wav`."""

from serval.corpora.corpus import Corpus, LabelTable, coded, numbers

CORPUS = Corpus(
    name="IEMOCAP",
    what="acted English dialogues of ten actors, scripted and improvised, with votes",
    language="English",
    clips=7532,
    speakers=10,
    licence="for research, on request",
    source="https://sail.usc.edu/iemocap/",
    cite="Busso et al., IEMOCAP: interactive emotional dyadic motion capture database, "
    "Language Resources and Evaluation 42, 2008",
    grammar=r"Ses(?P<session>0[1-5])[FM]_(?P<scenario>impro|script)[^/]*_(?P<gender>[FM])\d{3}",
    beside={"dialogues": r"Ses0[1-5][FM]_(?:impro|script)[^/]*"},
    derived={"speaker": "Ses{session}{gender}"},
    labels=coded(
        "ang angry | hap happy | exc excited | sad sad | neu neutral | fru frustrated | "
        "fea fearful | sur surprised | dis disgust | oth other | xxx"
    ),
    codes={"scenario": coded("impro improvised | script scripted")},
    counts=numbers(
        "angry 1103 disgust 2 excited 1041 fearful 40 frustrated 1849 happy 595 "
        "neutral 1708 other 3 sad 1084 surprised 107"
    ),
    tables=(
        LabelTable(
            files=r"dialog/EmoEvaluation/Ses[^/]+\.txt",
            key="{name}",
            lines=r"^\[[^\]]*\]\t(?P<name>\S+)\t(?P<label>\w+)\t\[(?P<v>[\d.]+), (?P<a>[\d.]+), "
            r"(?P<d>[\d.]+)\](?P<votes>(?:\n[CA]-.*)*)",
            answers=r"^C-E\w*:\t([^;\t]+);",  # C-F1 and C-M1 are what the actors say
            columns={
                "label": "label",
                "valence": "v",
                "arousal": "a",
                "dominance": "d",
                "votes": "votes",
            },
            required=True,
        ),
        LabelTable(
            files=r"dialog/transcriptions/Ses[^/]+\.txt",
            key="{name}",
            lines=r"^(?P<name>Ses\w+) \[[^\]]*\]: (?P<text>.*)$",
            columns={"text": "text"},
        ),
    ),
    folds=tuple((f"Ses0{session}F", f"Ses0{session}M") for session in range(1, 6)),
)
