# SPDX-License-Identifier: MIT
# Command and process substitution.

echo "$(echo "a $(echo "b $(echo c)")")"
echo `echo old style`
lines=$(seq 1 20000)
echo "${#lines}"
echo "[$(printf 'kept\n\n\n')]"
x=$(sh -c 'echo out; exit 9')
echo "$x $?"
y=$(false)
echo "$?"
echo "$(cat <<END
a document: $(echo inside)
END
)"
f() { local got=$(g "$1"); echo "f:$got"; }
g() { echo "g:$1"; }
f 1

sum=0
for i in $(seq 1 100); do
	sum=$((sum + $(echo "$i")))
done
echo "sum $sum"

cat <(echo first) <(seq 2 3) <(echo last)
diff <(seq 5) <(seq 5 | sed 's/3/three/')
while read -r word; do
	echo "word $word"
done < <(printf '%s\n' x y)
mapfile -t array < <(seq 1 50)
echo "${#array[@]} ${array[49]}"
echo teed | tee >(sed 's/^/copy of /' >copy) | cat
until [ -s copy ]; do sleep 0.01; done
cat copy
