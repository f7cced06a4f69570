#!/usr/bin/env python3
"""The manifests of k8s/: every overlay renders, fits the schemas, and keeps the rules of policy.py; each rule catches what it is there for."""
import base64
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

    def argument(self, name, value, of="emend-coordinator"):
        arguments = self.container(of)["args"]
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


def is_server(secret, name):
    """Whether the certificate in a Secret is one that a client would take from a server of this name."""
    with tempfile.TemporaryDirectory() as folder:
        for key in ("tls.crt", "ca.crt"):
            (pathlib.Path(folder) / key).write_bytes(base64.b64decode(secret[key]))
        words = ["openssl", "verify", "-CAfile", "ca.crt", "-purpose", "sslserver", "-verify_hostname", name, "tls.crt"]
        return subprocess.run(words, cwd=folder, capture_output=True, check=False).returncode == 0


# Rule, overlay, how it is broken.
BROKEN = [
    ("namespaces", "dev-cpu", lambda c: c("Service", "emend-rest")["metadata"].update(namespace="default")),
    ("namespaces", "dev-cpu", lambda c: c("Namespace", "emend")["metadata"]["labels"].update({"pod-security.kubernetes.io/enforce": "privileged"})),
    ("restricted_pods", "dev-cpu", lambda c: c.pod("emend-worker").update(hostNetwork=True)),
    ("restricted_pods", "single-gpu", lambda c: c.pod("emend-worker")["securityContext"].update(runAsUser=0)),
    ("restricted_pods", "multi-node", lambda c: c.pod("emend-worker")["securityContext"].pop("seccompProfile")),
    ("restricted_pods", "multi-node", lambda c: c.pod("emend-coordinator").pop("automountServiceAccountToken")),
    ("restricted_pods", "dev-cpu", lambda c: c.pod("emend-worker")["volumes"].append({"name": "host", "hostPath": {"path": "/"}})),
    ("restricted_pods", "dev-cpu", lambda c: c.pod("emend-gateway").update(automountServiceAccountToken=True)),
    ("restricted_containers", "dev-cpu", lambda c: c.container("emend-worker")["securityContext"].pop("capabilities")),
    ("restricted_containers", "dev-cpu", lambda c: c.container("emend-worker")["securityContext"]["capabilities"].update(add=["IPC_LOCK"])),
    ("restricted_containers", "multi-node", lambda c: c.container("emend-worker")["securityContext"].update(readOnlyRootFilesystem=False)),
    ("restricted_containers", "dev-cpu", lambda c: c.pod("emend-coordinator")["initContainers"][0]["ports"][0].update(hostPort=443)),
    ("restricted_containers", "single-gpu", lambda c: c.container("emend-gateway")["securityContext"].update(allowPrivilegeEscalation=True)),
    ("resources", "dev-cpu", lambda c: c.container("emend-coordinator").pop("resources")),
    ("resources", "multi-node", lambda c: c.container("emend-gateway")["resources"]["requests"].pop("memory")),
    ("resources", "dev-cpu", lambda c: c.container("emend-coordinator")["resources"]["limits"].update(memory="8Gi")),
    ("probes", "dev-cpu", lambda c: c.container("emend-worker").pop("startupProbe")),
    ("probes", "dev-cpu", lambda c: c.pod("emend-coordinator")["initContainers"][0].pop("livenessProbe")),
    ("probes", "multi-node", lambda c: c.container("emend-worker").pop("readinessProbe")),
    ("probes", "multi-node", lambda c: c.container("emend-gateway").pop("livenessProbe")),
    ("probes", "dev-cpu", lambda c: c.pod("emend-gateway")["initContainers"][0].pop("startupProbe")),
    ("endings", "dev-cpu", lambda c: c.container("emend-coordinator").pop("lifecycle")),
    ("endings", "dev-cpu", lambda c: c.pod("emend-coordinator").update(terminationGracePeriodSeconds=10)),
    ("endings", "dev-cpu", lambda c: c.pod("emend-gateway").update(terminationGracePeriodSeconds=10)),
    ("images", "dev-cpu", lambda c: c.container("emend-worker").update(image="localhost/emend-worker:latest")),
    ("images", "dev-cpu", lambda c: c.container("emend-worker").update(image="localhost/emend-worker")),
    ("images", "dev-cpu", lambda c: c.container("emend-worker").update(image="emend-worker:0.1.0")),
    ("budgets", "multi-node", lambda c: c.remove("PodDisruptionBudget", "emend-worker")),
    ("budgets", "dev-cpu", lambda c: c("PodDisruptionBudget", "emend-worker")["spec"]["selector"]["matchLabels"].update({"app.kubernetes.io/name": "other"})),
    ("budgets", "dev-cpu", lambda c: c("PodDisruptionBudget", "emend-coordinator")["spec"].update(maxUnavailable=0)),
    ("budgets", "dev-cpu", lambda c: c.remove("PodDisruptionBudget", "emend-gateway")),
    ("services", "dev-cpu", lambda c: c("Service", "emend-rest")["spec"]["selector"].update({"app.kubernetes.io/component": "rest"})),
    ("services", "dev-cpu", lambda c: c("Service", "emend-rest")["spec"]["ports"][0].update(targetPort="https")),
    ("services", "dev-cpu", lambda c: c.remove("Service", "emend-worker")),
    ("services", "dev-cpu", lambda c: c("Service", "emend-answers")["spec"]["ports"][0].update(targetPort=8331)),
    ("services", "dev-cpu", lambda c: c.remove("Service", "emend-gateway")),
    ("bootstrap", "dev-cpu", lambda c: c("Service", "emend-coordinator")["spec"].pop("publishNotReadyAddresses")),
    ("bootstrap", "dev-cpu", lambda c: c("Service", "emend-gateway")["spec"].pop("publishNotReadyAddresses")),
    ("bootstrap", "dev-cpu", lambda c: c("StatefulSet", "emend-gateway")["spec"].pop("podManagementPolicy")),
    ("default_deny", "dev-cpu", lambda c: c.remove("NetworkPolicy", "default-deny")),
    ("default_deny", "dev-cpu", lambda c: c("NetworkPolicy", "default-deny")["spec"].update(policyTypes=["Ingress"])),
    ("default_deny", "dev-cpu", lambda c: c("NetworkPolicy", "emend-coordinator")["spec"]["ingress"][1].pop("from")),
    ("default_deny", "dev-cpu", lambda c: c("NetworkPolicy", "emend-worker")["spec"]["egress"][0].pop("ports")),
    ("network_edges", "dev-cpu", lambda c: c.remove("NetworkPolicy", "emend-worker")),
    ("network_edges", "dev-cpu", lambda c: c("NetworkPolicy", "emend-coordinator")["spec"]["ingress"][0]["ports"][0].update(port=7412)),
    ("network_edges", "multi-node", lambda c: c("NetworkPolicy", "emend-worker")["spec"]["egress"][1]["to"][0]["podSelector"]["matchLabels"].update({"app.kubernetes.io/name": "x"})),
    ("network_edges", "dev-cpu", lambda c: c.remove("NetworkPolicy", "emend-gateway")),
    ("doors", "dev-cpu", lambda c: c("NetworkPolicy", "emend-gateway")["spec"].update(egress=c("NetworkPolicy", "emend-worker")["spec"]["egress"][1:2])),
    ("doors", "dev-cpu", lambda c: c("NetworkPolicy", "emend-gateway")["spec"]["ingress"][1]["from"].append({"podSelector": {}})),
    ("doors", "multi-node", lambda c: c("NetworkPolicy", "emend-gateway")["spec"]["ingress"][0]["ports"].append({"protocol": "TCP", "port": 8321})),
    ("doors", "dev-cpu", lambda c: c("NetworkPolicy", "emend-coordinator")["spec"]["ingress"][0]["from"][0]["podSelector"]["matchLabels"].pop("app.kubernetes.io/component")),
    ("dials", "dev-cpu", lambda c: c("NetworkPolicy", "emend-worker")["spec"]["egress"].pop(1)),
    ("dials", "multi-node", lambda c: c("NetworkPolicy", "emend-worker")["spec"]["egress"].pop(2)),
    ("dials", "dev-cpu", lambda c: c("NetworkPolicy", "emend-gateway")["spec"]["ingress"].pop(0)),
    ("dials", "dev-cpu", lambda c: c("StatefulSet", "emend-gateway")["spec"].update(replicas=3)),
    ("dials", "multi-node", lambda c: variable(c.container("emend-worker"), "EMEND_GATEWAYS").update(value="emend-gateway:7412")),
    ("dials", "single-gpu", lambda c: c.container("emend-worker")["env"].remove(variable(c.container("emend-worker"), "EMEND_GATEWAYS"))),
    ("dials", "dev-cpu", lambda c: c.argument("--worker-listen", "127.0.0.1:7412", "emend-gateway")),
    ("references", "dev-cpu", lambda c: c.remove("PersistentVolumeClaim", "emend-statistics")),
    ("references", "dev-cpu", lambda c: c.remove("ConfigMap", "emend-proxy")),
    ("references", "multi-node", lambda c: volume(c.pod("emend-worker"), "tls")["secret"].update(secretName="emend-tls")),
    ("paths", "dev-cpu", lambda c: c.argument("--store", "/data/store")),
    ("paths", "dev-cpu", lambda c: c.argument("--worker-tls-ca", "/etc/emend/tls/authority.pem")),
    ("paths", "dev-cpu", lambda c: c.argument("--worker-token-file", "/etc/emend/token/token", "emend-gateway")),
    ("paths", "multi-node", lambda c: c.container("emend-worker")["readinessProbe"]["exec"]["command"].__setitem__(2, "/var/run/health")),
    ("one_coordinator", "dev-cpu", lambda c: c("StatefulSet", "emend-coordinator")["spec"].update(replicas=2)),
    ("one_coordinator", "single-gpu", lambda c: c("StatefulSet", "emend-coordinator")["spec"]["volumeClaimTemplates"][0]["spec"].update(accessModes=["ReadWriteMany"])),
    ("loopback", "dev-cpu", lambda c: c.argument("--listen", "0.0.0.0:8321")),
    ("loopback", "dev-cpu", lambda c: c.argument("--listen", "127.0.0.1:9000")),
    ("loopback", "dev-cpu", lambda c: swap_config(c, "listen 8443 ssl;", "listen 8443;")),
    ("loopback", "dev-cpu", lambda c: c.container("emend-coordinator")["args"].remove("--worker-tls-ca=/etc/emend/tls/ca.crt")),
    ("loopback", "dev-cpu", lambda c: c.argument("--listen", "127.0.0.1:8331", "emend-gateway")),
    ("loopback", "multi-node", lambda c: c.argument("--listen", "0.0.0.0:8321", "emend-gateway")),
    ("loopback", "dev-cpu", lambda c: c.container("emend-gateway")["args"].remove("--worker-tls-ca=/etc/emend/tls/ca.crt")),
    ("gateways_keep_nothing", "dev-cpu", lambda c: c.pod("emend-gateway")["volumes"].append({"name": "models", "persistentVolumeClaim": {"claimName": "emend-models"}})),
    ("gateways_keep_nothing", "dev-cpu", lambda c: volume(c.pod("emend-gateway"), "rest-tls")["secret"].update(secretName="emend-rest-tls")),
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
    ("spread", "dev-cpu", lambda c: c.pod("emend-gateway").pop("affinity")),
]
# Overlay, how it is broken: what the schemas must refuse.
MALFORMED = [
    ("dev-cpu", lambda c: c("StatefulSet", "emend-worker")["spec"].update(replicas="two")),
    ("dev-cpu", lambda c: c.container("emend-worker").update(livenesProbe={})),
    ("dev-cpu", lambda c: c("NetworkPolicy", "emend-worker")["spec"]["egress"][0]["ports"][0].update(endPort="many")),
    ("multi-node", lambda c: c("LeaderWorkerSet", "emend-worker")["spec"]["leaderWorkerTemplate"].update(restartPolicy="Never")),
    ("multi-node", lambda c: c("LeaderWorkerSet", "emend-worker")["spec"]["leaderWorkerTemplate"].update(sice=2)),
    ("multi-node", lambda c: c.container("emend-worker").update(livenesProbe={})),
    ("dev-cpu", lambda c: c.pod("emend-gateway")["affinity"]["podAntiAffinity"].update(preferred=[])),
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
        names = ("coordinator", "gateway", "proxy", "worker-cuda")
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

    def test_the_proxy_is_the_same_before_emendd_and_gateways(self):
        for overlay in OVERLAYS:
            one, other = (Change(overlay).pod(name) for name in ("emend-coordinator", "emend-gateway"))
            self.assertEqual(one["initContainers"], other["initContainers"])
            for name in ("proxy-config", "proxy-tmp"):
                self.assertEqual(volume(one, name), volume(other, name))

    def test_the_certificates_name_who_is_dialled(self):
        text = subprocess.run([ROOT / "k8s/make-secrets.sh"], capture_output=True, text=True, check=True).stdout
        secrets = {secret["metadata"]["name"]: secret["data"] for secret in yaml.safe_load_all(text)}
        self.assertEqual({name: set(data) for name, data in secrets.items()}, policy.PROVIDED_SECRETS)
        dialled = [address.split(":")[0] for address in variable(Change("dev-cpu").container("emend-worker"), "EMEND_GATEWAYS")["value"].split(",")]
        self.assertEqual(len(dialled), 2)
        names = {"emend-coordinator-tls": ["emend-coordinator"], "emend-gateway-tls": dialled, "emend-rest-tls": ["emend-rest.emend"], "emend-answers-tls": ["emend-answers.emend"]}
        for secret, expected in names.items():
            for name in {name for some in names.values() for name in some}:
                with self.subTest(secret=secret, name=name):
                    self.assertEqual(is_server(secrets[secret], name), name in expected)
        self.assertFalse(is_server(secrets["emend-worker-tls"], "emend-worker"), "a worker's certificate is no server's")

    def test_the_programs_know_their_options(self):
        programs = {"emend-coordinator": "emendd", "emend-gateway": "emend-gateway", "emend-worker": "emend-worker"}
        for overlay in OVERLAYS:
            for name, program in programs.items():
                known = subprocess.run([BINARIES / program, "--help"], capture_output=True, text=True, check=True).stdout
                for argument in Change(overlay).container(name)["args"]:
                    with self.subTest(overlay=overlay, argument=argument):
                        self.assertRegex(known, rf"(?m)^\s+{re.escape(argument.split('=')[0])}\b")


if __name__ == "__main__":
    unittest.main()
