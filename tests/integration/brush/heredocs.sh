# SPDX-License-Identifier: MIT
# Here-documents and here-strings, small and larger than a pipe holds.

name=world
cat <<END
hello $name, $((6 * 7)), $(echo substituted)
END
cat <<'END'
hello $name, $((6 * 7)), $(not run)
END
cat <<-END
	tabs are gone
	END
cat <<A; cat <<B
first
A
second
B
tr a-z A-Z <<< "a here-string for $name"
sort <<END | head -n 2
c
b
a
END
while read -r key value; do
	echo "$value=$key"
done <<END
one 1
two 2
END
{ cat; cat <&3; } <<A 3<<B
on stdin
A
on descriptor 3
B
big=$(seq 1 30000)
wc -l <<END
$big
END
cat <<END | md5sum
$big
END
f() { cat; }
f <<END
for a function
END
x=$(cat <<END
in a substitution
END
)
echo "$x"
