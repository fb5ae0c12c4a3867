/* A report: one HTML file that needs no other, with the tables and charts of evaluations. */
#ifndef CMD_EVALREPORT_H
#define CMD_EVALREPORT_H

#include "cmd/cmd_eval.h"

void report_open(struct buf *html);
void report_add(struct buf *html, const char *title, const struct eval_output *out);
void report_close(struct buf *html);

#endif
