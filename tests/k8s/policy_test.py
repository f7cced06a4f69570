#!/usr/bin/env python3
"""The manifests of k8s/: every overlay renders, fits the schemas, and keeps the rules of policy.py; each rule catches what it is there for."""
import copy
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(__file__))
import policy  # noqa: E402
from render import OVERLAYS, ROOT, VERSIONS, render, schema_faults, yaml  # noqa: E402

BINARIES = pathlib.Path(os.environ.get("EMEND_BIN", ROOT / "build/bin"))
RENDERED = {overlay: render(f"overlays/{overlay}") for overlay in OVERLAYS}


class Change:
    """A copy of an overlay, to be broken: Change("dev-cpu")("StatefulSet", "emend-worker")["spec"]["replicas"] = 3."""

    def __init__(self, overlay):
        self.documents = copy.deepcopy(RENDERED[overlay])

    def __call__(self, kind, name):
        return next(document for document in self.documents if document["kind"] == kind and document["metadata"]["name"].startswith(name))

    def pod(self, name):
        document = next(document for document in self.documents if document["kind"] in ("StatefulSet", "LeaderWorkerSet") and document["metadata"]["name"] == name)
        return policy.Workload(document).pod

    def container(self, name):
        return self.pod(name)["containers"][0]

    def remove(self, kind, name):
        self.documents.remove(self(kind, name))

    def argument(self, name, value):
        arguments = self.container("emend-coordinator")["args"]
        arguments[next(i for i, argument in enumerate(arguments) if argument.startswith(name + "="))] = f"{name}={value}"


def volume(pod, name):
    return next(volume for volume in pod["volumes"] if volume["name"] == name)


def mount(container, name):
    return next(mount for mount in container["volumeMounts"] if mount["name"] == name)


def variable(container, name):
    return next(variable for variable in container["env"] if variable["name"] == name)


def swap_config(change, old, new):
    config = change("ConfigMap", "emend-proxy")["data"]
    assert old in config["nginx.conf"]
    config["nginx.conf"] = config["nginx.conf"].replace(old, new)


# Rule, overlay, how it is broken.
BROKEN = [
    ("namespaces", "dev-cpu", lambda c: c("Service", "emend-rest")["metadata"].update(namespace="default")),
    ("namespaces", "dev-cpu", lambda c: c("Namespace", "emend")["metadata"]["labels"].update({"pod-security.kubernetes.io/enforce": "privileged"})),
    ("restricted_pods", "dev-cpu", lambda c: c.pod("emend-worker").update(hostNetwork=True)),
    ("restricted_pods", "single-gpu", lambda c: c.pod("emend-worker")["securityContext"].update(runAsUser=0)),
    ("restricted_pods", "multi-node", lambda c: c.pod("emend-worker")["securityContext"].pop("seccompProfile")),
    ("restricted_pods", "multi-node", lambda c: c.pod("emend-coordinator").pop("automountServiceAccountToken")),
    ("restricted_pods", "dev-cpu", lambda c: c.pod("emend-worker")["volumes"].append({"name": "host", "hostPath": {"path": "/"}})),
    ("restricted_containers", "dev-cpu", lambda c: c.container("emend-worker")["securityContext"].pop("capabilities")),
    ("restricted_containers", "dev-cpu", lambda c: c.container("emend-worker")["securityContext"]["capabilities"].update(add=["IPC_LOCK"])),
    ("restricted_containers", "multi-node", lambda c: c.container("emend-worker")["securityContext"].update(readOnlyRootFilesystem=False)),
    ("restricted_containers", "dev-cpu", lambda c: c.pod("emend-coordinator")["initContainers"][0]["ports"][0].update(hostPort=443)),
    ("resources", "dev-cpu", lambda c: c.container("emend-coordinator").pop("resources")),
    ("resources", "dev-cpu", lambda c: c.container("emend-coordinator")["resources"]["limits"].update(memory="8Gi")),
    ("probes", "dev-cpu", lambda c: c.container("emend-worker").pop("startupProbe")),
    ("probes", "dev-cpu", lambda c: c.pod("emend-coordinator")["initContainers"][0].pop("livenessProbe")),
    ("probes", "multi-node", lambda c: c.container("emend-worker").pop("readinessProbe")),
    ("endings", "dev-cpu", lambda c: c.container("emend-coordinator").pop("lifecycle")),
    ("endings", "dev-cpu", lambda c: c.pod("emend-coordinator").update(terminationGracePeriodSeconds=10)),
    ("images", "dev-cpu", lambda c: c.container("emend-worker").update(image="localhost/emend-worker:latest")),
    ("images", "dev-cpu", lambda c: c.container("emend-worker").update(image="localhost/emend-worker")),
    ("images", "dev-cpu", lambda c: c.container("emend-worker").update(image="emend-worker:0.1.0")),
    ("budgets", "multi-node", lambda c: c.remove("PodDisruptionBudget", "emend-worker")),
    ("budgets", "dev-cpu", lambda c: c("PodDisruptionBudget", "emend-worker")["spec"]["selector"]["matchLabels"].update({"app.kubernetes.io/name": "other"})),
    ("budgets", "dev-cpu", lambda c: c("PodDisruptionBudget", "emend-coordinator")["spec"].update(maxUnavailable=0)),
    ("services", "dev-cpu", lambda c: c("Service", "emend-rest")["spec"]["selector"].update({"app.kubernetes.io/component": "rest"})),
    ("services", "dev-cpu", lambda c: c("Service", "emend-rest")["spec"]["ports"][0].update(targetPort="https")),
    ("services", "dev-cpu", lambda c: c.remove("Service", "emend-worker")),
    ("bootstrap", "dev-cpu", lambda c: c("Service", "emend-coordinator")["spec"].pop("publishNotReadyAddresses")),
    ("default_deny", "dev-cpu", lambda c: c.remove("NetworkPolicy", "default-deny")),
    ("default_deny", "dev-cpu", lambda c: c("NetworkPolicy", "default-deny")["spec"].update(policyTypes=["Ingress"])),
    ("default_deny", "dev-cpu", lambda c: c("NetworkPolicy", "emend-coordinator")["spec"]["ingress"][1].pop("from")),
    ("default_deny", "dev-cpu", lambda c: c("NetworkPolicy", "emend-worker")["spec"]["egress"][0].pop("ports")),
    ("network_edges", "dev-cpu", lambda c: c.remove("NetworkPolicy", "emend-worker")),
    ("network_edges", "dev-cpu", lambda c: c("NetworkPolicy", "emend-coordinator")["spec"]["ingress"][0]["ports"][0].update(port=7412)),
    ("network_edges", "multi-node", lambda c: c("NetworkPolicy", "emend-worker")["spec"]["egress"][1]["to"][0]["podSelector"]["matchLabels"].update({"app.kubernetes.io/name": "x"})),
    ("references", "dev-cpu", lambda c: c.remove("PersistentVolumeClaim", "emend-statistics")),
    ("references", "dev-cpu", lambda c: c.remove("ConfigMap", "emend-proxy")),
    ("references", "multi-node", lambda c: volume(c.pod("emend-worker"), "tls")["secret"].update(secretName="emend-tls")),
    ("paths", "dev-cpu", lambda c: c.argument("--store", "/data/store")),
    ("paths", "dev-cpu", lambda c: c.argument("--worker-tls-ca", "/etc/emend/tls/authority.pem")),
    ("paths", "multi-node", lambda c: c.container("emend-worker")["readinessProbe"]["exec"]["command"].__setitem__(2, "/var/run/health")),
    ("one_coordinator", "dev-cpu", lambda c: c("StatefulSet", "emend-coordinator")["spec"].update(replicas=2)),
    ("one_coordinator", "single-gpu", lambda c: c("StatefulSet", "emend-coordinator")["spec"]["volumeClaimTemplates"][0]["spec"].update(accessModes=["ReadWriteMany"])),
    ("loopback", "dev-cpu", lambda c: c.argument("--listen", "0.0.0.0:8321")),
    ("loopback", "dev-cpu", lambda c: c.argument("--listen", "127.0.0.1:9000")),
    ("loopback", "dev-cpu", lambda c: swap_config(c, "listen 8443 ssl;", "listen 8443;")),
    ("loopback", "dev-cpu", lambda c: c.container("emend-coordinator")["args"].remove("--worker-tls-ca=/etc/emend/tls/ca.crt")),
    ("workers_see_no_database", "dev-cpu", lambda c: volume(c.pod("emend-worker"), "models")["persistentVolumeClaim"].update(claimName="store-emend-coordinator-0")),
    ("workers_see_no_database", "multi-node", lambda c: mount(c.container("emend-worker"), "models").pop("readOnly")),
    ("same_paths", "multi-node", lambda c: mount(c.container("emend-worker"), "models").update(mountPath="/models")),
    ("ranks", "dev-cpu", lambda c: c("StatefulSet", "emend-worker")["spec"].update(replicas=3)),
    ("ranks", "multi-node", lambda c: c.container("emend-worker")["env"].append({"name": "EMEND_WORLD_SIZE", "value": "2"})),
    ("ranks", "dev-cpu", lambda c: variable(c.container("emend-worker"), "EMEND_COORDINATOR").update(value="emend:7411")),
    ("shared_memory", "multi-node", lambda c: volume(c.pod("emend-worker"), "shm")["emptyDir"].pop("medium")),
    ("shared_memory", "multi-node", lambda c: volume(c.pod("emend-worker"), "shm")["emptyDir"].pop("sizeLimit")),
    ("shared_memory", "single-gpu", lambda c: volume(c.pod("emend-worker"), "shm")["emptyDir"].update(sizeLimit="60Gi")),
    ("spread", "multi-node", lambda c: c.pod("emend-worker").pop("topologySpreadConstraints")),
]
# Overlay, how it is broken: what the schemas must refuse.
MALFORMED = [
    ("dev-cpu", lambda c: c("StatefulSet", "emend-worker")["spec"].update(replicas="two")),
    ("dev-cpu", lambda c: c.container("emend-worker").update(livenesProbe={})),
    ("dev-cpu", lambda c: c("NetworkPolicy", "emend-worker")["spec"]["egress"][0]["ports"][0].update(endPort="many")),
    ("multi-node", lambda c: c("LeaderWorkerSet", "emend-worker")["spec"]["leaderWorkerTemplate"].update(restartPolicy="Never")),
    ("multi-node", lambda c: c("LeaderWorkerSet", "emend-worker")["spec"]["leaderWorkerTemplate"].update(sice=2)),
    ("multi-node", lambda c: c.container("emend-worker").update(livenesProbe={})),
]


class Manifests(unittest.TestCase):
    def test_every_overlay_fits_the_schemas(self):
        for overlay, documents in RENDERED.items():
            for version in VERSIONS:
                for document in documents:
                    with self.subTest(overlay=overlay, version=version, object=f"{document['kind']}/{document['metadata']['name']}"):
                        self.assertEqual(schema_faults(document, version), [])

    def test_the_schemas_refuse_what_is_malformed(self):
        for number, (overlay, breaks) in enumerate(MALFORMED):
            for version in VERSIONS:
                with self.subTest(number=number, version=version):
                    change = Change(overlay)
                    breaks(change)
                    self.assertEqual(len([document for document in change.documents if schema_faults(document, version)]), 1)

    def test_every_overlay_keeps_the_rules(self):
        for overlay, documents in RENDERED.items():
            with self.subTest(overlay=overlay):
                self.assertEqual(policy.check(documents), [])

    def test_each_rule_catches_what_breaks_it(self):
        for number, (rule, overlay, breaks) in enumerate(BROKEN):
            with self.subTest(rule=rule, number=number):
                change = Change(overlay)
                breaks(change)
                self.assertIn(rule, {fault.split(":")[0] for fault in policy.check(change.documents)})
        self.assertEqual({rule for rule, _, _ in BROKEN}, set(policy.RULES), "a rule that nothing breaks is not tested")

    def test_the_overlays_are_what_they_are_called(self):
        worker = {overlay: Change(overlay).container("emend-worker")["resources"]["limits"] for overlay in OVERLAYS}
        self.assertNotIn("nvidia.com/gpu", worker["dev-cpu"])
        for overlay in ("single-gpu", "multi-node"):
            container = Change(overlay).container("emend-worker")
            self.assertEqual(worker[overlay]["nvidia.com/gpu"], "1")
            self.assertIn({"name": "EMEND_DEVICE", "value": "cuda"}, container["env"], "a GPU is reserved to be used")
            self.assertIn("/emend-worker-cuda:", container["image"])
        self.assertEqual(Change("dev-cpu")("StatefulSet", "emend-worker")["spec"]["replicas"], 2)
        self.assertEqual(Change("single-gpu")("StatefulSet", "emend-worker")["spec"]["replicas"], 1)
        self.assertGreater(Change("multi-node")("LeaderWorkerSet", "emend-worker")["spec"]["leaderWorkerTemplate"]["size"], 1)

    def test_the_images_are_of_this_version(self):
        version = re.search(r"project\(emend VERSION ([\d.]+)", (ROOT / "CMakeLists.txt").read_text()).group(1)
        for documents in RENDERED.values():
            for workload in policy.workloads(documents):
                for container in workload.containers:
                    self.assertTrue(container["image"].endswith(f":{version}"), container["image"])

    def test_a_kustomization_on_top_takes_the_images_elsewhere(self):
        """As docs/guides/kubernetes.md tells it; LeaderWorkerSet is a kind that kustomize does not know."""
        names = ("coordinator", "proxy", "worker-cuda")
        images = [{"name": f"localhost/emend-{name}", "newName": f"registry.example/emend-{name}", "digest": f"sha256:{i:064}"} for i, name in enumerate(names)]
        with tempfile.TemporaryDirectory(dir=ROOT / "build") as folder:
            (pathlib.Path(folder) / "kustomization.yaml").write_text(yaml.safe_dump({"resources": ["../../k8s/overlays/multi-node"], "images": images}))
            documents = render(os.path.relpath(folder, ROOT / "k8s"))
        found = {container["image"] for workload in policy.workloads(documents) for container in workload.containers}
        self.assertEqual(found, {f"registry.example/emend-{name}@sha256:{i:064}" for i, name in enumerate(names)})
        self.assertEqual(policy.check(documents), [])

    def test_workers_are_the_same_in_stateful_sets_and_groups(self):
        """Their pods are written twice, because kustomize cannot carry a template from one kind to the other."""
        one, other = Change("single-gpu"), Change("multi-node")
        for key in ("args", "image", "lifecycle", "startupProbe", "livenessProbe", "readinessProbe", "securityContext", "volumeMounts"):
            self.assertEqual(one.container("emend-worker")[key], other.container("emend-worker")[key], key)
        for key in ("securityContext", "tolerations", "topologySpreadConstraints", "terminationGracePeriodSeconds", "enableServiceLinks"):
            self.assertEqual(one.pod("emend-worker")[key], other.pod("emend-worker")[key], key)
        own = {"EMEND_RANK", "EMEND_WORLD_SIZE", "EMEND_GROUP"}
        variables = [[variable for variable in change.container("emend-worker")["env"] if variable["name"] not in own] for change in (one, other)]
        self.assertEqual(*variables)

    def test_the_programs_know_their_options(self):
        programs = {"emend-coordinator": "emendd", "emend-worker": "emend-worker"}
        for overlay in OVERLAYS:
            for name, program in programs.items():
                known = subprocess.run([BINARIES / program, "--help"], capture_output=True, text=True, check=True).stdout
                for argument in Change(overlay).container(name)["args"]:
                    with self.subTest(overlay=overlay, argument=argument):
                        self.assertRegex(known, rf"(?m)^\s+{re.escape(argument.split('=')[0])}\b")


if __name__ == "__main__":
    unittest.main()
