"""Corpora: every grammar of file names, every layout, every way to register one."""

import os
import warnings
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from sklearn_ser.corpora import (
    COLUMNS,
    EMOTIONS,
    Reader,
    ased,
    banglaser,
    baved,
    canonical_emotion,
    crema_d,
    data_home,
    default_data,
    emodb,
    list_corpora,
    load_corpus,
    load_data,
    nemo,
    ravdess,
    savee,
    summarise,
    tess,
    turevdb,
    urdu,
)
from sklearn_ser.corpora import _data as corpora_data
from sklearn_ser.corpora import _registry as registry
from sklearn_ser.exceptions import CorpusError, CorpusWarning
from tests.conftest import real_corpus


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """An empty data folder, and an empty folder to be in."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("SKLEARN_SER_DATA", str(folder))
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    return folder


def make(folder, *names, content=None):
    """Write files that differ from each other, unless their content is given."""
    for name in names:
        path = Path(folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(str(path) if content is None else content)
    return Path(folder)


# -- emotions -------------------------------------------------------------------------------------


def test_vocabulary():
    assert tuple(sorted(EMOTIONS)) == EMOTIONS
    assert all(canonical_emotion(emotion) == emotion for emotion in EMOTIONS)


@pytest.mark.parametrize(
    ("label", "emotion"),
    [
        ("anger", "angry"),
        ("ANG", "angry"),
        ("Fearful", "fear"),
        ("happiness", "happy"),
        (" Happy ", "happy"),
        ("sadness", "sad"),
        ("ps", "surprise"),
        ("pleasant_surprise", "surprise"),
        ("Pleasant-Surprised", "surprise"),
        ("pleasant surprised", "surprise"),
        ("surprised", "surprise"),
        ("bored", "boredom"),
        ("disgusted", "disgust"),
        ("calmness", "calm"),
        ("ÜBERRASCHUNG", "surprise"),
        ("Wut", "angry"),
        ("contempt", "contempt"),
        ("Not In The Table", "Not In The Table"),
        ("", ""),
    ],
)
def test_canonical_emotion(label, emotion):
    assert canonical_emotion(label) == emotion


# -- file names -----------------------------------------------------------------------------------

FIELDS = ("label", "speaker", "sex", "text", "intensity")


@pytest.mark.parametrize(
    ("reader", "name", "expected"),
    [
        (tess, "OAF_back_angry.wav", ("angry", "OAF", "female", "back", None)),
        (tess, "OA_bite_neutral.wav", ("neutral", "OAF", "female", "bite", None)),
        (tess, "yaf_Germ_Pleasant_Surprised.WAV", "pleasant_surprised YAF female germ None"),
        (tess, "YAF_neat_ps.wav", ("ps", "YAF", "female", "neat", None)),
        (ravdess, "03-01-01-01-01-01-01.wav", ("neutral", "01", "male", "Kids", "normal")),
        (ravdess, "03-01-08-02-02-02-24.wav", ("surprised", "24", "female", "Dogs", "strong")),
        (emodb, "16b10Lb.wav", ("boredom", "16", "female", "b10", None)),
        (emodb, "03a01wa.WAV", ("anger", "03", "male", "a01", None)),
        (emodb, "99a01Ea.wav", ("disgust", "99", None, "a01", None)),
        (savee, "DC_a01.wav", ("anger", "DC", "male", "a01", None)),
        (savee, "JK/su15.wav", ("surprise", "JK", "male", "su15", None)),
        (savee, "kl/N30.wav", ("neutral", "KL", "male", "n30", None)),
        (savee, "DC/JE_sa02.wav", ("sadness", "JE", "male", "sa02", None)),
        (crema_d, "1001_DFA_ANG_XX.wav", ("ANG", "1001", "male", "DFA", None)),
        (crema_d, "1091_IEO_SAD_LO.wav", ("SAD", "1091", "female", "IEO", "low")),
        (crema_d, "1040_ITH_SAD_X.wav", ("SAD", "1040", "male", "ITH", None)),
        (nemo, "EB0_anger_12.wav", ("anger", "EB0", "female", "12", None)),
        (nemo, "samples/KS0_surprised_3.wav", ("surprised", "KS0", "male", "3", None)),
        (nemo, "ZZ0_neutral_90.wav", ("neutral", "ZZ0", None, "90", None)),
        (banglaser, "03-01-03-01-02-01-15.wav", ("angry", "15", None, "02", "normal")),
        (banglaser, "03-01-05-02-01-03-34.wav", ("neutral", "34", None, "01", "strong")),
        (ased, "a1-02-03-01-17.wav", ("angry", "17", "female", "02", None)),
        (ased, "S4-05-01-02-65.wav", ("sad", "65", "male", "s05", None)),
        (turevdb, "Angry/1157_kz_ağaç.wav", ("angry", "1157", None, "ağaç", None)),
        (turevdb, "1984_hl_kal.wav", ("sad", "1984", None, "kal", None)),
        (urdu, "Angry/SM1_F10_A010.wav", ("angry", "SM1", "male", None, None)),
        (urdu, "Sad/SF11_F1_S099.wav", ("sad", "SF11", "female", None, None)),
    ],
)
def test_file_names(reader, name, expected):
    if isinstance(expected, str):
        expected = tuple(None if word == "None" else word for word in expected.split())
    record = reader.READER.read_name(Path("some", "where", name))
    assert tuple(record) == FIELDS
    found = tuple(record.values())
    if reader is ravdess:
        assert found[3].endswith("by the door")
        found = (*found[:3], found[3].split()[0], found[4])
    assert found == expected
    assert canonical_emotion(record["label"]) in EMOTIONS


@pytest.mark.parametrize(
    ("reader", "name"),
    [
        (tess, "OAF_angry.wav"),
        (tess, "XAF_back_angry.wav"),
        (tess, "OAF_back_calm.wav"),
        (tess, "OAF_back_angry (1).wav"),
        (tess, "OAF_back_angry.txt"),
        (ravdess, "03-02-01-01-01-01-01.wav"),
        (ravdess, "01-01-01-01-01-01-01.mp4"),
        (ravdess, "03-01-09-01-01-01-01.wav"),
        (ravdess, "03-01-01-01-01-01.wav"),
        (emodb, "03a01Xa.wav"),
        (emodb, "3a01Fa.wav"),
        (emodb, "03c01Fa.wav"),
        (savee, "a01.wav"),
        (savee, "XX/a01.wav"),
        (savee, "DC_x01.wav"),
        (crema_d, "1092_DFA_ANG_XX.wav"),
        (crema_d, "1001_DFA_CAL_XX.wav"),
        (crema_d, "1001_DFA_ANG_XX.mp3"),
        (crema_d, "1001_DFA_ANG.wav"),
        (nemo, "EB0_joy_12.wav"),
        (banglaser, "03-01-06-01-02-01-15.wav"),
        (banglaser, "03-01-03-01-02-01-35.wav"),
        (ased, "x1-02-03-01-17.wav"),
        (turevdb, "1157_xx_ağaç.wav"),
        (urdu, "SX1_F10_A010.wav"),
        (baved, "49-x-23-6-1-201.wav"),
        (baved, "49-m-23-6-3-201.wav"),
    ],
)
def test_names_of_other_files(reader, name):
    assert reader.READER.read_name(Path(name)) is None


def test_levels_of_baved_are_not_emotions():
    levels = [baved.parse(Path(f"49-m-23-6-{level}-201.wav")) for level in range(3)]
    assert [row["intensity"] for row in levels] == ["low", "middle", "high"]
    assert {canonical_emotion(row["label"]) for row in levels}.isdisjoint(EMOTIONS)


def test_banglaser_and_ravdess_are_distinguished(tmp_path):
    """Their names have the same form, but not the same emotions and speakers."""
    bangla = [f"03-01-0{e}-01-01-01-{s:02}.wav" for e in range(1, 6) for s in range(1, 35)]
    ravdess_names = [f"03-01-0{e}-01-01-01-{s:02}.wav" for e in range(1, 9) for s in range(1, 25)]
    for name, files in [("b", bangla), ("r", ravdess_names)]:
        (tmp_path / name).mkdir()
        for file in files:
            (tmp_path / name / file).write_bytes(b"")
    assert set(load_data(tmp_path / "b")["corpus"]) == {"banglaser"}
    assert set(load_data(tmp_path / "r")["corpus"]) == {"ravdess"}


@pytest.mark.real
def test_real_nemo():
    table = load_data(str(real_corpus("nemo")))
    assert len(table) == 840
    assert table["speaker"].nunique() == 5
    assert set(table["emotion"].value_counts()) == {140}


def test_women_of_crema_d():
    sexes = [crema_d.parse(Path(f"{actor}_DFA_ANG_XX.wav"))["sex"] for actor in range(1001, 1092)]
    assert (sexes.count("female"), sexes.count("male")) == (43, 48)


# -- load_corpus ----------------------------------------------------------------------------------

TESS = {"OAF_back_angry.wav", "OAF_bite_neutral.wav", "YAF_back_ps.wav", "YAF_germ_fear.wav"}
LAYOUTS = {
    "flat": TESS,
    "foldered": {
        "OAF_angry/OAF_back_angry.wav",
        "OAF_neutral/OA_bite_neutral.wav",
        "YAF_pleasant_surprised/YAF_back_ps.wav",
        "YAF_Fear/YAF_germ_fear.wav",
    },
    "misspelt": TESS - {"OAF_bite_neutral.wav"} | {"OA_bite_neutral.wav"},
    "mixed case": {name.swapcase() for name in TESS},
    "written out": TESS - {"YAF_back_ps.wav"} | {"YAF_back_pleasant_surprised.wav"},
    "in the wrong folder": {f"OAF_Sad/{name}" for name in TESS},
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_of_tess(tmp_path, layout):
    table = load_corpus("tess", make(tmp_path / "T", *LAYOUTS[layout]))
    assert tuple(table.columns) == COLUMNS
    assert set(zip(table["speaker"], table["text"], table["emotion"], strict=True)) == {
        ("OAF", "back", "angry"),
        ("OAF", "bite", "neutral"),
        ("YAF", "back", "surprise"),
        ("YAF", "germ", "fear"),
    }
    assert list(table["path"]) == sorted(table["path"])
    assert all(os.path.isabs(path) and os.path.isfile(path) for path in table["path"])
    assert set(table["corpus"]) == {"tess"}
    assert table["intensity"].isna().all()
    assert table.attrs == {"left_out": [], "copies": []}


def test_tess_twice_over(tmp_path):
    outer, inner = tmp_path / "T", tmp_path / "T" / "TESS data" / "T"
    for name in LAYOUTS["foldered"]:
        make(outer, name, content=name)
        make(inner, name, content=name)
    with pytest.warns(CorpusWarning, match="4 files .* copies, byte for byte"):
        table = load_corpus("tess", outer)
    assert len(table) == 4
    assert all(Path(path).parent.parent == outer for path in table["path"])
    assert len(table.attrs["copies"]) == 4


def test_same_name_but_other_contents_are_two_clips(tmp_path):
    make(tmp_path / "T", "OAF_back_angry.wav", "more/OAF_back_angry.wav")
    assert len(load_corpus("tess", tmp_path / "T")) == 2


def test_what_is_left_out_is_reported(tmp_path):
    make(tmp_path / "T", *TESS, "notes.wav", "clip.mp4", "sub/OAF_back_bliss.wav")
    with pytest.warns(CorpusWarning, match=r"3 files .* audio of TESS: clip.mp4, notes.wav, OAF_b"):
        table = load_corpus("tess", tmp_path / "T")
    assert len(table) == 4
    names = [Path(path).name for path in table.attrs["left_out"]]
    assert sorted(names) == ["OAF_back_bliss.wav", "clip.mp4", "notes.wav"]


def test_hidden_files_are_passed_over(tmp_path):
    make(tmp_path / "T", *TESS, "readme.txt", ".DS_Store", "._OAF_back_angry.wav", "LICENSE")
    make(tmp_path / "T", "__MACOSX/OAF_back_sad.wav", ".git/OAF_back_sad.wav", "a.pdf")
    assert len(load_corpus("tess", tmp_path / "T")) == 4


def test_songs_and_videos_of_ravdess_are_left_out(tmp_path):
    make(tmp_path, "A/03-01-05-02-01-01-01.wav", "A/03-02-05-02-01-01-01.wav")
    make(tmp_path, "A/02-01-05-02-01-01-01.mp4")
    with pytest.warns(CorpusWarning, match="2 files .* Only its spoken audio is read"):
        table = load_corpus("ravdess", tmp_path / "A")
    assert list(table["emotion"]) == ["angry"]


def test_links_in_circles(tmp_path):
    folder = make(tmp_path / "T", *LAYOUTS["foldered"])
    (folder / "OAF_angry" / "round").symlink_to(folder, target_is_directory=True)
    (folder / "up").symlink_to(tmp_path, target_is_directory=True)
    (folder / "again").symlink_to(folder / "YAF_Fear", target_is_directory=True)
    (folder / "OAF_gone_sad.wav").symlink_to(tmp_path / "nowhere.wav")
    with pytest.warns(CorpusWarning, match=r"1 file .* OAF_gone_sad.wav"):
        assert len(load_corpus("tess", folder)) == 4


def test_unreadable_folder_is_reported(tmp_path, monkeypatch):
    make(tmp_path / "T", *TESS, "locked/OAF_back_sad.wav")
    scandir = os.scandir

    def guarded(path):
        if Path(path).name == "locked":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", guarded)
    with pytest.warns(CorpusWarning, match="1 file .* locked"):
        assert len(load_corpus("tess", tmp_path / "T")) == 4


@pytest.mark.parametrize("name", ["TESS", "tess", "Tess"])
def test_data_folder_whatever_the_case(home, name):
    make(home / name, *TESS)
    assert len(load_corpus("Tess")) == 4
    assert default_data() == "tess"


def test_names_with_and_without_hyphens(home):
    make(home / "CREMA_D", "1001_DFA_ANG_XX.wav")
    assert list(load_corpus("crema-d")["corpus"]) == ["crema-d"]
    assert list(load_corpus("CremaD")["corpus"]) == ["crema-d"]


def test_data_home(monkeypatch, tmp_path, home):
    assert data_home() == home
    monkeypatch.delenv("SKLEARN_SER_DATA")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert data_home() == tmp_path / "sklearn_ser_data"
    assert default_data() == "synthetic"


@pytest.mark.parametrize(
    ("name", "path", "words"),
    [
        ("tes", None, ["'tes'", "Did you mean tess?", "corpora list"]),
        ("qqq", None, ["'qqq'", "Known are tess"]),
        ("tess", None, ["TESS", "home", "corpora get tess", "SKLEARN_SER_DATA"]),
        ("savee", None, ["SAVEE", "registration form"]),
        ("tess", "gone", ["no folder", "gone"]),
        ("tess", "empty", ["no audio file", "empty"]),
        ("tess", "T/OAF_back_ps.wav", ["is a file", "folder that holds"]),
        ("emodb", "T", ["None of the 1 audio files", "EMO-DB", "03a01Fa.wav", "OAF_back_ps.wav"]),
    ],
)
@pytest.mark.filterwarnings("ignore::sklearn_ser.exceptions.CorpusWarning")
def test_errors_of_load_corpus(name, path, words):
    make("T", "OAF_back_ps.wav")
    make("empty", "readme.txt")
    with pytest.raises(CorpusError) as error:
        load_corpus(name, path)
    assert all(word in str(error.value) for word in words), str(error.value)


def test_synthetic_is_made_where_it_is_missing(home, monkeypatch):
    asked = []

    def make_synthetic(folder):
        asked.append(folder)
        make(folder, "syn-f01-bamo-sad-1.wav", "syn-m01-bamo-angry-1.wav")

    monkeypatch.setattr(corpora_data, "make_synthetic", make_synthetic)
    assert list(load_corpus("synthetic")["emotion"]) == ["sad", "angry"]
    assert list(load_data("synthetic")["speaker"]) == ["f01", "m01"]
    assert len(load_corpus("synthetic", "new")) == 2
    assert len(load_corpus("synthetic", "new")) == 2  # is there by now
    assert asked == [home / "synthetic", home / "synthetic", Path("new").absolute()]


# -- what is known --------------------------------------------------------------------------------


def test_list_corpora(home):
    make(home / "TESS", *TESS, "nested/OAF_back_angry.wav", content="")
    make(home / "emodb", "readme.txt")
    table = list_corpora().set_index("name")
    assert list(table.index) == [
        *("tess", "ravdess", "emodb", "savee", "crema-d", "nemo", "banglaser", "ased"),
        *("turev-db", "urdu", "baved", "synthetic"),
    ]
    assert table["here"].sum() == 1
    assert table.loc["tess", "clips"] == 4
    assert table.loc["tess", "clips_in_full"] == 2800
    assert table.loc["tess", "folder"] == str(home / "TESS")
    assert "corpora get emodb" in table.loc["emodb", "how_to_get"]
    assert "git lfs" in table.loc["crema-d", "how_to_get"]
    assert table["licence"].str.len().gt(5).all()
    assert table["language"].notna().all()
    assert table["emotions"].str.len().gt(2).all()
    assert (table["speakers_in_full"] > 1).all()
    assert (table.loc["tess", "speakers"], table.loc["emodb", "speakers_in_full"]) == (2, 10)
    assert table["hours"].isna().all()  # the files hold nothing


def test_emotions_of_readers_are_those_of_their_labels():
    """What `corpora list` says of a corpus is what its reader makes of the names of its files."""
    for reader in registry.BUILT_IN:
        assert canonical_emotion(reader.parse(Path(reader.example))["label"]) in reader.emotions
        assert list(reader.emotions) == sorted(reader.emotions)
        assert list(map(canonical_emotion, reader.emotions)) == list(reader.emotions)


def parse_mine(path):
    return {"label": path.stem, "speaker": "1"} if path.stem in EMOTIONS else None


MINE = Reader("mine", "Mine", "Me (2024)", "CC0", "https://example.org", "sad.wav", parse_mine)


def function():
    return MINE


def broken():
    raise RuntimeError("no luck")


def clash():
    return Reader("TESS", "Another", "", "", "", "", parse_mine)


@pytest.fixture
def entry(monkeypatch):
    """Register something as another package's corpus."""

    def register(*names):
        entries = [EntryPoint(name, f"{__name__}:{name}", registry.ENTRY_POINTS) for name in names]
        monkeypatch.setattr(registry, "entry_points", lambda group: entries)
        monkeypatch.setattr(EntryPoint, "load", lambda self: globals()[self.name])

    return register


@pytest.mark.parametrize("name", ["MINE", "function"])
def test_corpus_of_another_package(entry, home, name):
    entry(name)
    make(home / "mine", "sad.wav", "happy.wav")
    assert list(load_corpus("mine")["emotion"]) == ["happy", "sad"]
    assert list(load_data(str(home / "mine"))["corpus"]) == ["mine", "mine"]
    assert "mine" in set(list_corpora()["name"])


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("broken", "no luck"),
        ("clash", "already"),
        ("TESS", "not callable"),
        ("gone", "gone"),
    ],
)
def test_broken_entry_points_take_nothing_down(entry, home, name, words):
    entry(name, "MINE")
    make(home / "tess", *TESS)
    with pytest.warns(CorpusWarning, match=f"'{name}'.*{words}"):
        assert len(load_corpus("tess")) == 4
    with pytest.warns(CorpusWarning):
        assert "mine" in set(list_corpora()["name"])


def test_entry_point_of_an_installed_package(tmp_path, monkeypatch):
    info = tmp_path / "site" / "theirs-1.0.dist-info"
    make(info, "METADATA", content="Metadata-Version: 2.1\nName: theirs\nVersion: 1.0\n")
    make(info, "entry_points.txt", content="[sklearn_ser.corpora]\nmine = theirs:READER\n")
    source = """
        from sklearn_ser.corpora import Reader
        READER = Reader("theirs", "Theirs", "", "", "", "", lambda path: {"label": "sad"})
    """
    make(tmp_path / "site", "theirs.py", content="\n".join(map(str.strip, source.splitlines())))
    monkeypatch.syspath_prepend(tmp_path / "site")
    make("some", "1.wav")
    assert list(load_corpus("theirs", "some")["emotion"]) == ["sad"]


# -- summarise ------------------------------------------------------------------------------------


def test_summarise(home):
    soundfile = pytest.importorskip("soundfile")
    make(home / "tess", *TESS, content="")
    for name, rate in (("OAF_back_angry.wav", 8000), ("YAF_back_ps.wav", 16000)):
        soundfile.write(home / "tess" / name, [0.0] * 16000, rate)
    summary = summarise(load_corpus("tess"))
    assert summary["clips"] == 4
    assert summary["emotions"] == {"angry": 1, "fear": 1, "neutral": 1, "surprise": 1}
    assert summary["speakers"] == {"OAF": 2, "YAF": 2}
    assert summary["texts"] == 3
    assert summary["seconds"] == {"total": 3.0, "shortest": 1.0, "median": 1.5, "longest": 2.0}
    assert summary["sampling_rates"] == {8000: 1, 16000: 1}
    assert len(summary["unreadable"]) == 2
    assert summary["corpora"]["tess"]["licence"] == "CC BY-NC-ND 4.0"


def test_summarise_where_nothing_is_readable():
    make("rec", "sad/1.wav", content="")
    summary = summarise(load_data("rec"))
    assert summary["seconds"] is None
    assert summary["corpora"]["rec"] == {
        "clips": 1,
        "title": None,
        "language": None,
        "licence": None,
        "citation": None,
    }


# -- the real ones --------------------------------------------------------------------------------


@pytest.mark.real
def test_real_tess():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CorpusWarning)
        table = load_corpus("tess", real_corpus("tess"))
    assert len(table) == 2800
    assert set(table["speaker"]) == {"OAF", "YAF"}
    assert table["text"].nunique() == 200
    assert dict(table["emotion"].value_counts()) == dict.fromkeys(
        ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise"), 400
    )


@pytest.mark.real
def test_real_emodb():
    table = load_data(str(real_corpus("emodb")))
    assert len(table) == 505
    assert table["speaker"].nunique() == 10
    assert dict(table["emotion"].value_counts()) == {
        "angry": 127,
        "neutral": 79,
        "happy": 71,
        "boredom": 68,
        "sad": 62,
        "fear": 62,
        "disgust": 36,
    }
