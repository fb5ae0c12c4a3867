/* Tensors compared with a stated tolerance, the worst element shown; random numbers; central differences. */
#ifndef TESTS_CHECK_H
#define TESTS_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* n random floats, normal with the given spread; for free(). The same for the same seed. */
float *check_random(uint64_t seed, int64_t n, double spread);

/* n zeros, at least one; for free(). */
float *check_zeros(int64_t n);

/* Fails unless |got - want| <= tolerance * (largest |want|) everywhere. */
void check_close(const char *what, const float *got, const float *want, int64_t n, double tolerance);

/*
 * Fails unless grad[i] is the slope of value(arg) in x[i], by central differences at up to 40 places,
 * within tolerance of the largest |grad|.
 */
void check_gradient(const char *what, double (*value)(void *arg), void *arg, float *x, const float *grad,
	int64_t n, double tolerance);

#endif
