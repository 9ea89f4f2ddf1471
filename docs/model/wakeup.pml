// wakeup.go: the loop announces that it parks, a sender claims the wake.

bool parked;
bool recalled;
byte strategy; // wakePolicy.strategy of the park in progress, and the mode

#define WAKE_FD               1
#define WAKE_DIRECT           2
#define WAKE_FD_WITH_DEADLINE 4

byte claims; // in the park in progress

// The result is in quiet: whether nobody asks for anything.
inline asked() {                                        //= wakeup.go: func (l *Loop) asked() bool {
	quiet = true;
#ifndef NO_RECHECK
	quiet = head == taken;                              //| return !l.requests.empty() || l.stopped.Load() != 0 || l.closed.Load() != 0 || l.recalled.Load() != 0
#endif
#ifndef NO_RECHECK_OF_STOPPED
	if :: quiet -> quiet = !stopped :: else fi;
#endif
	if :: quiet -> quiet = !closed :: else fi;
#ifndef NO_RECHECK_OF_RECALLED
	if :: quiet -> quiet = !recalled :: else fi
#endif
}                                                       //.

// The result is in quiet.
inline commit() {                                       //= wakeup.go: func (l *Loop) commit() bool {
	                                                    //- l.counters.parks.Inc()
#ifndef CHECK_BEFORE_PARKED
	atomic { parked = true; claims = 0 }                //| l.parked.Store(1)
#endif
	asked();                                            //| if !l.asked() {
#ifdef CHECK_BEFORE_PARKED
	atomic { parked = true; claims = 0 }
#endif
	if
	:: quiet                                            //| return true
	:: atomic { !quiet -> parked = false; claims = 0 }  //| l.parked.Store(0)
	                                                    //| return false
	fi
}                                                       //.

// The result is in ok.
inline claim() {                                        //= wakeup.go: func (l *Loop) claim() bool { return l.parked.Load() != 0 && l.parked.CompareAndSwap(1, 0) }
	ok = parked;
	if
	:: ok ->
	   atomic {
#ifdef STORE_NOT_CAS
	   parked = false;
#else
	   CAS(parked, true, false);
#endif
	   if
	   :: ok -> claims++; assert(claims == 1)
	   :: else
	   fi }
	:: else
	fi
}                                                       //.

inline wake() {                                         //= wakeup.go: func (l *Loop) wake() {
	claim();                                            //| if l.claim() {
	if
	:: ok -> finishWake()                               //| l.finishWake()
	:: else
	fi
}                                                       //.

inline finishWake() {                                   //= wakeup.go: func (l *Loop) finishWake() {
	                                                    //- l.noteClaim()
	                                                    //- w := &l.wakePolicy
#if EXPOSED && !defined(EXPOSED_WAKES_DIRECTLY)
	                                                    //- if l.exposed.Load() != 0 {
	                                                    //- l.counters.fdWrites.Inc()
	wakeByFD()                                          //| l.poller.wakeByFD()
	                                                    //| return
#else
	                                                    //- if w.mode == WakeAuto {
	                                                    //- w.woken.Store(l.nanos())
	chosen = strategy;                                  //| if w.strategy.Load() == wakeDirect {
	if
	:: chosen == WAKE_DIRECT ->
	                                                    //- l.counters.directWakes.Inc()
	   wakeByDeadline()                                 //| l.poller.wakeByDeadline()
	                                                    //| return
	:: chosen == WAKE_FD_WITH_DEADLINE ->               //| if w.mode == WakeAuto {
	   wakeWithin();                                    //| l.poller.wakeWithin(time.Duration(w.limit.Load()))
	                                                    //- l.counters.fdWrites.Inc()
	   wakeByFD()                                       //| l.poller.wakeByFD()
	:: chosen == WAKE_FD -> wakeByFD()
	fi;
	chosen = 0
#endif
}                                                       //.

inline wakeNow() {                                      //= wakeup.go: func (l *Loop) wakeNow() {
	claim();                                            //| if l.claim() {
	                                                    //- l.noteClaim()
	                                                    //- l.counters.directWakes.Inc()
	wakeByDeadline()                                    //| l.poller.wakeByDeadline()
}                                                       //.

// Any strategy: a write has a deadline beside it in WakeAuto, and none in WakeWrite. A park
// with a time limit that a deadline ends may be over, whoever set the deadline.
inline sleep() {                                        //= wakeup.go: func (l *Loop) sleep(now, until time.Duration, files bool) {
	                                                    //- w := &l.wakePolicy
	do                                                  //| for {
	::
	   if                                               //| w.choose()
	   :: STRATEGIES & WAKE_FD -> strategy = WAKE_FD
	   :: STRATEGIES & WAKE_DIRECT -> strategy = WAKE_DIRECT
	   :: STRATEGIES & WAKE_FD_WITH_DEADLINE -> strategy = WAKE_FD_WITH_DEADLINE
	   fi;
	                                                    //- w.woken.Store(0)
	   pollerPark();                                    //| l.poller.park(now, until, files, l.commitFunc)
	   atomic { parked = false; claims = 0 }            //| l.parked.Store(0)
	   asked();                                         //| if l.asked() || l.poller.found() || l.depth > 1 {
	   if
	   :: depth > 1 -> break
	   :: !quiet -> break                               //| break
	   :: quiet && until == SOON -> break               //| if now = time.Since(l.base); now >= until {
	                                                    //| break
	   :: quiet && !(until == SOON && expired)
	   fi
	od;
	true // no jump into the d_step that may follow
	                                                    //- if woken := w.woken.Load(); woken != 0 {
	                                                    //- w.woken.Store(0)
	                                                    //- w.judge(time.Duration(l.nanos() - woken))
}                                                       //.
