// Shared by the measurements of C libraries: the clock, random numbers that are
// the same in every contestant, a semaphore, and main.

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#ifdef __GLIBC__
#include <malloc.h>
#endif

typedef int64_t ns;

#define MS ((ns)1000000)
#define HOUR (3600 * 1000 * MS)

static int quick;
static ns span; // how long to measure, for those that are told

static void
fail(const char *what)
{
	fprintf(stderr, "%s\n", what);
	exit(1);
}

static void
check(int ok, const char *what)
{
	if (!ok)
		fail(what);
}

// scaled returns the number of repetitions for a number that is normally n.
static int scaled(int n) { return quick ? n / 5 : n; }

static ns
now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (ns)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void
nap(ns d)
{
	struct timespec t = {d / 1000000000, d % 1000000000};
	if (d > 0)
		nanosleep(&t, 0);
}

static void result(double v) { printf("%.9g\n", v); }

static void *
grab(size_t size)
{
	void *p = calloc(1, size);
	check(p != 0, "out of memory");
	return p;
}

// Timers: heap.go has the same numbers.

enum { timer_count = 1000000 };

static uint64_t seed = 88172645463325252;

static uint64_t
xorshift(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

// spans are n random times from base on, none base + width or more.
static ns *
spans(int n, ns base, ns width)
{
	ns *s = grab(n * sizeof *s);
	for (int i = 0; i < n; i++)
		s[i] = base + (ns)(xorshift() % (uint64_t)width);
	return s;
}

// far_spans end long after the measurement.
static ns *far_spans(int n) { return spans(n, HOUR, 1000000 * 1000 * MS); }

// near_spans all end within spread, and not before all timers are started.
static const ns near = 100 * MS, spread = 5 * MS;
static ns *near_spans(int n) { return spans(n, near, spread); }

static ns *
rising_spans(int n)
{
	ns *s = grab(n * sizeof *s);
	for (int i = 0; i < n; i++)
		s[i] = HOUR + i * MS;
	return s;
}

// later_spans rise from the end of far_spans on.
static ns *
later_spans(int n)
{
	ns *s = grab(n * sizeof *s);
	for (int i = 0; i < n; i++)
		s[i] = HOUR + 1000000 * 1000 * MS + i * MS;
	return s;
}

static int *
permutation(int n)
{
	int *p = grab(n * sizeof *p);
	for (int i = 0; i < n; i++)
		p[i] = i;
	for (int i = n - 1; i > 0; i--) {
		int j = (int)(xorshift() % (uint64_t)(i + 1)), t = p[i];
		p[i] = p[j];
		p[j] = t;
	}
	return p;
}

// A semaphore, because macOS has no unnamed ones.

typedef struct {
	pthread_mutex_t mu;
	pthread_cond_t more;
	int count;
} sem;

#define SEM {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0}

static void
post(sem *s)
{
	pthread_mutex_lock(&s->mu);
	s->count++;
	pthread_cond_signal(&s->more);
	pthread_mutex_unlock(&s->mu);
}

static void
await(sem *s)
{
	pthread_mutex_lock(&s->mu);
	while (s->count == 0)
		pthread_cond_wait(&s->more, &s->mu);
	s->count--;
	pthread_mutex_unlock(&s->mu);
}

static pthread_t
spawn(void *(*f)(void *), void *arg)
{
	pthread_t t;
	check(pthread_create(&t, 0, f, arg) == 0, "pthread_create failed");
	return t;
}

static void join(pthread_t t) { pthread_join(t, 0); }

// Quantiles, of samples in nanoseconds, printed in microseconds.

static int
by_value(const void *a, const void *b)
{
	ns x = *(const ns *)a, y = *(const ns *)b;
	return (x > y) - (x < y);
}

static void
quantiles(ns *samples, int n)
{
	static const double of[] = {0.5, 0.9, 0.99, 0.999};
	qsort(samples, n, sizeof *samples, by_value);
	for (int i = 0; i < 4; i++)
		result(samples[(int)(of[i] * (n - 1))] / 1000.0);
}

// in_use returns the number of allocated bytes.
static double
in_use(void)
{
#ifdef __GLIBC__
	struct mallinfo2 m = mallinfo2();
	return (double)m.uordblks + (double)m.hblkhd;
#else
	fail("the C library does not say what is allocated");
	return 0;
#endif
}

// A measurement prints its values. With numbered set, n follows its name.
struct measurement {
	const char *name;
	void (*run)(int n);
	int numbered;
};

static int
is(const struct measurement *m, const char *name, int *n)
{
	size_t len = strlen(m->name);
	if (!m->numbered)
		return strcmp(m->name, name) == 0;
	if (strncmp(m->name, name, len) != 0)
		return 0;
	*n = atoi(name + len);
	return *n > 0;
}

static int
measure(const struct measurement *m, int argc, char **argv)
{
	int n = 0;
	check(argc >= 2, "which measurement?");
	quick = argc > 2 && strcmp(argv[2], "quick") == 0;
	span = argc > 2 ? atoi(argv[2]) * MS : 0;
	for (; m->name; m++)
		if (is(m, argv[1], &n)) {
			m->run(n);
			return 0;
		}
	fail("no such measurement");
	return 1;
}
