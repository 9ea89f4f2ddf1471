// libev, for measurements.h.

#include "bench.h"

#include <ev.h>

typedef struct ev_loop loop;
typedef ev_async async;
typedef ev_timer timer;
typedef ev_prepare prepare;
typedef ev_idle idle;

#define ON_ASYNC(f) static void f(loop *l, async *w, int events)
#define ON_TIMER(f) static void f(loop *l, timer *w, int events)
#define ON_PREPARE(f) static void f(loop *l, prepare *w, int events)
#define ON_IDLE(f) static void f(loop *l, idle *w, int events)
#define LOOP l

// settable returns the shortest time that a timer can be set to and that is not
// shorter than d.
static ns settable(ns d) { return d; }

static ev_tstamp seconds(ns d) { return d / 1e9; }

static loop *
loop_new(void)
{
	loop *l = ev_loop_new(EVFLAG_AUTO);
	check(l != 0, "ev_loop_new failed");
	return l;
}

static void loop_run(loop *l) { ev_run(l, 0); }
static void loop_turn(loop *l) { ev_run(l, EVRUN_NOWAIT); }
static void loop_stop(loop *l) { ev_break(l, EVBREAK_ALL); }
static void loop_update(loop *l) { ev_now_update(l); }

// loop_now is the time from which timers count. ev_now is that of the wall clock.
static ns loop_now(loop *l) { return now() - (ns)((ev_time() - ev_now(l)) * 1e9); }

static void
async_start(loop *l, async *w, void (*cb)(loop *, async *, int), void *data)
{
	ev_async_init(w, cb);
	w->data = data;
	ev_async_start(l, w);
}

static void async_send(loop *l, async *w) { ev_async_send(l, w); }

static void
timer_init(loop *l, timer *w, void (*cb)(loop *, timer *, int), ns d, ns repeat)
{
	ev_timer_init(w, cb, seconds(d), seconds(repeat));
}

static void timer_start(loop *l, timer *w, ns d) { ev_timer_start(l, w); }
static void timer_stop(loop *l, timer *w) { ev_timer_stop(l, w); }

static void
timer_again(loop *l, timer *w, ns d)
{
	w->repeat = seconds(d);
	ev_timer_again(l, w);
}

static void
prepare_start(loop *l, prepare *w, void (*cb)(loop *, prepare *, int))
{
	ev_prepare_init(w, cb);
	ev_prepare_start(l, w);
}

static void
idle_start(loop *l, idle *w, void (*cb)(loop *, idle *, int))
{
	ev_idle_init(w, cb);
	ev_idle_start(l, w);
}

static void version(int n) { printf("%d.%d\n", ev_version_major(), ev_version_minor()); }

#include "measurements.h"
