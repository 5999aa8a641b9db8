"""Check that an audio file is complete, and holds nothing beyond what its header says.

libsndfile answers a file that was cut with what is left of it, and several files in one with the
first of them, without a word. Each format that is read here is checked against that; the others
that libsndfile knows do not say how long they are.
"""

import io
import os
import re
from typing import Any, BinaryIO

from sklearn_ser.audio.opening import descriptor
from sklearn_ser.exceptions import AudioError

__all__ = ["FORMATS", "check_header", "check_rest", "cut_short", "joined"]

FORMATS = (
    *("WAV", "WAVEX", "RF64", "W64", "AIFF", "AU", "CAF", "NIST", "HTK"),
    *("FLAC", "OGG", "MP3"),
)
"""The formats of libsndfile that are read, by its own names."""

# Bytes after the samples that are no audio: padding, a short tag. TESS has up to 12. An MP3 decoder
# may leave its last frame of padding, which has up to 1441 bytes.
_TOLERATED_REST = 1024
_TOLERATED_REST_MP3 = 1441

# A name of libsndfile's log, "promised (should be held)". Recorders that write to a pipe put the
# greatest possible length in the header: that is no promise.
_SIZES = r"^\s*(?:%s)\s*: (\d+) \(should be (\d+)\)"
_CUT = {
    **dict.fromkeys(("WAV", "WAVEX"), "data"),
    "AIFF": "SSND",
    "AU": "Data Size",
    "RF64": "data|Riff size",
    "W64": "data|riff",
}
_WHOLE = ("AU", "RF64", "W64")  # where these are the sizes of all there is, not of one chunk
_NO_PROMISE = 0x7FFFF000

# How chunks of each format begin: bytes of the name, bytes of the size, order of bytes.
_CHUNKS: dict[str, tuple[int, int, Any]] = {
    **dict.fromkeys(("WAV", "WAVEX", "RF64"), (4, 4, "little")),
    "AIFF": (4, 4, "big"),
    "CAF": (4, 8, "big"),
}
_AUDIO_CHUNKS = (b"data", b"SSND", b"RIFF", b"FORM", b"RF64", b"caff")


def check_header(audio: Any, file: BinaryIO, name: str) -> None:
    """Refuse an open file whose header promises more than it holds, or promises nothing.

    Parameters
    ----------
    audio : soundfile.SoundFile
    file : binary file
        The file itself.
    name : str
        What an error calls it.
    """
    form, log = audio.format, audio.extra_info
    if form not in FORMATS or (form == "AU" and audio.subtype.startswith("G72")):
        raise AudioError(
            f"{name} is of the format {form}, and nobody can tell whether such a file is whole: "
            "convert it to wav or flac, or leave it out."
        )
    if (form == "OGG" and not _has_last_page(file)) or (form == "MP3" and _lacks_frames(file)):
        raise AudioError(f"{name} is cut short: copy it again, or leave it out.")
    if form in _CUT:
        for promised, held in re.findall(_SIZES % _CUT[form], log, re.MULTILINE):
            if int(held) < int(promised) < _NO_PROMISE:
                seconds = audio.frames / audio.samplerate
                raise AudioError(
                    cut_short(name, seconds, seconds * int(promised) / max(1, int(held)))
                )
            if int(held) - int(promised) > _TOLERATED_REST and form in _WHOLE:
                raise joined(name)
    if form == "NIST":
        _check_nist(audio, file, name)


def _check_nist(audio: Any, file: BinaryIO, name: str) -> None:
    place = file.tell()
    file.seek(0)
    head = file.read(1024)
    file.seek(place)
    promised = re.search(rb"^sample_count -i (\d+)\s*$", head, re.MULTILINE)
    if promised is None:
        raise AudioError(f"{name} does not say how many samples it has: convert it to wav.")
    n_frames = int(promised[1])
    if audio.frames < n_frames:
        raise AudioError(
            cut_short(name, audio.frames / audio.samplerate, n_frames / audio.samplerate)
        )
    if audio.frames - n_frames > _TOLERATED_REST:
        raise joined(name)


def _has_last_page(file: BinaryIO) -> bool:
    """Say whether an Ogg file holds the page that is marked as its last, to its end."""
    place = file.tell()
    size = file.seek(0, io.SEEK_END)
    file.seek(max(0, size - 2 * 65_307))  # the longest page
    tail = file.read(2 * 65_307)
    file.seek(place)
    page = tail[max(0, tail.rfind(b"OggS")) :]
    if len(page) < 27 or not page[5] & 4:
        return False
    header = 27 + page[26]
    return header + sum(page[27:header]) <= len(page)


def _lacks_frames(file: BinaryIO) -> bool:
    """Say whether an MP3 is shorter than its first frame says, where that says it."""
    place = file.tell()
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    start = _after_id3(file.read(10))
    file.seek(start)
    frame = file.read(64)
    file.seek(place)
    told = re.search(rb"(?:Xing|Info)(.{4})(.{4})(.{4})", frame, re.DOTALL)
    # Flags first: 1 for the number of frames, which comes next, and 2 for that of bytes.
    if told is None or told[1][3] & 3 != 3:
        return False
    return size - start < int.from_bytes(told[3], "big")


def _after_id3(head: bytes) -> int:
    """Return where what follows an ID3 tag at the beginning of a file begins."""
    if not head.startswith(b"ID3") or len(head) < 10:
        return 0
    length = 0
    for byte in head[6:10]:
        length = length << 7 | byte & 0x7F
    return 10 + length


def check_rest(audio: Any, file: BinaryIO, name: str) -> None:
    """Refuse a file that has been read to what its header calls the end, and goes on.

    Parameters
    ----------
    audio : soundfile.SoundFile
        All its samples have been read.
    file : binary file
        The file itself, where libsndfile has left it.
    name : str
        What an error calls it.
    """
    place = _place(file)
    size = file.seek(0, io.SEEK_END)
    if size - place <= _TOLERATED_REST:
        if audio.format == "FLAC" and _flac_goes_on(file, audio.frames):
            raise joined(name)
        return
    tolerated = _TOLERATED_REST
    if audio.format == "MP3":
        tolerated, rest = _TOLERATED_REST_MP3, _after_tags(file, place, size)
    elif audio.format in _CHUNKS:
        # A chunk of an odd size is followed by a byte, though not by all programs.
        how = _CHUNKS[audio.format]
        rest = min(_after_chunks(file, start, size, *how) for start in (place, place + place % 2))
    else:
        rest = size - place
    if rest > tolerated:
        raise joined(name)


def _place(file: BinaryIO) -> int:
    """Return where libsndfile has left a file, which it reads past Python's own buffer."""
    handle = descriptor(file)
    return file.tell() if handle is None else os.lseek(handle, 0, os.SEEK_CUR)


def _after_chunks(
    file: BinaryIO, place: int, size: int, n_name: int, n_size: int, order: Any
) -> int:
    """Return how many bytes are left after all further chunks that hold no audio."""
    while place + n_name + n_size <= size:
        file.seek(place)
        head = file.read(n_name + n_size)
        chunk, length = head[:n_name], int.from_bytes(head[n_name:], order)
        if chunk in _AUDIO_CHUNKS or not chunk.isascii() or b"\0" in chunk:
            break
        if place + len(head) + length > size + 1:
            break
        place += len(head) + length
        place += place % 2 if n_size == 4 else 0
    return size - place


def _after_tags(file: BinaryIO, place: int, size: int) -> int:
    """Return how many bytes are left after the tags at the end of an MP3."""
    end = size
    for _ in range(4):
        file.seek(max(place, end - 160))
        tail = file.read(end - file.tell())
        if tail[-128:-125] == b"TAG":
            end -= 128
        elif tail[-32:-24] == b"APETAGEX":
            end -= int.from_bytes(tail[-20:-16], "little")
            end -= 32 if tail[-9] & 0x80 else 0  # whether there is a head besides the foot
        else:
            break
    return end - place


def _flac_goes_on(file: BinaryIO, n_frames: int) -> bool:
    """Say whether there is a sample after those that a FLAC's header counts.

    Its decoder reads 8192 bytes at a time, so that what is left unread does not tell.
    """
    import soundfile

    file.seek(0)
    head = file.read(4096)
    start = _after_id3(head)
    if head[start : start + 4] != b"fLaC":
        return False
    file.seek(0)
    try:
        with soundfile.SoundFile(_UnsizedFlac(file, start + 21)) as audio:
            audio.seek(max(0, n_frames - 1))
            return len(audio.read(2, dtype="float32")) == 2
    except soundfile.SoundFileError:  # as at the end of one that is whole
        return False


class _UnsizedFlac(io.RawIOBase):
    """A FLAC file as it would be if its header did not say how many samples there are.

    So that libsndfile reads what there is, and not what the header says.

    `place` is where the header says it, 36 bits long.
    """

    def __init__(self, file: BinaryIO, place: int):
        self._file = file
        self._place = place

    def readinto(self, buffer: Any) -> int:
        """Read into a buffer, and return how many bytes."""
        start = self._file.tell()
        data = bytearray(self._file.read(len(buffer)))
        for i in range(max(0, self._place - start), min(len(data), self._place + 5 - start)):
            data[i] &= 0xF0 if start + i == self._place else 0
        buffer[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place, and return it."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Return the place."""
        return self._file.tell()


def cut_short(name: str, held: float, promised: float) -> str:
    """Return the sentence for a file that holds fewer seconds than it promises."""
    return (
        f"{name} is cut short: its header promises {promised:.2f} s and it holds {held:.2f} s; "
        "copy it again, or leave it out."
    )


def joined(name: str) -> AudioError:
    """Return the error for a file that goes on where it should end."""
    return AudioError(
        f"{name} goes on after the end that its header gives, as if several files had been joined: "
        "split it, or convert it with ffmpeg -i IN OUT.flac."
    )
