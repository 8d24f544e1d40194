#!/usr/bin/env bash
# Installs what is missing, builds, and runs every check and the whole test suite.
#
#   scripts/test.sh [--yes] [arguments for jest]      e.g. scripts/test.sh test/unit
#
# The tests start redis-server processes of their own, on free ports; where none is installed, this installs one (asks
# on a terminal, unless --yes).

set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
. scripts/lib/common.sh
. scripts/lib/redis.sh

ASSUME_YES=
case ${1:-} in
  -y | --yes)
    ASSUME_YES=1
    shift
    ;;
  -h | --help)
    sed -n '2,/^$/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
    exit 0
    ;;
esac
trap unguard_services EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

require_node
install_dependencies
build_if_stale
# A container is no substitute here: the tests stop, freeze and kill the server's process.
if [ -z "${ROLLCALL_TEST_REDIS_SERVER:-}" ]; then
  if ! ROLLCALL_TEST_REDIS_SERVER=$(find_redis_server); then
    install_redis_server && ROLLCALL_TEST_REDIS_SERVER=$(find_redis_server)
  fi
  if [ -z "$ROLLCALL_TEST_REDIS_SERVER" ]; then
    explain_redis ''
    exit 1
  fi
fi
export ROLLCALL_TEST_REDIS_SERVER
say "Redis for the tests: $ROLLCALL_TEST_REDIS_SERVER"

failed=
check() { # NAME COMMAND…
  local name=$1
  shift
  say "${name}…"
  "$@" >&2 || failed="$failed $name"
}
check types npm run --silent typecheck
check lint npm run --silent lint
check lock node scripts/complete-lock.mjs --check
check bundle npm run --silent check:bundle
if [ -n "$failed" ]; then say "Failed:$failed. The tests follow."; fi

jest() {
  NODE_OPTIONS="${NODE_OPTIONS:+$NODE_OPTIONS }--experimental-vm-modules --disable-warning=ExperimentalWarning" \
    node node_modules/jest/bin/jest.js "$@"
}
jest "$@" || exit 1
[ -z "$failed" ] || die "The tests passed, but not:$failed (see above)."
