// embed_poll.go: the loop is embedded. A proxy parks in it while its host parks, and the
// host recalls it. The host's own park is assumed to work: it ends when sweeping is set, or
// when the host is closed.

bool turn;
bool back;
bool sweeping;

proctype proxy() {
	LOCALS;
	byte b, until;
	bool quiet, done, expired;
end_idle:                                               //~ embed_poll.go: func runProxy(turns <-chan turn, back chan<- struct{}) {
	do
	:: atomic { turn -> turn = false };                 //| for t := range turns {
	                                                    //| t.embed.parkByProxy(t.until)
	                                                    //| back <- struct{}{}
	                                                    //.
	                                                    //~ embed_poll.go: func (e *Embed) parkByProxy(until time.Duration) {
	   sleep();                                         //| other.sleep(other.mono, until, true)
	   d_step { quiet = false; done = false; expired = false; ok = false };
	   if                                               //| if other.foundFiles() || !other.requests.empty() || other.isClosed() ||
	   :: head != taken -> sweeping = true              //| e.send(e.loop)
#ifndef PROXY_IGNORES_CLOSE
	   :: closed -> sweeping = true
#endif
	   :: else
	   fi;                                              //.
	   atomic { out = false; back = true }
	od
}

inline delegate() {                                     //~ embed_poll.go: func (e *Embed) delegate(sleep bool) {
	lock(mu);                                           //| other.mu.Lock()
	delegated = !closed;                                //| e.delegated = !other.isClosed()
	unlock(mu);                                         //| other.mu.Unlock()
	if
	:: !delegated -> sweeping = true                       //| if !e.delegated {
	                                                    //| e.send(e.loop)
	:: else ->
	   assert(!torn);
	   plan();                                          //| until, now := other.plan()
	   if
	   :: now -> sweeping = true                           //| e.send(e.loop)
	   :: else ->                                       //| case sleep:
	      atomic { proxied = true; out = true; turn = true } //| e.useProxy(until)
	   fi;
	   now = false
	fi
}                                                       //.

// The result is in dead: the embedded loop is closed.
inline recall() {                                       //~ embed_poll.go: func (e *Embed) recall() (closed bool) {
	if
	:: proxied ->                                       //| if e.proxied {
	   proxied = false;                                 //| e.proxied = false
	   recalled = true;                                 //| other.recalled.Store(1)
#ifndef RECALL_WITHOUT_WAKE
	   wakeNow();                                       //| other.wakeNow()
#endif
	   atomic { back -> back = false };                 //| <-e.proxy.back
	   recalled = false                                 //| other.recalled.Store(0)
	:: else
	fi;
	delegated = false;                                  //| e.delegated = false
	lock(mu);                                           //| other.mu.Lock()
	dead = closed;                                      //| return closed || other.isClosed()
	unlock(mu)
}                                                       //.

// Embed.Stop.
inline stopEmbed() {                                    //~ embed_tree.go: func (e *Embed) detach() (deferred []*Loop) {
	lock(embedding);                                    //| embedding.Lock()
	attached = false;                                   //| e.other.host = nil
#ifndef STOP_FORGETS_DEFERRED
	mine = deferred;                                    //| return e.other.takeDeferred(l, nil)
#endif
	deferred = false;
	unlock(embedding);
	if                                                  //.
	:: mine -> mine = false; teardown()                 //~ embed_tree.go: func (e *Embed) teardown(l *Loop) {
	                                                    //| _ = l.teardown()
	:: else                                             //.
	fi
}

inline hostTeardown() {
	assert(!hostTorn); hostTorn = true;
	if
	:: attached -> stopEmbed()
	:: else
	fi
}

// Another Run of the embedded loop is admitted only by the host's goroutine: the sweep.
inline sweep() {                                        //~ embed.go: func (e *Embed) Sweep() error {
#if CLOSES > 0
	enter();                                            //| return e.other.RunNoWait()
	if
	:: refused
	:: else -> collect(); pass(); leave()
	fi;
	refused = false
#else
	collect(); pass()
#endif
}                                                       //.

// endRun and finishRun, of a host.
inline endHostRun() {
	do
	::                                                  //~ run.go: func (l *Loop) endRun() (ended, closed bool) {
#ifdef END_LOOKS_TOO_EARLY
	   dead = attached && closed;
#endif
	   lock(hostMu);                                    //| l.mu.Lock()
#ifndef END_LOOKS_TOO_EARLY
	   dead = attached && closed;
#endif
	   if
	   :: dead || hostClosed && !hostTorn -> refused = true //| if last && (closed && !l.freed || len(l.embedded.closed(nil)) > 0) {
	                                                    //| return false, closed
	   :: else -> hostRunning = false; refused = false  //| l.runs = l.runs[:len(l.runs)-1]
	   fi;
	   unlock(hostMu);
	                                                    //.
	   if                                               //~ teardown.go: func (l *Loop) finishRun(panicked any) (closed bool) {
	   :: !refused -> break
	   :: refused && dead -> stopEmbed()                //| e.Stop()
	   :: refused && !dead -> hostTeardown()            //| _ = l.teardown()
	   fi                                               //.
	od;
	dead = false
}

// The host's iterations. It may be woken by what is its own, so many times, and its
// Run may end at any time if there are Closes to come between two Runs.
proctype host() {
	LOCALS;
	byte a, n, r, oldest, without, until;
	byte others = RECALLS, ticks, left = RUNS, changes, self, nested;
	bool took, now, proxied, delegated, nest, dead, mine, ended, refused, cut;
	do
	:: left > 0 ->
	   left--;
	   lock(hostMu);
	   refused = hostClosed;
	   hostRunning = !refused;
	   unlock(hostMu);
	   if
	   :: refused -> break
	   :: else
	   fi;
	   do
	   :: hostClosed -> break
#if CLOSES > 0
	   :: !hostClosed -> break
#endif
	   :: !hostClosed ->
	      if
	      :: attached -> delegate()
	      :: else
	      fi;
end_parked:
	      if
	      :: sweeping
	      :: hostClosed
	      :: others > 0 -> others--
	      fi;
	      if
	      :: attached -> recall()
	      :: else
	      fi;
	      if                                            //~ embed_poll.go: func (l *Loop) pollWithEmbedded(mode runMode) {
	      :: dead && attached -> stopEmbed()            //| l.stopClosedEmbeds()
	      :: else
	      fi;                                           //.
	      dead = false;
	      if
	      :: sweeping ->
	         sweeping = false;
	         if
	         :: attached -> sweep()
	         :: else
	         fi
	      :: else
	      fi
	   od;
	   endHostRun()
	:: else -> break
	od
}

// Close of the host.
#if HOSTCLOSES > 0
proctype hostCloser() {
	LOCALS;
	byte without;
	bool running, mine;
#ifdef CLOSE_TAKES_MU_FIRST
	lock(hostMu);
	lock(embedding);
#else
	lock(embedding);
	lock(hostMu);
#endif
	hostClosed = true;
	running = hostRunning;
	unlock(hostMu);
	unlock(embedding);
	if
	:: running
	:: else -> hostTeardown()
	fi
}
#endif
