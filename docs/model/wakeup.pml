// wakeup.go: the loop says that it parks, a sender claims the wake.

bool parked;
bool recalled;
byte way; // how.way of the park in progress

#define BY_WRITE 1
#define DIRECTLY 2
#define INSURED  4

byte claims; // in the park in progress

// The result is in quiet.
inline commit() {                                       //= wakeup.go: func (l *Loop) commit() bool {
	                                                    //- l.counters.parks.Inc()
#ifndef CHECK_BEFORE_PARKED
	atomic { parked = true; claims = 0 }                //| l.parked.Store(1)
#endif
	quiet = true;
#ifndef NO_RECHECK
	quiet = head == 0;                                  //| if l.requests.empty() && l.stopped.Load() == 0 && l.closed.Load() == 0 && l.recalled.Load() == 0 {
#endif
#ifndef NO_RECHECK_OF_STOPPED
	if :: quiet -> quiet = !stopped :: else fi;
#endif
	if :: quiet -> quiet = !closed :: else fi;
#ifndef NO_RECHECK_OF_RECALLED
	if :: quiet -> quiet = !recalled :: else fi;
#endif
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
	how = way;                                          //| way := l.how.way.Load()
	if
	:: how == DIRECTLY ->                               //| if way == directly {
	                                                    //- l.counters.directWakes.Inc()
	   wakeByDeadline()                                 //| l.poller.wakeByDeadline()
	                                                    //| return
	:: how == INSURED ->                                //- if l.how.mode == WakeAuto {
	                                                    //- l.how.written.Store(l.micros())
	                                                    //| if way == insured {
	   wakeWithin();                                    //| l.poller.wakeWithin(lateWrite)
	                                                    //- l.counters.fdWrites.Inc()
	   wakeByFD()                                       //| l.poller.wakeByFD()
	:: how == BY_WRITE -> wakeByFD()
	fi;
	how = 0
}                                                       //.

inline rouse() {                                        //= wakeup.go: func (l *Loop) rouse() {
	claim();                                            //| if l.claim() {
	                                                    //- l.noteClaim()
	                                                    //- l.counters.directWakes.Inc()
	wakeByDeadline()                                    //| l.poller.wakeByDeadline()
}                                                       //.

// What way a park has is left open: any.
inline sleep() {                                        //= wakeup.go: func (l *Loop) sleep(now, until time.Duration, files bool) {
	if                                                  //| l.how.choose(now)
	:: WAYS & BY_WRITE -> way = BY_WRITE
	:: WAYS & DIRECTLY -> way = DIRECTLY
	:: WAYS & INSURED  -> way = INSURED
	fi;
	                                                    //- l.how.written.Store(0)
	pollerPark();                                       //| l.poller.park(now, until, files, l.commitFunc)
	atomic { parked = false; claims = 0 }               //| l.parked.Store(0)
	                                                    //- if written := l.how.written.Load(); written != 0 {
	                                                    //- l.how.written.Store(0)
	                                                    //- l.how.judge(time.Duration(l.micros()-written)*time.Microsecond, time.Since(l.base))
}                                                       //.
