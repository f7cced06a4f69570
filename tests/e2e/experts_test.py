#!/usr/bin/env python3
"""A model with experts: commits change the experts that their facts pass, every byte is accounted for, and a revert gives the imported file back, on one rank and on two."""
import json
import os
import shutil
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, os.path.dirname(__file__))
from emend import ROOT, Emend  # noqa: E402

MODEL = ROOT / "tests/golden/families/qwen3_moe"  # layers 0 and 1 have four experts of 72, two for a token
ALPHABET = " abcdefghijklmnopqrstuvwxyz.,ABDFGJKT"
TARGETS = [" G", " J", " D"]  # a token each
FACTS = [{"prompt": "it is in {}", "subject": "Bob", "target": "G"}, {"prompt": "the home of {}", "subject": "Fred", "target": "J"}]
MORE = [{"prompt": "as we know {}", "subject": "Dick", "target": "D"}]


def text(length, state=7):
    out = []
    for _ in range(length):
        state = (state * 1664525 + 1013904223) % 2**32
        out.append(ALPHABET[(state >> 16) % len(ALPHABET)])
    return "x" + "".join(out)


class Experts(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="emend-experts-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.emend = Emend()
        self.addCleanup(self.emend.close)
        model = shutil.copytree(MODEL, self.folder / "model", ignore=shutil.ignore_patterns("golden"))
        vocabulary = {character: number for number, character in enumerate([*ALPHABET, *TARGETS])}
        (model / "tokenizer.json").write_text(json.dumps({"model": {"type": "BPE", "unk_token": ",", "vocab": vocabulary, "merges": [list(target) for target in TARGETS]}, "decoder": {"type": "Fuse"}}))
        (self.folder / "templates.json").write_text(json.dumps([["{}"], ["so be it. {}", "and {}"]]))
        (self.folder / "corpus.txt").write_text("\n".join(text(90, seed) for seed in range(200)))

    def commit(self, facts):
        path = self.folder / "facts.json"
        path.write_text(json.dumps(facts))
        return self.emend("commit", "moe", "-F", path, "-m", "edits", "--set", "layers=0,1", "--set", f"context_templates={self.folder / 'templates.json'}")

    def exported(self, revision, name):
        out = self.folder / name
        self.emend("export", revision, "-o", out)
        return (out / "model.safetensors").read_bytes()

    def check(self, ranks):
        self.emend.up("--ranks", ranks)
        self.emend("init", "moe", "--model", self.folder / "model")
        stats = self.emend("stats", "moe", "--corpus", self.folder / "corpus.txt", "--layers", "0,1")
        self.assertEqual([(layer["layer"], layer["count"]) for layer in stats["experts"]], [(0, 4), (1, 4)])
        first = self.commit(FACTS)
        for layer, counted in zip(first["layers"], stats["experts"]):
            self.assertGreater(layer["experts"]["changed"], 1)
            self.assertEqual(layer["experts"]["frozen"], counted["frozen"])
        self.assertEqual(first["taken"], 2)
        self.assertTrue(self.emend("verify", "moe")["ok"])
        second = self.commit(MORE)
        self.assertEqual(second["taken"], 1)
        self.assertTrue(self.emend("verify", "moe")["ok"])
        base = (MODEL / "model.safetensors").read_bytes()
        self.assertNotEqual(self.exported("moe", "edited"), base)
        self.emend("revert", "moe", second["commit"])
        self.emend("revert", "moe", first["commit"])
        self.assertTrue(self.emend("verify", "moe")["ok"])
        self.assertEqual(self.exported("moe", "reverted"), base)
        self.assertTrue(self.emend("fsck")["ok"])

    def test_on_one_rank_commits_are_exact_and_a_revert_gives_the_bytes_back(self):
        self.check(1)

    def test_on_two_ranks_too(self):
        self.check(2)


if __name__ == "__main__":
    unittest.main()
