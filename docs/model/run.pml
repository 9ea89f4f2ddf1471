// run.go and loop.go: Runs, requests to stop them, Close.

typedef Run { bool stop; byte id }

Run runs[DEPTH];  // guarded by mu
byte depth;      // len(runs)
byte lastID;
bool mu;
bool stopped;
bool closed;
bool torn; // the teardown began

// The result is in cut.
inline interrupted() {                                  //= run.go: func (l *Loop) interrupted() bool { return l.stopped.Load() != 0 || l.isClosed() }
	cut = stopped;
	if :: !cut -> cut = closed :: else fi
}                                                       //.

// The result is in refused.
inline enter() {                                        //~ run.go: func (l *Loop) enter(mode runMode) (uint64, error) {
	lock(mu);                                           //| l.mu.Lock()
	                                                    //| defer l.mu.Unlock()
	refused = false;
	if
#ifdef ENTER_WHEN_CLOSED
	:: false
#else
	:: closed -> refused = true                         //| if l.isClosed() {
	                                                    //| return 0, ErrClosed
#endif
	:: else ->
	   d_step {
	   lastID++;                                        //| l.runID++
	   runs[depth].stop = false; runs[depth].id = lastID;
	   depth++ };                                       //| l.runs = append(l.runs, run{id: l.runID})
#ifndef ENTER_KEEPS_STOPPED
	   stopped = false                                  //| l.stopped.Store(0)
#endif
	fi;
	unlock(mu)
}                                                       //.

inline leave() {                                        //= run.go: func (l *Loop) leave(err error) error {
	                                                    //- l.publish()
	                                                    //- l.tidy()
	lock(mu);                                           //| l.mu.Lock()
	assert(runs[depth - 1].stop || closed); // nothing else ends this Run
	d_step { depth--;                                   //| l.runs = l.runs[:len(l.runs)-1]
	runs[depth].stop = false; runs[depth].id = 0 };
	                                                    //- l.depth = len(l.runs)
#ifndef LEAVE_KEEPS_STOPPED
	mirrorStop();                                       //| l.mirrorStop()
#endif
	cut = closed;                                       //| closed, last := l.isClosed(), l.depth == 0
	                                                    //- if last {
	                                                    //- l.owner = 0
	unlock(mu);                                         //| l.mu.Unlock()
	                                                    //- if last {
	                                                    //- l.buryGuests()
	if                                                  //| if !closed {
	                                                    //| return err
	:: cut && depth == 0 ->                             //| if last {
	   teardown()                                       //| _ = l.teardown()
	:: else
	fi
	                                                    //| return ErrClosed
}                                                       //.

inline mirrorStop() {                                   //= run.go: func (l *Loop) mirrorStop() {
	                                                    //- stop := uint32(0)
	                                                    //- if n := len(l.runs); n > 0 && l.runs[n-1].stop {
	                                                    //- stop = 1
	if
	:: depth > 0 -> stopped = runs[depth - 1].stop       //| l.stopped.Store(stop)
	:: else -> stopped = false
	fi
}                                                       //.

#define INNERMOST 0 // Stop
#define ALL       1 // StopAll

inline stopRuns(which) {                                //= run.go: func (l *Loop) stopRuns(which func(i int, r run) bool) {
#ifdef WAKE_BEFORE_STOP
	wake();
#endif
	lock(mu);                                           //| l.mu.Lock()
	d_step {
	i = 0;
	do                                                  //| for i := range l.runs {
	:: i < depth ->
	   if                                               //| if which(i, l.runs[i]) {
	   :: which == ALL || i == depth - 1 ->
	      runs[i].stop = true                            //| l.runs[i].stop = true
	   :: else
	   fi;
	   i++
	:: else -> i = 0; break
	od };
	mirrorStop();                                       //| l.mirrorStop()
	unlock(mu);                                         //| l.mu.Unlock()
#if !defined(STOP_WITHOUT_WAKE) && !defined(WAKE_BEFORE_STOP)
	wake()                                              //| l.wake()
#endif
}                                                       //.

inline close() {                                        //~ loop.go: func (l *Loop) Close() error {
	lock(mu);                                           //| l.mu.Lock()
	if
	:: closed ->                                        //| if l.isClosed() {
	   unlock(mu)                                       //| l.mu.Unlock()
	                                                    //| return nil
	:: else ->
	   closed = true;                                   //| l.closed.Store(1)
	                                                    //- close(l.done)
	   running = depth > 0;                             //| running := len(l.runs) > 0 || l.lent
	                                                    //- if !running && l.heldByHost() {
	                                                    //- running, l.owed = true, true
	   unlock(mu);                                      //| l.mu.Unlock()
	   if
	   :: running ->                                    //| if running {
#ifdef CLOSE_WITHOUT_WAKE
	      skip
#else
	      wake()                                        //| l.wake()
#endif
	                                                    //| return nil
	   :: else -> teardown()                            //| return l.teardown()
	   fi;
	   running = false
	fi
}                                                       //.

// No Cleanups.
inline teardown() {                                     //= loop.go: func (l *Loop) teardown() (err error) {
	assert(!torn); torn = true;
	loopFree()                                          //| defer func() { err = l.free() }()
	                                                    //- l.pending.drop()
	                                                    //- l.markCleanups()
	                                                    //- l.callPending(new(atomic.Uint32))
	                                                    //- return nil
}                                                       //.

inline loopFree() {                                     //~ loop.go: func (l *Loop) free() error {
	i = 0;
	do                                                  //| for len(l.active) > 0 {
	:: i < ASYNCS ->
	   if
	   :: started[i] -> halt(i)                         //| w.self.halt()
	   :: else
	   fi;
	   i++
	:: else -> break
	od;
	i = 0;
	do
	:: i < ASYNCS -> pending[i] = false; i++            //| l.pending.drop()
	:: else -> i = 0; jobs = 0; break
	od;
	dropMail();                                         //| l.mail.drop()
	pollerClose()                                       //| return l.poller.close()
}                                                       //.

inline pollerClose() {                                  //~ netpoll_fd.go: func (p *fdPoller) close() error {
	do                                                  //| err := errors.Join(p.set.close(), p.timer.close(), p.wake.file.Close())
	:: i < BEDS -> closeFile(i); i++
	:: else -> i = 0; break
	od
}                                                       //.

// File.Close: whoever is the last to hold it closes the descriptor, and Close
// waits for that. It would for ever if somebody were parked.
inline closeFile(f) {
	d_step {
		assert(!file[f].closing);
		file[f].closing = true;
		file[f].refs++
	}
	decref(f);
	file[f].gone
}
