#!/usr/bin/env python3
"""Files that people lean on: where exports write, what of a model's folder is taken, what fsck reads, a store that has lost its database or its first token."""
import json
import os
import shutil
import stat
import sys
import unittest

sys.path.insert(0, os.path.dirname(__file__))
from emend import ATLAS, FACTS, TEMPLATES, Emend  # noqa: E402

WEIGHTS = "model.safetensors"


def flip(path):
    """One bit in the middle."""
    with open(path, "r+b") as file:
        middle = os.path.getsize(path) // 2
        file.seek(middle)
        byte = file.read(1)[0]
        file.seek(middle)
        file.write(bytes([byte ^ 1]))


class Case(unittest.TestCase):
    def setUp(self):
        self.emend = Emend()
        self.addCleanup(self.emend.close)

    def refuse(self, code, *arguments, expect):
        error = self.emend(*arguments, expect=expect)["error"]
        self.assertEqual(error["code"], code, error)
        return error["detail"]


class Exports(Case):
    def test_nothing_of_anyone_elses_is_touched(self):
        emend, folder = self.emend, self.emend.folder
        emend.up()
        emend("init", "atlas", "--model", ATLAS / "model")
        (folder / "out.incoming").mkdir()
        (folder / "out.incoming/chapter").write_text("years")
        emend("export", "atlas", "-o", folder / "out")
        self.assertEqual((folder / "out.incoming/chapter").read_text(), "years")
        self.assertEqual(sorted(os.listdir(folder / "out")), sorted(os.listdir(ATLAS / "model")))
        team = folder / "team"
        team.mkdir()
        team.chmod(0o2770)
        before = team.stat()
        emend("export", "atlas", "-o", team)
        after = team.stat()
        self.assertEqual((before.st_ino, stat.S_IMODE(after.st_mode), after.st_uid, after.st_gid), (after.st_ino, 0o2770, before.st_uid, before.st_gid))
        (folder / "dangling").symlink_to("nowhere")
        self.refuse("folder_not_empty", "export", "atlas", "-o", folder / "dangling", expect=4)
        self.refuse("inside_store", "export", "atlas", "-o", emend.store / "out", expect=5)
        self.assertEqual([name for name in os.listdir(folder) if name.startswith(".emend")], [])

    def test_an_edited_model_has_no_unedited_copy_beside_it(self):
        emend, folder = self.emend, self.emend.folder
        emend.up()
        many = folder / "many"
        shutil.copytree(ATLAS / "model", many)
        shutil.copy(many / WEIGHTS, many / "model.fp32.safetensors")
        shutil.copy(many / WEIGHTS, many / "weights.old")
        (many / "pytorch_model.bin").write_bytes((many / WEIGHTS).read_bytes()[:1000])
        (many / "onnx").mkdir()
        left_out = sorted(["model.fp32.safetensors", "onnx/", "pytorch_model.bin", "weights.old"])
        imported = emend("init", "many", "--model", many)
        self.assertEqual(sorted(thing["name"] for thing in imported["left_out"]), left_out)
        exported = emend("export", "many", "-o", folder / "out")
        self.assertEqual(sorted(thing["name"] for thing in exported["left_out"]), left_out)
        self.assertEqual(sorted(os.listdir(folder / "out")), sorted(os.listdir(ATLAS / "model")))
        text = emend.run("export", "many", "-o", folder / "again").stdout
        self.assertIn("left out: pytorch_model.bin (", text)

    def test_a_link_out_of_the_roots_or_to_nowhere_is_refused(self):
        emend, folder = self.emend, self.emend.folder
        root = folder / "root"
        shutil.copytree(ATLAS / "model", root / "m")
        (folder / "secret").write_text("not for tenants")
        emend.up("--model-root", root)
        (root / "m/notes.txt").symlink_to(folder / "secret")
        self.refuse("outside_model_roots", "init", "a", "--model", root / "m", expect=5)
        (root / "m/notes.txt").unlink()
        (root / "m/generation_config.json").symlink_to("/nowhere/x")
        self.assertIn("generation_config.json is a link whose target is not there", self.refuse("dangling_link", "init", "a", "--model", root / "m", expect=3))
        # a hub's cache
        (root / "m/generation_config.json").unlink()
        (root / "blobs").mkdir()
        shutil.move(root / "m/config.json", root / "blobs/0123")
        (root / "m/config.json").symlink_to("../blobs/0123")
        emend("init", "a", "--model", root / "m")


class Fsck(Case):
    def test_all_that_serving_needs_is_read(self):
        emend, store = self.emend, self.emend.store
        emend.up()
        emend("init", "atlas", "--model", ATLAS / "model")
        emend("stats", "atlas", "--corpus", ATLAS / "corpus.txt", "--lines", "60")
        emend("commit", "atlas", "-F", FACTS, "--limit", "5", "--no-evaluation", "--set", TEMPLATES)
        emend.down()
        emend.up()
        self.assertTrue(emend("fsck")["ok"])
        emend.down()
        shutil.copytree(store, self.emend.folder / "kept")
        tiles = next((store / "models").glob("*.tiles"))
        statistics = next((store / "statistics").glob("*.safetensors"))
        blobs = list((store / "db").glob("*.blob"))
        self.assertTrue(blobs)
        for damage, where in ((lambda: flip(tiles), "tile file"), (tiles.unlink, "tile file"), (lambda: flip(statistics), "statistics"), (statistics.unlink, "statistics"), (lambda: [blob.unlink() for blob in blobs], "store")):
            damage()
            emend.up()
            report = emend("fsck", expect=1)
            self.assertFalse(report["ok"])
            self.assertIn(where, " ".join(problem["where"] for problem in report["problems"]))
            self.assertEqual(report["commits"], 2, "the check goes on")
            emend.down()
            shutil.rmtree(store)
            shutil.copytree(self.emend.folder / "kept", store)


class Lost(Case):
    def test_a_store_without_its_database_is_not_a_new_one(self):
        emend, store = self.emend, self.emend.store
        emend.up()
        emend("init", "atlas", "--model", ATLAS / "model")
        emend.down()
        for name in ("db", "anchor", "token", "worker-token"):
            path = store / name
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        error = emend("up", "--store", store, expect=5)["error"]
        self.assertIn("store_without_database", error["detail"])
        self.assertIn("backup", error["detail"])
        self.assertFalse((store / "db").exists())
        emend.up("--new")
        self.assertEqual(emend("status")["repos"], [])

    def test_a_lost_token_is_made_again_and_others_of_less_scope_are(self):
        emend, store = self.emend, self.emend.store
        emend.up()
        first = (store / "token").read_text()
        made = emend("token", "create", "ci", "--scope", "read")
        self.assertEqual(emend("status", "--token", made["secret"], "--server", json.loads((store / "daemon.json").read_text())["url"])["repos"], [])
        (store / "token").unlink()
        self.assertIn("emend token new", emend("status", expect=3)["error"]["detail"])
        emend.down()
        repaired = emend("repair", "--store", store)
        self.assertFalse(repaired["repaired"])
        second = (store / "token").read_text()
        self.assertNotEqual(first, second)
        self.assertIsNone(emend("repair", "--store", store)["new_token"], "it is whole now")
        renewed = emend("token", "new", "--store", store)
        self.assertNotEqual((store / "token").read_text(), second)
        emend.up()
        url = json.loads((store / "daemon.json").read_text())["url"]
        for revoked in (first, second):
            emend("status", "--token", revoked.strip(), "--server", url, expect=5)
        listed = emend("token", "list")["items"]
        self.assertEqual({token["id"] for token in listed}, {renewed["id"], made["id"]})
        self.refuse("last_admin_token", "token", "revoke", renewed["id"], expect=5)
        emend("token", "revoke", made["id"])
        emend("status", "--token", made["secret"], "--server", url, expect=5)


if __name__ == "__main__":
    unittest.main(verbosity=2)
