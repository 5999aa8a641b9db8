"""`EmotionStream`: emotion over time, in windows of a waveform that may come in pieces.

One path serves a file, a microphone and a socket. Samples are resampled as they come, windows are
cut after that, and the prediction of each is exactly that of `predict` for those samples.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from sklearn_ser._files import nan_to_none
from sklearn_ser.audio.blocks import iter_blocks
from sklearn_ser.audio.decoding import FULL_SCALE, AudioSettings, check_finite
from sklearn_ser.audio.resampling import StreamResampler
from sklearn_ser.audio.waveforms import check_waveform
from sklearn_ser.exceptions import OptionError
from sklearn_ser.inference.adaptation import RunningScaler
from sklearn_ser.inference.predictor import SILENCE, Prediction, Predictor
from sklearn_ser.inference.voice_activity import make_detector

__all__ = ["EmotionEvent", "EmotionStream"]


@dataclass(frozen=True)
class EmotionEvent:
    """The prediction of one window, by itself and together with the windows before it.

    Attributes
    ----------
    start, end : float
        The window, in seconds: the samples from `round(start * sr)` to `round(end * sr)`.
    emotion : str or None
        The most probable emotion, `"unsure"` below the stream's `abstain_below`, `"silence"` where
        there is no speech, or None where there is an error.
    confidence : float
        The greatest probability; NaN where there is no speech or an error.
    probabilities : dict of str to float
        The probability of every emotion.
    speech : bool
        Whether there is speech in the window.
    smoothed : str or None
        The most probable emotion of `smoothed_probabilities`; otherwise as `emotion`.
    smoothed_probabilities : dict of str to float
        The mean probabilities of the last windows with speech; NaN where there is none in this.
    warning : str or None
        In what the window is unlike the clips the pipeline was trained with.
    error : str or None
        Why there is no prediction, such as a window too short for the features.
    """

    start: float
    end: float
    emotion: str | None
    confidence: float
    probabilities: dict[str, float]
    speech: bool
    smoothed: str | None
    smoothed_probabilities: dict[str, float]
    warning: str | None = None
    error: str | None = None

    @property
    def smoothed_confidence(self) -> float:
        """The greatest of the smoothed probabilities; NaN where there is none."""
        return max(self.smoothed_probabilities.values())

    def as_json(self) -> dict[str, Any]:
        """Return all of it as JSON has it, with None for NaN."""
        return nan_to_none({**asdict(self), "smoothed_confidence": self.smoothed_confidence})


class EmotionStream:
    """Predicts the emotion of each window of a stream of samples.

    Parameters
    ----------
    pipeline : Pipeline or Predictor
        A fitted pipeline; or a predictor, which knows more of what to warn of and when to abstain.
    window : float, default=2.0
        Length of a window, in seconds.
    hop : float, default=0.5
        Time between the starts of windows, in seconds.
    rate : int, default=None
        Sampling rate of the samples that will be pushed, in Hz; `None` is the pipeline's own.
    smooth : int, default=3
        Over how many windows of speech in a row `smoothed` takes the mean.
    vad : {"energy", "pitch", "webrtc"}, default="energy"
        How speech is told from silence: by the predictor's `silence_db` alone; or from noise, tones
        and music as well, by a pitch that moves; or `"webrtc"`, which needs the extra `vad` and
        tells it from other noises, too.
    adapt : bool or RunningScaler, default=False
        Whether to scale the features of each window by those of the windows with speech before it,
        so that predictions get better the longer a voice and its room are heard. A `RunningScaler`
        goes on from what it has heard of other recordings.

    Raises
    ------
    OptionError
        If window, hop, rate or smooth make no sense.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ser import EmotionStream, make_pipeline
    >>> noise = np.random.default_rng(0).normal(size=(4, 8000)) / 10
    >>> pipe = make_pipeline("svm", "mfcc").fit(noise, ["sad", "happy"] * 2)
    >>> stream = EmotionStream(pipe, window=2, hop=0.5)
    >>> stream.push(np.zeros(44000)), len(stream.push(np.zeros(22150)))
    ([], 3)
    >>> [event.start for event in stream.push(np.zeros(11025))]
    [1.5]
    """

    def __init__(
        self,
        pipeline: Pipeline | Predictor,
        window: float = 2.0,
        hop: float = 0.5,
        *,
        rate: int | None = None,
        smooth: int = 3,
        vad: str = "energy",
        adapt: bool | RunningScaler = False,
    ):
        self.predictor = pipeline if isinstance(pipeline, Predictor) else Predictor(pipeline)
        self.sr = self.predictor.sr
        self.rate = self.sr if rate is None else rate
        self.window, self.hop = window, hop
        self._length, self._step = check_windows(window, hop, self.sr)
        if not smooth >= 1:
            raise OptionError(f"`smooth={smooth}`: give 1 or more windows.")
        self._settings = settings_of(self.predictor)
        heard = vad == "pitch" and self.predictor.voice  # which has listened for it already
        self._detect = make_detector("energy" if heard else vad, self.sr)
        self._recent: deque[np.ndarray] = deque(maxlen=int(smooth))
        self._own = RunningScaler(self.predictor.pipeline) if adapt is True else None
        self._scaler = adapt if isinstance(adapt, RunningScaler) else self._own
        self.reset()

    def reset(self) -> None:
        """Forget all samples: what is pushed next is another recording, from 0 s on."""
        self._resample = StreamResampler(self.rate, self.sr, self._settings.res_type)
        self._kept = np.empty(0, dtype=np.float32)
        self._begin = 0  # position of the first sample kept
        self._n_windows = 0
        self._recent.clear()
        if self._own is not None:
            self._own.forget()

    @property
    def seconds(self) -> float:
        """How much has been taken in so far, in seconds at the pipeline's rate."""
        return (self._begin + len(self._kept)) / self.sr

    def push(self, samples: Any) -> list[EmotionEvent]:
        """Take samples in, and return an event for each window they complete.

        Parameters
        ----------
        samples : array of shape (n_times,)
            Mono, floats between -1 and 1 or integers of their full scale, at the stream's rate; any
            number of them.

        Returns
        -------
        events : list of EmotionEvent

        Raises
        ------
        AudioError
            If the samples are not a waveform, or not finite.
        """
        y = check_waveform(samples, "what was pushed")
        if not len(y):
            return []
        check_finite(y, "what was pushed", FULL_SCALE)
        return self._take(self._resample(y))

    def finish(self) -> list[EmotionEvent]:
        """Say that no more will come, and return the last events.

        What is left at the end and does not fill a window is part of the window before; only a
        recording that is shorter than one window becomes a window as it is.

        Returns
        -------
        events : list of EmotionEvent
        """
        events = self._take(self._resample.finish())
        if not self._n_windows and len(self._kept):
            events += self._predict([self._kept])
        return events

    def listen_to(self, source: Any, settings: AudioSettings | None = None):
        """Yield the events of a whole recording, read block by block.

        Parameters
        ----------
        source : str, Path, bytes, or binary file object
            As for `load_audio`.
        settings : AudioSettings, default=None
            How to read it; `None` reads all of it at the pipeline's rate, however long it is.

        Yields
        ------
        events : list of EmotionEvent
            Those of a block.

        Raises
        ------
        AudioError
            If it cannot be read; where its end is damaged, after the events before that.
        """
        for y in self.blocks(source, settings):
            yield self._take(y)
        yield self.finish()

    def blocks(self, source: Any, settings: AudioSettings | None = None) -> Iterator[np.ndarray]:
        """Yield a recording block by block, at the pipeline's rate; the stream starts anew.

        Parameters
        ----------
        source : str, Path, bytes, or binary file object
        settings : AudioSettings, default=None

        Yields
        ------
        y : ndarray of shape (n_times,), float32
        """
        self.reset()
        self._resample = StreamResampler(self.sr, self.sr)
        yield from iter_blocks(source, settings or self._settings)

    def _take(self, y: np.ndarray) -> list[EmotionEvent]:
        kept = np.concatenate([self._kept, y])
        windows = []
        start = self._n_windows * self._step - self._begin
        while start + self._length <= len(kept):
            windows.append(kept[start : start + self._length])
            start += self._step
        events = self._predict(windows)
        # Copied, so that the block it was part of can go. A hop may be longer than a window.
        dropped = min(self._n_windows * self._step - self._begin, len(kept))
        self._kept = kept[dropped:].copy()
        self._begin += dropped
        return events

    def _predict(self, windows: list[np.ndarray]) -> list[EmotionEvent]:
        if not windows:
            return []
        events = []
        weight = min(1.0, self.hop / self.window)  # windows that overlap are no more speech
        predictions = self.predictor.iter_predictions(windows, self._scaler, weight)
        for y, found in zip(windows, predictions, strict=True):
            start = self._n_windows * self._step
            self._n_windows += 1
            events.append(self._make_event(y, found, start / self.sr, (start + len(y)) / self.sr))
        return events

    def _make_event(
        self, y: np.ndarray, found: Prediction, start: float, end: float
    ) -> EmotionEvent:
        # Not by its name: a class of the pipeline may be called silence.
        speech = bool(np.isfinite(found.confidence)) and self._detect(y)
        if found.error is None and not speech:
            found = found._replace(emotion=SILENCE, confidence=np.nan)
        if not speech:
            self._recent.clear()
            smoothed = found._replace(probabilities=np.full(len(self.predictor.emotions), np.nan))
        else:
            self._recent.append(found.probabilities)
            smoothed = self.predictor.decide(np.mean(self._recent, axis=0))
        return EmotionEvent(
            start,
            end,
            found.emotion,
            found.confidence,
            self._named(found.probabilities),
            speech,
            smoothed.emotion,
            self._named(smoothed.probabilities),
            found.warning,
            found.error,
        )

    def _named(self, probabilities: np.ndarray) -> dict[str, float]:
        return dict(zip(self.predictor.emotions, probabilities.tolist(), strict=True))


def check_windows(window: float, hop: float, sr: int) -> tuple[int, int]:
    """Return window and hop in samples, or raise `OptionError`."""
    if not 0.05 <= window <= 600:
        raise OptionError(f"`window={window:g}`: give between 0.05 and 600 seconds.")
    if not 1 / sr <= hop <= 86400:
        raise OptionError(f"`hop={hop:g}`: give a positive number of seconds.")
    return round(window * sr), round(hop * sr)


def settings_of(predictor: Predictor) -> AudioSettings:
    """Return how a whole recording is read: as the clips, but from its start to its end."""
    return AudioSettings(sr=predictor.sr, res_type=predictor.settings.res_type, max_duration=None)
