/*
 * Places for labels beside points, where they cover nothing: boxes that are taken, and the room there is.
 * Units of the drawing, y downwards.
 *
 *	struct chart_labels l = {.room = {56, 40, 376, 220}};
 *	struct chart_spot spot;
 *
 *	chart_labels_take(&l, x, y, 5);              for each point
 *	if (chart_labels_place(&l, x, y, width, &spot))
 *		...                                  and text at spot.x, spot.y
 */
#ifndef EVAL_CHART_LABELS_H
#define EVAL_CHART_LABELS_H

#include <stdbool.h>

#define CHART_BOXES 512 /* points and labels; beyond, nothing is placed */

struct chart_box {
	double left, top, right, bottom;
};

struct chart_labels {
	struct chart_box room, taken[CHART_BOXES];
	int n;
};

struct chart_spot {
	double x, y;	    /* y: of the base line */
	const char *anchor; /* of SVG's text-anchor */
};

/* A point of that radius. */
void chart_labels_take(struct chart_labels *l, double x, double y, double radius);

/* A spot beside the point for text of that width, which is then taken; false: there is none. */
bool chart_labels_place(
	struct chart_labels *l, double x, double y, double width, struct chart_spot *spot);

#endif
