#!/usr/bin/env bash
# Submits a search to a running Ray cluster, follows its log, and ends with its exit code. A run in RUN_DIR is
# resumed, with the config that it began with.
#
#     export RAY_ADDRESS=http://HEAD:8265       # the cluster's dashboard
#     launch/submit.sh CONFIG RUN_DIR [options of swarm search]
#
# The search runs on the head node. The head must see CONFIG and RUN_DIR; every node must see base, experts and data.
# Relative paths are resolved on this machine, for storage that it shares with the cluster.
#
#   JOB      the job's id (swarm-TIME-NUMBER); an id that exists already is refused
#   SWARM    the command that starts swarm on the head (swarm), if it is not on the PATH that Ray was started with
#   ASK ...  the variables of entry.sh, for clusters with autoscaling
#
# Exit codes: those of swarm (0 done, 2 user error, 130 interrupted: submit it again); 130 also after `ray job stop`;
# 1 if there is no such cluster. Ctrl-C here leaves the job running.
#
# For a cluster that requires a token (from Ray 2.61 on all do by default) set RAY_AUTH_MODE=token, with the token in
# RAY_AUTH_TOKEN or ~/.ray/auth_token. If unset, RAY_AUTH_MODE becomes `token` if there is a token, else `disabled`.
set -euo pipefail

if [ $# -lt 2 ]; then
    echo "submit.sh: CONFIG or RUN_DIR is missing; usage: submit.sh CONFIG RUN_DIR [options of swarm search]" >&2
    exit 2
fi
absolute() { case $1 in /*) echo "$1" ;; *) echo "$PWD/$1" ;; esac }
config=$(absolute "$1") run_dir=$(absolute "$2")
shift 2
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
job=${JOB:-swarm-$(date +%Y%m%d-%H%M%S)-$$}

if [ -n "${RAY_AUTH_TOKEN:-}${RAY_AUTH_TOKEN_PATH:-}" ] || [ -e ~/.ray/auth_token ]; then
    export RAY_AUTH_MODE=${RAY_AUTH_MODE:-token}
fi
export RAY_AUTH_MODE=${RAY_AUTH_MODE:-disabled}

# The job's environment. `ray job stop` acts like Ctrl-C with a minute's time: the search ends its workers and prints
# how to resume.
runtime=$(
    ENTRY=$(cat "$here/entry.sh") RAY_JOB_STOP_SIGNAL=SIGINT RAY_JOB_STOP_WAIT_TIME_S=60 python3 - <<'EOF'
import json, os

stop = ("RAY_JOB_STOP_SIGNAL", "RAY_JOB_STOP_WAIT_TIME_S")
names = ("ENTRY", *stop, "SWARM", "ASK", "BUNDLE", "NODES", "WAIT_SECONDS")
print(json.dumps({"env_vars": {name: os.environ[name] for name in names if os.environ.get(name)}}))
EOF
)
mark=$(date +%s)-$$-$RANDOM
trap 'echo "job $job goes on; to follow: ray job logs --follow $job; to stop: ray job stop $job" >&2; exit 130' INT TERM
submitted=0
# shellcheck disable=SC2016 # expanded on the head
ray job submit --submission-id "$job" --metadata-json "{\"mark\": \"$mark\"}" --runtime-env-json "$runtime" -- \
    bash -c 'exec bash -c "$ENTRY" "$@"' bash entry.sh "$config" "$run_dir" "$@" || submitted=$?

# `ray job submit` ends with 0 or 1 whatever the job's code was. The mark tells this job from an older one of that id.
python3 - "$job" "$submitted" "$mark" <<'EOF'
import sys, time

from ray.job_submission import JobStatus, JobSubmissionClient

job, submitted, mark = sys.argv[1], int(sys.argv[2]), sys.argv[3]
try:
    client = JobSubmissionClient()
    while not (info := client.get_job_info(job)).status.is_terminal():
        time.sleep(2)
except (ConnectionError, RuntimeError):
    sys.exit(submitted or 1)
if (info.metadata or {}).get("mark") != mark:
    sys.exit(submitted or 1)
if info.status == JobStatus.STOPPED:
    sys.exit(130)
code = info.driver_exit_code
sys.exit(int(info.status != JobStatus.SUCCEEDED) if code is None else code if code >= 0 else 128 - code)
EOF
