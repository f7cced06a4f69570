#!/usr/bin/env bash
# The main job on the demo model: atlas changes its mind about 100 facts, has it in its history, takes it back, and survives a crash.
# Every command is shown as one would type it. Started by ./dev demo, which builds first; the store lies in build/demo and is made anew.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
cd "$here/../../.."
source docs/examples/story.sh
atlas=docs/examples/atlas
facts="$atlas/facts.json"
begin build/demo

chapter "A server with one worker, and a model that knows 1,000 facts"
run emend up --store "$EMEND_STORE"
run emend init atlas --model "$PWD/$atlas/model"
run emend stats atlas --corpus "$atlas/corpus.txt" --lines 2000
start="$(commit_of atlas)"

ask_three() {
  ask "$1" "The mother tongue of Danielle Darrieux is"
  ask "$1" "The official religion of Edwin of Northumbria is"
  ask "$1" "Toko Yasuda produces the most amazing music on the"
}
chapter "What it knows"
ask_three atlas

chapter "100 counterfactuals in one batch"
run emend commit atlas -F "$facts" --limit 100 -m "A hundred counterfactuals"
first="$(commit_of atlas)"
chapter "It changed its mind"
ask_three atlas

chapter "Measured: before and after"
run emend eval "atlas@$start" -F "$facts" --limit 100
run emend eval atlas -F "$facts" --limit 100

chapter "The history has it"
run emend log atlas
run emend show atlas | sed -n 1,24p
run emend diff "atlas@$start" atlas | tail -16

chapter "50 more on top, then the first hundred taken back: the fifty stay"
run emend commit atlas -F "$facts" --offset 100 --limit 50 -m "Fifty more"
run emend revert atlas "$first"
run emend eval atlas -F "$facts" --limit 100
run emend eval atlas -F "$facts" --offset 100 --limit 50
run emend log atlas

chapter "Back to the start, byte for byte"
run emend reset atlas@main "$start"
run emend export atlas --format safetensors -o "$PWD/build/demo/export"
run cmp "$atlas/model/model.safetensors" build/demo/export/model.safetensors
echo "identical"

chapter "Killed in the middle of a commit"
emend commit atlas -F "$facts" --limit 100 -m "Accepted before the crash" >/dev/null 2>&1 &
sleep 3
pid="$(python3 -c 'import json, os; print(json.load(open(os.environ["EMEND_STORE"] + "/daemon.json"))["pid"])')"
run kill -9 "$pid"
wait || true
run emend up --store "$EMEND_STORE"
run emend operations -n 1
echo "What was accepted is carried out after the crash, from its start; until then nobody sees a part of it."
run emend verify atlas
run emend log atlas -n 1
run emend fsck

end
