# shellcheck shell=bash disable=SC2034
# Finds, installs and privately runs a Redis server. Needs common.sh.

REDIS_MIN_MAJOR=7
REDIS_IMAGE=redis:7

# Prints the path of a redis-server or valkey-server that is new enough.
find_redis_server() {
  local dirs dir name file
  dirs="$PATH:/usr/sbin:/usr/local/sbin:/usr/local/bin:/opt/homebrew/bin:/opt/homebrew/opt/redis/bin:/opt/homebrew/opt/valkey/bin"
  dirs="$dirs:/usr/local/opt/redis/bin:/usr/local/opt/valkey/bin:/home/linuxbrew/.linuxbrew/bin"
  local IFS=:
  for name in redis-server valkey-server; do
    for dir in $dirs; do
      file=${dir:-.}/$name
      if [ -f "$file" ] && [ -x "$file" ] && new_enough "$file"; then
        printf '%s\n' "$file"
        return 0
      fi
    done
  done
  return 1
}

# "Redis server v=7.0.15 sha=…", "Valkey server v=8.0.1 sha=…"
new_enough() { # PATH
  local major
  major=$("$1" --version 2>/dev/null | sed -n 's/.*[ ]v=\([0-9][0-9]*\)\..*/\1/p')
  [ -n "$major" ] && [ "$major" -ge "$REDIS_MIN_MAJOR" ]
}

# Installs a server by the system's package manager and leaves no service running that was not there before.
install_redis_server() {
  local manager
  for manager in apt-get dnf apk pacman brew; do
    command -v "$manager" >/dev/null 2>&1 || continue
    if [ "$manager" = brew ]; then
      # Homebrew refuses to run as root; like the others below it starts no service by itself.
      [ "$(id -u)" -ne 0 ] || return 1
    else
      find_root || return 1
    fi
    confirm "No Redis $REDIS_MIN_MAJOR or newer found. Install it with $manager${AS_ROOT:+ (by $AS_ROOT)}?" || return 1
    say "Installing Redis with ${manager}…"
    case $manager in
      apt-get) install_with_apt ;;
      dnf) as_root dnf install -y valkey >&2 || as_root dnf install -y redis >&2 ;;
      apk) as_root apk add --no-cache redis >&2 || as_root apk add --no-cache valkey >&2 ;;
      pacman) as_root pacman -Sy --noconfirm --needed valkey >&2 ;;
      brew) brew install redis >&2 ;;
    esac
    return
  done
  return 1
}

# Sets AS_ROOT to what makes a command run as root; fails where nothing does.
find_root() {
  AS_ROOT=
  [ "$(id -u)" -eq 0 ] && return 0
  command -v sudo >/dev/null 2>&1 || return 1
  AS_ROOT=sudo
  # Without a terminal nobody can type a password.
  [ -t 0 ] || { sudo -n true 2>/dev/null && AS_ROOT='sudo -n'; }
}

# AS_ROOT is split into words on purpose: it is empty, "sudo" or "sudo -n".
# shellcheck disable=SC2086
as_root() { ${AS_ROOT:-} "$@"; }

# Debian's packages start a service and enable it for the next boot. A guard (the distribution's own mechanism, see
# invoke-rc.d(8)) keeps it from starting, and what the installation enabled is disabled again. Whoever had the package
# before keeps the service as it was.
install_with_apt() {
  local name='' candidate status=0
  as_root apt-get -qq -o DPkg::Lock::Timeout=120 update >&2 || return 1
  for candidate in redis-server valkey-server; do
    if apt_offers_new_enough "$candidate"; then
      name=$candidate
      break
    fi
  done
  if [ -z "$name" ]; then
    say "This system's packages have no Redis $REDIS_MIN_MAJOR; Redis' own do:" \
      'https://redis.io/docs/latest/operate/oss_and_stack/install/install-stack/apt/'
    return 1
  fi
  if dpkg -s "$name" >/dev/null 2>&1; then
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=120 install -y "$name" >/dev/null
    return
  fi
  guard_services
  as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get -qq -o DPkg::Lock::Timeout=120 install -y --no-install-recommends "$name" >/dev/null || status=1
  unguard_services
  if command -v systemctl >/dev/null 2>&1; then
    as_root systemctl disable --now "$name" >/dev/null 2>&1
  elif command -v update-rc.d >/dev/null 2>&1; then
    as_root update-rc.d "$name" disable >/dev/null 2>&1
  fi
  return "$status"
}

SERVICE_GUARD=/usr/sbin/policy-rc.d
GUARDED=

guard_services() {
  if [ -e "$SERVICE_GUARD" ]; then return 0; fi
  GUARDED=1
  printf '#!/bin/sh\nexit 101\n' | as_root tee "$SERVICE_GUARD" >/dev/null && as_root chmod 755 "$SERVICE_GUARD"
}

# Also called when a script ends early, by Ctrl-C in the middle of an installation for one.
unguard_services() {
  if [ -n "$GUARDED" ]; then as_root rm -f "$SERVICE_GUARD"; fi
  GUARDED=
}

# Versions read "5:7.0.15-1~deb12u5" or "8.0.1+dfsg-1".
apt_offers_new_enough() { # PACKAGE
  local major
  major=$(apt-cache policy "$1" 2>/dev/null | sed -n 's/^ *Candidate: \([0-9]*:\)\{0,1\}\([0-9][0-9]*\)\..*/\2/p')
  [ -n "$major" ] && [ "$major" -ge "$REDIS_MIN_MAJOR" ]
}

docker_works() { command -v docker >/dev/null 2>&1 && docker info >/dev/null 2>&1; }

explain_redis() {
  say "Rollcall needs Redis $REDIS_MIN_MAJOR or newer, and could neither find nor install one. Any of these helps:" \
    '' \
    '  Debian, Ubuntu    sudo apt-get install redis-server' \
    '  Fedora            sudo dnf install valkey' \
    '  macOS             brew install redis' \
    '  any system        https://redis.io/docs/latest/operate/oss_and_stack/install/' \
    "$@"
}

# Starts a server of our own: its own port on loopback, nothing kept, whatever else listens on 6379.
# Sets REDIS_URL and REDIS_PID.
start_private_redis() { # SERVER DIRECTORY
  local port attempt
  for attempt in 1 2 3; do
    port=$(free_port)
    # A process group of its own: Ctrl-C on the terminal must not end it before the nodes that drain into it.
    set -m
    "$1" --port "$port" --bind 127.0.0.1 --save '' --appendonly no --dir "$2" --daemonize no --maxmemory-policy noeviction \
      --client-output-buffer-limit 'pubsub 256mb 64mb 60' \
      >"$2/redis.log" 2>&1 </dev/null &
    REDIS_PID=$!
    set +m
    if wait_for_port "$port" "$REDIS_PID"; then
      REDIS_URL=redis://127.0.0.1:$port
      return 0
    fi
    end_group "$REDIS_PID" 1
    REDIS_PID=
    # Somebody else may have taken the port in between.
    say "Redis did not start (attempt $attempt of 3):"
    tail -n 5 "$2/redis.log" >&2
  done
  return 1
}

# The same in a container. Sets REDIS_URL and REDIS_CONTAINER.
start_docker_redis() {
  local port
  port=$(free_port)
  REDIS_CONTAINER=rollcall-redis-$$
  docker run --rm --detach --name "$REDIS_CONTAINER" --publish "127.0.0.1:$port:6379" "$REDIS_IMAGE" \
    redis-server --save '' --appendonly no --maxmemory-policy noeviction --protected-mode no \
    --client-output-buffer-limit 'pubsub 256mb 64mb 60' >/dev/null || return 1
  wait_for_port "$port" $$ || return 1
  REDIS_URL=redis://127.0.0.1:$port
}

stop_private_redis() {
  if [ -n "${REDIS_PID:-}" ]; then end_group "$REDIS_PID" 5; fi
  if [ -n "${REDIS_CONTAINER:-}" ]; then docker rm --force "$REDIS_CONTAINER" >/dev/null 2>&1; fi
  REDIS_PID=
  REDIS_CONTAINER=
}

# Waits until a Redis answers PING on the port; gives up when the process has ended or after ten seconds.
wait_for_port() { # PORT PID
  node scripts/lib/wait-redis.mjs "$1" "$2"
}
