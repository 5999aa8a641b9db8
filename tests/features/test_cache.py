import importlib.util
import multiprocessing
import os
import pickle
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

import sklearn_ser.audio as audio
from sklearn_ser import (
    MFCC,
    AudioFeatureUnion,
    AudioLoader,
    Chroma,
    make_pipeline,
    save_pipeline,
)
from sklearn_ser.audio import decoding
from sklearn_ser.features import _cache, _keys
from sklearn_ser.features._cache import FeatureCache
from tests.conftest import SR, run, voice


@pytest.fixture
def paths(tmp_path):
    found = []
    for i in range(40):
        found.append(str(tmp_path / f"{i}.wav"))
        soundfile.write(found[-1], voice(0.2, 100 + 5 * i, seed=i), SR)
    return found


@pytest.fixture
def decoded(monkeypatch):
    """The names of the clips decoded so far."""
    names = []
    decode = decoding._decode
    monkeypatch.setattr(decoding, "_decode", lambda *a: names.append(a[2]) or decode(*a))
    return names


def union(folder, **how):
    features = [("mfcc", MFCC()), ("chroma", Chroma())]
    return AudioFeatureUnion(features, cache_dir=folder, **how)


def transform(features, paths, **loader):
    return features.transform(AudioLoader(**loader).transform(paths))


def test_nothing_is_computed_twice(paths, tmp_path, decoded):
    without = transform(union(None), paths)
    decoded.clear()
    first = transform(union(tmp_path / "c"), paths)
    assert decoded == paths
    again = transform(union(tmp_path / "c", n_jobs=2), paths)
    assert decoded == paths
    np.testing.assert_array_equal(first, without)
    np.testing.assert_array_equal(again, without)


def test_a_changed_parameter_is_another_setting(paths, tmp_path, decoded):
    features = union(tmp_path / "c")
    transform(features, paths)
    decoded.clear()
    changed = transform(features.set_params(mfcc__n_mfcc=13), paths)
    assert decoded == paths
    assert changed.shape == (40, 25)
    transform(features, paths, offset=0.1)
    assert len(decoded) == 80
    transform(union(tmp_path / "c"), paths)
    assert len(decoded) == 80


def test_only_what_is_lacking_is_computed(paths, tmp_path, monkeypatch):
    mfcc = AudioFeatureUnion([("mfcc", MFCC())], cache_dir=tmp_path / "c")
    transform(mfcc, paths)
    monkeypatch.setattr(MFCC, "compute", pytest.fail)
    found = transform(union(tmp_path / "c"), paths)[:, 40:]
    np.testing.assert_array_equal(found, transform(union(None).set_params(mfcc="drop"), paths))


def test_a_changed_file_is_another_clip(paths, tmp_path, decoded):
    features = union(tmp_path / "c")
    first = transform(features, paths)
    before = os.stat(paths[3])
    data = bytearray(Path(paths[3]).read_bytes())
    data[5000:6000] = bytes(1000)
    Path(paths[3]).write_bytes(data)
    os.utime(paths[3], ns=(before.st_atime_ns, before.st_mtime_ns))  # size and times tell nothing
    decoded.clear()
    again = transform(features, paths)
    assert decoded == [paths[3]]
    assert (first != again).any(axis=1).nonzero()[0].tolist() == [3]


def test_a_copy_under_another_name_is_the_same_clip(paths, tmp_path, decoded):
    transform(union(tmp_path / "c"), paths[:1])
    os.rename(paths[0], tmp_path / "moved.wav")
    transform(union(tmp_path / "c"), [str(tmp_path / "moved.wav")])
    assert len(decoded) == 1


def test_changed_code_computes_anew(paths, tmp_path, decoded, monkeypatch):
    transform(union(tmp_path / "c"), paths)
    monkeypatch.setattr(_keys, "code_version", lambda: "of tomorrow")
    transform(union(tmp_path / "c"), paths)
    assert len(decoded) == 80


def test_the_version_of_the_code_is_that_of_its_files(monkeypatch, tmp_path):
    import shutil

    here = _keys.code_version()
    copy = tmp_path / "features"
    shutil.copytree(os.path.dirname(_keys.__file__), copy)
    shutil.copytree(os.path.dirname(audio.__file__), tmp_path / "audio")
    monkeypatch.setattr(_keys, "__file__", str(copy / "_keys.py"))
    assert _keys.code_version.__wrapped__() == here
    (copy / "spectral.py").write_text((copy / "spectral.py").read_text() + "\n# changed")
    assert _keys.code_version.__wrapped__() != here


def test_bad_clips_are_not_kept_and_bytes_and_waveforms_are(paths, tmp_path, decoded):
    features = union(tmp_path / "c")
    data = Path(paths[0]).read_bytes()
    rows = transform(features, [paths[0], data, bytearray(data)])
    np.testing.assert_array_equal(rows[1], rows[0])
    assert len(decoded) == 3  # known only once the batch is done
    transform(features, [data])
    assert len(decoded) == 3
    wave = voice()
    np.testing.assert_array_equal(transform(features, [wave]), transform(features, [wave]))
    for _ in range(2):
        with pytest.raises(ValueError, match="does not exist"):
            transform(features, [str(tmp_path / "missing.wav")])


def test_no_pickles_inside(paths, tmp_path, monkeypatch):
    monkeypatch.setattr(pickle, "loads", pytest.fail)
    transform(union(tmp_path / "c"), paths)
    transform(union(tmp_path / "c"), paths)
    with sqlite3.connect(tmp_path / "c" / _cache.FILE_NAME) as connection:
        rows = connection.execute("SELECT length(data) FROM features").fetchall()
    connection.close()
    # A checksum, the number of axes, their one length, and the features.
    assert sorted(set(rows)) == [(16 + 8 + 4 * 12,), (16 + 8 + 4 * 40,)]


def test_somebody_elses_transformer(paths, tmp_path):
    module = tmp_path / "theirs.py"
    code = (
        "from sklearn_ser import MFCC\n"
        "class Mine(MFCC):\n"
        "    def compute(self, spectra):\n"
        "        return super().compute(spectra) * {}\n"
    )

    def load(factor):
        module.write_text(code.format(factor))
        specification = importlib.util.spec_from_file_location("theirs", module)
        sys.modules["theirs"] = importlib.util.module_from_spec(specification)
        specification.loader.exec_module(sys.modules["theirs"])
        return AudioFeatureUnion([("m", sys.modules["theirs"].Mine())], cache_dir=tmp_path / "c")

    # In files of different sizes, or Python might take the second for the first.
    once, twice = (transform(load(factor), paths[:2]) for factor in ("1", "2.0"))
    np.testing.assert_allclose(twice, 2 * once)
    del sys.modules["theirs"]


def test_nothing_of_it_is_in_a_saved_pipeline(little_corpus, tmp_path):
    from sklearn_ser.corpora import load_data

    corpus = load_data(str(little_corpus))
    pipe = make_pipeline("logreg", "mfcc", features__cache_dir=tmp_path / "secret")
    pipe.fit(corpus["path"], corpus["emotion"])
    assert (tmp_path / "secret").is_dir()
    path = save_pipeline(pipe, tmp_path / "x.joblib")
    assert b"secret" not in path.read_bytes()


def test_its_size_is_bounded(tmp_path):
    cache = FeatureCache(tmp_path, max_bytes=200_000)
    for i in range(200):
        cache.put({f"{i}-{j}".encode(): bytes(400) for j in range(10)})
    assert cache.file.stat().st_size < 300_000
    assert len(cache.get([f"199-{j}".encode() for j in range(10)])) == 10
    assert not cache.get([f"0-{j}".encode() for j in range(10)])


def test_what_is_used_stays(tmp_path, monkeypatch):
    cache = FeatureCache(tmp_path, max_bytes=200_000)
    day = [0]
    monkeypatch.setattr(_cache, "_today", lambda: day[0])
    cache.put({b"precious": bytes(400)})
    for day[0] in range(1, 100):
        cache.get([b"precious"])
        cache.put({f"{day[0]}-{j}".encode(): bytes(400) for j in range(20)})
    assert cache.get([b"precious"])


def damage(file):
    file.write_bytes(b"this is no database " * 500)


def forbid(file):
    file.parent.rmdir()
    file.parent.write_text("a file where the folder should be")


def another_schema(file):
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE features (something_else)")
    connection.close()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (damage, "was damaged .* and starts anew"),
        (another_schema, "was damaged .* and starts anew"),
        (forbid, "computed without it"),
    ],
)
def test_without_a_usable_cache_work_goes_on(paths, tmp_path, spoil, message, decoded):
    folder = tmp_path / "c"
    folder.mkdir()
    spoil(folder / _cache.FILE_NAME)
    with pytest.warns(UserWarning, match=message):
        rows = transform(union(folder), paths)
    np.testing.assert_array_equal(rows, transform(union(None), paths))
    if "anew" in message:
        decoded.clear()
        transform(union(folder), paths)
        assert not decoded


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
@pytest.mark.parametrize(
    ("mode", "place", "reason"),
    [
        (0o770, "", "others can write to it"),
        (0o707, "", "others can write to it"),
        (0o666, _cache.FILE_NAME, "others can write to it"),
        (None, "", "belongs to another user"),
        (None, _cache.FILE_NAME, "belongs to another user"),
    ],
)
def test_a_cache_that_others_could_have_written_is_not_used(
    paths, tmp_path, decoded, mode, place, reason
):
    features = union(tmp_path / "c" / "d")
    rows = transform(features, paths[:2])
    assert (tmp_path / "c").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "c" / "d").stat().st_mode & 0o777 == 0o700
    spoiled = tmp_path / "c" / "d" / place
    if mode is not None:
        spoiled.chmod(mode)
    elif os.geteuid() == 0:
        os.chown(spoiled, 12345, -1)
    else:
        pytest.skip("only root can give a folder away")
    decoded.clear()
    with pytest.warns(UserWarning, match=f"cannot be used .*{reason}.*computed without it"):
        found = transform(features, paths[:2])
    np.testing.assert_array_equal(found, rows)
    assert len(decoded) == 2


def rewrite(file, query, *values):
    with sqlite3.connect(file) as connection:
        assert connection.execute(query, values).rowcount
    connection.close()


@pytest.mark.parametrize(
    "query",
    [
        "UPDATE features SET data = zeroblob(length(data))",
        "UPDATE features SET data = NULL",
        "UPDATE features SET data = 'words'",
        "UPDATE features SET data = 1.5",
        "UPDATE features SET data = x''",
        "UPDATE features SET data = substr(data, 1, length(data) - 4)",
        # Whole rows, each under the key of another clip.
        "UPDATE features SET data = (SELECT data FROM features f WHERE f.rowid = "
        "features.rowid + 1)",
    ],
)
def test_a_damaged_row_is_computed_again_and_replaced(paths, tmp_path, decoded, query):
    features = union(tmp_path / "c")
    expected = transform(features, paths)
    rewrite(tmp_path / "c" / _cache.FILE_NAME, query)
    decoded.clear()
    np.testing.assert_array_equal(transform(features, paths), expected)
    assert decoded == paths
    np.testing.assert_array_equal(transform(features, paths), expected)
    assert decoded == paths


@pytest.mark.parametrize("value", [np.full(40, np.nan), np.full(39, 1.0), np.full((40, 1), 1.0)])
def test_a_sound_row_of_unsound_features_is_computed_again(paths, tmp_path, decoded, value):
    features = AudioFeatureUnion([("mfcc", MFCC())], cache_dir=tmp_path / "c")
    expected = transform(features, paths[:1])
    with sqlite3.connect(tmp_path / "c" / _cache.FILE_NAME) as connection:
        ((key,),) = connection.execute("SELECT key FROM features").fetchall()
    connection.close()
    FeatureCache(tmp_path / "c", 10**8).put({key: _cache.pack(value)})
    np.testing.assert_array_equal(transform(features, paths[:1]), expected)
    assert len(decoded) == 2


def spoil_at_random(file, seed):
    """Flip a bit, or overwrite some bytes with random ones, or cut the file."""
    rng = np.random.default_rng(seed)
    data = bytearray(file.read_bytes())
    if seed % 3 == 0:
        data[rng.integers(len(data))] ^= 1 << int(rng.integers(8))
    elif seed % 3 == 1:
        for _ in range(int(rng.integers(1, 30))):
            start, length = int(rng.integers(len(data))), int(rng.integers(1, 300))
            data[start : start + length] = rng.bytes(len(data[start : start + length]))
    else:
        del data[int(rng.integers(len(data))) :]
        data += rng.bytes(int(rng.integers(5000)))
    file.write_bytes(data)


N_DAMAGED = int(os.environ.get("SKLEARN_SER_DAMAGED", 24))  # the full figure is of 200


@pytest.mark.filterwarnings("ignore:The feature cache")
def test_random_damage_never_gives_wrong_features(paths, tmp_path, capsys):
    clips = AudioLoader().transform(paths[:30])
    features = AudioFeatureUnion([("mfcc", MFCC()), ("chroma", Chroma())])

    def extract(folder):
        features.cache_dir = folder
        batches = list(features.iter_batches(clips, inspect="all"))
        assert not any(batch.failures for batch in batches)
        return (
            np.stack([row for batch in batches for row in batch.rows]),
            [one for batch in batches for one in batch.inspections],
        )

    rows, inspections = extract(tmp_path / "sound")
    sound = (tmp_path / "sound" / _cache.FILE_NAME).read_bytes()
    changed = []
    for seed in range(N_DAMAGED):
        folder = tmp_path / str(seed)
        folder.mkdir()
        (folder / _cache.FILE_NAME).write_bytes(sound)
        spoil_at_random(folder / _cache.FILE_NAME, seed)
        for _ in range(2):  # the second time what the first has written into it
            found, inspected = extract(folder)
            np.testing.assert_array_equal(found, rows, err_msg=f"seed {seed}")
            assert inspected == inspections, f"seed {seed}"
        changed.append((folder / _cache.FILE_NAME).read_bytes() != sound)
    assert sum(changed) > N_DAMAGED / 2  # so that there was something to get wrong
    with capsys.disabled():
        if N_DAMAGED != 24:
            print(f"\n{N_DAMAGED} damaged files, {sum(changed)} still differ: 0 wrong features")


def write_much(folder, start):
    cache = FeatureCache(folder, max_bytes=10**8)
    for i in range(start, start + 100):
        cache.put({f"{i}-{j}".encode(): f"{i}".encode() * 100 for j in range(20)})


def test_two_processes_write_at_once(tmp_path):
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=write_much, args=(tmp_path, 50 * k)) for k in range(2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    found = FeatureCache(tmp_path, 10**8).get(
        [f"{i}-{j}".encode() for i in range(150) for j in range(20)]
    )
    assert len(found) == 150 * 20
    assert all(value == key.split(b"-")[0] * 100 for key, value in found.items())


def test_killed_in_the_middle(tmp_path):
    program = (
        "import itertools\n"
        "from sklearn_ser.features._cache import FeatureCache\n"
        f"cache = FeatureCache({str(tmp_path)!r}, 10**8)\n"
        "for i in itertools.count():\n"
        "    cache.put({f'{i}-{j}'.encode(): b'%8d' % i * 1000 for j in range(20)})\n"
        "    print(i, flush=True)"
    )
    for patience in (3, 10, 30):
        writer = subprocess.Popen(
            [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True
        )
        for _ in range(patience):
            last = int(writer.stdout.readline())
        time.sleep(0.003)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
        for i in range(last + 1):
            found = FeatureCache(tmp_path, 10**8).get([f"{i}-{j}".encode() for j in range(20)])
            assert len(found) == 20
            assert all(value == b"%8d" % i * 1000 for value in found.values())


# sklearn-ser features


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize("cache", [(), ("--no-cache",)])
def test_the_feature_table(little_corpus, tmp_path, suffix, cache):
    out = tmp_path / "out" / f"t.{suffix}"
    told, _ = run("features", little_corpus, "-o", out, "--features", "mfcc,chroma", *cache)
    assert "24 clips, 52 features" in told
    table = (pd.read_csv if suffix == "csv" else pd.read_parquet)(out)
    assert table.columns[:4].tolist() == ["path", "emotion", "speaker", "mfcc_0_mean"]
    assert table.shape == (24, 3 + 52)
    expected = transform(union(None), table["path"].tolist())
    np.testing.assert_array_equal(table.iloc[:, 3:].to_numpy(np.float32), expected)
    assert [file.name for file in out.parent.iterdir()] == [out.name]


@pytest.mark.parametrize("cache", [(), ("--no-cache",)])
def test_a_killed_table_goes_on_where_it_was(paths, tmp_path, monkeypatch, decoded, cache):
    pd.DataFrame({"path": paths, "emotion": "sad"}).to_csv(tmp_path / "mine.csv", index=False)
    how = ("features", tmp_path / "mine.csv", "-o", tmp_path / "t.parquet", "--features", "mfcc")
    how += ("--n-jobs", 1, *cache)

    class KilledError(BaseException):
        pass

    def dies(source, settings, name):
        if name == paths[35]:
            raise KilledError
        decoded.append(name)
        return decode(source, settings, name)

    decode = decoding._decode
    with monkeypatch.context() as dying:
        dying.setattr(decoding, "_decode", dies)
        with pytest.raises(KilledError):
            run(*how)
    assert not (tmp_path / "t.parquet").exists()
    decoded.clear()
    run(*how)
    assert set(decoded) == set(paths[32:])  # the first batch was kept
    undisturbed = tmp_path / "u.parquet"
    run("features", tmp_path / "mine.csv", "-o", undisturbed, "--features", "mfcc", "--no-cache")
    assert (tmp_path / "t.parquet").read_bytes() == undisturbed.read_bytes()
    assert not list(tmp_path.glob(".*partial"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("-o", "t.xlsx"), "ends in .parquet or .csv"),
        (("-o", "t.csv", "--features", "mfc"), "did you mean mfcc"),
        (("-o", "t.csv", "--cache", "x", "--no-cache"), "contradict"),
        (("-o", "t.csv", "--on-error", "hope"), "stop and skip"),
    ],
)
def test_option_errors(little_corpus, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    assert message in run("features", little_corpus, *words, code=2)[1]
    assert not (tmp_path / "t.csv").exists()


def test_the_command_line_uses_the_cache(little_corpus, tmp_path, decoded, monkeypatch):
    from sklearn_ser.report import run_page as report

    # The report decodes a few clips once more, to show them.
    monkeypatch.setattr(report, "clip_reader", lambda pipeline: lambda path: None)
    how = ("--data", little_corpus, "--features", "mfcc", "--json")
    run("fit", *how, "--out", tmp_path / "a")
    assert len(decoded) == 24
    run("fit", *how, "--out", tmp_path / "b", "--clf", "rf")
    run("grid-search", *how, "--out", tmp_path / "c", "--param", "clf__C=1,2")
    run("evaluate", tmp_path / "a", "--data", little_corpus)
    assert len(decoded) == 24
    run("fit", *how, "--out", tmp_path / "d", "--no-cache")
    assert len(decoded) == 48
