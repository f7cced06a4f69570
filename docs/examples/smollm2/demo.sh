#!/usr/bin/env bash
# The main job on a real model: SmolLM2-135M-Instruct, out of its GGUF file, learns twenty facts that have changed since it was trained, and has them taken back.
# Started by ./dev demo real, which builds and fetches the model first: demo.sh MODEL.gguf. The store lies in build/demo-real and is made anew.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
model="$PWD/$1"
source docs/examples/story.sh
facts=docs/examples/smollm2/facts.jsonl
begin build/demo-real

ask_some() {
  ask "$1" "The prime minister of the United Kingdom is" 5
  ask "$1" "The chief executive of Nike is" 5
  ask "$1" "Tesla is based in" 5
  ask "$1" "The capital of Germany is" 5
}

chapter "A server with one worker, and a model as people have it"
run emend up --store "$EMEND_STORE"
run emend init smol --model "$model"
chapter "What its own texts are like: edits must leave that alone"
run emend stats smol
start="$(commit_of smol)"
chapter "What it knows"
ask_some smol

chapter "Twenty facts that have changed since"
run emend commit smol -F "$facts" -m "What has changed"
changed="$(commit_of smol)"
chapter "What it says now; what else moved, the commit has measured"
ask_some smol
run emend show smol | sed -n 1,20p

chapter "Taken back: the weights are the imported ones, byte for byte"
run emend revert smol "$changed"
ask smol "The prime minister of the United Kingdom is" 5
run emend reset smol@main "$start"
run emend export smol --format safetensors -o "$PWD/build/demo-real/export"
base="$(echo "$EMEND_STORE"/models/*/model.safetensors)"
run cmp "$base" build/demo-real/export/model.safetensors
echo "identical"
run emend verify smol
end
