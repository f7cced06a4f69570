"""Runs the containers of a rendered overlay without an engine: the staged folder as a root that cannot be written, the manifest's arguments, variables and volumes on it.

    pods = Pods(stages, secrets)
    emendd = pods.start("emend-coordinator", "emendd")     # ... then pods.close()

Needs user namespaces (`unshare`). Each pod has free ports instead of the manifests', since all pods share this machine's loopback.
"""
import base64
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/k8s"))
import policy  # noqa: E402
from render import render, yaml  # noqa: E402

UNSHARE = ["unshare", "--map-root-user", "--mount", "--pid", "--fork", "--kill-child"]
STAGES = {"emendd": "coordinator", "gateway": "gateway", "worker": "worker", "proxy": "proxy"}
PROGRAMS = {"emendd": "emendd", "gateway": "emend-gateway", "worker": "emend-worker", "proxy": "nginx"}
HOSTS = ("localhost", "emend-coordinator", "emend-rest", "emend-answers", "emend-gateway-0.emend-gateway", "emend-gateway-1.emend-gateway")
# $1: root; then triples of source, target and ro or rw, up to --; then the command, which runs as the pods' user.
ENTER = """
set -e
root="$1"; shift
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
while [ "$1" != -- ]; do
  mount --bind "$1" "$root$2"
  [ "$3" = rw ] || mount -o remount,bind,ro "$root$2"
  shift 3
done
shift
mount -o remount,bind,ro "$root"
exec unshare --map-user=10001 --map-group=10001 --root="$root" "$@"
"""


def can_run():
    return subprocess.run([*UNSHARE, "sh", "-c", "mount --bind /tmp /tmp"], capture_output=True, check=False).returncode == 0


def make_secrets():
    """Secret by name: key to bytes."""
    text = subprocess.run([ROOT / "k8s/make-secrets.sh"], capture_output=True, text=True, check=True).stdout
    return {secret["metadata"]["name"]: {key: base64.b64decode(value) for key, value in secret["data"].items()} for secret in yaml.safe_load_all(text)}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Pods:
    def __init__(self, stages, overlay="dev-cpu"):
        self.stages = stages
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="emend-pods-"))
        self.documents = render(f"overlays/{overlay}")
        self.workloads = {workload.document["metadata"]["name"]: workload for workload in policy.workloads(self.documents)}
        self.ports = {}
        self.secrets = make_secrets()
        (self.folder / "hosts").write_text(f"127.0.0.1 {' '.join(HOSTS)}\n")
        self.processes = []

    def port(self, pod, number):
        """The free port that stands for this one of a pod: port("emend-coordinator-0", 8443)."""
        key = (pod, int(number))
        if key not in self.ports:
            self.ports[key] = free_port()
        return self.ports[key]

    def here(self, pod, text):
        """With the ports of `pod`, or of the pod whose name stands before one."""

        def replace(match):
            named = re.search(r"(emend-[a-z]+)(-\d)?(\.[a-z-]+)?:$", text[: match.start()])
            return str(self.port(f"{named.group(1)}{named.group(2) or '-0'}" if named else pod, match.group()))

        return re.sub(r"(?<=[: ])(7411|7412|8321|8443)\b", replace, text)

    def volume(self, pod, index, name):
        """The folder that stands for a volume; claims are shared by all pods."""
        claims = {claim["metadata"]["name"]: claim["metadata"]["name"] for claim in pod.document["spec"].get("volumeClaimTemplates", [])}
        source = next((volume for volume in pod.pod["volumes"] if volume["name"] == name), None)
        claim = source.get("persistentVolumeClaim", {}).get("claimName") if source else claims[name]
        folder = self.folder / (f"claim-{claim}" if claim else f"{pod.document['metadata']['name']}-{index}-{name}")
        if folder.exists():
            return folder
        folder.mkdir()
        if source and "secret" in source:
            self.write_secret(source["secret"]["secretName"], folder)
        if source and "configMap" in source:
            config = next(document for document in self.documents if document["kind"] == "ConfigMap" and document["metadata"]["name"] == source["configMap"]["name"])
            for key, text in config["data"].items():
                (folder / key).write_text(self.here(f"{pod.document['metadata']['name']}-{index}", text))
        return folder

    def write_secret(self, name, folder):
        """Each file is the old one or the new one, never half of one: a program may be reading."""
        for key, value in self.secrets[name].items():
            (folder / f"{key}.new").write_bytes(value)
            (folder / f"{key}.new").rename(folder / key)

    def mounts(self, pod, index, container):
        mounts = [(self.volume(pod, index, mount["name"]), mount["mountPath"], "ro" if mount.get("readOnly") else "rw") for mount in container["volumeMounts"]]
        return [(self.folder / "hosts", "/etc/hosts", "ro"), *mounts]

    def environment(self, pod, container, index):
        # No GPU is expected here.
        special = {"EMEND_RANK": str(index), "EMEND_HOST": "127.0.0.1", "CPU_LIMIT": "1", "EMEND_DEVICE": "cpu"}
        own = f"{pod.document['metadata']['name']}-{index}"
        variables = {variable["name"]: special.get(variable["name"], self.here(own, variable.get("value", ""))) for variable in container.get("env", [])}
        if pod.document["kind"] == "LeaderWorkerSet":
            # As its controller sets them, for the first group.
            name = pod.document["metadata"]["name"]
            size = pod.document["spec"]["leaderWorkerTemplate"]["size"]
            variables.update(LWS_LEADER_ADDRESS=f"{name}-0.{name}.emend", LWS_GROUP_SIZE=str(size), LWS_WORKER_INDEX=str(index))
        return variables

    def command(self, stage, mounts, words):
        """In the stage as root, with these volumes and nothing else. Their mount points are made first, as a container's runtime does."""
        root = self.stages / stage
        for source, target, _ in mounts:
            point = root / target.lstrip("/")
            if target.startswith("/dev/"):
                continue
            if source.is_dir():
                point.mkdir(parents=True, exist_ok=True)
            elif not point.exists():
                point.touch()
        triples = [str(part) for mount in mounts for part in mount]
        return [*UNSHARE, "sh", "-c", ENTER, "sh", str(root), *triples, "--", *words]

    def words_of(self, name, container_name, index):
        pod = self.workloads[name]
        container = pod.container(container_name)
        variables = self.environment(pod, container, index)
        arguments = [self.here(f"{name}-{index}", re.sub(r"\$\((\w+)\)", lambda match: variables[match.group(1)], argument)) for argument in container["args"]]
        return pod, container, variables, arguments

    def start(self, name, container_name, index=0, drop=()):
        """`drop` are variables that are left out."""
        pod, container, variables, arguments = self.words_of(name, container_name, index)
        words = self.command(STAGES[container_name], self.mounts(pod, index, container), [f"/usr/bin/{PROGRAMS[container_name]}", *arguments])
        log = open(self.folder / f"{name}-{container_name}-{index}.log", "ab")
        process = subprocess.Popen(words, env={key: value for key, value in variables.items() if key not in drop}, stdout=log, stderr=log)
        process.log = pathlib.Path(log.name)
        log.close()
        self.processes.append(process)
        return process

    def run_in(self, name, container_name, words, index=0):
        """As `kubectl exec` would."""
        pod, container, variables, _ = self.words_of(name, container_name, index)
        return self.run(STAGES[container_name], self.mounts(pod, index, container), words, variables)

    def run(self, stage, mounts, words, variables):
        return subprocess.run(self.command(stage, mounts, [str(word) for word in words]), env=variables, capture_output=True, text=True, timeout=120, check=False)

    def probe(self, name, container_name, kind, index=0):
        """Whether the exec probe of the manifest says yes."""
        command = self.workloads[name].container(container_name)[kind]["exec"]["command"]
        return self.run_in(name, container_name, command, index).returncode == 0

    @staticmethod
    def stop(process, number=signal.SIGTERM):
        """The signal that Kubernetes sends, to the first process in the container; its exit code."""
        if process.poll() is None:
            children = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
            for child in children:
                os.kill(int(child), number)
        return process.wait(60)

    def wait_for(self, what, holds, seconds=60):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if holds():
                return
            time.sleep(0.2)
        logs = "".join(f"\n{process.log.name}, exit code {process.poll()}:\n{process.log.read_text()[-2000:]}" for process in self.processes)
        raise AssertionError(f"waited {seconds} s for {what}{logs}")

    def close(self):
        for process in self.processes:
            if process.poll() is None:
                process.kill()
                process.wait(30)
        shutil.rmtree(self.folder, ignore_errors=True)
