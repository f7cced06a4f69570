#!/usr/bin/env python3
"""Workers that dial in with mutual TLS: the real programs; who shows no certificate of the authority is refused, and the log says so."""
import os
import pathlib
import signal
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(__file__))
from emend import ATLAS, BINARIES, FACTS, TEMPLATES, Emend  # noqa: E402

CERTIFICATES = BINARIES.parent / "tests" / "emend_test_make_certificates"


class Tls(unittest.TestCase):
    def setUp(self):
        self.emend = Emend()
        self.addCleanup(self.emend.close)
        self.store = self.emend.store
        self.pems = self.emend.folder / "pems"
        self.pems.mkdir()
        subprocess.run([CERTIFICATES, self.pems, "own", "coordinator", "IP:127.0.0.1", "worker", "DNS:worker"], check=True)
        subprocess.run([CERTIFICATES, self.pems, "other", "stranger", "DNS:worker"], check=True)
        self.workers = []
        self.addCleanup(self.stop_workers)

    def files(self, prefix, authority, name):
        pem = lambda stem: str(self.pems / f"{stem}.pem")  # noqa: E731
        return [f"--{prefix}cert", pem(f"{name}"), f"--{prefix}key", pem(f"{name}-key"), f"--{prefix}ca", pem(f"{authority}-ca")]

    def worker(self, name, *files):
        health = self.pems / f"{name}.health"
        log = self.pems / f"{name}.log"
        words = [BINARIES / "emend-worker", "--coordinator", self.at, "--token-file", self.store / "worker-token", "--group", name, "--name", name, "--threads", "1",
                 "--health-file", health, "--log", log, *files]
        self.workers.append(subprocess.Popen([str(word) for word in words], stderr=subprocess.DEVNULL))
        return health, log

    def stop_workers(self):
        for worker in self.workers:
            worker.send_signal(signal.SIGTERM)
        for worker in self.workers:
            worker.wait(30)

    def wait_for(self, what, holds, seconds=60):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if holds():
                return
            time.sleep(0.1)
        self.fail(f"waited {seconds} s for {what}")

    def test_only_workers_of_the_authority_serve(self):
        words = [BINARIES / "emendd", "--store", self.store, "--workers", "0", *self.files("worker-tls-", "own", "coordinator")]
        daemon = subprocess.Popen([str(word) for word in words])
        self.addCleanup(daemon.wait, 60)
        self.addCleanup(self.emend.down)
        log = self.store / "emendd.log"
        self.wait_for("emendd", (self.store / "daemon.json").exists)
        self.at = log.read_text().split('"workers_at":"')[1].split('"')[0]
        plain, _ = self.worker("plain")
        stranger, _ = self.worker("stranger", *self.files("tls-", "other", "stranger"))
        self.wait_for("refusals in the log", lambda: log.read_text().count('"event":"worker_refused"') >= 2)
        self.assertEqual(plain.read_text(), "dialling\n")
        self.assertEqual(stranger.read_text(), "dialling\n")
        health, _ = self.worker("g0", *self.files("tls-", "own", "worker"))
        self.wait_for("a connected worker", lambda: health.exists() and health.read_text() == "connected\n")
        self.emend("init", "atlas", "--model", ATLAS / "model")
        self.emend("stats", "atlas", "--corpus", ATLAS / "corpus.txt", "--lines", "500")
        self.emend("commit", "atlas", "-F", FACTS, "--limit", 3, "-m", "over TLS", "--set", TEMPLATES)
        self.emend("verify", "atlas")

    def test_other_addresses_need_tls(self):
        store = self.pems / "store"
        words = [str(BINARIES / "emendd"), "--store", str(store), "--workers", "0", "--worker-listen", "0.0.0.0:0"]
        refused = subprocess.run(words, capture_output=True, text=True, timeout=60)
        self.assertEqual(refused.returncode, 5, refused.stderr)
        self.assertIn("--worker-tls-cert", refused.stderr)
        self.assertFalse(store.exists())


if __name__ == "__main__":
    unittest.main()
