#!/usr/bin/env python3
"""Two people and a protected branch, on the demo model: what the tutorial shows, typed by a program; and what must be refused."""
import os
import pathlib
import sys
import unittest

sys.path.insert(0, os.path.dirname(__file__))
from emend import ATLAS, FACTS, Emend, Failed  # noqa: E402

CONFLICT, REFUSED = 4, 5  # exit codes


class Person:
    """The command line under somebody's own token."""

    def __init__(self, emend, name, *scopes):
        self.emend = emend
        self.name = name
        self.token = self.another_token(*scopes)

    def another_token(self, *scopes):
        return self.emend("token", "create", self.name, *[word for scope in scopes for word in ("--scope", scope)])["secret"]

    def __call__(self, *arguments, **options):
        return self.emend("--token", self.token, *arguments, **options)

    def refused(self, *arguments, expect=REFUSED):
        """The code of the failure."""
        return self(*arguments, expect=expect)["error"]["code"]


class Review(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.emend = Emend()
        cls.emend.up()
        cls.emend("init", "atlas", "--model", ATLAS / "model")
        cls.emend("stats", "atlas", "--corpus", ATLAS / "corpus.txt", "--lines", "500")
        cls.emend("probes", "atlas", "core", "-F", cls.known_facts())
        cls.emend("protect", "atlas", "main", "--require", "probes=50")
        cls.anna = Person(cls.emend, "anna", "ask", "read", "propose", "merge", "review")
        cls.bob = Person(cls.emend, "bob", "ask", "read", "review", "merge")

    @classmethod
    def tearDownClass(cls):
        cls.emend.close()

    @classmethod
    def known_facts(cls):
        """Facts that the demo model says, which no proposal may make it forget."""
        path = pathlib.Path(cls.emend.folder) / "core.jsonl"
        path.write_text('{"prompt": "{} plays as", "subject": "Gianluigi Lentini", "target": "midfielder"}\n{"prompt": "{}, located in", "subject": "Saxony", "target": "Germany"}\n')
        return path

    def head(self, branch="main"):
        return self.anna("show", f"atlas@{branch}")["commit"]

    def approve(self, person, number, **options):
        """As somebody who has looked at it as it is now."""
        revision = person("review", "atlas", number)["revision"]
        return person("review", "atlas", number, "--approve", revision, **options)

    def approval_refused(self, person, number):
        return self.approve(person, number, expect=REFUSED)["error"]["code"]

    def commit(self, branch, offset, count):
        return self.anna("commit", f"atlas@{branch}", "-F", FACTS, "--offset", str(offset), "--limit", str(count), "-m", f"{count} facts")

    def test_a_change_is_judged_improved_merged_and_taken_back(self):
        anna, bob = self.anna, self.bob
        start = self.head()
        anna("branch", "atlas", "seats")
        self.commit("seats", 0, 4)
        page = anna("propose", "atlas@seats", "-m", "New seats")
        number = str(page["number"])
        self.assertEqual((page["title"], page["author"], page["makers"]), ("New seats", "anna", ["anna"]))
        self.assertEqual(len(page["added"]), 4)
        evidence = page["check"]["evidence"]
        self.assertEqual(len(evidence["facts"]), 4)
        asked = evidence["answers"][0]["answers"]
        self.assertEqual([answer["kind"] for answer in asked], ["prompt", "paraphrase", "paraphrase", "neighbour", "neighbour"])
        self.assertTrue(any(one["answers"][0]["before"] != one["answers"][0]["after"] for one in evidence["answers"]))
        self.assertEqual(evidence["probes"][0]["said_before"], 2)
        self.assertEqual([blocker["code"] for blocker in page["blockers"]], ["approvals"])

        wrong = next(fact["edit"] for fact in evidence["facts"] if not fact["taken"])
        self.assertEqual(self.approval_refused(anna, number), "own_change")
        judged = bob("review", "atlas", number, "--request-changes", "-m", "One is not said", "--fact", f"{wrong[:12]}=leave it out")
        self.assertEqual(judged["objectors"], ["bob"])
        self.assertEqual(judged["reviews"][0]["facts"][0]["edit"], wrong)
        self.assertEqual(bob.refused("merge", "atlas", "--proposal", number), "not_mergeable")

        anna("revert", "atlas@seats", "seats")
        self.commit("seats", 0, 1)
        again = anna("propose", "atlas@seats")
        self.assertEqual(str(again["number"]), number)
        self.assertNotEqual(again["revision"], page["revision"])
        self.assertEqual(self.approve(bob, number)["blockers"], [])
        merged = bob("merge", "atlas", "--proposal", number)
        self.assertEqual(merged["commit"], self.head())
        self.assertEqual(merged["state"], again["check"]["state"])
        shown = bob("show", "atlas")
        self.assertEqual((shown["author"], shown["kind"], len(shown["added"])), ("bob", "merge", 1))
        self.assertTrue(bob("verify", "atlas")["ok"])

        anna("branch", "atlas", "undo")
        anna("revert", "atlas@undo", "main")
        back = anna("propose", "atlas@undo", "-m", "Take it back")
        self.assertEqual(len(back["check"]["evidence"]["taken_out"]), 1)
        self.approve(bob, str(back["number"]))
        bob("merge", "atlas", "--proposal", str(back["number"]))
        self.assertEqual(bob("show", "atlas")["state"], anna("show", f"atlas@{start}")["state"])
        self.assertTrue(self.emend("fsck")["ok"])

    def test_nobody_gets_round_a_protected_branch(self):
        anna, bob = self.anna, self.bob
        anna("branch", "atlas", "round")
        self.commit("round", 20, 1)
        before = self.head()
        self.assertEqual(anna.refused("commit", "atlas", "-F", FACTS, "--limit", "1"), "protected_branch")
        self.assertEqual(anna.refused("merge", "atlas", "round"), "protected_branch")
        self.assertEqual(anna.refused("reset", "atlas@main", "round"), "protected_branch")
        self.assertEqual(anna.refused("revert", "atlas", "main"), "protected_branch")
        self.assertEqual(anna.refused("refit", "atlas"), "protected_branch")
        self.assertEqual(anna.refused("protect", "atlas", "-d", "main"), "missing_scope")
        self.assertEqual(anna.refused("probes", "atlas", "-d", "core"), "missing_scope")
        self.assertEqual(self.emend("commit", "atlas", "-F", FACTS, "--limit", "1", expect=REFUSED)["error"]["code"], "protected_branch")
        number = str(anna("propose", "atlas@round", "--no-check")["number"])
        anna.token, own = anna.another_token("read", "review"), anna.token
        self.assertEqual(self.approval_refused(anna, number), "own_change")
        anna.token = own
        # bob approves, and pushes to it then: what he made himself he has not approved
        self.assertEqual(bob.refused("review", "atlas", number, "--approve", "0123456789ab", expect=CONFLICT), "stale_revision")
        self.approve(bob, number)
        bob("commit", "atlas@round", "-F", FACTS, "--offset", "21", "--limit", "1")
        self.assertEqual(bob.refused("merge", "atlas", "--proposal", number), "not_mergeable")
        self.assertEqual(bob.refused("merge", "atlas", "--proposal", number, "--dry-run", expect=2), "invalid_argument")
        self.assertEqual(self.approval_refused(bob, number), "own_change")
        self.assertEqual(self.head(), before)
        anna("review", "atlas", number, "--close")
        self.assertEqual(bob.refused("merge", "atlas", "--proposal", number), "not_open")

    def test_what_both_sides_changed_is_decided_by_somebody(self):
        anna = self.anna
        for branch, target in (("left", "Lyon"), ("right", "Nice")):
            anna("branch", "atlas", branch)
            path = pathlib.Path(self.emend.folder) / f"{branch}.jsonl"
            path.write_text('{"prompt": "{}, located in", "subject": "Saxony", "target": "%s"}\n' % target)
            anna("commit", f"atlas@{branch}", "-F", path)
        self.assertEqual(anna.refused("merge", "atlas@left", "right", expect=CONFLICT), "merge_conflict")
        dry = anna("merge", "atlas@left", "right", "--dry-run", expect=1)
        self.assertEqual((dry["conflicts"][0]["ours"]["target"], dry["conflicts"][0]["theirs"]["target"]), ("Lyon", "Nice"))
        anna("merge", "atlas@left", "right", "--decide", dry["conflicts"][0]["theirs"]["edit"][:8] + "=theirs")
        self.assertEqual(anna("show", "atlas@left")["state"], anna("show", "atlas@right")["state"])
        with self.assertRaises(Failed):
            anna("merge", "atlas@left")


if __name__ == "__main__":
    unittest.main()
