#!/bin/sh
# Makes sure that there is a Chromium for the browser tests: CHROMIUM names it,
# or it is on the path, or Debian's package is installed when that is possible.
set -eu

for name in "${CHROMIUM:-}" chromium chromium-browser google-chrome; do
	if [ -n "$name" ] && command -v "$name" >/dev/null 2>&1; then
		exit 0
	fi
done

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null
	exit 0
fi

echo "The browser tests need Chromium: install the package 'chromium', or set CHROMIUM to the path of a Chromium or Chrome." >&2
exit 1
