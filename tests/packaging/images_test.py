#!/usr/bin/env python3
"""What goes into the images, without an engine: complete, readable, and it runs as the manifests say, on a root that cannot be written."""
import json
import os
import pathlib
import re
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import unittest
import urllib.error
import urllib.request

sys.path.insert(0, os.path.dirname(__file__))
from pods import ROOT, Pods, can_run, make_secrets, policy, render  # noqa: E402

BINARIES = pathlib.Path(os.environ.get("EMEND_BIN", ROOT / "build/bin"))
DEPS = ROOT / "build/deps"
ATLAS = ROOT / "docs/examples/atlas"
CONTAINERFILE = ROOT / "k8s/images/Containerfile"
STAGES = {"coordinator": {"emendd", "emend"}, "gateway": {"emend-gateway"}, "worker": {"emend-worker", "emend-probe"}, "cli": {"emend"}, "proxy": {"nginx"}}
LICENCES = {
    "coordinator": {"emend", "librocksdb7.8", "libc6", "libssl3"},
    "gateway": {"emend", "libc6", "libssl3"},
    "worker": {"emend", "torch", "nvidia-cuda-runtime"},
    "proxy": {"nginx"},
}


def setUpModule():
    global images
    images = pathlib.Path(tempfile.mkdtemp(prefix="emend-images-", dir=ROOT / "build"))
    subprocess.run([sys.executable, ROOT / "packaging/stage.py", "--bin", BINARIES, "--deps", DEPS, "--out", images], check=True, stdout=subprocess.DEVNULL)


def tearDownModule():
    shutil.rmtree(images, ignore_errors=True)


def is_elf(path):
    with open(path, "rb") as file:
        return file.read(4) == b"\x7fELF"


def dynamic_section(path):
    text = subprocess.run(["readelf", "--dynamic", path], capture_output=True, text=True, check=True).stdout
    return set(re.findall(r"\(NEEDED\).*\[(.*)\]", text)), re.findall(r"\((?:RUNPATH|RPATH)\).*\[(.*)\]", text)


class Contents(unittest.TestCase):
    def test_every_library_is_in_the_stage(self):
        for stage, programs in STAGES.items():
            self.assertEqual({path.name for path in (images / stage / "usr/bin").iterdir()}, programs)
            files = [path for path in (images / stage).rglob("*") if path.is_file() and is_elf(path)]
            names = {path.name for path in files}
            for path in files:
                with self.subTest(stage=stage, file=path.name):
                    needed, run_paths = dynamic_section(path)
                    self.assertEqual(needed - names, set())
                    if path.parent.name == "bin":
                        self.assertEqual(run_paths, ["$ORIGIN/../lib/emend"] if path.name == "emend-worker" else [])

    def test_another_user_may_read_it_and_nobody_may_write_it(self):
        for path in images.rglob("*"):
            mode = path.lstat().st_mode
            if path.is_symlink() or path.name == "tmp":
                continue
            self.assertEqual(mode & 0o022, 0, path)
            self.assertEqual(mode & 0o6000, 0, path)
            self.assertEqual(mode & 0o004, 0o004, path)
            if path.is_dir() or path.parent.name == "bin":
                self.assertEqual(mode & 0o001, 0o001, path)

    def test_licences_go_with_it(self):
        for stage, packages in LICENCES.items():
            self.assertLessEqual(packages, {path.name for path in (images / stage / "usr/share/doc").iterdir()})

    def test_no_shell_and_no_database_where_they_do_not_belong(self):
        self.assertFalse(list(images.rglob("sh")) + list(images.rglob("bash")))
        for stage in ("worker", "gateway"):
            self.assertFalse(list((images / stage).rglob("librocksdb*")))
        for stage in ("coordinator", "gateway"):
            self.assertFalse(list((images / stage).rglob("libtorch*")))


class Container(unittest.TestCase):
    def test_the_linter_finds_nothing(self):
        done = subprocess.run([DEPS / "checks/bin/hadolint", CONTAINERFILE], capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stdout), (0, ""))

    def test_the_linter_finds_what_is_wrong(self):
        text = CONTAINERFILE.read_text().replace("debian:12.12", "debian:latest")
        done = subprocess.run([DEPS / "checks/bin/hadolint", "-"], input=text, capture_output=True, text=True, check=False)
        self.assertIn("DL3007", done.stdout)

    def test_each_image_is_its_stage_and_its_user_is_the_pods(self):
        parts = dict(re.findall(r"^FROM scratch AS (\w+)\n(.*?)(?=^FROM|\Z)", CONTAINERFILE.read_text(), re.MULTILINE | re.DOTALL))
        self.assertEqual(set(parts), set(STAGES))
        users = {str(workload.pod["securityContext"]["runAsUser"]) for workload in policy.workloads(render("overlays/dev-cpu"))}
        for name, part in parts.items():
            self.assertIn(f"COPY --from=build /src/build/images/{name} /\n", part)
            self.assertEqual({re.search(r"^USER (\d+):\1$", part, re.MULTILINE).group(1)}, users)
            program = re.search(r'^ENTRYPOINT \["/usr/bin/([\w-]+)"\]$', part, re.MULTILINE).group(1)
            self.assertIn(program, STAGES[name])


class Running(unittest.TestCase):
    def setUp(self):
        if not can_run():
            self.skipTest("this machine allows no user namespaces")

    def use(self, overlay):
        self.pods = Pods(images, overlay)
        self.addCleanup(self.pods.close)

    def get(self, path, pod="emend-coordinator-0"):
        """The status that the kubelet's probe would see: TLS, whatever the certificate."""
        try:
            context = ssl._create_unverified_context()
            return urllib.request.urlopen(f"https://127.0.0.1:{self.pods.port(pod, 8443)}{path}", context=context, timeout=5).status
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    def emend(self, *words, service="emend-rest", pod="emend-coordinator-0"):
        """The command line's image, over TLS."""
        authority = self.pods.folder / "ca.crt"
        authority.write_bytes(self.pods.secrets["emend-rest-tls"]["ca.crt"])
        mounts = [(self.pods.folder / "hosts", "/etc/hosts", "ro"), (authority, "/etc/ca.crt", "ro"), (ATLAS, "/run", "ro")]
        server = f"https://{service}:{self.pods.port(pod, 8443)}"
        return self.pods.run("cli", mounts, ["/usr/bin/emend", *words], {"SSL_CERT_FILE": "/etc/ca.crt", "EMEND_SERVER": server, "EMEND_TOKEN": self.token})

    def certificate(self):
        return ssl.get_server_certificate(("127.0.0.1", self.pods.port("emend-coordinator-0", 8443)))

    def start_coordinator(self):
        proxy = self.pods.start("emend-coordinator", "proxy")
        emendd = self.pods.start("emend-coordinator", "emendd")
        self.pods.wait_for("emendd behind the proxy", lambda: self.get("/livez") == 200)
        up = self.pods.run_in("emend-coordinator", "emendd", ["/usr/bin/emend", "up", "--json"])
        self.assertEqual(up.returncode, 0, up.stderr)
        self.token = re.search(r'"token": ?"(\w+)"', up.stdout).group(1)
        return proxy, emendd

    def start_workers(self):
        workers = [self.pods.start("emend-worker", "worker", rank) for rank in range(2)]
        for rank in range(2):
            self.pods.wait_for(f"rank {rank}", lambda rank=rank: self.pods.probe("emend-worker", "worker", "readinessProbe", rank))
        return workers

    def start_gateways(self):
        """Proxy and gateway of each pod."""
        pods = [[self.pods.start("emend-gateway", container, index) for container in ("proxy", "gateway")] for index in range(2)]
        for index in range(2):
            self.pods.wait_for(f"gateway {index} behind its proxy", lambda index=index: self.get("/livez", f"emend-gateway-{index}") == 200)
        return pods

    def check_done(self, *words, **options):
        done = self.emend(*words, **options)
        self.assertEqual(done.returncode, 0, f"{words}\n{done.stdout}{done.stderr}")
        return done.stdout

    def test_the_pods_of_dev_cpu_edit_a_model(self):
        self.use("dev-cpu")
        proxy, emendd = self.start_coordinator()
        self.assertEqual(self.get("/readyz"), 503, "without a worker")
        workers = self.start_workers()
        self.pods.wait_for("readiness", lambda: self.get("/readyz") == 200)
        shutil.copytree(ATLAS / "model", self.pods.folder / "claim-emend-exchange/atlas")
        self.check_done("init", "atlas", "--model", "/var/lib/emend-exchange/atlas")
        self.check_done("stats", "atlas", "--corpus", "/run/corpus.txt", "--lines", "300")
        self.check_done("commit", "atlas", "-F", "/run/facts.json", "--limit", "2", "-m", "in pods", "--no-evaluation")
        self.check_done("verify", "atlas")
        self.assertEqual({path.name for path in (self.pods.folder / "claim-store/store").iterdir()} & {"models", "statistics", "worker-token", "emendd.log"}, set())
        for worker in workers:
            self.assertEqual(self.pods.stop(worker), 0, worker.log.read_text())
        self.assertEqual(self.pods.stop(emendd), 0)
        self.assertIn('"event":"emendd_stopped"', emendd.log.read_text())
        self.assertEqual(self.pods.stop(proxy, signal.SIGQUIT), 0, proxy.log.read_text())

    def test_gateways_answer_while_the_coordinator_is_away(self):
        self.use("dev-cpu")
        _, emendd = self.start_coordinator()
        self.start_workers()
        gateways = self.start_gateways()
        names = [f"emend-gateway-{index}" for index in range(2)]
        self.assertEqual([self.get("/readyz", name) for name in names], [503, 503], "with nothing to be asked")
        shutil.copytree(ATLAS / "model", self.pods.folder / "claim-emend-exchange/atlas")
        self.check_done("init", "atlas", "--model", "/var/lib/emend-exchange/atlas")
        question = ("ask", "atlas", "The capital of France is", "--max-tokens", "8", "--json")
        expected = self.check_done(*question)
        for name in names:
            self.pods.wait_for(f"readiness of {name}", lambda name=name: self.get("/readyz", name) == 200)
        self.assertEqual(self.pods.stop(emendd), 0)
        for name in names:
            self.assertEqual(self.check_done(*question, service="emend-answers", pod=name), expected)
            self.assertEqual(self.get("/readyz", name), 200)
            self.assertNotEqual(self.emend(*question, service="emend-rest", pod=name).returncode, 0, "a gateway has no certificate of the coordinator's")
        for proxy, gateway in gateways:
            self.assertEqual(self.pods.stop(gateway), 0, gateway.log.read_text())
            self.assertIn('"event":"gateway_stopped"', gateway.log.read_text())
            self.assertEqual(self.pods.stop(proxy, signal.SIGQUIT), 0, proxy.log.read_text())

    def test_the_ranks_of_a_leader_worker_set_form_a_group(self):
        self.use("multi-node")
        self.start_coordinator()
        self.start_workers()
        status = self.emend("status", "--json")
        self.assertEqual(status.returncode, 0, status.stderr)
        workers = sorted((worker["group"], worker["rank"], worker["state"]) for worker in json.loads(status.stdout)["workers"])
        self.assertEqual(workers, [("emend-worker-0", 0, "connected"), ("emend-worker-0", 1, "connected")])
        for _, gateway in self.start_gateways():
            self.pods.wait_for("rank 0 at the gateway", lambda gateway=gateway: '"event":"worker_serves"' in gateway.log.read_text())

    def test_strangers_stay_outside_and_renewed_certificates_count(self):
        self.use("dev-cpu")
        _, emendd = self.start_coordinator()
        self.token = "emend_of_nobody"
        self.assertEqual(self.emend("status").returncode, 5)
        servers = [emendd, *(gateway for _, gateway in self.start_gateways())]
        stranger = self.pods.start("emend-worker", "worker", drop=("EMEND_TLS_CERT", "EMEND_TLS_KEY", "EMEND_TLS_CA"))
        for server in servers:
            self.pods.wait_for("the refusal", lambda server=server: '"event":"worker_refused"' in server.log.read_text())
        self.assertTrue(self.pods.probe("emend-worker", "worker", "livenessProbe"))
        self.assertFalse(self.pods.probe("emend-worker", "worker", "readinessProbe"))
        self.assertIsNone(stranger.poll())
        before = self.certificate()
        self.pods.secrets = make_secrets()
        self.pods.write_secret("emend-rest-tls", self.pods.folder / "emend-coordinator-0-rest-tls")
        self.assertNotEqual(self.certificate(), before)


if __name__ == "__main__":
    unittest.main()
