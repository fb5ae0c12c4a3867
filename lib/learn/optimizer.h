/*
 * What changes weights by their gradients, and what it remembers of earlier ones. The table of parameters says
 * which weights there are, and to which of them weight decay applies.
 *
 *	struct optimizer *o = optimizer_new(&options, &params, ops, err);
 *
 *	optimizer_step(o, weights, grads, lr, scale);
 */
#ifndef LEARN_OPTIMIZER_H
#define LEARN_OPTIMIZER_H

#include "base/dtype.h"
#include "base/err.h"
#include "model/params.h"
#include "num/ops.h"

enum optimizer_kind {
	OPTIMIZER_ADAMW,     /* Loshchilov and Hutter, arXiv 1711.05101 */
	OPTIMIZER_RMSPROP,   /* as torch has it, the DPO paper's */
	OPTIMIZER_SGD,	     /* with momentum beta1 */
	OPTIMIZER_LION,	     /* Chen et al., arXiv 2302.06675 */
	OPTIMIZER_ADAFACTOR, /* Shazeer and Stern, arXiv 1804.04235, at a given rate and without momentum */
};

/* Names in that order, NULL-terminated; and of enum moment_type: f32, bf16, int8. */
extern const char *const optimizer_names[];
extern const char *const optimizer_moment_names[];

/* Its options, as bits of optimizer_uses(). */
enum {
	OPTIMIZER_BETA1 = 1 << 0,
	OPTIMIZER_BETA2 = 1 << 1,
	OPTIMIZER_EPS = 1 << 2,
	OPTIMIZER_MOMENTS = 1 << 3,
};

struct optimizer_options {
	enum optimizer_kind kind;
	enum moment_type moments;
	double beta1, beta2, eps, weight_decay;
	uint64_t seed; /* of rounding moments in fewer bits */
};

/* Which of those options an optimizer has, and its defaults (moments MOMENT_F32, weight_decay 0, seed 0). */
unsigned optimizer_uses(enum optimizer_kind kind);
struct optimizer_options optimizer_defaults(enum optimizer_kind kind);

/* Bytes that it remembers. */
size_t optimizer_memory(const struct optimizer_options *o, const struct params *p);

struct optimizer;

/* params and ops must outlive it. All memories are 0. */
struct optimizer *optimizer_new(
	const struct optimizer_options *options, const struct params *p, const struct ops *ops, struct err *err);
void optimizer_free(struct optimizer *o); /* NULL is fine */

/* One step on all weights; gradients are multiplied by scale. */
void optimizer_step(struct optimizer *o, float *weights, const float *grads, double lr, double scale);

/* The same in parts: begins a step, and makes it on the parameters from from to to - 1, each once. */
void optimizer_begin(struct optimizer *o);
void optimizer_step_part(struct optimizer *o, size_t from, size_t to, float *weights, const float *grads, double lr,
	double scale);

/* Steps done, which the corrections of means depend on; to be set when memories are restored. */
int64_t optimizer_steps(const struct optimizer *o);
void optimizer_set_steps(struct optimizer *o, int64_t steps);

/* A memory of one parameter: its name ("mean", "square", ...), type, elements, and its bytes, which may be written. */
struct optimizer_memory_part {
	const char *name;
	enum dtype type;
	size_t count;
	void *data;
};

#define OPTIMIZER_PARTS 4

/* The memories of parameter i, and how many there are. */
int optimizer_parts(struct optimizer *o, size_t i, struct optimizer_memory_part parts[OPTIMIZER_PARTS]);

#endif
