// embed_tree.go: which loop is the host, and which Run has it.

bool embedding; // the lock that comes before any mu
bool out; // the proxy has the loop

// The host, of which only this is left: whether it embeds the loop, and its Run.
bool attached = true;  // loop.host, and that the Embed is active
bool hostMu;
bool hostRunning;      // len(host.runs) > 0
bool hostClosed;
bool hostTorn;
bool deferred;         // loop.deferredTo is the host

// Of Close of the embedded loop, with embedding held. The result is in running.
inline deferClose() {                                   //= embed_tree.go: func (l *Loop) deferClose() bool {
	if                                                  //| for h := l.host; h != nil; h = h.host {
	:: attached ->
	   lock(hostMu);                                    //| h.mu.Lock()
	   running = hostRunning;                           //| running := len(h.runs) > 0
	   unlock(hostMu);                                  //| h.mu.Unlock()
	   if
	   :: running ->                                    //| if running {
	      deferred = true                               //| l.deferredTo = h
	                                                    //| return true
	   :: else                                          //| return false
	   fi
	:: else
	fi
}                                                       //.
