"""Drives the real programs as a person would: a store in a temporary folder, the command line, JSON out. Standard library only."""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
ATLAS = ROOT / "docs/examples/atlas"
FACTS = ATLAS / "facts.json"
# The published run's own templates: what its figures are compared under.
TEMPLATES = f"context_templates={ROOT / 'tests/golden/memit-atlas/context_templates.json'}"
BINARIES = pathlib.Path(os.environ.get("EMEND_BIN", ROOT / "build/bin"))


class Failed(Exception):
    """A command that exited with another code than the test expected."""


class Emend:
    """One store and its server. `up`, then verbs by name: emend("commit", "atlas", "-F", path)."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="emend-e2e-"))
        self.store = self.folder / "store"
        self.environment = {**os.environ, "EMEND_STORE": str(self.store), "XDG_STATE_HOME": str(self.folder / "state"), "NO_COLOR": "1"}

    def run(self, *arguments, expect=0, failpoint=None, timeout=300):
        environment = dict(self.environment)
        if failpoint:
            environment["EMEND_FAILPOINT"] = failpoint
        done = subprocess.run([str(BINARIES / "emend"), *map(str, arguments)], env=environment, capture_output=True, text=True, timeout=timeout)
        if expect is not None and done.returncode != expect:
            log = self.store / "emendd.log"
            tail = log.read_text(errors="replace")[-3000:] if log.exists() else ""
            raise Failed(f"emend {' '.join(map(str, arguments))}: exit {done.returncode}, expected {expect}\n{done.stdout}\n{done.stderr}\n{tail}")
        return done

    def __call__(self, *arguments, expect=0, **options):
        """The JSON document of a command."""
        done = self.run(*arguments, "--json", expect=expect, **options)
        return json.loads(done.stdout) if done.stdout.strip() else None

    def up(self, *arguments, failpoint=None):
        return self("up", "--store", self.store, *arguments, failpoint=failpoint)

    def post(self, path, body, timeout=120):
        """The open response to a request over REST, wherever the server is by now; urllib's errors."""
        url = json.loads((self.store / "daemon.json").read_text())["url"]
        headers = {"Authorization": "Bearer " + (self.store / "token").read_text().strip(), "Content-Type": "application/json"}
        return urllib.request.urlopen(urllib.request.Request(url + path, json.dumps(body).encode(), headers), timeout=timeout)

    def down(self):
        self.run("down", "--store", self.store, expect=None)

    def pid(self):
        return json.loads((self.store / "daemon.json").read_text())["pid"]

    def kill(self):
        pid = self.pid()
        os.kill(pid, signal.SIGKILL)
        self.wait_gone(pid)

    @staticmethod
    def wait_gone(pid, seconds=30):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                state = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
            except FileNotFoundError:
                return
            if state == "Z":
                return
            time.sleep(0.05)
        raise Failed(f"process {pid} did not end within {seconds} s")

    def close(self):
        self.down()
        shutil.rmtree(self.folder, ignore_errors=True)


def records(begin, count):
    return json.loads(FACTS.read_text())[begin : begin + count]


def prompt_of(record):
    rewrite = record["requested_rewrite"]
    return rewrite["prompt"].format(rewrite["subject"])


def commits(log):
    return log if isinstance(log, list) else log.get("commits", log.get("items"))


def rank_pids(emend):
    """The processes of the one worker's ranks that are connected, by rank."""
    status = emend("status")
    return {int(worker["rank"]): int(worker["process_id"]) for worker in status["workers"] if worker["state"] == "connected"}
