"""The description of the API against a real emendd, by schemathesis: no 5xx that is not described, no response off its schema, no request refused that the description
allows, none taken that it forbids. build/deps/fuzz holds the tool, where `./dev test --full` puts it; fuzz_hooks.py what it is told beside the description."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[3]
ATLAS = ROOT / "docs/examples/atlas/model"
BINARIES = pathlib.Path(os.environ.get("EMEND_BIN", ROOT / "build/bin"))
TOOL = ROOT / "build/deps/fuzz"
SEED = 7
CASES = 30  # drawn for each operation; those at the bounds come beside them
CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,response_schema_conformance,"
    "negative_data_rejection,positive_data_acceptance"
)
# Refused for what it is, or for what is there: 403 is for folders below no model root, 413 for what is also too large, 409 and 412 for refs that are elsewhere, 503 for
# want of a worker.
CONFIG = f"""
seed = {SEED}
[generation]
allow-x00 = true
[phases.fuzzing.error-feedback]
enabled = false
[checks.negative_data_rejection]
expected-statuses = [400, 401, 404, 413, 415, 422, 428]
[checks.positive_data_acceptance]
expected-statuses = ["2xx", 403, 404, 409, 412, 429, 503]
"""


def wait_for(path, process, seconds=30):
    deadline = time.monotonic() + seconds
    while not path.exists():
        assert process.poll() is None, f"emendd ended with {process.returncode}"
        assert time.monotonic() < deadline, f"emendd has no {path.name} after {seconds} s"
        time.sleep(0.05)


def main():
    with tempfile.TemporaryDirectory(prefix="emend-fuzz-") as folder:
        store = pathlib.Path(folder) / "store"
        command = [BINARIES / "emendd", "--store", store, "--workers", "0", "--model-root", ATLAS, "--model-root", folder]
        server = subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL)
        try:
            wait_for(store / "daemon.json", server)
            sys.exit(fuzz(pathlib.Path(folder), store, json.loads((store / "daemon.json").read_text())["url"]))
        finally:
            server.terminate()
            server.wait(60)


def fuzz(folder, store, url):
    token = (store / "token").read_text().strip()
    headers = {"Authorization": "Bearer " + token, "Content-Type": "application/json"}
    body = json.dumps({"name": "atlas", "model": str(ATLAS)}).encode()
    imported = json.load(urllib.request.urlopen(urllib.request.Request(url + "/api/v1/repos?wait=60s", body, headers), timeout=120))
    assert imported["state"] == "succeeded", imported
    (folder / "schemathesis.toml").write_text(CONFIG)
    environment = {
        **os.environ,
        "PYTHONPATH": f"{TOOL}:{pathlib.Path(__file__).parent}",
        "PYTHONDONTWRITEBYTECODE": "1",
        "SCHEMATHESIS_HOOKS": "fuzz_hooks",
        "EMEND_FUZZ_URL": url,
        "EMEND_FUZZ_TOKEN": token,
        "EMEND_FUZZ_HEAD": imported["result"]["commit"],
        "EMEND_FUZZ_IMPORT": imported["id"],
    }
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(folder / "schemathesis.toml"), "run", url + "/openapi.json"]
    command += ["-H", "Authorization: Bearer " + token, "--phases", "coverage,fuzzing", "-n", str(CASES), "-c", CHECKS]
    command += ["--continue-on-failure", "--no-shrink", "--no-color", "--request-timeout", "20", "--suppress-health-check", "all", "--warnings", "off"]
    return subprocess.run(command, cwd=folder, env=environment).returncode


if __name__ == "__main__":
    main()
