"""What one reading of a clip tells beside its features."""

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from sklearn_ser import make_pipeline
from sklearn_ser.audio import content
from sklearn_ser.features.quality import loud_level
from sklearn_ser.pipelines import extract_features
from tests.conftest import SR, voice


@pytest.fixture
def clips(wav):
    """A mono and a stereo clip at two rates, and one that is silent, as paths."""
    stereo = np.stack([voice(seed=1), voice(seed=2)], axis=1)
    return [
        str(wav("mono.wav", voice(0.7))),
        str(wav("stereo.flac", stereo, sr=16000)),
        str(wav("silent.wav", np.zeros(8000))),
    ]


@pytest.mark.parametrize("features", ["mfcc", "logmel", "functionals"])
def test_inspections_are_those_of_the_files(clips, features):
    pipeline = make_pipeline("passthrough", features)
    X, inspections, failures = extract_features(pipeline, ["missing.wav", *clips])
    assert len(X) == 3
    assert list(failures) == [0]
    assert inspections.index.tolist() == [1, 2, 3]
    for path, row in zip(clips, inspections.itertuples(), strict=True):
        info = soundfile.info(path)
        y = soundfile.read(path, dtype="float32", always_2d=True)[0].mean(axis=1)
        assert row.sha256 == hashlib.sha256(Path(path).read_bytes()).hexdigest()
        assert (row.frames, row.sampling_rate) == (info.frames, info.samplerate)
        assert row.seconds == pytest.approx(info.duration, abs=1e-4)
        power = np.mean(np.square(y, dtype=float))
        assert row.level == pytest.approx(10 * np.log10(max(power, 1e-20)), abs=0.05)
    assert inspections["bandwidth"].tolist()[2] == 0
    assert inspections["loud"].tolist()[2] == -200
    assert inspections["samples_sha256"].nunique() == 3
    assert inspections.dtypes[["frames", "sampling_rate"]].tolist() == [np.dtype(int)] * 2


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_each_file_is_read_once_and_with_a_warm_cache_once_and_never_decoded(
    clips, tmp_path, reads, monkeypatch, n_jobs
):
    pipeline = make_pipeline("svm", "mfcc,chroma", n_jobs=n_jobs)
    plain = extract_features(pipeline, clips)
    assert reads == dict.fromkeys(clips, 1)
    pipeline.set_params(features__cache_dir=tmp_path / "cache")
    for _ in range(2):
        reads.clear()
        found = extract_features(pipeline, clips)
        assert reads == dict.fromkeys(clips, 1)
        np.testing.assert_array_equal(found.X, plain.X)
        pd.testing.assert_frame_equal(found.inspections, plain.inspections)
        monkeypatch.setattr("sklearn_ser.audio.decoding._decode", pytest.fail)


def test_features_that_were_cached_without_inspection(clips, tmp_path):
    pipeline = make_pipeline("svm", "mfcc", features__cache_dir=tmp_path / "cache")
    matrix = pipeline[:2].fit_transform(clips)
    X, inspections, _ = extract_features(pipeline, clips)
    np.testing.assert_array_equal(X, matrix)
    assert inspections["frames"].tolist() == [soundfile.info(path).frames for path in clips]


def test_a_clip_that_changes_while_it_is_read_never_has_anothers_features(wav, tmp_path):
    """The file is written anew as soon as it has been read, each time with another recording."""
    path = wav("a.wav", voice(seed=0))
    recordings = [wav(f"{i}.wav", voice(0.5, 100 + 20 * i, seed=i)).read_bytes() for i in range(4)]
    pipeline = make_pipeline("svm", "mfcc")
    expected = {
        hashlib.sha256(one).hexdigest(): pipeline[:2].fit_transform([one])[0] for one in recordings
    }
    pipeline.set_params(features__cache_dir=tmp_path / "cache")
    read = content.open_regular

    class Changing:
        def __init__(self, *args, **how):
            self.file = read(*args, **how)

        def __enter__(self):
            return self

        def __exit__(self, *error):
            self.file.close()
            path.write_bytes(recordings[next(turn) % 4])

        def __getattr__(self, name):
            return getattr(self.file, name)

    turn = iter(range(1, 100))
    path.write_bytes(recordings[0])
    with pytest.MonkeyPatch.context() as changing:
        changing.setattr(content, "open_regular", Changing)
        for _ in range(10):
            X, inspections, failures = extract_features(pipeline, [path])
            assert not failures
            np.testing.assert_array_equal(X[0], expected[inspections["sha256"].iloc[0]])
    for one, features in zip(recordings, expected.values(), strict=True):
        np.testing.assert_array_equal(pipeline[:2].transform([one])[0], features)


def test_the_loud_level_is_that_of_a_tenth_of_the_frames():
    y = np.zeros(SR)
    y[5000:9000] = 0.1
    assert loud_level(y, SR) == pytest.approx(-20)
    assert loud_level(y[:5000], SR) == -200
    assert loud_level(np.full(3, 0.1), SR) == pytest.approx(-20)
