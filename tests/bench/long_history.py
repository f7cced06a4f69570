#!/usr/bin/env python3
"""How long histories hold: the same facts in many commits, without and with the keys of earlier edits in the solve (past_keys), in one commit, and refitted; and what is left of a commit that is
taken out.

    python3 tests/bench/long_history.py [--model FOLDER] [--corpus FILE] [--facts FILE] [--commits 4] [--batch 50] [--methods nas,alphaedit]

With --methods the commits are made by each of these, too. For each it prints the scores of the first commit's facts, of the third's and of all, the largest update beside its weight, and the seconds. Without arguments: atlas and the facts of the demo.
"""
import argparse
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
from emend import ATLAS, FACTS, Emend  # noqa: E402

THIRD = 2  # the commit that is taken out


class History:
    def __init__(self, emend, arguments):
        self.emend, self.facts, self.commits, self.batch = emend, arguments.facts, arguments.commits, arguments.batch
        self.start = emend("init", "model", "--model", arguments.model)["commit"]
        emend("stats", "model", "--corpus", arguments.corpus, "--lines", "2000", timeout=3600)

    def score(self, first, count):
        place = ("--offset", str(first * self.batch), "--limit", str(count * self.batch))
        result = self.emend("eval", "model", "-F", self.facts, *place, timeout=3600)
        return "  ".join(f"{name} {result[name]:.1f}" for name in ("es", "ps", "ns", "es_argmax"))

    def report(self, name, began, results):
        seconds = time.monotonic() - began
        largest = max((layer["update_norm"] / layer["weight_norm"] for result in results for layer in result.get("layers", [])), default=0)
        print(f"{name}: {seconds:.0f} s, largest update {largest:.1f} times its weight")
        for part, first, count in (("first", 0, 1), ("third", THIRD, 1), ("all", 0, self.commits)):
            print(f"  {part:6} {self.score(first, count)}", flush=True)

    def commit(self, first, count, *settings):
        place = ("--offset", str(first * self.batch), "--limit", str(count * self.batch))
        return self.emend("commit", "model", "-F", self.facts, *place, "--no-evaluation", *settings, timeout=3600)

    def commit_each(self, name, places, *settings):
        self.emend("reset", "model@main", self.start)
        began = time.monotonic()
        results = [self.commit(place, 1, *settings) for place in places]
        self.report(name, began, results)
        return [result["commit"] for result in results]

    def run(self, name, head, *verb):
        self.emend("reset", "model@main", head)
        began = time.monotonic()
        self.report(name, began, [self.emend(*verb, timeout=3600)])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=ATLAS / "model")
    parser.add_argument("--corpus", default=ATLAS / "corpus.txt")
    parser.add_argument("--facts", default=FACTS)
    parser.add_argument("--commits", type=int, default=4)
    parser.add_argument("--batch", type=int, default=50)
    parser.add_argument("--methods", default="", help="others to make the commits by, too")
    arguments = parser.parse_args()
    emend = Emend()
    try:
        emend.up()
        history = History(emend, arguments)
        places = range(arguments.commits)
        history.commit_each("commits as published (past_keys 0)", places, "--set", "past_keys=0")
        for method in filter(None, arguments.methods.split(",")):
            history.commit_each(f"commits by {method}", places, "--method", method)
        made = history.commit_each("commits", places)
        history.run("refitted", made[-1], "refit", "model", "--no-evaluation")
        history.run("third reverted", made[-1], "revert", "model", made[THIRD])
        history.run("third reverted, the others refitted", made[-1], "refit", "model", "--without", made[THIRD], "--no-evaluation")
        history.commit_each("third never committed", [place for place in places if place != THIRD])
        emend("reset", "model@main", history.start)
        began = time.monotonic()
        history.report("one commit", began, [history.commit(0, arguments.commits)])
    finally:
        emend.close()


if __name__ == "__main__":
    main()
