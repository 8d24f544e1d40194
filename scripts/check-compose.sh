#!/usr/bin/env bash
# Runs the project's containers for real, drives them through the load balancer and takes them down again.
#
#   scripts/check-compose.sh [--keep]      --keep leaves them running
#
# Shows that clients with default options (polling, then an upgrade) spread over the nodes and stay with theirs, that a
# node that is killed and one that is stopped move their clients with nobody seeing it, and that the production settings
# refuse to run without a secret. Needs Docker Compose and port 8080. Takes about three minutes.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
. scripts/lib/common.sh

KEEP=
case ${1:-} in
  --keep) KEEP=1 ;;
  '') ;;
  *)
    sed -n '2,/^$/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
    exit 2
    ;;
esac

if docker compose version >/dev/null 2>&1; then
  COMPOSE='docker compose'
elif command -v docker-compose >/dev/null 2>&1; then
  COMPOSE=docker-compose
else
  die 'There is no Docker Compose here: https://docs.docker.com/compose/install/'
fi
export COMPOSE
# A project of its own: a cluster that already runs from this folder is not taken down with it.
export COMPOSE_PROJECT_NAME=rollcall-check
# Split into words on purpose.
# shellcheck disable=SC2086
compose() { $COMPOSE "$@"; }

require_node
install_dependencies
build_if_stale

say 'Production settings without a secret…'
# shellcheck disable=SC2086
if refusal=$(env -u ROLLCALL_SECRET ROLLCALL_API_KEY=k REDIS_PASSWORD=p \
  $COMPOSE -f docker-compose.yml -f docker-compose.prod.yml config 2>&1 >/dev/null); then
  die 'They were accepted.'
fi
case $refusal in *ROLLCALL_SECRET*) ;; *) die "They were refused for another reason: $refusal" ;; esac
# shellcheck disable=SC2086
ROLLCALL_SECRET=0123456789abcdef0123456789abcdef ROLLCALL_API_KEY=k REDIS_PASSWORD=p \
  $COMPOSE -f docker-compose.yml -f docker-compose.prod.yml config >/dev/null || die 'With one they were refused too.'

clean_up() {
  trap '' INT TERM HUP
  if [ -z "$KEEP" ]; then compose down --timeout 5 >/dev/null 2>&1; fi
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

say 'Building and starting…'
compose up --detach --build >/dev/null 2>&1 || {
  compose up --detach >&2
  compose logs --tail 20 >&2
  die 'The containers do not start; see above.'
}
node scripts/lib/check-compose.mjs http://127.0.0.1:8080 || {
  compose logs --tail 40 >&2
  die 'Something is not as it should be; see above.'
}
say 'All of it is as it should be.'
