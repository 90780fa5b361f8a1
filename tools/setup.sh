#!/bin/sh
# Makes .venv ready to run and test Conduit Desktop. Does nothing when it is ready already.
#
#   tools/setup.sh                  set up for running, tests and checks (requirements.lock)
#   tools/setup.sh start [OPTIONS]  set up for running alone (requirements-run.lock), put the command `conduit-desktop` into
#                                   ~/.local/bin or CONDUIT_BIN, then start the app (headless without a display)
#
# System packages are installed by apt when root on Debian or Ubuntu, and named in one line otherwise.
set -eu
cd "$(dirname "$0")/.."

PYTHON_IN_VENV=.venv/bin/python
STAMP=.venv/conduit-setup
# What Qt's offscreen, X11 and Wayland windows load; a bare Debian lacks most of it.
QT_PACKAGES="libegl1 libgl1 libxkbcommon0 libdbus-1-3 libfontconfig1 fonts-dejavu-core libxkbcommon-x11-0 libxcb-cursor0
  libxcb-icccm4 libxcb-image0 libxcb-keysyms1 libxcb-render-util0 libxcb-shape0 libxcb-xkb1"
# A real keyring and a real display, for the tests that want them; those tests skip without.
TEST_PACKAGES="dbus gnome-keyring xvfb"

say() { printf '%s\n' "$*" >&2; }

is_new_enough() { "$1" -c 'import sys; raise SystemExit(sys.version_info < (3, 11))' 2>/dev/null; }

find_python() {
  for candidate in ${PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11; do
    if is_new_enough "$candidate"; then
      printf '%s\n' "$candidate"
      return
    fi
  done
  say "Conduit Desktop needs Python 3.11 or newer; found: $(python3 --version 2>&1 || true). Set PYTHON=/path/to/python3.11 if you have one."
  exit 1
}

missing_packages() {
  for package in "$@"; do
    dpkg-query -W -f '${Status}\n' "$package" 2>/dev/null | grep -q '^install ok' || printf '%s ' "$package"
  done
}

can_install() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; }

apt_install() {
  say "Installing system packages: $*"
  export DEBIAN_FRONTEND=noninteractive
  apt-get -qq update >&2 && apt-get -qq -y install --no-install-recommends "$@" >/dev/null
}

has_display() { [ -n "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ]; }

# For what they are, then the packages.
system_packages() {
  command -v dpkg-query >/dev/null || return 0
  purpose=$1
  shift
  needed=$(missing_packages "$@")
  [ -n "$needed" ] || return 0
  # shellcheck disable=SC2086  # a list of words
  if can_install; then
    apt_install $needed || say "Not all of these could be installed: $needed"
  else
    say "For $purpose, install: sudo apt install $needed"
  fi
}

make_venv() {
  python=$1
  if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    package="python$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv"
    can_install || { say "Python's venv module is missing. Install it: sudo apt install $package"; exit 1; }
    apt_install "$package"
  fi
  is_new_enough "$PYTHON_IN_VENV" || "$python" -m venv --clear .venv
}

python_packages() {
  say "Installing Python packages (some minutes the first time)"
  "$PYTHON_IN_VENV" -m pip install -q --disable-pip-version-check --require-hashes -r "$1"
  # The build backend came with the lock: nothing unpinned is fetched for this.
  "$PYTHON_IN_VENV" -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
}

# The SDKs of the Node examples; their tests skip without.
node_packages() {
  command -v npm >/dev/null || return 0
  npm ci --prefix examples/node --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null || say "npm cannot install the Node SDKs of the examples"
}

is_of_a_checkout() {
  case "$(readlink "$1" 2>/dev/null)" in
    */.venv/bin/conduit-desktop) true ;;
    *) false ;;
  esac
}

# The command by its name: a link, which an update of the checkout need not renew.
launcher() {
  program="$PWD/.venv/bin/conduit-desktop"
  folder="${CONDUIT_BIN:-${HOME:+$HOME/.local/bin}}"
  link="$folder/conduit-desktop"
  # Whatever pipx or uv put there stays; a link of this or another checkout is replaced.
  if [ -z "$folder" ] || ! mkdir -p "$folder" 2>/dev/null || { [ -e "$link" ] && ! is_of_a_checkout "$link"; }; then
    say "The command line: $program"
    return
  fi
  [ "$(readlink "$link" 2>/dev/null)" = "$program" ] || ln -sf "$program" "$link" || return 0
  case ":$PATH:" in
    *":$folder:"*) say "The command line: conduit-desktop ($link)" ;;
    *)
      say "The command line: $link"
      say "To call it by its name: export PATH=\"$folder:\$PATH\"" ;;
  esac
}

fingerprint() { cat requirements.lock requirements-run.lock pyproject.toml tools/setup.sh examples/node/package-lock.json | cksum; }

# What is set up: `all` does for running, too.
is_ready() {
  case "$(cat "$STAMP" 2>/dev/null)" in
    "all $(fingerprint)") true ;;
    "run $(fingerprint)") [ "$1" = run ] ;;
    *) false ;;
  esac
}

set_up() {
  is_ready "$1" && return
  python=$(find_python)
  if [ "$1" = all ]; then
    # shellcheck disable=SC2086
    system_packages "the window and all tests" $QT_PACKAGES $TEST_PACKAGES
  fi
  make_venv "$python"
  if [ "$1" = all ]; then
    python_packages requirements.lock
    node_packages
  else
    python_packages requirements-run.lock
  fi
  printf '%s %s\n' "$1" "$(fingerprint)" >"$STAMP"
  say "Ready"
}

if [ "${1:-}" != start ]; then
  set_up all
  exit
fi
shift
set_up run
# shellcheck disable=SC2086
has_display && system_packages "the window" $QT_PACKAGES
launcher
if has_display && ! "$PYTHON_IN_VENV" -c 'import PySide6.QtWidgets' 2>/dev/null; then
  say "Qt cannot load here (system libraries are missing): starting headless"
  exec "$PYTHON_IN_VENV" -m conduit_desktop serve "$@"
fi
exec "$PYTHON_IN_VENV" -m conduit_desktop "$@"
