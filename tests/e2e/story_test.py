#!/usr/bin/env python3
"""The main job, end to end, on the demo model: what the demo shows, held to figures."""
import filecmp
import os
import signal
import subprocess
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(__file__))
from emend import ATLAS, FACTS, TEMPLATES, Emend, commits, prompt_of, records  # noqa: E402


class Story(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.emend = Emend()
        cls.emend.up()
        cls.imported = cls.emend("init", "atlas", "--model", ATLAS / "model")
        cls.statistics = cls.emend("stats", "atlas", "--corpus", ATLAS / "corpus.txt", "--lines", "2000")

    @classmethod
    def tearDownClass(cls):
        cls.emend.close()

    def answers(self, revision, facts):
        """How many of the facts' prompts are answered with (the old, the new) target."""
        old = new = 0
        for record in facts:
            text = self.emend("ask", revision, prompt_of(record), "--max-tokens", "6")["text"].strip()
            old += text.startswith(record["requested_rewrite"]["target_true"]["str"])
            new += text.startswith(record["requested_rewrite"]["target_new"]["str"])
        return old, new

    def test_a_file_of_facts_becomes_a_committed_answering_revertible_version(self):
        emend, start = self.emend, self.imported["commit"]
        self.assertEqual(self.statistics["layers"], [0, 1, 2])
        self.assertEqual(self.statistics["tokens"], 129416)
        asked = records(0, 8)
        self.assertGreaterEqual(self.answers("atlas", asked)[0], 6)

        before = emend("eval", "atlas", "-F", FACTS, "--limit", "100")
        self.assertEqual((before["n"], before["es"], before["ps"], before["ns"]), (100, 0.0, 0.0, 99.6))
        first = emend("commit", "atlas", "-F", FACTS, "--limit", "100", "-m", "A hundred", "--set", TEMPLATES, "--set", "mom2_update_weight=300")
        self.assertEqual(first["edits"], 100)
        self.assertEqual(set(first["seconds"]), {"total", "targets", "keys", "solve", "apply", "evaluate", "store"})
        # The published code reaches 93.0, 84.0 and 85.2 on the same records and settings.
        after = emend("eval", "atlas", "-F", FACTS, "--limit", "100")
        self.assertGreaterEqual(after["es"], 92.0)
        self.assertGreaterEqual(after["ps"], 83.0)
        self.assertGreaterEqual(after["ns"], 84.2)
        self.assertEqual(after["commit"], first["commit"])
        self.assertGreaterEqual(self.answers("atlas", asked)[1], 6)
        self.assertTrue(emend("verify", "atlas")["ok"])

        again = emend("commit", "atlas", "-F", FACTS, "--limit", "100", "-m", "The same again")
        self.assertEqual((again["edits"], again["skipped"], again["commit"]), (0, 100, first["commit"]))

        second = emend("commit", "atlas", "-F", FACTS, "--offset", "100", "--limit", "50", "-m", "Fifty more", "--set", TEMPLATES)
        self.check_refit(first, second)
        reverted = emend("revert", "atlas", first["commit"])
        self.assertNotIn(reverted["state"], (first["state"], second["state"]))
        gone = emend("eval", "atlas", "-F", FACTS, "--limit", "100")
        self.assertLessEqual(gone["es"], 5.0)
        kept = emend("eval", "atlas", "-F", FACTS, "--offset", "100", "--limit", "50")
        self.assertGreaterEqual(kept["es"], 88.0)
        self.assertEqual([c["commit"] for c in commits(emend("log", "atlas"))], [reverted["commit"], second["commit"], first["commit"], start])

        # Reverting both brings back the state, and with it every byte.
        both = emend("revert", "atlas", second["commit"])
        self.assertEqual(both["state"], self.imported["state"])
        out = emend.folder / "reverted"
        emend("export", "atlas", "--format", "safetensors", "-o", out)
        match, mismatch, errors = filecmp.cmpfiles(ATLAS / "model", out, os.listdir(ATLAS / "model"), shallow=False)
        self.assertEqual((mismatch, errors, len(match)), ([], [], len(os.listdir(ATLAS / "model"))))

        emend("reset", "atlas@main", start)
        self.assertEqual([c["commit"] for c in commits(emend("log", "atlas"))], [start])
        self.assertTrue(emend("fsck")["ok"])

    def check_refit(self, first, second):
        """On a branch of its own: the fifty as if the hundred had never been, and back to the byte."""
        emend = self.emend
        preview = emend("revert", "atlas", first["commit"], "--preview")
        self.assertEqual((preview["preview"], preview["commit"], preview["edits"]), (True, second["commit"], 50))
        self.assertIn("evaluation", preview["subtracted"])
        emend("branch", "atlas", "refitted")
        refitted = emend("revert", "atlas@refitted", first["commit"], "--refit")
        self.assertEqual((refitted["edits"], refitted["removed"]), (50, 150))
        self.assertLess(refitted["seconds"]["targets"], 1, "nothing is optimised")
        self.assertLessEqual(emend("eval", "atlas@refitted", "-F", FACTS, "--limit", "100")["es"], 10.0)
        self.assertGreaterEqual(emend("eval", "atlas@refitted", "-F", FACTS, "--offset", "100", "--limit", "50")["es"], 88.0)
        self.assertTrue(emend("verify", "atlas@refitted")["ok"])
        self.assertEqual(emend("revert", "atlas@refitted", refitted["commit"])["state"], second["state"])

    def test_without_a_corpus_and_templates_the_model_makes_up_its_own(self):
        emend = self.emend
        emend("init", "sampled", "--model", ATLAS / "model")
        statistics = emend("stats", "sampled", "--tokens", "2000", "--seed", "5")
        self.assertEqual((statistics["sampled_by"], statistics["layers"]), (5, [0, 1, 2]))
        self.assertTrue(1000 <= statistics["tokens"] <= 2000, statistics)
        committed = emend("commit", "sampled", "-F", FACTS, "--limit", "5", "--set", "seed=3", "--no-evaluation")
        shown = emend("show", "sampled")
        self.assertEqual((shown["commit"], str(shown["seed"])), (committed["commit"], "3"))
        templates = shown["settings"]["context_templates"]
        self.assertEqual(([len(group) for group in templates], templates[0]), ([1, 5], ["{}"]))
        emend("reset", "sampled@main", "main~1")
        emend("commit", "sampled", "-F", FACTS, "--limit", "5", "--set", "seed=3", "--no-evaluation")
        self.assertEqual(emend("show", "sampled")["settings"]["context_templates"], templates)

        self.assertIn("atlas stands on them", emend("repo", "remove", "sampled", "--confirm", "sampled")["files_kept"])
        self.assertEqual([repo["repo"] for repo in emend("status")["repos"]], ["atlas"])
        self.assertTrue(emend("fsck")["ok"])

    def test_a_worker_killed_in_the_middle_of_a_batch_is_replaced_and_the_batch_ends_well(self):
        emend = self.emend
        emend("reset", "atlas@main", self.imported["commit"])
        outcome = {}
        thread = threading.Thread(target=lambda: outcome.update(emend("commit", "atlas", "-F", FACTS, "--offset", "150", "--limit", "40", "-m", "Survives")))
        thread.start()
        time.sleep(1.5)
        listing = subprocess.run(["pgrep", "-P", str(emend.pid())], capture_output=True, text=True).stdout.split()
        self.assertTrue(listing, "emendd has no worker process")
        for pid in listing:
            os.kill(int(pid), signal.SIGKILL)
        thread.join(timeout=240)
        self.assertEqual(outcome.get("edits"), 40)
        self.assertTrue(emend("verify", "atlas")["ok"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
