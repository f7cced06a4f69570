#!/usr/bin/env python3
"""emendd killed at every failpoint on the way of a commit: what was acknowledged is there afterwards, nothing is half there, and the store is whole."""
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(__file__))
from emend import ATLAS, FACTS, Emend, commits  # noqa: E402

# Passings of the journal's failpoints after a restart: 1 the epoch, 2 the group's generation, 3 the acceptance, 4 the commit. Others: the first is the commit's.
POINTS = [
    "submission.before_accept:1",
    "commit.payloads_staged:1",
    "commit.state_staged:1",
    "commit.before_advance:1",
    "history.advance:1",
    "journal.before_batch:3",
    "journal.after_batch:3",
    "journal.after_anchor:3",
    "journal.before_batch:4",
    "journal.after_batch:4",
    "journal.after_anchor:4",
]


class Crash(unittest.TestCase):
    def test_kill_9_at_every_failpoint_of_a_commit(self):
        emend = Emend()
        try:
            emend.up()
            emend("init", "atlas", "--model", ATLAS / "model")
            emend("stats", "atlas", "--corpus", ATLAS / "corpus.txt", "--lines", "2000")
            settings = ["--set", "v_num_grad_steps=3"]
            for number, point in enumerate(POINTS):
                with self.subTest(point=point):
                    emend.down()
                    emend.up(failpoint=point + ":abort")
                    pid = emend.pid()
                    before = [c["commit"] for c in commits(emend("log", "atlas"))]
                    emend.run("commit", "atlas", "-F", FACTS, "--offset", str(2 * number), "--limit", "2", "-m", point, *settings, "--json", expect=None)
                    emend.wait_gone(pid)
                    emend.up()
                    operations = emend("operations")
                    items = operations if isinstance(operations, list) else operations.get("operations", operations.get("items"))
                    accepted = [item for item in items if item["kind"] == "commit"]
                    emend("eval", "atlas", "-F", FACTS, "--limit", "1")  # runs behind whatever was taken up again
                    after = [c["commit"] for c in commits(emend("log", "atlas"))]
                    self.assertEqual(after[-len(before):], before, "history that was there before must stay")
                    stored = [c for c in commits(emend("log", "atlas")) if c["message"].startswith("submission") or c["message"] == point]
                    if point.startswith(("submission", "journal.before_batch:3")):
                        self.assertEqual(after, before, "nothing was accepted, so nothing may appear")
                    else:
                        self.assertTrue(accepted)
                        self.assertEqual(len(after), len(before) + 1, "an accepted operation must be carried out once")
                        self.assertEqual(stored[0]["message"], point)
                    self.assertTrue(emend("verify", "atlas")["ok"])
                    self.assertTrue(emend("fsck")["ok"])
        finally:
            emend.close()


if __name__ == "__main__":
    unittest.main(verbosity=2)
