"""Loading of audio: any source becomes a mono float32 waveform, or a clear error.

Change here what can be read, how it is decoded and resampled, and what noise, rooms and wires do.
"""

from sklearn_ser.audio.loader import AudioLoader, Clips

__all__ = ["AudioLoader", "Clips"]
