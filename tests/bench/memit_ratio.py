#!/usr/bin/env python3
"""Edits a second of `emend commit` against the published MEMIT, by wall clock outside both programs, on the demo model.

    python3 tests/bench/memit_ratio.py [--edits 100] [--runs 3] [--peer CHECKOUT --peer-python PYTHON --peer-script run_memit.py]

Without --peer the published code's recorded figure is used (tests/golden/memit-atlas: seconds an edit on two cores), and the output says so. Covariance and evaluation are left out on both sides.
Runs alternate; medians are compared.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
from emend import ATLAS, FACTS, ROOT, TEMPLATES, Emend  # noqa: E402

GOLDEN = ROOT / "tests/golden/memit-atlas/golden.json"
LAMBDA = 300  # as the golden


def ours(emend, start, edits):
    emend("reset", "atlas@main", start)
    began = time.monotonic()
    result = emend("commit", "atlas", "-F", FACTS, "--limit", str(edits), "--no-evaluation", "--set", TEMPLATES, "--set", f"mom2_update_weight={LAMBDA}", timeout=1200)
    return time.monotonic() - began, result["seconds"]


def theirs(arguments):
    command = [arguments.peer_python, arguments.peer_script, str(ATLAS / "model"), str(FACTS), str(ATLAS / "corpus.txt"), "--n", str(arguments.edits), "--golden", str(GOLDEN)]
    done = subprocess.run(command, cwd=arguments.peer, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])["seconds"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--edits", type=int, default=100)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--peer", help="a checkout of the published code, made to run on a CPU")
    parser.add_argument("--peer-python", default=sys.executable)
    parser.add_argument("--peer-script")
    arguments = parser.parse_args()
    emend = Emend()
    mine, peer = [], []
    try:
        emend.up()
        start = emend("init", "atlas", "--model", ATLAS / "model")["commit"]
        emend("stats", "atlas", "--corpus", ATLAS / "corpus.txt", "--lines", "2000", timeout=1200)
        for _ in range(arguments.runs):
            seconds, phases = ours(emend, start, arguments.edits)
            mine.append(seconds)
            print(f"emend: {seconds:.2f} s for {arguments.edits} edits  {json.dumps(phases)}", flush=True)
            if arguments.peer:
                peer.append(theirs(arguments))
                print(f"published: {peer[-1]:.2f} s", flush=True)
    finally:
        emend.close()
    recorded = json.loads(GOLDEN.read_text())["seconds_per_edit_2_cores"] * arguments.edits
    other = statistics.median(peer) if peer else recorded
    source = "measured in this run" if peer else "recorded with the golden, not measured here"
    print(f"median: emend {statistics.median(mine):.2f} s, published {other:.2f} s ({source}): {other / statistics.median(mine):.1f} times its edits a second, load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
