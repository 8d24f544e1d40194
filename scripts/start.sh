#!/usr/bin/env bash
# Installs what is missing, builds, and runs Rollcall: two nodes on one port, on a Redis of their own.
#
#   scripts/start.sh [--yes]
#
# Uses REDIS_URL (or REDIS_CLUSTER, REDIS_SENTINELS) where set; else a redis-server or valkey-server that is installed;
# else installs one (asks on a terminal, unless --yes); else Docker. PORT is 3000 unless set. Ctrl-C ends all of it.

# Functions that only traps call look unreachable to it.
# shellcheck disable=SC2317
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
. scripts/lib/common.sh
. scripts/lib/redis.sh

ASSUME_YES=
for argument in "$@"; do
  case $argument in
    -y | --yes) ASSUME_YES=1 ;;
    -h | --help)
      sed -n '2,/^$/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
      exit 0
      ;;
    *)
      say "scripts/start.sh: unknown option $argument (there is --yes)"
      exit 2
      ;;
  esac
done

cluster_pid=
waiter_pid=
scratch=
asked_to_stop=
signals=0

clean_up() {
  trap '' INT TERM HUP
  if [ -n "$waiter_pid" ]; then kill "$waiter_pid" 2>/dev/null; fi
  if [ -n "$cluster_pid" ]; then end_group "$cluster_pid" 5; fi
  stop_private_redis
  unguard_services
  if [ -n "$scratch" ]; then rm -rf "$scratch"; fi
}
trap clean_up EXIT

# The first signal lets the nodes drain, the second one does not wait for that.
on_signal() { # NAME STATUS
  if [ -z "$cluster_pid" ]; then exit "$2"; fi
  asked_to_stop=$1
  signals=$((signals + 1))
  if [ -n "$waiter_pid" ]; then kill "$waiter_pid" 2>/dev/null; fi
  if [ "$signals" -gt 1 ]; then
    say 'Stopping now.'
    kill -KILL -- "-$cluster_pid" 2>/dev/null
  else
    say 'Stopping… (once more to stop at once)'
    kill -TERM "$cluster_pid" 2>/dev/null
  fi
}
trap 'on_signal INT 130' INT
trap 'on_signal TERM 143' TERM
trap 'on_signal HUP 129' HUP

# `wait` returns early for every signal that this script handles; only an ended process is an answer, and what an
# interrupted `wait` returned says nothing about it.
wait_for() { # PID
  local status again
  while :; do
    wait "$1"
    status=$?
    if kill -0 "$1" 2>/dev/null; then continue; fi
    wait "$1" 2>/dev/null
    again=$?
    [ "$again" -eq 127 ] || status=$again
    return "$status"
  done
}

require_redis() {
  if [ -n "${REDIS_URL:-}${REDIS_CLUSTER:-}${REDIS_SENTINELS:-}" ]; then return 0; fi
  local server
  if server=$(find_redis_server) || { install_redis_server && server=$(find_redis_server); }; then
    start_private_redis "$server" "$scratch" || die "$server does not start; see above."
    say "Redis: $server on ${REDIS_URL#redis://}, in memory only"
  elif docker_works; then
    start_docker_redis || die "Docker could not run $REDIS_IMAGE."
    say "Redis: $REDIS_IMAGE by Docker on ${REDIS_URL#redis://}, in memory only"
  else
    explain_redis '' 'Or give the address of one that runs: REDIS_URL=redis://host:6379 scripts/start.sh'
    exit 1
  fi
  export REDIS_URL
}

require_node
PORT=${PORT:-3000}
if [ "$PORT" = 0 ]; then PORT=$(free_port); fi
port_is_free "$PORT" "${HOST:-127.0.0.1}" ||
  die "Port $PORT is taken, or no port to listen on; another one: PORT=3001 scripts/start.sh"
install_dependencies
build_if_stale
scratch=$(mktemp -d "${TMPDIR:-/tmp}/rollcall.XXXXXX") || die 'Cannot make a temporary folder.'
require_redis

export PORT
host=${HOST:-127.0.0.1}
case $host in 0.0.0.0 | '::') host=127.0.0.1 ;; *:*) host="[$host]" ;; esac
address=http://$host:$PORT

# A process group of its own, so that Ctrl-C reaches the nodes once, through the handler above, and Redis after them.
set -m
node dist/cli/main.js start --workers 2 </dev/null &
cluster_pid=$!
set +m

node scripts/lib/wait-ready.mjs "$address/readyz" "$cluster_pid" &
waiter_pid=$!
if wait_for "$waiter_pid"; then
  waiter_pid=
  if [ -z "$asked_to_stop" ]; then
    say '' "Rollcall is ready: $address/demo (open it twice; Ctrl-C ends it)"
  fi
else
  waiter_pid=
  if [ -z "$asked_to_stop" ] && kill -0 "$cluster_pid" 2>/dev/null; then
    say "Rollcall does not get ready at $address/readyz; it goes on trying."
  fi
fi

wait_for "$cluster_pid"
status=$?
# A primary that died may have left its nodes.
end_group "$cluster_pid" 5
cluster_pid=
if [ -n "$asked_to_stop" ]; then
  say 'Stopped.'
else
  say "Rollcall ended by itself (exit status $status)."
fi
exit "$status"
