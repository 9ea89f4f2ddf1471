// Package wake gives an [ev.Async] a name in a fleet of processes. Any process
// may wake the owners of a name. The wake-ups are core NATS messages without
// data. They collapse in the sender, and again in the owner's loop.
//
// A message does not say what has changed. A sender writes the state to a
// shared store and then calls [Sender.Send]. The owner's callback reads the
// whole state again. So one wake-up is as good as a thousand, an extra one does
// no harm, and a lost one is made good by any later one.
//
// # Why a lost message is harmless
//
// The promise is that after every Send a callback of each owner begins, so only
// the loss of the last message matters. Core NATS delivers at most once, so
// losses must be detected. These are the ways to lose a message:
//
//  1. It does not reach the server, because the sender's connection broke. Sends
//     are requests. The sender repeats one that was not answered, by an owner or
//     by the server, which answers if there is no owner.
//  2. The server has it, and the owner's connection is broken or breaks before it
//     arrives. When the owner's connection is made again, the owner wakes itself.
//  3. The owner has not subscribed yet, or not again. The owner wakes itself
//     after a round trip behind its subscription. Messages that the server took
//     before the subscription were written to the store before the owner reads it.
//  4. The owner's client drops it because too many wait for the handler. Then
//     other messages wait, at least one of them not in the handler yet, and the
//     callback for that one begins later. (A limit of one would break this: the
//     message that waits might have been handled, except for the accounting.)
//  5. It is lost undetectably: between two servers of a cluster whose route
//     breaks, or on a connection that is dead but not closed, while another owner
//     has answered. For these cases the owner wakes itself when it has not been
//     woken for some time: the argument every of [Conn.Listen].
//
// With one server and one owner of a name, cases 1 to 4 are complete. Case 5
// covers all other losses, with a delay of at most every and the time of a
// read.
//
// The program must do two things. The write must have reached the store when
// Send is called. A read must not return older state than that of the time when
// its callback starts: a replica that lags behind, or a cache, breaks the
// promise.
//
// # Not promised
//
//   - One callback per Send, or per message. There may also be callbacks without
//     a Send.
//   - That an owner has seen a Send: there may be no owner. An owner that starts
//     later reads the state when it starts.
//   - An order of wake-ups of different names.
package wake
