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

/*
 * Fits w[k], k <= LOGISTIC_MAX; ridge > 0. covariance, unless NULL: of w, k by k in rows of LOGISTIC_MAX, by
 * the sandwich estimator, which asks nothing of y's distribution but independence of rows (H. White,
 * "Maximum likelihood estimation of misspecified models", Econometrica 50, 1982). Rows of weight other than
 * 1 count in it by the weight's square.
 */
void logistic_fit(const struct logistic_row *rows, size_t n, int k, double ridge, double *w,
	double (*covariance)[LOGISTIC_MAX]);

#endif
