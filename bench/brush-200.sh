# SPDX-License-Identifier: MIT
# For scripts/bench: 200 processes, one after the other and in pipelines.
i=0
while [ "$i" -lt 50 ]; do
	/bin/true
	/bin/echo "$i" | /bin/cat >/dev/null
	x=$(/bin/echo "$i")
	i=$((i + 1))
done
echo "$x"
