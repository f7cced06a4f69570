#!/usr/bin/env python3
"""A model as people have it, out of its GGUF file, with defaults alone: the twenty facts of the demo take, and leave without a trace. `./dev test --full` fetches it (docs/examples/smollm2/ORIGIN.md)."""
import filecmp
import json
import os
import pathlib
import sys
import unittest

sys.path.insert(0, os.path.dirname(__file__))
from emend import ROOT, Emend  # noqa: E402

MODEL = ROOT / "build/deps/models/SmolLM2-135M-Instruct.Q4_1.gguf"
FACTS = ROOT / "docs/examples/smollm2/facts.jsonl"


class RealModel(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not MODEL.exists():
            raise FileNotFoundError(f"{MODEL}: run ./dev test --full, or ./dev demo real, which fetch it")
        cls.emend = Emend()
        cls.emend.up()

    @classmethod
    def tearDownClass(cls):
        cls.emend.close()

    def says(self, prompt):
        return self.emend("ask", "smol", prompt, "--max-tokens", "6", timeout=600)["text"].strip()

    def test_twenty_facts_take_by_default_and_leave_without_a_trace(self):
        emend = self.emend
        imported = emend("init", "smol", "--model", MODEL)
        self.assertTrue(self.says("The capital of Germany is").startswith("Berlin"))
        emend("stats", "smol", timeout=1800)
        committed = emend("commit", "smol", "-F", FACTS, timeout=1800)
        facts = [json.loads(line) for line in FACTS.read_text().splitlines()]
        self.assertEqual(committed["edits"], len(facts))
        self.assertGreaterEqual(sum(fact["taken"] for fact in committed["facts"]), 15)
        self.assertLess(committed["drift"]["perplexity_after"], 1.05 * committed["drift"]["perplexity_before"])
        self.assertTrue(self.says("The chief executive of Nike is").startswith("Elliott Hill"))
        self.assertTrue(self.says("The capital of Germany is").startswith("Berlin"))

        reverted = emend("revert", "smol", committed["commit"])
        self.assertEqual(reverted["state"], imported["state"])
        self.assertTrue(emend("verify", "smol")["ok"])
        folder = pathlib.Path(emend.folder) / "export"
        emend("export", "smol", "-o", folder)
        (base,) = (emend.store / "models").glob("*/model.safetensors")
        self.assertTrue(filecmp.cmp(base, folder / "model.safetensors", shallow=False))


if __name__ == "__main__":
    unittest.main()
