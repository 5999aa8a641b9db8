"""One two-second clip through `POST /predict`, beside a plain Flask app around the classic recipe.

The Flask app is what tutorials end with: `librosa.load(res_type="kaiser_fast")`, a spectrogram for
each feature, a scaler and an `SVC`, or a Keras network and `model.predict`. Both answer over one
connection on loopback, in turn. Needs `pip install flask resampy` beside the extra server.
"""

import io
import multiprocessing
import socket
import statistics
import tempfile
import time
from pathlib import Path

from _common import finish, parse_arguments, spread
from _server import serving

MODELS = ("svm", "ann")


def classic_features(file):
    """Return the four features of the classic recipe."""
    import librosa
    import numpy as np

    y, sr = librosa.load(file, res_type="kaiser_fast")
    each = [
        librosa.feature.mfcc(y=y, sr=sr, n_mfcc=40),
        librosa.feature.chroma_stft(y=y, sr=sr),
        librosa.feature.melspectrogram(y=y, sr=sr),
        librosa.feature.spectral_contrast(y=y, sr=sr),
    ]
    return np.concatenate([feature.mean(axis=1) for feature in each])


def classic_mfcc(file):
    """Return the 40 MFCCs that the published network takes."""
    import librosa

    y, sr = librosa.load(file, res_type="kaiser_fast")
    return librosa.feature.mfcc(y=y, sr=sr, n_mfcc=40).mean(axis=1)


def run_flask(port: int, name: str, paths: list[str], emotions: list[str]) -> None:
    """Fit the classic model and serve it, as tutorials do."""
    import logging

    import flask
    import numpy as np
    from sklearn.preprocessing import LabelEncoder, StandardScaler

    features = classic_mfcc if name == "ann" else classic_features
    labels = LabelEncoder().fit(emotions)
    scaler = StandardScaler()
    X, y = scaler.fit_transform([features(path) for path in paths]), labels.transform(emotions)
    if name == "ann":
        import keras

        dense, dropout = keras.layers.Dense, keras.layers.Dropout
        hidden = [layer for n in (100, 200, 100) for layer in (dense(n, "relu"), dropout(0.5))]
        model = keras.Sequential([*hidden, dense(len(labels.classes_), "softmax")])
        model.compile("adam", "sparse_categorical_crossentropy")
        model.fit(X, y, epochs=5, verbose=0)
        predict = lambda row: model.predict(row, verbose=0).argmax(axis=1)  # noqa: E731
    else:
        from sklearn.svm import SVC

        predict = SVC(C=10).fit(X, y).predict
    app = flask.Flask("classic")

    @app.post("/predict")
    def answer():
        file = io.BytesIO(flask.request.files["file"].read())
        row = scaler.transform(features(file)[np.newaxis])
        return {"emotion": labels.inverse_transform(predict(row))[0]}

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    app.run("127.0.0.1", port, threaded=True)


def milliseconds(client, data: bytes) -> float:
    """Return how long one upload takes."""
    started = time.perf_counter()
    response = client.post("/predict", files={"file": ("clip.wav", data)})
    response.raise_for_status()
    return 1000 * (time.perf_counter() - started)


def main() -> None:
    arguments = parse_arguments(__doc__, clips=300, requests=300)

    import httpx
    import numpy as np
    import soundfile

    from sklearn_ser import make_pipeline, save_pipeline
    from sklearn_ser.audio.loader import load_audio
    from sklearn_ser.corpora import load_data

    table = load_data(arguments.data)
    emotion_of = dict(zip(table["path"], table["emotion"], strict=True))
    paths = spread(table["path"], arguments.clips)
    emotions = [emotion_of[path] for path in paths]
    clip, rate = io.BytesIO(), 24_414  # TESS's rate
    two_seconds = np.resize(load_audio(paths[0], sr=rate), 2 * rate)
    soundfile.write(clip, two_seconds, rate, "PCM_16", format="WAV")
    data = clip.getvalue()
    results: dict = {"data": arguments.data, "p50_ms": {}, "p99_ms": {}}
    for name in MODELS:
        with tempfile.TemporaryDirectory() as folder:
            pipeline = make_pipeline(name, n_jobs=-1, random_state=0).fit(paths, emotions)
            model = save_pipeline(pipeline, Path(folder) / "model.joblib")
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                port = free.getsockname()[1]
            # A process without ours loaded, so that neither meets the other's memory.
            context = multiprocessing.get_context("spawn")
            flask = context.Process(target=run_flask, args=(port, name, paths, emotions))
            flask.start()
            try:
                with (
                    serving(model) as (url, _),
                    httpx.Client(base_url=url, timeout=60) as ours,
                    httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as theirs,
                ):
                    _wait_for(theirs, data)
                    taken: dict[str, list[float]] = {"ours": [], "flask": []}
                    for _ in range(20):
                        milliseconds(ours, data), milliseconds(theirs, data)
                    for _ in range(arguments.requests):
                        taken["ours"].append(milliseconds(ours, data))
                        taken["flask"].append(milliseconds(theirs, data))
            finally:
                flask.kill()
                flask.join()
        for who, values in taken.items():
            results["p50_ms"][f"{name} {who}"] = statistics.median(values)
            results["p99_ms"][f"{name} {who}"] = float(np.quantile(values, 0.99))
        mine, classic = (results["p50_ms"][f"{name} {who}"] for who in taken)
        print(f"{name}: ours {mine:.1f} ms, Flask and the classic recipe {classic:.1f} ms (p50)")
        results[f"{name}_flask_over_ours"] = classic / mine
    finish("serving", results)


def _wait_for(client, data: bytes) -> None:
    import httpx

    for _ in range(300):
        try:
            milliseconds(client, data)
            return
        except httpx.ConnectError:
            time.sleep(0.5)
    raise SystemExit("the Flask app did not start")


if __name__ == "__main__":
    main()
