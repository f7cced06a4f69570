"""A worker whose ranks are on machines of their own, as far as they can tell: each in its own network namespace, dialling in over mutual TLS, to the coordinator and to a
gateway beside it. The test starts a rank again that has ended, and ends one that is stopped, as systemd and a liveness probe would; the coordinator it starts as a person
would, again and again on one address."""
import pathlib
import subprocess
import threading
import time

from emend import BINARIES, Failed
from gateway import Gateway
from network import Network

CERTIFICATES = BINARIES.parent / "tests" / "emend_test_make_certificates"
STOPPED_MAX = 3.5  # seconds, as of emendd's own supervisor


class Dialled:
    PORT = 7411
    GATEWAY_PORT = 7412

    def __init__(self, emend, ranks):
        self.emend = emend
        self.network = Network(ranks)
        self.pems = emend.folder / "pems"
        self.pems.mkdir()
        subprocess.run([CERTIFICATES, self.pems, "own", "coordinator", f"IP:{Network.COORDINATOR}", "worker", "DNS:worker"], check=True)
        self.coordinator = None
        self.gateway = Gateway(emend, f"{Network.COORDINATOR}:{self.GATEWAY_PORT}", *self.files("worker-tls-", "coordinator"))
        self.processes = {}
        self.ending = threading.Event()
        self.keeper = threading.Thread(target=self.keep, daemon=True)

    def files(self, prefix, name):
        return [f"--{prefix}cert", self.pems / f"{name}.pem", f"--{prefix}key", self.pems / f"{name}-key.pem", f"--{prefix}ca", self.pems / "own-ca.pem"]

    def up(self):
        self.start_coordinator()
        self.gateway.start()
        self.keeper.start()

    def start_coordinator(self, seconds=60):
        words = [BINARIES / "emendd", "--store", self.emend.store, "--workers", "0", "--worker-listen", f"{Network.COORDINATOR}:{self.PORT}"]
        self.coordinator = subprocess.Popen([*map(str, words), *map(str, self.files("worker-tls-", "coordinator"))], start_new_session=True)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            record = self.emend.store / "daemon.json"
            if record.exists() and self.emend.pid() == self.coordinator.pid and self.emend.run("status", expect=None).returncode == 0:
                return
            if self.coordinator.poll() is not None:
                break
            time.sleep(0.05)
        raise Failed(f"emendd did not come up: {(self.emend.store / 'emendd.log').read_text(errors='replace')[-2000:]}")

    def restart_coordinator(self, pause):
        """When it was begun to be started again."""
        self.coordinator.kill()
        self.coordinator.wait()
        time.sleep(pause)
        began = time.time()
        self.start_coordinator()
        return began

    def start_rank(self, rank):
        words = [*self.network.inside(rank), BINARIES / "emend-worker", "--coordinator", f"{Network.COORDINATOR}:{self.PORT}", "--gateway", self.gateway.address,
                 "--token-file", self.emend.store / "worker-token", "--group", "g0", "--rank", rank, "--world-size", self.network.ranks, "--name", f"g0.{rank}", "--threads", "1",
                 "--host", self.network.host(rank), "--log", self.emend.store / f"worker-{rank}.log", *self.files("tls-", "worker")]
        environment = {**self.emend.environment, "OMP_WAIT_POLICY": "PASSIVE"}
        self.processes[rank] = subprocess.Popen([str(word) for word in words], env=environment, stderr=subprocess.DEVNULL)

    def keep(self):
        stopped_since = {}
        while not self.ending.is_set():
            for rank in range(self.network.ranks):
                process = self.processes.get(rank)
                if process is None or process.poll() is not None:
                    self.start_rank(rank)
                elif not is_stopped(process.pid):
                    stopped_since.pop(rank, None)
                elif time.monotonic() - stopped_since.setdefault(rank, time.monotonic()) > STOPPED_MAX:
                    process.kill()
            self.ending.wait(0.1)

    def pids(self):
        return {rank: process.pid for rank, process in self.processes.items()}

    def close(self):
        self.ending.set()
        if self.keeper.is_alive():
            self.keeper.join()
        self.emend.down()
        for process in self.processes.values():
            process.kill()
            process.wait()
        self.gateway.kill()
        if self.coordinator is not None:
            self.coordinator.wait(60)


def is_stopped(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "T"
    except FileNotFoundError:
        return False
