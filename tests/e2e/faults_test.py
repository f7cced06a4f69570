#!/usr/bin/env python3
"""Random faults while a worker of two ranks edits and answers: ranks killed, stopped or delayed, the coordinator killed. Every acknowledged commit stays, is stored
once, and every answer is what one rank says of the commit that it names. The seed replays the faults.

  python3 tests/e2e/faults_test.py --faults 100 --seed 7      prints recovery times: from the fault to the group formed again"""
import argparse
import datetime
import json
import os
import random
import signal
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(__file__))
from emend import ATLAS, FACTS, TEMPLATES, Emend, Failed, commits, rank_pids, records  # noqa: E402

RANKS = 2
KINDS = ("kill", "stop", "delay", "coordinator")
BATCH = 4


def parse(arguments=None):
    parser = argparse.ArgumentParser()
    parser.add_argument("--faults", type=int, default=12)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args(arguments)


class Asker(threading.Thread):
    """Asks all the time, at whatever commit is the head, and keeps what was said."""

    def __init__(self, emend):
        super().__init__(daemon=True)
        self.emend = emend
        self.prompts = [r["requested_rewrite"]["prompt"].format(r["requested_rewrite"]["subject"]) for r in records(0, 8)]
        self.answers = {}
        self.failures = 0
        self.done = threading.Event()

    def run(self):
        number = 0
        while not self.done.is_set():
            prompt = self.prompts[number % len(self.prompts)]
            number += 1
            done = self.emend.run("ask", "atlas", prompt, "--max-tokens", "3", "--json", expect=None)
            if done.returncode == 0:
                answer = json.loads(done.stdout)
                self.answers.setdefault((answer["commit"], prompt), set()).add(answer["text"])
            else:
                self.failures += 1
                time.sleep(0.1)


def event_times(emend, event):
    """When it happened, in seconds since the epoch, from the server's log."""
    times = []
    for line in (emend.store / "emendd.log").read_text(errors="replace").splitlines():
        if f'"event":"{event}"' in line:
            stamp = json.loads(line)["time"].replace("Z", "+00:00")
            times.append(datetime.datetime.fromisoformat(stamp).timestamp())
    return times


def wait_formed(emend, since, seconds=60):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        later = [moment for moment in event_times(emend, "group_formed") if moment > since]
        if later:
            return later[-1] - since
        time.sleep(0.05)
    raise Failed(f"the group did not form again within {seconds} s")


def strike(emend, kind, rank, pause):
    """The fault. Returns whether the group is lost by it."""
    struck = time.time()
    if kind == "coordinator":
        emend.kill()
        emend.up("--ranks", RANKS)
        return True
    pid = rank_pids(emend)[rank]
    os.kill(pid, signal.SIGKILL if kind == "kill" else signal.SIGSTOP)
    if kind == "delay":
        time.sleep(pause)
        try:
            os.kill(pid, signal.SIGCONT)
        except ProcessLookupError:
            return True
        time.sleep(0.5)
        return any(moment > struck for moment in event_times(emend, "worker_lost"))  # about three heartbeats missed
    return True


def commit_once(emend, message, offset):
    settings = ["--set", TEMPLATES, "--set", "v_num_grad_steps=8"]
    return emend.run("commit", "atlas", "-F", FACTS, "--offset", offset, "--limit", BATCH, "-m", message, *settings, "--json", expect=None)


def check(emend, asker, acknowledged, start):
    emend.down()
    emend.up("--ranks", 1)
    stored = [commit["message"] for commit in commits(emend("log", "atlas", "-n", 1000))]
    for message in acknowledged:
        assert stored.count(message) == 1, f"commit {message!r} is stored {stored.count(message)} times"
    for (commit, prompt), texts in asker.answers.items():
        reference = emend("ask", f"atlas@{commit}", prompt, "--max-tokens", "3")["text"]
        assert texts == {reference}, f"at {commit[:12]} {prompt!r} was answered {texts}, and one rank says {reference!r}"
    assert emend("verify", "atlas")["ok"] and emend("fsck")["ok"]


def main(options):
    dice = random.Random(options.seed)
    emend = Emend()
    recoveries, acknowledged = [], []
    try:
        emend.up("--ranks", RANKS)
        emend("init", "atlas", "--model", ATLAS / "model")
        emend("stats", "atlas", "--corpus", ATLAS / "corpus.txt", "--lines", "300")
        start = commits(emend("log", "atlas"))[0]["commit"]
        asker = Asker(emend)
        asker.start()
        for number in range(options.faults):
            kind, rank, pause, wait = dice.choice(KINDS), dice.randrange(RANKS), dice.uniform(0.2, 3.0), dice.uniform(0.0, 1.5)
            message = f"fault {number}: {kind} {rank}"
            outcome = []
            committer = threading.Thread(target=lambda: outcome.append(commit_once(emend, message, BATCH * (number % 40))))
            committer.start()
            time.sleep(wait)
            struck = time.time()
            lost = strike(emend, kind, rank, pause)
            if lost:
                recoveries.append(wait_formed(emend, struck))
            committer.join(180)
            assert not committer.is_alive(), f"{message}: the commit hangs"
            if outcome[0].returncode == 0:
                acknowledged.append(message)
            print(f"{message:30} {'recovered in %.2f s' % recoveries[-1] if lost else 'not lost':22} commit exit {outcome[0].returncode}", flush=True)
            if number % 20 == 19:
                emend("reset", "atlas@main", start)
                acknowledged.clear()
        asker.done.set()
        asker.join(60)
        check(emend, asker, acknowledged, start)
        recoveries.sort()
        p99 = recoveries[min(len(recoveries) - 1, int(0.99 * len(recoveries)))]
        print(f"seed {options.seed}: {options.faults} faults, {len(recoveries)} losses, recovery median {recoveries[len(recoveries) // 2]:.2f} s, p99 {p99:.2f} s")
        print(f"{len(asker.answers)} answers at {len({c for c, _ in asker.answers})} commits are those of one rank; {asker.failures} asks failed meanwhile")
        assert p99 < 10, "recovery takes ten seconds or more"
    finally:
        emend.close()


if __name__ == "__main__":
    main(parse())
