#!/usr/bin/env bash
# Checks that the model quotes the code as it is, that the protocol keeps its
# promises, and that each way to weaken it is found out. Needs spin and gcc.
set -euo pipefail
cd "$(dirname "$0")"
model=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Small enough to try every interleaving.
configs="
send     -DSENDS=2 -DSTRATEGIES=3 -DCOUNTED
deadline -DSTRATEGIES=7
lists    -DSENDERS=1 -DSENDS=3 -DASYNCS=2 -DSTRATEGIES=3 -DCOUNTED
self     -DASYNCS=2 -DSTRATEGIES=3 -DSELF=1
restart  -DASYNCS=2 -DSTRATEGIES=2 -DCHANGES=2 -DCOUNTED
timed    -DSTRATEGIES=2 -DPOLLFDS=2 -DTICKS=1
stop     -DSENDERS=1 -DSTRATEGIES=1 -DSTOPS=2
nested   -DSENDERS=1 -DSTRATEGIES=2 -DSTOPS=2 -DNESTED=1
close    -DSENDERS=1 -DSTRATEGIES=3 -DCLOSES=2 -DRUNS=2
post     -DSENDS=0 -DPOSTS=1 -DSTRATEGIES=1 -DCLOSES=1
recall   -DSENDERS=1 -DSENDS=2 -DSTRATEGIES=3 -DRECALLS=2 -DCOUNTED
parting  -DSENDS=0 -DSTRATEGIES=3 -DRECALLS=1 -DRUNS=2 -DCLOSES=1 -DHOSTCLOSES=1
partings -DSENDS=0 -DSTRATEGIES=1 -DRECALLS=1 -DRUNS=2 -DCLOSES=2 -DHOSTCLOSES=1
late     -DSENDERS=1 -DSTRATEGIES=1 -DRECALLS=1 -DCLOSES=1
polled   -DEXPOSED=1 -DSENDS=2 -DCOUNTED
changed  -DEXPOSED=1 -DSENDERS=1 -DASYNCS=2 -DTICKS=1 -DCHANGES=2
freed    -DEXPOSED=1 -DSENDERS=1 -DTICKS=1 -DCLOSES=1
"

# That everything comes to rest: what goes round in a circle does not.
cycles="
sends    -DSTRATEGIES=7
longer   -DSENDERS=1 -DSENDS=3 -DASYNCS=2 -DSTRATEGIES=3
changes  -DSTRATEGIES=2 -DCHANGES=3
ticking  -DSENDERS=1 -DSTRATEGIES=7 -DPOLLFDS=2 -DTICKS=1
ending   -DSENDERS=1 -DSTRATEGIES=3 -DSTOPS=1
closing  -DSENDERS=1 -DSTRATEGIES=3 -DCLOSES=2 -DRUNS=2
sitting  -DSENDERS=1 -DSENDS=2 -DSTRATEGIES=3 -DRECALLS=2
leaving  -DSENDS=0 -DSTRATEGIES=1 -DRECALLS=1 -DRUNS=2 -DCLOSES=1 -DHOSTCLOSES=1
polling  -DEXPOSED=1 -DSENDERS=1 -DSENDS=2 -DASYNCS=2 -DTICKS=1
"

# Senders that need not end: every cycle is looked at, not the end.
endless="
write    -DFOREVER -DSTRATEGIES=1
direct   -DFOREVER -DSTRATEGIES=2
"

# Each takes something away from the configuration before it.
mutants="
send     CLEAR_AFTER
send     NO_RECHECK
send     STORE_NOT_CAS
send     CHECK_BEFORE_PARKED
send     WAKE_BEFORE_PUBLISH
send     UNLINK_IN_TWO_STEPS
send     COMMIT_BEFORE_READ
lists    NEXT_AFTER_UNLINK
lists    TAKE_KEEPS_LABEL
restart  RELABEL_AS_TAKEN
restart  STORE_IN_SEND
restart  RELEASE_WHILE_LINKED
restart  START_KEEPS_REQUEST
restart  STOP_KEEPS_PENDING
changes  START_FORGETS_LINKED
timed    ARM_AFTER_COMMIT
timed    ON_AFTER_COMMIT
stop     NO_RECHECK_OF_STOPPED
stop     STOP_WITHOUT_WAKE
stop     WAKE_BEFORE_STOP
nested   ENTER_KEEPS_STOPPED
nested   LEAVE_KEEPS_STOPPED
close    CLOSE_WITHOUT_WAKE
close    NO_PIN
close    ENTER_WHEN_CLOSED
post     PUT_WHEN_CLOSED
recall   RECALL_WITHOUT_WAKE
recall   NO_RECHECK_OF_RECALLED
close    LEAVE_WITHOUT_TEARDOWN
parting  CLOSE_TAKES_MU_FIRST
late     END_LOOKS_TOO_EARLY
parting  STOP_FORGETS_DEFERRED
late     PROXY_IGNORES_CLOSE
polled   OFFER_CHECKS_FIRST
polled   OFFER_DOES_NOT_PARK
polled   EXPOSED_WAKES_DIRECTLY
freed    OFFER_AFTER_THE_RUN
"

fail() { echo "$*" >&2; exit 1; }

options() { awk -v name="$1" '$1 == name { $1 = ""; print }' <<<"$configs$cycles"; }

# build makes a checker, in a directory of its own: its name, spin's options, gcc's. gcc is not asked
# to optimize: that would take longer than the searches do.
build() {
	mkdir "$work/$1"
	cd "$work/$1"
	cp "$model"/*.pml .
	spin $2 -a model.pml >log 2>&1 || fail "$1: spin: $(cat log)"
	gcc -w -O0 -DMEMLIM=6000 $3 -o pan pan.c
}

# holds requires that the search got to its end and found nothing.
holds() {
	./pan $2 >log 2>&1 || true
	if ! grep -q 'errors: 0' log || grep -q -e 'not completed' -e 'too small' log; then
		fail "$1: $(cat log)"
	fi
	awk -v name="$1" '/ states, stored/ { printf "%-8s %9d states, errors: 0\n", name, $1 }' log
}

verify() (
	build "$1" "$2" "-DSAFETY -DNOCLAIM"
	holds "$1" "-m100000"
	./pan -d | grep -v -e '=> -end-' | grep -o '[a-z]*\.pml:[0-9]*' | sort -u >lines # an end is not a statement
	grep -o '[a-z]*\.pml:[0-9]*, state' log | sed 's/, state//' | sort -u | comm -23 lines - >reached
)

verifyCycles() (
	build "$1" "$2" "-DNP -DNOFAIR"
	holds "$1" "-l -m1000000"
)

verifyEndless() (
	build "$1" "$2" "-DNFAIR=3"
	holds "$1" "-a -f -m2000000"
)

# idle lists the quotes that no search has reached: what they promise is empty.
idle() {
	cat "$work"/*/lines | sort -u >"$work/lines"
	cat "$work"/*/reached | sort -u >"$work/reached"
	grep -n '//|' ./*.pml | sed 's/^\.\///; s/^\([^:]*:[0-9]*\):.*/\1/' | sort -u |
		comm -12 - "$work/lines" | comm -23 - "$work/reached"
}

# weaken shows the end of a run that breaks a promise: the shortest, or one that
# goes round in a circle.
weaken() (
	if grep -q "^$1 " <<<"$cycles"; then
		build "$2" "$(options "$1") -D$2" "-DNP -DNOFAIR"
		./pan -l >log 2>&1 || true
	else
		build "$2" "$(options "$1") -D$2" "-DSAFETY -DNOCLAIM -DBFS"
		./pan >log 2>&1 || true
	fi
	[ -f model.pml.trail ] || fail "$2 was not found out: $(cat log)"
	printf '\n%s: %s\n' "$2" "$(sed -n 's/^pan:1: //p' log)"
	{ spin $(options "$1") -D"$2" -t -p model.pml || true; } | awk -f "$model/trail.awk" | tail -20
)

awk -v code=../.. -f quotes.awk ./*.pml
while read -r name with; do [ -z "$name" ] || verify "$name" "$with"; done <<<"$configs"
while read -r name with; do [ -z "$name" ] || verifyCycles "$name" "$with"; done <<<"$cycles"
while read -r name with; do [ -z "$name" ] || verifyEndless "$name" "$with"; done <<<"$endless"
never=$(idle)
[ -z "$never" ] || fail "quoted, but never reached: $never"
count=0
while read -r name mutant; do
	[ -z "$name" ] || { weaken "$name" "$mutant"; count=$((count + 1)); }
done <<<"$mutants"
printf '\nall of %d weaker protocols found out; %d s\n' $count $SECONDS
