// An Async as its user sees it, and the promises.

local bool pending[ASYNCS];

bool started[ASYNCS]; // Start has returned, Stop was not called
bool owed[ASYNCS];    // a Send began that no callback has begun after
bool unseen[ASYNCS];  // something was written before a Send that no callback has read
byte balance[ASYNCS]; // Sends less callbacks

// A sender writes, then sends. Only a Send on a started watcher is promised
// something.
inline Send(a) {
	unseen[a] = started[a];
	atomic {
	owed[a] = started[a];
#ifdef COUNTED
	balance[a]++;
#endif
	ok = (req[a].state & REQUESTED) != 0                //~ async.go: func (a *Async) Send() {
	};
	if                                                  //| if a.state.Load()&requested != 0 {
	:: ok
	:: else -> send(a)                                  //| a.send(a.loop)
	fi;                                                 //.
	atomic { s = 0; to = 0; ok = false }
}

// Start and Stop, on the loop.

inline Start(a) {                                       //~ async.go: func (a *Async) Start() {
	if                                                  //| if a.begin() {
	:: !closed -> activate(a); started[a] = true        //| a.loop.requests.activate(&a.request)
	:: else
	fi
}                                                       //.

inline onStop(a) {                                      //~ async.go: func (a *Async) onStop() {
	d_step { started[a] = false; owed[a] = false; unseen[a] = false }
	deactivate(a)                                       //| a.loop.requests.deactivate(&a.request)
}                                                       //.

inline Stop(a) {                                        //~ watcher.go: func (w *watcher) Stop() {
#ifndef STOP_KEEPS_PENDING
	pending[a] = false;                                 //| l.pending.clear(w)
#endif
	onStop(a)                                           //| w.self.onStop()
}                                                       //.

inline toggle(a) {
	if
	:: started[a] -> Stop(a)
	:: else -> Start(a)
	fi
}

inline call(a) {
	d_step {
		pending[a] = false;
		assert(started[a] && !torn);
#ifdef COUNTED
		assert(balance[a] > 0);
		balance[a]--;
#endif
		owed[a] = false
	}
	unseen[a] = false;
#ifdef CLEAR_AFTER
	change(a, REQUESTED, 0);
#endif
#if SELF > 0
	if
	:: self > 0 -> self--; Send(a)
	:: true
	fi;
#endif
#if NESTED > 0
	if
	:: nested > 0 -> nested--; nest = true
	:: true
	fi;
#endif
}
