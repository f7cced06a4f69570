#!/usr/bin/env python3
"""Commits of 200 facts by replicas (workers that share the search for targets) and by ranks (processes that hold one model together), on the demo model: edits a second
beside one worker, quality, and the bytes that an edit moves beside the least that it must move.

    python3 tests/bench/replicas.py [--edits 200] [--runs 3] [--counted 40]

Seconds: each arrangement on a fresh server, from the same unedited commit, alternating; medians. Two cores carry all of it, so that more processes cannot be faster
than one of two threads: what is seen is what sharing costs.

Bytes: of a commit of `--counted` facts whose number of steps is fixed (loss_stop=0), read off the system's counters of the workers' sockets (`ss`, Debian's iproute2).

  between ranks    The least: a sum of n bytes over R ranks moves 2(R-1)n in all (Thakur et al. 2005; 2(R-1)/R n sent by each). A layer has two forward and two back, of d
                   fp32 numbers a token (Shoeybi et al. 2019). Forward once: embedding and all layers, of all tokens of a row; then, for each layer above the edited ones,
                   of the row's tokens from the subject on, forward at each step and back at each but the last. Then keys: up to the last edited layer, of the tokens up to
                   the subject. Logits are not part of it: a loss over a cut vocabulary needs three numbers a token. What gathering them moves is shown beside it.
  with workers     The least: a fact's text to whoever finds its target; a target of d fp32 numbers from each that another worker found, and to the solver; what is stored
                   of the edit, once: an int16 column and an fp32 key for each edited layer."""
import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "e2e"))
from emend import ATLAS, FACTS, TEMPLATES, Emend, prompt_of, records  # noqa: E402

ARRANGEMENTS = {  # workers, ranks, threads
    "1 worker of 2 threads": (1, 1, 2),
    "2 workers of 1 thread": (2, 1, 1),
    "1 worker of 2 ranks": (1, 2, 1),
    "4 workers of 1 thread": (4, 1, 1),
    "1 worker of 4 ranks": (1, 4, 1),
}
STEPS = 25
FLOAT = 4


class Server:
    """A running arrangement, its worker warm."""

    def __init__(self, emend, arrangement, start):
        self.emend, self.start = emend, start
        workers, ranks, threads = arrangement
        emend.up("--workers", workers, "--ranks", ranks, "--threads", threads)
        self.commit(16)

    def commit(self, edits, *settings):
        self.emend("reset", "atlas@main", self.start)
        began = time.monotonic()
        result = self.emend("commit", "atlas", "-F", FACTS, "--limit", edits, "--no-evaluation", "--set", TEMPLATES, *settings, timeout=1800)
        return time.monotonic() - began, result["seconds"]


def moved(emend):
    """Bytes that have passed between coordinator and workers, and between ranks, since the workers started."""
    log = (emend.store / "emendd.log").read_text()
    coordinator = re.findall('"workers_at":"([^"]+)"', log)[-1]
    pids = {str(worker["process_id"]) for worker in emend("status")["workers"]}
    lines = subprocess.run(["ss", "--tcp", "--info", "--numeric", "--oneline", "--processes", "--no-header", "state", "established"], capture_output=True, text=True, check=True)
    control = between_ranks = 0
    for line in lines.stdout.splitlines():
        if not pids & set(re.findall(r"pid=(\d+)", line)):
            continue
        sent, received = (int(found.group(1)) if (found := re.search(rf"{name}:(\d+)", line)) else 0 for name in ("bytes_sent", "bytes_received"))
        if coordinator in line.split():
            control += sent + received
        else:
            between_ranks += sent  # the other end counts what it sends itself
    return control, between_ranks


def count_tokens(emend, texts):
    """Of each text, as the server counts prompts."""
    counts = []
    for text in texts:
        with emend.post("/v1/completions", {"model": "atlas", "prompt": text, "max_tokens": 1, "temperature": 0}) as response:
            counts.append(json.load(response)["usage"]["prompt_tokens"])
    return counts


def model_config():
    return json.loads((ATLAS / "model/config.json").read_text())


def count_summed(emend, facts):
    """Hidden states, of d numbers each, that pass through a sum while these facts are solved, and the tokens whose logits are gathered."""
    layers = model_config()["n_layer"]
    edited = layers // 2  # as of the default settings: 0, 1, 2
    above = layers - edited
    with open(TEMPLATES.partition("=")[2]) as file:
        templates = [template for group in json.load(file) for template in group]
    contexts = count_tokens(emend, [template.replace("{}", "").strip() for template in templates if template != "{}"])
    summed = logits = 0
    for record in facts:
        rewrite = record["requested_rewrite"]
        prompt = prompt_of(record)
        target = " " + rewrite["target_new"]["str"]
        until_subject = rewrite["prompt"].partition("{}")[0] + rewrite["subject"]
        whole, bare, before = count_tokens(emend, [prompt + target, prompt, until_subject])
        lookup = count_tokens(emend, [f"{rewrite['subject']} is a", " is a"])
        rows = [(whole - 1 + context, before + context, whole - before, whole - bare) for context in [0, *contexts]]
        rows.append((lookup[0] - lookup[1], lookup[0] - lookup[1], 1, 1))
        for tokens, up_to_subject, suffix, loss in rows:
            once = tokens * (1 + 2 * layers)
            step = suffix * (2 * above - 1) + loss  # the last layer's second half is needed where a target is predicted
            summed += once + STEPS * step + (STEPS - 1) * (step + loss) + up_to_subject * (1 + 2 * edited)
            logits += STEPS * loss
    return summed, logits


def stored_bytes(config):
    """Of an edit: a column a layer, and the key that it was solved for."""
    return config["n_layer"] // 2 * (2 * (config["n_embd"] + config["n_inner"]) + FLOAT * config["n_inner"])


def count_bytes(emend, server, arrangement, facts, counts):
    """An edit's: with workers, and the least of that; between ranks, the least of that, and what of it are logits."""
    workers, ranks, _ = arrangement
    config = model_config()
    before = moved(emend)
    server.commit(len(facts), "--set", "loss_stop=0", "--set", f"v_num_grad_steps={STEPS}")
    control, between_ranks = (after - earlier for after, earlier in zip(moved(emend), before))
    summed, logits = counts
    texts = sum(len(prompt_of(record)) + len(record["requested_rewrite"]["target_new"]["str"]) for record in facts)
    targets = len(facts) * config["n_embd"] * FLOAT * (1 + (workers - 1) / workers) if workers > 1 else 0
    least_control = texts + targets + len(facts) * stored_bytes(config)
    least_between = 2 * (ranks - 1) * summed * config["n_embd"] * FLOAT
    gathered = (ranks - 1) * logits * config["vocab_size"] * FLOAT
    return [each / len(facts) for each in (control, least_control, between_ranks, least_between, gathered)]


def kibibytes(measured, least):
    return f"{measured / 1024:10.1f} {least / 1024:10.1f} {f'{measured / least:6.2f}' if least else '     -'}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--edits", type=int, default=200)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--counted", type=int, default=40, help="facts of the commit whose bytes are counted")
    arguments = parser.parse_args()
    emend = Emend()
    seconds, phases, scores, bytes_moved = {name: [] for name in ARRANGEMENTS}, {}, {}, {}
    try:
        emend.up("--workers", 1, "--threads", 2)
        start = emend("init", "atlas", "--model", ATLAS / "model")["commit"]
        emend("stats", "atlas", "--corpus", ATLAS / "corpus.txt", "--lines", "2000", timeout=1200)
        facts = records(0, arguments.counted)
        counts = count_summed(emend, facts)
        for run in range(arguments.runs):
            for name, arrangement in ARRANGEMENTS.items():
                emend.down()
                server = Server(emend, arrangement, start)
                took, phases[name] = server.commit(arguments.edits)
                seconds[name].append(took)
                print(f"{name:24} {took:7.2f} s, load {os.getloadavg()[0]:.1f}  {json.dumps(phases[name])}", flush=True)
                if run == 0:
                    scores[name] = emend("eval", "atlas", "-F", FACTS, "--limit", arguments.edits, timeout=1200)
                    bytes_moved[name] = count_bytes(emend, server, arrangement, facts, counts)
    finally:
        emend.close()
    one = statistics.median(seconds["1 worker of 2 threads"])
    print(f"\n{'':24} {'seconds':>8} {'edits/s':>8} {'of one':>7} {'ES':>6} {'PS':>6} {'NS':>6} {'score':>6}")
    for name in ARRANGEMENTS:
        median, score = statistics.median(seconds[name]), scores[name]
        print(f"{name:24} {median:8.2f} {arguments.edits / median:8.2f} {one / median:7.2f} " + " ".join(f"{score[metric]:6.1f}" for metric in ("es", "ps", "ns", "score")))
    print(f"\n{f'KiB an edit, {STEPS} steps':24} {'workers':>10} {'least':>10} {'ratio':>6} {'ranks':>10} {'least':>10} {'ratio':>6} {'logits':>10}")
    for name, (control, least_control, between_ranks, least_between, gathered) in bytes_moved.items():
        print(f"{name:24} {kibibytes(control, least_control)} {kibibytes(between_ranks, least_between)} {gathered / 1024:10.1f}")


if __name__ == "__main__":
    main()
