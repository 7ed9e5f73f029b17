#!/bin/sh
# A browser for the page tests: the system's if there is one, else Debian's. Without one those tests skip.
set -u
for name in chromium chromium-browser google-chrome; do
    command -v "$name" >/dev/null 2>&1 && exit 0
done
echo "Installing Chromium for the page tests"
sudo=""
[ "$(id -u)" = 0 ] || sudo="sudo -n"
if command -v apt-get >/dev/null 2>&1 && $sudo true 2>/dev/null; then
    export DEBIAN_FRONTEND=noninteractive
    $sudo apt-get update -q && $sudo apt-get install -y -q --no-install-recommends chromium fonts-dejavu-core && exit 0
fi
echo "Chromium could not be installed: the page tests will skip. Install it with: apt-get install chromium" >&2
exit 0
