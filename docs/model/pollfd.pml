// pollfd.go: the loop is inside of another program's main loop, which polls a descriptor.

bool set;      // the timerfd will expire
bool due;      // it has, and no Run has looked since

// A part of the Run that ends, and of PollFD.
inline offer() {                                        //= pollfd.go: func (l *Loop) offer() {
	plan();                                             //| until, now := l.plan()
#ifdef OFFER_CHECKS_FIRST
	ok = head != taken;
#endif
	                                                    //- if !now {
	                                                    //- until, now = l.dueAt(until)
	if
	:: !now && until == SOON ->                         //| if !now && until < farAway {
	   assert(!torn);
	   set = true                                       //| now = !l.poller.(exposer).wakeAt(until)
	:: else
	fi;
#ifndef OFFER_DOES_NOT_PARK
	atomic { parked = true; claims = 0 }                //| l.parked.Store(1)
#endif
#ifndef OFFER_CHECKS_FIRST
	ok = head != taken;                                 //| if now || l.pending.count > 0 || !l.requests.empty() {
#endif
	if
	:: now || ok -> wake()                              //| l.wake()
	:: else
	fi;
	atomic { now = false; until = NEVER; ok = false }
}                                                       //.

// The goroutine of the other main loop: it polls the descriptor, and calls RunNoWait. The first Run
// stands for PollFD, beside which nobody may close the loop.
proctype foreign() {
	LOCALS;
	byte a, n, r, oldest, without, until;
	byte changes = CHANGES, ticks = TICKS, self = SELF;
	bool took, now, refused, nest, ended;
	readable = true;
end_polls:
	do
#if CHANGES > 0
	:: changes > 0 ->                                   // between two Runs
	   changes--;
	   if :: a = 0 :: a = ASYNCS - 1 fi;
	   toggle(a);
	   a = 0;                                           //~ stats.go: func (l *Loop) publishIfIdle() {
	                                                    //- if l.depth == 0 {
	                                                    //- l.publishWatchers()
	                                                    //- if l.exposed.Load() != 0 {
	   wake()                                           //| l.wake()
	                                                    //.
#endif
	:: readable ->
	   enter();                                         //~ loop.go: func (l *Loop) run(ctx context.Context, mode runMode) (err error) {
	   if
	   :: refused -> break                              //| id, err := l.enter(mode)
	   :: else
	   fi;
	                                                    //- if l.exposed.Load() != 0 {
	   atomic { parked = false; claims = 0 };           //| l.parked.Store(0)
	   pass();                                          //| l.invoke()
	                                                    //.
	   d_step { readable = false; due = false };        //~ loop.go: func (l *Loop) look(always bool) {
	                                                    //| l.poller.poll()
	                                                    //.
	   collect();                                       //~ loop.go: func (l *Loop) iterate(mode runMode) {
	                                                    //| l.collect()
	   pass();                                          //| l.callPending(&l.closed)
	                                                    //.
	   leave()
	od
}
