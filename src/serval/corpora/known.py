"""Every corpus that is known, as data."""

from __future__ import annotations

from serval.corpora.corpus import Corpus, LabelTable, by_parity, coded, numbers, parted, sexes
from serval.labels import EMOTIONS
from serval.trained_on import letters_of

FEMALE_OF_CREMA_D = frozenset(
    (2, 3, 4, 6, 7, 8, 9, 10, 12, 13, 18, 20, 21, 24, 25, 28, 29, 30, 37, 43, 46, 47, 49, 52, 53,
     54, 55, 56, 58, 60, 61, 63, 72, 73, 74, 75, 76, 78, 79, 82, 84, 89, 91)
)  # fmt: skip

KNOWN = (
    # CAMEO, on the hub: 13 corpora in one form, each a split.
    Corpus(
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
        cite="Christop and Czajka, CAMEO: Collection of Multilingual Emotional Speech Corpora, "
        "2025",
        location="hf:amu-cai/CAMEO",
        official=True,
    ),
    # The set that is part of the package.
    Corpus(
        name="demo",
        what="synthetic English speech, 8 emotions x 8 voices: a trial, not a benchmark",
        language="English",
        clips=64,
        speakers=8,
        labels={emotion: emotion for emotion in EMOTIONS},
        licence="Apache-2.0",
        source="built in",
        cite="this package",
        location="builtin",
        caveats=(
            (
                "the demo clips are synthetic speech with prosody set by rules; "
                "a score on them says nothing about people"
            ),
        ),
    ),
    # SSI, on the hub: RAVDESS speech, CREMA-D, TESS and SAVEE in one.
    Corpus(
        name="ssi",
        what="acted English speech of four corpora; its speakers are in its train split too",
        language="English",
        clips=1999,
        speakers=121,
        labels=coded(
            "ANG angry | CAL calm | DIS disgust | FEA fearful | HAP happy | "
            "NEU neutral | SAD sad | SUR surprised"
        ),
        licence="as of its corpora; see the set's page",
        source="https://huggingface.co/datasets/stapesai/ssi-speech-emotion-recognition",
        cite="its corpora: RAVDESS, CREMA-D, TESS, SAVEE",
        location="hf:stapesai/ssi-speech-emotion-recognition",
        official=True,
        caveats=(
            (
                "the speakers of validation also occur in train: the score of a model trained "
                "on this set says nothing about new speakers"
            ),
            "the emotions are acted: a score says little about spontaneous speech",
        ),
    ),
    # AESDD: `anger/a06 (5)b.wav`.
    Corpus(
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
    ),
    # BanglaSER: `03-01-03-02-01-03-34.wav`, named like RAVDESS with other meanings.
    Corpus(
        name="BanglaSER",
        what="acted Bangla speech of 34 speakers, three sentences, recorded with telephones",
        language="Bangla",
        clips=1467,
        speakers=34,
        licence="CC BY 4.0",
        source="https://data.mendeley.com/datasets/t9h6p943xy/5",
        cite="Das et al., BanglaSER: A speech emotion recognition dataset for the Bangla language, "
        "Data in Brief 42, 2022",
        grammar=r"03-01-(?P<label>0[1-5])-(?P<intensity>0[12])-(?P<sentence>0[1-3])-"
        r"(?P<repetition>0[1-3])-(?P<speaker>0[1-9]|[12]\d|3[0-4])",
        labels=coded("01 happy | 02 sad | 03 angry | 04 surprised | 05 neutral"),
        codes={"intensity": coded("01 normal | 02 strong")},
        genders=by_parity(range(1, 35)),
        counts=numbers("angry 306 happy 306 neutral 243 sad 306 surprised 306"),
    ),
    # CaFE: `Peur/Fort/08-P-2-1.wav`.
    Corpus(
        name="CaFE",
        what="acted Canadian French of twelve actors, six sentences, two intensities",
        language="French",
        clips=936,
        speakers=12,
        licence="CC BY-NC-SA 4.0",
        source="https://zenodo.org/records/1478765",
        cite="Gournay, Lahaie and Lefebvre, A Canadian French Emotional Speech Dataset, MMSys 2018",
        grammar=r"(?P<speaker>0[1-9]|1[0-2])-(?P<label>[CDJNPST])-(?P<intensity>[12])-(?P<text>[1-6])",
        labels=coded("C angry | D disgust | J happy | N neutral | P fearful | S surprised | T sad"),
        codes={
            "intensity": coded("1 mild | 2 strong"),
            "text": coded(
                "1 Un cheval fou dans mon jardin | 2 Deux ânes aigris au pelage brun | "
                "3 Trois cygnes aveugles au bord du lac | "
                "4 Quatre vieilles truies éléphantesques | 5 Cinq pumas fiers et passionnés | "
                "6 Six ours aimants domestiqués"
            ),
        },
        genders=by_parity(range(1, 13)),
        counts=numbers(
            "neutral 72 angry 144 disgust 144 fearful 144 happy 144 sad 144 surprised 144"
        ),
        folds=parted("01 07 08 10 | 02 04 09 12 | 03 05 06 11"),
    ),
    # CREMA-D: `AudioWAV/1052_WSI_ANG_XX.wav`.
    Corpus(
        name="CREMA-D",
        what="acted English speech of 91 actors, twelve sentences, judged by 2,443 raters",
        language="English",
        clips=7442,
        speakers=91,
        licence="ODbL 1.0",
        source="https://github.com/CheyneyComputerScience/CREMA-D",
        cite="Cao et al., CREMA-D: Crowd-Sourced Emotional Multimodal Actors Dataset, "
        "IEEE Trans. Affective Computing 5(4), 2014",
        grammar=r"(?P<speaker>10(?:0[1-9]|[1-8]\d|9[01]))_"
        r"(?P<text>IEO|TIE|IOM|IWW|TAI|MTI|IWL|ITH|DFA|ITS|TSI|WSI)_"
        r"(?P<label>ANG|DIS|FEA|HAP|NEU|SAD)_(?P<intensity>LO|MD|HI|XX|X)",
        labels=coded("ANG angry | DIS disgust | FEA fearful | HAP happy | NEU neutral | SAD sad"),
        codes={
            "intensity": coded("LO low | MD medium | HI high | XX unspecified | X unspecified"),
            "text": coded(
                "IEO It's eleven o'clock | TIE That is exactly what happened | "
                "IOM I'm on my way to the meeting | IWW I wonder what this is about | "
                "TAI The airplane is almost full | MTI Maybe tomorrow it will be cold | "
                "IWL I would like a new alarm clock | ITH I think I have a doctor's appointment | "
                "DFA Don't forget a jacket | ITS I think I've seen this before | "
                "TSI The surface is slick | WSI We'll stop in a couple of minutes"
            ),
        },
        genders={f"10{n:02}": "female" if n in FEMALE_OF_CREMA_D else "male" for n in range(1, 92)},
        counts=numbers("neutral 1087 angry 1271 disgust 1271 fearful 1271 happy 1271 sad 1271"),
        tables=(
            LabelTable(
                files=r"VideoDemographics\.csv",
                of="speaker",
                key="{ActorID}",
                columns=coded("age Age"),
            ),
            LabelTable(
                files=r"summaryTable\.csv", key="{FileName}", columns=coded("voice_vote VoiceVote")
            ),
            LabelTable(
                files=r"finishedResponses\.csv",
                key="{clipName}",
                votes="respEmo",
                meanings=coded("A angry | D disgust | F fearful | H happy | N neutral | S sad"),
                where={"queryType": "1"},
            ),
        ),
        suspects=("1076_MTI_NEU_XX", "1076_MTI_SAD_XX", "1064_TIE_SAD_XX"),
    ),
    # EmoDB: `wav/03a02Wb.wav`.
    Corpus(
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
    ),
    # EMOVO: `f2/gio-f2-b2.wav`.
    Corpus(
        name="EMOVO",
        what="acted Italian speech of six actors, 14 sentences",
        language="Italian",
        clips=588,
        speakers=6,
        licence="for research; CC BY-NC-SA in later copies",
        source="http://voice.fub.it/activities/corpora/emovo/index.html",
        cite="Costantini et al., EMOVO Corpus: an Italian Emotional Speech Database, LREC 2014",
        grammar=r"(?P<label>dis|gio|neu|pau|rab|sor|tri)-(?P<speaker>[fm][123])-"
        r"(?P<sentence>[a-z]\d)",
        labels=coded(
            "dis disgust | gio happy | neu neutral | pau fearful | rab angry | sor surprised | "
            "tri sad"
        ),
        genders=sexes(female="f1 f2 f3", male="m1 m2 m3"),
        counts=numbers("angry 84 disgust 84 fearful 84 happy 84 neutral 84 sad 84 surprised 84"),
        folds=parted("f2 | m3 | m2 | f3 | f1 | m1"),
    ),
    # Emozionalmente: `audio/*.wav`, labels and votes in `metadata/`.
    Corpus(
        name="Emozionalmente",
        what="acted Italian speech of 431 volunteers, 18 sentences, about five votes a clip",
        language="Italian",
        clips=6902,
        speakers=431,
        licence="CC BY 4.0",
        source="https://zenodo.org/records/12616095",
        cite="Catania, Wilke and Garzotto, Emozionalmente: A Crowdsourced Corpus of Simulated "
        "Emotional Speech in Italian, IEEE/ACM Trans. Audio, Speech and Language Processing 33, "
        "2025",
        grammar=r"audio/[^/]+",
        labels=coded(
            "anger angry | disgust disgust | fear fearful | joy happy | neutrality neutral | "
            "sadness sad | surprise surprised"
        ),
        counts=numbers(
            "angry 986 disgust 986 fearful 986 happy 986 neutral 986 sad 986 surprised 986"
        ),
        tables=(
            LabelTable(
                files=r"metadata/samples\.csv",
                key="{file_name}",
                columns=coded("label emotion_expressed | speaker actor | text sentence"),
                required=True,
            ),
            LabelTable(
                files=r"metadata/users\.csv",
                of="speaker",
                key="{username}",
                columns=coded("gender gender | age age"),
            ),
            LabelTable(
                files=r"metadata/evaluations\.csv", key="{file_name}", votes="emotion_recognized"
            ),
            LabelTable(
                files=r"metadata/split/(?P<split>\w+)\.csv",
                key="{file_name}",
                columns=coded("split split"),
            ),
        ),
        official=True,
    ),
    # ESD: `0005/Neutral/0005_000001.wav`, sentences in `0005/0005.txt`.
    Corpus(
        name="ESD",
        what="acted speech of ten Mandarin and ten English speakers, 350 sentences for each "
        "emotion",
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
                columns=coded("text text"),
            ),
        ),
        folds=parted(
            "0005 0011 0016 0018 | 0012 0014 0015 0019 | 0003 0004 0006 0009 | "
            "0007 0008 0013 0020 | 0001 0002 0010 0017"
        ),
    ),
    # IEMOCAP: `Session1/sentences/wav/Ses01F_impro04/Ses01F_impro04_F000.wav`.
    Corpus(
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
                lines=r"^\[[^\]]*\]\t(?P<name>\S+)\t(?P<label>\w+)\t\[(?P<v>[\d.]+), "
                r"(?P<a>[\d.]+), (?P<d>[\d.]+)\](?P<votes>(?:\n[CA]-.*)*)",
                answers=r"^C-E\w*:\t([^;\t]+);",  # C-F1 and C-M1 are what the actors say
                columns=coded("label label | valence v | arousal a | dominance d | votes votes"),
                required=True,
            ),
            LabelTable(
                files=r"dialog/transcriptions/Ses[^/]+\.txt",
                key="{name}",
                lines=r"^(?P<name>Ses\w+) \[[^\]]*\]: (?P<text>.*)$",
                columns=coded("text text"),
            ),
        ),
        scale="1..5",
        folds=tuple((f"Ses0{session}F", f"Ses0{session}M") for session in range(1, 6)),
    ),
    # JL-Corpus: `male2_angry_12a_2.wav`.
    Corpus(
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
        folds=parted("male2 | female1 | male1 | female2"),
    ),
    # MELD: `train_splits/dia0_utt0.mp4`, labels in `train_sent_emo.csv`.
    Corpus(
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
                columns=coded("label Emotion | speaker Speaker | text Utterance"),
                required=True,
            ),
        ),
        official=True,
        videos=True,
        caveats=("its speakers of test also speak in train, and the audience laughs",),
    ),
    # MSP-Podcast: `Audios/MSP-PODCAST_0001_0008.wav`, labels in `Labels/labels_consensus.csv`.
    Corpus(
        name="MSP-Podcast",
        what="spontaneous English speech from podcasts, with dimensions and official splits",
        language="English",
        clips=0,
        speakers=0,
        licence="for research, on request",
        source="https://ecs.utdallas.edu/research/researchlabs/msp-lab/MSP-Podcast.html",
        cite="Lotfian and Busso, Building Naturalistic Emotionally Balanced Speech Corpus, "
        "IEEE Trans. Affective Computing 10(4), 2019",
        grammar=r"MSP-PODCAST_\d+(?:_\d+)+",
        labels=coded(
            "A angry | S sad | H happy | U surprised | F fearful | D disgust | C contempt | "
            "N neutral | O other | X"
        ),
        codes={"speaker": coded("Unknown")},
        tables=(
            LabelTable(
                files=r"labels_con[sc]ensus\.csv",
                key="{FileName}",
                columns=coded(
                    "label EmoClass | arousal EmoAct | valence EmoVal | dominance EmoDom | "
                    "speaker SpkrID | gender Gender | split Split_Set"
                ),
                required=True,
            ),
            LabelTable(files=r"labels_detailed\.csv", key="{FileName}", votes="EmoClass_Major"),
        ),
        scale="1..7",
        official=True,
    ),
    # nEMO: `samples/*.wav`, what is said and by whom in `data.tsv`.
    Corpus(
        name="nEMO",
        what="acted Polish speech of nine actors",
        language="Polish",
        clips=4481,
        speakers=9,
        licence="CC BY-NC-SA 4.0",
        source="https://github.com/amu-cai/nEMO",
        cite="Christop, nEMO: Dataset of Emotional Speech in Polish, LREC-COLING 2024",
        grammar=r"(?P<speaker>[^_/]+)_(?P<label>anger|fear|happiness|neutral|sadness|surprised?)_"
        r"(?P<sentence>[^_/]+)",
        labels=coded(
            "anger angry | fear fearful | happiness happy | neutral neutral | sadness sad | "
            "surprise surprised | surprised surprised"
        ),
        counts=numbers("angry 749 fearful 736 happy 749 neutral 809 sad 769 surprised 669"),
        tables=(
            LabelTable(
                files=r"data\.tsv",
                key="{file_id}",
                columns=coded("text raw_text | gender gender | age age | speaker speaker_id"),
                required=True,
            ),
        ),
    ),
    # RAVDESS: `Actor_11/03-01-07-02-02-02-11.wav`.
    Corpus(
        name="RAVDESS",
        what="acted English speech (and song, which is left out) of 24 actors, two sentences",
        language="English",
        clips=1440,
        speakers=24,
        licence="CC BY-NC-SA 4.0",
        source="https://zenodo.org/records/1188976",
        cite="Livingstone and Russo, The Ryerson Audio-Visual Database of Emotional Speech and "
        "Song, PLoS ONE 13(5), 2018",
        grammar=r"(?P<modality>0[123])-(?P<channel>0[12])-(?P<label>0[1-8])-(?P<intensity>0[12])-"
        r"(?P<text>0[12])-(?P<repetition>0[12])-(?P<speaker>0[1-9]|1\d|2[0-4])",
        folders=r"Actor_\d\d/",
        labels=coded(
            "01 neutral | 02 calm | 03 happy | 04 sad | 05 angry | 06 fearful | 07 disgust | "
            "08 surprised"
        ),
        codes={
            "modality": coded("01 audio and video | 02 video | 03 audio"),
            "channel": coded("01 speech | 02 song"),
            "intensity": coded("01 normal | 02 strong"),
            "text": coded("01 Kids are talking by the door | 02 Dogs are sitting by the door"),
            "repetition": coded("01 1 | 02 2"),
        },
        genders=by_parity(range(1, 25)),
        counts=numbers(
            "neutral 96 calm 192 happy 192 sad 192 angry 192 fearful 192 disgust 192 surprised 192"
        ),
        kinds={
            "song": ("channel", "song"),
            "silent": ("modality", "video"),
            "video": ("modality", "audio and video"),
        },
        folds=parted(
            "01 11 20 21 | 04 10 12 14 | 08 09 19 23 | 03 05 07 24 | 02 15 16 18 | 06 13 17 22"
        ),
    ),
    # SAVEE: `JE/n23.wav` or `JE_n23.wav`.
    Corpus(
        name="SAVEE",
        what="acted English speech of four men, 15 sentences for each emotion",
        language="English",
        clips=480,
        speakers=4,
        licence="for research, after registration",
        source="http://kahlan.eps.surrey.ac.uk/savee/",
        cite="Haq and Jackson, Multimodal Emotion Recognition, in: Machine Audition, 2010",
        grammar=r"(?P<speaker>DC|JE|JK|KL)[/_](?P<label>a|d|f|h|n|sa|su)(?P<sentence>[0-3]\d)",
        labels=coded(
            "a angry | d disgust | f fearful | h happy | n neutral | sa sad | su surprised"
        ),
        genders=sexes(male="DC JE JK KL"),
        counts=numbers("neutral 120 angry 60 disgust 60 fearful 60 happy 60 sad 60 surprised 60"),
        folds=parted("JE | KL | DC | JK"),
        key="{speaker}_{label}{sentence}",
    ),
    # ShEMO: `male/M32S01.wav`.
    Corpus(
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
    ),
    # SUBESCO: `M_09_NAME_S_2_FEAR_2.wav`.
    Corpus(
        name="SUBESCO",
        what="acted Bangla speech of 20 actors, ten sentences",
        language="Bangla",
        clips=7000,
        speakers=20,
        licence="CC BY 4.0",
        source="https://zenodo.org/records/4526477",
        cite="Sultana et al., SUST Bangla Emotional Speech Corpus (SUBESCO), PLoS ONE 16(4), 2021",
        grammar=r"(?P<gender>[FM])_(?P<number>\d\d)_[^_/]+_S_(?P<sentence>\d{1,2})_"
        r"(?P<label>ANGRY|DISGUST|FEAR|HAPPY|NEUTRAL|SAD|SURPRISE)_(?P<take>\d)",
        derived={"speaker": "{gender}_{number}"},
        labels=coded(
            "ANGRY angry | DISGUST disgust | FEAR fearful | HAPPY happy | NEUTRAL neutral | "
            "SAD sad | SURPRISE surprised"
        ),
        counts=numbers(
            "angry 1000 disgust 1000 fearful 1000 happy 1000 neutral 1000 sad 1000 surprised 1000"
        ),
        folds=parted(
            "F_03 M_03 M_08 M_09 | F_01 F_04 F_10 M_07 | F_06 F_08 M_05 M_06 | "
            "F_05 F_07 F_09 M_04 | F_02 M_01 M_02 M_10"
        ),
    ),
    # TESS: `OAF_Fear/OAF_should_fear.wav`.
    Corpus(
        name="TESS",
        what="acted English speech of two women, `Say the word ...` with 200 words",
        language="English",
        clips=2800,
        speakers=2,
        licence="CC BY-NC-ND 4.0",
        source="https://doi.org/10.5683/SP2/E8H2MF",
        cite="Pichora-Fuller and Dupuis, Toronto emotional speech set (TESS), 2020",
        grammar=r"(?P<speaker>OAF?|YAF)_(?P<text>[a-z]+)_"
        r"(?P<label>angry|disgust|fear|happy|neutral|ps|sad)",
        labels=coded(
            "angry angry | disgust disgust | fear fearful | happy happy | neutral neutral | "
            "ps surprised | sad sad"
        ),
        codes={"speaker": {"OA": "OAF"}, "text": {"": "Say the word {}"}},
        genders=sexes(female="OAF OA YAF"),
        counts=numbers(
            "angry 400 disgust 400 fearful 400 happy 400 neutral 400 sad 400 surprised 400"
        ),
        folds=parted("OAF | YAF"),
        caveats=(
            "its two speakers are no sample of people: a score says what two voices are like",
        ),
    ),
    # URDU: `Angry/SM5_F63_A091.wav`.
    Corpus(
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
    ),
)


def known_corpora() -> tuple[Corpus, ...]:
    """Return every corpus that is known, those that need no path first, then by name."""
    return KNOWN


def corpus_called(name: str) -> Corpus | None:
    """Return the corpus of that name, in whatever way its letters are written.

    Examples:
        >>> corpus_called("crema_d").name, corpus_called("C")
        ('CREMA-D', None)
    """
    wanted = letters_of(name)
    return next((corpus for corpus in KNOWN if letters_of(corpus.name) == wanted), None)
