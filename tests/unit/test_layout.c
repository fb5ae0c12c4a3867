/* lib/text: the layouts of preference data, each with good rows and with every way to be bad. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "text/dialogue.h"
#include "text/implicit.h"
#include "text/layout.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))

#define HUMAN "\n\nHuman:"
#define ASSISTANT "\n\nAssistant:"
#define H "\\n\\nHuman:"
#define A "\\n\\nAssistant:"
#define U(text) "{\"role\":\"user\",\"content\":\"" text "\"}"
#define B(text) "{\"role\":\"assistant\",\"content\":\"" text "\"}"
#define S(text) "{\"role\":\"system\",\"content\":\"" text "\"}"

static struct json *parse(const char *text)
{
	struct err err = ERR_INIT;
	struct json *row = json_parse(text, strlen(text), &err);

	if (!row)
		fail_msg("%s: %s", err.text, text);
	return row;
}

static const struct layout *find(const char *name)
{
	size_t i = 0;

	while (layout_at(i) && strcmp(layout_at(i)->name, name))
		i++;
	assert_non_null(layout_at(i));
	return layout_at(i);
}

/* ---- rows that are good */

static const struct {
	const char *layout, *row;
	const char *parts[5];
} good[] = {
	{"explicit", "{\"prompt\":\"The sky is\",\"chosen\":\" blue.\",\"rejected\":\" green.\"}",
		{"The sky is", " blue.", " green."}},
	{"explicit",
		"{\"rejected\":\"r\",\"score\":3,\"chosen\":\"c\",\"prompt\":\"\"}",
		{"", "c", "r"}},
	{"explicit",
		"{\"prompt\":\"q\",\"chosen\":\"no\",\"rejected\":\"no, never\",\"history\":[]}",
		{"q", "no", "no, never"}},
	{"explicit",
		"{\"prompt\":\"q\",\"chosen\":\"" H " a" A " b\",\"rejected\":\"" H " a" A " c\"}",
		{"q", "\n\nHuman: a\n\nAssistant: b", "\n\nHuman: a\n\nAssistant: c"}},
	{"implicit", "{\"chosen\":\"The sky is blue.\",\"rejected\":\"The sky is black.\"}",
		{"The sky is", " blue.", " black."}},
	{"hh", "{\"chosen\":\"" H " hi" A " hello\",\"rejected\":\"" H " hi" A " help me\"}",
		{"\n\nHuman: hi\n\nAssistant:", " hello", " help me"}},
	{"hh", "{\"chosen\":\"" H " hi" A " Ok\",\"rejected\":\"" H " hi" A " Ok then\"}",
		{"\n\nHuman: hi\n\nAssistant:", " Ok", " Ok then"}},
	{"hh",
		"{\"chosen\":\"" H " a" A " b" H " c" A " yes" H " d" A " e\",\"rejected\":\"" H
		" a" A " b" H " c" A " no" H " f" A " g\"}",
		{"\n\nHuman: a\n\nAssistant: b\n\nHuman: c\n\nAssistant:",
			" yes\n\nHuman: d\n\nAssistant: e", " no\n\nHuman: f\n\nAssistant: g"}},
	{"explicit-chat",
		"{\"prompt\":[" S("Be kind.") "," U("hi") "],\"chosen\":[" B(
			"hello") "],\"rejected\":[" B("go") "]}",
		{"Be kind.\n\nHuman: hi\n\nAssistant:", " hello", " go"}},
	{"explicit-chat",
		"{\"prompt\":\"hi\",\"chosen\":[" B("hello") "],\"rejected\":[" B("go") "]}",
		{"\n\nHuman: hi\n\nAssistant:", " hello", " go"}},
	{"explicit-chat",
		"{\"prompt\":\"hi\",\"prompt_id\":\"7\",\"messages\":[" U("hi") "," B(
			"hello") "],"
				 "\"chosen\":[" U("hi") "," B("hello") "],\"rejected\":[" U(
					 "hi") "," B("go") "]}",
		{"\n\nHuman: hi\n\nAssistant:", " hello", " go"}},
	{"explicit-chat",
		"{\"prompt\":[" U("a") "," B("b") "," U("c") "],\"chosen\":[" U("a") "," B("b") "," U(
			"c") "," B("d") "],\"rejected\":[" U("a") "," B("b") "," U("c") "," B("e") "]}",
		{"\n\nHuman: a\n\nAssistant: b\n\nHuman: c\n\nAssistant:", " d", " e"}},
	{"explicit-chat",
		"{\"prompt\":[" U("a") "],\"chosen\":[" B("b") "," U("c") "," B(
			"d") "],\"rejected\":[" B("e") "]}",
		{"\n\nHuman: a\n\nAssistant:", " b\n\nHuman: c\n\nAssistant: d", " e"}},
	{"implicit-chat",
		"{\"chosen\":[" U("a") "," B("b") "],\"rejected\":[" U("a") "," B(
			"c") "],\"prompt\":null}",
		{"\n\nHuman: a\n\nAssistant:", " b", " c"}},
	{"ranking", "{\"prompt\":\"q\",\"completions\":[\"a\",\"b\",\"c\"]}", {"q", "a", "b", "c"}},
	{"unpaired", "{\"prompt\":\"q\",\"completion\":\" a\",\"label\":true}", {"q", " a"}},
	{"unpaired", "{\"prompt\":\"q\",\"completion\":\" a\",\"label\":0}", {"q", " a"}},
	{"unpaired-chat", "{\"prompt\":[" U("q") "],\"completion\":[" B("a") "],\"label\":false}",
		{"\n\nHuman: q\n\nAssistant:", " a"}},
	{"unpaired-messages", "{\"messages\":[" U("q") "," B("a") "],\"label\":true}",
		{"\n\nHuman: q\n\nAssistant:", " a"}},
	{"completion", "{\"prompt\":\"q\",\"completion\":\" a\"}", {"q", " a"}},
	{"completion-chat", "{\"prompt\":[" U("q") "],\"completion\":[" B("a") "]}",
		{"\n\nHuman: q\n\nAssistant:", " a"}},
	{"messages",
		"{\"messages\":[" S("s") "," U("a") "," B("b") "," U("c") "," B(
			"d") "],\"prompt\":\"a\"}",
		{"s\n\nHuman: a\n\nAssistant: b\n\nHuman: c\n\nAssistant:", " d"}},
	{"text", "{\"text\":\"once upon\",\"source\":\"x\"}", {"", "once upon"}},
	{"tldr",
		"{\"info\":{\"post\":\"p\",\"title\":\"t\",\"subreddit\":\"s\",\"article\":null},\"choice\":1,"
		"\"summaries\":[{\"text\":\" a\",\"policy\":\"x\"},{\"text\":\" b\"}],\"worker\":\"w\"}",
		{"SUBREDDIT: r/s\n\nTITLE: t\n\nPOST: p\n\nTL;DR:", " b", " a"}},
	{"arena",
		"{\"winner\":\"model_b\",\"model_a\":\"x\",\"model_b\":\"y\",\"conversation_a\":[" U("q") "," B("a")
		"],\"conversation_b\":[" U("q") "," B("b") "],\"turn\":1}",
		{HUMAN " q" ASSISTANT, " b", " a"}},
	{"alpaca-eval",
		"{\"instruction\":\"q\",\"output_1\":\"a\",\"output_2\":\"b\",\"preference\":1.73,\"dataset\":\"d\"}",
		{HUMAN " q" ASSISTANT, " b", " a"}},
	{"alpaca-eval",
		"{\"instruction\":\"q\",\"input\":\"i\",\"output_1\":\"a\",\"output_2\":\"b\",\"preference\":\"1\"}",
		{HUMAN " q\ni" ASSISTANT, " a", " b"}},
	{"shp",
		"{\"history\":\"q\",\"human_ref_A\":\"a\",\"human_ref_B\":\"b\",\"labels\":0,\"score_ratio\":2.5}",
		{HUMAN " q" ASSISTANT, " b", " a"}},
	{"shp", "{\"history\":\"q\",\"human_ref_A\":\"a\",\"human_ref_B\":\"b\",\"labels\":1}",
		{HUMAN " q" ASSISTANT, " a", " b"}},
	{"pku",
		"{\"prompt\":\"q\",\"response_0\":\"a\",\"response_1\":\"b\",\"better_response_id\":1,"
		"\"safer_response_id\":0}",
		{HUMAN " q" ASSISTANT, " b", " a"}},
	{"helpsteer3",
		"{\"context\":[" U("q") "],\"response1\":\"a\",\"response2\":\"b\",\"overall_preference\":-2}",
		{HUMAN " q" ASSISTANT, " a", " b"}},
	{"stack-exchange", "{\"qid\":1,\"question\":\"q\",\"response_j\":\"a\",\"response_k\":\"b\"}",
		{HUMAN " q" ASSISTANT, " a", " b"}},
	{"stack-exchange-answers",
		"{\"question\":\"q\",\"answers\":[{\"text\":\"a\",\"pm_score\":1,\"selected\":true},"
		"{\"text\":\"b\",\"pm_score\":3},{\"text\":\"c\",\"pm_score\":1}]}",
		{HUMAN " q" ASSISTANT, " b", " a", " c"}},
	{"nectar",
		"{\"prompt\":\"" H " q" A " \",\"answers\":[{\"answer\":\"a\",\"model\":\"m\",\"rank\":2.0},"
		"{\"answer\":\"b\",\"rank\":1.0}],\"good_natured\":true}",
		{HUMAN " q" ASSISTANT, " b", " a"}},
	{"ultrafeedback",
		"{\"source\":\"s\",\"instruction\":\"q\",\"models\":[],\"completions\":[{\"response\":\"a\","
		"\"overall_score\":6.5},{\"response\":\"b\",\"overall_score\":8}]}",
		{HUMAN " q" ASSISTANT, " b", " a"}},
	{"sharegpt-pair",
		"{\"conversations\":[{\"from\":\"human\",\"value\":\"q\"}],\"chosen\":{\"from\":\"gpt\",\"value\":\"a\"},"
		"\"rejected\":{\"from\":\"gpt\",\"value\":\"b\"},\"system\":\"s\"}",
		{"s" HUMAN " q" ASSISTANT, " a", " b"}},
	{"message-pair",
		"{\"chosen_messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"value\":\"q\"}],"
		"\"loss_weight\":0.0}," B("a") "],\"rejected_messages\":[" U("q") ",{\"role\":\"assistant\",\"content\":"
		"[{\"type\":\"text\",\"value\":\"b\"},{\"type\":\"text\",\"value\":\"c\"}]}]}",
		{HUMAN " q" ASSISTANT, " a", " bc"}},
	{"instruction-pair",
		"{\"instruction\":\"q\",\"input\":\"i\",\"system\":\"s\",\"history\":[[\"a\",\"b\"]],\"chosen\":\"c\","
		"\"rejected\":\"r\"}",
		{"s" HUMAN " a" ASSISTANT " b" HUMAN " q\ni" ASSISTANT, " c", " r"}},
	{"instruction-pair",
		"{\"system\":\"s\",\"question\":\"q\",\"chosen\":\"c\",\"rejected\":\"r\"}",
		{"s" HUMAN " q" ASSISTANT, " c", " r"}},
	{"instruction-pair",
		"{\"instruction\":\"q\",\"chosen_response\":\"c\",\"rejected_response\":\"r\",\"system\":null}",
		{HUMAN " q" ASSISTANT, " c", " r"}},
	{"instruction-list", "{\"instruction\":\"q\",\"input\":\"\",\"output\":[\"a\",\"b\"]}",
		{HUMAN " q" ASSISTANT, " a", " b"}},
	{"system-pair", "{\"system\":\"\",\"prompt\":\"q\",\"chosen\":\"c\",\"rejected\":\"r\"}",
		{HUMAN " q" ASSISTANT, " c", " r"}},
	{"system-pair", "{\"system\":\"s\",\"input\":\"q\",\"chosen\":\"c\",\"rejected\":\"r\"}",
		{"s" HUMAN " q" ASSISTANT, " c", " r"}},
	{"explicit-chat",
		"{\"system\":\"s\",\"prompt\":\"q\",\"chosen\":[" B("c") "],\"rejected\":[" B("r") "]}",
		{"s" HUMAN " q" ASSISTANT, " c", " r"}},
	{"scored-ranking", "{\"prompt\":\"q\",\"completions\":[\"a\",\"b\",\"c\"],\"scores\":[1,2,1.5]}",
		{"q", "b", "c", "a"}},
	{"scored",
		"{\"prompt\":\"q\",\"all_generated_responses\":[\"a\",\"b\",\"c\"],\"all_rm_scores\":[0.1,0.3,-2]}",
		{HUMAN " q" ASSISTANT, " b", " a", " c"}},
	{"unpaired-instruction", "{\"instruction\":\"q\",\"output\":\"a\",\"kto_tag\":true}",
		{HUMAN " q" ASSISTANT, " a"}},
	{"unpaired-messages",
		"{\"completion\":[" U("q") "," B("a") "],\"label\":\"True\"}", {HUMAN " q" ASSISTANT, " a"}},
	{"unpaired-chat",
		"{\"prompt\":\"q\",\"completion\":[" U("q") "," B("a") "],\"label\":true}",
		{HUMAN " q" ASSISTANT, " a"}},
	{"messages",
		"{\"conversations\":[{\"from\":\"system\",\"value\":\"s\"},{\"from\":\"human\",\"value\":\"q\"},"
		"{\"from\":\"gpt\",\"value\":\"a\"}]}",
		{"s" HUMAN " q" ASSISTANT, " a"}},
	{"instruction", "{\"instruction\":\"q\",\"input\":\"\",\"output\":\"a\",\"text\":\"x\"}",
		{HUMAN " q" ASSISTANT, " a"}},
	{"instruction", "{\"question\":\"q\",\"context\":\"c\",\"answer\":\"a\"}",
		{HUMAN " q\nc" ASSISTANT, " a"}},
};

static void reads_good_rows(void **state)
{
	struct layout_options how = {.render = dialogue_render};
	struct arena arena = ARENA_INIT;
	struct err err = ERR_INIT;

	(void)state;
	for (size_t i = 0; i < COUNT(good); i++) {
		struct json *json = parse(good[i].row);
		struct fault fault;
		const struct layout *l = layout_detect(json, NULL, &fault);
		struct layout_row row;
		int k = 0;

		assert_non_null(l);
		assert_string_equal(l->name, good[i].layout);
		if (layout_read(l, json, &how, &arena, &row, &fault, &err) != 1)
			fail_msg("%s: %s", fault.text, good[i].row);
		while (good[i].parts[k + 1])
			k++;
		assert_int_equal(row.k, k);
		for (int p = 0; p <= k; p++)
			if (row.parts[p].len != strlen(good[i].parts[p]) ||
				memcmp(row.parts[p].text, good[i].parts[p], row.parts[p].len))
				fail_msg("'%.*s' is not '%s'", (int)row.parts[p].len,
					row.parts[p].text, good[i].parts[p]);
		assert_int_equal(!!row.labels, l->labelled);
		if (row.labels && k == 1)
			assert_true(row.labels[0] == (strcasestr(good[i].row, "true") ? 1.0f : 0.0f));
		assert_int_equal(row.turns, strcmp(l->name, "explicit") &&
						    strstr(good[i].parts[1], "\n\nHuman:") != NULL);
		json_free(json);
		arena_clear(&arena);
	}
	arena_release(&arena);
}

/* ---- rows that are bad */

static const struct {
	const char *layout;
	enum fault_code code;
	const char *row, *text;
} bad[] = {
	{"explicit", FAULT_NOT_OBJECT, "[1]", "the row is an array, not an object"},
	{"explicit", FAULT_NOT_OBJECT, "null", "the row is null, not an object"},
	{"explicit", FAULT_MISSING_KEY, "{\"prompt\":\"a\",\"chosen\":\"b\"}",
		"key 'rejected' is missing"},
	{"explicit", FAULT_DUPLICATE_KEY,
		"{\"prompt\":\"a\",\"chosen\":\"b\",\"chosen\":\"c\",\"rejected\":\"d\"}",
		"key 'chosen' is there twice"},
	{"explicit", FAULT_LOST_KEY,
		"{\"prompt\":\"a\",\"system\":\"s\",\"chosen\":\"b\",\"rejected\":\"c\"}",
		"layout 'explicit' would lose key 'system'"},
	{"explicit", FAULT_WRONG_TYPE, "{\"prompt\":\"a\",\"chosen\":null,\"rejected\":\"c\"}",
		"'chosen' is null, not a string"},
	{"explicit", FAULT_EMPTY, "{\"prompt\":\"a\",\"chosen\":\" \\n\",\"rejected\":\"c\"}",
		"chosen is empty"},
	{"explicit", FAULT_EMPTY, "{\"prompt\":\"a\",\"chosen\":\"c\",\"rejected\":\"\"}",
		"rejected is empty"},
	{"explicit", FAULT_IDENTICAL, "{\"prompt\":\"a\",\"chosen\":\"b\",\"rejected\":\"b\"}",
		"chosen and rejected are the same"},
	{"implicit", FAULT_IDENTICAL, "{\"chosen\":\"a b\",\"rejected\":\"a b\"}",
		"chosen and rejected are the same"},
	{"implicit", FAULT_PREFIX, "{\"chosen\":\"a b\",\"rejected\":\"a b c\"}",
		"chosen is how rejected begins: where does the prompt end?"},
	{"implicit", FAULT_PREFIX, "{\"chosen\":\"a b c\",\"rejected\":\"a b\"}",
		"rejected is how chosen begins: where does the prompt end?"},
	{"implicit", FAULT_EMPTY, "{\"chosen\":\"\",\"rejected\":\"a\"}", "chosen is empty"},
	{"implicit", FAULT_NO_PROMPT, "{\"chosen\":\"yes \",\"rejected\":\"no \"}",
		"chosen and rejected have no prompt in common"},
	{"implicit", FAULT_NO_PROMPT, "{\"chosen\":\"Yesterday\",\"rejected\":\"Yes, sir\"}",
		"chosen and rejected have no prompt in common"},
	{"implicit", FAULT_LOST_KEY,
		"{\"question\":\"q\",\"chosen\":\"a b\",\"rejected\":\"a c\"}",
		"layout 'implicit' would lose key 'question'"},
	{"hh", FAULT_EMPTY, "{\"chosen\":\"" H " a" A " \",\"rejected\":\"" H " a" A " b\"}",
		"chosen has an empty answer"},
	{"hh", FAULT_EMPTY, "{\"chosen\":\"" H " a" A " b\",\"rejected\":\"" H " a" A "\"}",
		"rejected has an empty answer"},
	{"hh", FAULT_NO_PROMPT, "{\"chosen\":\"" H " a" A " b\",\"rejected\":\"" H " c" A " d\"}",
		"chosen and rejected share nothing up to an 'Assistant:'"},
	{"hh", FAULT_NO_PROMPT, "{\"chosen\":\"\",\"rejected\":\"\"}",
		"chosen and rejected share nothing up to an 'Assistant:'"},
	{"hh", FAULT_IDENTICAL, "{\"chosen\":\"" H " a" A " b\",\"rejected\":\"" H " a" A " b\"}",
		"chosen and rejected are the same"},
	{"hh", FAULT_ROLES,
		"{\"chosen\":\"" H " a" A " b" A " c\",\"rejected\":\"" H " a" A " d\"}",
		"chosen parts from the other side before its last answer, and there 'Assistant:' "
		"follows "
		"'Assistant:'"},
	{"hh", FAULT_ROLES,
		"{\"chosen\":\"" H " a" A " b\",\"rejected\":\"" H " a" A " d" H " e\"}",
		"rejected does not end with an answer"},
	{"hh", FAULT_PREFIX,
		"{\"chosen\":\"" H " a" A " b\",\"rejected\":\"" H " a" A " b" H " c" A " d\"}",
		"chosen is how rejected begins: which answer is meant?"},
	{"explicit-chat", FAULT_WRONG_TYPE, "{\"prompt\":\"a\",\"chosen\":\"b\",\"rejected\":[]}",
		"'chosen' is a string, not an array of messages"},
	{"explicit-chat", FAULT_WRONG_TYPE, "{\"prompt\":7,\"chosen\":[],\"rejected\":[]}",
		"'prompt' is a number, not a string or an array of messages"},
	{"explicit-chat", FAULT_EMPTY, "{\"prompt\":[],\"chosen\":[],\"rejected\":[" B("a") "]}",
		"chosen is empty"},
	{"explicit-chat", FAULT_EMPTY,
		"{\"prompt\":[" U("q") "],\"chosen\":[" B("a") "," U("b") "," B(
			" ") "],\"rejected\":[" B("a") "]}",
		"chosen has an empty answer"},
	{"explicit-chat", FAULT_WRONG_TYPE,
		"{\"prompt\":[" U("q") "],\"chosen\":[" B("a") "],\"rejected\":[\"b\"]}",
		"message 1 of 'rejected' is a string, not an object"},
	{"explicit-chat", FAULT_MISSING_KEY,
		"{\"prompt\":[" U("q") "],\"chosen\":[{\"role\":\"assistant\",\"value\":\"a\"}],\"rejected\":[]}",
		"message 1 of 'chosen' has no 'content'"},
	{"sharegpt-pair", FAULT_ROLES,
		"{\"conversations\":[{\"from\":\"robot\",\"value\":\"q\"}],\"chosen\":[],\"rejected\":[]}",
		"message 1 of 'conversations' is from 'robot', which is not known"},
	{"sharegpt-pair", FAULT_NEEDS_TEMPLATE,
		"{\"conversations\":[{\"from\":\"human\",\"value\":\"q\"},{\"from\":\"function_call\",\"value\":"
		"\"{\\\"name\\\":\\\"f\\\",\\\"arguments\\\":{}}\"},{\"from\":\"observation\",\"value\":\"1\"}],"
		"\"chosen\":{\"from\":\"gpt\",\"value\":\"a\"},\"rejected\":{\"from\":\"gpt\",\"value\":\"b\"}}",
		"the prompt, message 2: 'tool_calls' needs a chat template"},
	{"arena", FAULT_NO_PREFERENCE,
		"{\"winner\":\"tie (bothbad)\",\"conversation_a\":[" U("q") "," B("a") "],\"conversation_b\":[" U("q") "," B(
			"b") "]}",
		"'winner' prefers neither"},
	{"alpaca-eval", FAULT_NO_PREFERENCE,
		"{\"instruction\":\"q\",\"output_1\":\"a\",\"output_2\":\"b\",\"preference\":null}",
		"'preference' prefers neither"},
	{"alpaca-eval", FAULT_WRONG_TYPE,
		"{\"instruction\":\"q\",\"output_1\":\"a\",\"output_2\":\"b\",\"preference\":3}",
		"'preference' is '3', which is no verdict"},
	{"shp", FAULT_WRONG_TYPE,
		"{\"history\":\"q\",\"human_ref_A\":\"a\",\"human_ref_B\":\"b\",\"labels\":\"A\"}",
		"'labels' is '\"A\"', which is no verdict"},
	{"ultrafeedback", FAULT_MISSING_KEY,
		"{\"instruction\":\"q\",\"completions\":[{\"response\":\"a\"}]}",
		"item 1 of 'completions' has no number 'overall_score'"},
	{"scored", FAULT_WRONG_TYPE,
		"{\"prompt\":\"q\",\"all_generated_responses\":[\"a\",\"b\"],\"all_rm_scores\":[1]}",
		"2 completions with 1 scores"},
	{"tldr", FAULT_MISSING_KEY, "{\"info\":{},\"summaries\":[{\"text\":\"a\"},{\"text\":\"b\"}],\"choice\":0}",
		"'info' has neither post nor article"},
	{"tldr", FAULT_WRONG_TYPE, "{\"info\":{},\"summaries\":[],\"choice\":0}", "0 summaries instead of 2"},
	{"instruction-pair", FAULT_WRONG_TYPE,
		"{\"instruction\":\"q\",\"history\":[[\"a\"]],\"chosen\":\"c\",\"rejected\":\"r\"}",
		"'history' is an array, not an array of pairs of strings"},
	{"explicit-chat", FAULT_MISSING_KEY,
		"{\"prompt\":[" U("q") "],\"chosen\":[{\"content\":\"a\"}],\"rejected\":[]}",
		"message 1 of 'chosen' has no 'role'"},
	{"explicit-chat", FAULT_WRONG_TYPE,
		"{\"prompt\":[" U(
			"q") ","
			     "{\"role\":1,\"content\":\"\"}],\"chosen\":[],\"rejected\":[]}",
		"the role of message 2 of 'prompt' is a number, not a string"},
	{"explicit-chat", FAULT_WRONG_TYPE,
		"{\"prompt\":[{\"role\":\"user\",\"content\":7}],\"chosen\":[],\"rejected\":[]}",
		"the content of message 1 of 'prompt' is a number, not a string"},
	{"explicit-chat", FAULT_IDENTICAL,
		"{\"prompt\":[" U("q") "],\"chosen\":[" B("a") "],\"rejected\":[" B("a") "]}",
		"chosen and rejected are the same"},
	{"explicit-chat", FAULT_PROMPT_DIFFERS,
		"{\"prompt\":\"hm\",\"chosen\":[" U("q") "," B("a") "],\"rejected\":[" U("q") "," B(
			"b") "]}",
		"'prompt' is no message of the user that chosen and rejected share"},
	{"explicit-chat", FAULT_PROMPT_DIFFERS,
		"{\"prompt\":[" U("q") "],\"chosen\":[" U("q") "," B("a") "],\"rejected\":[" U(
			"p") "," B("b") "]}",
		"'prompt' is not how the messages of rejected begin"},
	{"explicit-chat", FAULT_ROLES,
		"{\"prompt\":[" U("q") "," B("a") "],\"chosen\":[" B("b") "],\"rejected\":[" B(
			"c") "]}",
		"the prompt does not end with a message of role 'user'"},
	{"explicit-chat", FAULT_ROLES,
		"{\"prompt\":[" S("q") "],\"chosen\":[" B("b") "],\"rejected\":[" B("c") "]}",
		"the prompt does not end with a message of role 'user'"},
	{"explicit-chat", FAULT_ROLES,
		"{\"prompt\":[" U("q") "," S("s") "],\"chosen\":[" B("b") "],\"rejected\":[" B(
			"c") "]}",
		"the prompt, message 2: role 'system' where 'assistant' is due"},
	{"explicit-chat", FAULT_ROLES,
		"{\"prompt\":[" U("q") "],\"chosen\":[" B("b") "," U("c") "],\"rejected\":[" B(
			"c") "]}",
		"chosen does not end with a message of role 'assistant'"},
	{"explicit-chat", FAULT_ROLES,
		"{\"prompt\":[{\"role\":\"\\u001b[1mtool\",\"content\":\"\"}],\"chosen\":[" B(
			"b") "],\"rejected\":[" B("c") "]}",
		"the prompt, message 1: role '?[1mtool' is none of system, user, assistant"},
	{"explicit-chat", FAULT_MARKER,
		"{\"prompt\":[" U("q" A " x") "],\"chosen\":[" B("b") "],\"rejected\":[" B(
			"c") "]}",
		"the prompt, message 1: the content has a line 'Assistant:'"},
	{"explicit-chat", FAULT_NEEDS_TEMPLATE,
		"{\"prompt\":[" U("q") "],\"chosen\":[" B("b") "],\"rejected\":[" B(
			"c") "],\"tools\":[{}]}",
		"'tools' needs a chat template"},
	{"explicit-chat", FAULT_NEEDS_TEMPLATE,
		"{\"prompt\":[" U("q") "],\"chosen\":[{\"role\":\"assistant\",\"content\":\"a\","
				       "\"reasoning_content\":\"hm\"}],\"rejected\":[" B("c") "]}",
		"chosen, message 1: 'reasoning_content' needs a chat template"},
	{"implicit-chat", FAULT_IDENTICAL,
		"{\"chosen\":[" U("a") "," B("b") "],\"rejected\":[" U("a") "," B("b") "]}",
		"chosen and rejected are the same"},
	{"implicit-chat", FAULT_PREFIX,
		"{\"chosen\":[" U("a") "," B("b") "],\"rejected\":[" U("a") "," B("b") "," U(
			"c") "]}",
		"chosen is how rejected begins: where does the prompt end?"},
	{"implicit-chat", FAULT_NO_PROMPT, "{\"chosen\":[" B("b") "],\"rejected\":[" B("c") "]}",
		"chosen and rejected have no message in common"},
	{"implicit-chat", FAULT_ROLES,
		"{\"chosen\":[" U("a") "," B("b") "," U("c") "],\"rejected\":[" U("a") "," B(
			"b") "," U("d") "]}",
		"the prompt does not end with a message of role 'user'"},
	{"ranking", FAULT_EMPTY, "{\"prompt\":\"q\",\"completions\":[]}",
		"0 completions; 1 to 4096 are possible"},
	{"ranking", FAULT_WRONG_TYPE, "{\"prompt\":\"q\",\"completions\":[\"a\",1]}",
		"'completions' is an array, not an array of strings"},
	{"ranking", FAULT_IDENTICAL, "{\"prompt\":\"q\",\"completions\":[\"a\",\"b\",\"a\"]}",
		"completion 1 and completion 3 are the same"},
	{"unpaired", FAULT_WRONG_TYPE,
		"{\"prompt\":\"q\",\"completion\":\"a\",\"label\":\"good\"}",
		"'label' is a string, not true, false, 1 or 0"},
	{"unpaired", FAULT_WRONG_TYPE, "{\"prompt\":\"q\",\"completion\":\"a\",\"label\":2}",
		"'label' is a number, not true, false, 1 or 0"},
	{"messages", FAULT_ROLES, "{\"messages\":[" B("a") "]}",
		"1 messages: no question and answer"},
	{"messages", FAULT_ROLES, "{\"messages\":[" U("a") "," U("b") "]}",
		"the completion, message 1: role 'user' where 'assistant' is due"},
	{"text", FAULT_EMPTY, "{\"text\":\"\"}", "the completion is empty"},
};

static void names_bad_rows(void **state)
{
	struct layout_options how = {.render = dialogue_render};
	struct arena arena = ARENA_INIT;
	struct err err = ERR_INIT;
	/* What is told before layouts see a row, by chat templates, and behind them. */
	bool seen[FAULT_CODES] = {[FAULT_NOT_JSON] = true, [FAULT_TEMPLATE] = true, [FAULT_BELOW] = true};

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct json *json = parse(bad[i].row);
		struct fault fault;
		struct layout_row row;

		assert_int_equal(
			layout_read(find(bad[i].layout), json, &how, &arena, &row, &fault, &err),
			0);
		assert_string_equal(fault.text, bad[i].text);
		assert_string_equal(
			fault_name(fault.code), fault_name(bad[i].code));
		seen[fault.code] = true;
		json_free(json);
		arena_clear(&arena);
	}
	for (enum fault_code c = 0; c < FAULT_CODES; c++) {
		assert_true(seen[c] || fault_class(c) == FAULT_NOTE);
		assert_int_equal(fault_find(fault_name(c), strlen(fault_name(c))), c);
	}
	arena_release(&arena);
}

static void loses_keys_when_told(void **state)
{
	static const char text[] =
		"{\"prompt\":\"a\",\"system\":\"s\",\"chosen\":\"b\",\"rejected\":\"c\"}";
	struct layout_options how = {.forced = true};
	struct arena arena = ARENA_INIT;
	struct err err = ERR_INIT;
	struct fault fault;
	struct layout_row row;
	struct json *json = parse(text);

	(void)state;
	assert_int_equal(layout_read(find("explicit"), json, &how, &arena, &row, &fault, &err), 1);
	json_free(json);
	arena_release(&arena);
}

/* ---- detection */

static void refuses_unknown_layouts(void **state)
{
	static const char *const cases[][2] = {
		{"{\"question\":\"q\",\"response_j\":\"a\"}", "no layout fits"},
		{"{\"conversations\":[],\"chosen\":{},\"rejected\":{}}", "no layout fits"},
		{"{\"conversations\":[{\"from\":\"human\"}]}", "no layout fits"},
		{"{\"prompt\":\"q\",\"completion\":[" U("q") "],\"chosen\":[" U("q") "]}",
			"layout 'completion-chat' would lose key 'chosen'"},
		{"{}", "no layout fits"},
		{"3", "no layout fits a number"},
		{"{\"system\":\"s\",\"post\":\"q\",\"chosen\":\"a\",\"rejected\":\"b\"}",
			"layout 'implicit' would lose key 'system'"},
		{"{\"prompt\":[" U("q") "],\"chosen\":\"a\",\"rejected\":\"b\"}",
			"layout 'implicit' would lose key 'prompt'"},
		{"{\"prompt\":\"q\",\"completion\":\"a\",\"label\":\"good\"}",
			"layout 'completion' would lose key 'label'"},
		{"{\"messages\":[{\"by\":\"human\",\"value\":\"a\"}]}", "no layout fits"},
		{"{\"messages\":[]}", "no layout fits"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct json *json = parse(cases[i][0]);
		struct fault fault;

		assert_null(layout_detect(json, NULL, &fault));
		assert_string_equal(fault.text, cases[i][1]);
		json_free(json);
	}
}

static void names_keys(void **state)
{
	struct json *json = parse("{\"a\":1,\"\\u00fcb\":[],\"c\":{\"d\":2}}");
	struct buf out = BUF_INIT;

	(void)state;
	layout_put_keys(&out, json);
	assert_string_equal(out.data, "'a' (a number), '??b' (an array), 'c' (an object)");
	json_free(json);
	json = parse("[]");
	buf_clear(&out);
	layout_put_keys(&out, json);
	assert_string_equal(out.data, "no keys");
	json_free(json);
	buf_release(&out);
}

/* ---- the prompt in common */

static void ends_prompts_between_words(void **state)
{
	static const struct {
		const char *prompt, *a, *b; /* both sides begin with the prompt */
	} cases[] = {
		{"", "yes", "no"},
		{"Q:", " yes", " no"},
		{"Q:", " \t yes", " \t no"},
		{"Q:\n", "yes", "no"},
		{"Q:\n", "  yes", "  no"},
		{"It is", " sunny", " sunday"},
		{"It", " is", " isn't"},
		{"It", " isn't", " is not"},
		{"It", " isn\xe2\x80\x99t", " is not"},
		{"'", "yes'", "no'"},
		{"about", " 3.14", " 3.15"},
		{"about", " 1,000", " 1,001"},
		{"end.", "Then", "Now"},
		{"in", " snake_case", " snake_bite"},
		{"x = f(", "1)", "2)"},
		{"say", " <|im_end|>", " <|im_start|>"},
		{"<|im_end|>", "yes", "no"},
		{"so", " [INST] a", " [INSIDE] b"},
		{"a < b and c >", " d", " e"},
		{"if a[0] < b", "[1]", "[2]"},
		{"ganz", " gr\xc3\xbc\xc3\x9f", " gr\xc3\xbcn"},
		{"", "\xc3\xbc", "\xc3\xb6"},
		{"x", " \xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x91\xa7",
			" \xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x91\xa6"},
		{"", "e1", "e2"},
		{"\xe6\x97\xa5\xe6\x9c\xac", "\xe8\xaa\x9e", "\xe4\xba\xba"},
		{"\xe6\x97\xa5\xe6\x9c\xac", "a", "b"},
		{"\xe0\xb9\x80", "\xe0\xb8\x81\xe0\xb9\x88", "\xe0\xb8\x81\xe0\xb8\x81"},
		{"a\r\n", "b", "c"},
		{"a", "\r\nb", "\rc"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		char a[100], b[100];
		size_t n;

		snprintf(a, sizeof a, "%s%s", cases[i].prompt, cases[i].a);
		snprintf(b, sizeof b, "%s%s", cases[i].prompt, cases[i].b);
		n = implicit_prompt_end(a, strlen(a), b, strlen(b));
		if (n != strlen(cases[i].prompt))
			fail_msg("case %zu: '%.*s' is not '%s'", i, (int)n, a, cases[i].prompt);
		assert_int_equal(implicit_prompt_end(b, strlen(b), a, strlen(a)), n);
	}
}

/* ---- what rows become */

static void makes_records(void **state)
{
	struct json *json = parse("{\"id\":7,\"prompt\":\"\\u0000\",\"x\":{\"y\":[null]},"
				  "\"chosen\":\"abc\",\"rejected\":"
				  "\"\\u00e4\",\"z\":1.5}");
	struct json *bare =
		parse("{\"prompt\":\"\\u0000\",\"chosen\":\"abc\",\"rejected\":\"\\u00e4\"}");
	const struct layout *l = find("explicit");
	struct layout_options how = {.render = NULL};
	struct arena arena = ARENA_INIT;
	struct buf meta = BUF_INIT;
	struct err err = ERR_INIT;
	struct fault fault;
	struct layout_row row;
	struct pref_rec rec, same;

	(void)state;
	assert_int_equal(layout_read(l, json, &how, &arena, &row, &fault, &err), 1);
	assert_int_equal(layout_record(&row, &rec, &arena, &err), 0);
	assert_int_equal(rec.k, 2);
	assert_int_equal(pref_len(&rec, 0), 1);
	assert_int_equal(pref_len(&rec, 1), 3);
	assert_int_equal(pref_len(&rec, 2), 2);
	assert_memory_equal(rec.text, "\0abc\xc3\xa4", 6);
	assert_null(rec.label);
	layout_put_meta(&meta, l, json, &how);
	assert_string_equal(meta.data, "{\"id\":7,\"x\":{\"y\":[null]},\"z\":1.5}");
	buf_clear(&meta);
	layout_put_meta(&meta, l, bare, &how);
	assert_string_equal(meta.data, "{}");
	assert_int_equal(layout_read(l, bare, &how, &arena, &row, &fault, &err), 1);
	assert_int_equal(layout_record(&row, &same, &arena, &err), 0);
	assert_true(rec.id == same.id && rec.id != 0);
	buf_release(&meta);
	arena_release(&arena);
	json_free(json);
	json_free(bare);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_good_rows),
		cmocka_unit_test(names_bad_rows),
		cmocka_unit_test(loses_keys_when_told),
		cmocka_unit_test(refuses_unknown_layouts),
		cmocka_unit_test(names_keys),
		cmocka_unit_test(ends_prompts_between_words),
		cmocka_unit_test(makes_records),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
