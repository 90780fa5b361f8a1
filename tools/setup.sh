#!/bin/sh
# Makes .venv ready to run and test Conduit Desktop. Does nothing when it is ready already.
#
#   tools/setup.sh                  set up
#   tools/setup.sh start [OPTIONS]  set up, then start the app (headless where Qt cannot load)
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

system_packages() {
  command -v dpkg-query >/dev/null || return 0
  # shellcheck disable=SC2086  # a list of words
  needed=$(missing_packages $QT_PACKAGES $TEST_PACKAGES)
  [ -n "$needed" ] || return 0
  # shellcheck disable=SC2086
  if can_install; then
    apt_install $needed || say "Not all of these could be installed: $needed"
  else
    say "For the window and all tests, install: sudo apt install $needed"
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
  "$PYTHON_IN_VENV" -m pip install -q --disable-pip-version-check --require-hashes -r requirements.lock
  # The build backend came with the lock: nothing unpinned is fetched for this.
  "$PYTHON_IN_VENV" -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
}

fingerprint() { cat requirements.lock pyproject.toml tools/setup.sh | cksum; }

if [ "$(cat "$STAMP" 2>/dev/null)" != "$(fingerprint)" ]; then
  python=$(find_python)
  system_packages
  make_venv "$python"
  python_packages
  fingerprint >"$STAMP"
  say "Ready"
fi

if [ "${1:-}" = start ]; then
  shift
  if "$PYTHON_IN_VENV" -c 'import PySide6.QtWidgets' 2>/dev/null; then
    exec "$PYTHON_IN_VENV" -m conduit_desktop "$@"
  fi
  say "Qt cannot load here (system libraries are missing): starting headless"
  exec "$PYTHON_IN_VENV" -m conduit_desktop serve "$@"
fi
