/*
 * Logistic regression of shares: y in [0, 1], of which 0 and 1 are only the ends, on a few features, by
 * Newton's method with a ridge,
 *
 *	minimise  sum of weight * crossentropy(y, sigmoid(w . x))  +  ridge / 2 * |w|^2
 *
 * which has one minimum, also where the data alone are separated and have none.
 */
#ifndef EVAL_LOGISTIC_H
#define EVAL_LOGISTIC_H

#include <stddef.h>

#define LOGISTIC_MAX 4

struct logistic_row {
	double x[LOGISTIC_MAX], y, weight;
};

double logistic_sigmoid(double x);

double logistic_predict(const struct logistic_row *r, int k, const double *w); /* sigmoid(w . x) */

/*
 * Fits w[k], k <= LOGISTIC_MAX; ridge > 0. bread, unless NULL: the inverse of the second derivative at w, k by
 * k in rows of LOGISTIC_MAX, which takes a row's first derivative, weight * (y - p) * x, to how it moves w.
 */
void logistic_fit(const struct logistic_row *rows, size_t n, int k, double ridge, double *w,
	double (*bread)[LOGISTIC_MAX]);

#endif
