// libuv, for measurements.h. It counts in whole milliseconds.

#include "bench.h"

#include <uv.h>

typedef uv_loop_t loop;
typedef uv_async_t async;
typedef uv_timer_t timer;
typedef uv_prepare_t prepare;
typedef uv_idle_t idle;

#define ON_ASYNC(f) static void f(async *w)
#define ON_TIMER(f) static void f(timer *w)
#define ON_PREPARE(f) static void f(prepare *w)
#define ON_IDLE(f) static void f(idle *w)
#define LOOP w->loop

static uint64_t millis(ns d) { return (uint64_t)d / MS; }

// settable returns the shortest time that a timer can be set to and that is not
// shorter than d.
static ns settable(ns d) { return (d + MS - 1) / MS * MS; }

static loop *
loop_new(void)
{
	loop *l = grab(sizeof *l);
	check(uv_loop_init(l) == 0, "uv_loop_init failed");
	return l;
}

static void loop_run(loop *l) { uv_run(l, UV_RUN_DEFAULT); }
static void loop_turn(loop *l) { uv_run(l, UV_RUN_NOWAIT); }
static void loop_stop(loop *l) { uv_stop(l); }
static void loop_update(loop *l) { uv_update_time(l); }

// loop_now is the time from which timers count.
static ns loop_now(loop *l) { return (ns)uv_now(l) * MS; }

static void
async_start(loop *l, async *w, uv_async_cb cb, void *data)
{
	check(uv_async_init(l, w, cb) == 0, "uv_async_init failed");
	w->data = data;
}

static void async_send(loop *l, async *w) { uv_async_send(w); }

static uv_timer_cb timer_cb;

static void
timer_init(loop *l, timer *w, uv_timer_cb cb, ns d, ns repeat)
{
	uv_timer_init(l, w);
	uv_timer_set_repeat(w, millis(repeat));
	timer_cb = cb;
}

static void timer_start(loop *l, timer *w, ns d) { uv_timer_start(w, timer_cb, millis(d), uv_timer_get_repeat(w)); }
static void timer_stop(loop *l, timer *w) { uv_timer_stop(w); }

static void
timer_again(loop *l, timer *w, ns d)
{
	uv_timer_set_repeat(w, millis(d));
	uv_timer_again(w);
}

static void
prepare_start(loop *l, prepare *w, uv_prepare_cb cb)
{
	uv_prepare_init(l, w);
	uv_prepare_start(w, cb);
}

static void
idle_start(loop *l, idle *w, uv_idle_cb cb)
{
	uv_idle_init(l, w);
	uv_idle_start(w, cb);
}

static void version(int n) { printf("%s\n", uv_version_string()); }

#include "measurements.h"
