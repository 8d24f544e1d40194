# shellcheck shell=bash
# Shared by start.sh and test.sh. Bash 3.2 (macOS) is enough, and nothing but POSIX tools, Node, npm and git.

# Each argument is a line.
say() { printf '%s\n' "$@" >&2; }
die() {
  say "$@"
  exit 1
}

# Asks on a terminal; without one, or with --yes, the answer is yes.
confirm() { # QUESTION
  [ "${ASSUME_YES:-}" = 1 ] && return 0
  [ -t 0 ] || return 0
  local answer
  printf '%s [Y/n] ' "$1" >&2
  read -r answer || return 1
  case $answer in '' | y | Y | yes | Yes | YES) return 0 ;; *) return 1 ;; esac
}

require_node() {
  command -v node >/dev/null 2>&1 ||
    die "Rollcall needs Node.js 20.19 or newer, and there is no 'node' on the PATH: https://nodejs.org/en/download"
  node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' ||
    die "Rollcall needs Node.js 20.19 or newer; 'node' on the PATH is $(node --version): https://nodejs.org/en/download"
  command -v npm >/dev/null 2>&1 || die "There is no 'npm' on the PATH. It comes with Node.js: https://nodejs.org/en/download"
}

# npm writes node_modules/.package-lock.json at the end of every install: one older than package-lock.json was made
# from another lock, and a missing one means that an install did not end.
install_dependencies() {
  if [ -f node_modules/.package-lock.json ] && ! [ package-lock.json -nt node_modules/.package-lock.json ]; then
    return 0
  fi
  say 'Installing dependencies (npm ci)…'
  # The build needs the development dependencies, whatever NODE_ENV says here.
  npm ci --include=dev --no-fund --no-audit --no-update-notifier --loglevel=error >&2 || die 'npm ci failed; see above.'
  # npm gives both files almost the same age; this one decides.
  touch node_modules/.package-lock.json
}

# A file that was deleted shows in the age of its folder.
build_if_stale() {
  if [ -f dist/.built ] &&
    [ -z "$(find src scripts/build.mjs scripts/lib/bundle.mjs tsconfig.json tsconfig.build.json node_modules/.package-lock.json \
      -newer dist/.built -print 2>/dev/null | head -n 1)" ]; then
    return 0
  fi
  say 'Building…'
  npm run --silent build >&2 || die 'The build failed; see above.'
}

# Prints a TCP port that is free on 127.0.0.1 right now.
free_port() {
  node -e 'const s = require("node:net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close(); })'
}

port_is_free() { # PORT HOST
  node -e 'const [port, host] = process.argv.slice(1); const s = require("node:net").createServer(); s.on("error", () => process.exit(1)); s.listen(Number(port), host, () => s.close());' "$1" "$2" 2>/dev/null
}

# Ends what this script started in a process group of its own: asks, waits, then insists.
end_group() { # PID SECONDS
  local left=$(($2 * 10))
  kill -TERM -- "-$1" 2>/dev/null || return 0
  while kill -0 -- "-$1" 2>/dev/null && [ "$left" -gt 0 ]; do
    sleep 0.1
    left=$((left - 1))
  done
  kill -KILL -- "-$1" 2>/dev/null
  wait "$1" 2>/dev/null
  return 0
}
