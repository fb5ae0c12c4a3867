/* The layouts of preference data that are known, most specific first. */
#include "text/rows.h"

/* Keys that belong to the prompt. */
static const char *const beside_prompt[] = {"system", "system_prompt", "history", NULL};
static const char *const beside_completion[] = {
	"system", "system_prompt", "history", "label", "kto_tag", "chosen", "rejected", NULL};
static const char *const beside_pair[] = {"prompt", "system", "system_prompt", "history", "instruction", "input",
	"question", "query", "context", "conversation", "conversations", "post", "info", NULL};
static const char *const beside_chats[] = {"prompt", "system", "system_prompt", NULL};
static const char *const beside_messages[] = {"chosen", "rejected", NULL};
static const char *const beside_unlabelled[] = {"label", "kto_tag", "chosen", "rejected", NULL};
static const char *const beside_text[] = {"prompt", "completion", "chosen", "rejected", "messages", NULL};
static const char *const beside_question[] = {
	"context", "conversation", "conversations", "post", "info", "messages", NULL};
static const char *const beside_answer[] = {"conversation", "conversations", "post", "info", "messages", "label",
	"kto_tag", "chosen", "rejected", NULL};

/* clang-format off */
#define SYSTEM	{SLOT_SYSTEM, "system|system_prompt", KIND_TEXT, true}
#define HISTORY	{SLOT_HISTORY, "history", KIND_TURNS, true}
#define INPUT	{SLOT_INPUT, "input|context", KIND_TEXT, true}
#define TOOLS	{SLOT_TOOLS, "tools", KIND_ANY, true}
#define KWARGS	{SLOT_KWARGS, "chat_template_kwargs", KIND_ANY, true}
#define LABEL	{SLOT_LABEL, "label|kto_tag", KIND_LABEL, false}
#define PROMPT(names, kind)	{SLOT_PROMPT, names, KIND_##kind, false}
#define CHOSEN(names, kind)	{SLOT_CHOSEN, names, KIND_##kind, false}
#define REJECTED(names, kind)	{SLOT_REJECTED, names, KIND_##kind, false}
#define COMPLETION(names, kind)	{SLOT_COMPLETION, names, KIND_##kind, false}
#define LIST(names, kind)	{SLOT_LIST, names, KIND_##kind, false}
#define VERDICT_AT(names)	{SLOT_VERDICT, names, KIND_SCALAR, false}

static const struct layout layouts[] = {
	/* Anthropic HH */
	{"hh", {CHOSEN("chosen", TRANSCRIPT), REJECTED("rejected", TRANSCRIPT)}, .read = rows_read_transcripts,
		.lost = beside_pair},
	/* OpenAI's TL;DR comparisons */
	{"tldr", {PROMPT("info", OBJECT), LIST("summaries", ITEMS), VERDICT_AT("choice")},
		.read = rows_read_tldr, .verdict = VERDICT_INDEX, .item_text = "text"},
	/* LMSYS */
	{"arena", {CHOSEN("conversation_a", MESSAGES), REJECTED("conversation_b", MESSAGES),
		VERDICT_AT("winner")}, .read = rows_read_implicit_chat, .chat = true,
		.verdict = VERDICT_WINNER},
	{"alpaca-eval", {PROMPT("instruction", TEXT), INPUT, CHOSEN("output_1", TEXT),
		REJECTED("output_2", TEXT), VERDICT_AT("preference")}, .read = rows_read_answers, .chat = true,
		.verdict = VERDICT_TO_TWO},
	{"shp", {PROMPT("history", TEXT), CHOSEN("human_ref_A", TEXT), REJECTED("human_ref_B", TEXT),
		VERDICT_AT("labels")}, .read = rows_read_answers, .chat = true, .verdict = VERDICT_ONE},
	/* PKU-SafeRLHF */
	{"pku", {PROMPT("prompt", TEXT), CHOSEN("response_0", TEXT), REJECTED("response_1", TEXT),
		VERDICT_AT("better_response_id")}, .read = rows_read_answers, .chat = true,
		.verdict = VERDICT_INDEX},
	{"helpsteer3", {PROMPT("context", MESSAGES), CHOSEN("response1", TEXT), REJECTED("response2", TEXT),
		VERDICT_AT("overall_preference")}, .read = rows_read_answers, .chat = true,
		.verdict = VERDICT_SIGN},
	{"stack-exchange", {PROMPT("question", TEXT), CHOSEN("response_j", TEXT), REJECTED("response_k", TEXT)},
		.read = rows_read_answers, .chat = true},
	{"stack-exchange-answers", {PROMPT("question", TEXT), LIST("answers", ITEMS)}, .read = rows_read_items,
		.chat = true, .labelled = true, .item_text = "text", .item_score = "pm_score"},
	{"nectar", {PROMPT("prompt", TEXT), LIST("answers", ITEMS)}, .read = rows_read_items, .chat = true,
		.labelled = true, .item_text = "answer", .item_score = "rank", .ranks = true},
	/* UltraFeedback as it was made; its binarized form is explicit-chat */
	{"ultrafeedback", {PROMPT("instruction", TEXT), LIST("completions", ITEMS)}, .read = rows_read_items,
		.chat = true, .labelled = true, .item_text = "response", .item_score = "overall_score"},
	{"sharegpt-pair", {PROMPT("conversations|conversation", MESSAGES), CHOSEN("chosen", MESSAGES),
		REJECTED("rejected", MESSAGES), SYSTEM, TOOLS, KWARGS}, .read = rows_read_explicit_chat,
		.lost = beside_prompt, .chat = true},
	{"message-pair", {CHOSEN("chosen_messages", MESSAGES), REJECTED("rejected_messages", MESSAGES), TOOLS,
		KWARGS}, .read = rows_read_implicit_chat, .lost = beside_chats, .chat = true},
	{"instruction-pair", {PROMPT("instruction|question|query", TEXT), INPUT, SYSTEM, HISTORY,
		CHOSEN("chosen|chosen_response", TEXT), REJECTED("rejected|rejected_response", TEXT)},
		.read = rows_read_answers, .lost = beside_question, .chat = true},
	{"instruction-list", {PROMPT("instruction|question|query", TEXT), INPUT, SYSTEM, HISTORY,
		LIST("output", TEXTS)}, .read = rows_read_answers, .lost = beside_question, .chat = true},
	{"system-pair", {{SLOT_SYSTEM, "system|system_prompt", KIND_TEXT, false}, PROMPT("prompt|input", TEXT),
		CHOSEN("chosen|chosen_response", TEXT), REJECTED("rejected|rejected_response", TEXT), HISTORY},
		.read = rows_read_answers, .lost = beside_question, .chat = true},
	/* TRL's, and what is like them */
	{"explicit", {PROMPT("prompt", TEXT), CHOSEN("chosen", TEXT), REJECTED("rejected", TEXT)},
		.read = rows_read_texts, .lost = beside_prompt},
	{"explicit-chat", {PROMPT("prompt", TEXT_OR_MESSAGES), CHOSEN("chosen", MESSAGES),
		REJECTED("rejected", MESSAGES), SYSTEM, TOOLS, KWARGS}, .read = rows_read_explicit_chat,
		.lost = beside_prompt, .chat = true},
	{"implicit", {CHOSEN("chosen", TEXT), REJECTED("rejected", TEXT)}, .read = rows_read_implicit,
		.lost = beside_pair},
	{"implicit-chat", {CHOSEN("chosen", MESSAGES), REJECTED("rejected", MESSAGES), TOOLS, KWARGS},
		.read = rows_read_implicit_chat, .lost = beside_chats, .chat = true},
	{"scored-ranking", {PROMPT("prompt", TEXT), LIST("completions", TEXTS),
		{SLOT_SCORES, "scores", KIND_NUMBERS, false}}, .read = rows_read_ranking, .lost = beside_prompt,
		.labelled = true},
	{"ranking", {PROMPT("prompt", TEXT), LIST("completions", TEXTS)}, .read = rows_read_ranking,
		.lost = beside_prompt},
	{"scored", {PROMPT("prompt|instruction", TEXT), LIST("all_generated_responses|responses", TEXTS),
		{SLOT_SCORES, "all_rm_scores|scores", KIND_NUMBERS, false}, SYSTEM}, .read = rows_read_answers,
		.lost = beside_prompt, .chat = true, .labelled = true},
	{"unpaired", {PROMPT("prompt", TEXT), COMPLETION("completion", TEXT), LABEL}, .read = rows_read_texts,
		.lost = beside_prompt, .labelled = true},
	{"unpaired-chat", {PROMPT("prompt", TEXT_OR_MESSAGES), COMPLETION("completion", MESSAGES), LABEL,
		SYSTEM, TOOLS, KWARGS}, .read = rows_read_explicit_chat, .lost = beside_prompt, .chat = true,
		.labelled = true},
	{"unpaired-messages", {COMPLETION("messages|conversations|conversation|completion", MESSAGES), LABEL,
		SYSTEM, TOOLS, KWARGS}, .read = rows_read_messages, .lost = beside_messages, .chat = true,
		.labelled = true},
	{"unpaired-instruction", {PROMPT("instruction|question|query", TEXT), INPUT, SYSTEM, HISTORY,
		COMPLETION("output|response|answer", TEXT), LABEL}, .read = rows_read_answers,
		.lost = beside_messages, .chat = true, .labelled = true},
	{"completion", {PROMPT("prompt", TEXT), COMPLETION("completion", TEXT)}, .read = rows_read_texts,
		.lost = beside_completion},
	{"completion-chat", {PROMPT("prompt", TEXT_OR_MESSAGES), COMPLETION("completion", MESSAGES), SYSTEM,
		TOOLS, KWARGS}, .read = rows_read_explicit_chat, .lost = beside_completion, .chat = true},
	{"messages", {COMPLETION("messages|conversations|conversation", MESSAGES), SYSTEM, TOOLS, KWARGS},
		.read = rows_read_messages, .lost = beside_unlabelled, .chat = true},
	{"instruction", {PROMPT("instruction|question|query|prompt", TEXT), INPUT, SYSTEM, HISTORY,
		COMPLETION("output|response|answer", TEXT)}, .read = rows_read_answers, .lost = beside_answer,
		.chat = true},
	{"text", {COMPLETION("text", TEXT)}, .read = rows_read_text, .lost = beside_text},
};
/* clang-format on */

const struct layout *layout_at(size_t i)
{
	return i < sizeof layouts / sizeof *layouts ? &layouts[i] : NULL;
}
