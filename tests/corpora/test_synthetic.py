import json
import subprocess
import sys
import wave
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations
from pathlib import Path

import librosa
import numpy as np
import pytest
import soundfile
import soxr
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import LeaveOneGroupOut, cross_val_score, train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from sklearn_ser.corpora import _formant_synthesizer, load_corpus, synthetic
from sklearn_ser.corpora.synthetic import (
    DELIVERIES,
    MARKER,
    READER,
    SPEAKERS,
    WORDS,
    deliver,
    make_synthetic,
    parse,
    synthesise,
)
from sklearn_ser.exceptions import CorpusError

TESS_EMOTIONS = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")


@pytest.fixture(scope="session")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "synthetic"
    make_synthetic(folder)
    return folder


@pytest.fixture
def small(monkeypatch):
    """A corpus of four clips, for what has nothing to do with their sound."""
    monkeypatch.setattr(synthetic, "SPEAKERS", {name: SPEAKERS[name] for name in ("f01", "m01")})
    monkeypatch.setattr(synthetic, "WORDS", WORDS[:1])
    monkeypatch.setattr(synthetic, "DELIVERIES", {e: DELIVERIES[e] for e in ("neutral", "sad")})


def contents(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir()}


# --- files


def test_names_and_counts(corpus):
    files = sorted(corpus.glob("*.wav"))
    assert len(files) == READER.n_clips == 616
    said = [parse(file) or {} for file in files]
    assert {row["label"] for row in said} == set(DELIVERIES) == set(TESS_EMOTIONS)
    assert {row["text"] for row in said} == set(WORDS)
    assert {row["speaker"]: row["sex"] for row in said} == {
        name: "female" if name[0] == "f" else "male" for name in SPEAKERS
    }
    assert len({(row["speaker"], row["text"], row["label"]) for row in said}) == 616
    assert READER.example in {file.name for file in files}


def test_read_as_a_corpus(corpus):
    table = load_corpus("synthetic", corpus)
    assert len(table) == 616
    assert (table["emotion"] == table["label"]).all()
    assert set(table["corpus"]) == {"synthetic"}
    assert table["intensity"].isna().all()
    assert table.groupby(["speaker", "emotion"]).size().eq(len(WORDS)).all()


@pytest.mark.parametrize(
    "name",
    [
        *("OAF_back_angry.wav", "03-01-05-01-02-01-12.wav", "03a01Fa.wav", "1001_DFA_ANG_XX.wav"),
        *("DC_a01.wav", "syn-f01-bamoli-calm-1.wav", "syn-f01-bamoli-sad.wav", "syn.wav"),
    ],
)
def test_other_names_are_not_ours(name):
    assert parse(Path(name)) is None


def test_case_of_names_is_ignored():
    assert parse(Path("SYN-M03-Lanude-Sad-2.WAV")) == parse(Path("syn-m03-lanude-sad-1.wav"))


def test_files_are_sound(corpus):
    sizes = 0
    for file in sorted(corpus.glob("*.wav")):
        info = soundfile.info(file)
        assert (info.samplerate, info.channels, info.subtype) == (16000, 1, "PCM_16")
        assert 0.8 <= info.duration <= 1.75
        clip = soundfile.read(file)[0]
        assert 0.01 < abs(clip).max() < 0.99
        assert abs(clip.mean()) < 0.003
        sizes += file.stat().st_size
    assert sizes < 25e6


def test_marker(corpus):
    marker = json.loads((corpus / MARKER).read_text())
    assert (marker["version"], marker["seed"]) == (synthetic.VERSION, 0)
    assert marker["n_bytes"] == sum(file.stat().st_size for file in corpus.glob("*.wav"))


# --- reproducibility


def test_same_seed_same_bytes(corpus, tmp_path, small):
    np.random.seed(7)  # noqa: NPY002 the global state must not matter
    make_synthetic(tmp_path / "a")
    np.random.seed(8)  # noqa: NPY002
    np.random.random()  # noqa: NPY002
    make_synthetic(tmp_path / "b")
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    for file in (tmp_path / "a").glob("*.wav"):  # a clip does not depend on the others
        assert file.read_bytes() == (corpus / file.name).read_bytes()


def test_other_seed_other_bytes(tmp_path, small):
    make_synthetic(tmp_path / "a", seed=0)
    make_synthetic(tmp_path / "b", seed=1)
    a, b = contents(tmp_path / "a"), contents(tmp_path / "b")
    assert a.keys() == b.keys()
    assert all(a[name] != b[name] for name in a)


def test_takes_differ():
    one, two = (synthesise("f01", "bamoli", "sad", take) for take in (1, 2))
    assert one.shape != two.shape or not np.allclose(one, two)


# --- writing


def test_complete_corpus_is_left_alone(tmp_path, small, monkeypatch):
    make_synthetic(tmp_path / "syn")
    monkeypatch.setattr(synthetic, "synthesise", None)  # would fail
    (tmp_path / "syn" / "notes.txt").write_text("mine")
    make_synthetic(tmp_path / "syn")
    assert len(contents(tmp_path / "syn")) == 6


def test_stale_corpus_is_replaced(tmp_path, small, monkeypatch):
    folder = tmp_path / "syn"
    make_synthetic(folder, seed=5)
    make_synthetic(folder, seed=0)
    fresh = contents(folder)
    assert json.loads(fresh[MARKER])["seed"] == 0

    next(folder.glob("*.wav")).unlink()  # incomplete
    make_synthetic(folder)
    assert contents(folder) == fresh

    next(folder.glob("*.wav")).write_bytes(b"")  # damaged
    make_synthetic(folder)
    assert contents(folder) == fresh

    monkeypatch.setattr(synthetic, "VERSION", 99)
    make_synthetic(folder)
    assert json.loads((folder / MARKER).read_text())["version"] == 99
    assert [path.name for path in tmp_path.iterdir()] == ["syn"]


@pytest.mark.parametrize("name", ["thesis.docx", "syn-f01-bamoli-angry-1.wav"])
def test_folder_with_other_files_is_not_touched(tmp_path, small, name):
    (tmp_path / name).write_text("mine")
    with pytest.raises(CorpusError, match=f"{name}: move them away or give another folder"):
        make_synthetic(tmp_path)
    assert contents(tmp_path) == {name: b"mine"}


def test_foreign_file_in_a_stale_corpus_is_not_lost(tmp_path, small):
    make_synthetic(tmp_path / "syn", seed=5)
    (tmp_path / "syn" / "notes.txt").write_text("mine")
    with pytest.raises(CorpusError, match=r"such as notes\.txt"):
        make_synthetic(tmp_path / "syn")
    assert (tmp_path / "syn" / "notes.txt").read_text() == "mine"


def test_file_in_place_of_the_folder(tmp_path, small):
    (tmp_path / "syn").write_text("mine")
    with pytest.raises(CorpusError, match="is a file"):
        make_synthetic(tmp_path / "syn")


def test_empty_and_missing_folders(tmp_path, small):
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / ".DS_Store").write_text("")
    for folder in (tmp_path / "empty", tmp_path / "new" / "deep"):
        make_synthetic(folder)
        assert len(contents(folder)) == 5


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError, OSError(28, "No space left")])
@pytest.mark.parametrize("before", [None, 5])
def test_interruption_leaves_nothing(tmp_path, small, monkeypatch, error, before):
    folder = tmp_path / "syn"
    if before is not None:
        make_synthetic(folder, seed=before)
    there = contents(folder) if before is not None else None
    calls = []

    def fails(*args, **kwargs):
        calls.append(args)
        if len(calls) == 3:
            raise error
        return synthesise(*args, **kwargs)

    monkeypatch.setattr(synthetic, "synthesise", fails)
    with pytest.raises(CorpusError if isinstance(error, OSError) else error) as raised:
        make_synthetic(folder)
    if isinstance(error, OSError):
        assert str(folder) in str(raised.value)
        assert "SKLEARN_SER_DATA" in str(raised.value)
        assert "No space left" in str(raised.value)
    if before is None:
        assert list(tmp_path.iterdir()) == []
    else:
        assert [path.name for path in tmp_path.iterdir()] == ["syn"]
        assert contents(folder) == there


def test_place_that_cannot_be_written(tmp_path, small):
    (tmp_path / "file").write_text("")
    with pytest.raises(CorpusError, match=r"cannot be written to .*SKLEARN_SER_DATA"):
        make_synthetic(tmp_path / "file" / "syn")


def test_another_process_was_faster(tmp_path, small, monkeypatch):
    folder, write = tmp_path / "syn", synthetic._write

    def overtaken(path, seed):
        write(path, seed)
        if not folder.exists():
            write(folder, seed)
            (folder / "theirs").write_text("")

    monkeypatch.setattr(synthetic, "_write", overtaken)
    make_synthetic(folder)
    assert (folder / "theirs").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["syn"]


@pytest.mark.parametrize("stale", [False, True])
def test_many_at_once(tmp_path, small, stale):
    folder = tmp_path / "syn"
    if stale:
        make_synthetic(folder, seed=5)
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(make_synthetic, [folder] * 12))
    assert synthetic._is_complete(folder, 0)
    assert [path.name for path in tmp_path.iterdir()] == ["syn"]


def test_two_processes_at_once(tmp_path, corpus):
    code = """if True:
        import sys
        from sklearn_ser.corpora import synthetic
        synthetic.WORDS = synthetic.WORDS[:2]
        synthetic.make_synthetic(sys.argv[1])
    """
    command = [sys.executable, "-c", code, str(tmp_path / "syn")]
    both = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        for _ in range(2)
    ]
    assert [process.communicate(timeout=120)[0] for process in both] == [b"", b""]
    assert [process.returncode for process in both] == [0, 0]
    assert [path.name for path in tmp_path.iterdir()] == ["syn"]
    made = contents(tmp_path / "syn")
    assert json.loads(made.pop(MARKER))["n_clips"] == len(made) == 112
    assert made.items() <= contents(corpus).items()


# --- the voice


def pitch_of(clip):
    """Median pitch of the vowels of a clip, in octaves above 1 Hz."""
    f0 = librosa.yin(clip, fmin=60, fmax=700, sr=16000, frame_length=1024, hop_length=256)
    loud = librosa.feature.rms(y=clip, frame_length=1024, hop_length=256)[0]
    return np.median(np.log2(f0[loud > 0.2 * loud.max()]))


def read(corpus, speaker, word, emotion):
    with wave.open(str(corpus / f"syn-{speaker}-{word}-{emotion}-1.wav")) as file:
        return np.frombuffer(file.readframes(-1), "<i2") / 32768


def test_pitch_follows_the_emotion(corpus):
    measured = {}
    for emotion in DELIVERIES:
        semitones = []
        for speaker, who in SPEAKERS.items():
            clips = [read(corpus, speaker, word, emotion) for word in WORDS[:5]]
            heard = np.mean([12 * (pitch_of(clip) - np.log2(who.pitch)) for clip in clips])
            assert heard == pytest.approx(deliver(speaker, emotion).pitch, abs=2), (
                speaker,
                emotion,
            )
            semitones.append(heard)
        measured[emotion] = np.mean(semitones)
    assert min(measured[high] for high in ("angry", "happy", "fear", "surprise")) > (
        measured["neutral"] + 2
    )
    assert measured["sad"] < measured["neutral"] - 0.7
    assert measured["disgust"] < measured["neutral"] - 0.7


def test_loudness_rate_and_brightness_follow_the_emotion(corpus):
    level, seconds, bright = {}, {}, {}
    for emotion in DELIVERIES:
        clips = [read(corpus, speaker, "bamoli", emotion) for speaker in SPEAKERS]
        level[emotion] = np.mean([10 * np.log10(np.mean(clip**2)) for clip in clips])
        seconds[emotion] = np.mean([clip.size / 16000 for clip in clips])
        spectra = [np.fft.rfft(clip / np.linalg.norm(clip), 32768) for clip in clips]
        power = np.mean(np.abs(spectra) ** 2, axis=0)
        bright[emotion] = power[2048:].sum() / power.sum()  # above 1 kHz
    assert level["angry"] > level["neutral"] + 5 > level["sad"] + 8
    assert seconds["fear"] < seconds["neutral"] < seconds["sad"]
    assert bright["angry"] > bright["neutral"] > bright["sad"]


def test_vowels_are_where_they_should_be():
    still = _formant_synthesizer.Delivery(0, 0, 0, 1, -20, 0, 0.6, 0.5, 0.02, 0.0, 1)
    for vowel in "aiu":
        clip = _formant_synthesizer.speak(
            vowel * 4, still, np.random.default_rng(0), pitch=100, tract=1.0
        )
        power = abs(librosa.stft(clip, n_fft=512)) ** 2
        envelope = np.convolve(power.mean(1), np.hanning(7), mode="same")
        f1, f2, _ = _formant_synthesizer.PHONES[vowel][0].formants
        hz = np.arange(257) * 16000 / 512
        for formant, low in ((f1, 150), (f2, (f1 + f2) / 2)):
            near = (hz > low) & (hz < formant + 400)
            assert hz[near][envelope[near].argmax()] == pytest.approx(formant, abs=120)


def test_pitch_contour_keeps_its_mean_and_rises_for_surprise():
    progress = np.linspace(0, 1, 80)
    for emotion, delivery in DELIVERIES.items():
        contour = _formant_synthesizer.intonation(progress, delivery, 3, np.random.default_rng(0))
        assert contour[1:-1].mean() == pytest.approx(delivery.pitch)
        if emotion == "surprise":
            assert contour[-5:].mean() > contour[:5].mean() + 6


# --- how hard it is


@pytest.fixture(scope="session")
def dataset(corpus):
    def features(path):
        clip = soxr.resample(soundfile.read(path, dtype="float32")[0], 16000, 22050)
        magnitude = abs(librosa.stft(clip))
        mel = librosa.feature.melspectrogram(S=magnitude**2, sr=22050)
        parts = (
            librosa.feature.mfcc(S=librosa.power_to_db(mel), n_mfcc=40),
            librosa.feature.chroma_stft(S=magnitude**2, sr=22050),
            mel,
            librosa.feature.spectral_contrast(S=magnitude, sr=22050),
        )
        return np.concatenate([part.mean(axis=1) for part in parts])

    table = load_corpus("synthetic", corpus)
    features(table["path"][0])  # numba compiles what it meets first, and not in two threads at once
    with ThreadPoolExecutor(2) as pool:
        X = np.array(list(pool.map(features, table["path"])))
    assert X.shape == (616, 187)
    return X, table["emotion"].to_numpy(), table["speaker"].to_numpy(), table["text"].to_numpy()


def svm():
    return make_pipeline(StandardScaler(), SVC(C=10))


def calibrated():
    return make_pipeline(StandardScaler(), CalibratedClassifierCV(SVC(C=10), ensemble=False))


@pytest.mark.parametrize("classifier", [svm, calibrated])
def test_random_split_is_easy(dataset, classifier):
    X, y, *_ = dataset
    for seed in range(4):
        train, test, y_train, y_test = train_test_split(
            X, y, test_size=0.2, stratify=y, random_state=seed
        )
        assert classifier().fit(train, y_train).score(test, y_test) >= 0.92


@pytest.mark.parametrize("classifier", [svm, calibrated])
def test_unseen_speakers_are_hard(dataset, classifier):
    X, y, speaker, _ = dataset
    each = cross_val_score(classifier(), X, y, groups=speaker, cv=LeaveOneGroupOut())
    assert 0.5 < np.mean(each) < 0.7
    assert 0.45 < min(each) < max(each) < 0.75


def test_every_fifth_of_the_speakers_is_hard(dataset):
    X, y, speaker, _ = dataset
    for pair in combinations(SPEAKERS, 2):
        test = np.isin(speaker, pair)
        assert 0.42 < svm().fit(X[~test], y[~test]).score(X[test], y[test]) < 0.75


def test_unseen_words_are_easy(dataset):
    X, y, _, text = dataset
    assert cross_val_score(svm(), X, y, groups=text, cv=LeaveOneGroupOut()).min() > 0.9


@pytest.mark.parametrize(
    ("classifier", "n_features"),
    [
        (make_pipeline(StandardScaler(), MLPClassifier(max_iter=500, random_state=0)), 40),
        (RandomForestClassifier(random_state=0), 187),
    ],
    ids=["mlp-mfcc", "forest"],
)
def test_other_classifiers_can_learn_it(dataset, classifier, n_features):
    X, y, *_ = dataset
    train, test, y_train, y_test = train_test_split(
        X[:, :n_features], y, test_size=0.2, stratify=y, random_state=0
    )
    assert classifier.fit(train, y_train).score(test, y_test) > 0.85
