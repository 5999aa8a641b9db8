"""One palette for figures, pages and scripts, and eyes of every kind."""

import re
from itertools import combinations
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest

import sklearn_ser
from sklearn_ser.corpora.emotions import EMOTIONS
from sklearn_ser.report.style import DARK, PALETTE, PALETTE_FILE, color_emotions, figure_style, heat

# Machado, Oliveira and Fernandes (2009): what is seen without one kind of cone, in linear RGB.
EYES = {
    "normal": np.eye(3),
    "red-blind": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "green-blind": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "blue-blind": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
OKABE_ITO = ["#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7", "#000000"]
TWELVE = [color for name, color in PALETTE.items() if name.startswith(("emotion-", "spare-"))]


def linear(colors):
    rgb = np.array([[int(color[i : i + 2], 16) for i in (1, 3, 5)] for color in colors]) / 255
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def oklab(rgb):
    """Ottosson's space, in which equal distances look about equally large."""
    to_cones = [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
    to_lab = [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
    return np.cbrt(np.clip(rgb, 0, 1) @ np.transpose(to_cones)) @ np.transpose(to_lab)


def least_distance(colors, eye):
    seen = oklab(linear(colors) @ np.transpose(EYES[eye]))
    return min(np.linalg.norm(a - b) for a, b in combinations(seen, 2))


def contrast(color, paper):
    light, dark = sorted(linear([color, paper]) @ [0.2126, 0.7152, 0.0722], reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("eye", EYES)
def test_twelve_emotions_differ_for_every_eye(eye):
    """By more than the eight colours of Okabe and Ito, which are known to do, do in the worst."""
    assert len(TWELVE) == 12
    worst = min(least_distance(OKABE_ITO, kind) for kind in EYES)
    assert least_distance(TWELVE, eye) > 1.3 * worst


def test_colors_are_seen_and_text_is_read_on_both_papers():
    for theme in (PALETTE, DARK):
        for color in TWELVE:
            assert contrast(color, theme["paper"]) > 1.6
        for text in ("ink", "quiet", "first", "second", "good", "warn", "bad"):
            assert contrast(theme[text], theme["paper"]) >= 4.5, text
            assert contrast(theme[text], theme["panel"]) >= 4.5, text
        assert contrast(theme["on-first"], theme["first"]) >= 4.5
        assert contrast(theme["ink"], theme["heat"]) >= 4.5
        assert contrast(theme["ink"], theme["wrong"]) >= 4.5


def test_no_color_is_written_down_a_second_time():
    package = Path(sklearn_ser.__file__).parent
    color = re.compile(r"#(?:[0-9a-fA-F]{6}|[0-9a-fA-F]{3})\b(?=[\"';, )])|\brgba?\(|[\"']C\d[\"']")
    files = [path for kind in ("py", "css", "js", "html") for path in package.rglob(f"*.{kind}")]
    assert len(files) > 100
    again = {
        f"{path.relative_to(package)}: {found[0]}"
        for path in files
        if path != PALETTE_FILE
        for found in color.finditer(path.read_text(encoding="utf-8"))
    }
    assert again == set()


def test_css_and_scripts_use_colors_that_are_there():
    package = Path(sklearn_ser.__file__).parent
    defined = {*PALETTE, "p", "w"}  # and the numbers that a cell and a bar of the report have
    for path in [*package.rglob("*.css"), *package.rglob("*.html")]:
        text = path.read_text(encoding="utf-8")
        own = set(re.findall(r"--([\w-]+):", text))
        assert set(re.findall(r"var\(--([\w-]+)", text)) <= defined | own, path.name


def test_an_emotion_keeps_its_color():
    colors = color_emotions(EMOTIONS)
    assert len(set(colors.values())) == len(EMOTIONS)
    assert color_emotions(["sad"]) == {"sad": colors["sad"]}
    strange = color_emotions([*EMOTIONS, "d", "c", "b", "a"])
    assert list(strange) == [*EMOTIONS, "d", "c", "b", "a"]
    assert strange["d"] == PALETTE["other"]
    assert len({*strange.values()}) == 13


def test_the_style_is_whole():
    with mpl.rc_context(figure_style(font="serif", size=8)):
        assert mpl.rcParams["font.family"] == ["serif"]
        assert mpl.rcParams["legend.fontsize"] == 6.4
    assert figure_style(font="Charter")["font.family"] == ["Charter", "sans-serif"]
    assert mpl.colors.to_hex(heat()(0.0)) == PALETTE["paper"]
