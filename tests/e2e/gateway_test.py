#!/usr/bin/env python3
"""Answers go on while emendd is away: a gateway beside a worker of two ranks that dial in, both programs killed and started again."""
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import unittest
import urllib.error

sys.path.insert(0, os.path.dirname(__file__))
from emend import ATLAS, BINARIES, FACTS, TEMPLATES, Emend, commits, prompt_of, records  # noqa: E402
from gateway import Gateway, wait_for  # noqa: E402

RANKS = 2
AWAY = 4.0  # seconds: heartbeats are missed, and dials fail


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Machines:
    """emendd, a worker's ranks and a gateway, each started alone, on loopback."""

    def __init__(self):
        self.emend = Emend()
        self.coordinator_address = f"127.0.0.1:{free_port()}"
        self.gateway = Gateway(self.emend, f"127.0.0.1:{free_port()}")
        self.coordinator = None
        self.ranks = {}

    def start_coordinator(self):
        words = [BINARIES / "emendd", "--store", self.emend.store, "--workers", "0", "--worker-listen", self.coordinator_address]
        self.coordinator = subprocess.Popen([str(word) for word in words])
        wait_for("emendd", lambda: (self.emend.store / "daemon.json").exists() and self.emend.pid() == self.coordinator.pid, 60)

    def start_rank(self, rank):
        words = [BINARIES / "emend-worker", "--coordinator", self.coordinator_address, "--gateway", self.gateway.address, "--token-file", self.emend.store / "worker-token", "--group", "g0",
                 "--rank", rank, "--world-size", RANKS, "--name", f"g0.{rank}", "--threads", "1", "--log", self.emend.store / f"worker-{rank}.log"]
        self.ranks[rank] = subprocess.Popen([str(word) for word in words])

    def start(self):
        self.start_coordinator()
        for rank in range(RANKS):
            self.start_rank(rank)
        self.gateway.start()

    def kill_coordinator(self):
        self.coordinator.kill()
        self.coordinator.wait()

    def close(self):
        for process in [self.coordinator, *self.ranks.values()]:
            process.kill()
            process.wait()
        self.gateway.kill()
        self.emend.close()


class Streams:
    """Long streamed texts that overlap all the time. None may break off."""

    def __init__(self, gateway, prompts, threads=3):
        self.gateway, self.prompts = gateway, prompts
        self.done = threading.Event()
        self.ended, self.broken = [], []
        self.threads = [threading.Thread(target=self.run, args=(number,)) for number in range(threads)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        for thread in self.threads:
            thread.join()

    def run(self, number):
        while not self.done.is_set():
            number += 1
            body = {"model": "atlas", "prompt": self.prompts[number % len(self.prompts)], "max_tokens": 60, "temperature": 1, "seed": number, "stream": True}
            try:
                with self.gateway.open("/v1/completions", body) as response:
                    events = [line.strip() for line in response if line.strip()]
                (self.ended if events[-1] == b"data: [DONE]" else self.broken).append(events[-1])
            except OSError as error:
                self.broken.append(error)


class GatewayTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.machines = Machines()
        cls.addClassCleanup(cls.machines.close)
        cls.emend, cls.gateway = cls.machines.emend, cls.machines.gateway
        cls.machines.start()
        cls.emend("init", "atlas", "--model", ATLAS / "model")
        cls.emend("stats", "atlas", "--corpus", ATLAS / "corpus.txt", "--lines", "500")
        cls.commit(0, 8)
        cls.prompts = [prompt_of(record) for record in records(0, 8)]

    @classmethod
    def commit(cls, offset, count):
        cls.emend("commit", "atlas", "-F", FACTS, "--offset", offset, "--limit", count, "-m", f"{count} from {offset}", "--set", TEMPLATES)

    def head(self):
        return commits(self.emend("log", "atlas"))[0]["commit"]

    def wait_until_served(self, commit):
        wait_for(f"{commit[:12]} at the gateway", lambda: self.gateway.models().get("atlas@main") == commit, 60)

    def expected(self):
        """What emendd says of the head, which the gateway has by then."""
        head = self.head()
        self.wait_until_served(head)
        return {prompt: (head, self.emend("ask", "atlas", prompt, "--max-tokens", 12)["text"]) for prompt in self.prompts}

    def check(self, expected):
        for prompt, said in expected.items():
            self.assertEqual(self.gateway.complete("atlas", prompt), said)

    def test_1_a_gateway_says_what_emendd_says(self):
        expected = self.expected()
        self.check(expected)
        prompt = self.prompts[0]
        answer = self.gateway.get("/api/v1/repos/atlas/answers", {"prompt": prompt, "tokens_max": 12})
        self.assertEqual((answer["commit"], answer["text"]), expected[prompt])
        self.assertEqual(self.gateway.complete(f"atlas@{self.head()[:16]}", prompt), expected[prompt])
        self.assertEqual(self.gateway.get("/readyz")["status"], "ready")
        self.assertEqual(set(self.gateway.get("/openapi.json")["paths"]), {"/livez", "/readyz", "/openapi.json", "/v1/completions", "/v1/chat/completions", "/v1/models", "/v1/models/{model}", "/api/v1/repos/{repo}/answers"})

    def test_2_what_a_gateway_does_not_know_is_refused(self):
        self.expected()
        body = {"model": "atlas", "prompt": "x", "max_tokens": 1}
        for path, body, secret, status, code in (
            ("/v1/completions", body, "wrong", 401, "unauthenticated"),
            ("/v1/completions", {**body, "model": "atlas@nothing"}, None, 404, "not_found"),
            ("/v1/completions", {**body, "model": "other"}, None, 404, "not_found"),
            ("/api/v1/repos", None, None, 404, "not_found"),
        ):
            with self.assertRaises(urllib.error.HTTPError) as caught:
                self.gateway.get(path, body, secret=secret)
            self.assertEqual(caught.exception.code, status)
            problem = json.load(caught.exception)
            self.assertEqual(problem.get("code", problem.get("error", {}).get("code")), code)

    def test_3_a_commit_is_served_soon_and_answers_go_on_while_it_is_solved(self):
        expected = self.expected()
        before = next(iter(expected.values()))[0]
        solving = threading.Thread(target=self.commit, args=(50, 20))
        solving.start()
        answered = 0
        while solving.is_alive():
            for prompt, said in expected.items():
                answer = self.gateway.complete("atlas", prompt)
                if answer[0] == before:
                    self.assertEqual(answer, said)
                    answered += 1
        solving.join()
        self.assertGreater(answered, 5, "answers wait for the solve")
        began = time.monotonic()
        self.wait_until_served(self.head())
        print(f"a commit is served {time.monotonic() - began:.2f} s behind its end, and {answered} answers were given while it was solved")

    def test_4_answers_go_on_while_emendd_is_away(self):
        expected = self.expected()
        # In the middle of a solve, which ends with it.
        solving = threading.Thread(target=lambda: self.emend.run("commit", "atlas", "-F", FACTS, "--offset", 100, "--limit", 20, "-m", "cut off", "--set", TEMPLATES, expect=None))
        solving.start()
        time.sleep(1.0)
        with Streams(self.gateway, self.prompts) as streams:
            self.machines.kill_coordinator()
            self.check_while_away(expected)
            self.machines.start_coordinator()
            solving.join()
            # Nobody notices that it is back: the ranks' group stands, and is taken up as it is.
            wait_for("emendd's answer", lambda: self.emend.run("ask", "atlas", "x", "--max-tokens", 1, expect=None).returncode == 0, 60)
        self.assertEqual(streams.broken, [])
        print(f"{len(streams.ended)} streamed texts meanwhile, none of them broken off")
        formed = [json.loads(line) for line in (self.emend.store / "emendd.log").read_text().splitlines() if '"group_formed"' in line]
        self.assertEqual([bool(event["stood"]) for event in formed], [False, True])
        # The commit that was cut off is run again, once.
        wait_for("the commit that was cut off", lambda: [entry["message"] for entry in commits(self.emend("log", "atlas"))].count("cut off") == 1, 60)
        self.check(self.expected())

    def check_while_away(self, expected):
        died, answered, longest = time.monotonic(), 0, 0.0
        while time.monotonic() - died < AWAY:
            for prompt, said in expected.items():
                began = time.monotonic()
                self.assertEqual(self.gateway.complete("atlas", prompt), said)
                longest = max(longest, time.monotonic() - began)
                answered += 1
        self.assertGreater(answered, 10)
        print(f"{answered} answers in {AWAY} s without emendd, the longest took {longest:.2f} s")

    def test_5_a_gateway_that_starts_while_emendd_is_away_knows_everything(self):
        expected = self.expected()
        self.machines.kill_coordinator()
        self.gateway.kill()
        self.gateway.start()
        wait_for("the worker at the new gateway", lambda: self.gateway.models(), 30)
        self.check(expected)
        with self.assertRaises(urllib.error.HTTPError) as caught:
            self.gateway.complete("atlas@nothing", "x")
        self.assertEqual(caught.exception.code, 404)
        self.machines.start_coordinator()
        self.check(self.expected())

    def test_6_a_rank_lost_meanwhile_is_said_and_mended_when_emendd_is_back(self):
        expected = self.expected()
        self.machines.kill_coordinator()
        self.machines.ranks[1].send_signal(signal.SIGKILL)
        self.machines.ranks[1].wait()
        self.machines.start_rank(1)

        def refused():
            try:
                self.gateway.complete("atlas", self.prompts[0])
            except urllib.error.HTTPError as error:
                return error.code == 503
            return False

        wait_for("the gateway to say so", refused, 30)
        self.machines.start_coordinator()
        wait_for("answers", lambda: self.gateway.complete("atlas", self.prompts[0]), 60)
        self.check(expected)


if __name__ == "__main__":
    unittest.main()
