# SPDX-License-Identifier: MIT
# Loops around read: on files, pipes, FIFOs and descriptors.

seq 1 300 >numbers
sum=0
while read -r n; do
	sum=$((sum + n))
done <numbers
echo "sum $sum"

printf 'a:b c:d\n' | while IFS=: read -r x y z; do echo "[$x] [$y] [$z]"; done
printf 'no newline' | { read -r line; echo "status $? line $line"; }
printf 'back\\\nslash\n' | { read line; echo "$line"; }
printf 'back\\slash\n' | { read -r line; echo "$line"; }
echo abcdef | { read -r -n 3 part; echo "$part"; }
printf 'x;y;' | while read -r -d ';' part; do echo "part $part"; done
echo "1 2 3" | { read -r -a words; echo "${#words[@]} ${words[2]}"; }

exec 3<numbers
read -r -u 3 first
read -r second <&3
exec 3<&-
echo "$first $second"

while read -r n; do
	[ "$n" -lt 4 ] || break
	# A child that reads none of the loop's input.
	sh -c "echo child $n" </dev/null
done <numbers

mkfifo fifo
for n in 1 2 3; do
	echo "line $n"
done >fifo &
while read -r line; do
	echo "from the fifo: $line"
done <fifo
wait

n=0
while read -r a && read -r b <&5; do
	n=$((n + a - b))
done <numbers 5<numbers
echo "difference $n"
until read -r line; do :; done <<< "only one"
echo "$line"
