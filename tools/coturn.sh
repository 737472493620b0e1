#!/bin/sh
# Installs coturn, whose client tests our TURN server, if that is possible and not
# done. Without it the tests that need it are skipped.
set -eu
command -v turnutils_uclient >/dev/null && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
	{ apt-get update -qq && apt-get install -y -qq --no-install-recommends coturn; } >/dev/null 2>&1 && exit 0
fi
echo "turnutils_uclient is missing, and cannot be installed: tests with it will be skipped" >&2
