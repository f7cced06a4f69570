#!/usr/bin/env python3
"""Full disks, on file systems of the test's own: where a worker writes statistics, and where the coordinator's store lies. What finds no room fails and says so, nothing
that was acknowledged is lost, and the same works once there is room. Skipped where the test may not mount anything."""
import concurrent.futures
import os
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(__file__))
from emend import ATLAS, BINARIES, FACTS, TEMPLATES, Emend, commits  # noqa: E402
from network import own_namespaces  # noqa: E402

WHY_NOT = None
MIB = 1 << 20


class Disk:
    """A file system in memory, with a file that takes up as much of it as the test likes."""

    def __init__(self, folder, mebibytes):
        self.folder = folder
        self.filler = folder / "filler"
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m,mode=0700", "tmpfs", folder], check=True)

    def free(self):
        status = os.statvfs(self.folder)
        return status.f_bavail * status.f_frsize

    def leave(self, free_bytes):
        with open(self.filler, "ab") as filler:
            os.posix_fallocate(filler.fileno(), filler.tell(), self.free() - free_bytes)

    def make_room(self):
        self.filler.unlink()


class FullDisk(unittest.TestCase):
    def setUp(self):
        if WHY_NOT:
            self.skipTest(f"nothing can be mounted here: {WHY_NOT}")
        self.emend = Emend()
        self.addCleanup(self.emend.close)

    def make_disk(self, folder, mebibytes):
        folder.mkdir()
        disk = Disk(folder, mebibytes)
        self.addCleanup(subprocess.run, ["umount", folder])
        self.addCleanup(self.emend.down)
        return disk

    def start(self):
        self.emend.up("--ranks", 2)

    def statistics(self):
        return self.emend.run("stats", "atlas", "--corpus", ATLAS / "corpus.txt", "--lines", "300", "--json", expect=None)

    def commit(self, offset, message, count=4):
        settings = ["--set", TEMPLATES, "--set", "v_num_grad_steps=8"]
        return self.emend.run("commit", "atlas", "-F", FACTS, "--offset", offset, "--limit", count, "-m", message, *settings, "--json", expect=None)

    def messages(self):
        return [commit["message"] for commit in commits(self.emend("log", "atlas"))][:-1]

    def check_refused(self, done, *reasons):
        self.assertEqual(done.returncode, 5, done.stderr)
        for reason in reasons:
            self.assertIn(reason, done.stderr)

    def check_whole(self):
        self.assertTrue(self.emend("fsck")["ok"])
        self.assertTrue(self.emend("verify", "atlas")["ok"])

    def test_a_model_and_its_statistics_find_no_room(self):
        shared = self.emend.folder / "shared"
        disk = self.make_disk(shared, 200)
        words = [BINARIES / "emendd", "--store", self.emend.store, "--ranks", 2, "--shared", shared]
        daemon = subprocess.Popen([str(word) for word in words])
        self.addCleanup(daemon.wait, 60)
        self.addCleanup(self.emend.down)
        self.start()  # waits until it is ready
        init = ["init", "atlas", "--model", ATLAS / "model"]

        disk.leave(5 * MIB)
        self.check_refused(self.emend.run(*init, expect=None), "disk_full", "No space left on device")
        disk.make_room()
        self.emend(*init)

        disk.leave(50 * MIB)  # statistics of atlas are twice that
        self.check_refused(self.statistics(), "disk_full", "No space left on device")
        self.assertEqual(list((shared / "statistics").iterdir()), [], "what was half written is gone")
        self.assertEqual(self.commit(0, "without statistics").returncode, 5)
        self.assertEqual(self.emend("ask", "atlas", "Ann was born in")["commit"], commits(self.emend("log", "atlas"))[0]["commit"])
        disk.make_room()
        self.assertEqual(self.statistics().returncode, 0)
        self.assertEqual(self.commit(0, "with statistics").returncode, 0)
        self.assertEqual(self.messages(), ["with statistics"])
        self.check_whole()

    def test_the_store_finds_no_room(self):
        disk = self.make_disk(self.emend.store, 320)
        self.start()
        self.emend("init", "atlas", "--model", ATLAS / "model")
        self.assertEqual(self.statistics().returncode, 0)
        self.assertEqual(self.commit(0, "first").returncode, 0)

        for left in (40 * MIB, 0):  # less than the reserve; nothing
            with self.subTest(left=left):
                disk.leave(left)
                self.check_refused(self.commit(4, "refused"), "disk_full")
                self.assertEqual(self.emend("ask", "atlas", "Ann was born in")["commit"], commits(self.emend("log", "atlas"))[0]["commit"])
                self.assertEqual(self.messages(), ["first"])
                disk.make_room()
        self.assertEqual(self.commit(4, "second").returncode, 0)

        # Found out at the end only. The reserve has room for saying so; where nothing has, it is said as soon as there is.
        refused = self.fill_while_a_commit_is_solved(disk, 40 * MIB)
        self.check_refused(refused.result(120), "disk_full")
        disk.make_room()
        refused = self.fill_while_a_commit_is_solved(disk, 0)
        self.wait_for(lambda: (self.running_phase() or "").startswith("waiting to record its end"))
        self.assertFalse(refused.done())
        disk.make_room()
        self.check_refused(refused.result(120), "disk_full")
        self.assertEqual(self.messages(), ["second", "first"])

        # A coordinator that dies then does not start, and has lost nothing once it does.
        cut_off = self.fill_while_a_commit_is_solved(disk, 0)
        self.wait_for(lambda: (self.running_phase() or "").startswith("waiting to record its end"))
        self.emend.kill()
        self.assertNotEqual(cut_off.result(120).returncode, 0)
        self.check_refused(subprocess.run([BINARIES / "emendd", "--store", self.emend.store, "--log", "-"], capture_output=True, text=True, timeout=60), "disk_full")
        # The log may find room for why, within its last page, or not.
        self.assertRegex(self.emend.run("up", "--store", self.emend.store, expect=5).stderr, "disk_full|; 0 bytes are free on its disk")
        disk.make_room()
        self.start()
        self.wait_for(lambda: self.running_phase() is None)
        # Its end was never written down nor told, so it was taken up again.
        self.assertEqual(self.messages(), ["cut off", "second", "first"])
        self.assertEqual(self.commit(40, "third").returncode, 0)
        self.check_whole()

    def fill_while_a_commit_is_solved(self, disk, left):
        """The commit, as a future of its command."""
        started = self.count("operation_started")
        pool = concurrent.futures.ThreadPoolExecutor(max_workers=1)
        commit = pool.submit(self.commit, 8, "cut off", count=24)
        pool.shutdown(wait=False)
        self.wait_for(lambda: self.count("operation_started") > started)
        disk.leave(left)
        return commit

    def count(self, event):
        return (self.emend.store / "emendd.log").read_text().count(f'"event":"{event}"')

    def running_phase(self):
        """The phase of the operation that has not ended; None if all have."""
        for operation in self.emend("operations")["items"]:
            if operation["state"] in ("accepted", "running"):
                return operation["phase"]
        return None

    def wait_for(self, condition, seconds=120):
        deadline = time.monotonic() + seconds
        while not condition():
            self.assertLess(time.monotonic(), deadline, f"it did not happen within {seconds} s")
            time.sleep(0.05)


if __name__ == "__main__":
    WHY_NOT = own_namespaces()
    unittest.main()
