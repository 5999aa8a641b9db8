"""Corpora of emotional speech: file names in, one table out.

`load_corpus` reads one corpus, `load_data` whatever the user names as data, `get_corpus` downloads.
"""

from sklearn_ser.corpora._data import default_data, list_corpora, load_corpus, load_data
from sklearn_ser.corpora._registry import data_home
from sklearn_ser.corpora.base import COLUMNS, Download, Reader
from sklearn_ser.corpora.download import get_corpus
from sklearn_ser.corpora.emotions import EMOTIONS, canonical_emotion
from sklearn_ser.corpora.selection import map_emotions, parse_map, take_emotions
from sklearn_ser.corpora.summary import summarise

__all__ = [
    "COLUMNS",
    "EMOTIONS",
    "Download",
    "Reader",
    "canonical_emotion",
    "data_home",
    "default_data",
    "get_corpus",
    "list_corpora",
    "load_corpus",
    "load_data",
    "map_emotions",
    "parse_map",
    "summarise",
    "take_emotions",
]
