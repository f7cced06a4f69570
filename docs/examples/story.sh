# What the demos share; sourced. Every command is shown as one would type it.
export PATH="$PWD/build/bin:$PATH"
began="$(date +%s)"
if [[ -t 1 && -z "${NO_COLOR:-}" ]]; then bold=$'\e[1m' blue=$'\e[1;34m' plain=$'\e[0m'; else bold='' blue='' plain=''; fi
chapter() { printf '\n%s# %s%s\n' "$blue" "$*" "$plain"; }
run() { printf '%s$ %s%s\n' "$bold" "$(printf '%q ' "$@" | sed -e "s/\\\\ / /g; s/\\\\'/'/g; s/ $//")" "$plain"; "$@"; }
ask() { printf '%s$ emend ask %s "%s"%s\n' "$bold" "$1" "$2" "$plain"; emend ask "$1" "$2" --max-tokens "${3:-4}"; }
commit_of() { emend log "$1" --json | python3 -c 'import json, sys; d = json.load(sys.stdin); print(d["items"][0]["commit"][:12])'; }
stop() { emend down --store "$EMEND_STORE" >/dev/null 2>&1 || true; }
end() {
  printf '\n%sThe demo took %s seconds.%s The store is in %s; try:  EMEND_STORE=%s emend help\n' "$bold" "$(($(date +%s) - began))" "$plain" "${EMEND_STORE#"$PWD/"}" "${EMEND_STORE#"$PWD/"}"
}

# A store of its own, made anew, whose server stops with the demo.
begin() {
  export EMEND_STORE="$PWD/$1/store"
  trap stop EXIT
  stop
  rm -rf "$1"
  mkdir -p "$1"
}
