#include "learn/schedule.h"

#include <math.h>
#include <stddef.h>

const char *const schedule_names[] = {"linear", "cosine", "constant", "inverse_sqrt", "wsd", NULL};

static double share(int64_t done, int64_t all)
{
	return all > 0 ? fmin(1, (double)done / (double)all) : 0;
}

double schedule_factor(const struct schedule *s, int64_t step)
{
	int64_t since = step - s->warmup, rest = s->steps - s->warmup, level = rest - s->decay;
	double fall;

	if (step < s->warmup)
		return (double)step / (double)s->warmup;
	switch (s->kind) {
	case SCHEDULE_LINEAR:
		fall = 1 - share(since, rest);
		break;
	case SCHEDULE_COSINE:
		fall = 0.5 * (1 + cos(M_PI * share(since, rest)));
		break;
	case SCHEDULE_INVERSE_SQRT:
		fall = 1 / sqrt(1 + (double)since / (double)(s->warmup ? s->warmup : 10000));
		break;
	case SCHEDULE_WSD:
		fall = since < level ? 1 : 1 - share(since - level, s->decay);
		break;
	default:
		return 1;
	}
	return s->floor + (1 - s->floor) * fall;
}
