"""Known corpora as they lie on disk, made small: their names, tables and traps, tones for audio."""

import struct
from dataclasses import dataclass, field
from hashlib import sha256

HEADER = struct.Struct("<4sI4s4sIHHIIHH4sI")


def tone(name, n=40):
    """A WAV file of n samples, another for each name."""
    digest = sha256(name.encode()).digest()
    samples = struct.pack(f"<{n}h", *(256 * digest[i % 32] - 32_768 for i in range(n)))
    size = len(samples)
    fields = (b"RIFF", 36 + size, b"WAVE", b"fmt ", 16, 1, 1, 16_000, 32_000, 2, 16, b"data", size)
    return HEADER.pack(*fields) + samples


@dataclass(frozen=True, kw_only=True)
class Tree:
    """What lies in a corpus's folder, and what there is to know of it.

    clips: path -> (label, speaker, gender, fold) of every clip.
    others: path -> the kind for which it is left out.
    tables: path -> text.
    copies: path -> the path of which it is a copy.
    silent: paths of files without a sample.
    columns: what some clip has beside.
    """

    clips: dict
    others: dict = field(default_factory=dict)
    tables: dict = field(default_factory=dict)
    copies: dict = field(default_factory=dict)
    silent: tuple = ()
    columns: dict = field(default_factory=dict)

    def write(self, root, samples=40):
        for name in (*self.clips, *self.others):
            content = tone(self.copies.get(name, name), 0 if name in self.silent else samples)
            put(root / name, content)
        for name, text in self.tables.items():
            put(root / name, text if isinstance(text, bytes) else text.encode())
        return root


def put(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


TREES = {
    "RAVDESS": Tree(
        clips={
            "Actor_01/03-01-01-01-01-01-01.wav": ("neutral", "01", "male", "1"),
            "Actor_11/03-01-07-02-02-02-11.wav": ("disgust", "11", "male", "1"),
            "Actor_10/03-01-02-01-02-01-10.wav": ("calm", "10", "female", "2"),
            "renamed/03-01-08-02-01-02-24.wav": ("surprised", "24", "female", "4"),
            "Actor_22/03-01-06-01-01-01-22.wav": ("fearful", "22", "female", "6"),
            "Actor_22/03-01-05-01-01-01-22.wav": ("angry", "22", "female", "6"),
        },
        others={
            "Actor_01/03-02-03-01-01-01-01.wav": "song",
            "Actor_01/01-01-03-01-01-01-01.mp4": "video",
            "Actor_01/02-01-03-01-01-01-01.mp4": "silent",
            "Actor_01/._03-01-01-01-01-01-01.wav": "macos",
            "__MACOSX/Actor_01/._03-01-01-01-01-01-01.wav": "macos",
            "audio_speech_actors_01-24/Actor_01/03-01-01-01-01-01-01.wav": "copies",
            "audio_speech_actors_01-24/Actor_11/03-01-07-02-02-02-11.wav": "copies",
        },
        copies={
            f"audio_speech_actors_01-24/{name}": name
            for name in ("Actor_01/03-01-01-01-01-01-01.wav", "Actor_11/03-01-07-02-02-02-11.wav")
        },
        columns={
            "Actor_11/03-01-07-02-02-02-11.wav": {
                "text": "Dogs are sitting by the door", "intensity": "strong", "repetition": "2",
            }
        },
    ),
    "CREMA-D": Tree(
        clips={
            "AudioWAV/1001_DFA_ANG_XX.wav": ("angry", "1001", "male", "?"),
            "AudioWAV/1002_IEO_DIS_HI.wav": ("disgust", "1002", "female", "?"),
            "AudioWAV/1052_WSI_FEA_XX.wav": ("fearful", "1052", "female", "?"),
            "AudioWAV/1091_TSI_HAP_X.wav": ("happy", "1091", "female", "?"),
            "AudioWAV/1090_MTI_NEU_XX.wav": ("neutral", "1090", "male", "?"),
            "AudioWAV/1064_TIE_SAD_XX.wav": ("sad", "1064", "male", "?"),
        },
        others={
            "AudioMP3/1001_DFA_ANG_XX.mp3": "formats",
            "VideoFlash/1001_DFA_ANG_XX.flv": "video",
            "AudioWAV/1076_MTI_SAD_XX.wav": "silent",
        },
        silent=("AudioWAV/1076_MTI_SAD_XX.wav",),
        tables={
            "VideoDemographics.csv": "ActorID,Age,Sex,Race,Ethnicity\n1001,51,Male,Caucasian,Not\n",
            "processedResults/summaryTable.csv":
                '"","FileName","VoiceVote","VoiceLevel"\n"1","1001_DFA_ANG_XX","A","63.3"\n',
            "finishedResponses.csv": '"","queryType","clipName","respEmo"\n'
            '"1",1,"1001_DFA_ANG_XX","A"\n"2",1,"1001_DFA_ANG_XX","A"\n'
            '"3",1,"1001_DFA_ANG_XX","N"\n"4",2,"1001_DFA_ANG_XX","D"\n',
        },
        columns={
            "AudioWAV/1001_DFA_ANG_XX.wav": {
                "age": "51", "votes": "angry 2, neutral 1", "voice_vote": "A",
                "text": "Don't forget a jacket",
            }
        },
    ),
    "TESS": Tree(
        clips={
            "OAF_Fear/OAF_should_fear.wav": ("fearful", "OAF", "female", "1"),
            "OAF_neutral/OA_bite_neutral.wav": ("neutral", "OAF", "female", "1"),
            "OAF_Pleasant_surprise/OAF_base_ps.wav": ("surprised", "OAF", "female", "1"),
            "YAF_disgust/YAF_week_disgust.wav": ("disgust", "YAF", "female", "2"),
            "YAF_angry/YAF_king_angry.wav": ("angry", "YAF", "female", "2"),
            "YAF_sad/YAF_gap_sad.wav": ("sad", "YAF", "female", "2"),
        },
        others={
            "TESS Toronto emotional speech set data/OAF_Fear/OAF_should_fear.wav": "copies",
            "TESS Toronto emotional speech set data/YAF_sad/YAF_gap_sad.wav": "copies",
        },
        copies={
            "TESS Toronto emotional speech set data/OAF_Fear/OAF_should_fear.wav":
                "OAF_Fear/OAF_should_fear.wav",
            "TESS Toronto emotional speech set data/YAF_sad/YAF_gap_sad.wav":
                "YAF_sad/YAF_gap_sad.wav",
        },
        columns={"OAF_Fear/OAF_should_fear.wav": {"text": "Say the word should"}},
    ),
    "SAVEE": Tree(
        clips={
            "ALL/JE_n23.wav": ("neutral", "JE", "male", "1"),
            "AudioData/KL/sa01.wav": ("sad", "KL", "male", "2"),
            "AudioData/KL/su15.wav": ("surprised", "KL", "male", "2"),
            "AudioData/DC/a03.wav": ("angry", "DC", "male", "3"),
            "AudioData/JK/d04.wav": ("disgust", "JK", "male", "4"),
            "ALL/JK_h09.wav": ("happy", "JK", "male", "4"),
        },
        others={
            "AudioData/JE/n23.wav": "copies",
            "AudioVisualClip/JE/n3.avi": "video",
        },
        copies={"AudioData/JE/n23.wav": "ALL/JE_n23.wav"},
        tables={"AudioData/Info.txt": "four male speakers\n"},
    ),
    "EmoDB": Tree(
        clips={
            "wav/03a01Wa.wav": ("angry", "03", "male", "?"),
            "wav/08b02Lb.wav": ("bored", "08", "female", "?"),
            "wav/16a05Ea.wav": ("disgust", "16", "female", "?"),
            "wav/11b09Ad.wav": ("fearful", "11", "male", "?"),
            "wav/14a07Fd.wav": ("happy", "14", "female", "?"),
            "wav/15b10Tc.wav": ("sad", "15", "male", "?"),
            "wav/10b03Nb.wav": ("neutral", "10", "male", "?"),
        },
        tables={"erklaerung.txt": "Code of emotions\n"},
        columns={"wav/15b10Tc.wav": {"version": "c"}},
    ),
}  # fmt: skip

EVALUATION = """[START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]

[6.2901 - 8.2357]\tSes01F_impro04_F000\tneu\t[2.5000, 2.0000, 3.5000]
C-E2:\tNeutral;\t()
C-E3:\tNeutral;\t()
C-E4:\tSadness; Neutral;\t()
C-F1:\tSadness;\t()
C-M1:\tAnger;\t()
A-E3:\tval 3; act 2; dom  2;\t()

[10.0100 - 11.3925]\tSes01F_impro04_M001\txxx\t[2.5000, 2.5000, 2.5000]
C-E2:\tAnger;\t()

[14.8872 - 18.0175]\tSes01F_impro04_F002\texc\t[4.0000, 3.5000, 3.0000]
C-E2:\tExcited;\t()
"""

SECOND_EVALUATION = EVALUATION.replace("Ses01F_impro04", "Ses05M_script01_1").replace(
    "\tneu\t", "\tfru\t"
)

WAV = "sentences/wav"

TREES |= {
    "IEMOCAP": Tree(
        clips={
            f"Session1/{WAV}/Ses01F_impro04/Ses01F_impro04_F000.wav":
                ("neutral", "Ses01F", "female", "1"),
            f"Session1/{WAV}/Ses01F_impro04/Ses01F_impro04_F002.wav":
                ("excited", "Ses01F", "female", "1"),
            f"Session5/{WAV}/Ses05M_script01_1/Ses05M_script01_1_F000.wav":
                ("frustrated", "Ses05F", "female", "5"),
        },
        others={
            f"Session1/{WAV}/Ses01F_impro04/Ses01F_impro04_M001.wav": "no-agreement",
            "Session1/dialog/wav/Ses01F_impro04.wav": "dialogues",
            "Session5/dialog/wav/Ses05M_script01_1.wav": "dialogues",
            "Session1/dialog/avi/DivX/Ses01F_impro04.avi": "dialogues",
        },
        tables={
            "Session1/dialog/EmoEvaluation/Ses01F_impro04.txt": EVALUATION,
            "Session5/dialog/EmoEvaluation/Ses05M_script01_1.txt": SECOND_EVALUATION,
            "Session1/dialog/EmoEvaluation/Categorical/Ses01F_impro04_e2_cat.txt": "x :Anger; ()\n",
            "Session1/dialog/transcriptions/Ses01F_impro04.txt":
                "Ses01F_impro04_F000 [006.2901-008.2357]: Excuse me.\n",
        },
        columns={
            f"Session1/{WAV}/Ses01F_impro04/Ses01F_impro04_F000.wav": {
                "valence": "2.5000", "arousal": "2.0000", "dominance": "3.5000",
                "votes": "Neutral 2, Sadness 1", "text": "Excuse me.", "scenario": "improvised",
            }
        },
    ),
    "MSP-Podcast": Tree(
        clips={
            "Audios/MSP-PODCAST_0001_0008.wav": ("neutral", "127", "male", None),
            "Audios/MSP-PODCAST_0002_0033.wav": ("contempt", None, "female", None),
            "Audios/MSP-PODCAST_0023_0016_01.wav": ("angry", "8", "female", None),
        },
        others={"Audios/MSP-PODCAST_0002_0039.wav": "no-agreement"},
        tables={
            "Labels/labels_consensus.csv":
                "FileName,EmoClass,EmoAct,EmoVal,EmoDom,SpkrID,Gender,Split_Set\n"
                "MSP-PODCAST_0001_0008.wav,N,2.2,4.0,3.4,127,Male,Test1\n"
                "MSP-PODCAST_0002_0033.wav,C,4.8,3.0,4.2,Unknown,Female,Test1\n"
                "MSP-PODCAST_0023_0016_01.wav,A,5.0,2.0,5.0,8,Female,Train\n"
                "MSP-PODCAST_0002_0039.wav,X,4.0,4.2,4.2,8,Female,Train\n",
            "Labels/labels_detailed.csv": "FileName,WorkerID,EmoClass_Major,EmoClass_Second\n"
                "MSP-PODCAST_0001_0008.wav,W1,Neutral,Neutral\n"
                "MSP-PODCAST_0001_0008.wav,W2,Happy,Happy\n"
                "MSP-PODCAST_0001_0008.wav,W3,Neutral,Calm\n",
        },
        columns={
            "Audios/MSP-PODCAST_0001_0008.wav": {
                "votes": "Neutral 2, Happy 1",
                "arousal": "2.2", "valence": "4.0", "dominance": "3.4", "split": "Test1",
            }
        },
    ),
    "MELD": Tree(
        clips={
            "train_splits/dia0_utt0.wav": ("neutral", "Chandler", "male", None),
            "train_splits/dia0_utt1.wav": ("surprised", "The Interviewer", None, None),
            "dev_splits_complete/dia0_utt0.wav": ("happy", "Phoebe", "female", None),
            "output_repeated_splits_test/dia0_utt0.wav": ("sad", "Joey", "male", None),
        },
        others={"output_repeated_splits_test/._dia0_utt0.wav": "macos"},
        tables={
            "train_sent_emo.csv":
                "Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID\n"
                '1,"also I was the point person, on it",Chandler,neutral,neutral,0,0\n'
                '2,You must have had your hands full.,The Interviewer,surprise,neutral,0,1\n',
            "dev_sent_emo.csv":
                "Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID\n"
                '1,"Oh my God!",Phoebe,joy,positive,0,0\n',
            "test_sent_emo.csv":
                "Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID\n"
                '1,"Why?",Joey,sadness,negative,0,0\n',
        },
        columns={
            "train_splits/dia0_utt0.wav": {
                "text": "also I was the point person, on it", "dialogue": "0", "split": "train",
            }
        },
    ),
    "ESD": Tree(
        clips={
            "0005/Neutral/0005_000001.wav": ("neutral", "0005", "male", "1"),
            "0001/Angry/0001_000351.wav": ("angry", "0001", "female", "5"),
            "0011/Happy/0011_000701.wav": ("happy", "0011", "male", "1"),
            "0015/Sad/evaluation/0015_001051.wav": ("sad", "0015", "female", "2"),
            "0020/Surprise/train/0020_001401.wav": ("surprised", "0020", "male", "4"),
        },
        tables={
            "0005/0005.txt": "0005_000001\t打远一看它们的确很是美丽\t中立\n".encode("gb18030"),
            "0011/0011.txt": "0011_000701\tThe nine the eggs, I keep.\tHappy\n".encode("utf-16"),
        },
        columns={
            "0005/Neutral/0005_000001.wav": {"text": "打远一看它们的确很是美丽"},
            "0011/Happy/0011_000701.wav": {"text": "The nine the eggs, I keep."},
        },
    ),
    "EMOVO": Tree(
        clips={
            "f2/gio-f2-b2.wav": ("happy", "f2", "female", "1"),
            "m3/dis-m3-l1.wav": ("disgust", "m3", "male", "2"),
            "m2/neu-m2-n5.wav": ("neutral", "m2", "male", "3"),
            "f3/pau-f3-d1.wav": ("fearful", "f3", "female", "4"),
            "f1/rab-f1-b1.wav": ("angry", "f1", "female", "5"),
            "m1/sor-m1-b3.wav": ("surprised", "m1", "male", "6"),
            "m1/tri-m1-b3.wav": ("sad", "m1", "male", "6"),
        },
    ),
    "ShEMO": Tree(
        clips={
            "male/M32S01.wav": ("sad", "M32", "male", "?"),
            "male/M01A02.wav": ("angry", "M01", "male", "?"),
            "female/F12H01.wav": ("happy", "F12", "female", "?"),
            "female/F31N11.wav": ("neutral", "F31", "female", "?"),
            "female/F02W01.wav": ("surprised", "F02", "female", "?"),
            "male/M45F01.wav": ("fearful", "M45", "male", "?"),
        },
    ),
    "URDU": Tree(
        clips={
            "Angry/SM5_F63_A091.wav": ("angry", "SM5", "male", "?"),
            "Happy/SF1_F1_H01.wav": ("happy", "SF1", "female", "?"),
            "Neutral/SM5_F63_N091.wav": ("neutral", "SM5", "male", "?"),
            "Sad/SF11_F9_S12.wav": ("sad", "SF11", "female", "?"),
        },
    ),
    "JL-Corpus": Tree(
        clips={
            "JL(wav+txt)/male2_angry_12a_2.wav": ("angry", "male2", "male", "1"),
            "JL(wav+txt)/female1_anxious_1a_1.wav": ("anxious", "female1", "female", "2"),
            "JL(wav+txt)/male1_neutral_15b_2.wav": ("neutral", "male1", "male", "3"),
            "JL(wav+txt)/female2_excited_6b_1.wav": ("excited", "female2", "female", "4"),
        },
        tables={"JL(wav+txt)/male2_angry_12a_2.txt": "Tom beats that farmer.\n"},
    ),
    "CaFE": Tree(
        clips={
            "Peur/Fort/08-P-2-1.wav": ("fearful", "08", "female", "1"),
            "Neutre/01-N-1-2.wav": ("neutral", "01", "male", "1"),
            "Colère/Faible/02-C-1-3.wav": ("angry", "02", "female", "2"),
            "Dégoût/Faible/03-D-1-4.wav": ("disgust", "03", "male", "3"),
            "Joie/Faible/12-J-1-5.wav": ("happy", "12", "female", "2"),
            "Surprise/Faible/11-S-1-6.wav": ("surprised", "11", "male", "3"),
            "Tristesse/Faible/10-T-1-6.wav": ("sad", "10", "female", "1"),
        },
        others={"CaFE_192k/08-P-2-1.aiff": "formats"},
        columns={
            "Peur/Fort/08-P-2-1.wav": {"intensity": "strong",
                                       "text": "Un cheval fou dans mon jardin"},
        },
    ),
    "SUBESCO": Tree(
        clips={
            "M_09_SHAON_S_2_FEAR_2.wav": ("fearful", "M_09", "male", "1"),
            "F_01_OISHI_S_10_ANGRY_1.wav": ("angry", "F_01", "female", "2"),
            "M_05_TITU_S_1_SURPRISE_5.wav": ("surprised", "M_05", "male", "3"),
            "F_05_SWEETY_S_3_NEUTRAL_4.wav": ("neutral", "F_05", "female", "4"),
            "F_02_MONIKA_S_1_DISGUST_5.wav": ("disgust", "F_02", "female", "5"),
        },
    ),
    "Emozionalmente": Tree(
        clips={
            "audio/1627922443.wav": ("angry", "u1", "female", None),
            "audio/1627922444.wav": ("happy", "u2", "male", None),
            "audio/1627922445.wav": ("neutral", "u2", "male", None),
        },
        tables={
            "metadata/samples.csv":
                "file_name,sentence,sentence_language,actor,emotion_expressed\n"
                "1627922443.wav,Il cielo,it,u1,anger\n1627922444.wav,Il mare,it,u2,joy\n"
                "1627922445.wav,Il mare,it,u2,neutrality\n",
            "metadata/users.csv": "username,gender,age\nu1,Female,31\nu2,Male,40\n",
            "metadata/evaluations.csv":
                "file_name,evaluator,audio_quality,emotion_recognized\n"
                "1627922443.wav,e1,good,anger\n1627922443.wav,e2,good,fear\n"
                "1627922443.wav,e3,good,anger\n",
            "metadata/split/train.csv":
                "file_name,actor\n1627922444.wav,u2\n1627922445.wav,u2\n",
            "metadata/split/test.csv": "file_name,actor\n1627922443.wav,u1\n",
        },
        columns={
            "audio/1627922443.wav": {
                "age": "31", "votes": "anger 2, fear 1", "text": "Il cielo", "split": "test",
            }
        },
    ),
    "nEMO": Tree(
        clips={
            "samples/ALA_anger_1.wav": ("angry", "ALA", "female", "?"),
            "samples/ALA_surprised_90.wav": ("surprised", "ALA", "female", "?"),
            "samples/JAN_fear_2.wav": ("fearful", "JAN", "male", "?"),
            "samples/JAN_sadness_3.wav": ("sad", "JAN", "male", "?"),
        },
        tables={
            "data.tsv":
                "file_id\temotion\traw_text\tnormalized_text\tspeaker_id\tgender\tage\n"
                "ALA_anger_1.wav\tanger\tTo, co?\tto co\tALA\tfemale\t23\n"
                "ALA_surprised_90.wav\tsurprised\tTo, co?\tto co\tALA\tfemale\t23\n"
                "JAN_fear_2.wav\tfear\tNie.\tnie\tJAN\tmale\t25\n"
                "JAN_sadness_3.wav\tsadness\tNie.\tnie\tJAN\tmale\t25\n",
        },
        columns={"samples/JAN_fear_2.wav": {"text": "Nie.", "age": "25"}},
    ),
    "AESDD": Tree(
        clips={
            "anger/a06 (5)b.wav": ("angry", "5", None, "?"),
            "disgust/d20 (1).wav": ("disgust", "1", None, "?"),
            "fear/f01 (6).wav": ("fearful", "6", None, "?"),
            "happiness/h03 (2).wav": ("happy", "2", None, "?"),
            "sadness/s04 (5)b.wav": ("sad", "5", None, "?"),
        },
    ),
    "BanglaSER": Tree(
        clips={
            "03-01-01-01-03-01-01.wav": ("happy", "01", "male", "?"),
            "03-01-02-01-01-03-02.wav": ("sad", "02", "female", "?"),
            "03-01-03-02-03-03-34.wav": ("angry", "34", "female", "?"),
            "03-01-04-02-01-01-29.wav": ("surprised", "29", "male", "?"),
            "03-01-05-01-01-02-30.wav": ("neutral", "30", "female", "?"),
        },
        columns={"03-01-03-02-03-03-34.wav": {"intensity": "strong", "sentence": "03"}},
    ),
}  # fmt: skip
