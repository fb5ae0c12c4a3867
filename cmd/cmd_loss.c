#include "cmd/cmd_loss.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void list_losses(void)
{
	char text[256];

	for (int id = 0; id < LOSS_IDS; id++) {
		loss_describe((enum loss_id)id, text, sizeof text);
		printf("%-14s %s\n%-14s %s\n", loss_kinds[id].name, loss_kinds[id].about, "", text);
	}
	exit(fflush(stdout) ? 1 : 0);
}

int cmd_loss_parse(const struct cmd_loss *o, const char *list, struct loss *l, struct err *err)
{
	if (loss_parse(l, list, err))
		return -1;
	for (int i = 0; i < LOSS_OPTIONS; i++)
		l->given |= cmd_given(loss_options[i].name) ? 1u << i : 0;
	l->params = o->params;
	l->divergence = (enum loss_divergence)o->divergence;
	l->divergence_alpha = o->divergence_alpha;
	l->ld_alpha = o->ld_alpha;
	l->wpo = o->wpo;
	l->reference_free = o->reference_free;
	return 0;
}

void cmd_loss_settle(const struct cmd_loss *o, struct loss *l)
{
	struct err err = ERR_INIT;

	if (!strcmp(o->list, "help"))
		list_losses();
	if (cmd_loss_parse(o, o->list, l, &err))
		cmd_usage("--loss: %s", err.text);
	if (loss_settle(l, &err))
		cmd_usage("%s", err.text);
}
