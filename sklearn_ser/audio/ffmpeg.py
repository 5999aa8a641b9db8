"""Decoding with the program ffmpeg: mp4, m4a, webm, amr and what else phones record.

ffmpeg is told which of its demuxers to use, reads one open file and nothing else, and answers with
a wav file of floats, which is decoded as any other.
"""

import io
import os
import re
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from typing import BinaryIO

from sklearn_ser.audio import opening
from sklearn_ser.audio.completeness import joined
from sklearn_ser.exceptions import AudioError

__all__ = ["FFMPEG", "demuxer_of", "open_with_ffmpeg"]

FFMPEG = "FFMPEG"
"""What stands in a list of allowed formats for all that ffmpeg decodes."""

_SIGNATURES = {
    b"\x1a\x45\xdf\xa3": "matroska",
    b"#!AMR": "amr",
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11": "asf",
}

# Long enough that it is never found within one file by chance.
_AGAIN = {
    "matroska": re.compile(rb"\x1a\x45\xdf\xa3.{1,50}(?:webm|matroska)", re.DOTALL),
    "asf": re.compile(rb"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\x00\xaa"),
}


def demuxer_of(head: bytes) -> str | None:
    r"""Return the name of ffmpeg's demuxer for a file that begins so; `None` if it is not for it.

    Examples
    --------
    >>> from sklearn_ser.audio.ffmpeg import demuxer_of
    >>> demuxer_of(b"\0\0\0\x20ftypM4A "), demuxer_of(b"RIFF")
    ('mov', None)
    """
    if head[4:8] == b"ftyp":
        return "mov"
    if len(head) > 1 and head[0] == 0xFF and head[1] & 0xF6 == 0xF0:  # ADTS: layer 0 of MPEG
        return "aac"
    for signature, demuxer in _SIGNATURES.items():
        if head.startswith(signature):
            return demuxer
    return None


def open_with_ffmpeg(file: BinaryIO, demuxer: str, seconds: float | None, name: str) -> BinaryIO:
    """Return the first audio stream of a file as an open wav file.

    Parameters
    ----------
    file : binary file
    demuxer : str
        From `demuxer_of`.
    seconds : float or None
        Where to stop.
    name : str
        What an error calls it.

    Raises
    ------
    AudioError
        If there is no ffmpeg, or it has anything to complain of.
    """
    program = shutil.which("ffmpeg")
    if not hasattr(select, "poll"):
        raise AudioError(
            f"{name} is of a kind that only the program ffmpeg decodes ({demuxer}), which is not "
            "used on Windows: convert the file first (ffmpeg -i IN OUT.flac)."
        )
    if program is None:
        raise AudioError(
            f"{name} is of a kind that only the program ffmpeg decodes ({demuxer}), which is not "
            "on this machine: install it, or convert the file elsewhere (ffmpeg -i IN OUT.flac)."
        )
    if _begins_again(file, demuxer):
        raise joined(name)
    handle, copy = opening.descriptor(file), None
    if handle is not None:  # /dev/fd goes on where the file is on macOS, and begins anew on Linux
        os.lseek(handle, 0, os.SEEK_SET)
    if handle is None:  # bytes, say: ffmpeg needs a file that it can seek in
        file.seek(0)
        copy = opening.spool(iter(lambda: file.read(1 << 18), b""), name)
        handle = copy.fileno()
    command = [
        *(program, "-nostdin", "-hide_banner", "-v", "error", "-max_alloc", str(1 << 28)),
        *("-threads", "1", "-protocol_whitelist", "file", "-f", demuxer),
        *("-i", f"file:/dev/fd/{handle}", "-map", "0:a:0", "-vn", "-sn", "-dn"),
        *([] if seconds is None else ["-t", f"{seconds:.6f}"]),
        *("-map_metadata", "-1", "-c:a", "pcm_f32le", "-f", "wav", "pipe:1"),
    ]
    try:
        return opening.spool(_run(command, handle, name), name)
    finally:
        if copy is not None:
            copy.close()


def _begins_again(file: BinaryIO, demuxer: str) -> bool:
    """Say whether another file of the kind follows, which ffmpeg would pass over in silence."""
    place, size = 0, file.seek(0, io.SEEK_END)
    if demuxer == "mov":  # a sequence of boxes, each with its length
        n_begun = 0
        while place + 8 <= size:
            file.seek(place)
            head = file.read(16)
            n_begun += head[4:8] == b"ftyp"
            length = int.from_bytes(head[:4], "big")
            length = int.from_bytes(head[8:], "big") if length == 1 else length
            if length < 8:  # to the end of the file, or damaged
                break
            place += length
        return n_begun > 1
    again = _AGAIN.get(demuxer)
    if again is None:  # a sequence of frames, all of which are read
        return False
    file.seek(4)
    before = b""
    while block := file.read(1 << 20):
        if again.search(before + block):
            return True
        before = block[-100:]
    return False


def _run(command: list[str], handle: int, name: str) -> Iterator[bytes]:
    """Yield what ffmpeg writes; whatever it complains of is an `AudioError`."""
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        pass_fds=(handle,),
        env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
    )
    complaint = b""
    try:
        assert process.stdout is not None
        assert process.stderr is not None
        out, err = process.stdout.fileno(), process.stderr.fileno()
        poll = select.poll()
        poll.register(out, select.POLLIN)
        poll.register(err, select.POLLIN)
        n_open = 2
        deadline = time.monotonic() + opening.MAX_SECONDS
        while n_open:
            ready = poll.poll(max(0.0, deadline - time.monotonic()) * 1000)
            if not ready:
                raise AudioError(
                    f"{name} takes ffmpeg more than {opening.MAX_SECONDS:g} s: convert it to "
                    "flac first."
                )
            for stream, _ in ready:
                data = os.read(stream, 1 << 16)
                if not data:
                    poll.unregister(stream)
                    n_open -= 1
                elif stream == out:
                    yield data
                elif len(complaint) < 2000:
                    complaint += data
        failed = process.wait(max(1.0, deadline - time.monotonic())) != 0
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
    if failed or complaint:
        raise AudioError(
            f"{name} is damaged, cut short, or holds no audio ({_reason(complaint, handle)}): "
            "copy it again, convert it to wav or flac, or leave it out."
        )


def _reason(complaint: bytes, handle: int) -> str:
    """Return the last clause of ffmpeg's first complaint, without addresses and our own names."""
    lines = complaint.decode("utf-8", "replace").strip().splitlines()
    text = lines[0] if lines else "no reason given"
    if text.startswith("["):
        text = text.partition("] ")[2] or text
    return "ffmpeg: " + text.replace(f"file:/dev/fd/{handle}: ", "").strip().rstrip(".").lower()
