/* What benches share: the clock, the machine's limits, and what a step must do at the least. */
#ifndef BENCH_H
#define BENCH_H

#include "learn/judge.h"
#include "learn/optimizer.h"
#include "model/model.h"

double bench_now(void); /* seconds */

/* Prints the error and ends the process. */
void bench_die(const struct err *err);

/*
 * Floating-point operations a second of the best product of these operations at a large shape in all threads, the best
 * of all calls so far by the same process. For f32 that is oneDNN's own.
 */
double bench_peak(const struct ops *ops);

/*
 * Bytes a second that memchr() reads of 512 MiB, in which it finds nothing, in all threads; the best of all calls.
 * Neither keeps memory.
 */
double bench_bandwidth(void);

/* Weights that each token is multiplied with, and the bytes in which they are kept. */
void bench_weights(const struct model *m, double *count, double *bytes);

/*
 * What must be done. Operations: a prompt counted once whatever shares it, the head on counted tokens only, no
 * recomputation; attention 4 a key that a query sees, feature and head; backward twice forward. Bytes: those of
 * parameters, gradients and the optimizer's memories, each time that they must pass between memory and processor
 * because all of the others came between. Activations, which a cache may hold, are not counted.
 */
struct bench_work {
	double flops, bytes; /* of the passes */
	double update;	     /* bytes of what can only begin when the gradient's norm is known */
};

struct bench_work bench_forward(const struct model *m, const struct example *e, int64_t n);
struct bench_work bench_training(const struct model *m, const struct example *e, int64_t n,
	const struct optimizer_options *o);

/* Seconds that the work takes a machine at its limits, which passes reach by operations or by bytes. */
double bench_limit(const struct bench_work *w, double peak, double bandwidth);

#endif
