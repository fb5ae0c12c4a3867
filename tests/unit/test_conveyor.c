/* The conveyor belt: order, whoever does the work, and stopping in the middle. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/rng.h"
#include "io/conveyor.h"

struct job {
	uint64_t number;
	int done;
};

static void work(void *arg)
{
	struct job *j = arg;

	if (rng_uniform(1, 2, j->number) < 0.05)
		usleep((useconds_t)(rng_uniform(1, 3, j->number) * 300));
	j->done++;
}

struct feed {
	struct conveyor *belt;
	struct job *jobs;
	uint64_t n, put;
};

static void *feed(void *arg)
{
	struct feed *f = arg;

	while (f->put < f->n && conveyor_put(f->belt, &f->jobs[f->put]))
		f->put++;
	conveyor_end(f->belt);
	return NULL;
}

static struct feed start(int threads, int length, uint64_t n)
{
	struct err err = ERR_INIT;
	struct feed f = {.belt = conveyor_new(threads, length, work, &err),
		.jobs = calloc(n, sizeof *f.jobs),
		.n = n};

	assert_non_null(f.belt);
	for (uint64_t i = 0; i < n; i++)
		f.jobs[i].number = i;
	return f;
}

static void jobs_come_out_in_order(void **state)
{
	(void)state;
	for (int threads = 0; threads <= 4; threads++)
		for (int length = 1; length <= 9; length += 4) {
			struct feed f = start(threads, length, 2000);
			pthread_t feeder;
			struct job *j;
			uint64_t n = 0;

			assert_int_equal(pthread_create(&feeder, NULL, feed, &f), 0);
			while ((j = conveyor_take(f.belt))) {
				assert_int_equal(j->number, n++);
				assert_int_equal(j->done, 1);
			}
			assert_null(conveyor_take(f.belt));
			assert_int_equal(n, f.n);
			pthread_join(feeder, NULL);
			conveyor_free(f.belt);
			free(f.jobs);
		}
}

static void one_thread_may_put_and_take(void **state)
{
	(void)state;
	for (int threads = 0; threads <= 3; threads++) {
		struct feed f = start(threads, 4, 1000);
		uint64_t out = 0;

		for (uint64_t i = 0; i < f.n; i++) {
			assert_true(conveyor_put(f.belt, &f.jobs[i]));
			if (i - out == 3) {
				struct job *j = conveyor_take(f.belt);

				assert_int_equal(j->number, out++);
				assert_int_equal(j->done, 1);
			}
		}
		conveyor_end(f.belt);
		while (out < f.n)
			assert_int_equal(((struct job *)conveyor_take(f.belt))->number, out++);
		assert_null(conveyor_take(f.belt));
		conveyor_free(f.belt);
		free(f.jobs);
	}
}

/* Cancelled after some: what was put comes out, each job once, done at most once. */
static void cancelling_hands_back_the_rest(void **state)
{
	(void)state;
	alarm(60);
	for (int threads = 0; threads <= 4; threads++)
		for (uint64_t after = 0; after < 40; after += 3) {
			struct feed f = start(threads, 5, 1000);
			pthread_t feeder;
			struct job *j;
			uint64_t n = 0;

			assert_int_equal(pthread_create(&feeder, NULL, feed, &f), 0);
			while (n < after && (j = conveyor_take(f.belt)))
				assert_int_equal(j->number, n++);
			conveyor_cancel(f.belt);
			while ((j = conveyor_take(f.belt)))
				assert_int_equal(j->number, n++);
			pthread_join(feeder, NULL);
			while ((j = conveyor_take(f.belt)))
				assert_int_equal(j->number, n++);
			assert_int_equal(n, f.put);
			assert_false(conveyor_put(f.belt, &f.jobs[0]));
			conveyor_free(f.belt);
			for (uint64_t i = 0; i < f.n; i++)
				assert_true(f.jobs[i].done <= (i < n));
			free(f.jobs);
		}
	alarm(0);
}

/* ---- conveyor_run() */

struct trip {
	uint64_t filled, taken, fill_until, take_until;
	int fill_end, take_end; /* what the callbacks then say */
};

static int fill(void *context, void *arg, struct err *err)
{
	struct trip *t = context;
	struct job *j = arg;

	if (t->filled == t->fill_until)
		return t->fill_end ? err_set(err, ERR_FAILED, "fill") : 0;
	j->number = t->filled++;
	return 1;
}

static int take(void *context, void *arg, struct err *err)
{
	struct trip *t = context;
	struct job *j = arg;

	assert_int_equal(j->number, t->taken);
	if (t->taken == t->take_until)
		return err_set(err, ERR_FAILED, "take");
	assert_int_equal(j->done, 1);
	j->done = 0;
	t->taken++;
	return 0;
}

static void runs_end_as_they_should(void **state)
{
	struct job jobs[5];
	void *list[] = {&jobs[0], &jobs[1], &jobs[2], &jobs[3], &jobs[4]};

	(void)state;
	alarm(60);
	for (int threads = 0; threads <= 4; threads++)
		for (uint64_t n = 0; n < 30; n++)
			for (int how = 0; how < 4; how++) {
				struct trip t = {.fill_until = n, .fill_end = how & 1,
					.take_until = how & 2 ? n / 2 : UINT64_MAX};
				struct conveyor_run run = {list, 1 + (int)n % 5, threads, fill, work, take, &t};
				struct err err = ERR_INIT;
				bool taking = how & 2 && n > 0;

				memset(jobs, 0, sizeof jobs);
				assert_int_equal(conveyor_run(&run, &err), how & 1 || taking ? -1 : 0);
				if (taking)
					assert_string_equal(err.text, "take");
				else if (how & 1)
					assert_string_equal(err.text, "fill");
				assert_int_equal(t.taken, taking ? n / 2 : n);
			}
	alarm(0);
}

static void unused_belts_can_be_freed(void **state)
{
	struct err err = ERR_INIT;

	(void)state;
	conveyor_free(NULL);
	for (int threads = 0; threads <= 8; threads++)
		conveyor_free(conveyor_new(threads, 3, work, &err));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(jobs_come_out_in_order),
		cmocka_unit_test(one_thread_may_put_and_take),
		cmocka_unit_test(cancelling_hands_back_the_rest),
		cmocka_unit_test(runs_end_as_they_should),
		cmocka_unit_test(unused_belts_can_be_freed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
