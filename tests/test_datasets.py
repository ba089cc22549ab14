import numpy as np
import pandas as pd
import pytest
import soundfile
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skser.audio import load_audio
from skser.datasets import (
    load_emodb,
    load_folder,
    load_ravdess,
    load_table,
    make_emotional_speech,
)
from skser.feature_extraction import MelSpectrogram


def touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


class TestEmoDB:
    def test_file_names_tell_everything(self, tmp_path):
        touch(tmp_path, "wav/03a01Fa.wav", "wav/14b10Wc.flac", "notes.txt", "wav/other.wav")
        (tmp_path / "erkennung.txt").write_bytes(
            b"Nr.\tSatz\terkannt\tnatuerlich\n1\xa0\t03a01Fa.wav\t90,00\xa0\t75,50\xa0\n"
        )
        with pytest.warns(UserWarning, match=r"2 of 535 .*03 \(1 of 49\), 08 \(0 of 58\)"):
            corpus = load_emodb(tmp_path)
        assert corpus.target.tolist() == ["happiness", "anger"]
        assert corpus.speakers.tolist() == ["03", "14"]
        assert corpus.sexes.tolist() == ["male", "female"]
        assert corpus.sentences.tolist() == ["a01", "b10"]
        assert corpus.transcripts[0] == "Der Lappen liegt auf dem Eisschrank."
        assert corpus.frame["recognition"][0] == 0.9
        assert corpus.frame["naturalness"][0] == 0.755
        assert np.isnan(corpus.frame["recognition"][1])

    @pytest.mark.real_data
    def test_the_corpus_is_as_published(self, emodb_path):
        corpus = load_emodb(emodb_path)
        counts = corpus.frame["emotion"].value_counts().to_dict()
        assert counts == {
            "anger": 127, "boredom": 81, "disgust": 46, "fear": 69, "happiness": 71,
            "sadness": 62, "neutral": 79,
        }  # fmt: skip
        assert len(set(corpus.speakers)) == 10
        assert len(set(corpus.sentences)) == 10
        assert corpus.frame["recognition"].notna().all()
        assert 0.8 <= corpus.frame["recognition"].min() <= corpus.frame["recognition"].max() <= 1
        assert corpus.frame.notna().all().all()


class TestRAVDESS:
    @pytest.mark.parametrize("folder", ["", "Actor_12/", "a/b/"])
    def test_flat_and_nested_layouts(self, tmp_path, folder):
        touch(
            tmp_path,
            f"{folder}03-01-05-01-02-01-12.wav",
            f"{folder}03-01-01-01-01-02-07.flac",
            f"{folder}03-02-05-01-02-01-12.wav",
            f"{folder}01-01-05-01-02-01-12.mp4",
        )
        with pytest.warns(UserWarning, match=r"2 of 1440 .*01 \(0 of 60\)"):
            corpus = load_ravdess(tmp_path)
        assert sorted(corpus.target) == ["anger", "neutral"]
        assert corpus.speakers.tolist() == ["07", "12"]
        assert corpus.sexes.tolist() == ["male", "female"]
        assert corpus.frame["intensity"].tolist() == ["normal", "normal"]
        assert corpus.frame["repetition"].tolist() == [2, 1]

    @pytest.mark.real_data
    def test_the_corpus_is_as_published(self, ravdess_path):
        corpus = load_ravdess(ravdess_path)
        counts = corpus.counts()
        assert counts.loc["all", "neutral"] == 96
        assert (counts.loc["all"].drop(["all", "neutral"]) == 192).all()
        assert (counts.drop("all")["all"] == 60).all()
        assert len(set(corpus.speakers)) == 24
        assert len(set(corpus.sentences)) == 2

    @pytest.mark.real_data
    def test_originals_load_with_a_warning_of_what_is_missing(self, ravdess_originals_path):
        with pytest.warns(UserWarning, match=r"8 of 1440 .*01 \(4 of 60\)"):
            X, y = load_ravdess(ravdess_originals_path, return_X_y=True)
        assert X.shape == y.shape == (8,)


class TestOwnData:
    def test_a_table_keeps_its_columns(self, tmp_path):
        touch(tmp_path, "x/a.wav", "x/b.wav")
        pd.DataFrame(
            {
                "audio": ["x/a.wav", "x/b.wav"],
                "emotion": ["anger", "joy"],
                "speaker": ["01", "02"],
                "valence": [-0.5, 0.5],
                "take": [1, 2],
            }
        ).to_csv(tmp_path / "table.csv", index=False)
        corpus = load_table(tmp_path / "table.csv", name="mine")
        assert corpus.speakers.tolist() == ["01", "02"]
        assert corpus.data[0] == str(tmp_path / "x/a.wav")
        assert corpus.valence.tolist() == [-0.5, 0.5]
        assert corpus.activation is None
        assert corpus.sexes is None
        assert corpus.frame["take"].tolist() == [1, 2]

    def test_a_folder_per_class(self, tmp_path):
        touch(tmp_path, "anger/a.wav", "anger/deep/b.mp3", "joy/c.flac", "joy/readme.txt")
        X, y = load_folder(tmp_path, return_X_y=True)
        assert y.tolist() == ["anger", "anger", "joy"]
        assert [path.rsplit("/", 1)[1] for path in X] == ["a.wav", "b.mp3", "c.flac"]
        assert "unknown number of speakers" in repr(load_folder(tmp_path))


class TestSpeechCorpus:
    def test_select(self, corpus):
        part = corpus.select(emotions=["anger", "fear"], speakers=["02", "03"])
        assert part.target_names == ["anger", "fear"]
        assert set(part.speakers) == {"02", "03"}
        assert len(part.data) == 8
        assert part.sampling_rate == corpus.sampling_rate
        with pytest.raises(ValueError, match=r"no emotion \['joy'\]; it has \['anger'"):
            corpus.select(emotions=["joy"])
        with pytest.raises(ValueError, match="no speaker"):
            corpus.select(speakers=["99"])

    def test_relabel(self, corpus):
        merged = corpus.relabel(
            {
                "anger": "high",
                "fear": "high",
                "happiness": "high",
                "sadness": "low",
                "neutral": None,
            }
        )
        assert merged.target_names == ["high", "low"]
        assert len(merged.target) == 32
        assert merged.label_map["anger"] == "high"
        assert len(merged.frame) == 32
        with pytest.raises(ValueError, match=r"must name each of .* it differs in"):
            corpus.relabel({"anger": "high"})

    def test_repr_counts_classes_and_speakers(self, corpus):
        text = repr(corpus)
        assert "40 utterances, 4 speakers, 5 emotions" in text
        assert all(name in text for name in (*corpus.target_names, "01", "04", "all"))

    def test_it_survives_a_pickle(self, corpus):
        import pickle

        copy = pickle.loads(pickle.dumps(corpus))
        assert copy.target.tolist() == corpus.target.tolist()
        assert copy.select(speakers=["01"]).target_names == corpus.target_names

    def test_the_frame_is_an_utterance_table(self, corpus):
        mel = MelSpectrogram(n_mels=8, input_sampling_rate=corpus.sampling_rate)
        from_table, from_data = mel.transform(corpus.frame), mel.transform(corpus.data)
        np.testing.assert_array_equal(from_table.values, from_data.values)


class TestMadeUpSpeech:
    def test_one_seed_gives_one_corpus(self):
        a, b = (make_emotional_speech(2, 5, random_state=3) for _ in range(2))
        for x, y in zip(a.data, b.data, strict=True):
            np.testing.assert_array_equal(x, y)
        c = make_emotional_speech(2, 5, random_state=4)
        assert len(a.data[0]) != len(c.data[0]) or not np.array_equal(a.data[0], c.data[0])

    def test_utterances_are_audio_of_different_lengths(self, corpus):
        lengths = [len(x) / corpus.sampling_rate for x in corpus.data]
        assert 0.8 < min(lengths) < 0.7 * max(lengths) < 4
        for x in corpus.data:
            assert x.dtype == np.float32
            assert 0.1 < np.abs(x).max() <= 1

    def test_emotions_are_balanced_over_speakers_and_sentences(self):
        corpus = make_emotional_speech(4, 30, random_state=0)
        assert (corpus.counts().drop("all").drop(columns="all") == 6).all().all()
        table = pd.crosstab(corpus.frame["emotion"], corpus.frame["sentence"])
        assert (table > 0).all().all()
        assert set(corpus.sexes) == {"female", "male"}

    def test_pitch_and_dimensions_follow_the_emotion(self):
        import librosa

        corpus = make_emotional_speech(4, 10, ["sadness", "anger"], random_state=0)

        def median_pitch(samples):
            settings = {"frame_length": 1024, "hop_length": 256}
            f0 = librosa.yin(samples, fmin=60, fmax=400, sr=16000, **settings)
            level = librosa.feature.rms(y=samples, **settings)[0]
            return np.median(f0[level > np.median(level)])

        pitch = np.array([median_pitch(x) for x in corpus.data])
        for speaker in set(corpus.speakers):
            of = corpus.speakers == speaker
            angry = np.median(pitch[of & (corpus.target == "anger")])
            sad = np.median(pitch[of & (corpus.target == "sadness")])
            assert 12 * np.log2(angry / sad) > 2
        male = np.median(pitch[corpus.sexes == "male"])
        assert np.median(pitch[corpus.sexes == "female"]) > 1.4 * male
        assert corpus.activation[corpus.target == "anger"].min() > 0.1
        assert corpus.activation[corpus.target == "sadness"].max() < -0.1

    def test_files_hold_what_the_arrays_hold(self, tmp_path):
        arrays = make_emotional_speech(1, 5, random_state=0)
        files = make_emotional_speech(1, 5, random_state=0, output_dir=tmp_path / "new")
        assert files.sampling_rate is None
        for path, expected in zip(files.data, arrays.data, strict=True):
            assert soundfile.info(path).samplerate == 16000
            np.testing.assert_allclose(load_audio(path)[0], expected, atol=1e-4)

    @pytest.mark.parametrize("seed", [0, 1])
    def test_statistics_alone_get_half_way(self, seed):
        corpus = make_emotional_speech(random_state=seed)
        mel = MelSpectrogram(deltas=0, normalize=None, input_sampling_rate=corpus.sampling_rate)
        X = mel.transform(corpus.data)
        n = X.lengths[:, None]
        mean = X.reduce(np.add) / n
        variance = X.map_values(np.square).reduce(np.add) / n - mean**2
        linear = make_pipeline(StandardScaler(), LogisticRegression(max_iter=5000))
        scores = cross_val_score(
            linear, np.hstack([mean, variance]), corpus.target, groups=corpus.speakers,
            cv=GroupKFold(5), scoring="balanced_accuracy",
        )  # fmt: skip
        assert 0.45 <= scores.mean() <= 0.75
