#!/usr/bin/env python3
"""Workers of several ranks: one store served byte for byte the same by any number of them, and a rank that is killed or stopped costs seconds and nothing else."""
import os
import signal
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(__file__))
from emend import ATLAS, FACTS, TEMPLATES, Emend, commits, rank_pids  # noqa: E402

COUNT = 50


class Groups(unittest.TestCase):
    def setUp(self):
        self.emend = Emend()
        self.addCleanup(self.emend.close)

    def start(self, ranks):
        self.emend.up("--ranks", ranks)

    def make_store(self, ranks):
        self.start(ranks)
        self.emend("init", "atlas", "--model", ATLAS / "model")
        self.emend("stats", "atlas", "--corpus", ATLAS / "corpus.txt", "--lines", "2000")

    def commit(self, offset, count, message, *settings):
        return self.emend("commit", "atlas", "-F", FACTS, "--offset", offset, "--limit", count, "-m", message, "--set", TEMPLATES, *settings)

    def score(self):
        return self.emend("eval", "atlas", "-F", FACTS, "--limit", COUNT)

    def test_one_store_on_any_number_of_ranks(self):
        self.make_store(2)
        self.commit(0, COUNT, "on two ranks")
        documents, scores = {}, {}
        for ranks in (2, 1, 4):
            self.emend.down()
            self.start(ranks)
            documents[ranks] = self.emend("verify", "atlas")
            scores[ranks] = self.score()
        self.assertTrue(documents[1]["ok"])
        self.assertEqual(documents[2], documents[1])
        self.assertEqual(documents[4], documents[1])
        for ranks in (2, 4):
            for metric in ("es", "ps", "ns"):
                self.assertAlmostEqual(scores[ranks][metric], scores[1][metric], delta=1.0)

    def test_the_doctor_finds_a_group_well_and_one_without_a_rank_ill(self):
        self.start(2)
        diagnosis = self.emend("doctor")
        group = diagnosis["groups"][0]
        self.assertEqual([rank["rank"] for rank in group["ranks"]], [0, 1])
        self.assertEqual([(link["ranks"], link["reached"]) for link in group["links"]], [([0, 1], True)])
        self.assertGreater(group["links"][0]["gigabytes_per_second"], 0)
        os.kill(rank_pids(self.emend)[1], signal.SIGSTOP)
        end = time.monotonic() + 30
        while time.monotonic() < end:
            codes = {advice["code"] for advice in self.emend("doctor", expect=None)["advice"]}
            if "group_incomplete" in codes:
                return
        self.fail("the doctor did not see that a rank was gone")

    def test_the_same_batch_solved_on_one_and_on_four_ranks_is_as_good(self):
        scores = {}
        self.make_store(1)
        start = commits(self.emend("log", "atlas"))[0]["commit"]
        for ranks in (1, 4):
            self.emend.down()
            self.start(ranks)
            self.commit(0, COUNT, f"on {ranks}")
            scores[ranks] = self.score()
            self.emend("reset", "atlas@main", start)
        for metric in ("es", "ps", "ns"):
            self.assertAlmostEqual(scores[4][metric], scores[1][metric], delta=2.0, msg=metric)

    def test_questions_are_answered_on_the_old_commit_while_a_batch_is_solved(self):
        for ranks in (1, 2):
            with self.subTest(ranks=ranks):
                self.emend.close()
                self.emend = Emend()
                self.addCleanup(self.emend.close)
                self.make_store(ranks)
                start = commits(self.emend("log", "atlas"))[0]["commit"]
                committer = threading.Thread(target=self.commit, args=(0, COUNT, "slow"))
                committer.start()
                asked = 0
                while committer.is_alive():
                    answer = self.emend("ask", "atlas", "Ann was born in", "--max-tokens", "2")
                    asked += answer["commit"] == start
                self.assertGreaterEqual(asked, 5, "answered while the batch was on its way")

    def test_heads_that_do_not_divide_are_named(self):
        self.start(3)
        self.emend("init", "atlas", "--model", ATLAS / "model")
        done = self.emend.run("ask", "atlas", "Ann", expect=None)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("8 heads", done.stderr)

    def test_a_rank_killed_or_stopped_during_a_commit_costs_nothing(self):
        self.make_store(2)
        for number, act in enumerate((signal.SIGKILL, signal.SIGSTOP)):
            for rank in (0, 1):
                with self.subTest(act=act.name, rank=rank):
                    before = len(commits(self.emend("log", "atlas")))
                    offset = 10 * (2 * number + rank)
                    worker = threading.Thread(target=self.commit, args=(offset, 10, f"{act.name} {rank}"))
                    worker.start()
                    time.sleep(1.0)
                    os.kill(rank_pids(self.emend)[rank], act)
                    worker.join(120)
                    self.assertFalse(worker.is_alive())
                    self.assertEqual(len(commits(self.emend("log", "atlas"))), before + 1, "the batch is retried whole and committed once")
                    self.assertTrue(self.emend("verify", "atlas")["ok"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
