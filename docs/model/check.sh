#!/usr/bin/env bash
# Checks the model: that it quotes the code as it is, that the protocol keeps its
# promises, and that it would not if it were weaker. Needs spin and gcc.
set -euo pipefail
cd "$(dirname "$0")"
model=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# What is checked: small enough that every interleaving is tried.
declare -A config=(
	[send]="-DSENDS=2 -DWAYS=3 -DCOUNTED"
	[insured]="-DWAYS=7"
	[lists]="-DSENDERS=1 -DSENDS=3 -DASYNCS=2 -DWAYS=3 -DCOUNTED"
	[self]="-DASYNCS=2 -DWAYS=3 -DSELF=1"
	[restart]="-DASYNCS=2 -DWAYS=2 -DCHANGES=2 -DCOUNTED"
	[timed]="-DBEDS=2 -DTICKS=1 -DWAYS=3"
	[stop]="-DSENDERS=1 -DWAYS=3 -DSTOPS=2"
	[nested]="-DSENDERS=1 -DWAYS=1 -DSTOPS=2 -DNESTED=1 -DRUNS=2"
	[close]="-DSENDERS=1 -DWAYS=3 -DCLOSES=2 -DRUNS=2"
	[post]="-DSENDS=0 -DPOSTS=1 -DWAYS=3 -DCLOSES=1"
	[recall]="-DSENDERS=1 -DSENDS=2 -DWAYS=3 -DRECALLS=2"
)
order="send insured lists self restart timed stop nested close post"

# Senders that go on for ever: not the end is looked at, but every cycle.
declare -A endless=(
	[byWrite]="-DFOREVER -DWAYS=1"
	[directly]="-DFOREVER -DWAYS=2"
)

# Each of these takes something away, and has to be found out.
mutants="
send CLEAR_AFTER
send NO_RECHECK
send STORE_NOT_CAS
send CHECK_BEFORE_PARKED
send WAKE_BEFORE_PUBLISH
send UNLINK_IN_TWO_STEPS
send COMMIT_BEFORE_READ
lists NEXT_AFTER_UNLINK
restart STORE_IN_SEND
restart RELEASE_WHILE_LINKED
restart START_KEEPS_REQUEST
timed ARM_AFTER_COMMIT
timed ON_AFTER_COMMIT
stop NO_RECHECK_OF_STOPPED
stop STOP_WITHOUT_WAKE
stop WAKE_BEFORE_STOP
nested ENTER_KEEPS_STOPPED
nested LEAVE_KEEPS_STOPPED
close CLOSE_WITHOUT_WAKE
close NO_PIN
close ENTER_WHEN_CLOSED
post PUT_WHEN_CLOSED
"

fail() { echo "$*" >&2; exit 1; }

# build makes a checker in a directory of its own: name, options of spin, of gcc.
build() {
	mkdir "$work/$1"
	cd "$work/$1"
	cp "$model"/*.pml .
	spin $2 -a model.pml >spin.out 2>&1 || fail "$1: spin: $(cat spin.out)"
	gcc -w -DMEMLIM=6000 $3 -o pan pan.c
}

# holds says how many states were looked at, all of them without an error.
holds() {
	./pan $2 >out || true
	grep -q 'errors: 0' out || fail "$1: $(cat out)"
	! grep -q -e 'not completed' -e 'too small' out || fail "$1 was not searched to the end: $(cat out)"
	awk -v name="$1" '/ states, stored/ { n = $1 } END { printf "%-10s %9d states, errors: 0\n", name, n }' out
}

verify() (
	build "$1" "${config[$1]}" "-O1 -DSAFETY -DNOCLAIM"
	holds "$1" "-m100000"
	covered >>"$work/covered"
)

verifyEndless() (
	build "$1" "${endless[$1]}" "-O1 -DNFAIR=3"
	holds "$1" "-a -f -m2000000 -N answered"
)

# covered lists the lines that this search has reached.
covered() {
	./pan -d | grep -o '[a-z]*\.pml:[0-9]*' | sort -u >compiled
	grep -o '[a-z]*\.pml:[0-9]*, state' out | sed 's/, state//' | sort -u >missed || true
	comm -23 compiled missed
}

# mutant shows the end of the shortest run in which the promise is broken.
mutant() (
	build "$2" "${config[$1]} -D$2" "-O0 -DSAFETY -DNOCLAIM -DBFS"
	./pan >out || true
	[ -f model.pml.trail ] || fail "$2 was not noticed"
	echo
	echo "$2: $(sed -n 's/^pan:1: //p' out)"
	spin ${config[$1]} -D"$2" -t -p model.pml | awk -f "$model/trail.awk" | tail -12
)

awk -v code=../.. -f quotes.awk ./*.pml
for name in $order; do verify "$name"; done
for name in "${!endless[@]}"; do verifyEndless "$name"; done
cd "$model"
grep -n '//|' ./*.pml | sed 's/^\.\///; s/^\([^:]*:[0-9]*\):.*/\1/' | sort -u | comm -23 - <(sort -u "$work/covered") | head -80
while read -r name what; do
	[ -z "$name" ] || mutant "$name" "$what"
done <<<"$mutants"
echo
echo "done in $SECONDS s"
