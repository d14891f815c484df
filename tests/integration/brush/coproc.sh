# SPDX-License-Identifier: MIT
# Coprocesses: a builtin loop and a program.

coproc { while read -r line; do echo "<$line>"; done; }
for word in one two three; do
	echo "$word" >&"${COPROC[1]}"
	read -r answer <&"${COPROC[0]}"
	echo "$answer"
done

# brush leaves the program both ends of its pipes: it has to be told to end.
coproc UPPER { sed -u -e '/^end$/Q' -e 's/.*/\U&/'; }
for n in $(seq 1 50); do
	echo "turn $n" >&"${UPPER[1]}"
	read -r answer <&"${UPPER[0]}"
done
echo "$answer"
echo end >&"${UPPER[1]}"
until ! pgrep -P $$ -x sed >pids; do sleep 0.01; done
echo "ended"
