# SPDX-License-Identifier: MIT
# Pipelines of programs, of builtins and of both; long, early ended, failing.

printf '%s\n' pear apple fig apple | sort | uniq -c | sort -rn | head -n 2
seq 1 100000 | awk '{ sum += $1 } END { print sum }'
seq 1 1000000 | head -n 3
yes | head -n 1
head -c 3000000 /dev/zero | tr '\0' 'x' | wc -c
echo one two three | { read -r first rest; echo "$rest, $first"; }
seq 5 | while read -r n; do echo $((n * n)); done | tac
echo data | cat | cat | cat | cat | cat | cat | cat | cat | cat | cat

false | true
echo "status $? of ${PIPESTATUS[*]}"
true | sh -c 'exit 4' | sh -c 'cat; exit 5'
echo "status $? of ${PIPESTATUS[*]}"
set -o pipefail
sh -c 'exit 6' | true
echo "with pipefail $?"
set +o pipefail
! true | false
echo "negated $?"

f() { while read -r line; do echo "f: $line"; done; }
printf 'a\nb\n' | f | sed 's/f/g/'
{ echo out; echo err >&2; } 2>&1 | sort
(echo from; echo a subshell) | tr '\n' ' '
echo

i=0
while [ "$i" -lt 60 ]; do
	echo "$i" | cat | sed 's/$/!/' >>lines
	i=$((i + 1))
done
wc -l <lines
tail -n 1 lines
