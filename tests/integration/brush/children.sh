# SPDX-License-Identifier: MIT
# How children end, and many of them.
# Ends with 12.

for status in 0 1 2 42 126 127 255; do
	sh -c "exit $status"
	echo "exit $?"
done
for signal in HUP INT KILL USR1 TERM; do
	sh -c "kill -$signal \$\$"
	echo "$signal $?"
done
timeout 0.05 sleep 1000
echo "timeout $?"
./missing 2>missing-message
echo "missing $?"
: >plain
./plain 2>plain-message
echo "not executable $?"
(exit 33)
echo "subshell $?"
n=0
while [ "$n" -lt 150 ]; do
	/bin/true || echo "false"
	n=$((n + 1))
done
echo "$n children"
env -i PATH="$PATH" VALUE=kept sh -c 'echo "$VALUE"'
VALUE=once sh -c 'echo "$VALUE"'
echo "[${VALUE-unset}]"
(cd / && pwd)
sh -c 'echo to stderr >&2' 2>&1
exec sh -c 'echo "replaced by exec"; exit 12'
