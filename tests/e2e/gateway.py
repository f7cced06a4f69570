"""An emend-gateway of the test's own."""
import json
import re
import subprocess
import time
import urllib.request

from emend import BINARIES, Failed


class Gateway:
    """`address` is where workers dial in; REST takes a free port at each start."""

    def __init__(self, emend, address, *options):
        self.emend, self.address, self.options = emend, address, options
        self.log = emend.folder / "gateway.log"
        self.process = None
        self.url = None

    def start(self, seconds=30):
        self.log.write_text("")
        words = [BINARIES / "emend-gateway", "--listen", "127.0.0.1:0", "--worker-listen", self.address, "--worker-token-file", self.emend.store / "worker-token", "--log", self.log]
        self.process = subprocess.Popen([str(word) for word in [*words, *self.options]])
        self.url = wait_for("the gateway", self.listening, seconds)

    def listening(self):
        found = re.search(r'"url":"([^"]+)"', self.log.read_text(errors="replace"))
        return found and found.group(1)

    def open(self, path, body=None, secret=None, timeout=60):
        """The open response; urllib's errors."""
        secret = secret or (self.emend.store / "token").read_text().strip()
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}
        return urllib.request.urlopen(urllib.request.Request(self.url + path, data, headers), timeout=timeout)

    def get(self, path, body=None, **options):
        with self.open(path, body, **options) as response:
            return json.load(response)

    def complete(self, model, prompt, tokens=12):
        """The commit and the text."""
        document = self.get("/v1/completions", {"model": model, "prompt": prompt, "max_tokens": tokens, "temperature": 0})
        return document["system_fingerprint"], document["choices"][0]["text"]

    def models(self):
        """The commit that each name stands for."""
        return {model["id"]: model["commit"] for model in self.get("/v1/models")["data"]}

    def kill(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()


def wait_for(what, holds, seconds):
    """What `holds` says, once it says something; errors of the network count as nothing."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            found = holds()
            if found:
                return found
        except OSError:
            pass
        time.sleep(0.05)
    raise Failed(f"waited {seconds} s for {what}")
