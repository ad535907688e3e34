#!/usr/bin/env bash
# Every launcher of this folder runs this script on Ray's head node: it searches, or resumes the run in RUN_DIR.
#
#     entry.sh CONFIG RUN_DIR [options of swarm search]
#
#   SWARM         the command that starts swarm (swarm)
#   ASK           nodes to request from the autoscaler while the search runs (0: none)
#   BUNDLE        the resources that such a node must have, as JSON ({"CPU": 1})
#   NODES         the search begins when this number of nodes with cores has joined (1)
#   WAIT_SECONDS  how long that may take (900)
#   ONCE          NAME-SUFFIX, if the platform retries NAME after a failure: after a user error no retry searches again
#
# The exit code is that of swarm: 0 done; 2 user error, do not retry; 130 interrupted, resume it. Send signals to the
# whole process group.
set -euo pipefail

if [ $# -lt 2 ]; then
    echo "entry.sh: CONFIG or RUN_DIR is missing; usage: entry.sh CONFIG RUN_DIR [options of swarm search]" >&2
    exit 2
fi
config=$1 run_dir=$2
shift 2
mistake=$run_dir.mistake
if [ -n "${ONCE:-}" ] && [ "$(cat "$mistake" 2>/dev/null)" = "${ONCE%-*}" ]; then
    echo "entry.sh: ${ONCE%-*} ended with a user error before; see its first log, correct it and submit again" >&2
    exit 2
fi

# Requests nodes from the autoscaler and waits until NODES have joined. RAY_ADDRESS names the cluster.
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
            address = os.environ.get("RAY_ADDRESS", "auto")
            sys.exit(f"entry.sh: no Ray at {address} within {seconds:g} s; check RAY_ADDRESS or raise WAIT_SECONDS")
        time.sleep(1)
if os.environ["ASK"]:
    request_resources(bundles=[json.loads(os.environ["BUNDLE"])] * int(os.environ["ASK"]))
while (there := sum(node["Alive"] and node["Resources"].get("CPU", 0) > 0 for node in ray.nodes())) < nodes:
    if time.monotonic() > deadline:
        sys.exit(f"entry.sh: {there} of {nodes} nodes joined within {seconds:g} s; raise WAIT_SECONDS or lower NODES")
    time.sleep(1)
EOF
}

# shellcheck disable=SC2329 # called by the trap
finish() {
    if [ "${ASK:-0}" != 0 ]; then WAIT_SECONDS=0 gather 0 0 || true; fi
}

trap : INT TERM # swarm gets the signal too, and ends first
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
