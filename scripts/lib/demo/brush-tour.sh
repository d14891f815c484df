#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A short tour of what a shell does, for brush to run.

echo "pipeline:       $(printf '%s\n' b a c | sort | tr '\n' ' ')"
echo "arithmetic:     $((6 * 7))"

(sleep 0.2; exit 3) &
wait $!
echo "background job: ended with status $?"

while read -r word number; do
	echo "read loop:      $word is $number"
done <<END
one 1
two 2
END

count=0
for name in epoll eventfd tokio; do
	count=$((count + $(printf %s "$name" | wc -c)))
done
echo "substitution:   $count letters"

trap 'echo "trap:           on the way out"' EXIT
cat <(echo "process:        substituted")
