#!/usr/bin/env python3
"""The Debian packages: unpacked into a folder they run, their units are sound, and nothing in them points back to where they were built."""
import gzip
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARIES = pathlib.Path(os.environ.get("EMEND_BIN", ROOT / "build/bin"))
UNITS = {"emend": ["emendd.service", "emend-gateway.service"], "emend-worker": ["emend-worker@g0.service"]}
ALL_UNITS = [unit for units in UNITS.values() for unit in units]


def output(*words, **options):
    return subprocess.run([str(word) for word in words], capture_output=True, text=True, check=True, **options).stdout


def setUpModule():
    global folder, debs
    folder = pathlib.Path(tempfile.mkdtemp(prefix="emend-debs-", dir=ROOT / "build"))
    listing = output(sys.executable, ROOT / "packaging/deb.py", "--bin", BINARIES, "--deps", ROOT / "build/deps", "--out", folder, "--compression", "none")
    debs = {pathlib.Path(line).name.split("_")[0]: pathlib.Path(line) for line in listing.splitlines()}
    for deb in debs.values():
        subprocess.run(["dpkg-deb", "--extract", deb, folder / "root"], check=True)


def tearDownModule():
    shutil.rmtree(folder, ignore_errors=True)


class Packages(unittest.TestCase):
    def field(self, name, field):
        return output("dpkg-deb", "--field", debs[name], field).strip()

    def test_they_say_what_they_are(self):
        version = re.search(r"project\(emend VERSION ([\d.]+)", (ROOT / "CMakeLists.txt").read_text()).group(1)
        self.assertEqual(set(debs), set(UNITS))
        for name in debs:
            self.assertEqual(self.field(name, "Package"), name)
            self.assertEqual(self.field(name, "Version"), version)
        self.assertIn("librocksdb7.8", self.field("emend", "Depends"))
        self.assertNotIn("librocksdb", self.field("emend-worker", "Depends"))
        self.assertIn("libssl3", self.field("emend-worker", "Depends"))

    def test_files_are_roots_and_the_scripts_are_shell(self):
        for name, deb in debs.items():
            for line in output("dpkg-deb", "--contents", deb).splitlines():
                self.assertRegex(line, r"^(-rw-r--r--|-rwxr-xr-x|drwxr-xr-x) root/root ", line)
            scripts = folder / f"{name}-control"
            subprocess.run(["dpkg-deb", "--control", deb, scripts], check=True)
            for script in ("postinst", "prerm", "postrm"):
                text = (scripts / script).read_text()
                self.assertNotIn("#PACKAGE#", text)
                self.assertNotIn("#UNITS#", text)
                subprocess.run(["sh", "-n", scripts / script], check=True)
            services = [re.sub(r"(@g0)?\.service", "", unit) for unit in UNITS[name]]
            self.assertEqual((scripts / "conffiles").read_text().splitlines(), [f"/etc/default/{service}" for service in services])
            self.assertEqual(self.stopped_by(scripts / "prerm"), [unit.replace("@g0", "@*") for unit in UNITS[name]])

    def stopped_by(self, script):
        """What is stopped, as systemctl gets it, by a script that thinks that systemd runs."""
        text = script.read_text().replace("[ -d /run/systemd/system ]", "true").replace("systemctl", "printf '%s\\n'")
        return output("sh", "-c", text, "sh", "remove", cwd="/").split()[1:]

    def test_unpacked_they_run(self):
        for program in ("emend", "emendd", "emend-gateway", "emend-worker"):
            path = folder / "root/usr/bin" / program
            self.assertRegex(output(path, "--help", env={"PATH": "/nowhere"}), "(?i)usage:")
        with open(folder / "health", "w", encoding="utf-8") as health:
            health.write("connected\n")
        subprocess.run([folder / "root/usr/bin/emend-probe", "ready", folder / "health"], check=True)

    def test_the_manual_page_and_the_completions_name_the_verbs(self):
        share = folder / "root/usr/share"
        texts = [gzip.decompress((share / "man/man1/emend.1.gz").read_bytes()).decode()]
        for path in ("bash-completion/completions/emend", "zsh/vendor-completions/_emend", "fish/vendor_completions.d/emend.fish"):
            texts.append((share / path).read_text(encoding="utf-8"))
        for text in texts:
            self.assertIn("commit", text)
            self.assertIn("revert", text)

    def test_nothing_points_to_where_it_was_built(self):
        for path in (folder / "root/usr/bin").iterdir():
            run_path = re.findall(r"\((?:RUNPATH|RPATH)\).*\[(.*)\]", output("readelf", "--dynamic", path))
            self.assertEqual(run_path, ["$ORIGIN/../lib/emend"] if path.name == "emend-worker" else [])
        resolved = output("ldd", folder / "root/usr/bin/emend-worker", env={"PATH": os.environ["PATH"]})
        self.assertNotIn("not found", resolved)
        self.assertNotIn("build/deps", resolved)


class Units(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if shutil.which("systemd-analyze") is None:
            raise unittest.SkipTest("systemd is not installed here")
        # The targets that units refer to.
        cls.root = folder / "root"
        shutil.copytree("/lib/systemd/system", cls.root / "lib/systemd/system", symlinks=True, dirs_exist_ok=True)

    def verify(self, unit):
        done = subprocess.run(["systemd-analyze", "verify", f"--root={self.root}", unit], capture_output=True, text=True, check=False)
        return "\n".join(line for line in (done.stdout + done.stderr).splitlines() if "emend" in line)

    def test_they_are_sound(self):
        for unit in ALL_UNITS:
            self.assertEqual(self.verify(unit), "")

    def test_what_is_wrong_is_found(self):
        broken = self.root / "lib/systemd/system/emend-broken.service"
        text = (self.root / "lib/systemd/system/emendd.service").read_text()
        broken.write_text(text.replace("/usr/bin/emendd ", "/usr/bin/emend-nobody ").replace("UMask=", "UMasque="))
        self.assertRegex(self.verify("emend-broken.service"), "(?s)UMasque.*emend-nobody is not executable")

    def test_they_are_confined(self):
        for unit in ALL_UNITS:
            source = self.root / "lib/systemd/system" / unit.replace("@g0", "@")
            named = folder / unit
            shutil.copyfile(source, named)
            exposure = re.search(r"Overall exposure level for \S+: ([\d.]+)", output("systemd-analyze", "security", "--offline=true", named)).group(1)
            self.assertLess(float(exposure), 2.5)

    def test_their_options_are_known_and_agree(self):
        tokens = set()
        for unit in ALL_UNITS:
            text = (self.root / "lib/systemd/system" / unit.replace("@g0", "@")).read_text()
            program = re.search(r"^ExecStart=/usr/bin/(\S+)", text, re.MULTILINE).group(1)
            known = output(self.root / "usr/bin" / program, "--help")
            for option in re.findall(r" (--[a-z-]+)", " ".join(re.findall(r"^(?:ExecStart|Environment)=.*$", text, re.MULTILINE))):
                self.assertRegex(known, rf"(?m)^\s+{option}\b")
            tokens.add(re.search(r"^LoadCredential=(.*)$", text, re.MULTILINE).group(1))
        self.assertEqual(len(tokens), 1, "emendd, gateways and workers take the token from one file")


if __name__ == "__main__":
    unittest.main()
