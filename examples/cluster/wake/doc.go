// Package wake gives an [ev.Async] a name that a fleet of processes knows. Any
// process may wake the owners of a name; the wake-ups travel as core NATS
// messages without data, and collapse on the way: in the sender, and again in
// the owner's loop.
//
// What changed is not in the message. A sender writes the state to a store that
// all reach, then calls [Sender.Send]; the owner's callback reads the state
// again, all of it. Hence one wake-up is as good as a thousand, one too many
// does no harm, and one that is lost is made good by any that comes later.
//
// # Why a lost message is harmless
//
// Only the last one matters: the promise is that after every Send a callback of
// each owner begins. Core NATS delivers at most once, so somebody has to notice
// where it did not. What can happen to a message, and who does:
//
//  1. It does not get to the server: the sender's connection broke, and the
//     owner's did not. Sends are requests. The sender repeats one that was not
//     answered, by an owner or by the server that knows of none.
//  2. The server has it, and the owner's connection breaks before it is there, or
//     is broken already. The owner's connection comes back, and the owner then
//     wakes itself.
//  3. The owner has not subscribed yet, or not again. The owner wakes itself
//     after a round trip behind its subscription: what the server took before
//     the subscription was written to the store before the owner reads it.
//  4. The owner's client drops it since too many wait for the handler. Then
//     others wait, one of them not in the handler yet, and the callback that this
//     one causes begins later. (A limit of one would break this: the one that
//     waits might have been handled, all but the accounting.)
//  5. It is lost and nobody can notice: between two servers of a cluster whose
//     route breaks, or on a connection that is dead but not closed, and another
//     owner has answered. For these the owner wakes itself when it has not been
//     woken for some time: the argument every of [Conn.Listen].
//
// With one server and one owner of a name 1 to 4 are complete. The fifth makes
// the promise hold whatever happens, late: after at most every, and the time that a
// read takes.
//
// Two things are asked of the program. The write must have reached the store
// when Send is called, and a read must not be older than the callback that
// starts it: a replica that lags behind, or a cache, undoes all of the above.
//
// # Not promised
//
//   - One callback per Send, or per message. There may also be callbacks without
//     a Send.
//   - That a Send was seen by an owner: that there is one is not known. An owner
//     that starts later reads the state when it starts.
//   - An order of wake-ups of different names.
package wake
