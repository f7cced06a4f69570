#!/usr/bin/env python3
"""How often blame names the edit that wrote an answer, and how often it leaves the base's own answers to the base.

    python3 tests/bench/blame.py [--model FOLDER] [--corpus FILE] [--lines 2000] [--facts FILE] [--limit 200] [--beside FILE,LIMIT] [--asked 100] [--tokens 8] [--candidates 10]

The facts are committed as one batch, those beside them as another one; it is the former that are asked about. Of `--asked` of them, evenly taken, the prompt, two paraphrases and a neighbour are asked about. "said" are those that the model answers with the fact's target;
"first" is the share of them whose fact's edit is ranked first, "matters" of those where it is also said to matter; "given" the share ranked first where the target is given as the answer, said or not.
Of the neighbour's answer it says whose it is called, by whether the unedited model gives the same.
"""
import argparse
import json
import pathlib
import statistics
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
from emend import ATLAS, FACTS, Emend, prompt_of  # noqa: E402

PARAPHRASES = 2


def share(hits, of):
    return f"{100 * hits / of:.1f} % of {of}" if of else "none"


def is_of(edit, record):
    return edit["fact"]["subject"] == record["requested_rewrite"]["subject"] and edit["fact"]["target"] == record["requested_rewrite"]["target_new"]["str"]


class Tally:
    def __init__(self):
        self.asked = self.said = self.first = self.matters = self.given = 0
        self.changes = []

    def add(self, ask, prompt, record):
        target = record["requested_rewrite"]["target_new"]["str"]
        greedy = ask(prompt)
        self.asked += 1
        if greedy["answer"].strip().startswith(target):
            first = greedy["edits"][0]
            self.said += 1
            self.first += is_of(first, record)
            self.matters += is_of(first, record) and first["matters"]
            self.changes.append(first["change"])
        self.given += is_of(ask(prompt, target)["edits"][0], record)

    def row(self, name):
        middle = f"{statistics.median(self.changes):.2f}" if self.changes else ""
        return f"| {name} | {self.asked} | {self.said} | {share(self.first, self.said)} | {share(self.matters, self.said)} | {middle} | {share(self.given, self.asked)} |"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=ATLAS / "model")
    parser.add_argument("--corpus", default=ATLAS / "corpus.txt")
    parser.add_argument("--lines", type=int, default=2000)
    parser.add_argument("--facts", default=FACTS)
    parser.add_argument("--limit", type=int, default=200)
    parser.add_argument("--beside")
    parser.add_argument("--asked", type=int, default=100)
    parser.add_argument("--tokens", type=int, default=8)
    parser.add_argument("--candidates", type=int, default=10)
    arguments = parser.parse_args()
    records = json.loads(pathlib.Path(arguments.facts).read_text())[: arguments.limit]
    asked = [records[i * len(records) // arguments.asked] for i in range(arguments.asked)]
    emend = Emend()
    try:
        emend.up()
        start = emend("init", "model", "--model", arguments.model)["commit"]
        emend("stats", "model", "--corpus", arguments.corpus, "--lines", arguments.lines, timeout=3600)
        batches = [(arguments.facts, arguments.limit), *([arguments.beside.rsplit(",", 1)] if arguments.beside else [])]
        edits = sum(emend("commit", "model", "-F", path, "--limit", limit, "--no-evaluation", timeout=3600)["edits"] for path, limit in batches)

        def ask(prompt, answer=None, revision="main"):
            given = ("--answer", answer) if answer else ()
            return emend("blame", f"model@{revision}", prompt, "--max-tokens", arguments.tokens, "--candidates", arguments.candidates, *given)

        prompts, paraphrases, kept, changed, began = Tally(), Tally(), [], [], time.monotonic()
        for record in asked:
            prompts.add(ask, prompt_of(record), record)
            for paraphrase in record["paraphrase_prompts"][:PARAPHRASES]:
                paraphrases.add(ask, paraphrase, record)
            neighbour = record["neighborhood_prompts"][0]
            found = ask(neighbour)
            (kept if ask(neighbour, revision=start)["answer"] == found["answer"] else changed).append(found["origin"])
        seconds = (time.monotonic() - began) / (2 * (prompts.asked + paraphrases.asked + len(asked)))
        print(f"{edits} edits, {seconds:.2f} s a question\n")
        print("| asked about | n | said | first | matters | change, median | given |\n|---|---|---|---|---|---|---|")
        print(prompts.row("prompts"))
        print(paraphrases.row("paraphrases"))
        for name, origins in (("as the base has it", kept), ("another than the base's", changed)):
            print(f"neighbours' answers, {name}: " + ", ".join(f"{origin} {share(origins.count(origin), len(origins))}" for origin in ("base", "edits", "together")))
    finally:
        emend.close()


if __name__ == "__main__":
    main()
