// run.go and teardown.go: Runs, requests to stop them, Close.

typedef Run { bool stop; byte id }

Run runs[DEPTH];  // guarded by mu
byte depth;      // len(runs)
byte lastID;
bool mu;
bool stopped;
bool closed;
bool torn; // the teardown began
bool freed; // it has ended

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

inline leave() {                                        //= run.go: func (l *Loop) leave(mode runMode, outer context.Context, err *error) {
	                                                    //- l.ctx = outer
	                                                    //- l.now()
	                                                    //- l.publish()
	                                                    //- l.tidy()
	                                                    //- if mode == forever && l.depth == 1 {
	                                                    //- l.shrinkAll()
	                                                    //- if l.depth == 1 {
	                                                    //- l.endSpare()
	                                                    //- if l.advisor != nil {
	                                                    //- l.advisor.leaves()
#if EXPOSED && !defined(OFFER_AFTER_THE_RUN)
	offer();                                            //| if l.exposed.Load() != 0 {
	                                                    //| l.offer()
#endif
	endRun();                                           //| ended, closed := l.endRun()
	if                                                  //| if !ended {
	:: !ended -> finishRun()                            //| closed = l.finishRun(recover())
	:: else
	fi
	                                                    //- if closed {
	                                                    //- *err = ErrClosed
#ifdef OFFER_AFTER_THE_RUN
	; if :: !closed -> offer() :: else fi
#endif
}                                                       //.

// This loop embeds none; host, in embed.pml, does. The result is in ended.
inline endRun() {                                       //= run.go: func (l *Loop) endRun() (ended, closed bool) {
	lock(mu);                                           //| l.mu.Lock()
	                                                    //| defer l.mu.Unlock()
	                                                    //| closed = l.isClosed()
	                                                    //| last := len(l.runs) == 1
	if
#ifdef LEAVE_WITHOUT_TEARDOWN
	:: false
#else
	:: depth == 1 && closed && !freed ->                //| if last && (closed && !l.freed || len(l.embedded.closed(nil)) > 0) {
#endif
	   ended = false                                    //| return false, closed
	:: else ->
	   assert(RECALLS > 0 || EXPOSED || runs[depth - 1].stop || closed); // nothing else ends this Run
	   d_step { depth--;                                //| l.runs = l.runs[:len(l.runs)-1]
	   runs[depth].stop = false; runs[depth].id = 0 };
	                                                    //- l.depth = len(l.runs)
#ifndef LEAVE_KEEPS_STOPPED
	   mirrorStop();                                    //| l.mirrorStop()
#endif
	                                                    //- if last {
	                                                    //- l.owner = 0
	   ended = true                                     //| return true, closed
	fi;
	unlock(mu)
}                                                       //.

inline finishRun() {                                    //~ teardown.go: func (l *Loop) finishRun(panicked any) (closed bool) {
	do
	:: ended -> break
	:: else ->
	   if
	   :: closed && !freed ->                           //| if l.isClosed() && !l.freed {
	      teardown()                                    //| _ = l.teardown()
	   :: else
	   fi;
	   endRun()                                         //| ended, closed = l.endRun()
	od                                                  //| return !ended
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

inline close() {                                        //= teardown.go: func (l *Loop) Close() error {
	                                                    //- l.checkConstructed("Close")
	shut();                                             //| closed, deferred := l.shut()
	                                                    //- if !closed {
	                                                    //- l.mail.refuse()
	                                                    //- switch {
	if
	:: already                                          //| case closed:
	                                                    //| return nil
	:: !already && running ->                           //| case deferred:
#ifndef CLOSE_WITHOUT_WAKE
	   wake()                                           //| l.wake()
#else
	   skip
#endif
	                                                    //| return nil
	:: !already && !running -> teardown()               //| return l.teardown()
	fi;
	atomic { already = false; running = false; ok = false; s = 0 }
}                                                       //.

// The results are in already, and in running: a Run has the loop, and takes it down.
inline shut() {                                         //= teardown.go: func (l *Loop) shut() (already, deferred bool) {
#ifndef CLOSE_TAKES_MU_FIRST
	lock(embedding);                                    //| embedding.Lock()
	                                                    //| defer embedding.Unlock()
	lock(mu);                                           //| l.mu.Lock()
#else
	lock(mu);
	lock(embedding);
#endif
	already = closed;                                   //| already = l.isClosed()
	running = depth > 0;                                //| running := len(l.runs) > 0
	if
	:: !already ->                                      //| if !already {
	   closed = true                                    //| l.closed.Store(1)
	                                                    //- close(l.done)
	:: else
	fi;
#ifndef CLOSE_TAKES_MU_FIRST
	unlock(mu);                                         //| l.mu.Unlock()
#endif
#if RECALLS > 0
	if                                                  //| return already, !already && (running || l.deferClose())
	:: !already && !running -> deferClose()
	:: else
	fi;
#endif
#ifdef CLOSE_TAKES_MU_FIRST
	unlock(mu);
#endif
	unlock(embedding)
}                                                       //.


// No Cleanups.
inline teardown() {                                     //~ teardown.go: func (l *Loop) teardown() (err error) {
	assert(!torn); torn = true;
#if RECALLS > 0
	assert(!out); // the proxy has come back
#endif
	loopFree();                                         //| embeds, err = l.free()
	freed = true
}                                                       //.

inline loopFree() {                                     //~ teardown.go: func (l *Loop) free() ([]*Embed, error) {
	i = 0;
	do                                                  //| for len(l.active) > 0 {
	:: i < ASYNCS ->
	   if
	   :: started[i] -> onStop(i)                       //| w.self.onStop()
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
	pollerClose()                                       //| return embeds, l.resources.close()
}                                                       //.

inline pollerClose() {                                  //~ netpoll_fd.go: func (p *fdPoller) close() error {
	do                                                  //| err := errors.Join(p.set.close(), p.timer.close(), p.wake.file.Close())
	:: i < POLLFDS -> closeFile(i); i++
	:: else -> i = 0; break
	od
}                                                       //.

// File.Close waits until the last goroutine that holds the file has closed the
// descriptor: for ever, if one were parked.
inline closeFile(f) {
	d_step {
		assert(!file[f].closing);
		file[f].closing = true;
		file[f].refs++
	}
	decref(f);
	file[f].gone
}
