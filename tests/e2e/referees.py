"""Programs of others, as judges: transformers opens what was exported, lm-evaluation-harness measures a server. `./dev test --full` fetches them into build/deps/referees."""
import json
import os
import pathlib
import subprocess
import sys

sys.path.insert(0, os.path.dirname(__file__))
from emend import ROOT  # noqa: E402
from real_model import need  # noqa: E402

DEPS = ROOT / "build/deps"
HERE = pathlib.Path(__file__).parent


def run(arguments, paths, given="", **environment):
    """Standard output of a Python program that finds its packages in these folders of build/deps, and nothing over a network."""
    environment = {
        **os.environ,
        "PYTHONPATH": ":".join(str(need(DEPS / path)) for path in paths),
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        **environment,
    }
    done = subprocess.run([sys.executable, *map(str, arguments)], input=given, env=environment, capture_output=True, text=True, timeout=1800)
    if done.returncode != 0:
        raise AssertionError(f"{arguments}: exit {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
    return done.stdout


def opened_by_transformers(folder, prompts):
    """Of each prompt {"text", "top"}: how it goes on by the likeliest tokens, and natural log probabilities of the first token's candidates by their texts."""
    paths = ("referees", "python")
    stand_ins = need(DEPS / "stand-ins")
    return json.loads(run([HERE / "opened_by_transformers.py", folder], paths, json.dumps(prompts), LD_LIBRARY_PATH=str(stand_ins)))


def measured_by_harness(emend, revision, task, rows, tokenizer, chat=False):
    """lm-evaluation-harness on one task of rows of our own, run on a revision over HTTP: (metrics by name, what it heard of each row, in their order)."""
    folder = emend.folder / "harness" / f"{task['task']}-{revision}".replace("@", "-")
    folder.mkdir(parents=True)
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    task = {**task, "dataset_path": "json", "dataset_kwargs": {"data_files": {"test": str(folder / "rows.jsonl")}}, "test_split": "test"}
    (folder / "task.yaml").write_text(json.dumps(task))
    url = json.loads((emend.store / "daemon.json").read_text())["url"]
    kind, path = ("local-chat-completions", "/v1/chat/completions") if chat else ("local-completions", "/v1/completions")
    model = f"model={revision},base_url={url}{path},tokenizer={tokenizer},tokenizer_backend={None if chat else 'huggingface'},max_retries=1"
    arguments = ["-m", "lm_eval", "run", "--model", kind, "--model_args", model, "--tasks", task["task"], "--include_path", folder]
    arguments += ["--batch_size", 1 if chat else 8, "--output_path", folder / "out", "--log_samples", *(["--apply_chat_template"] if chat else [])]
    run(arguments, ["referees"], OPENAI_API_KEY=(emend.store / "token").read_text().strip(), HF_HOME=str(emend.folder / "hf"))
    (results,) = (folder / "out").rglob("results_*.json")
    (samples,) = (folder / "out").rglob("samples_*.jsonl")
    heard = sorted((json.loads(line) for line in samples.read_text().splitlines()), key=lambda sample: sample["doc_id"])
    return json.loads(results.read_text())["results"][task["task"]], heard
