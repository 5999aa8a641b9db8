"""
Emotion over time
=================

:class:`sklearn_ser.EmotionStream` cuts windows of a recording or a microphone, and predicts each
one as soon as it is complete.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from sklearn_ser import EmotionStream, load_corpus, make_pipeline
from sklearn_ser.audio.decoding import load_audio

corpus = load_corpus("synthetic")
pipe = make_pipeline("logreg").fit(corpus["path"], corpus["emotion"])

# %%
# A recording of half a minute: clips in anger, then clips in sadness.
sr = pipe["audio"].sr
chosen = [
    path for emotion in ("angry", "sad") for path in corpus.query("emotion == @emotion")["path"][:6]
]
recording = np.concatenate([load_audio(path, sr=sr) for path in chosen])

# %%
# Samples may come in pieces of any size, as a sound card hands them over.
stream = EmotionStream(pipe, window=2.0, hop=0.5)
events = []
for start in range(0, len(recording), 4096):
    events += stream.push(recording[start : start + 4096])
events += stream.finish()
print(events[0].start, events[0].end, events[0].smoothed)

# %%
table = pd.DataFrame([event.smoothed_probabilities for event in events])
table.index = [event.end for event in events]
ax = table.plot(xlabel="time [s]", ylabel="probability", ylim=(0, 1), figsize=(8, 3))
ax.legend(ncols=4, fontsize="small", loc="upper center")
plt.tight_layout()
