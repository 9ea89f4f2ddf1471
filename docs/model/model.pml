// The wake-up protocol of package ev. README.md explains how to read this, and lists
// what it leaves out. check.sh has the configurations.

#ifndef ASYNCS
#define ASYNCS 1  // watchers
#endif
#ifndef POSTS
#define POSTS 0   // by each sender, of its sends
#endif
#ifndef SENDERS
#define SENDERS 2 // goroutines that send
#endif
#ifndef SENDS
#define SENDS 1   // of each
#endif
#ifndef SELF
#define SELF 0    // sends made by callbacks
#endif
#ifndef CHANGES
#define CHANGES 0 // Starts and Stops of watchers
#endif
#ifndef TICKS
#define TICKS 0   // parks with a time limit
#endif
#ifndef RUNS
#define RUNS 1    // Runs, one after the other
#endif
#ifndef NESTED
#define NESTED 0  // Runs inside callbacks
#endif
#ifndef STOPS
#define STOPS 0   // goroutines that call Loop.Stop or StopAll
#endif
#ifndef CLOSES
#define CLOSES 0  // goroutines that call Loop.Close
#endif
#ifndef HOSTCLOSES
#define HOSTCLOSES 0 // 1: a goroutine closes the host
#endif
#ifndef RECALLS
#define RECALLS 0 // turns of a proxy; with any, the loop is embedded, in Runs of its host
#endif
#ifndef EXPOSED
#define EXPOSED 0 // 1: another main loop polls the descriptor of PollFD
#endif
#ifndef STRATEGIES
#define STRATEGIES 7 // that a park may have: the sum of them
#endif
#ifndef POLLFDS
#define POLLFDS 1 // descriptors to park on
#endif

#define DEPTH (NESTED + 1)
#if POSTS > 0
#define REQUESTS (ASYNCS + 1)
#define MAIL     ASYNCS
#else
#define REQUESTS ASYNCS
#define MAIL     99
#endif

#define CAS(word, old, new) d_step { ok = word == old; if :: ok -> word = new :: else fi }
#define lock(m)   atomic { !m -> m = true }
#define unlock(m) m = false

#include "poller.pml"
#include "wakeup.pml"
#include "request.pml"
#include "post.pml"
#include "watcher.pml"
#include "tree.pml"
#include "run.pml"

#define LOCALS byte s, to, h, chosen, pfd, i; bool ok, linking

proctype sender() {
	LOCALS;
	byte a;
	byte sends = SENDS;
	byte posts = POSTS;
	bool refused;
	do
	:: atomic { sends > 0 ->
#ifndef FOREVER
	   sends--;
#endif
	   if
	   :: a = 0
	   :: a = ASYNCS - 1
	   fi };
	   Send(a);
	   a = 0
#if POSTS > 0
	:: posts > 0 -> posts--; post(); atomic { s = 0; to = 0; ok = false; refused = false }
#endif
#ifdef FOREVER
	:: true -> break
#else
	:: else -> break
#endif
	od
}

#if STOPS > 0
proctype stopper() {
	LOCALS;
	byte which;
	if :: which = INNERMOST :: which = ALL fi;
	stopRuns(which)
}
#endif

#if CLOSES > 0
proctype closer() {
	LOCALS;
	byte without;
	bool running, already;
	close()
}
#endif

// pass calls what is pending, in any order, and callbacks of other kinds, which
// start and stop watchers. It ends early, with nest set, when a callback calls Run:
// the pass of that Run follows.
inline pass() {                                         //~ priority.go: func (p *pending) pass(closed *atomic.Uint32, guard func(entry)) {
	do                                                  //| for closed.Load() == 0 {
	:: closed || nest -> break
	:: else ->
	   if                                               //| e, ok := p.pop()
	   :: atomic { pending[0] -> a = 0; ok = true }
	   :: atomic { pending[ASYNCS - 1] -> a = ASYNCS - 1; ok = true }
	   :: atomic { jobs > 0 -> jobs--; assert(!torn); ok = false }
#if CHANGES > 0
	   :: atomic { changes > 0 -> changes--; if :: a = 0 :: a = ASYNCS - 1 fi; ok = false }
	      toggle(a);
	      ok = false
#endif
	   :: atomic { !pending[0] && !pending[ASYNCS - 1] && jobs == 0 -> break } //| if !ok {
	   fi;
	   if
	   :: ok -> call(a)                                 //| e.w.run(e.w.takeEvents())
	   :: else
	   fi
	od;
	atomic { a = 0; ok = false; s = 0 }
}                                                       //.

// A park with any time limit.
inline plan() {                                         //~ loop.go: func (l *Loop) plan() (until time.Duration, now bool) {
	now = head != taken;                                //| if l.flushFiles() || len(l.reports) > 0 || !l.requests.empty() || l.idle.any() || len(l.files.always) > 0 {
	until = NEVER;                                      //| until = l.timers.next()
	if
	:: ticks > 0 -> ticks--; until = SOON
	:: true
	fi
}                                                       //.

inline poll() {                                         //~ loop.go: func (l *Loop) poll(mode runMode) {
	plan();                                             //| until, now := l.plan()
	if
	:: now                                              //| if now || !l.alive() || l.linger() {
	:: else -> sleep()                                  //| l.park(until, true)
	fi;
	d_step { now = false; until = NEVER; quiet = false; done = false; expired = false; ok = false; s = 0 }
}                                                       //.

// A park on any descriptor, in one stage or two.
inline pollerPark() {
#if POLLFDS > 1
	if :: b = 0 :: b = 1 fi;
#endif
	do
	:: sleepOn(b);
	   if
	   :: b == 0 && POLLFDS > 1 && expired && until == SOON -> b = POLLFDS - 1
	   :: else -> break
	   fi
	od;
	b = 0
}

#if RECALLS > 0
#include "embed.pml"
#endif

#if EXPOSED
#include "pollfd.pml"
#endif

// The goroutine in Run: the steps of Loop.run and iterate, in a row, so that a
// Run inside a callback needs no recursion. There is always a reference: a Run
// ends by Stop or Close only.
proctype loop() {
	LOCALS;
	byte a, b, n, r, oldest, without, until;
	byte left = RUNS, changes = CHANGES, ticks = TICKS, self = SELF, nested = NESTED;
	bool took, quiet, done, expired, now, cut, refused, nest, ended;
	do
	:: left > 0 ->
	   left--;
again:
	   nest = false;
	   enter();                                         //~ loop.go: func (l *Loop) run(ctx context.Context, mode runMode) (err error) {
	   if
	   :: refused -> break                              //| id, err := l.enter(mode)
	   :: else
	   fi;
	   do
	   :: pass();                                       //| l.invoke()
	      if
	      :: nest -> goto again
	      :: else
	      fi;
	      interrupted();                                //| if mode != forever || !l.alive() || l.interrupted() {
	      if
	      :: cut ->
	         cut = false;
	         leave();
	         if
	         :: depth == 0 -> break
	         :: else // the callback that called Run goes on
	         fi
	      :: else ->                                    //.
	         poll();                                    //~ loop.go: func (l *Loop) iterate(mode runMode) {
	                                                    //| l.poll(mode)
	         collect()                                  //| l.collect()
	                                                    //| l.callPending(&l.closed)
	      fi                                            //.
	   od
	:: else -> break
	od
}

// The runtime's netpoller: a write becomes an edge some time later, a deadline
// passes.
proctype netpoller() {
end:
	do
	:: d_step { file[0].edge -> file[0].edge = false; file[0].ready = true }
	:: d_step { file[0].deadline == SOON -> file[0].deadline = PAST }
#if POLLFDS > 1
	:: d_step { file[1].edge -> file[1].edge = false; file[1].ready = true }
	:: d_step { file[1].deadline == SOON -> file[1].deadline = PAST }
#endif
#if EXPOSED
	:: d_step { set -> set = false; due = true; readable = true } // the timerfd
#endif
	od
}

#ifdef FOREVER
// Senders that never end are answered, too. The scheduler gives each sender and the
// loop its turn: weak fairness.
ltl answered { [] ((owed[0] -> <> !owed[0]) && (unseen[0] -> <> !unseen[0])) }
#endif

#define RUNNING (depth > 0 || RECALLS > 0 || EXPOSED)

// When nothing moves any more: is every Send answered?
proctype judge() {
	byte i;
	timeout;
	d_step {
		do
		:: i < ASYNCS ->
		   assert(!owed[i] || !RUNNING);
		   assert(!unseen[i] || !RUNNING);
		   i++
		:: else -> break
		od
	}
	assert(in == 0 && jobs == 0);
#if EXPOSED
	assert(!due || closed);
#endif
	assert(depth == 0 || !runs[depth - 1].stop);
	assert(!closed || depth == 0)
#if CLOSES > 0
	; assert(closed == torn && torn == freed && closed == file[0].gone);
#if RECALLS > 0
	assert(hostClosed == hostTorn);
	assert(!hostClosed || !hostRunning);
	assert(!(attached && hostRunning && closed));
	assert(file[0].refs == out) // the proxy, asleep
#else
	assert(file[0].refs == (depth > 0)) // the loop, asleep
#endif
#endif
}

init {
	LOCALS;
	atomic {
		do
		:: i < ASYNCS -> activate(i); started[i] = true; i++
		:: else -> break
		od;
#if POSTS > 0
		activate(MAIL);
#endif
		run netpoller();
#if RECALLS > 0
		run proxy(); run host();
#if HOSTCLOSES > 0
		run hostCloser();
#endif
#elif EXPOSED
		strategy = WAKE_DIRECT; // it does not matter
		run foreign();
#else
		run loop();
#endif
#ifndef FOREVER
		run judge();
#endif
		i = 0;
		do :: i < SENDERS -> run sender(); i++ :: else -> break od;
#if STOPS > 0
		i = 0;
		do :: i < STOPS -> run stopper(); i++ :: else -> break od;
#endif
#if CLOSES > 0
		i = 0;
		do :: i < CLOSES -> run closer(); i++ :: else -> break od;
#endif
	}
}
