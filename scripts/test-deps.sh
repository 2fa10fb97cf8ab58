#!/usr/bin/env bash
# Gets what tests need and Go does not bring: a Chromium for the tests of the web
# page. Never fails: without it those tests are skipped and say so.
set -u

for name in headless-shell chromium chromium-browser google-chrome google-chrome-stable chrome; do
  if command -v "$name" >/dev/null 2>&1; then
    exit 0
  fi
done
if [ -d "/Applications/Google Chrome.app" ] || [ -d "/Applications/Chromium.app" ]; then
  exit 0
fi

note() { echo "test-deps: $1; the tests of the web page will be skipped" >&2; }

if ! command -v apt-get >/dev/null 2>&1; then
  note "no Chromium here, and no apt-get to install it with"
  exit 0
fi
sudo=""
if [ "$(id -u)" != 0 ]; then
  if ! sudo -n true >/dev/null 2>&1; then
    note "no Chromium here, and no right to install it (try: sudo apt-get install chromium)"
    exit 0
  fi
  sudo="sudo -n"
fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if timeout 150 $sudo apt-get update >"$log" 2>&1 &&
  timeout 300 $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends chromium >>"$log" 2>&1; then
  echo "test-deps: installed Chromium" >&2
else
  note "Chromium cannot be installed: $(tail -n 1 "$log")"
fi
exit 0
