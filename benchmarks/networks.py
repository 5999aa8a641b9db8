"""Each network recipe beside a plain Keras script: training time, accuracy, latency of one clip.

The plain scripts take the same features, network, epochs and batch size. Training runs in processes
of their own, in turn, so that no library is warm for the second.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from _common import finish, parse_arguments

# Training uses every core, as it does for a user.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.pop(variable, None)

RECIPES = ("ann", "cnn", "lstm", "cnn-lstm")
# As many as the plain scripts take, but for the recurrent ones, whose 50 would take half an hour.
EPOCHS = {"ann": 100, "cnn": 24, "lstm": 5, "cnn-lstm": 10}


def plain_network(keras, clf, shape, n_classes):
    """Return the network of a recipe as a script writes it."""
    layers = keras.layers
    stack = [layers.Input(shape)]
    if clf == "ann":
        stack += [layers.Dense(100, activation="relu"), layers.Dense(200, activation="relu")]
        stack += [layers.Dropout(0.3), layers.Dense(100, activation="relu"), layers.Dropout(0.3)]
    if clf in ("cnn", "cnn-lstm"):
        dropout = 0.2 if clf == "cnn" else 0.3
        for filters in (64, 128, 128, 64) if clf == "cnn" else (64, 128):
            stack.append(layers.Conv1D(filters, 5, padding="same", activation="relu"))
            stack += [layers.MaxPooling1D(2, padding="same"), layers.Dropout(dropout)]
    if clf == "cnn":
        stack.append(layers.Flatten())
        for units in (128, 64):
            stack += [layers.Dense(units, activation="relu"), layers.Dropout(0.2)]
    if clf == "cnn-lstm":
        stack += [layers.LSTM(128), layers.Dropout(0.3)]
        stack += [layers.Dense(64, activation="relu"), layers.Dropout(0.3)]
    if clf == "lstm":
        stack += [layers.LSTM(256), layers.Dropout(0.5)]
        for units in (256, 256, 256):
            stack += [layers.Dense(units, activation="relu"), layers.Dropout(0.5)]
    return keras.Sequential([*stack, layers.Dense(n_classes, activation="softmax")])


def train_plain(clf, epochs, data):
    """Train as a script does, and say how long it took, how good it is and how fast."""
    import keras
    import numpy as np

    shaped = {
        name: data[name].transpose(0, 2, 1) if clf == "cnn" else data[name]
        for name in ("train", "validation", "test")
    }
    if clf == "lstm":
        shaped = {name: X[..., None] for name, X in shaped.items()}
    keras.utils.set_random_seed(0)
    model = plain_network(keras, clf, shaped["train"].shape[1:], int(data["y_train"].max()) + 1)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    keep = keras.callbacks.EarlyStopping(patience=epochs, restore_best_weights=True)
    started = time.perf_counter()
    model.fit(
        shaped["train"],
        data["y_train"],
        validation_data=(shaped["validation"], data["y_validation"]),
        epochs=epochs,
        batch_size=32,
        callbacks=[keep],
        verbose=0,
    )
    seconds = time.perf_counter() - started
    answers = model.predict(shaped["test"], verbose=0).argmax(axis=1)
    one = shaped["test"][:1]
    return {
        "seconds": seconds,
        "accuracy": float(np.mean(answers == data["y_test"])),
        "one_clip_ms": median_ms(lambda: model.predict(one, verbose=0)),
    }


def train_ours(clf, epochs, data):
    """Do the same with the recipe's classifier."""
    import numpy as np

    from sklearn_ser.pipelines import RECIPES as OURS

    classifier = OURS[clf].classifier().set_params(epochs=epochs, patience=None, random_state=0)
    from sklearn_ser.classifiers._keras import load_keras

    load_keras()  # its import is not training, and is not counted for the script either
    started = time.perf_counter()
    classifier.fit(
        data["train"],
        data["y_train"],
        X_val=data["validation"],
        y_val=data["y_validation"],
    )
    seconds = time.perf_counter() - started
    one = data["test"][:1]
    return {
        "seconds": seconds,
        "accuracy": float(np.mean(classifier.predict(data["test"]) == data["y_test"])),
        "one_clip_ms": median_ms(lambda: classifier.predict_proba(one)),
    }


def median_ms(work, n=100):
    """Return the median milliseconds of a call."""
    import statistics

    work()
    taken = []
    for _ in range(n):
        started = time.perf_counter()
        work()
        taken.append(1000 * (time.perf_counter() - started))
    return statistics.median(taken)


def write_features(clf, corpus, file):
    """Extract and scale the features of a recipe, and divide them as `fit` does."""
    import numpy as np

    from sklearn_ser.model_selection import split_corpus
    from sklearn_ser.pipelines import extract_features, make_pipeline

    pipeline = make_pipeline(clf, n_jobs=-1)
    matrix = extract_features(pipeline, corpus["path"].tolist())[0]
    parts = split_corpus(corpus, "random")
    scale = pipeline.named_steps["scale"].fit(matrix[parts.train])
    _, codes = np.unique(corpus["emotion"].to_numpy().astype(str), return_inverse=True)
    told = {}
    for name in ("train", "validation", "test"):
        rows = getattr(parts, name)
        told[name] = scale.transform(matrix[rows]).astype(np.float32)
        told[f"y_{name}"] = codes[rows]
    np.savez(file, **told)


def whole_pipeline_ms(clf, corpus):
    """Return the median time from a 2-second waveform to its probabilities."""
    import numpy as np

    from sklearn_ser.pipelines import make_pipeline

    few = corpus.groupby("emotion").head(4)
    pipeline = make_pipeline(clf, random_state=0, clf__epochs=1)
    pipeline.fit(few["path"].tolist(), few["emotion"].tolist())
    clip = next(iter(pipeline.named_steps["audio"].transform(few["path"].tolist()[:1])))
    waveform = np.resize(clip, 2 * pipeline.named_steps["audio"].sr)
    return median_ms(lambda: pipeline.predict_proba([waveform]), 200)


def run_script(data):
    """Do what a script does from imports to scores: the classic recipe, then the network."""
    import keras
    import librosa
    import numpy as np
    from sklearn.model_selection import train_test_split
    from sklearn.preprocessing import StandardScaler

    from sklearn_ser.corpora import load_data

    corpus = load_data(data)
    rows = []
    for path in corpus["path"]:
        y, sr = librosa.load(path, res_type="kaiser_fast")
        rows.append(librosa.feature.mfcc(y=y, sr=sr, n_mfcc=40).mean(axis=1))
    classes, codes = np.unique(corpus["emotion"].to_numpy().astype(str), return_inverse=True)
    X, X_test, y, y_test = train_test_split(
        np.array(rows, dtype=np.float32), codes, test_size=0.2, stratify=codes, random_state=0
    )
    X, X_val, y, y_val = train_test_split(X, y, test_size=0.1, stratify=y, random_state=0)
    scale = StandardScaler().fit(X)
    model = plain_network(keras, "ann", (40,), len(classes))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(
        scale.transform(X),
        y,
        validation_data=(scale.transform(X_val), y_val),
        epochs=EPOCHS["ann"],
        batch_size=32,
        verbose=0,
    )
    print(model.evaluate(scale.transform(X_test), y_test, verbose=0)[1])


def time_whole_fits(data, rounds):
    """Return the seconds of `fit --clf ann`, cold cache, and of the script, in turn."""
    taken: dict[str, list[float]] = {"ours": [], "script": []}
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            ours = [sys.executable, "-m", "sklearn_ser", "fit", "--clf", "ann", "--data", data]
            ours += ["--cache", f"{folder}/cache", "--out", f"{folder}/run", "--json"]
            script = [sys.executable, __file__, "--script", data]
            for who, command in (("ours", ours), ("script", script)):
                started = time.perf_counter()
                subprocess.run(command, capture_output=True, check=True)
                taken[who].append(time.perf_counter() - started)
    return {who: min(seconds) for who, seconds in taken.items()}


def work(who, clf, epochs, file):
    """Train once, in this process, and print what came of it."""
    import numpy as np

    with np.load(file) as arrays:
        data = dict(arrays)
    train = train_ours if who == "ours" else train_plain
    print(json.dumps(train(clf, int(epochs), data)))


def main() -> None:
    if sys.argv[1:2] == ["--work"]:
        work(*sys.argv[2:])
        return
    if sys.argv[1:2] == ["--script"]:
        run_script(sys.argv[2])
        return
    arguments = parse_arguments(__doc__, rounds=3)
    from sklearn_ser.corpora import load_data

    corpus = load_data(arguments.data)
    results: dict[str, dict] = {}
    with tempfile.TemporaryDirectory() as folder:
        for clf in RECIPES:
            file = Path(folder) / "features.npz"
            write_features(clf, corpus, file)
            found: dict[str, list[dict]] = {"ours": [], "plain": []}
            for _ in range(arguments.rounds):
                for who, runs in found.items():
                    command = [sys.executable, __file__, "--work", who, clf, EPOCHS[clf], file]
                    done = subprocess.run(
                        list(map(str, command)), capture_output=True, text=True, check=True
                    )
                    runs.append(json.loads(done.stdout.splitlines()[-1]))
            # The quickest of several runs is the one that the rest of the machine disturbed least.
            best = {
                who: {key: min(run[key] for run in runs) for key in ("seconds", "one_clip_ms")}
                | {"accuracy": runs[0]["accuracy"]}
                for who, runs in found.items()
            }
            ratio = best["ours"]["seconds"] / best["plain"]["seconds"]
            whole = whole_pipeline_ms(clf, corpus)
            results[clf] = {**best, "epochs": EPOCHS[clf], "ratio": ratio, "waveform_ms": whole}
            for who, told in best.items():
                print(
                    f"{clf:9} {who:6} {EPOCHS[clf]} epochs {told['seconds']:6.1f} s   accuracy "
                    f"{told['accuracy']:.4f}   one clip's network {told['one_clip_ms']:6.2f} ms"
                )
            print(f"{clf:9} ours / plain {ratio:.2f}   waveform to probabilities {whole:.2f} ms")
    whole_fit = time_whole_fits(arguments.data, arguments.rounds)
    print(
        f"fit --clf ann, command to run folder: {whole_fit['ours']:.1f} s; a script from imports "
        f"to scores {whole_fit['script']:.1f} s ({whole_fit['ours'] / whole_fit['script']:.2f})"
    )
    results["whole ann"] = whole_fit
    finish("networks", {"data": arguments.data, "split": "random", "recipes": results})


if __name__ == "__main__":
    main()
