"""Milliseconds a clip: ours, librosa's classic recipe, the floor, and openSMILE where it is there.

The classic recipe is `librosa.load(res_type="kaiser_fast")` and each feature from a spectrogram of
its own. The floor is what nobody can leave out: decoding, one resampling, one power spectrum.
openSMILE's licence forbids commercial use; it is a figure to compare with and nothing else.
"""

import statistics
import time

from _common import finish, parse_arguments, spread, time_in_turn


def main() -> None:
    arguments = parse_arguments(__doc__, clips=200, rounds=5)

    import librosa
    import numpy as np
    import scipy.fft
    import soundfile
    import soxr

    from sklearn_ser import AudioFeatureUnion, AudioLoader
    from sklearn_ser.corpora import load_data
    from sklearn_ser.pipelines import FEATURES

    paths = spread(load_data(arguments.data)["path"], arguments.clips)
    loader = AudioLoader()
    window = np.hanning(2049)[:-1].astype(np.float32)

    def floor(path):
        y, rate = soundfile.read(path, dtype="float32", always_2d=True)
        y = soxr.resample(y.mean(axis=1), rate, 22050, quality="HQ")
        frames = np.lib.stride_tricks.sliding_window_view(np.pad(y, 1024), 2048)[::512]
        return np.abs(scipy.fft.rfft(frames * window, axis=1)) ** 2

    theirs = {
        "mfcc": lambda y, sr: librosa.feature.mfcc(y=y, sr=sr, n_mfcc=40),
        "chroma": lambda y, sr: librosa.feature.chroma_stft(y=y, sr=sr),
        "mel": lambda y, sr: librosa.feature.melspectrogram(y=y, sr=sr),
        "contrast": lambda y, sr: librosa.feature.spectral_contrast(y=y, sr=sr),
    }

    def classic(names):
        def work(path):
            y, sr = librosa.load(path, res_type="kaiser_fast")
            return np.concatenate([theirs[name](y, sr).mean(axis=1) for name in names])

        return work

    def ours(names):
        union = AudioFeatureUnion([(name, FEATURES[name]()) for name in names])
        return lambda batch: union.transform(loader.transform(batch))

    four = list(theirs)
    batches = [paths[i : i + 50] for i in range(0, len(paths), 50)]
    results: dict = {"data": arguments.data, "n_clips": len(paths), "ms_per_clip": {}}
    for label, names in [*((name, [name]) for name in four), ("all four", four)]:
        taken = {"ours": [], "classic": [], "floor": []}
        for _ in range(arguments.rounds):
            for who, work, items in [
                ("ours", ours(names), batches),
                ("classic", classic(names), paths),
                ("floor", floor, paths),
            ]:
                taken[who].append(time_in_turn({who: work}, items, 1)[who])
        taken["ours"] = [value / len(batches[0]) for value in taken["ours"]]
        found = {who: statistics.median(values) for who, values in taken.items()}
        results["ms_per_clip"][label] = found
        print(
            f"{label:9} ours {found['ours']:6.2f} ms   classic {found['classic']:6.2f} ms "
            f"({found['classic'] / found['ours']:.1f} times ours)   floor {found['floor']:.2f} ms "
            f"(ours is {found['ours'] / found['floor']:.2f} times it)"
        )
    everything = results["ms_per_clip"]["all four"]
    results["classic_over_ours"] = everything["classic"] / everything["ours"]
    results["ours_over_floor"] = everything["ours"] / everything["floor"]

    two_seconds = [np.resize(clip, 44100) for clip in loader.transform(paths[:100])]
    union = AudioFeatureUnion([(name, FEATURES[name]()) for name in four])
    single = []
    for waveform in two_seconds:
        started = time.perf_counter()
        union.transform([waveform])
        single.append(1000 * (time.perf_counter() - started))
    results["waveform_to_row_p50_ms"] = statistics.median(single)
    print(f"one 2-second waveform in memory to its row: {statistics.median(single):.2f} ms (p50)")

    try:
        import opensmile
    except ImportError:
        print("openSMILE is not installed: no figure for it")
    else:
        few = paths[:30]
        for name in ("eGeMAPSv02", "ComParE_2016"):
            smile = opensmile.Smile(opensmile.FeatureSet[name], opensmile.FeatureLevel.Functionals)
            taken = time_in_turn({name: smile.process_file}, few, 1)
            results["ms_per_clip"][name] = taken[name]
            print(f"openSMILE {name}: {taken[name]:.1f} ms")
    finish("extraction", results)


if __name__ == "__main__":
    main()
