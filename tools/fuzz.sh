#!/bin/sh
# Runs every fuzz target of the module a bounded number of times each.
set -eu
: "${GO:=go}" "${FUZZTIME:=20000x}"

found=0
for package in $($GO list ./...); do
	directory=$($GO list -f '{{.Dir}}' "$package")
	targets=$(grep -hoE '^func Fuzz[A-Za-z0-9_]+' "$directory"/*_test.go 2>/dev/null | sed 's/^func //' || true)
	for target in $targets; do
		found=$((found + 1))
		echo "$package $target"
		$GO test -run '^$' -fuzz "^$target\$" -fuzztime "$FUZZTIME" "$package" >fuzz.log 2>&1 || {
			cat fuzz.log
			rm -f fuzz.log
			exit 1
		}
	done
done
rm -f fuzz.log
[ "$found" -gt 0 ] || { echo "no fuzz target found"; exit 1; }
echo "$found fuzz targets passed"
