#!/usr/bin/env python3
"""Edits a second of `emend commit` against the published MEMIT, by wall clock outside both programs, on the demo model or another.

    python3 tests/bench/memit_ratio.py [--edits 100] [--runs 3] [--peer CHECKOUT --peer-python PYTHON --peer-script run_memit.py] [--model FOLDER --layers 4,5,6,7,8]

Without --peer the published code's recorded figure for the demo model is used (tests/golden/memit-atlas: seconds an edit on two cores), and the output says so. Covariance and evaluation are left out
on both sides. Runs alternate; medians are compared. The demo model is edited by the settings of that golden, another model (its folder as transformers has it) by the published code's own.
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
AS_GOLDEN = [TEMPLATES, "mom2_update_weight=300"]
AS_PUBLISHED = {"v_num_grad_steps": 20, "v_lr": 0.5, "v_weight_decay": 0.5, "clamp_norm_factor": 0.75, "kl_factor": 0.0625, "mom2_update_weight": 1500}


def ours(emend, start, arguments):
    settings = AS_GOLDEN
    if arguments.model:
        settings = [f"{name}={value}" for name, value in {**AS_PUBLISHED, "layers": arguments.layers, "chat_contexts": 0}.items()]
    emend("reset", "model@main", start)
    began = time.monotonic()
    result = emend("commit", "model", "-F", FACTS, "--limit", str(arguments.edits), "--no-evaluation", *[word for setting in settings for word in ("--set", setting)], timeout=1200)
    return time.monotonic() - began, result["seconds"]


def theirs(arguments):
    command = [arguments.peer_python, arguments.peer_script, arguments.model or str(ATLAS / "model"), str(FACTS), str(ATLAS / "corpus.txt"), "--n", str(arguments.edits)]
    if arguments.model:
        command += ["--samples", "200", "--layers", arguments.layers, *[word for name, value in AS_PUBLISHED.items() for word in ("--hp", f"{name}={value}")]]
    else:
        command += ["--golden", str(GOLDEN)]
    done = subprocess.run(command, cwd=arguments.peer, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])["seconds"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--edits", type=int, default=100)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--peer", help="a checkout of the published code, made to run on a CPU")
    parser.add_argument("--peer-python", default=sys.executable)
    parser.add_argument("--peer-script")
    parser.add_argument("--model", help="the folder of another model")
    parser.add_argument("--layers", help="that are edited in it, such as 4,5,6,7,8")
    arguments = parser.parse_args()
    if arguments.model and not (arguments.layers and arguments.peer):
        parser.error("--model needs --layers and --peer: nothing is recorded of it")
    emend = Emend()
    mine, peer = [], []
    try:
        emend.up()
        start = emend("init", "model", "--model", arguments.model or ATLAS / "model")["commit"]
        emend("stats", "model", "--corpus", ATLAS / "corpus.txt", "--lines", "200" if arguments.model else "2000", timeout=1200)
        for _ in range(arguments.runs):
            seconds, phases = ours(emend, start, arguments)
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
