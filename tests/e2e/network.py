"""A network of the test's own, which the machine's does not see: a namespace for each rank, a link from each to the coordinator, one between neighbours.

    own_namespaces()                                    # the test begins anew in them; or says why not
    network = Network(ranks=2)
    subprocess.Popen([*network.inside(1), "emend-worker", "--coordinator", f"{network.COORDINATOR}:7411", "--host", network.host(1), ...])
    with network.cut("control", 1): ...                 # frames are dropped, and nobody is told

Standard library, iproute2 and util-linux. Namespaces, mounts and links end with the last process in them, whatever way it ends."""
import contextlib
import os
import subprocess
import sys

MARK = "EMEND_TEST_OWN_NAMESPACES"


def own_namespaces():
    """Runs the program again in namespaces of its own for network and mounts. Returns why that cannot be, or nothing once it is so."""
    if os.environ.get(MARK):
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        # Where iproute2 and the programs keep what they run with: nothing of it is the machine's.
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run"], check=True)
        return None
    command = ["unshare", *([] if os.getuid() == 0 else ["--map-root-user"]), "--net", "--mount"]
    try:
        tried = subprocess.run([*command, "sh", "-c", "mount -t tmpfs tmpfs /run && ip netns add try"], capture_output=True, text=True)
    except FileNotFoundError as error:
        return str(error)
    if tried.returncode != 0:
        return tried.stderr.strip()
    os.environ[MARK] = "1"
    sys.stdout.flush()
    os.execvp(command[0], [*command, sys.executable, *sys.argv])


class Network:
    """Links are called ("control", rank), from the coordinator to a rank, and ("line", rank), from a rank to the next."""

    COORDINATOR = "10.77.255.1"

    def __init__(self, ranks):
        self.ranks = ranks
        ip("addr", "add", f"{self.COORDINATOR}/32", "dev", "lo")
        for rank in range(ranks):
            ip("netns", "add", f"rank{rank}")
            ip("-n", f"rank{rank}", "link", "set", "lo", "up")
            self.connect(None, f"rank{rank}", f"control{rank}", f"10.77.{rank}")
            ip("-n", f"rank{rank}", "route", "add", "default", "via", f"10.77.{rank}.1")
        for rank in range(ranks - 1):
            self.connect(f"rank{rank}", f"rank{rank + 1}", f"line{rank}", f"10.78.{rank}")

    def connect(self, near, far, name, prefix):
        """Addresses .1 and .2 of the prefix; None is the test's own namespace."""
        ip("link", "add", f"{name}a", *([] if near is None else ["netns", near]), "type", "veth", "peer", "name", f"{name}b", "netns", far)
        for namespace, end, address in ((near, "a", 1), (far, "b", 2)):
            ip(*within(namespace), "addr", "add", f"{prefix}.{address}/24", "dev", f"{name}{end}")
            ip(*within(namespace), "link", "set", "dev", f"{name}{end}", "up")

    def inside(self, rank):
        return ["ip", "netns", "exec", f"rank{rank}"]

    def host(self, rank):
        """Where the rank below finds this one."""
        return f"10.78.{rank - 1}.2" if rank > 0 else "10.78.0.1"

    def ends(self, kind, rank):
        near, far = (None, f"rank{rank}") if kind == "control" else (f"rank{rank}", f"rank{rank + 1}")
        return ((near, f"{kind}{rank}a"), (far, f"{kind}{rank}b"))

    @contextlib.contextmanager
    def cut(self, kind, rank):
        (near, device), _ = self.ends(kind, rank)
        ip(*within(near), "link", "set", "dev", device, "down")
        try:
            yield
        finally:
            ip(*within(near), "link", "set", "dev", device, "up")

    @contextlib.contextmanager
    def slow(self, kind, rank, kilobits):
        """Both ways. A rate, which every kernel can limit; netem's delays are not in every one."""
        for namespace, device in self.ends(kind, rank):
            tc(*within(namespace), "qdisc", "add", "dev", device, "root", "tbf", "rate", f"{kilobits}kbit", "burst", "16kb", "latency", "1s")
        try:
            yield
        finally:
            for namespace, device in self.ends(kind, rank):
                tc(*within(namespace), "qdisc", "del", "dev", device, "root")


def within(namespace):
    return [] if namespace is None else ["-n", namespace]


def ip(*words):
    subprocess.run(["ip", *words], check=True)


def tc(*words):
    subprocess.run(["tc", *words], check=True)
