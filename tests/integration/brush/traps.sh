# SPDX-License-Identifier: MIT
# The traps that brush runs: EXIT, ERR and DEBUG.
# Ends with 7.

trap 'echo "error trap: $(echo $? | cat)"' ERR
false
if false; then :; fi
false || echo "no trap for this"
sh -c 'exit 3'
trap - ERR
false
echo "no trap any more"

count=0
trap 'count=$((count + 1))' DEBUG
:
:
trap - DEBUG
[ "$count" -ge 2 ] && echo "debug trap ran"

trap 'echo "exit trap: $(echo with a pipe | tr a-z A-Z)"; rm -f file' EXIT
: >file
exit 7
