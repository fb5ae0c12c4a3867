#include "text/pairs.h"

const char *const pairs_names[] = {"none", "best-worst", "adjacent", "all", NULL};

static int add(const struct layout_row *row, int a, int b, struct layout_row *pair, struct arena *arena,
	struct err *err)
{
	*pair = *row;
	pair->k = 2;
	pair->parts = arena_new(arena, 3, sizeof *pair->parts, err);
	pair->labels = row->labels ? arena_new(arena, 2, sizeof *pair->labels, err) : NULL;
	if (!pair->parts || (row->labels && !pair->labels))
		return -1;
	pair->parts[0] = row->parts[0];
	pair->parts[1] = row->parts[a + 1];
	pair->parts[2] = row->parts[b + 1];
	if (row->labels) {
		pair->labels[0] = row->labels[a];
		pair->labels[1] = row->labels[b];
	}
	return 0;
}

int pairs_make(struct layout_row *row, enum pairs_how how, struct layout_row **rows, size_t *n,
	struct arena *arena, struct err *err)
{
	size_t k = (size_t)row->k, most = how == PAIRS_ALL ? k * (k - 1) / 2 : k;

	*rows = row;
	*n = 1;
	if (how == PAIRS_NONE || k < 2)
		return 0;
	*n = 0;
	*rows = arena_new(arena, most, sizeof **rows, err);
	if (!*rows)
		return -1;
	for (int a = 0; a < row->k; a++) {
		int from = how == PAIRS_BEST_WORST ? row->k - 1 : a + 1;
		int to = how == PAIRS_ADJACENT && from < row->k ? from + 1 : row->k;

		for (int b = from; b < to && (a == 0 || how != PAIRS_BEST_WORST); b++) {
			if (row->labels && row->labels[a] == row->labels[b])
				continue;
			if (add(row, a, b, *rows + *n, arena, err))
				return -1;
			++*n;
		}
	}
	return 0;
}
