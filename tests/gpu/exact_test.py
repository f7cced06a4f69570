#!/usr/bin/env python3
"""What was solved on a GPU is served and verified byte for byte the same on a CPU, and the other way round. Skipped (77) where there is no GPU.

    EMEND_BIN=build/bin python3 tests/gpu/exact_test.py [ranks]
"""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from emend import ATLAS, FACTS, TEMPLATES, Emend  # noqa: E402
from ranks import SKIPPED, gpu_count  # noqa: E402

COUNT = 50


def start(emend, device, ranks):
    emend.environment["EMEND_DEVICE"] = device
    # The ranks of one worker have one environment, and NCCL refuses two on one GPU that do not seem to be on different machines.
    emend.environment["EMEND_COLLECTIVE"] = "auto" if device == "cpu" or ranks <= gpu_count() else "tcp"
    emend.up("--ranks", ranks)


def check(expected, found, what):
    if expected != found:
        raise SystemExit(f"{what}: found {found}, expected {expected}")


def main():
    ranks = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    if gpu_count() == 0:
        print("skipped: there is no NVIDIA GPU here (nvidia-smi -L lists none)")
        return SKIPPED
    emend = Emend()
    try:
        start(emend, "cuda", ranks)
        emend("init", "atlas", "--model", ATLAS / "model")
        emend("stats", "atlas", "--corpus", ATLAS / "corpus.txt", "--lines", "2000")
        devices = {worker.get("device", "") for worker in emend("status")["workers"]}
        print("devices:", devices)
        verified, scores = {}, {}
        for number, device in enumerate(("cuda", "cpu")):
            emend.down()
            start(emend, device, ranks)
            emend("commit", "atlas", "-F", FACTS, "--offset", number * COUNT, "--limit", COUNT, "-m", f"on {device}", "--set", TEMPLATES)
        for device in ("cuda", "cpu"):
            emend.down()
            start(emend, device, ranks)
            verified[device] = emend("verify", "atlas")
            scores[device] = emend("eval", "atlas", "-F", FACTS, "--limit", COUNT)
        check(True, verified["cpu"]["ok"], "verify on the CPU")
        check(verified["cpu"], verified["cuda"], "verify on the GPU")
        for metric in ("es", "ps", "ns"):
            if abs(scores["cuda"][metric] - scores["cpu"][metric]) > 1.0:
                raise SystemExit(f"{metric}: {scores['cuda'][metric]} on the GPU, {scores['cpu'][metric]} on the CPU")
        print("the same bytes on both; scores", {device: {metric: score[metric] for metric in ("es", "ps", "ns")} for device, score in scores.items()})
        return 0
    finally:
        emend.close()


if __name__ == "__main__":
    sys.exit(main())
