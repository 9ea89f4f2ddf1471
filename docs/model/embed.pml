// embed.go: the loop is a guest. A sitter parks in it while its host parks, and the
// host recalls it. The host's own park is taken to work: it ends when asked is set.

bool turn;
bool back;
bool asked;

proctype sitter() {
	LOCALS;
	byte b, until;
	bool quiet, done, expired;
end_idle:                                               //~ embed.go: func (e *Embed) sit(turns <-chan time.Duration, back chan<- struct{}) {
	do
	:: atomic { turn -> turn = false };                 //| for until := range turns {
	   do
	   :: recalled -> break                             //| for other.recalled.Load() == 0 {
	   :: else ->
	      sleep();                                      //| other.sleep(other.mono, until, true)
	      d_step { quiet = false; done = false; expired = false; ok = false }
	      if                                            //| if other.foundFiles() || !other.requests.empty() || other.isClosed() ||
	      :: head != 0 -> asked = true; break           //| e.send(e.loop)
	      :: else
	      fi
	   od;
	   back = true                                      //| back <- struct{}{}
	od
}                                                       //.

inline lend() {                                         //~ embed.go: func (e *Embed) lend(sleep bool) {
	plan();                                             //| until, now := other.plan()
	if
	:: now -> asked = true                              //| e.send(e.loop)
	:: else ->                                          //| case sleep:
	   given = true; turn = true                        //| e.give(until)
	fi;
	now = false
}                                                       //.

inline recall() {                                       //~ embed.go: func (l *Loop) recall(dead []*Embed) []*Embed {
	if
	:: given ->                                         //| if e.given {
	   given = false;                                   //| e.given = false
	   recalled = true;                                 //| other.recalled.Store(1)
#ifndef RECALL_WITHOUT_ROUSE
	   rouse();                                         //| other.rouse()
#endif
	   atomic { back -> back = false };                 //| <-e.back
	   recalled = false                                 //| other.recalled.Store(0)
	:: else
	fi
}                                                       //.

// The host's iterations. It may be woken by what is its own, so many times.
proctype host() {
	LOCALS;
	byte a, n, r, oldest, without, until;
	byte others = RECALLS, ticks;
	bool took, now, given, nest;
	do
	:: lend();
end_parked:
	   if
	   :: asked
	   :: others > 0 -> others--
	   fi;
	   recall();
	   if
	   :: asked -> asked = false; collect(); pass()
	   :: else
	   fi
	od
}
