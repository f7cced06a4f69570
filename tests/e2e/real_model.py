"""Models as people have them, out of their GGUF files, and the twenty facts of the demo. `./dev test --full` fetches the models (docs/examples/smollm2/ORIGIN.md)."""
import filecmp
import json
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(__file__))
from emend import ROOT, Emend  # noqa: E402

FACTS = ROOT / "docs/examples/smollm2/facts.jsonl"


def facts():
    return [json.loads(line) for line in FACTS.read_text().splitlines()]


def prompt_of(fact):
    return fact["prompt"].replace("{}", fact["subject"])


def need(path):
    """The path, where `./dev test --full` has put something there."""
    if not path.exists():
        raise FileNotFoundError(f"{path}: run ./dev test --full, which fetches it")
    return path


class RealModel(unittest.TestCase):
    """A server with the model imported as `model`, and the facts committed with defaults alone; what was imported is main~1."""

    FILE = None  # in build/deps/models

    @classmethod
    def setUpClass(cls):
        file = need(ROOT / "build/deps/models" / cls.FILE)
        cls.emend = Emend()
        cls.addClassCleanup(cls.emend.close)
        cls.emend.up()
        cls.imported = cls.emend("init", "model", "--model", file)
        cls.emend("stats", "model", timeout=1800)
        cls.committed = cls.emend("commit", "model", "-F", FACTS, timeout=1800)

    def says(self, revision, prompt):
        return self.emend("ask", revision, prompt, "--max-tokens", "6", timeout=600)["text"].strip()

    def check_facts(self, at_least):
        self.assertEqual(self.committed["edits"], len(facts()))
        self.assertGreaterEqual(sum(fact["taken"] for fact in self.committed["facts"]), at_least)

    def check_revert(self):
        """What was imported is there again, byte for byte."""
        emend = self.emend
        emend("branch", "model", "undone", "main")
        reverted = emend("revert", "model@undone", self.committed["commit"])
        self.assertEqual(reverted["state"], self.imported["state"])
        self.assertTrue(emend("verify", "model@undone")["ok"])
        emend("export", "model@undone", "-o", emend.folder / "undone")
        (base,) = (emend.store / "models").glob("*/model.safetensors")
        self.assertTrue(filecmp.cmp(base, emend.folder / "undone/model.safetensors", shallow=False))
