/* pref-fmt --render: a chat template, looked at. */
#ifndef CMD_RENDER_H
#define CMD_RENDER_H

#include "base/err.h"
#include "text/template.h"

/*
 * Reads objects whose members are the template's variables, {"messages": [...], "add_generation_prompt":
 * bool, ...}, and writes {"output": text} or {"error": exception} for each, a line each.
 */
int cmd_render(const struct template *t, const char *output, char *const *paths, int n, struct err *err);

#endif
