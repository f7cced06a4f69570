#!/usr/bin/env python3
"""Random faults while a worker of two ranks edits, answers and completes texts: ranks killed, stopped or delayed, the coordinator killed, links cut and slowed, between
coordinator and rank and between the ranks. Every acknowledged commit stays and is stored once; every answer and every streamed text is what one rank says of the commit
that it names, a gateway's too, which go on while the coordinator is away. The seed replays the faults.

  python3 tests/e2e/faults_test.py --faults 100 --seed 7      prints recovery times: from the end of the fault to the next answer
  python3 tests/e2e/faults_test.py --kinds "long cut line"    cuts that the ranks must notice themselves, and how long that takes them

Links are those of network.py. Where namespaces cannot be made, the ranks are emendd's own, no link is cut or slowed, and there is no gateway."""
import argparse
import contextlib
import datetime
import http.client
import json
import os
import random
import signal
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(__file__))
from dialled import Dialled  # noqa: E402
from emend import ATLAS, FACTS, TEMPLATES, Emend, Failed, commits, prompt_of, rank_pids, records  # noqa: E402
from network import own_namespaces  # noqa: E402
from reference import Reference  # noqa: E402

RANKS = 2
PROCESS_KINDS = ("kill", "stop", "delay", "coordinator")
LONG_CUT = "long cut line"
LINK_KINDS = ("cut control", "cut line", "slow control", "slow line", LONG_CUT)
FOR_GOOD = ("kill", "stop", "coordinator")  # what is struck does not come back by itself
BATCH = 4
RESET_EVERY = 20  # faults: facts are edited anew from the first commit
NOTICED_MAX = 8.0  # seconds: a pulse ends within six, and the coordinator hears of it
UNDER_WAY = 0.3  # seconds in which a text may end that was begun before
SETTLING = 2.0  # seconds in which what ended shows itself as a loss: heartbeats are missed, and TCP sends again


def parse(arguments=None):
    parser = argparse.ArgumentParser()
    parser.add_argument("--faults", type=int, default=12)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kinds", nargs="*", help="only these")
    parser.add_argument("--keep", action="store_true", help="leave the store and all logs where they are")
    return parser.parse_args(arguments)


class Embedded:
    """Ranks that emendd starts and ends itself."""

    def __init__(self, emend, ranks):
        self.emend, self.ranks = emend, ranks

    def up(self):
        self.emend.up("--ranks", self.ranks)

    gateway = None

    def restart_coordinator(self, pause):
        self.emend.kill()
        time.sleep(pause)
        began = time.time()
        self.up()
        return began

    def pids(self):
        return rank_pids(self.emend)

    def close(self):
        self.emend.down()


class Asker(threading.Thread):
    """Asks all the time, at whatever commit is the head, and keeps what was said: (text, whether it is whole) by commit and prompt."""

    TOKENS = 3

    def __init__(self, emend):
        super().__init__(daemon=True)
        self.emend = emend
        self.prompts = [prompt_of(record) for record in records(0, 8)]
        self.said = {}
        self.failures = 0
        self.done = threading.Event()

    def run(self):
        number = 0
        while not self.done.is_set():
            if not self.ask(self.prompts[number % len(self.prompts)]):
                self.failures += 1
                time.sleep(0.1)
            number += 1

    def ask(self, prompt):
        done = self.emend.run("ask", "atlas", prompt, "--max-tokens", self.TOKENS, "--json", expect=None)
        if done.returncode == 0:
            answer = json.loads(done.stdout)
            self.keep(answer["commit"], prompt, answer["text"])
        return done.returncode == 0

    def keep(self, commit, prompt, text, whole=True):
        self.said.setdefault((commit, prompt), set()).add((text, whole))


class Writer(Asker):
    """The same with streamed completions. Of one that breaks off, what came of it is kept."""

    TOKENS = 12

    def open(self, body):
        return self.emend.post("/v1/completions", body)

    def ask(self, prompt):
        body = {"model": "atlas", "prompt": prompt, "max_tokens": self.TOKENS, "temperature": 0, "stream": True}
        commit, text, whole = None, "", False
        with contextlib.suppress(OSError, http.client.HTTPException):
            with self.open(body) as response:
                commit = response.headers["X-Emend-Commit"]
                for line in response:
                    event = line.removeprefix(b"data: ").strip()
                    whole = whole or event == b"[DONE]"
                    chunk = json.loads(event) if event.startswith(b"{") and line.endswith(b"\n") else {}
                    assert chunk.get("system_fingerprint", commit) == commit
                    text += "".join(choice["text"] for choice in chunk.get("choices", []))
        if commit is not None:
            self.keep(commit, prompt, text, whole)
        return whole


class GatewayWriter(Writer):
    """The same at the gateway."""

    def __init__(self, emend, gateway):
        super().__init__(emend)
        self.gateway = gateway
        self.ended = []  # when each whole text was

    def open(self, body):
        return self.gateway.open("/v1/completions", body)

    def keep(self, commit, prompt, text, whole=True):
        super().keep(commit, prompt, text, whole)
        if whole:
            self.ended.append(time.time())

    def count_between(self, begin, end):
        return sum(begin < ended < end for ended in self.ended)


def events(emend, name, since):
    """Those of the server's log behind that moment, each with when it happened, in seconds since the epoch."""
    found = []
    for line in (emend.store / "emendd.log").read_text(errors="replace").splitlines():
        if f'"event":"{name}"' in line:
            event = json.loads(line)
            event["moment"] = datetime.datetime.fromisoformat(event["time"].replace("Z", "+00:00")).timestamp()
            found.append(event)
    return [event for event in found if event["moment"] > since]


def wait_for(what, holds, seconds):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if holds():
            return
        time.sleep(0.05)
    raise Failed(f"waited {seconds} s for {what}")


def strike(group, fault):
    """The fault. When it was over: for what is down for good its beginning, for the coordinator when it was started again, else when things were whole again."""
    began = time.time()
    if fault.kind == "coordinator":
        return group.restart_coordinator(fault.pause)
    if fault.kind in ("kill", "stop"):
        os.kill(group.pids()[fault.rank], signal.SIGKILL if fault.kind == "kill" else signal.SIGSTOP)
        return began
    if fault.kind == "delay":
        pid = group.pids()[fault.rank]
        os.kill(pid, signal.SIGSTOP)
        time.sleep(fault.pause)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
        return time.time()
    act, link = fault.kind.split()[-2:]
    rank = fault.rank if link == "control" else min(fault.rank, RANKS - 2)
    broken = group.network.cut(link, rank) if act == "cut" else group.network.slow(link, rank, fault.kilobits)
    with broken:
        time.sleep(fault.pause)
    return time.time()


def pauses(kind):
    """Seconds: from, to. The long cut lasts longer than the ranks take to notice it, and the coordinator is away for long enough to be missed."""
    if kind == LONG_CUT:
        return 8.0, 12.0
    if kind == "coordinator":
        return 1.0, 4.0
    return (0.4, 6.0) if kind in LINK_KINDS else (0.2, 3.0)


class Fault:
    def __init__(self, dice, number, kind):
        self.number, self.kind, self.rank = number, kind, dice.randrange(RANKS)
        self.wait = dice.uniform(0.0, 1.5)  # seconds behind the beginning of a commit
        self.pause = dice.uniform(*pauses(kind))
        self.kilobits = int(10 ** dice.uniform(2, 4))  # a second

    def __str__(self):
        return f"fault {self.number}: {self.kind} {self.rank}"


def faults(options, kinds):
    """In random order, and each kind about as often as the others."""
    dice = random.Random(options.seed)
    deck = []
    for number in range(options.faults):
        deck = deck or dice.sample(kinds, len(kinds))
        yield Fault(dice, number, deck.pop())


class Run:
    """What a run has seen."""

    def __init__(self, options, kinds, emend, group):
        self.options, self.kinds, self.emend, self.group = options, kinds, emend, group
        self.gateway_writer = group.gateway and GatewayWriter(emend, group.gateway)
        self.recoveries, self.noticed, self.losses, self.meanwhile = [], [], {}, []
        self.acknowledged, self.attempted, self.commit_count = [], [], 0

    def commit(self, fault):
        settings = ["--set", TEMPLATES, "--set", "v_num_grad_steps=8"]
        offset = BATCH * (fault.number % RESET_EVERY)
        return self.emend.run("commit", "atlas", "-F", FACTS, "--offset", offset, "--limit", BATCH, "-m", fault, *settings, "--json", expect=None)

    def endure(self, fault):
        outcome = []
        committer = threading.Thread(target=lambda: outcome.append(self.commit(fault)))
        committer.start()
        time.sleep(fault.wait)
        living = self.group.pids()
        began = time.time()
        ended = strike(self.group, fault)
        if fault.kind == "coordinator" and self.gateway_writer:
            self.meanwhile.append(self.gateway_writer.count_between(began + UNDER_WAY, ended))
            assert self.meanwhile[-1] > 0, f"{fault}: the gateway gave no text in {ended - began:.1f} s without the coordinator"
        if fault.kind == LONG_CUT:
            self.check_noticed(fault, began)
        wait_for("an answer", lambda: self.emend.run("ask", "atlas", "Ann was born in", "--max-tokens", "1", expect=None).returncode == 0, 60)
        answered = time.time() - ended
        if fault.kind in (*FOR_GOOD, LONG_CUT):
            wait_for("a new group", lambda: events(self.emend, "group_formed", began), 60)
        else:
            time.sleep(max(0.0, SETTLING - answered))
        if fault.kind == "coordinator" and isinstance(self.group, Dialled):
            assert rank_pids(self.emend) == living, "the coordinator takes up the ranks that lived"
        lost = bool(events(self.emend, "group_formed", began))
        committer.join(180)
        assert not committer.is_alive(), f"{fault}: the commit hangs"
        self.note(fault, answered, lost, outcome[0].returncode)

    def check_noticed(self, fault, began):
        """By the ranks, while the link was cut: the coordinator had both of them all the time."""
        disbanded = events(self.emend, "group_disbanded", began)
        assert disbanded, f"{fault}: nobody noticed {fault.pause:.1f} s without a link"
        assert any(f"rank {rank} is out of reach" in disbanded[0]["status"] for rank in range(RANKS)), f"{fault}: {disbanded[0]}"
        self.noticed.append(disbanded[0]["moment"] - began)

    def note(self, fault, answered, lost, exit_code):
        self.recoveries.append(answered)
        struck, fell = self.losses.get(fault.kind, (0, 0))
        self.losses[fault.kind] = (struck + 1, fell + lost)
        self.attempted.append(str(fault))
        if exit_code == 0:
            self.acknowledged.append(str(fault))
        print(f"{str(fault):32} {'lost' if lost else 'held':4} answered in {answered:5.2f} s, commit exit {exit_code}", flush=True)

    def check_commits(self):
        stored = [commit["message"] for commit in commits(self.emend("log", "atlas", "-n", 1000))]
        for message in self.attempted:
            count = stored.count(message)
            expected = (1,) if message in self.acknowledged else (0, 1)
            assert count in expected, f"commit {message!r} is stored {count} times; acknowledged: {message in self.acknowledged}"
        self.commit_count += len(self.acknowledged)

    def start_over(self, commit):
        self.check_commits()
        self.emend("reset", "atlas@main", commit)
        self.acknowledged.clear()
        self.attempted.clear()


def check_said(reference, said, tokens):
    for (commit, prompt), texts in sorted(said.items()):
        for text, whole in texts:
            expected = reference.complete(commit, prompt, tokens)["text"]
            message = f"at {commit[:12]} {prompt!r} was gone on from with {text!r} ({'whole' if whole else 'broken off'}), and one rank says {expected!r}"
            assert reference.says(commit, prompt, text, tokens, whole), message


def endure_all(run, start):
    askers = [Asker(run.emend), Writer(run.emend), *([run.gateway_writer] if run.gateway_writer else [])]
    for thread in askers:
        thread.start()
    for fault in faults(run.options, run.kinds):
        run.endure(fault)
        if fault.number % RESET_EVERY == RESET_EVERY - 1:
            run.start_over(start)
    for thread in askers:
        thread.done.set()
    for thread in askers:
        thread.join(150)
        assert not thread.is_alive(), "a question hangs"
    return askers


def report(run, askers, reference):
    asker, *writers = askers
    recoveries = sorted(run.recoveries)
    p99 = recoveries[min(len(recoveries) - 1, int(0.99 * len(recoveries)))]
    kinds = ", ".join(f"{kind} {lost} of {struck}" for kind, (struck, lost) in sorted(run.losses.items()))
    texts = [whole for writer in writers for said in writer.said.values() for _, whole in said]
    named = {commit for each in askers for commit, _ in each.said}
    print(f"seed {run.options.seed}: {len(recoveries)} faults; groups lost: {kinds}")
    print(f"recovery median {recoveries[len(recoveries) // 2]:.2f} s, p99 {p99:.2f} s, longest {recoveries[-1]:.2f} s; {run.commit_count} commits acknowledged, each stored once")
    if run.noticed:
        print(f"{len(run.noticed)} lasting cuts between ranks were noticed by the ranks within {min(run.noticed):.1f} to {max(run.noticed):.1f} s")
    if run.meanwhile:
        print(f"the coordinator was away {len(run.meanwhile)} times, and the gateway gave {min(run.meanwhile)} to {max(run.meanwhile)} texts each time")
    print(f"{len(asker.said)} answers and {sum(texts)} whole and {len(texts) - sum(texts)} broken texts at {len(named)} commits are those of one rank, "
          f"{reference.near_ties} behind near ties; {asker.failures} questions and {sum(writer.failures for writer in writers)} texts failed meanwhile")
    assert p99 < 10, "recovery takes ten seconds or more"
    assert max(run.noticed, default=0) < NOTICED_MAX, "a lasting cut between ranks is noticed too late"


def main(options):
    why_not = own_namespaces()
    if why_not:
        print(f"no namespaces of its own ({why_not}): no link is cut or slowed", flush=True)
    emend = Emend()
    group = Embedded(emend, RANKS) if why_not else Dialled(emend, RANKS)
    run = Run(options, options.kinds or PROCESS_KINDS + (() if why_not else LINK_KINDS), emend, group)
    try:
        group.up()
        emend("init", "atlas", "--model", ATLAS / "model")
        emend("stats", "atlas", "--corpus", ATLAS / "corpus.txt", "--lines", "300")
        askers = endure_all(run, commits(emend("log", "atlas"))[0]["commit"])
        group.close()
        emend.up("--ranks", 1)
        run.check_commits()
        reference = Reference(emend)
        for asker in askers:
            check_said(reference, asker.said, asker.TOKENS)
        assert emend("verify", "atlas")["ok"] and emend("fsck")["ok"]
        report(run, askers, reference)
    finally:
        group.close()
        if options.keep:
            emend.down()
            print(f"kept: {emend.folder}")
        else:
            emend.close()


if __name__ == "__main__":
    main(parse())
