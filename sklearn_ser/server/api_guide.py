"""What the API's documentation says beside the endpoints: tokens, the page, and `/stream`."""

__all__ = ["GUIDE", "TOKEN_GUIDE"]

TOKEN_GUIDE = (
    "Only where the server was started with a token: ask whoever runs it. `curl -H 'Authorization: "
    "Bearer TOKEN'` sends it too."
)

GUIDE = """\
Audio in, emotions out. [The page](/) does the same by hand.

```sh
curl -F file=@clip.wav http://127.0.0.1:8000/predict
curl -F file=@meeting.flac -F window=2 -F hop=0.5 http://127.0.0.1:8000/predict
```

## WebSocket `/stream`

Emotion while somebody speaks. The client begins with one JSON message:

| field | meaning |
| --- | --- |
| `rate` | sampling rate of the samples, in whole Hz; needed |
| `encoding` | `f32le` (default) or `s16le` |
| `window`, `hop` | seconds, 2 and 0.5 by default |
| `token` | where the server asks for one |

The server says `{"type": "ready", "rate": 16000, "emotions": ["angry", "happy", …]}`. Then the
client sends mono samples as binary messages of at most 30 seconds, and gets an event for each
window: the fields of `Window` below, and in `segments` the segment that it ended, if it did, and
the one that goes on.

```json
{"type": "event", "start": 0.5, "end": 2.5, "emotion": "neutral", "confidence": 0.88,
 "probabilities": {"angry": 0.03, "happy": 0.07, "neutral": 0.88, "sad": 0.02}, "speech": true,
 "smoothed": "neutral", "smoothed_confidence": 0.86, "smoothed_probabilities": {"…": 0.86},
 "warning": null, "error": null,
 "segments": [{"start": 0.0, "end": 2.5, "emotion": "neutral", "confidence": 0.85}]}
```

The text `end` asks for the last events; `{"type": "end", "seconds": 12.5}` follows, and the server
closes with code 1000. It closes with 1008 and a reason where a message is wrong, the token is, or a
stream is too long, and with 1013 where too many are open: try again later.

```python
import json, soundfile
from websockets.sync.client import connect

samples, rate = soundfile.read("clip.wav", dtype="float32")  # mono
with connect("ws://127.0.0.1:8000/stream") as socket:
    socket.send(json.dumps({"rate": rate}))
    print(socket.recv())
    socket.send(samples.tobytes())
    socket.send("end")
    for message in socket:
        print(message)
```
"""
