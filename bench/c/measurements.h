// The measurements of a library. The file that includes this defines loop, async,
// timer, prepare and idle, the functions on them, and the type of a callback.

// Asyncs: the thread of a loop, and how to hold it in a callback.

static void *
run_loop(void *l)
{
	loop_run(l);
	return 0;
}

static sem held = SEM, released = SEM, drained = SEM;
static long calls, calls_expected;

ON_ASYNC(on_hold)
{
	post(&held);
	await(&released);
}

ON_ASYNC(on_counted)
{
	if (++calls == calls_expected)
		post(&drained);
}

ON_ASYNC(on_quit) { loop_stop(LOOP); }

// busy is a loop in a thread of its own.
struct busy {
	loop *l;
	pthread_t thread;
	async hold, quit;
};

static void
busy_start(struct busy *b)
{
	async_start(b->l, &b->hold, on_hold, 0);
	async_start(b->l, &b->quit, on_quit, 0);
	b->thread = spawn(run_loop, b->l);
}

static void
busy_hold(struct busy *b)
{
	async_send(b->l, &b->hold);
	await(&held);
}

static void
busy_end(struct busy *b)
{
	async_send(b->l, &b->quit);
	join(b->thread);
}

static void
send_pending(int unused)
{
	int sends = scaled(5000000);
	struct busy b = {loop_new()};
	async a;
	async_start(b.l, &a, on_counted, 0);
	busy_start(&b);
	busy_hold(&b);
	calls_expected = 1;
	async_send(b.l, &a);
	ns began = now();
	for (int i = 0; i < sends; i++)
		async_send(b.l, &a);
	ns took = now() - began;
	post(&released);
	await(&drained);
	busy_end(&b);
	check(calls == 1, "sends before the callback did not make one call");
	result((double)took / sends);
}

static void
send_first(int unused)
{
	enum { asyncs = 1024 };
	int rounds = scaled(500);
	struct busy b = {loop_new()};
	async *a = grab(asyncs * sizeof *a);
	for (int i = 0; i < asyncs; i++)
		async_start(b.l, &a[i], on_counted, 0);
	busy_start(&b);
	ns took = 0;
	for (int round = -10; round < rounds; round++) {
		busy_hold(&b);
		calls = 0;
		calls_expected = asyncs;
		ns began = now();
		for (int i = 0; i < asyncs; i++)
			async_send(b.l, &a[i]);
		if (round >= 0)
			took += now() - began;
		post(&released);
		await(&drained);
	}
	busy_end(&b);
	check(calls == asyncs, "not one call for each send");
	result((double)took / rounds / asyncs);
}

static void
send_parked(int unused)
{
	int sends = scaled(20000);
	struct busy b = {loop_new()};
	async a;
	async_start(b.l, &a, on_counted, 0);
	busy_start(&b);
	ns began = 0;
	for (int i = -1000; i < sends; i++) {
		if (i == 0)
			began = now();
		calls_expected = calls + 1;
		async_send(b.l, &a);
		await(&drained);
	}
	ns took = now() - began;
	busy_end(&b);
	check(calls == sends + 1000, "not one call for each send");
	result((double)took / sends);
}

static _Atomic ns sent_at;
static ns latency;

ON_ASYNC(on_latency)
{
	latency = now() - sent_at;
	post(&drained);
}

static void
wake_latency(int unused)
{
	int sends = scaled(2500);
	struct busy b = {loop_new()};
	async a;
	async_start(b.l, &a, on_latency, 0);
	busy_start(&b);
	ns *samples = grab(sends * sizeof *samples);
	for (int i = -20; i < sends; i++) {
		nap(200000);
		sent_at = now();
		async_send(b.l, &a);
		await(&drained);
		if (i >= 0)
			samples[i] = latency;
	}
	busy_end(&b);
	quantiles(samples, sends);
}

// Ping-pong: one loop here, and workers with a loop each, which end with the
// process.

struct worker {
	loop *l, *boss;
	async ping, pong;
	int left;
};

static int playing;

ON_ASYNC(on_ping)
{
	struct worker *k = w->data;
	async_send(k->boss, &k->pong);
}

ON_ASYNC(on_pong)
{
	struct worker *k = w->data;
	if (--k->left > 0)
		async_send(k->l, &k->ping);
	else if (--playing == 0)
		loop_stop(LOOP);
}

static double
round_trip(loop *boss, struct worker *k, int n, int pings)
{
	ns began = now();
	playing = n;
	for (int i = 0; i < n; i++)
		k[i].left = pings;
	for (int i = 0; i < n; i++)
		async_send(k[i].l, &k[i].ping);
	loop_run(boss);
	check(playing == 0, "not every worker has played");
	return (double)(now() - began) / pings / n;
}

static void
async_threads(int n)
{
	loop *boss = loop_new();
	struct worker *k = grab(n * sizeof *k);
	for (int i = 0; i < n; i++) {
		k[i].l = loop_new();
		k[i].boss = boss;
		async_start(k[i].l, &k[i].ping, on_ping, &k[i]);
		async_start(boss, &k[i].pong, on_pong, &k[i]);
		spawn(run_loop, k[i].l);
	}
	round_trip(boss, k, n, 100);
	result(round_trip(boss, k, n, scaled(15000) / n));
}

static void ping_pong(int unused) { async_threads(1); }

// Many threads and one async.

struct pummel {
	loop *l;
	async a, done;
	int sends;
};

ON_ASYNC(on_pummelled) { calls++; }

static _Atomic int pummellers;

static void *
pummel(void *arg)
{
	struct pummel *p = arg;
	for (int i = 0; i < p->sends; i++)
		async_send(p->l, &p->a);
	if (--pummellers == 0)
		async_send(p->l, &p->done);
	return 0;
}

static void
async_pummel(int n)
{
	struct pummel p = {loop_new(), .sends = scaled(5000000) / n};
	pummellers = n;
	async_start(p.l, &p.a, on_pummelled, 0);
	async_start(p.l, &p.done, on_quit, 0);
	ns began = now();
	for (int i = 0; i < n; i++)
		spawn(pummel, &p);
	loop_run(p.l);
	ns took = now() - began;
	check(calls > 0, "nobody was called");
	result((double)took / p.sends / n);
	result(calls);
}

// Many asyncs.

static async *crowd;
static int crowd_size;
static loop *crowd_loop;

ON_ASYNC(on_crowd)
{
	if (++calls == crowd_size)
		loop_stop(LOOP);
}

static void
crowd_start(int n, void (*start)(loop *, async *))
{
	crowd_loop = loop_new();
	crowd_size = n;
	crowd = grab(n * sizeof *crowd);
	for (int i = 0; i < n; i++)
		start(crowd_loop, &crowd[i]);
}

static void *
send_to_crowd(void *unused)
{
	for (int i = 0; i < crowd_size; i++)
		async_send(crowd_loop, &crowd[i]);
	return 0;
}

static void start_crowd(loop *l, async *a) { async_start(l, a, on_crowd, 0); }

static void
million_async(int unused)
{
	crowd_start(quick ? 100000 : 1000000, start_crowd);
	loop_turn(crowd_loop);
	ns began = now();
	spawn(send_to_crowd, 0);
	loop_run(crowd_loop);
	ns took = now() - began;
	check(calls == crowd_size, "not one call for each send");
	result((double)took / crowd_size);
}

ON_ASYNC(on_chosen)
{
	if (--calls_expected == 0)
		loop_stop(LOOP);
	else
		async_send(LOOP, w);
}

static void start_chosen(loop *l, async *a) { async_start(l, a, on_chosen, 0); }

static void
dispatch(int times)
{
	calls_expected = times;
	async_send(crowd_loop, &crowd[crowd_size / 2]);
	loop_run(crowd_loop);
	check(calls_expected == 0, "the loop ended early");
}

static void
dispatch_one_of(int n)
{
	int times = scaled(n > 10000 ? 500 : n > 100 ? 20000 : 200000);
	crowd_start(n, start_chosen);
	dispatch(times / 10);
	ns began = now();
	dispatch(times);
	result((double)(now() - began) / times);
}

// Iterations with nothing to wait for.

ON_IDLE(on_idle) {}

ON_PREPARE(on_prepare)
{
	if (++calls == calls_expected)
		loop_stop(LOOP);
}

ON_TIMER(on_timer) { calls++; }

static double
iterations(loop *l, int n)
{
	calls = 0;
	calls_expected = n;
	ns began = now();
	loop_run(l);
	check(calls == n, "the loop ended early");
	return (double)(now() - began) / n;
}

static void
loop_count(int unused)
{
	loop *l = loop_new();
	idle i;
	prepare p;
	timer t;
	idle_start(l, &i, on_idle);
	prepare_start(l, &p, on_prepare);
	timer_init(l, &t, on_timer, HOUR, 0);
	timer_start(l, &t, HOUR);
	iterations(l, scaled(10000));
	result(iterations(l, scaled(500000)));
}

// Timers.

struct timers {
	loop *l;
	int n;
	timer **t;
	ns *span;
	ns started;
};

// timers_new makes n timers, which are not started, one by one as users do.
static struct timers
timers_new(int n, ns *span)
{
	struct timers s = {loop_new(), n, grab(n * sizeof *s.t), span};
	for (int i = 0; i < n; i++) {
		s.t[i] = grab(sizeof *s.t[i]);
		timer_init(s.l, s.t[i], on_timer, span[i], 0);
	}
	loop_update(s.l);
	return s;
}

// timers_insert returns how long starting them takes.
static ns
timers_insert(struct timers *s)
{
	s->started = now();
	for (int i = 0; i < s->n; i++)
		timer_start(s->l, s->t[i], s->span[i]);
	return now() - s->started;
}

// timers_expire waits for all to be due and returns how long calling them takes.
static ns
timers_expire(struct timers *s)
{
	nap(s->started + near + spread + 2 * MS - now());
	ns began = now();
	for (int turns = 0; calls < s->n && turns < 100; turns++)
		loop_turn(s->l);
	ns took = now() - began;
	check(calls == s->n, "not one call for each timer");
	return took;
}

static void each(ns took, int n) { result((double)took / n); }

static void
insert_ordered(int unused)
{
	struct timers s = timers_new(timer_count, rising_spans(timer_count));
	each(timers_insert(&s), s.n);
}

static void
insert_random(int unused)
{
	struct timers s = timers_new(timer_count, far_spans(timer_count));
	each(timers_insert(&s), s.n);
}

static void
again_to(ns *(*spans)(int))
{
	int n = timer_count;
	struct timers s = timers_new(n, far_spans(n));
	int *order = permutation(n);
	ns *span = spans(n);
	timers_insert(&s);
	ns began = now();
	for (int i = 0; i < n; i++)
		timer_again(s.l, s.t[order[i]], span[i]);
	each(now() - began, n);
}

static void again(int unused) { again_to(far_spans); }

// again_later resets idle timeouts: each timer becomes the last of all.
static void again_later(int unused) { again_to(later_spans); }

static void
cancel_random(int unused)
{
	int n = timer_count;
	struct timers s = timers_new(n, far_spans(n));
	int *order = permutation(n);
	timers_insert(&s);
	ns began = now();
	for (int i = 0; i < n; i++)
		timer_stop(s.l, s.t[order[i]]);
	ns took = now() - began;
	loop_run(s.l);
	check(calls == 0, "a stopped timer has fired");
	each(took, n);
}

static void
expire_all(int unused)
{
	struct timers s = timers_new(timer_count, near_spans(timer_count));
	timers_insert(&s);
	each(timers_expire(&s), s.n);
}

static void
million_timers(int unused)
{
	struct timers s = timers_new(timer_count, near_spans(timer_count));
	ns took = timers_insert(&s);
	each(took + timers_expire(&s), s.n);
}

// start_stop is a timeout that does not fire, among those of 10 000 others.
static void
start_stop(int unused)
{
	int times = scaled(1000000);
	struct timers s = timers_new(10000, far_spans(10000));
	ns span = HOUR + 500000 * 1000 * MS;
	timer t;
	timers_insert(&s);
	timer_init(s.l, &t, on_timer, span, span);
	ns began = 0;
	for (int i = -times / 10; i < times; i++) {
		if (i == 0)
			began = now();
		timer_start(s.l, &t, span);
		timer_again(s.l, &t, span);
		timer_stop(s.l, &t);
	}
	each(now() - began, times);
}

// Lateness: each sample is a line, in nanoseconds. timers.go has the rest.

static ns one_shot, one_shot_due, began;

ON_TIMER(on_one_shot)
{
	ns t = now();
	result(t - one_shot_due);
	if (t - began < span) {
		one_shot_due = loop_now(LOOP) + one_shot;
		timer_init(LOOP, w, on_one_shot, settable(one_shot), 0);
		timer_start(LOOP, w, settable(one_shot));
	}
}

// lateness sets a timer of so many microseconds again and again.
static void
lateness(int micros)
{
	loop *l = loop_new();
	timer t;
	one_shot = micros * 1000;
	timer_init(l, &t, on_one_shot, settable(one_shot), 0);
	loop_update(l);
	began = now();
	one_shot_due = loop_now(l) + one_shot;
	timer_start(l, &t, settable(one_shot));
	loop_run(l);
}

ON_TIMER(on_tick)
{
	result(now() - began);
	if (--calls_expected == 0)
		timer_stop(LOOP, w);
}

// ticks prints the times of the ticks of a timer that repeats.
static void
ticks(int micros)
{
	loop *l = loop_new();
	timer t;
	ns every = micros * 1000;
	calls_expected = span / every;
	check(calls_expected > 0, "for how many milliseconds?");
	timer_init(l, &t, on_tick, every, every);
	loop_update(l);
	began = now();
	timer_start(l, &t, every);
	loop_run(l);
}

// Memory: what allocating and starting many watchers takes, for each of them.

static void
memory_async(int unused)
{
	enum { n = 100000 };
	loop *l = loop_new();
	double before = in_use();
	for (int i = 0; i < n; i++)
		async_start(l, grab(sizeof(async)), on_counted, 0);
	result((in_use() - before) / n);
}

static void
memory_timer(int unused)
{
	enum { n = 100000 };
	loop *l = loop_new();
	double before = in_use();
	for (int i = 0; i < n; i++) {
		timer *t = grab(sizeof *t);
		timer_init(l, t, on_timer, HOUR, 0);
		timer_start(l, t, HOUR);
	}
	result((in_use() - before) / n);
}

int
main(int argc, char **argv)
{
	static const struct measurement all[] = {
		{"version", version},
		{"send-pending", send_pending},
		{"send-first", send_first},
		{"send-parked", send_parked},
		{"wake-latency", wake_latency},
		{"ping-pong", ping_pong},
		{"async-c", async_threads, 1},
		{"async-pummel-c", async_pummel, 1},
		{"million-async", million_async},
		{"dispatch-1-of-", dispatch_one_of, 1},
		{"loop-count", loop_count},
		{"million-timers", million_timers},
		{"timers-insert-ordered", insert_ordered},
		{"timers-insert-random", insert_random},
		{"timers-again", again},
		{"timers-again-later", again_later},
		{"timers-cancel-random", cancel_random},
		{"timers-expire-all", expire_all},
		{"timers-start-stop", start_stop},
		{"timer-lateness-", lateness, 1},
		{"timer-ticks-", ticks, 1},
		{"memory-async", memory_async},
		{"memory-timer", memory_timer},
		{0},
	};
	return measure(all, argc, argv);
}
