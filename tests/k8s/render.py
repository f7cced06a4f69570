"""Rendering and schemas for the Kubernetes tests. What they need lies in build/deps/checks, where ./dev puts it."""
import copy
import json
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
CHECKS = ROOT / "build/deps/checks"
sys.path.insert(0, str(CHECKS))

import jsonschema  # noqa: E402
import kubernetes_validate  # noqa: E402
import yaml  # noqa: E402

OVERLAYS = ("dev-cpu", "single-gpu", "multi-node")
# The oldest version that has all that is used (preStop's sleep), and the newest that the schemas know.
VERSIONS = ("1.30", "1.37")
LEADER_WORKER_SET = json.loads((pathlib.Path(__file__).parent / "leader_worker_set.schema.json").read_text())


def render(folder):
    done = subprocess.run([CHECKS / "bin/kubectl", "kustomize", ROOT / "k8s" / folder], capture_output=True, text=True, check=False)
    if done.returncode != 0 or done.stderr:
        raise AssertionError(f"kubectl kustomize {folder}: {done.stderr}")
    return [document for document in yaml.safe_load_all(done.stdout) if document]


def schema_faults(document, version):
    """What the schema of this version of Kubernetes has against it; unknown fields are faults. A LeaderWorkerSet's pods are checked as a Deployment's."""
    checked = document
    if document["kind"] == "LeaderWorkerSet":
        own = [f"{error.json_path}: {error.message}" for error in jsonschema.Draft202012Validator(LEADER_WORKER_SET).iter_errors(document)]
        template = copy.deepcopy(document["spec"]["leaderWorkerTemplate"].get("workerTemplate"))
        if own or template is None:
            return own
        checked = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": document["metadata"], "spec": {"selector": {}, "template": template}}
    try:
        kubernetes_validate.validate(checked, version, strict=True)
    except kubernetes_validate.ValidationError as error:
        return [str(error)]
    return []
