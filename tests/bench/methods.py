#!/usr/bin/env python3
"""The same facts by every method, each in one commit on the unedited model: one row of a table a method.

    python3 tests/bench/methods.py [--model FOLDER] [--corpus FILE] [--lines 2000] [--facts FILE] [--limit 100] [METHOD[,SETTING=VALUE]... ...]

Without methods: all that the program knows, with their defaults; `memit,layers=1:2,ridge=0` is memit with other settings, the commas of a list being colons. Without other arguments: atlas with its
own corpus and the facts of the demo. `mom2_update_weight` and the update's norm beside the weight's are of the edited layers, smallest to largest.
"""
import argparse
import pathlib
import re
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
from emend import ATLAS, FACTS, Emend  # noqa: E402

COLUMNS = ("method", "layers", "λ", "taken", "ES / PS / NS", "neighbours kept", "perplexity", "update / weight", "seconds")


def span(values):
    low, high = (f"{value:.3g}" for value in (min(values), max(values)))
    return low if low == high else f"{low} to {high}"


def row(variant, result, seconds):
    scores, drift, layers = result["evaluation"]["after"], result["drift"], result["layers"]
    return (variant, ", ".join(str(layer["layer"]) for layer in layers), span([layer["mom2_update_weight"] for layer in layers]),
            f"{sum(fact['taken'] for fact in result['facts'])} of {len(result['facts'])}", " / ".join(f"{scores[name]:.1f}" for name in ("es", "ps", "ns")),
            f"{result['kept']:.0f} %", f"{drift['perplexity_before']:.2f} → {drift['perplexity_after']:.2f}",
            span([layer["update_norm"] / layer["weight_norm"] for layer in layers]), f"{seconds:.0f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=ATLAS / "model")
    parser.add_argument("--corpus", default=ATLAS / "corpus.txt")
    parser.add_argument("--lines", type=int, default=2000)
    parser.add_argument("--facts", default=FACTS)
    parser.add_argument("--limit", type=int, default=100)
    parser.add_argument("variants", nargs="*")
    arguments = parser.parse_args()
    emend = Emend()
    try:
        emend.up()
        variants = arguments.variants or re.findall(r"--method (\S+)", emend.run("help", "settings").stdout)
        start = emend("init", "model", "--model", arguments.model)["commit"]
        emend("stats", "model", "--corpus", arguments.corpus, "--lines", arguments.lines, timeout=3600)
        print("| " + " | ".join(COLUMNS) + " |\n" + "|---" * len(COLUMNS) + "|")
        for variant in variants:
            method, *settings = variant.split(",")
            emend("reset", "model@main", start)
            began = time.monotonic()
            result = emend("commit", "model", "-F", arguments.facts, "--limit", arguments.limit, "--method", method,
                           *(part for setting in settings for part in ("--set", setting.replace(":", ","))), timeout=3600)
            print("| " + " | ".join(row(variant, result, time.monotonic() - began)) + " |", flush=True)
    finally:
        emend.close()


if __name__ == "__main__":
    main()
