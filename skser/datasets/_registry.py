"""Registry of the corpora that have a loader, with all facts about them."""

from skser.datasets._corpus_info import Archive, AudbTables, CorpusInfo, counted, sexes

# Common name for each emotion of any corpus; None leaves the emotion out.
HARMONIZED = {
    "anger": "anger",
    "boredom": "boredom",
    "calm": "neutral",
    "contempt": "contempt",
    "disgust": "disgust",
    "excitement": "happiness",
    "fear": "fear",
    "frustration": None,
    "happiness": "happiness",
    "neutral": "neutral",
    "no agreement": None,
    "other": None,
    "sadness": "sadness",
    "surprise": "surprise",
}
SHARED_EMOTIONS = ("anger", "happiness", "neutral", "sadness")  # in all corpora below

_RAVDESS_ACTORS = [f"{actor:02d}" for actor in range(1, 25)]
_CREMA_D_ACTORS = [str(actor) for actor in range(1001, 1092)]
_CREMA_D_WOMEN = [
    str(1000 + number)
    for number in (
        2, 3, 4, 6, 7, 8, 9, 10, 12, 13, 18, 20, 21, 24, 25, 28, 29, 30, 37, 43, 46, 47, 49, 52,
        53, 54, 55, 56, 58, 60, 61, 63, 72, 73, 74, 75, 76, 78, 79, 82, 84, 89, 91,
    )
]  # fmt: skip
_IEMOCAP_SPEAKERS = {sex: [f"Ses0{n}{sex}" for n in range(1, 6)] for sex in "FM"}

CORPORA = {
    "emodb": CorpusInfo(
        name="EmoDB",
        title="Berlin Database of Emotional Speech",
        loader="load_emodb",
        example="03a01Fa.wav",
        language="German",
        speech="acted, 10 sentences",
        labels={
            "W": "anger", "L": "boredom", "E": "disgust", "A": "fear", "F": "happiness",
            "T": "sadness", "N": "neutral",
        },
        emotions={
            "anger": 127, "boredom": 81, "disgust": 46, "fear": 69, "happiness": 71,
            "sadness": 62, "neutral": 79,
        },
        published={
            "03": 49, "08": 58, "09": 43, "10": 38, "11": 55,
            "12": 35, "13": 61, "14": 69, "15": 56, "16": 71,
        },
        n_speakers=10,
        sexes=sexes(["08", "09", "13", "14", "16"], ["03", "10", "11", "12", "15"]),
        license="CC0-1.0",
        citation=(
            "Burkhardt et al. (2005). A Database of German Emotional Speech. "
            "Interspeech, 1517-1520."
        ),
        url="http://emodb.bilderbar.info",
        description=(
            "535 utterances of ten German sentences by ten actors (five women, five men) in seven "
            "emotions, recorded at the Technical University of Berlin. `recognition` is the share "
            "of about twenty listeners who recognized the intended emotion, and `naturalness` the "
            "share who found it natural; both are NaN if the file of the listening test is "
            "missing."
        ),
        archive=Archive(
            "http://emodb.bilderbar.info/download/download.zip",
            checksum=None,
            max_bytes=500_000_000,
            max_members=5_000,
        ),
        audb=AudbTables("emodb", "emotion"),
    ),
    "ravdess": CorpusInfo(
        name="RAVDESS",
        title="Ryerson Audio-Visual Database of Emotional Speech and Song, the speech",
        loader="load_ravdess",
        example="03-01-05-01-02-01-12.wav",
        language="English",
        speech="acted, 2 sentences",
        labels={
            "01": "neutral", "02": "calm", "03": "happiness", "04": "sadness", "05": "anger",
            "06": "fear", "07": "disgust", "08": "surprise",
        },
        emotions={"neutral": 96}
        | counted(
            ("calm", "happiness", "sadness", "anger", "fear", "disgust", "surprise"), 192
        ),
        published=counted(_RAVDESS_ACTORS, 60),
        n_speakers=24,
        sexes=sexes(_RAVDESS_ACTORS[1::2], _RAVDESS_ACTORS[::2]),
        license="CC-BY-NC-SA-4.0",
        citation=(
            "Livingstone and Russo (2018). The Ryerson Audio-Visual Database of Emotional Speech "
            "and Song (RAVDESS). PLoS ONE 13(5): e0196391."
        ),
        url="https://zenodo.org/records/1188976",
        description=(
            "1440 utterances of two English sentences by 24 professional actors (twelve women, "
            "twelve men) in eight emotions. All emotions except neutral are spoken at two "
            "intensities, and each utterance is repeated once."
        ),
        notes=(
            "Two files of actor 07 are identical byte for byte: `03-01-03-01-02-01-07` and "
            "`03-01-03-01-02-02-07`.",
        ),
        archive=Archive(
            "https://zenodo.org/records/1188976/files/Audio_Speech_Actors_01-24.zip",
            "md5:bc696df654c87fed845eb13823edef8a",
            max_bytes=2_000_000_000,
            max_members=5_000,
        ),
        audb=AudbTables("ravdess", r"emotion\.speech\.\w+"),
    ),
    "crema-d": CorpusInfo(
        name="CREMA-D",
        title="Crowd-sourced Emotional Multimodal Actors Dataset",
        loader="load_crema_d",
        example="1001_DFA_ANG_XX.wav",
        language="English",
        speech="acted, 12 sentences",
        labels={
            "ANG": "anger", "DIS": "disgust", "FEA": "fear", "HAP": "happiness",
            "NEU": "neutral", "SAD": "sadness",
        },
        emotions={"neutral": 1087}
        | counted(("anger", "disgust", "fear", "happiness", "sadness"), 1271),
        published=counted(_CREMA_D_ACTORS, 82)
        | {"1002": 81, "1008": 76, "1009": 76, "1019": 76, "1076": 81},
        n_speakers=91,
        sexes=sexes(_CREMA_D_WOMEN, [a for a in _CREMA_D_ACTORS if a not in _CREMA_D_WOMEN]),
        license="ODbL-1.0",
        citation=(
            "Cao et al. (2014). CREMA-D: Crowd-sourced Emotional Multimodal Actors Dataset. "
            "IEEE Transactions on Affective Computing 5(4), 377-390."
        ),
        url="https://github.com/CheyneyComputerScience/CREMA-D",
        description=(
            "7442 clips of twelve English sentences by 91 actors (43 women, 48 men) in six "
            "emotions. The labels are the emotions that the actors were asked to portray, not "
            "those that listeners heard. One sentence, IEO, was spoken at three intensities. "
            "If `VideoDemographics.csv` exists, it adds `age`, `race` and `ethnicity` of the "
            "actors."
        ),
        notes=(
            "`1076_MTI_SAD_XX` is silent, and some copies of `1076_MTI_NEU_XX` cannot be read.",
            "`1064_IEO_DIS_MD` and `1064_TIE_SAD_XX` are cut wrongly in some copies.",
            "One file is named `1040_ITH_SAD_X`.",
            "In a clone of the repository without Git LFS, the audio files are short text files.",
        ),
        audb=AudbTables("crema-d", r"emotion\.(categories\.)?desired\.\w+"),
    ),
    "savee": CorpusInfo(
        name="SAVEE",
        title="Surrey Audio-Visual Expressed Emotion",
        loader="load_savee",
        example="DC/a01.wav or DC_a01.wav",
        language="English",
        speech="acted, 15 sentences per emotion",
        labels={
            "a": "anger", "d": "disgust", "f": "fear", "h": "happiness", "n": "neutral",
            "sa": "sadness", "su": "surprise",
        },
        emotions={"neutral": 120}
        | counted(("anger", "disgust", "fear", "happiness", "sadness", "surprise"), 60),
        published=counted(("DC", "JE", "JK", "KL"), 120),
        n_speakers=4,
        sexes=sexes(male=("DC", "JE", "JK", "KL")),
        license="research only, after registration",
        citation=(
            "Haq and Jackson (2010). Multimodal Emotion Recognition. In Machine Audition: "
            "Principles, Algorithms and Systems, IGI Global, 398-423."
        ),
        url="http://kahlan.eps.surrey.ac.uk/savee/",
        description=(
            "480 utterances of English TIMIT sentences by four men in seven emotions, with twice "
            "as many neutral utterances as of any other emotion."
        ),
        notes=(
            "Three sentences are common to all emotions, and two belong to one emotion and to "
            "neutral. File names do not show which, so `sentence` is the emotion and a number.",
        ),
    ),
    "tess": CorpusInfo(
        name="TESS",
        title="Toronto Emotional Speech Set",
        loader="load_tess",
        example="OAF_back_angry.wav",
        language="English",
        speech="acted, 200 words in one sentence",
        labels={
            "angry": "anger", "disgust": "disgust", "fear": "fear", "happy": "happiness",
            "neutral": "neutral", "ps": "surprise", "sad": "sadness",
        },
        emotions=counted(
            ("anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise"), 400
        ),
        published=counted(("OAF", "YAF"), 1400),
        n_speakers=2,
        sexes=sexes(female=("OAF", "YAF")),
        license="CC-BY-NC-ND-4.0",
        citation=(
            "Pichora-Fuller and Dupuis (2020). Toronto emotional speech set (TESS). "
            "Scholars Portal Dataverse, doi:10.5683/SP2/E8H2MF."
        ),
        url="https://doi.org/10.5683/SP2/E8H2MF",
        description=(
            "2800 utterances of 'Say the word …' with 200 words, by two actresses aged 26 (YAF) "
            "and 64 (OAF), in seven emotions; `ps` is pleasant surprise."
        ),
        notes=(
            "One file of OAF is named `OA_bite_neutral`.",
            "Two speakers are too few for speaker-independent evaluation.",
        ),
        doi="10.5683/SP2/E8H2MF",
    ),
    "emovo": CorpusInfo(
        name="EMOVO",
        title="EMOVO, Italian emotional speech",
        loader="load_emovo",
        example="dis-f1-b1.wav",
        language="Italian",
        speech="acted, 14 sentences",
        labels={
            "dis": "disgust", "gio": "happiness", "neu": "neutral", "pau": "fear",
            "rab": "anger", "sor": "surprise", "tri": "sadness",
        },
        emotions=counted(
            ("anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise"), 84
        ),
        published=counted(("f1", "f2", "f3", "m1", "m2", "m3"), 98),
        n_speakers=6,
        sexes=sexes(("f1", "f2", "f3"), ("m1", "m2", "m3")),
        license="unknown",
        citation=(
            "Costantini et al. (2014). EMOVO Corpus: an Italian Emotional Speech Database. "
            "LREC, 3501-3504."
        ),
        url="http://www.lrec-conf.org/proceedings/lrec2014/summaries/591.html",
        description=(
            "588 utterances of 14 Italian sentences, five of them nonsense, by six actors "
            "(three women, three men) in seven emotions."
        ),
        archive=Archive(
            "https://drive.usercontent.google.com/download"
            "?id=1SUtaKeA-LYnKaD3qv87Y5wYgihJiNJAo&export=download&confirm=t",
            checksum=None,
            max_bytes=2_000_000_000,
            max_members=5_000,
            name="emovo.zip",
        ),
    ),
    "nemo": CorpusInfo(
        name="nEMO",
        title="nEMO, Polish emotional speech",
        loader="load_nemo",
        example="SM0_anger_10.wav",
        language="Polish",
        speech="acted, 90 sentences",
        labels={
            "anger": "anger", "fear": "fear", "happiness": "happiness", "neutral": "neutral",
            "sadness": "sadness", "surprised": "surprise",
        },
        n_speakers=9,
        sexes=sexes(("EB0", "IC0", "KD0", "MK0"), ("KS0", "MP0", "SM0", "TP0", "WR0")),
        license="CC-BY-NC-SA-4.0",
        citation=(
            "Christop (2024). nEMO: Dataset of Emotional Speech in Polish. LREC-COLING, "
            "arXiv:2404.06292."
        ),
        url="https://github.com/amu-cai/nEMO",
        description=(
            "4481 utterances of 90 Polish sentences by nine actors (four women, five men) in six "
            "emotions, three hours at 24 kHz."
        ),
        archive=Archive(
            "https://github.com/amu-cai/nEMO/archive/06f1f83dde8f1a780443a57d53b2af3971af34ab.zip",
            checksum=None,
            max_bytes=2_000_000_000,
            max_members=10_000,
            name="nemo.zip",
        ),
    ),
    "iemocap": CorpusInfo(
        name="IEMOCAP",
        title="Interactive Emotional Dyadic Motion Capture",
        loader="load_iemocap",
        example="Session1/dialog/EmoEvaluation/Ses01F_impro01.txt",
        language="English",
        speech="acted dialogues, improvised and scripted",
        labels={
            "ang": "anger", "hap": "happiness", "exc": "excitement", "sad": "sadness",
            "neu": "neutral", "fru": "frustration", "fea": "fear", "sur": "surprise",
            "dis": "disgust", "oth": "other", "xxx": "no agreement",
        },
        emotions={
            "anger": 1103, "happiness": 595, "excitement": 1041, "sadness": 1084, "neutral": 1708,
            "frustration": 1849, "fear": 40, "surprise": 107, "disgust": 2, "other": 3,
            "no agreement": 2507,
        },
        counted_by="session",
        published={"1": 1819, "2": 1811, "3": 2136, "4": 2103, "5": 2170},
        n_speakers=10,
        sexes=sexes(_IEMOCAP_SPEAKERS["F"], _IEMOCAP_SPEAKERS["M"]),
        dimension_range=(1.0, 5.0),
        license="IEMOCAP release agreement, research only",
        citation=(
            "Busso et al. (2008). IEMOCAP: interactive emotional dyadic motion capture database. "
            "Language Resources and Evaluation 42(4), 335-359."
        ),
        url="https://sail.usc.edu/iemocap/",
        description=(
            "10,039 turns of dialogues between two actors in each of five sessions, with the "
            "emotion that most of at least three raters chose, ratings of valence, activation and "
            "dominance between 1 and 5, and transcripts."
        ),
        notes=(
            "A recording is named after the speaker who wore the markers. The speaker of a turn "
            "is given by the session and the letter in the last field: `Ses01F_impro01_M003` is "
            "spoken by `Ses01M`.",
            "All sessions use the same scripts, so different speakers say the same text in a "
            "scripted `dialog`.",
            "A few ratings lie outside 1 to 5 because of raters' mistakes; they are kept as "
            "published.",
        ),
    ),
    "msp-podcast": CorpusInfo(
        name="MSP-Podcast",
        title="MSP-Podcast corpus",
        loader="load_msp_podcast",
        example="Labels/labels_consensus.csv",
        language="English",
        speech="spontaneous, from podcasts",
        labels={
            "A": "anger", "S": "sadness", "H": "happiness", "U": "surprise", "F": "fear",
            "D": "disgust", "C": "contempt", "N": "neutral", "O": "other", "X": "no agreement",
        },
        dimension_range=(1.0, 7.0),
        license="MSP-Podcast license agreement of the University of Texas at Dallas",
        citation=(
            "Lotfian and Busso (2019). Building Naturalistic Emotionally Balanced Speech Corpus "
            "by Retrieving Emotional Speech From Existing Podcast Recordings. IEEE Transactions "
            "on Affective Computing 10(4), 471-483."
        ),
        url="https://ecs.utdallas.edu/research/researchlabs/msp-lab/MSP-Podcast.html",
        description=(
            "Turns from podcasts with the emotion that at least five raters agreed on, and their "
            "mean ratings of valence, activation and dominance between 1 and 7. The numbers of "
            "utterances differ from release to release."
        ),
        notes=(
            "The speaker \"Unknown\" becomes a missing value: it may be anyone, including "
            "speakers of other partitions.",
            "The published partitions have no known speaker in common.",
        ),
    ),
    "meld": CorpusInfo(
        name="MELD",
        title="Multimodal EmotionLines Dataset",
        loader="load_meld",
        example="train_sent_emo.csv",
        language="English",
        speech="acted, from the television series Friends",
        labels={
            "anger": "anger", "disgust": "disgust", "fear": "fear", "joy": "happiness",
            "neutral": "neutral", "sadness": "sadness", "surprise": "surprise",
        },
        emotions={
            "anger": 1607, "disgust": 361, "fear": 358, "happiness": 2308, "neutral": 6436,
            "sadness": 1002, "surprise": 1636,
        },
        counted_by="split",
        published={"train": 9989, "dev": 1109, "test": 2610},
        sexes=sexes(("Monica", "Phoebe", "Rachel"), ("Chandler", "Joey", "Ross")),
        absent=frozenset({"train dia125_utt3", "dev dia110_utt7"}),
        license="GPL-3.0 for the annotations; the sound belongs to the series",
        citation=(
            "Poria et al. (2019). MELD: A Multimodal Multi-Party Dataset for Emotion Recognition "
            "in Conversations. ACL, 527-536."
        ),
        url="https://affective-meld.github.io",
        description=(
            "13,708 utterances from dialogues with emotion, sentiment and transcript, in "
            "published training, development and test sets."
        ),
        notes=(
            "The published sets share their speakers: the six main characters are in all three. "
            "Results on these sets are therefore not speaker-independent.",
            "`dia125_utt3` of the training set cannot be decoded, and `dia110_utt7` of the "
            "development set was never published. The loader does not warn about these two.",
            "The audio contains laughter of the audience, some clips are cut wrongly, and the "
            "transcripts were aligned automatically.",
        ),
    ),
}  # fmt: skip
