// netpoll_fd.go, and what it needs of the runtime: edges, deadlines, and files that
// are closed when no goroutine holds them. Each operation of the runtime is one step.

#define NEVER   0 // deadlines
#define SOON    1
#define PAST    2
#define UNKNOWN 3

// A file. pollFD 0 is the eventfd, which is written to too; pollFD 1 is the set.
typedef File {
	byte refs;
	bool closing;
	bool gone;     // the descriptor is closed, its number perhaps another's
	bool edge;     // in the kernel, for the runtime to fetch
	bool ready;    // an edge came, for the reader
	byte deadline;
	byte armed;    // pollFD.armed
	bool senderArmed  // pollFD.senderArmed
}

File file[POLLFDS];
byte parkedOn; // fdPoller.parkedOn
bool readable; // PollFD's descriptor: the set has an edge, of the eventfd or of the timerfd

// Without a Close, files need no references.
#if CLOSES > 0
inline incref(f) { d_step { ok = !file[f].closing; if :: ok -> file[f].refs++ :: else fi } }
inline decref(f) { d_step { file[f].refs--; file[f].gone = file[f].closing && file[f].refs == 0 } }
#else
inline incref(f) { ok = true }
inline decref(f) { ok = false }
#endif

inline setDeadline(f, d) {
	incref(f);
	if
	:: ok -> d_step { assert(!file[f].gone); file[f].deadline = d }; decref(f)
	:: else
	fi
}

// RawConn.Read, of which the function is pollFD.tries. An edge that came before is
// discarded. The result is in expired: whether the deadline ended it.
inline read(b) {
	incref(b);
	atomic {
	assert(ok && !file[b].gone);
	file[b].ready = false;
	expired = file[b].deadline == PAST;
	done = expired };
	if
	:: !done -> tries(b)
	:: else
	fi;
	if
	:: done
	:: else ->
end_asleep:
	   if
	   :: d_step { file[b].deadline == PAST -> expired = true }
	   :: d_step { file[b].ready -> file[b].ready = false }
	   fi
	fi;
	decref(b)
}

// The package.

inline tries(b) {                                       //= netpoll_fd.go: func (f *pollFD) tries(fd uintptr) bool {
	                                                    //- commit := f.commit
	                                                    //- if commit == nil {
	                                                    //- return f.try(fd, true)
	                                                    //- f.commit = nil
#ifndef COMMIT_BEFORE_READ
	commit();                                           //| return !commit() || f.try(fd, false)
#endif
#ifdef ARM_AFTER_COMMIT
	arm(b);
#endif
	done = !quiet
}                                                       //.

// The result is in expired.
inline sleepOn(b) {                                     //= netpoll_fd.go: func (p *fdPoller) sleep(f *pollFD, until time.Duration, commit func() bool) (expired bool) {
	                                                    //- if p.parkedOn.Load() != f {
#ifndef ON_AFTER_COMMIT
	parkedOn = b;                                       //| p.parkedOn.Store(f)
#endif
	if
	:: file[b].senderArmed ->                           //| if f.senderArmed.Load() != 0 {
	   file[b].senderArmed = false;                     //| f.senderArmed.Store(0)
	   file[b].armed = UNKNOWN                          //| f.armed = unknown
	:: else
	fi;
#ifndef ARM_AFTER_COMMIT
	if
	:: until != file[b].armed ->                        //| if until != f.armed {
	   arm(b)                                           //| f.arm(p.base, until)
	:: else
	fi;
#endif
	                                                    //- f.commit = commit
#ifdef COMMIT_BEFORE_READ
	commit();
#endif
	read(b);                                            //| err := f.read.Read(f.tryFunc)
#ifdef ON_AFTER_COMMIT
	parkedOn = b;
#endif
	                                                    //- f.commit = nil
	if
	:: expired ->                                       //| if err != nil {
	   file[b].armed = UNKNOWN                          //| f.armed = unknown
	:: else
	fi
	                                                    //| return err != nil
}                                                       //.

inline arm(b) {                                         //= netpoll_fd.go: func (f *pollFD) arm(base time.Time, until time.Duration) {
	                                                    //- var deadline time.Time
	                                                    //- if until != never {
	                                                    //- deadline = base.Add(until)
	setDeadline(b, until);                              //| if f.file.SetReadDeadline(deadline) == nil {
	file[b].armed = until                               //| f.armed = until
}                                                       //.

inline wakeByFD() {                                     //= netpoll_fd.go: func (p *fdPoller) wakeByFD() { _ = p.wakeConn.Control(p.signalFunc) }
#ifdef NO_PIN
	ok = !file[0].closing;
	if
	:: ok -> signal()
	:: else
	fi
#else
	incref(0);
	if
	:: ok -> signal(); decref(0)
	:: else
	fi
#endif
}                                                       //.

// signalWake: an edge on both, since the set watches the eventfd.
inline signal() {
	d_step {
		assert(!file[0].gone);
		file[0].edge = true
#if POLLFDS > 1
		; file[1].edge = true
#endif
#if EXPOSED
		; readable = true
#endif
	}
}

inline wakeByDeadline() {                               //= netpoll_fd.go: func (p *fdPoller) wakeByDeadline() { _ = p.parkedOn.Load().file.SetReadDeadline(longPast) }
	pfd = parkedOn;
	setDeadline(pfd, PAST);
	pfd = 0
}                                                       //.

inline wakeWithin() {                                   //= netpoll_fd.go: func (p *fdPoller) wakeWithin(d time.Duration) {
	pfd = parkedOn;                                     //| f := p.parkedOn.Load()
	file[pfd].senderArmed = true;                       //| f.senderArmed.Store(1)
	setDeadline(pfd, SOON);                             //| _ = f.file.SetReadDeadline(time.Now().Add(d))
	pfd = 0
}                                                       //.
