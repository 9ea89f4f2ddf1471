// async.go: the word by which a sender requests a callback, and the list of requests.

#define ACTIVE    1
#define REQUESTED 2
#define LINKED    4

typedef Request {
	byte state;
	byte next;
	byte label // 0 is none
}

Request req[REQUESTS];
byte head;  // requests.head
byte taken; // requests.taken; the loop's, or the proxy's in its stead

// The loop's: the request of each number (1 + its index in req, 0 is nil), and the free
// numbers.
local byte all[REQUESTS + 1];
local byte many;
local byte free[REQUESTS];
local byte spare;

inline push(r) {                                        //= async.go: func (q *requests) push(r *request) {
	do                                                  //| for {
	:: atomic { h = head;                               //| head := q.head.Load()
	   req[r].next = h };                               //| r.next = head
	   atomic {
	   assert(req[r].label != 0 && req[r].label != taken);
	   CAS(head, h, req[r].label);                      //| if q.head.CompareAndSwap(head, r.label) {
	   h = 0;
	   if
	   :: ok -> break                                   //| return
	   :: else
	   fi }
	od
}                                                       //.

// The fast path of Async.Send and Queue.Send is the same load once more.
inline send(r) {                                        //= async.go: func (r *request) send(l *Loop) {
	do                                                  //| for {
	:: atomic {
	   s = req[r].state;                                //| s := r.state.Load()
	   if
	   :: s & REQUESTED -> break                        //| if s&requested != 0 {
	                                                    //| return
	   :: else
	   fi;
	   to = s | REQUESTED;                              //| next := s | requested
	   if
	   :: s & ACTIVE ->                                 //| if s&active != 0 {
	      to = to | LINKED                              //| next |= linked
	   :: else
	   fi }
	   atomic {
#ifdef STORE_IN_SEND
	   req[r].state = to; ok = true;
#else
	   CAS(req[r].state, s, to);                        //| if !r.state.CompareAndSwap(s, next) {
#endif
	                                                    //| continue
	   d_step { linking = ok && (to & ~s & LINKED); s = 0; to = 0 } //| if next&^s&linked != 0 {
	   if
	   :: ok && !linking -> break
	   :: else
	   fi }
	   if
	   :: linking ->
#ifdef WAKE_BEFORE_PUBLISH
	      wake();
	      push(r);
#else
	                                                    //- if notes := l.requests.sends.Load(); notes != nil {
	                                                    //- notes.note(r)
	      push(r);                                      //| l.requests.push(r)
	      if
	      :: parked ->                                  //| if l.parked.Load() != 0 {
	         wake()                                     //| l.wake()
	                                                    //- } else if l.advisor != nil {
	                                                    //- l.advisor.sent()
	      :: else
	      fi;
#endif
	      linking = false;
	      break                                         //| return
	   :: else
	   fi
	od
}                                                       //.

// The result is in s.
inline change(r, without, with) {                       //= async.go: func (r *request) change(clear, set uint32) uint32 {
	do                                                  //| for {
	:: s = req[r].state;                                //| s := r.state.Load()
	   atomic {
	   CAS(req[r].state, s, (s & ~(without)) | with);   //| if r.state.CompareAndSwap(s, s&^clear|set) {
	   if
	   :: ok -> break                                   //| return s
	   :: else
	   fi }
	od
}                                                       //.

inline activate(r) {                                    //= async.go: func (q *requests) activate(r *request) {
	d_step { if
	:: req[r].label == 0 ->                             //| if r.label == 0 {
	   if
	   :: spare > 0 ->                                  //| if n := len(q.free); n > 0 {
	      relabel(r, free[spare - 1]);                  //| q.relabel(r, q.free[n-1])
	      spare--                                       //| q.free = q.free[:n-1]
	   :: else ->                                       //| } else {
	      many++;                                       //| q.all = append(q.all, nil)
	      relabel(r, many)                              //| q.relabel(r, uint32(len(q.all)))
	   fi
	:: else
	fi }
	                                                    //- if notes := q.sends.Load(); notes != nil {
	                                                    //- notes.forget(r)
#ifdef START_KEEPS_REQUEST
	change(r, 0, ACTIVE)
#elif defined(START_FORGETS_LINKED)
	change(r, REQUESTED|LINKED, ACTIVE)
#else
	change(r, REQUESTED, ACTIVE)                        //| r.change(requested, active)
#endif
}                                                       //.

inline relabel(r, number) {                             //= async.go: func (q *requests) relabel(r *request, number uint32) {
	req[r].label = 2 * number;                          //| r.label = 2 * number
#ifndef RELABEL_AS_TAKEN
	if
	:: req[r].label == taken ->                         //| if r.label == q.taken {
	   req[r].label++                                   //| r.label++
	:: else
	fi;
#endif
	all[req[r].label / 2] = r + 1                       //| q.all[number-1] = r
}                                                       //.

inline deactivate(r) {                                  //= async.go: func (q *requests) deactivate(r *request) {
	change(r, ACTIVE, 0);                               //| if r.change(active, 0)&linked == 0 {
#ifdef RELEASE_WHILE_LINKED
	s = 0;
#endif
	if
	:: !(s & LINKED) -> release(r)                      //| q.release(r)
	:: else
	fi
}                                                       //.

inline release(r) {                                     //= async.go: func (q *requests) release(r *request) {
	d_step {
	assert(all[req[r].label / 2] == r + 1);
	all[req[r].label / 2] = 0;                          //| q.all[r.number()-1] = nil
	free[spare] = req[r].label / 2; spare++;            //| q.free = append(q.free, r.number())
	req[r].label = 0                                    //| r.label = 0
	}
}                                                       //.

// The result is in n. What is walked is the loop's own: the list from head on.
inline take() {                                         //= async.go: func (q *requests) take() (oldest uint32) {
	atomic {
	n = head;                                           //| head := q.head.Load()
	if
	:: n == taken -> n = 0                              //| if head == q.taken {
	                                                    //| return 0
	:: else ->
	   h = n;
#ifndef TAKE_KEEPS_LABEL
	   req[all[n / 2] - 1].label = req[all[n / 2] - 1].label ^ 1; //| q.all[head/2-1].label ^= 1
#endif
	   do                                               //| for n := head; n != q.taken; {
	   :: n != taken ->
	      assert(n / 2 <= many && all[n / 2] != 0);
	      r = all[n / 2] - 1;                           //| r := q.all[n/2-1]
	      assert(req[r].state & LINKED);
	      to = n; n = req[r].next;                      //| n, r.next, oldest = r.next, oldest, n
	      req[r].next = oldest; oldest = to
	   :: else -> break
	   od;
	   taken = h; h = 0;                                //| q.taken = head
	   n = oldest; oldest = 0; to = 0                   //| return oldest
	fi }
}                                                       //.

inline collect() {                                      //= async.go: func (l *Loop) collect() {
	                                                    //- q := &l.requests
	                                                    //- notes := l.requests.sends.Load()
	                                                    //- if notes != nil {
	                                                    //- notes.prepare(len(q.all))
	take();                                             //| for n := q.take(); n != 0; {
	do
	:: n == 0 -> break
	:: atomic { n != 0 ->
	   assert(n / 2 <= many && all[n / 2] != 0);
	   r = all[n / 2] - 1;                              //| r := q.all[n/2-1]
	   assert(req[r].state & LINKED);
#ifndef NEXT_AFTER_UNLINK
	   n = req[r].next                                  //| n = r.next
#endif
	                                                    //- if notes != nil {
	                                                    //- notes.take(r)
	                                                    //- switch {
	   };
	   unlink(r);                                       //| case !r.unlink():
#ifdef NEXT_AFTER_UNLINK
	   n = req[r].next;
#endif
	   if
	   :: atomic { !took -> s = req[r].state };         //| if r.state.Load()&active == 0 {
	      if
	      :: !(s & ACTIVE) -> release(r)                //| q.release(r)
	      :: else
	      fi                                            //| continue
	   :: atomic { took && r != MAIL ->                 //| case r.w != nil:
	      pending[r] = true }                           //| l.pending.mark(r.w, r.event)
	   :: atomic { took && r == MAIL ->                 //| default:
	      takePosts() }                                 //| l.takePosts()
	   fi
	                                                    //- l.collected++
	od;
	atomic { r = 0; s = 0; without = 0; took = false }
}                                                       //.

// The result is in took.
inline unlink(r) {                                      //= async.go: func (r *request) unlink() bool {
	do                                                  //| for {
	:: atomic {
	   s = req[r].state;                                //| s := r.state.Load()
	   without = LINKED;                                //| clear := uint32(linked)
	   took = (s & (ACTIVE|REQUESTED)) == (ACTIVE|REQUESTED); //| took := s&(active|requested) == active|requested
	   if
	   :: took ->                                       //| if took {
#ifndef CLEAR_AFTER
	      without = without | REQUESTED                 //| clear |= requested
#endif
	   :: else
	   fi }
#ifdef UNLINK_IN_TWO_STEPS
	   if
	   :: took -> req[r].state = req[r].state & ~REQUESTED
	   :: else
	   fi;
	   req[r].state = req[r].state & ~LINKED; break;
#endif
	   atomic {
	   CAS(req[r].state, s, s & ~without);              //| if r.state.CompareAndSwap(s, s&^clear) {
	   if
	   :: ok -> break                                   //| return took
	   :: else
	   fi }
	od
}                                                       //.
