"""Scores of features on unseen speakers: every feature set under one protocol.

For each corpus: leave one speaker out (UAR of the pooled predictions, a 95 % interval over speakers
or clips, the UAR on each speaker), the same after z-scores per speaker, which is transductive
(statistics of the test speaker's clips are used), a random split beside them, and the difference to
openSMILE's ComParE_2016 with a paired test. The classifier is StandardScaler and
LogisticRegression(C=0.05, max_iter=3000) for all, and any other recipe's named by --clf.

openSMILE's licence forbids commercial use; its sets are figures to compare with and nothing else.
"""

import argparse
import statistics
import warnings

from _common import finish, spread, time_in_turn

OPENSMILE = ("eGeMAPSv02", "ComParE_2016")
PEER = "ComParE_2016"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", nargs="*", default=["synthetic"], help="corpora, folders or CSVs")
    parser.add_argument("--features", default="mfcc+chroma+mel+contrast,functionals")
    parser.add_argument("--clf", default="logreg", help="recipes joined by commas")
    parser.add_argument("--ablation", action="store_true", help="leave each part of the set out")
    parser.add_argument("--clips", type=int, default=40, help="clips to time")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", help="a file for the table, in Markdown")
    arguments = parser.parse_args()

    from sklearn_ser.corpora import load_data

    warnings.filterwarnings("ignore", message="y_pred contains classes not in y_true")
    lines: list[str] = []
    results: dict = {}
    for data in arguments.data:
        table = load_data(data)
        sets = {
            name: feature_set(name.replace("+", ",")) for name in arguments.features.split(",")
        } | smile_sets()
        results[data] = compare(table, sets, arguments, lines, data)
        if arguments.ablation:
            results[data]["ablation"] = ablate(table, lines, data)
    if arguments.write:
        with open(arguments.write, "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
    finish("generalisation", results)


def feature_set(names):
    """Return a function from paths to a matrix, of features of this package."""
    from sklearn_ser import make_pipeline

    pipe = make_pipeline("passthrough", names)
    audio, union = pipe.named_steps["audio"], pipe.named_steps["features"]
    return lambda paths: union.transform(audio.transform(paths))


def smile_sets():
    """Return the same of openSMILE's sets, where it is installed."""
    try:
        import opensmile
    except ImportError:
        print("openSMILE is not installed: no figures for it")
        return {}
    import numpy as np

    def extractor(name):
        smile = opensmile.Smile(opensmile.FeatureSet[name], opensmile.FeatureLevel.Functionals)
        return lambda paths: np.vstack([smile.process_file(p).to_numpy() for p in paths])

    return {name: extractor(name) for name in OPENSMILE}


def compare(table, sets, arguments, lines, data):
    paths = table["path"].tolist()
    some = spread(paths, arguments.clips)
    batches = [some[i : i + 20] for i in range(0, len(some), 20)]
    milliseconds = {
        name: ms / len(batches[0])
        for name, ms in time_in_turn(sets, batches, arguments.rounds).items()
    }
    found: dict = {"n_clips": len(table), "n_speakers": int(table["speaker"].nunique())}
    say(lines, f"\n### {data}: {len(table)} clips of {found['n_speakers']} speakers\n")
    say(lines, "| features | classifier | dims | ms a clip | unseen speaker | each speaker | less "
        f"{PEER} (p) | z-scored per speaker, transductive | random split |")  # fmt: skip
    say(lines, "| --- " * 9 + "|")
    matrices = {name: extract(paths) for name, extract in sets.items()}
    for clf in arguments.clf.split(","):
        predicted = {name: unseen(X, table, clf) for name, X in matrices.items()}
        for name, X in matrices.items():
            row = describe(X, table, clf, predicted, name)
            row |= {"dims": X.shape[1], "ms_per_clip": milliseconds[name]}
            if PEER in milliseconds:
                row["cost_against_peer"] = milliseconds[name] / milliseconds[PEER]
            found.setdefault(clf, {})[name] = row
            say(lines, as_line(name, clf, row))
    return found


def describe(X, table, clf, predicted, name):
    from sklearn_ser.metrics import bootstrap_scores
    from sklearn_ser.metrics.paired import paired_test

    truth, speakers = table["emotion"].to_numpy(str), table["speaker"].to_numpy(str)
    guess = predicted[name]
    row = {
        "uar": uar(truth, guess),
        "uar_interval": bootstrap_scores(truth, guess, speakers)["uar_interval"],
        "by_speaker": {
            s: uar(truth[speakers == s], guess[speakers == s]) for s in sorted(set(speakers))
        },
        "uar_speaker_z_scores_transductive": uar(truth, unseen(per_speaker(X, table), table, clf)),
        "uar_random_split": random_split(X, table, clf),
    }
    if PEER in predicted and name != PEER:
        row["less_peer"] = paired_test(truth, guess, predicted[PEER], speakers)
    return row


def as_line(name, clf, row):
    each = row["by_speaker"].values()
    shown = (
        ", ".join(f"{s} {value:.3f}" for s, value in row["by_speaker"].items())
        if len(each) < 4
        else f"{min(each):.2f} to {max(each):.2f}, median {statistics.median(each):.2f}"
    )
    peer = row.get("less_peer")
    less = f"{peer['difference']:+.3f} ({peer['p']:.3f})" if peer else "—"
    low, high = row["uar_interval"]
    return (
        f"| {name} | {clf} | {row['dims']} | {row['ms_per_clip']:.1f} | {row['uar']:.3f} "
        f"[{low:.3f}, {high:.3f}] | {shown} | {less} | "
        f"{row['uar_speaker_z_scores_transductive']:.3f} | {row['uar_random_split']:.3f} |"
    )


def say(lines, line):
    print(line, flush=True)
    lines.append(line)


def uar(truth, guess):
    from sklearn.metrics import balanced_accuracy_score

    return float(balanced_accuracy_score(truth, guess))


def classifier(clf):
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from sklearn_ser.pipelines import RECIPES

    last = RECIPES[clf].classifier()
    if "calibrate" in last.get_params():
        last.set_params(calibrate=False)  # the probabilities are not asked for
    if "random_state" in last.get_params():
        last.set_params(random_state=0)
    return make_pipeline(StandardScaler(), last)


def unseen(X, table, clf):
    """Return what is predicted of each clip by a classifier that was not trained on its speaker."""
    from sklearn.model_selection import LeaveOneGroupOut, cross_val_predict

    truth, speakers = table["emotion"].to_numpy(str), table["speaker"].to_numpy(str)
    return cross_val_predict(classifier(clf), X, truth, groups=speakers, cv=LeaveOneGroupOut())


def per_speaker(X, table):
    import numpy as np

    Z = np.array(X, dtype=float)
    speakers = table["speaker"].to_numpy(str)
    for s in set(speakers):
        own = Z[speakers == s]
        spread_ = own.std(axis=0)
        Z[speakers == s] = (own - own.mean(axis=0)) / np.where(spread_ > 0, spread_, 1)
    return Z


def random_split(X, table, clf):
    from sklearn.model_selection import train_test_split

    truth = table["emotion"].to_numpy(str)
    train, test, y_train, y_test = train_test_split(
        X, truth, test_size=0.2, stratify=truth, random_state=0
    )
    return uar(y_test, classifier(clf).fit(train, y_train).predict(test))


def ablate(table, lines, data):
    """Score functionals without each of its parts, and each part alone."""
    import numpy as np

    from sklearn_ser import make_pipeline
    from sklearn_ser.pipelines import FEATURE_SETS

    paths = table["path"].tolist()
    some = spread(paths, 40)
    parts = list(FEATURE_SETS["functionals"].transformers)
    pipe = make_pipeline("passthrough", "functionals")
    audio, union = pipe.named_steps["audio"], pipe.named_steps["features"]
    widths = [len(t.get_feature_names_out()) for _, t in union.transformer_list]
    X = union.transform(audio.transform(paths))
    owner = np.repeat(parts, widths)
    truth = table["emotion"].to_numpy(str)

    def by_itself(transformer):
        return lambda batch: transformer.transform(audio.transform(batch))

    single = {name: by_itself(transformer) for name, transformer in union.transformer_list}
    taken = time_in_turn(single, [some], 3)
    found = {"all": {"dims": X.shape[1], "uar": uar(truth, unseen(X, table, "logreg"))}}
    say(lines, f"\n### What each part earns on {data}, leave one speaker out, logreg\n")
    say(lines, "| part | dims | ms a clip by itself | UAR alone | UAR of the set without it |")
    say(lines, "| --- " * 5 + "|")
    say(lines, f"| all | {X.shape[1]} | | {found['all']['uar']:.3f} | |")
    for part, width in zip(parts, widths, strict=True):
        row = {
            "dims": width,
            "ms_per_clip": taken[part] / len(some),
            "uar_alone": uar(truth, unseen(X[:, owner == part], table, "logreg")),
            "uar_without": uar(truth, unseen(X[:, owner != part], table, "logreg")),
        }
        found[part] = row
        say(lines, f"| {part} | {width} | {row['ms_per_clip']:.1f} | {row['uar_alone']:.3f} | "
            f"{row['uar_without']:.3f} |")  # fmt: skip
    return found


if __name__ == "__main__":
    main()
