#include "eval/chart_labels.h"

#define ABOVE 10 /* of text, from its base line */
#define BELOW 4

void chart_labels_take(struct chart_labels *l, double x, double y, double radius)
{
	if (l->n < CHART_BOXES)
		l->taken[l->n++] =
			(struct chart_box){x - radius, y - radius, x + radius, y + radius};
}

static bool is_free(const struct chart_labels *l, const struct chart_box *b)
{
	if (b->left < l->room.left || b->right > l->room.right || b->top < l->room.top ||
		b->bottom > l->room.bottom)
		return false;
	for (int i = 0; i < l->n; i++) {
		const struct chart_box *t = &l->taken[i];

		if (b->left < t->right && b->right > t->left && b->top < t->bottom &&
			b->bottom > t->top)
			return false;
	}
	return true;
}

bool chart_labels_place(
	struct chart_labels *l, double x, double y, double width, struct chart_spot *spot)
{
	/* Best first. side: where the text lies, from -1, left of the point, to 1. */
	static const struct {
		double x, y, side;
		const char *anchor;
	} ways[] = {
		{7, -6, 1, "start"},
		{7, 15, 1, "start"},
		{-7, -6, -1, "end"},
		{-7, 15, -1, "end"},
		{0, -10, 0, "middle"},
		{0, 20, 0, "middle"},
		{9, 4, 1, "start"},
		{-9, 4, -1, "end"},
	};

	if (l->n == CHART_BOXES)
		return false;
	for (unsigned i = 0; i < sizeof ways / sizeof *ways; i++) {
		double left = x + ways[i].x + (ways[i].side - 1) / 2 * width, base = y + ways[i].y;
		const struct chart_box b = {left, base - ABOVE, left + width, base + BELOW};

		if (!is_free(l, &b))
			continue;
		l->taken[l->n++] = b;
		*spot = (struct chart_spot){x + ways[i].x, base, ways[i].anchor};
		return true;
	}
	return false;
}
