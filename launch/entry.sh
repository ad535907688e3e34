#!/usr/bin/env bash
# What every launcher of this folder runs beside Ray's head: searches, or resumes where RUN_DIR holds a run already.
#
#     entry.sh CONFIG RUN_DIR [options of swarm search]
#
#   SWARM         how swarm is called (swarm)
#   ASK           nodes that the autoscaler is asked for as long as the search goes on (0: it is not asked)
#   BUNDLE        what such a node must hold, as JSON ({"CPU": 1})
#   NODES         the search begins when so many nodes with cores are there (1)
#   WAIT_SECONDS  how long that may take (900)
#   ONCE          NAME-ENDING, where something tries NAME again after a failure: a mistake is not tried again
#
# The exit code is swarm's: 0 done; 2 a mistake of yours, never to be tried again; 130 interrupted, to be resumed.
# Signals are meant for the whole process group.
set -euo pipefail

if [ $# -lt 2 ]; then
    echo "entry.sh: it takes CONFIG RUN_DIR, then options of swarm search" >&2
    exit 2
fi
config=$1 run_dir=$2
shift 2
mistake=$run_dir.mistake
if [ -n "${ONCE:-}" ] && [ "$(cat "$mistake" 2>/dev/null)" = "${ONCE%-*}" ]; then
    echo "entry.sh: ${ONCE%-*} has ended in a mistake before (see its first try); mend it and submit it again" >&2
    exit 2
fi

# Asks the autoscaler for nodes, and waits until some have joined. RAY_ADDRESS says which cluster.
gather() {
    ASK=$1 NODES=$2 BUNDLE=${BUNDLE:-'{"CPU": 1}'} WAIT_SECONDS=${WAIT_SECONDS:-900} python3 - <<'EOF'
import json, os, sys, time

import ray
from ray.autoscaler.sdk import request_resources

nodes, seconds = int(os.environ["NODES"]), float(os.environ["WAIT_SECONDS"])
deadline = time.monotonic() + seconds
while not ray.is_initialized():
    try:
        ray.init(address="auto", log_to_driver=False, logging_level="ERROR")
    except ConnectionError:
        if time.monotonic() > deadline:
            sys.exit(f"entry.sh: no Ray at {os.environ.get('RAY_ADDRESS', 'auto')} within {seconds:g} s")
        time.sleep(1)
if os.environ["ASK"]:
    request_resources(bundles=[json.loads(os.environ["BUNDLE"])] * int(os.environ["ASK"]))
while (there := sum(node["Alive"] and node["Resources"].get("CPU", 0) > 0 for node in ray.nodes())) < nodes:
    if time.monotonic() > deadline:
        sys.exit(f"entry.sh: {there} of {nodes} nodes joined within {seconds:g} s; raise WAIT_SECONDS or lower NODES")
    time.sleep(1)
EOF
}

# shellcheck disable=SC2329 # the trap calls it
finish() {
    if [ "${ASK:-0}" != 0 ]; then WAIT_SECONDS=0 gather 0 0 || true; fi
}

trap : INT TERM # swarm is told too, and ends first
trap finish EXIT
if [ "${ASK:-0}" != 0 ] || [ "${NODES:-1}" != 1 ]; then
    gather "${ASK:-}" "${NODES:-1}"
fi
if [ -e "$run_dir/config.yaml" ]; then
    words=(resume "$run_dir")
else
    words=(search "$config" --run-dir "$run_dir" "$@")
fi
code=0
# shellcheck disable=SC2086 # SWARM may be several words
${SWARM:-swarm} "${words[@]}" || code=$?
if [ $code = 2 ] && [ -n "${ONCE:-}" ]; then
    mkdir -p "$(dirname "$mistake")" && echo "${ONCE%-*}" >"$mistake" || true
fi
exit $code
