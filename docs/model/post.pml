// post.go: the mailbox.

bool mailbox; // mailbox.mu
byte in;
local byte jobs; // pending, the loop's

// The result is in refused.
inline put() {                                          //= post.go: func (m *mailbox) put(l *Loop, j job, c *caller) error {
	lock(mailbox);                                      //| m.mu.Lock()
	                                                    //| defer m.mu.Unlock()
	refused = false;
	if
#ifndef PUT_WHEN_CLOSED
	:: closed -> refused = true                         //| if l.isClosed() {
	                                                    //| return ErrClosed
	:: else ->
#else
	:: true ->
#endif
	   in++                                             //| m.in = append(m.in, j)
	                                                    //- if c != nil {
	                                                    //- m.calls.add(l, c)
	                                                    //| return nil
	fi;
	unlock(mailbox)
}                                                       //.

inline post() {                                         //= post.go: func (l *Loop) post(j job, c *caller) error {
	put();                                              //| if err := l.mail.put(l, j, c); err != nil {
	if
	:: refused                                          //| return err
	:: else -> send(MAIL)                               //| l.mail.send(l)
	fi
	                                                    //| return nil
}                                                       //.

inline takePosts() {                                    //= post.go: func (l *Loop) takePosts() {
	takeMail()                                          //| jobs := l.mail.takeAll(l.pending.posts == 0)
	                                                    //- for _, j := range jobs {
	                                                    //- l.pending.post(j)
	                                                    //- l.mail.recycle(jobs)
	                                                    //- l.looks.mark()
}                                                       //.

inline takeMail() {                                     //= post.go: func (m *mailbox) takeAll(begun bool) []job {
	lock(mailbox);                                      //| m.mu.Lock()
	                                                    //| defer m.mu.Unlock()
	                                                    //- m.calls.collect(begun)
	swapMail();                                         //| return m.swap()
	unlock(mailbox)
}                                                       //.

inline swapMail() {                                     //= queue.go: func (b *inbox[T]) swap() []T {
	d_step { jobs = jobs + in;                          //| batch := b.in
	in = 0 }                                            //| b.in, b.spare = b.spare, nil
	                                                    //| return batch
}                                                       //.

inline dropMail() {                                     //= queue.go: func (b *inbox[T]) drop() {
	lock(mailbox);                                      //| b.mu.Lock()
	                                                    //| defer b.mu.Unlock()
	in = 0;                                             //| b.in, b.spare = nil, nil
	unlock(mailbox)
}                                                       //.
