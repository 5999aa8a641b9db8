"""
A pipeline inside an app
========================

Load once, predict often: an HTTP endpoint around a pipeline, in a few lines. ``sklearn-ser serve``
is such an app with limits, a page and live audio.
"""

from pathlib import Path

from fastapi import FastAPI, HTTPException, UploadFile
from starlette.testclient import TestClient

from sklearn_ser import load_corpus, make_pipeline
from sklearn_ser.exceptions import AudioError

corpus = load_corpus("synthetic")
pipe = make_pipeline("logreg").fit(corpus["path"], corpus["emotion"])

app = FastAPI()


@app.post("/emotion")
def emotion(file: UploadFile):
    """Return the probability of each emotion."""
    try:
        probabilities = pipe.predict_proba([file.file.read()])[0]
    except AudioError as error:  # damaged, empty, too long: one sentence that says which
        raise HTTPException(422, str(error)) from error
    return dict(zip(pipe.classes_, probabilities.tolist(), strict=True))


# %%
# A client sends a file.
client = TestClient(app)
clip = Path(corpus["path"].iloc[0])
answer = client.post("/emotion", files={"file": clip.read_bytes()}).json()
print(corpus["emotion"].iloc[0], {name: round(p, 2) for name, p in answer.items()})

# %%
# What is no audio gets a sentence, not a crash.
print(client.post("/emotion", files={"file": b"no audio"}).json())
