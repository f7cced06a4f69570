#!/usr/bin/env python3
"""How long histories hold: the same facts in many commits, without and with the keys of earlier edits in the solve (past_keys).

    python3 tests/bench/long_history.py [--model FOLDER] [--corpus FILE] [--facts FILE] [--commits 4] [--batch 50]

For each it prints the scores of the first commit's facts and of all, once all are in; the largest update beside its weight; and the seconds. Without arguments: atlas and the facts of the demo.
"""
import argparse
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
from emend import ATLAS, FACTS, Emend  # noqa: E402


def score(emend, facts, count):
    result = emend("eval", "model", "-F", facts, "--limit", str(count), timeout=3600)
    return "  ".join(f"{name} {result[name]:.1f}" for name in ("es", "ps", "ns", "score", "es_argmax"))


def commit_all(emend, arguments, past_keys):
    largest = 0
    for number in range(arguments.commits):
        place = ("--offset", str(number * arguments.batch), "--limit", str(arguments.batch))
        result = emend("commit", "model", "-F", arguments.facts, *place, "--no-evaluation", "--set", f"past_keys={past_keys}", timeout=3600)
        largest = max([largest] + [layer["update_norm"] / layer["weight_norm"] for layer in result["layers"]])
    return largest


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=ATLAS / "model")
    parser.add_argument("--corpus", default=ATLAS / "corpus.txt")
    parser.add_argument("--facts", default=FACTS)
    parser.add_argument("--commits", type=int, default=4)
    parser.add_argument("--batch", type=int, default=50)
    arguments = parser.parse_args()
    emend = Emend()
    try:
        emend.up()
        start = emend("init", "model", "--model", arguments.model)["commit"]
        emend("stats", "model", "--corpus", arguments.corpus, "--lines", "2000", timeout=3600)
        for past_keys in (0, 1):
            emend("reset", "model@main", start)
            began = time.monotonic()
            largest = commit_all(emend, arguments, past_keys)
            print(f"past_keys {past_keys}: {time.monotonic() - began:.0f} s, largest update {largest:.1f} times its weight")
            print(f"  first commit  {score(emend, arguments.facts, arguments.batch)}")
            print(f"  all           {score(emend, arguments.facts, arguments.batch * arguments.commits)}", flush=True)
    finally:
        emend.close()


if __name__ == "__main__":
    main()
