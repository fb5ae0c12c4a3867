/*
 * optimizer MODEL STREAM BATCH UPDATES OPTIMIZER MOMENTS: what an optimizer costs, in a process of its own. One line
 * on stdout: bytes a parameter that it remembers; the process's peak memory after a step, in MiB; milliseconds of an
 * update, the best of UPDATES.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "cmd/cmd_batch.h"
#include "cmd/cmd_model.h"
#include "tests/bench/support/bench.h"

static int find(const char *const *names, const char *name)
{
	for (int i = 0; names[i]; i++)
		if (!strcmp(names[i], name))
			return i;
	fprintf(stderr, "bench: there is no '%s'\n", name);
	exit(2);
}

static void check(int rc, const struct err *err)
{
	if (rc)
		bench_die(err);
}

int main(int argc, char **argv)
{
	struct err err = ERR_INIT;
	struct batch b = BATCH_INIT;
	struct trainer_options o = {.clip = 1, .batch_tokens = 2048};
	double update = INFINITY, start;
	int64_t batch, updates;
	struct prefstore *data;
	struct judge_step s;
	struct rusage usage;
	struct trainer *t;
	struct model m;
	float *grads;

	if (argc != 7)
		return 2;
	batch = atoll(argv[3]);
	updates = atoll(argv[4]);
	o.optimizer = optimizer_defaults((enum optimizer_kind)find(optimizer_names, argv[5]));
	o.optimizer.moments = (enum moment_type)find(optimizer_moment_names, argv[6]);
	check(loss_parse(&o.loss, "sigmoid", &err) || loss_settle(&o.loss, &err), &err);
	data = prefstore_open(argv + 2, 1, ".", 0, &err);
	check(!data || model_open(&m, argv[1], MODEL_TRAIN, &err), &err);
	t = trainer_new(&m, ops_find("cpu"), &o, &err);
	check(!t, &err);
	for (int64_t i = 0; i < batch; i++)
		check(batch_add(&b, data, (uint64_t)i % prefstore_records(data), 0, false, &err),
			&err);
	check(trainer_step(t, b.examples, batch, 1e-6, &s, &err), &err);
	getrusage(RUSAGE_SELF, &usage);
	grads = calloc(m.params.count, sizeof *grads);
	for (size_t i = 0; grads && i < m.params.count; i++)
		grads[i] = (float)(i % 1009) * 1e-6f;
	for (int64_t i = 0; grads && i < updates; i++) {
		start = bench_now();
		optimizer_step(trainer_optimizer(t), m.weights, grads, 1e-6, 1);
		update = fmin(update, bench_now() - start);
	}
	printf("%.2f %ld %.1f\n",
		(double)optimizer_memory(&o.optimizer, &m.params) / (double)m.params.count,
		usage.ru_maxrss / 1024, 1e3 * update);
	free(grads);
	trainer_free(t);
	prefstore_close(data);
	batch_release(&b);
	model_release(&m);
	return 0;
}
