# SPDX-License-Identifier: MIT
# Background jobs and wait. The jobs meet at FIFOs, so that the order of what
# is printed does not depend on time.

for i in 1 2 3 4 5 6 7 8; do
	sh -c "echo job $i >>done" &
done
wait
sort done

mkfifo gate answer
{ read -r word <gate; echo "got $word" >answer; } &
echo knock >gate
cat answer
wait
echo "waited $?"

sh -c 'echo $$ >first; exec sleep 1000' &
sh -c 'echo $$ >second; exec sleep 1000' &
until [ -s first ] && [ -s second ]; do sleep 0.01; done
jobs
env kill "$(cat first)" "$(cat second)"
wait
echo "both ended"
jobs

(sleep 0.1; echo slow >>order) &
(echo fast >>order) &
wait
sort order

# A foreground pipeline while jobs go on in the background.
mkfifo hold
sh -c 'read -r x <hold; echo "released by $x" >held' &
seq 1 1000 | wc -l
echo us >hold
wait
cat held

# The output of a job that outlives a group of commands.
{ sh -c 'read -r x <hold; echo "late $x"' & }
echo me >hold
wait
