"""Look for bytes that break what reads the files of others: `python tests/fuzz/run.py --help`.

Guided by coverage, through atheris (`pip install atheris`). What breaks a target is written to a
file, whose name is the last thing printed; give that file to see it again.
"""

import argparse
import importlib.util
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
TARGETS = ("decoder", "csv", "card", "journal", "onnx")


def main() -> int:
    """Run fuzzers one after the other; return how many have found something."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("targets", nargs="*", help=f"of {', '.join(TARGETS)}; all by default")
    parser.add_argument("--seconds", type=int, default=20, help="for each target (default: 20)")
    parser.add_argument("--corpus", type=Path, help="a folder where interesting inputs are kept")
    parser.add_argument("--again", type=Path, help="a file that has broken the one target named")
    options = parser.parse_args()
    if unknown := set(options.targets) - set(TARGETS):
        parser.error(f"no target {', '.join(unknown)}: there are {', '.join(TARGETS)}")
    if importlib.util.find_spec("atheris") is None:
        print("atheris is not installed (pip install atheris): nothing was fuzzed.")
        return 0
    failed = []
    for target in options.targets or TARGETS:
        print(f"-- {target}", flush=True)
        if _run(target, options):
            failed.append(target)
    print(f"Broken: {', '.join(failed)}." if failed else "Nothing was found.")
    return len(failed)


def _run(target: str, options: argparse.Namespace) -> int:
    with tempfile.TemporaryDirectory() as scratch:
        if options.again is not None:
            how = [str(options.again)]
        else:
            corpus = Path(scratch) if options.corpus is None else options.corpus / target
            corpus.mkdir(parents=True, exist_ok=True)
            limits = ["-timeout=20", "-rss_limit_mb=2500", "-max_len=20000", "-verbosity=0"]
            kept = f"-artifact_prefix={Path(tempfile.gettempdir()) / f'broken-{target}-'}"
            how = [f"-max_total_time={options.seconds}", *limits, kept, str(corpus)]
        command = [sys.executable, str(Path(__file__)), "--fuzz-one", target, *how]
        return subprocess.run(command, cwd=ROOT).returncode


def fuzz_one(target: str, how: list[str]) -> None:
    """Fuzz one target in this process, which ends with it."""
    import atheris

    sys.path.insert(0, str(ROOT))
    with atheris.instrument_imports(include=["sklearn_ser"]):
        from tests.fuzz import targets
    folder = Path(how[-1])
    if folder.is_dir():
        for i, seed in enumerate(targets.seeds(target)):
            (folder / f"seed-{i}").write_bytes(seed)
    atheris.Setup([sys.argv[0], *how], lambda data: targets.TARGETS[target](data) and None)
    atheris.Fuzz()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--fuzz-one"]:
        fuzz_one(sys.argv[2], sys.argv[3:])
    else:
        sys.exit(main())
