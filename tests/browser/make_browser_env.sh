#!/usr/bin/env bash
# Installs what the tests in a browser need: Playwright for Python, axe-core, and Debian's Chromium.
# Usage: make_browser_env.sh FOLDER, with PYTHON set to the interpreter of the tests' environment.
set -euo pipefail

folder=$1
axe=4.10.3

if ! command -v chromium >/dev/null; then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium >/dev/null
fi
# Without the project, whose installation must stay as it is: other tests may use it at the same time.
"$PYTHON" -m pip --disable-pip-version-check --no-input install --quiet --constraint constraints.txt playwright
mkdir -p "$folder"
npm install --prefix "$folder" --no-package-lock --no-audit --no-fund --ignore-scripts --loglevel error "axe-core@$axe"
