#!/usr/bin/env python3
"""Programs of this build beside those of another one, such as the release before: the new emendd with the old worker, and the old emendd and command line with the new
worker. Each pair runs the tests of what both know.

    git worktree add ../before TAG && (cd ../before && ./dev build)
    python3 tests/e2e/neighbours.py ../before/build/bin"""
import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
GROUPS = ("a_rank_killed_or_stopped_during_a_commit_costs_nothing", "one_store_on_any_number_of_ranks", "questions_are_answered_on_the_old_commit_while_a_batch_is_solved")
TESTS = ({"file": "story_test.py", "names": []}, {"file": "groups_test.py", "names": [f"Groups.test_{name}" for name in GROUPS]})


def passes(emendd_from, worker_from):
    with tempfile.TemporaryDirectory(prefix="emend-neighbours-") as folder:
        for name in ("emend", "emendd"):
            shutil.copy2(emendd_from / name, folder)
        shutil.copy2(worker_from / "emend-worker", folder)
        environment = {**os.environ, "EMEND_BIN": folder}
        return all(subprocess.run([sys.executable, HERE / test["file"], *test["names"]], env=environment, check=False).returncode == 0 for test in TESTS)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("other", type=pathlib.Path, help="folder with the other build's emend, emendd and emend-worker")
    parser.add_argument("--own", type=pathlib.Path, default=HERE.parents[1] / "build/bin")
    options = parser.parse_args()
    failed = [what for what, emendd_from, worker_from in (("new emendd, old worker", options.own, options.other), ("old emendd, new worker", options.other, options.own)) if not passes(emendd_from, worker_from)]
    sys.exit(f"failed: {', '.join(failed)}" if failed else 0)


if __name__ == "__main__":
    main()
